package metrics

import (
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// draw gives between 1 and 60 rows, with ties and both ends among the
// probabilities, sometimes with weights.
func draw(t *rapid.T) rows {
	probability := rapid.OneOf(
		rapid.Float64Range(0, 1),
		rapid.Map(rapid.IntRange(0, 8), func(i int) float64 { return float64(i) / 8 }),
	)
	n := rapid.IntRange(1, 60).Draw(t, "n")
	c := rows{
		y:         rapid.SliceOfN(rapid.Uint8Range(0, 1), n, n).Draw(t, "y"),
		p:         rapid.SliceOfN(probability, n, n).Draw(t, "p"),
		threshold: probability.Draw(t, "threshold"),
	}
	if rapid.Bool().Draw(t, "weighted") {
		c.w = rapid.SliceOfN(rapid.Float64Range(0.125, 8), n, n).Draw(t, "w")
	}
	return c
}

func (c *rows) evaluate(t *rapid.T) Metrics {
	m, err := Evaluate(c.y, c.p, c.w, c.threshold)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func (c *rows) weight(i int) float64 {
	if c.w == nil {
		return 1
	}
	return c.w[i]
}

func close12(a, b float64) bool {
	return math.Abs(a-b) <= 1e-12*max(1, math.Abs(a)) || math.IsNaN(a) && math.IsNaN(b)
}

// TestAUCIsPairs holds AUC against the definition: all pairs, one by one.
func TestAUCIsPairs(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := draw(t)
		won, pairs := 0.0, 0.0
		for i := range c.y {
			for j := range c.y {
				if c.y[i] == 1 && c.y[j] == 0 {
					w := c.weight(i) * c.weight(j)
					pairs += w
					switch {
					case c.p[i] > c.p[j]:
						won += w
					case c.p[i] == c.p[j]:
						won += w / 2
					}
				}
			}
		}
		if m := c.evaluate(t); !close12(m.AUC, won/pairs) {
			t.Fatalf("AUC %v: want %v", m.AUC, won/pairs)
		}
	})
}

// TestAUCOfMirror: 1-p turns the ranking round, and so does a change of all
// labels. Eighths are mirrored without rounding.
func TestAUCOfMirror(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := draw(t)
		for i := range c.p {
			c.p[i] = math.Round(8*c.p[i]) / 8
		}
		m := c.evaluate(t)
		back := rows{y: c.y, p: slices.Clone(c.p), w: c.w, threshold: c.threshold}
		for i := range back.p {
			back.p[i] = 1 - back.p[i]
		}
		if n := back.evaluate(t); !close12(n.AUC, 1-m.AUC) {
			t.Fatalf("AUC %v of 1-p: want %v", n.AUC, 1-m.AUC)
		}
		back.y = slices.Clone(c.y)
		for i := range back.y {
			back.y[i] = 1 - back.y[i]
		}
		n := back.evaluate(t)
		if !close12(n.AUC, m.AUC) || !close12(n.LogLoss, m.LogLoss) || !close12(n.Brier, m.Brier) {
			t.Fatalf("1-y and 1-p: %+v: want %+v", n, m)
		}
	})
}

// TestMonotone: what depends on the ranking only does not change when
// probabilities keep their order.
func TestMonotone(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := draw(t)
		a := c.evaluate(t)
		for i := range c.p {
			c.p[i] = float64(float32(c.p[i])) / 2 // exact, so that no order is lost
		}
		b := c.evaluate(t)
		for i := range c.p {
			c.p[i] = c.p[i]*c.p[i] + c.p[i]
		}
		d := c.evaluate(t)
		if !close12(b.AUC, d.AUC) || !close12(b.PRAUC, d.PRAUC) {
			t.Fatalf("AUC %v, PRAUC %v: want %v, %v (first %v)", d.AUC, d.PRAUC, b.AUC, b.PRAUC, a.AUC)
		}
	})
}

// TestOrderOfRows: no figure depends on it, but for the last digits.
func TestOrderOfRows(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := draw(t)
		m := c.evaluate(t)
		index := make([]int, len(c.y))
		for i := range index {
			index[i] = i
		}
		index = rapid.Permutation(index).Draw(t, "order")
		o := rows{threshold: c.threshold}
		for _, i := range index {
			o.y, o.p = append(o.y, c.y[i]), append(o.p, c.p[i])
			if c.w != nil {
				o.w = append(o.w, c.w[i])
			}
		}
		n := o.evaluate(t)
		sameMetrics(t, m, n)
		a, err := PickThreshold(c.y, c.p, nil, Costs{})
		b, err2 := PickThreshold(o.y, o.p, nil, Costs{})
		if a != b || err != nil || err2 != nil {
			t.Fatalf("threshold %v, %v: want %v", b, err2, a)
		}
	})
}

func sameMetrics(t *rapid.T, a, b Metrics) {
	t.Helper()
	for _, v := range [][2]float64{
		{a.Accuracy, b.Accuracy},
		{a.Precision, b.Precision},
		{a.Recall, b.Recall},
		{a.F1, b.F1},
		{a.AUC, b.AUC},
		{a.PRAUC, b.PRAUC},
		{a.LogLoss, b.LogLoss},
		{a.NormalizedEntropy, b.NormalizedEntropy},
		{a.Brier, b.Brier},
		{a.CalibrationRatio, b.CalibrationRatio},
	} {
		if !close12(v[0], v[1]) {
			t.Fatalf("%+v: want %+v", b, a)
		}
	}
}

// TestBounds: F1 lies between precision and recall, shares in [0, 1], and no
// constant has a smaller log loss than the click rate itself.
func TestBounds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := draw(t)
		m := c.evaluate(t)
		const e = 1e-12
		if m.F1 < min(m.Precision, m.Recall)-e || m.F1 > max(m.Precision, m.Recall)+e {
			t.Fatalf("F1 %v of precision %v, recall %v", m.F1, m.Precision, m.Recall)
		}
		for _, v := range []float64{m.Accuracy, m.Precision, m.Recall, m.F1, m.Brier, m.ECE, m.Majority.Accuracy} {
			if !(v >= 0 && v <= 1+e) {
				t.Fatalf("%+v: %v: want 0..1", m, v)
			}
		}
		for i := range c.p {
			c.p[i] = c.threshold
		}
		if k := c.evaluate(t); k.LogLoss < k.Majority.LogLoss-e || !(math.IsNaN(k.AUC) || close12(k.AUC, 0.5)) {
			t.Fatalf("constant %v: %+v", c.threshold, k)
		}
	})
}

// TestWeightsRepeat: a row of weight 3 is three rows.
func TestWeightsRepeat(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := draw(t)
		c.w = nil
		o := c
		o.y, o.p = nil, nil
		for i := range c.y {
			k := rapid.IntRange(0, 3).Draw(t, "times")
			if i == 0 {
				k = 1
			}
			c.w = append(c.w, float64(k))
			for range k {
				o.y, o.p = append(o.y, c.y[i]), append(o.p, c.p[i])
			}
		}
		m, n := c.evaluate(t), o.evaluate(t)
		sameMetrics(t, m, n)
		if !close12(m.ECE, n.ECE) || m.Confusion != n.Confusion || m.Majority != n.Majority {
			t.Fatalf("%+v: want %+v", m, n)
		}
	})
}

// TestSort holds the radix sort against the library's.
func TestSort(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		keys := rapid.SliceOf(rapid.Uint64Range(0, 1<<63-1)).Draw(t, "keys")
		r := ranked{keys: slices.Clone(keys), w: make([]float64, len(keys))}
		for i, k := range keys {
			r.w[i] = float64(k)
		}
		r.sort()
		slices.Sort(keys)
		for i, k := range keys {
			if r.keys[i] != k || r.w[i] != float64(k) {
				t.Fatalf("%d: key %d, weight %v: want %d", i, r.keys[i], r.w[i], k)
			}
		}
	})
}
