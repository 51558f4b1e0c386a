package factor

import (
	"math"
	"slices"
	"testing"

	"ctr/models"
)

// TestTold scores rows by what Slots, Weights and Constants tell of a model.
func TestTold(t *testing.T) {
	const fields = 7
	for _, algo := range algos {
		tb := mixed(fields, 300, 9)
		m := train(t, algo, tb, models.Options{Factors: 3, SlotBits: 6})
		vectors, linear := m.Weights()
		weight, scale := m.Constants()
		k, told := m.Factors(), m.Slots()
		slot := func(f int, code uint32) int {
			s := told[f]
			if !s.Hashed {
				if int(code) >= s.Size {
					code = 0
				}
				return s.First + int(code)
			}
			at, ok := slices.BinarySearch(s.Codes, code&s.Mask)
			if !ok {
				return s.First
			}
			return s.First + 1 + at
		}
		vector := func(slot, towards int) []float32 {
			if algo == FieldAware {
				slot = slot*fields + towards
			}
			return vectors[slot*k:][:k]
		}
		for i, p := range m.Probabilities(tb, nil, 1) {
			x := 0.0
			for f := range fields {
				a := slot(f, tb.Codes[f].At(i))
				x += weight * float64(linear[a])
				for g := range f {
					u, v := vector(a, g), vector(slot(g, tb.Codes[g].At(i)), f)
					for d := range k {
						x += float64(u[d]) * float64(v[d])
					}
				}
			}
			if want := sigmoid(m.Bias() + scale*x); math.Abs(p-want) > 1e-6 {
				t.Fatalf("%s: row %d: %v: want %v", algo, i, p, want)
			}
		}
	}
}
