package linear

import (
	"bytes"
	"math"
	"strings"
	"testing"

	"ctr/features"
	"ctr/models"
)

// reread writes f and reads it back.
func reread(t *testing.T, f *models.File) *models.File {
	t.Helper()
	var b bytes.Buffer
	if _, err := f.WriteTo(&b); err != nil {
		t.Fatal(err)
	}
	got, err := models.ReadFile(bytes.NewReader(b.Bytes()), int64(b.Len()))
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func TestSaveLoad(t *testing.T) {
	tb, m := mixed(t, models.Options{L2: pointer(1)})
	f := models.NewFile()
	if err := m.Save(f); err != nil {
		t.Fatal(err)
	}
	loaded, err := Load(reread(t, f), tb.Spec)
	if err != nil {
		t.Fatal(err)
	}
	if got := loaded.(*Model).Report(); got != m.Report() {
		t.Errorf("report %v: want %v", got, m.Report())
	}
	ex := example(tb)
	for i := range tb.Rows {
		tb.Example(i, ex)
		if got, want := loaded.Probability(ex), m.Probability(ex); got != want {
			t.Fatalf("row %d: %v: want %v", i, got, want)
		}
	}
}

// TestFormula recomputes probabilities from the file alone, as the comment of
// Save says.
func TestFormula(t *testing.T) {
	tb, m := mixed(t, models.Options{})
	f := models.NewFile()
	if err := m.Save(f); err != nil {
		t.Fatal(err)
	}
	f = reread(t, f)
	var s stored
	if err := f.Settings(&s); err != nil {
		t.Fatal(err)
	}
	w, _, _ := f.F64("lr/weights")
	bias, _, _ := f.F64("lr/bias")
	for i, p := range m.Probabilities(tb, nil, 1) {
		x := bias[0]
		for f, fd := range tb.Spec.Fields {
			at := s.Offsets[f]
			switch {
			case !fd.Values:
				x += w[at+int(tb.Codes[f].At(i))]
			case math.IsNaN(tb.Values[f][i]):
				x += w[at]
			default:
				x += w[at+1] * ((tb.Values[f][i] - fd.Mean) / fd.Scale)
			}
		}
		if want := 1 / (1 + math.Exp(-x)); math.Abs(p-want) > 1e-15 {
			t.Fatalf("row %d: %v: want %v", i, p, want)
		}
	}
}

func TestLoadErrors(t *testing.T) {
	spec := &features.Spec{Fields: []features.Field{{Type: features.Num, Bounds: []float64{1}}}}
	f := func(change func(f *models.File), want string) {
		t.Helper()
		file := models.NewFile()
		if err := newModel(spec, []float64{1, 2, 3}, 4, Report{}).Save(file); err != nil {
			t.Fatal(err)
		}
		change(file)
		m, err := Load(file, spec)
		if m != nil || err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, %v: want %s", m, err, want)
		}
	}
	put := func(name string, v ...float64) func(f *models.File) {
		return func(f *models.File) {
			if err := f.PutF64(name, nil, v); err != nil {
				t.Fatal(err)
			}
		}
	}
	f(put("lr/weights", 1, 2), "tensor lr/weights: 2 values: want 3")
	f(put("lr/weights", 1, math.NaN(), 2), "tensor lr/weights: want finite numbers")
	f(put("lr/bias", 1, 2), "tensor lr/bias: 2 values: want 1")
	f(put("lr/bias", math.Inf(-1)), "tensor lr/bias: -Inf: want a finite number")
	f(func(f *models.File) { _ = f.PutSettings(stored{Offsets: []int{1}}) }, "settings: offsets: want those of the spec's fields")
	f(func(f *models.File) { _ = f.SetMeta("settings", "{") }, "settings: ")
	if _, err := Load(models.NewFile(), spec); err == nil {
		t.Error("an empty file: want an error")
	}
}
