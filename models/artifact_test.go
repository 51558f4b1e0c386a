package models

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"ctr/features"
	"ctr/models/metrics"
)

// toy is an algorithm for the tests of the model file: a weight a code.
type toy struct {
	offsets []int
	w       []float64
	bias    float64
}

type toySettings struct{ Bias float64 }

func init() {
	Register(Algorithm{
		Name: "toy", Title: "toy", Load: loadToy,
		Train: func(context.Context, *features.Table, Options, Progress) (Model, error) {
			return nil, errors.New("not in this test")
		},
	})
}

func (m *toy) Algo() string { return "toy" }

func (m *toy) Probability(ex *features.Example) float64 {
	z := m.bias
	for f, c := range ex.Codes {
		z += m.w[m.offsets[f]+int(c)]
	}
	return 1 / (1 + math.Exp(-z))
}

func (m *toy) Save(f *File) error {
	f.PutF64("w", nil, m.w)
	return f.PutSettings(toySettings{m.bias})
}

func loadToy(f *File, spec *features.Spec) (Model, error) {
	offsets, total := spec.Offsets()
	w, err := f.F64Vec("w", total)
	if err != nil {
		return nil, err
	}
	var s toySettings
	if err := f.Settings(&s); err != nil {
		return nil, err
	}
	return &toy{offsets, w, s.Bias}, nil
}

func dictionary(t testing.TB, values ...string) *features.Dictionary {
	t.Helper()
	var b []byte
	offsets := []uint64{0}
	for _, v := range values {
		b = append(b, v...)
		offsets = append(offsets, uint64(len(b)))
	}
	d, err := features.NewDictionary(b, offsets)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// sample gives an artifact with a field of every type.
func sample(t testing.TB) *Artifact {
	t.Helper()
	limit := 2.5
	spec := &features.Spec{
		Schema: features.Schema{Name: "toy", Comma: ',', Columns: []features.Column{
			{Name: "click", Kind: features.Label}, {Name: "site"}, {Name: "n", Kind: features.Number},
		}},
		Fields: []features.Field{
			{Name: "site", From: []string{"site"}, Type: features.Dict, Dict: dictionary(t, "a", "longer than eight bytes", "")},
			{Name: "site_n", From: []string{"site", "n"}, Type: features.Hash, Seed: 7},
			{Name: "n", From: []string{"n"}, Type: features.Num, Bounds: []float64{1, 2}, Scale: 1, Cap: &limit},
		},
		Bits: 2,
	}
	offsets, total := spec.Offsets()
	m := &toy{offsets: offsets, w: make([]float64, total), bias: -1.6}
	for i := range m.w {
		m.w[i] = 0.1 * float64(i)
	}
	train, err := metrics.Evaluate([]uint8{0, 1, 1}, []float64{0.1, 0.2, 0.3}, nil, 0.22)
	if err != nil {
		t.Fatal(err)
	}
	l2 := 0.0
	return &Artifact{
		Model: m, Spec: spec, Threshold: 0.22, Train: &train, Version: "1.2.3",
		Options: Options{Seed: math.MaxUint64, Threads: 4, L2: &l2, Depth: 14},
		Data:    json.RawMessage(` {"files": ["a.csv"], "rows": 3} `),
	}
}

func encoded(t testing.TB, a *Artifact) []byte {
	t.Helper()
	b, err := a.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestArtifactRoundTrip(t *testing.T) {
	a := sample(t)
	path := filepath.Join(t.TempDir(), "model.ctr")
	if err := a.Write(path); err != nil {
		t.Fatal(err)
	}
	b, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	if len(a.Hash) != hashDigits || b.Hash != a.Hash || b.Version != "1.2.3" || b.Threshold != 0.22 || b.Test != nil {
		t.Errorf("%+v: want %+v", b, a)
	}
	if *b.Train != *a.Train || string(b.Data) != `{"files":["a.csv"],"rows":3}` {
		t.Errorf("%+v %s", b.Train, b.Data)
	}
	want := a.Options
	want.Threads = 0
	if !reflect.DeepEqual(b.Options, want) {
		t.Errorf("options %+v: want %+v", b.Options, want)
	}
	if !reflect.DeepEqual(b.Spec, a.Spec) {
		t.Errorf("spec %+v: want %+v", b.Spec, a.Spec)
	}
	ex := a.Spec.NewExample()
	for code := range uint32(4) {
		ex.Codes[0], ex.Codes[1], ex.Codes[2] = code, 3-code, code
		if p, q := a.Model.Probability(ex), b.Model.Probability(ex); p != q {
			t.Errorf("code %d: probability %v: want %v", code, q, p)
		}
	}
	first := encoded(t, a)
	a.Options.Threads = 1
	if again := encoded(t, b); !bytes.Equal(first, again) || !bytes.Equal(first, encoded(t, a)) {
		t.Error("written again: other bytes")
	}
}

// TestArtifactUndefined has a figure that is NaN: null in the file.
func TestArtifactUndefined(t *testing.T) {
	a := sample(t)
	m, err := metrics.Evaluate([]uint8{0}, []float64{0.1}, nil, 0.5)
	if err != nil {
		t.Fatal(err)
	}
	a.Train, a.Test, a.Data = nil, &m, nil
	b, err := Decode(encoded(t, a), "model.ctr")
	if err != nil {
		t.Fatal(err)
	}
	if b.Train != nil || b.Data != nil || !math.IsNaN(b.Test.AUC) || b.Test.LogLoss != m.LogLoss {
		t.Errorf("%+v", b.Test)
	}
}

func TestOptionsJSON(t *testing.T) {
	got, err := optionsJSON(sample(t).Options)
	if want := `{"Depth":14,"L2":0,"Seed":18446744073709551615}`; err != nil || got != want {
		t.Errorf("%s, %v: want %s", got, err, want)
	}
}

func TestEncodeErrors(t *testing.T) {
	f := func(change func(a *Artifact), want string) {
		t.Helper()
		a := sample(t)
		change(a)
		if _, err := a.Encode(); err == nil || err.Error() != want {
			t.Errorf("error %v: want %s", err, want)
		}
		path := filepath.Join(t.TempDir(), "m")
		if err := a.Write(path); err == nil || err.Error() != path+": "+want {
			t.Errorf("Write: error %v: want %s", err, want)
		}
	}
	f(func(a *Artifact) { a.Model = nil }, "artifact without a model or a spec: want both")
	f(func(a *Artifact) { a.Threshold = math.NaN() }, "threshold NaN: want 0..1")
	f(func(a *Artifact) { a.Spec.Fields = nil }, "spec: no fields")
	f(func(a *Artifact) { a.Data = json.RawMessage("{") }, "data: unexpected end of JSON input")
	f(func(a *Artifact) { a.Version = "\xff" }, `metadata "ctr_version": want UTF-8`)
	f(func(a *Artifact) { inf := math.Inf(1); a.Options.L1 = &inf }, "options: json: unsupported value: +Inf")
}

// TestDecodeErrors changes one thing of a good file, with a sum to match: what
// a file made by mistake or ill will may hold.
func TestDecodeErrors(t *testing.T) {
	f := func(change func(f *File), want, hint string) {
		t.Helper()
		file, err := sample(t).file()
		if err != nil {
			t.Fatal(err)
		}
		change(file)
		b, err := file.Bytes()
		if err != nil {
			t.Fatal(err)
		}
		_, err = Decode(b, "model.ctr")
		if err == nil || err.Error() != "model.ctr: "+want {
			t.Errorf("error %v\nwant model.ctr: %s", err, want)
		}
		if h := hintOf(err); h != hint {
			t.Errorf("hint %q: want %q", h, hint)
		}
	}
	meta := func(key, value string) func(f *File) { return func(f *File) { f.SetMeta(key, value) } }
	f(meta("algo", "gbdt"), `algorithm "gbdt": want one of toy`, "the model may have been written by a newer ctr")
	f(meta("threshold", "x"), `threshold "x": want 0..1`, "")
	f(meta("threshold", "NaN"), `threshold "NaN": want 0..1`, "")
	f(meta("options", ""), "options: unexpected end of JSON input", "")
	f(meta("metrics", "[]"), "metrics: json: cannot unmarshal array into Go value of type models.judged", "")
	f(meta("data", "{"), "data: want JSON", "")
	f(meta("spec", `{"fields":[],"colour":1}`), `spec: json: unknown field "colour"`, "")
	f(meta("spec", `{"fields":[]}`), "spec: no fields", "")
	f(meta("settings", `{"Bias":0,"Slope":1}`), `algorithm toy: settings: json: unknown field "Slope"`, "")
	f(func(f *File) { f.PutF64("w", nil, []float64{1}) }, "algorithm toy: tensor w: 1 values: want 12", "")
	f(func(f *File) { delete(f.tensors, "dict/0/bytes") }, `field "site": tensor dict/0/bytes: none in the file`, "")
	f(func(f *File) { delete(f.tensors, "dict/0/offsets") }, `field "site": tensor dict/0/offsets: none in the file`, "")
	f(func(f *File) { f.PutU32("dict/0/offsets", nil, []uint32{0, 1, 99}) }, `field "site": dictionary: offsets: want 0 … 24`, "")
	f(func(f *File) { f.PutU64("dict/0/offsets", []int{1, 2}, []uint64{0, 24}) },
		`field "site": tensor dict/0/offsets: shape [1 2]: want one dimension`, "")
}

// TestLongDictionary: offsets that do not fit uint32 are uint64 in the file.
func TestLongDictionary(t *testing.T) {
	file, err := sample(t).file()
	if err != nil {
		t.Fatal(err)
	}
	short, err := file.U32Vec("dict/0/offsets", 4)
	if err != nil {
		t.Fatal(err)
	}
	long := make([]uint64, len(short))
	for i, o := range short {
		long[i] = uint64(o)
	}
	file.PutU64("dict/0/offsets", nil, long)
	spec, err := getSpec(file)
	if err != nil || !reflect.DeepEqual(spec, sample(t).Spec) {
		t.Errorf("%+v, %v", spec, err)
	}
}

func hintOf(err error) string {
	var h interface{ Hint() string }
	if errors.As(err, &h) {
		return h.Hint()
	}
	return ""
}

func TestOpenErrors(t *testing.T) {
	dir := t.TempDir()
	f := func(name, content, want, hint string) {
		t.Helper()
		path := filepath.Join(dir, name)
		if content != "" {
			if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		_, err := Open(path)
		if err == nil || err.Error() != path+want {
			t.Errorf("error %v: want %s", err, path+want)
		}
		if h := hintOf(err); !strings.Contains(h, hint) || hint == "" && h != "" {
			t.Errorf("%s: hint %q: want %q", name, h, hint)
		}
	}
	good := string(encoded(t, sample(t)))
	f("absent.ctr", "", ": no such file", "ctr train --out ")
	f("", "", ": a folder: want a model file", "")
	f("data.csv", "id,click,hour\n", `: not a ctr model: this is text, "id,click,hour\n"`, "a model is what `ctr train` writes")
	f("newer.ctr", strings.Replace(good, `"version":"1"`, `"version":"7"`, 1), ": version 7: want 1", "newer ctr")
	f("cut.ctr", good[:len(good)-1], fmt.Sprintf(": cut short: %s bytes: want %s", commas(uint64(len(good)-1)), commas(uint64(len(good)))), "")
}

// TestPythonOpens reads a model in Python, with the safetensors package. It
// needs CTR_PYTHON, a Python that has safetensors and NumPy.
func TestPythonOpens(t *testing.T) {
	python := os.Getenv("CTR_PYTHON")
	if python == "" {
		t.Skip("CTR_PYTHON is not set: want a python that has safetensors and numpy")
	}
	a := sample(t)
	path := filepath.Join(t.TempDir(), "model.ctr")
	if err := a.Write(path); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(python, "../scripts/crosscheck/modelfile.py", path)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		Metadata map[string]string
		Sum      string `json:"sha256"`
		Tensors  map[string]struct {
			Dtype  string
			Shape  []int
			Values []float64
		}
	}
	if err := json.Unmarshal(out, &got); err != nil {
		t.Fatal(err)
	}
	if got.Sum != got.Metadata["sha256"] || len(got.Sum) != 64 {
		t.Errorf("sum in Python %s: want %s", got.Sum, got.Metadata["sha256"])
	}
	if got.Metadata["format"] != "ctr-model" || got.Metadata["version"] != "1" || got.Metadata["algo"] != "toy" {
		t.Errorf("metadata %v", got.Metadata)
	}
	var spec features.Spec
	if err := json.Unmarshal([]byte(got.Metadata["spec"]), &spec); err != nil || spec.Fields[1].Seed != 7 {
		t.Errorf("spec %s: %v", got.Metadata["spec"], err)
	}
	if w := got.Tensors["w"]; w.Dtype != "float64" || !reflect.DeepEqual(w.Values, a.Model.(*toy).w) {
		t.Errorf("w %v: want %v", w, a.Model.(*toy).w)
	}
	if o := got.Tensors["dict/0/offsets"]; o.Dtype != "uint32" || !reflect.DeepEqual(o.Values, []float64{0, 1, 24, 24}) {
		t.Errorf("offsets %v", o)
	}
	if b := got.Tensors["dict/0/bytes"]; b.Dtype != "uint8" || len(b.Values) != 24 {
		t.Errorf("bytes %v", b)
	}
}

// FuzzArtifact gives the decoder whole files, with good sums, of hostile
// content: it does not panic, and what it takes it writes again alike.
func FuzzArtifact(f *testing.F) {
	file, err := sample(f).file()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(file.Meta("spec"), file.Meta("options"), file.Meta("settings"), file.Meta("metrics"), "0.22", "aabb", "\x00\x02\x04", 12)
	f.Add("{}", "{}", "{}", "{}", "1", "", "", 0)
	f.Fuzz(func(t *testing.T, spec, options, settings, figures, threshold, values, offsets string, weights int) {
		file := NewFile()
		file.SetMeta(metaAlgo, "toy")
		file.SetMeta(metaSpec, spec)
		file.SetMeta(metaOptions, options)
		file.SetMeta(metaSettings, settings)
		file.SetMeta(metaMetrics, figures)
		file.SetMeta(metaThreshold, threshold)
		file.PutF64("w", nil, make([]float64, weights&0xffff))
		file.PutU8("dict/0/bytes", nil, []byte(values))
		o := make([]uint32, len(offsets))
		for i := range o {
			o[i] = uint32(offsets[i])
		}
		file.PutU32("dict/0/offsets", nil, o)
		b, err := file.Bytes()
		if err != nil {
			return
		}
		a, err := Decode(b, "fuzz")
		if err != nil {
			return
		}
		first, err := a.Encode()
		if err != nil {
			t.Fatal(err)
		}
		again, err := Decode(first, "fuzz")
		if err != nil {
			t.Fatal(err)
		}
		if second := encoded(t, again); !bytes.Equal(first, second) {
			t.Fatalf("%q: want %q", second, first)
		}
	})
}
