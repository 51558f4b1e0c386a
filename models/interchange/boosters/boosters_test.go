package boosters

import (
	"context"
	"encoding/csv"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"testing"
	"time"

	"ctr/features"
	"ctr/models"
	"ctr/models/interchange"
)

func importFile(t testing.TB, path string) *models.Artifact {
	t.Helper()
	format := LightGBM()
	if !strings.HasSuffix(path, ".txt") {
		format = XGBoost()
	}
	a, _, err := format.Import(context.Background(), path, interchange.ImportOptions{Version: "test"})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// score gives the probabilities of the rows of a CSV file, and its column want.
func score(t testing.TB, a *models.Artifact, path string) (got, want []float64) {
	t.Helper()
	records := table(t, path)
	each(t, a, path, func(ex *features.Example) { got = append(got, a.Model.Probability(ex)) })
	column := features.Layout(records[0]).Index("want")
	for _, r := range records[1:] {
		p, err := strconv.ParseFloat(r[column], 64)
		if err != nil {
			t.Fatal(err)
		}
		want = append(want, p)
	}
	return got, want
}

// table reads a CSV file as text.
func table(t testing.TB, path string) [][]string {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	records, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	return records
}

// each calls visit for every row of a CSV file.
func each(t testing.TB, a *models.Artifact, path string, visit func(ex *features.Example)) {
	t.Helper()
	enc, err := a.Spec.Encoder(table(t, path)[0])
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rd, err := features.NewReader(f, path, features.ReaderOptions{Schema: &a.Spec.Schema})
	if err != nil {
		t.Fatal(err)
	}
	ex := a.Spec.NewExample()
	var b features.Block
	for rd.Next(&b) == nil {
		b.Split()
		for i := range b.Len() {
			r := b.Row(i)
			if err := enc.Encode(&r, ex); err != nil {
				t.Fatal(err)
			}
			visit(ex)
		}
	}
}

// TestEqualsTool: the tools' own probabilities of rows with missing values and
// values never seen. XGBoost adds in float32.
func TestEqualsTool(t *testing.T) {
	list, err := filepath.Glob("testdata/*.csv")
	if err != nil || len(list) != 10+len(explained) {
		t.Fatalf("fixtures %v: %v", list, err)
	}
	for _, rows := range list {
		if strings.HasSuffix(rows, ".contrib.csv") {
			continue
		}
		path := strings.TrimSuffix(rows, ".csv")
		most := 1e-12
		if !strings.HasSuffix(path, ".txt") {
			most = 2e-7
		}
		a := importFile(t, path)
		got, want := score(t, a, rows)
		if len(got) != len(want) || len(got) == 0 {
			t.Fatalf("%s: %d probabilities of %d rows", path, len(got), len(want))
		}
		distinct := map[float64]bool{}
		for i, p := range got {
			distinct[p] = true
			if !(math.Abs(p-want[i]) <= most) {
				t.Fatalf("%s: row %d: %v: want %v", path, i, p, want[i])
			}
		}
		if len(distinct) < 20 {
			t.Errorf("%s: %d distinct probabilities: want more", path, len(distinct))
		}
	}
}

// TestRoundTrip: what was imported is a model file like any other.
func TestRoundTrip(t *testing.T) {
	a := importFile(t, "testdata/pandas.txt")
	b, err := a.Encode()
	if err != nil {
		t.Fatal(err)
	}
	again, err := models.Decode(b, "again")
	if err != nil {
		t.Fatal(err)
	}
	got, _ := score(t, again, "testdata/pandas.txt.csv")
	want, _ := score(t, a, "testdata/pandas.txt.csv")
	for i := range got {
		if got[i] != want[i] {
			t.Fatalf("row %d: %v: want %v", i, got[i], want[i])
		}
	}
}

// TestBelow: v <= below(c) is float32(v) < c, for numbers around c.
func TestBelow(t *testing.T) {
	inf := float32(math.Inf(1))
	list := []float32{0, 1, -1, .1, 1e-45, -1e-45, 1e-38, math.MaxFloat32, -math.MaxFloat32, inf, 16777216, 16777217, -.3, float32(math.Copysign(0, -1))}
	for i := range uint32(2000) {
		list = append(list, math.Float32frombits(uint32(features.Mix64(uint64(i)))))
	}
	for _, c := range list {
		if c != c {
			continue
		}
		limit := below(c)
		near := []float64{limit, math.Nextafter(limit, math.Inf(1)), math.Nextafter(limit, math.Inf(-1)), float64(c), 0, 1, -1, math.MaxFloat64, -math.MaxFloat64}
		for _, v := range near {
			if math.IsInf(v, 0) {
				continue // no row has it
			}
			if got, want := v <= limit, float32(v) < c; got != want {
				t.Fatalf("%v below %v: %v, want %v", v, c, got, want)
			}
		}
	}
}

func TestRefuses(t *testing.T) {
	lgb, xgb := fixture(t, "pandas.txt"), fixture(t, "pandas.json")
	f := func(text, old, new, want string) {
		t.Helper()
		if !strings.Contains(text, old) {
			t.Fatalf("%q is not in the fixture", old)
		}
		parse := parseLightGBM
		if text == xgb {
			parse = parseXGBoost
		}
		e, err := parse([]byte(strings.Replace(text, old, new, 1)))
		if err == nil {
			_, err = e.artifact(interchange.ImportOptions{})
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v: want %s", new, err, want)
		}
	}
	f(lgb, "tree\n", "forest\n", "first line: want")
	f(lgb, "objective=binary", "objective=regression", `objective "regression sigmoid:1.5": want binary or cross_entropy`)
	f(lgb, "sigmoid:1.5", "sigmoid:0", "sigmoid 0: want a number above 0")
	f(lgb, "num_class=1", "num_class=3", "num_class 3: want 1")
	f(lgb, "is_linear=0", "is_linear=1", "linear leaves")
	f(lgb, "end of trees", "", "cut off")
	f(lgb, "num_leaves=7", "num_leaves=1000000000", "num_leaves 1000000000: leaf_value has 7")
	f(lgb, "left_child=", "left_child=0 ", "left_child: 7 numbers: want 6")
	f(lgb, "split_feature=", "split_feature=x", "want a number")
	f(lgb, `[[10,`, `[["b"],[10,`, "pandas_categorical: 3 columns")
	f(lgb, `"a", "b"`, `"a", "a"`, `value "a" twice`)
	f(xgb, `"name":"gbtree"`, `"name":"dart"`, `booster "dart": want gbtree`)
	f(xgb, "binary:logistic", "multi:softprob", `objective "multi:softprob": want binary:logistic`)
	f(xgb, `"left_children":[1,`, `"left_children":[0,`, "child 0: want one of")
	f(xgb, `"size_leaf_vector":"1"`, `"size_leaf_vector":"3"`, "size_leaf_vector 3: want 1")
	f(xgb, `"feature_names":["x","gaps"`, `"feature_names":["x","x"`, `feature name "x": want one of its own`)
	f(xgb, `"values":[97,`, `"values":[-61,`, "feature 4: categories with other text than ASCII")
	f(xgb, `{"learner"`, `{"learned"`, `booster "": want gbtree`)
}

// TestRings: trees that lead back to themselves.
func TestRings(t *testing.T) {
	lgb := fixture(t, "numbers.txt")
	at := strings.Index(lgb, "left_child=")
	end := at + strings.Index(lgb[at:], "\n")
	ring := lgb[:at] + "left_child=" + strings.TrimSpace(strings.Repeat("0 ", 6)) + lgb[end:]
	if _, err := parseLightGBM([]byte(ring)); err == nil || !strings.Contains(err.Error(), "deeper than") {
		t.Errorf("error %v: want that of a ring", err)
	}
	xgb := fixture(t, "numbers.json")
	at = strings.Index(xgb, `"left_children":[`)
	end = at + strings.Index(xgb[at:], "]")
	n := strings.Count(xgb[at:end], ",") + 1
	ring = xgb[:at] + `"left_children":[` + strings.TrimSuffix(strings.Repeat("1,", n), ",") + xgb[end:]
	if _, err := parseXGBoost([]byte(ring)); err == nil || !strings.Contains(err.Error(), "each with one parent") {
		t.Errorf("error %v: want that of a ring", err)
	}
}

func fixture(t testing.TB, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// TestMemory: files made to take much memory take no more than ten times their
// length.
func TestMemory(t *testing.T) {
	defer debug.SetGCPercent(debug.SetGCPercent(5))
	lgb, xgb, ubj := fixture(t, "pandas.txt"), fixture(t, "pandas.json"), fixture(t, "pandas.ubj")
	const n = 1 << 20
	f := func(name, text, old, new string, parse func([]byte) (*ensemble, error)) {
		t.Helper()
		in := []byte(strings.Replace(text, old, new, 1))
		if len(in) < n {
			t.Fatalf("%s: %q is not in the fixture", name, old)
		}
		var before runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		stop, peak := make(chan bool), make(chan uint64)
		go func() {
			most := uint64(0)
			for {
				select {
				case <-stop:
					peak <- most
					return
				case <-time.After(time.Millisecond):
					var m runtime.MemStats
					runtime.ReadMemStats(&m)
					most = max(most, m.HeapAlloc)
				}
			}
		}()
		e, err := parse(in)
		if err == nil {
			_, err = e.artifact(interchange.ImportOptions{})
		}
		stop <- true
		if took := int64(<-peak) - int64(before.HeapAlloc); took > 9*int64(len(in))+1<<20 {
			t.Errorf("%s: %d bytes for a file of %d (%v): want ten times as much with it at most", name, took, len(in), err)
		}
	}
	many := func(s string) string { return strings.Repeat(s, n/len(s)+1) }
	f("leaves", lgb, "left_child=", "left_child="+many("0 "), parseLightGBM)
	f("names", lgb, "feature_names=", "feature_names="+many("a "), parseLightGBM)
	f("sets", lgb, "cat_threshold=", "cat_threshold="+many("4294967295 "), parseLightGBM)
	f("trees", lgb, "\nTree=0", many("\nTree=0"), parseLightGBM)
	f("pandas", lgb, "[[10", "["+many("[],")+"[10", parseLightGBM)
	f("values", lgb, "[[10", "[["+many(`"b",`)+"10", parseLightGBM)
	f("trees", xgb, `"trees":[`, `"trees":[`+many("{},"), parseXGBoost)
	f("names", xgb, `"feature_names":[`, `"feature_names":[`+many(`"",`), parseXGBoost)
	f("children", xgb, `"left_children":[`, `"left_children":[`+many("1,"), parseXGBoost)
	f("sizes", xgb, `"categories_sizes":[`, `"categories_sizes":[`+many("0,"), parseXGBoost)
	f("defaults", xgb, `"default_left":[`, `"default_left":[`+many("0,"), parseXGBoost)
	f("hessians", xgb, `"sum_hessian":[`, `"sum_hessian":[`+many("0,"), parseXGBoost)
	f("enc", xgb, `"enc":[`, `"enc":[`+many("{},"), parseXGBoost)
	f("bytes", ubj, "{", "{L"+string([]byte{0, 0, 0, 0, 0, 0, 0, 1})+"a[$U#L"+string([]byte{0, 0, 0, 0, 0, 16, 0, 0})+strings.Repeat("\xff", n), parseXGBoost)
}

func fuzz(f *testing.F, pattern string, parse func([]byte) (*ensemble, error)) {
	list, err := filepath.Glob("testdata/" + pattern)
	if err != nil || len(list) == 0 {
		f.Fatalf("no fixtures: %v", err)
	}
	for _, path := range list {
		f.Add([]byte(fixture(f, filepath.Base(path))))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		e, err := parse(b)
		if err != nil {
			return
		}
		a, err := e.artifact(interchange.ImportOptions{})
		if err != nil {
			return
		}
		if err := a.Spec.Validate(); err != nil {
			return // said when the model file is written
		}
		ex := a.Spec.NewExample()
		if p := a.Model.Probability(ex); !(p >= 0 && p <= 1) {
			t.Errorf("probability %v", p)
		}
	})
}

func FuzzLightGBM(f *testing.F) { fuzz(f, "*.txt", parseLightGBM) }

func FuzzXGBoost(f *testing.F) {
	f.Add([]byte("{}"))
	f.Add([]byte(fixture(f, "pandas.ubj")))
	fuzz(f, "*.json", parseXGBoost)
}

// TestZeros: the fixture has splits that send zero another way than its
// neighbours, which take more nodes than the file has.
func TestZeros(t *testing.T) {
	e, err := parseLightGBM([]byte(fixture(t, "zero.txt")))
	if err != nil {
		t.Fatal(err)
	}
	for _, tree := range e.trees {
		if len(tree) > 2*12-1 {
			return
		}
	}
	t.Error("no tree has more nodes than LightGBM's: want a fixture with such splits")
}
