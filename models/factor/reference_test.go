package factor

import (
	"encoding/json"
	"math"
	"os"
	"testing"

	"ctr/features"
	"ctr/models"
)

// referenceCase is what scripts/crosscheck/ffm_reference.py writes.
type referenceCase struct {
	Algo    string
	Sizes   []int
	Factors int
	Eta     float64
	Lambda  float64
	Linear  float32
	Codes   [][]uint32
	Y       []uint8 `json:"-"`
	Labels  []int   `json:"y"`
	Initial []float32
	Losses  []float64
	Vectors []float64
	Weights []float64
}

// table lays the rows out; the fields are bins, which all have slots.
func (c *referenceCase) table() *features.Table {
	var fields []features.Field
	for _, n := range c.Sizes {
		fields = append(fields, features.Field{Type: features.Num, Bounds: make([]float64, n-2)})
	}
	tb := tableOfCodes(fields, 0, len(c.Codes), func(f, i, _ int) uint32 { return c.Codes[i][f] })
	for i, y := range c.Labels {
		tb.Y[i] = uint8(y)
	}
	return tb
}

// begin starts a fit with the case's initial weights and linear weight.
func (c *referenceCase) begin(t *testing.T) *fitted {
	f := setUp(t, c.Algo, c.table(), models.Options{Factors: c.Factors, LearnRate: &c.Eta, L2: &c.Lambda},
		func(s *settings) { s.batch, s.threads = 1, 1 })
	f.bias = 0
	switch form := f.form.(type) {
	case *shape:
		form.linear = c.Linear
	case *plain:
		form.constant[c.Factors] = c.Linear
	}
	f.m = f.form.machine(f.all, step{lambda: float32(c.Lambda), eta: float32(c.Eta), high: maxWeight, low: -maxWeight})
	f.each(func(slot, vector, factor int, w *float32) {
		if factor >= 0 {
			*w = c.Initial[(slot*f.form.vectors()+vector)*c.Factors+factor]
		}
	})
	return f
}

// each calls do for every weight in training.
func (f *fitted) each(do func(slot, vector, factor int, w *float32)) {
	for field, t := range f.data.tables {
		for slot := t.first; slot < t.first+int(t.size); slot++ {
			for i := range f.form.lines() * lanes {
				if v, k, ok := f.form.at(field, i/lanes, i%lanes); ok {
					do(slot, v, k, &f.all[(slot*f.form.lines()+i/lanes)*trainLine+i%lanes])
				}
			}
		}
	}
}

// TestReference: with batches of one row the weights are libffm's.
func TestReference(t *testing.T) {
	b, err := os.ReadFile("testdata/reference.json")
	if err != nil {
		t.Fatal(err)
	}
	var ref struct{ Cases []referenceCase }
	if err := json.Unmarshal(b, &ref); err != nil {
		t.Fatal(err)
	}
	for n, c := range ref.Cases {
		f := c.begin(t)
		for pass, want := range c.Losses {
			if got := f.pass(pass, len(c.Losses), ""); math.Abs(got-want) > 1e-6 {
				t.Errorf("case %d, pass %d: log loss %v: want %v", n, pass+1, got, want)
			}
		}
		off, moved := 0.0, 0.0
		f.each(func(slot, vector, factor int, w *float32) {
			if factor < 0 {
				off = max(off, math.Abs(float64(*w)-c.Weights[slot]))
				return
			}
			at := (slot*f.form.vectors()+vector)*c.Factors + factor
			if c.Algo == FieldAware && slot >= f.data.tables[vector].first && slot < f.data.tables[vector].first+int(f.data.tables[vector].size) {
				return // towards its own field: no weight of the model
			}
			off = max(off, math.Abs(float64(*w)-c.Vectors[at]))
			moved = max(moved, math.Abs(float64(*w-c.Initial[at])))
		})
		if off > 2e-6 || moved < .1 {
			t.Errorf("case %d: weights off by %v: want at most 2e-6; moved by %v: want .1 or more", n, off, moved)
		}
	}
	if len(ref.Cases) != 6 {
		t.Errorf("%d cases: want 6", len(ref.Cases))
	}
}
