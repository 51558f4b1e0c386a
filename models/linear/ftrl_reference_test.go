package linear

import (
	"encoding/json"
	"math"
	"os"
	"testing"

	"ctr/features"
	"ctr/models"
)

// What Vowpal Wabbit's FTRL-Proximal gives each row before it learns from it,
// ours gives as well.
func TestFTRLIsVowpalWabbit(t *testing.T) {
	text, err := os.ReadFile("testdata/ftrl_reference.json") // scripts/crosscheck/ftrl_reference.py
	if err != nil {
		t.Fatal(err)
	}
	var ref struct {
		Sizes []int
		Codes [][]uint32
		Y     []int
		W     []float64
		Cases []struct {
			Alpha, Beta float64
			Weighted    bool
			P           []float64
		}
	}
	if err := json.Unmarshal(text, &ref); err != nil {
		t.Fatal(err)
	}
	tb := &features.Table{Spec: &features.Spec{}, Rows: len(ref.Y), Values: make([][]float64, len(ref.Sizes))}
	for f, size := range ref.Sizes {
		tb.Spec.Fields = append(tb.Spec.Fields, features.Field{Type: features.Num, Bounds: make([]float64, size)})
		c := features.MakeCodes(tb.Rows, size+2)
		for i, row := range ref.Codes {
			c.Set(i, row[f])
		}
		tb.Codes = append(tb.Codes, c)
	}
	for _, y := range ref.Y {
		tb.Y = append(tb.Y, uint8(y))
	}
	for _, c := range ref.Cases {
		if tb.W = nil; c.Weighted {
			tb.W = ref.W
		}
		l, err := NewFTRL(tb.Spec, models.Options{Alpha: &c.Alpha, Beta: &c.Beta, L2: pointer(0)})
		if err != nil {
			t.Fatal(err)
		}
		worst := 0.0
		for i, p := range learnAll(l, tb, 64) {
			worst = max(worst, math.Abs(float64(p)-c.P[i]))
		}
		if !(worst < 2e-6) {
			t.Errorf("alpha %v, beta %v, weighted %v: %.2g off, want 2e-6 at most", c.Alpha, c.Beta, c.Weighted, worst)
		}
	}
}
