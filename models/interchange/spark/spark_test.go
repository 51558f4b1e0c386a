package spark

import (
	"context"
	"encoding/csv"
	"errors"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"ctr/features"
	"ctr/models"
	"ctr/models/interchange"
	"ctr/models/linear"
	"ctr/models/trees"
)

// score gives the probability of each row of a CSV file, of at most n.
func score(t *testing.T, a *models.Artifact, path string, n int) []float64 {
	t.Helper()
	in, err := features.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	r, err := features.NewReader(in, path, features.ReaderOptions{Schema: &a.Spec.Schema})
	if err != nil {
		t.Fatal(err)
	}
	enc, err := a.Spec.Encoder(r.Layout())
	if err != nil {
		t.Fatal(err)
	}
	ex, b := enc.NewExample(), new(features.Block)
	one, many := enc.NewExample(), []*features.Example{enc.NewExample()}
	var p []float64
	for {
		if err := r.Next(b); errors.Is(err, io.EOF) {
			return p
		} else if err != nil {
			t.Fatal(err)
		}
		b.Split()
		for i := range b.Len() {
			if len(p) == n {
				return p
			}
			row := b.Row(i)
			if err := enc.Encode(&row, ex); err != nil {
				t.Fatal(err)
			}
			if _, err := enc.EncodeRows(b, []int32{int32(i)}, many); err != nil {
				t.Fatal(err)
			}
			*one = *many[0]
			if !slices.Equal(ex.Codes, one.Codes) {
				t.Fatalf("row %d: Encode gives %v, EncodeRows %v", i, ex.Codes, one.Codes)
			}
			p = append(p, a.Model.Probability(ex))
		}
	}
}

// reference reads what Spark gave: probabilities and predictions.
func reference(t *testing.T, path, column string) (p []float64, y []int) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	at, last := slices.Index(rows[0], column), len(rows[0])-1
	for _, r := range rows[1:] {
		x, err := strconv.ParseFloat(r[at], 64)
		if err != nil {
			t.Fatal(err)
		}
		p, y = append(p, x), append(y, int(r[last][0]-'0'))
	}
	return p, y
}

func equal(t *testing.T, a *models.Artifact, got, want []float64, predictions []int) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%d rows: want %d", len(got), len(want))
	}
	for i := range got {
		if !(math.Abs(got[i]-want[i]) <= 1e-12) {
			t.Fatalf("row %d: %v: Spark gives %v", i+1, got[i], want[i])
		}
		if (got[i] > a.Threshold) != (predictions[i] == 1) {
			t.Fatalf("row %d: %v: Spark predicts %d, threshold %v", i+1, got[i], predictions[i], a.Threshold)
		}
	}
}

// TestImportIsSpark holds imported models against what Spark gave for rows with
// values that are unseen, empty and written another way. The fixtures are
// PySpark 3.5.8's, made by scripts/crosscheck/spark_fixtures.py.
func TestImportIsSpark(t *testing.T) {
	f := func(name, algo string) {
		t.Helper()
		a, _, err := Import(context.Background(), filepath.Join("testdata", name+".tar.gz"), interchange.ImportOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if a.Model.Algo() != algo || a.Spec.Schema.Name != "avazu" {
			t.Errorf("%s: %s of schema %s: want %s of avazu", name, a.Model.Algo(), a.Spec.Schema.Name, algo)
		}
		p, y := reference(t, filepath.Join("testdata", name+".csv"), "probability")
		equal(t, a, score(t, a, "testdata/rows.csv", len(p)), p, y)
		// And as a model file.
		b, err := a.Encode()
		if err != nil {
			t.Fatal(err)
		}
		if a, err = models.Decode(b, name); err != nil {
			t.Fatal(err)
		}
		equal(t, a, score(t, a, "testdata/rows.csv", len(p)), p, y)
	}
	f("lr", "lr")
	f("lr-scaled", "lr")
	f("dt", "dt")
	f("rf", "rf")
	f("gbt", "gbdt")
	f("cv", "lr")
	f("tvs", "lr")
}

// shared is the folder of real data and models.
func shared() string {
	if dir := os.Getenv("CTR_SHARED"); dir != "" {
		return dir
	}
	return "../../../../shared"
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// TestReplacedModel holds the model of the system that ctr replaces against
// what Spark 3.0.1 gives for 12,000 real rows.
func TestReplacedModel(t *testing.T) {
	shared := shared()
	if !exists(filepath.Join(shared, "spark")) {
		t.Skipf("no real model in %s", shared)
	}
	a, notes, err := Import(context.Background(), filepath.Join(shared, "spark", "avazu-lr-model"), interchange.ImportOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if len(notes) > 0 || a.Threshold != 0.22 || len(a.Spec.Fields) != 16 {
		t.Errorf("notes %q, threshold %v, %d fields: want none, 0.22, 16", notes, a.Threshold, len(a.Spec.Fields))
	}
	p, y := reference(t, filepath.Join(shared, "spark", "avazu-lr-model-scores.csv"), "probability_1")
	equal(t, a, score(t, a, filepath.Join(shared, "data", "avazu-stream.csv"), len(p)), p, y)
}

// TestThereAndBack exports what was imported, and ctr's own kinds of fields, and
// imports it again: the same probabilities.
func TestThereAndBack(t *testing.T) {
	back := func(name string, a *models.Artifact) {
		t.Helper()
		dir := filepath.Join(t.TempDir(), "model")
		if _, err := Export(context.Background(), a, dir); err != nil {
			t.Fatal(err)
		}
		b, _, err := Import(context.Background(), dir, interchange.ImportOptions{Schema: &a.Spec.Schema})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		want, got := score(t, a, "testdata/rows.csv", 300), score(t, b, "testdata/rows.csv", 300)
		for i := range want {
			if !(math.Abs(got[i]-want[i]) <= 1e-12) {
				t.Fatalf("%s: row %d: %v: want %v", name, i+1, got[i], want[i])
			}
		}
		if math.Abs(a.Threshold-b.Threshold) > 1e-15 {
			t.Errorf("%s: threshold %v: want %v", name, b.Threshold, a.Threshold)
		}
	}
	for _, name := range []string{"lr", "lr-scaled", "dt", "rf", "gbt"} {
		a, _, err := Import(context.Background(), filepath.Join("testdata", name+".tar.gz"), interchange.ImportOptions{})
		if err != nil {
			t.Fatal(err)
		}
		back(name, a)
	}
	spec := ownSpec(t)
	_, total := spec.Offsets()
	w := make([]float64, total)
	for i := range w {
		w[i] = math.Sin(float64(i * i))
	}
	m, err := linear.New(spec, w, -1.5)
	if err != nil {
		t.Fatal(err)
	}
	back("own lr", &models.Artifact{Model: m, Spec: spec, Threshold: 0.3})
	b, err := trees.NewBoosted(spec, -0.75, ownTrees())
	if err != nil {
		t.Fatal(err)
	}
	back("own gbdt", &models.Artifact{Model: b, Spec: spec, Threshold: 0.1})
	r, err := trees.New("rf", spec, ownTrees())
	if err != nil {
		t.Fatal(err)
	}
	back("own rf", &models.Artifact{Model: r, Spec: spec, Threshold: 0})
}

func dictOf(t *testing.T, values ...string) *features.Dictionary {
	t.Helper()
	text, offsets := []byte{}, []uint64{0}
	for _, v := range values {
		text = append(text, v...)
		offsets = append(offsets, uint64(len(text)))
	}
	d, err := features.NewDictionary(text, offsets)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// ownSpec has a field of each kind that Spark can have.
func ownSpec(t *testing.T) *features.Spec {
	most := 40.0
	s := &features.Spec{Schema: *features.Avazu(), Fields: []features.Field{
		{Name: "C18", From: []string{"C18"}, Type: features.Dict, Dict: dictOf(t, "", "3", "0")},
		{Name: "C21", From: []string{"C21"}, Type: features.Dict, Cap: &most, Dict: dictOf(t, "40", "23", "33")},
		{Name: "hour_time", From: []string{"hour"}, Part: features.HourTime, Type: features.Dict, Dict: dictOf(t, "0", "1", "5")},
		{Name: "hour_time×banner_pos", From: []string{"hour_time", "banner_pos"}, Type: features.Dict, Dict: dictOf(t, "0\x1f0", "0\x1f1", "3\x1f1")},
		{Name: "C17", From: []string{"C17"}, Type: features.Num, Bounds: []float64{500, 1000.5, 2000}, Mean: 900, Scale: 350},
		{Name: "C19", From: []string{"C19"}, Type: features.Num, Cap: &most, Mean: 30, Scale: 7, Values: true},
		{Name: "C20", From: []string{"C20"}, Type: features.Num, Scale: 1},
	}}
	if err := s.Validate(); err != nil {
		t.Fatal(err)
	}
	return s
}

func ownTrees() [][]trees.Node {
	return [][]trees.Node{
		{{Field: 4, Value: 1000, MissingLeft: true, Left: 1, Right: 2}, {Field: 0, Codes: []uint32{0, 1}, Left: 3, Right: 4}, {Value: 0.5}, {Value: 0.25}, {Field: 4, Value: 700, Left: 5, Right: 6}, {Value: 0.125}, {Value: 1}},
		{{Field: 3, Codes: []uint32{0, 2}, Left: 1, Right: 2}, {Value: 0.75}, {Field: 5, Value: 39.5, Left: 3, Right: 4}, {Value: 0}, {Field: 1, Left: 5, Right: 6}, {Value: 0.3}, {Value: 0.1}},
	}
}

// TestRefusals: what Spark can't hold is refused by name.
func TestRefusals(t *testing.T) {
	spec := &features.Spec{Schema: *features.Avazu(), Bits: 4, Fields: []features.Field{{Name: "site_id", From: []string{"site_id"}, Type: features.Hash}}}
	m, err := linear.New(spec, make([]float64, 16), 0)
	if err != nil {
		t.Fatal(err)
	}
	_, err = Export(context.Background(), &models.Artifact{Model: m, Spec: spec}, filepath.Join(t.TempDir(), "x"))
	var refusal *interchange.Refusal
	if !errors.As(err, &refusal) || !strings.Contains(err.Error(), "column site_id is hashed") {
		t.Errorf("a hashed column: %v: want a refusal that names it", err)
	}
}
