package metrics

import (
	"math"
	"testing"

	"pgregory.net/rapid"
)

// TestRunning: the figures of a stream, in any number of parts, are those of
// its rows taken together.
func TestRunning(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := draw(t)
		c.w = nil
		m := c.evaluate(t)
		parts := make([]Running, 3)
		for i := range parts {
			parts[i].Threshold = c.threshold
		}
		sumP, unlabelled := 0.0, 0
		for i := range c.y {
			part := &parts[rapid.IntRange(0, 2).Draw(t, "part")]
			part.AddLabelled(c.y[i], c.p[i])
			sumP += c.p[i]
			if rapid.Bool().Draw(t, "unlabelled") {
				part.Add(0.25)
				sumP += 0.25
				unlabelled++
			}
		}
		all := Running{Threshold: c.threshold}
		for i := range parts {
			all.Merge(&parts[i])
		}
		s := all.Summary()
		n := m.Rows + unlabelled
		if s.Rows != n || s.Labelled != m.Rows || s.Clicks != m.Clicks || s.Accuracy != m.Accuracy || s.F1 != m.F1 {
			t.Fatalf("%+v: want %+v", s, m)
		}
		if !close12(s.LogLoss, m.LogLoss) || !close12(s.MeanPrediction, sumP/float64(n)) ||
			!close12(s.ClickRate, float64(m.Clicks)/float64(m.Rows)) {
			t.Fatalf("%+v: want %+v, mean %v", s, m, sumP/float64(n))
		}
	})
}

func TestRunningEmpty(t *testing.T) {
	var r Running
	for _, v := range []float64{r.Summary().MeanPrediction, r.Summary().LogLoss, r.Summary().Accuracy} {
		if !math.IsNaN(v) {
			t.Errorf("%v: want NaN", v)
		}
	}
	r.Add(0.5)
	if s := r.Summary(); s.MeanPrediction != 0.5 || !math.IsNaN(s.LogLoss) {
		t.Errorf("%+v: want a mean and no log loss", s)
	}
	if n := testing.AllocsPerRun(100, func() { r.AddLabelled(1, 0.25) }); n != 0 {
		t.Errorf("%v allocations a row, want 0", n)
	}
}

func TestBootstrapDiff(t *testing.T) {
	const n = 4000
	c := synthetic(n, false)
	worse := make([]float64, n)
	for i, p := range c.p {
		worse[i] = 0.5*p + 0.25
	}
	d, err := BootstrapDiff(c.y, c.p, worse, 400, 7)
	if err != nil {
		t.Fatal(err)
	}
	a, _ := Evaluate(c.y, c.p, nil, 0.5)
	b, _ := Evaluate(c.y, worse, nil, 0.5)
	near(t, "mean", d.Mean, a.LogLoss-b.LogLoss)
	if !(d.Low < d.Mean && d.Mean < d.High && d.High < 0) {
		t.Errorf("%+v: want an interval round the mean, below 0", d)
	}
	// The interval is about as wide as the normal one.
	variance := 0.0
	for i := range c.y {
		e := rowLoss(c.y[i], c.p[i]) - rowLoss(c.y[i], worse[i]) - d.Mean
		variance += e * e / n
	}
	if normal := 2 * 1.96 * math.Sqrt(variance/n); math.Abs((d.High-d.Low)/normal-1) > 0.15 {
		t.Errorf("%+v: width %v: want about %v", d, d.High-d.Low, normal)
	}
	again, _ := BootstrapDiff(c.y, c.p, worse, 400, 7)
	other, _ := BootstrapDiff(c.y, c.p, worse, 400, 8)
	if again != d || other == d {
		t.Errorf("%+v, again %+v, another seed %+v", d, again, other)
	}
	if same, _ := BootstrapDiff(c.y, c.p, c.p, 50, 7); same.Low != 0 || same.High != 0 || same.Mean != 0 {
		t.Errorf("the same twice: %+v: want 0", same)
	}
}

func TestBootstrapDiffErrors(t *testing.T) {
	f := func(pa, pb []float64, reps int, want string) {
		t.Helper()
		_, err := BootstrapDiff([]uint8{1}, pa, pb, reps, 0)
		if err == nil || err.Error() != want {
			t.Errorf("error %v: want %s", err, want)
		}
	}
	one := []float64{1}
	f(nil, one, 1, "first model: 0 probabilities: want 1, one a label")
	f(one, []float64{2}, 1, "second model: row 0: probability 2: want 0..1")
	f(one, one, 0, "bootstrap repetitions 0: want 1 or more")
}

func BenchmarkEvaluate(b *testing.B) {
	for _, weighted := range []bool{false, true} {
		name := map[bool]string{false: "plain", true: "weighted"}[weighted]
		b.Run(name, func(b *testing.B) {
			const n = 1_000_000
			c := synthetic(n, weighted)
			b.SetBytes(n * 9)
			b.ReportAllocs()
			for b.Loop() {
				m, err := Evaluate(c.y, c.p, c.w, c.threshold)
				if err != nil || !(m.AUC > 0.6 && m.AUC < 0.8) {
					b.Fatal(m, err)
				}
			}
		})
	}
}
