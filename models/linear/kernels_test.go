package linear

import (
	"math"
	"testing"
)

// A live row may hold any float64: a probability comes of it all the same.
func TestHugeNumbersHaveAProbability(t *testing.T) {
	for _, v := range []float64{1e308, -1e308, math.MaxFloat64} {
		for _, w := range []float64{0, 3, -1e90} {
			sum := numeric(v, 0, 1e-300, 0, w) + numeric(-v, 1e308, 1e-3, 0, w) + 0.5
			if p := Sigmoid(sum); !(p >= 0 && p <= 1) {
				t.Errorf("values %v and %v, weight %v: probability %v", v, -v, w, p)
			}
		}
	}
}
