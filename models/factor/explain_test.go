package factor

import (
	"math"
	"testing"

	"ctr/models"
)

// TestContributions: with the baseline they are the row's log-odds, and a row
// that differs in one field from another has what the field's products say.
func TestContributions(t *testing.T) {
	for _, algo := range algos {
		for _, fields := range []int{1, 2, 7, 8} {
			tb := mixed(fields, 400, uint64(fields))
			m := train(t, algo, tb, models.Options{Factors: 5, Passes: 2})
			base, scale := m.Baseline()
			if scale != models.LogOdds || base != m.Bias() || m.Explains() != nil {
				t.Fatalf("%s: baseline %v in %s", algo, base, scale)
			}
			ex, moved := tb.Spec.NewExample(), 0.
			for i := range tb.Rows {
				tb.Example(i, ex)
				sum := base
				got := m.Contributions(ex, []float64{7})
				if len(got) != fields+1 || got[0] != 7 {
					t.Fatalf("%s: %d contributions behind one: want %d", algo, len(got), fields)
				}
				for _, v := range got[1:] {
					sum += v
					moved = max(moved, math.Abs(v))
				}
				if p := m.Probability(ex); math.Abs(sigmoid(sum)-p) > 1e-6 {
					t.Fatalf("%s, %d fields, row %d: they add up to %v, want %v", algo, fields, i, sigmoid(sum), p)
				}
			}
			if moved < .01 {
				t.Errorf("%s, %d fields: all contributions are below %v", algo, fields, moved)
			}
		}
	}
}
