package metrics

import (
	"math"
	"testing"

	"pgregory.net/rapid"
)

func TestPickThreshold(t *testing.T) {
	f := func(y []uint8, p []float64, c Costs, want float64) {
		t.Helper()
		got, err := PickThreshold(y, p, nil, c)
		if err != nil || got != want {
			t.Errorf("%v %v %v: %v, %v: want %v", y, p, c, got, err, want)
		}
	}
	y, p := []uint8{0, 0, 1, 1}, []float64{0.125, 0.25, 0.5, 0.75}
	f(y, p, Costs{}, 0.375)
	f(y, p, Costs{FP: 1, FN: 1}, 0.375)
	f(y, p, Costs{FP: 1}, 0.875) // predicting nothing costs nothing
	f(y, p, Costs{FN: 1}, 0.375) // all clicks found; the greatest such threshold
	f([]uint8{1, 1}, []float64{0.5, 0.25}, Costs{}, 0.125)
	f([]uint8{0, 0}, []float64{0.5, 0.25}, Costs{}, 0.75)
	f([]uint8{0, 0}, []float64{1, 0.25}, Costs{}, 1)
	f([]uint8{1}, []float64{0}, Costs{}, 0.5) // 0 is never a click: no threshold finds it
	next := math.Nextafter(0.5, 1)
	f([]uint8{0, 1}, []float64{0.5, next}, Costs{}, 0.5) // neighbours in float64
	f([]uint8{1}, []float64{math.SmallestNonzeroFloat64}, Costs{}, 0)
}

func TestPickThresholdErrors(t *testing.T) {
	f := func(y []uint8, p, w []float64, c Costs, want string) {
		t.Helper()
		_, err := PickThreshold(y, p, w, c)
		if err == nil || err.Error() != want {
			t.Errorf("error %v: want %s", err, want)
		}
	}
	one := []float64{1}
	f(nil, nil, nil, Costs{}, "no rows: want at least 1")
	f([]uint8{1}, one, []float64{0}, Costs{}, "weights sum to 0: want more than 0, finite")
	f([]uint8{1}, one, nil, Costs{FP: -1}, "cost of a false positive -1: want 0 or more, finite")
	f([]uint8{1}, one, nil, Costs{FN: math.Inf(1)}, "cost of a false negative +Inf: want 0 or more, finite")
}

// TestPickThresholdIsBest tries every threshold that gives other predictions
// and finds none that is better, nor a greater one that is as good.
func TestPickThresholdIsBest(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := draw(t)
		var costs Costs
		if rapid.Bool().Draw(t, "costs") {
			costs = Costs{FP: rapid.Float64Range(0, 4).Draw(t, "fp"), FN: rapid.Float64Range(0, 4).Draw(t, "fn")}
		}
		score := func(threshold float64) float64 {
			m, err := Evaluate(c.y, c.p, c.w, threshold)
			if err != nil {
				t.Fatal(err)
			}
			if costs == (Costs{}) {
				return m.F1
			}
			return -(costs.FP*m.Confusion.FP + costs.FN*m.Confusion.FN)
		}
		picked, err := PickThreshold(c.y, c.p, c.w, costs)
		if err != nil {
			t.Fatal(err)
		}
		if !(picked >= 0 && picked <= 1) {
			t.Fatalf("threshold %v: want 0..1", picked)
		}
		best := score(picked)
		const e = 1e-9
		for _, v := range append([]float64{0, 1}, c.p...) {
			if s := score(v); s > best+e {
				t.Fatalf("threshold %v scores %v, %v scores %v", picked, best, v, s)
			} else if c.w == nil && costs == (Costs{}) && v > picked && s == best && !samePredictions(c.p, v, picked) {
				t.Fatalf("threshold %v is as good as %v and greater", v, picked)
			}
		}
	})
}

func samePredictions(p []float64, a, b float64) bool {
	for _, v := range p {
		if (v > a) != (v > b) {
			return false
		}
	}
	return true
}
