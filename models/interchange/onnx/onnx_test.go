package onnx

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"ctr/features"
	"ctr/models"
	_ "ctr/models/factor" // the algorithms of testdata register themselves
	"ctr/models/interchange"
	_ "ctr/models/linear"
	_ "ctr/models/stack"
	_ "ctr/models/trees"
)

// outside is the model that testdata has once more, as if it were too large for
// one file.
const outside = "ffm"

// models of testdata, which scripts/crosscheck/onnx_reference.py made.
func artifacts(t *testing.T) map[string]*models.Artifact {
	t.Helper()
	paths, err := filepath.Glob("testdata/*.ctr")
	if err != nil || len(paths) == 0 {
		t.Fatalf("testdata: %d models, %v", len(paths), err)
	}
	all := map[string]*models.Artifact{}
	for _, path := range paths {
		a, err := models.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		all[strings.TrimSuffix(filepath.Base(path), ".ctr")] = a
	}
	all["cast"], all["cast-trees"] = casts(t, all["lr"].Spec.Schema)
	return all
}

// TestGolden holds each model's export to the bytes that onnxruntime was asked
// about (TestOnnxruntime). UPDATE=1 writes them anew.
func TestGolden(t *testing.T) {
	for name, a := range artifacts(t) {
		dir := t.TempDir()
		if _, err := Export(t.Context(), a, filepath.Join(dir, name+".onnx")); err != nil {
			t.Fatal(err)
		}
		same(t, dir, name+".onnx")
		if name != outside {
			continue
		}
		m, err := build(a)
		if err != nil {
			t.Fatal(err)
		}
		if beside, err := m.write(filepath.Join(dir, "outside.onnx"), m.encode().size-1); err != nil || beside != "outside.onnx.data" {
			t.Fatalf("%q, %v: want outside.onnx.data", beside, err)
		}
		same(t, dir, "outside.onnx")
		same(t, dir, "outside.onnx.data")
	}
}

// same compares a file with that of testdata.
func same(t *testing.T, dir, name string) {
	t.Helper()
	got, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	golden := filepath.Join("testdata", name)
	if os.Getenv("UPDATE") != "" {
		if err := os.WriteFile(golden, got, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s: %d bytes, unlike testdata's %d (UPDATE=1 writes them; then scripts/crosscheck/onnx_reference.py)", name, len(got), len(want))
	}
}

// TestOnnxruntime compares ctr's probabilities and predictions with those that
// onnxruntime gave the same rows by the models of TestGolden: times in every
// form, numbers missing, values empty and never seen.
func TestOnnxruntime(t *testing.T) {
	text, err := os.ReadFile("testdata/onnxruntime.json")
	if err != nil {
		t.Fatal(err)
	}
	var given map[string]struct {
		Probability []float64
		Prediction  []int
	}
	if err := json.Unmarshal(text, &given); err != nil {
		t.Fatal(err)
	}
	all := artifacts(t)
	if len(given) != len(all)+1 {
		t.Errorf("onnxruntime.json has %d models: want %d", len(given), len(all)+1)
	}
	for name, want := range given {
		a, tolerance := all[name], 1e-12
		if name == "outside" {
			a = all[outside]
		}
		if a.Model.Algo() == "ffm" { // adds up floats
			tolerance = 1e-6
		}
		got := probabilities(t, a)
		if len(got) != len(want.Probability) {
			t.Fatalf("%s: %d rows, onnxruntime has %d", name, len(got), len(want.Probability))
		}
		for i, p := range got {
			click := 0
			if p > a.Threshold {
				click = 1
			}
			if !(math.Abs(p-want.Probability[i]) <= tolerance) || click != want.Prediction[i] {
				t.Errorf("%s: row %d: %v and %d, onnxruntime %v and %d", name, i, p, click, want.Probability[i], want.Prediction[i])
			}
		}
	}
}

// probabilities scores testdata/rows.csv.
func probabilities(t *testing.T, a *models.Artifact) (p []float64) {
	t.Helper()
	f, err := os.Open("testdata/rows.csv")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	enc, err := a.Spec.Encoder(rows[0])
	if err != nil {
		t.Fatal(err)
	}
	var b features.Block
	b.Reset(rows[0], "rows.csv")
	for _, r := range rows[1:] {
		b.AppendCSV([]byte(strings.Join(r, ",")), ',')
	}
	ex := enc.NewExample()
	for i := range b.Len() {
		r := b.Row(i)
		if err := errors.Join(b.Err(i), enc.Encode(&r, ex)); err != nil {
			t.Fatal(err)
		}
		p = append(p, a.Model.Probability(ex))
	}
	return p
}

func TestStateIsRefused(t *testing.T) {
	a := artifacts(t)["stump"]
	spec := *a.Spec
	spec.Fields = slices.Clone(spec.Fields)
	spec.Fields[0].Name, spec.Fields[0].Past = "count(user)", features.Count
	a.Spec = &spec
	path := filepath.Join(t.TempDir(), "m.onnx")
	_, err := Export(t.Context(), a, path)
	var refused *interchange.Refusal
	if !errors.As(err, &refused) || !strings.Contains(err.Error(), "count(user)") {
		t.Errorf("%v: want a refusal of count(user)", err)
	}
	if _, err := os.Stat(path); err == nil {
		t.Error("a model was written all the same")
	}
}

// TestTooLarge has a dictionary that does not fit, which can't lie outside.
func TestTooLarge(t *testing.T) {
	m, err := build(artifacts(t)["lr"])
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "m.onnx")
	if _, err := m.write(path, 1000); err == nil || !strings.Contains(err.Error(), "ONNX holds at most 1000") {
		t.Errorf("%v: want an error that says so", err)
	}
}

// TestNames has a column that is called as an output is.
func TestNames(t *testing.T) {
	a := artifacts(t)["fm"]
	spec := *a.Spec
	spec.Fields, spec.Schema.Columns = slices.Clone(spec.Fields), slices.Clone(spec.Schema.Columns)
	for i := range spec.Fields {
		if f := &spec.Fields[i]; f.From[0] == "site" {
			f.From = []string{"probability"}
		}
	}
	for i := range spec.Schema.Columns {
		if c := &spec.Schema.Columns[i]; c.Name == "site" {
			c.Name = "probability"
		}
	}
	a.Spec = &spec
	m, err := build(a)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.ContainsFunc(m.graph.inputs, func(v *value) bool { return v.name == "probability" }) {
		t.Fatal("the column is no input")
	}
	if got := m.graph.outputs[0].name; got != "probability_2" {
		t.Errorf("output %s: want probability_2", got)
	}
}
