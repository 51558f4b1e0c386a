package boosters

import (
	"context"
	"errors"
	"math"
	"slices"
	"strconv"
	"testing"

	"ctr/features"
	"ctr/models"
	"ctr/models/interchange"
)

// explained are the fixtures that have LightGBM's contributions beside them.
var explained = []string{"pandas.txt", "numbers.txt"}

// TestContributions: nodes carry the rows they were trained on, so that what a
// column adds is what LightGBM's pred_contrib says.
func TestContributions(t *testing.T) {
	for _, name := range explained {
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
				if !(math.Abs(got-want) <= 1e-9) {
					t.Fatalf("%s: row %d: %s adds %v, by LightGBM %v", name, row, column, got, want)
				}
			}
		})
		if row != len(kept)-1 {
			t.Errorf("%s: %d rows: want %d", name, row, len(kept)-1)
		}
	}
}

// TestNoCover: XGBoost's models say nothing of rows, and are not explained.
func TestNoCover(t *testing.T) {
	a, _, err := XGBoost().Import(context.Background(), "testdata/pandas.json", interchange.ImportOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Model.(models.Explainer).Explains(); !errors.Is(err, models.ErrNoCover) {
		t.Errorf("error %v: want ErrNoCover", err)
	}
}
