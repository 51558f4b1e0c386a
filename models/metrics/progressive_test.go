package metrics

import (
	"math"
	"math/rand/v2"
	"testing"
)

// A Progressive gives what Evaluate gives of the same rows, within the width
// of its ranges.
func TestProgressiveIsEvaluate(t *testing.T) {
	f := func(seed uint64, n int, scale float64, weighted bool) {
		t.Helper()
		rng := rand.New(rand.NewPCG(seed, 7))
		y, p, w := make([]uint8, n), make([]float32, n), []float32(nil)
		p64, w64 := make([]float64, n), []float64(nil)
		var parts [2]Progressive
		for i := range y {
			m := scale*rng.NormFloat64() - 1.5
			p[i] = float32(1 / (1 + math.Exp(-m)))
			p64[i] = float64(p[i])
			if rng.Float64() < 1/(1+math.Exp(-m-0.3*rng.NormFloat64())) {
				y[i] = 1
			}
			if weighted {
				w = append(w, float32(rng.IntN(5)+1)/2)
				w64 = append(w64, float64(w[i]))
			}
		}
		half := n / 3
		cut := func(lo, hi int) []float32 {
			if w == nil {
				return nil
			}
			return w[lo:hi]
		}
		parts[0].Add(y[:half], p[:half], cut(0, half))
		parts[1].Add(y[half:], p[half:], cut(half, n))
		parts[0].Merge(&parts[1])
		threshold, err := PickThreshold(y, p64, w64, Costs{})
		if err != nil {
			t.Fatal(err)
		}
		want, err := Evaluate(y, p64, w64, threshold)
		if err != nil {
			t.Fatal(err)
		}
		near, err := parts[0].PickThreshold(Costs{})
		if err != nil {
			t.Fatal(err)
		}
		got, err := parts[0].Metrics(near)
		if err != nil {
			t.Fatal(err)
		}
		close := func(what string, a, b, tol float64) {
			t.Helper()
			if !(math.Abs(a-b) <= tol) {
				t.Errorf("seed %d: %s %v, want %v", seed, what, a, b)
			}
		}
		if got.Rows != want.Rows || got.Clicks != want.Clicks {
			t.Errorf("rows %d, clicks %d, want %d, %d", got.Rows, got.Clicks, want.Rows, want.Clicks)
		}
		close("log loss", got.LogLoss, want.LogLoss, 1e-12*float64(n))
		close("normalised entropy", got.NormalizedEntropy, want.NormalizedEntropy, 1e-9)
		close("AUC", got.AUC, want.AUC, 5e-4)
		close("F1", got.F1, want.F1, 5e-3)
		close("Brier", got.Brier, want.Brier, 1e-4)
		close("calibration", got.CalibrationRatio, want.CalibrationRatio, 1e-9)
	}
	for seed := range uint64(6) {
		f(seed, 4000, 1, seed%2 == 0)
	}
	f(9, 4000, 8, false) // far out in both tails
	f(10, 3, 1, false)
}

// Ranges rise with the probability and cover all of them.
func TestBucketOf(t *testing.T) {
	last := 0
	for _, p := range []float32{0, 1e-30, 1e-8, 1e-7, 1e-3, 0.1, 0.2, 0.4999, 0.5, 0.51, 0.9, 0.999, 0.9999999, 1} {
		b := bucketOf(p)
		if b < last || b >= 2*side {
			t.Errorf("bucketOf(%v) = %d after %d: want rising, below %d", p, b, last, 2*side)
		}
		last = b
	}
}
