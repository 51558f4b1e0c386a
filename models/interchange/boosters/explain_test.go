package boosters

import (
	"context"
	"errors"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"ctr/features"
	"ctr/models"
	"ctr/models/interchange"
)

// explained are the fixtures that have the tool's contributions beside them, and
// how near ours are: XGBoost works in float32.
var explained = map[string]float64{"pandas.txt": 1e-9, "numbers.txt": 1e-9, "pandas.json": 2e-6, "numbers.json": 2e-6, "forest.json": 2e-6}

// TestContributions: nodes carry the rows they were trained on, or XGBoost's sums
// of hessians, so that what a column adds is what pred_contrib or pred_contribs
// says.
func TestContributions(t *testing.T) {
	for name, limit := range explained {
		a := importFile(t, "testdata/"+name)
		m, ok := a.Model.(models.Explainer)
		if !ok {
			t.Fatalf("%s: %T explains nothing", name, a.Model)
		}
		if err := m.Explains(); err != nil {
			t.Fatal(err)
		}
		kept := table(t, "testdata/"+name+".contrib.csv")
		base, _ := m.Baseline()
		row := 0
		each(t, a, "testdata/"+name+".csv", func(ex *features.Example) {
			row++
			phi := m.Contributions(ex, nil)
			for k, column := range kept[0] {
				got := 0.
				if column == "baseline" {
					got = base
				} else if f := slices.IndexFunc(a.Spec.Fields, func(f features.Field) bool { return f.Name == column }); f >= 0 {
					got = phi[f]
				}
				want, err := strconv.ParseFloat(kept[row][k], 64)
				if err != nil {
					t.Fatal(err)
				}
				if !(math.Abs(got-want) <= limit) {
					t.Fatalf("%s: row %d: %s adds %v, by the tool %v", name, row, column, got, want)
				}
			}
		})
		if row != len(kept)-1 {
			t.Errorf("%s: %d rows: want %d", name, row, len(kept)-1)
		}
	}
}

// TestNoCover: a file that says nothing of a node's hessians, or that they are
// none, is not explained, and one that says it of other nodes is refused.
func TestNoCover(t *testing.T) {
	text := fixture(t, "pandas.json")
	list := regexp.MustCompile(`"sum_hessian":\[[^,\]]*`)
	for with, want := range map[string]error{
		`"sum_hessian_":[1`: models.ErrNoCover, `"sum_hessian":[0`: models.ErrNoCover,
		`"sum_hessian":[-1`: models.ErrNoCover, `"sum_hessian":[1e-30`: nil,
	} {
		path := filepath.Join(t.TempDir(), "model.json")
		if err := os.WriteFile(path, list.ReplaceAll([]byte(text), []byte(with)), 0o600); err != nil {
			t.Fatal(err)
		}
		a, _, err := XGBoost().Import(context.Background(), path, interchange.ImportOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if err := a.Model.(models.Explainer).Explains(); !errors.Is(err, want) {
			t.Errorf("%s: error %v: want %v", with, err, want)
		}
	}
	_, err := parseXGBoost([]byte(strings.Replace(text, `"sum_hessian":[`, `"sum_hessian":[1,`, 1)))
	if err == nil || !strings.Contains(err.Error(), "sum_hessian: ") {
		t.Errorf("error %v: want that of sum_hessian", err)
	}
}
