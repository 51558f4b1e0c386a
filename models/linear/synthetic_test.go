package linear

import (
	"math"
	"math/rand/v2"

	"ctr/features"
)

// impressions makes a table shaped like an ad log: 24 fields, from four codes
// to nearly as many as rows, with heavy heads and tails, fields that follow
// from others, and labels drawn from a logistic truth at about 17 % clicks.
func impressions(rows int, seed uint64) *features.Table {
	rng := rand.New(rand.NewPCG(seed, 1))
	sizes := []int{
		24, 7, 7, 2600, 3000, 25, 3000, 220, 28, max(4, rows/6), max(4, rows), 5200,
		5, 4, 2400, 8, 9, 430, 4, 68, 170, 60, 7, 10,
	}
	// power > 1 moves the codes' mass to the low ones.
	power := []float64{1, 6, 3, 5, 0, 0, 6, 0, 0, 0, 1.6, 3, 0, 6, 2, 0, 0, 0, 0, 0, 3, 0, 1, 1}
	parent := map[int]int{4: 3, 5: 3, 7: 6, 8: 6, 12: 11, 15: 14, 16: 14, 17: 14, 18: 14, 19: 17, 21: 17}
	t := table(sizes, rows)
	truth := make([][]float64, len(sizes))
	for f, n := range sizes {
		truth[f] = make([]float64, n)
		for c := range truth[f] {
			truth[f][c] = .35 * rng.NormFloat64()
		}
	}
	for i := range rows {
		x := -2.1
		for f, n := range sizes {
			c := int(float64(n) * math.Pow(rng.Float64(), max(1, power[f])))
			if p, ok := parent[f]; ok {
				c = int(t.Codes[p].At(i)) * 7919 % n
				if rng.IntN(50) == 0 {
					c = rng.IntN(n)
				}
			} else if f == 9 && rng.IntN(100) < 82 {
				c = 1
			}
			t.Codes[f].Set(i, uint32(c))
			x += truth[f][c]
		}
		if rng.Float64() < Sigmoid(x) {
			t.Y[i] = 1
		}
	}
	return t
}

// table makes an empty table of fields with so many codes each.
func table(sizes []int, rows int) *features.Table {
	spec := &features.Spec{Fields: make([]features.Field, len(sizes))}
	t := &features.Table{
		Spec: spec, Rows: rows, Codes: make([]features.Codes, len(sizes)),
		Values: make([][]float64, len(sizes)), Y: make([]uint8, rows),
	}
	for f, n := range sizes {
		spec.Fields[f] = features.Field{Type: features.Num, Bounds: make([]float64, n-2), Scale: 1}
		t.Codes[f] = features.MakeCodes(rows, n)
	}
	return t
}
