package monitor

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"ctr/models/metrics"
)

func TestFineBinsRiseAndHold(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	var ps []float64
	for range 20_000 {
		p := r.Float64()
		ps = append(ps, p, p*p*p, 1-p*p*p)
	}
	ps = append(ps, 0, 1, 0.5, math.Nextafter(0.5, 0), math.Nextafter(0.5, 1), math.SmallestNonzeroFloat64, math.Nextafter(1, 0), math.Ldexp(1, -12), math.Ldexp(1, -13))
	slices.Sort(ps)
	last := 0
	for _, p := range ps {
		b := fineBin(p)
		if b < last || b >= fineBins {
			t.Fatalf("p %v: bin %d after %d", p, b, last)
		}
		last = b
		if lo, hi := fineEdge(b), fineEdge(b+1); p < lo || p > hi {
			t.Fatalf("p %v: bin %d holds %v … %v", p, b, lo, hi)
		}
	}
	if fineBin(0) != 0 || fineBin(1) != fineBins-1 || fineEdge(fineBins) != 1 {
		t.Errorf("ends %d, %d, %v: want 0, %d, 1", fineBin(0), fineBin(1), fineEdge(fineBins), fineBins-1)
	}
	fineBin(math.NaN()) // must not panic, whatever it gives
	scoreBin(math.NaN())
}

func TestScoreBin(t *testing.T) {
	f := func(p float64, want int) {
		t.Helper()
		if got := scoreBin(p); got != want {
			t.Errorf("%v: bin %d: want %d", p, got, want)
		}
	}
	f(0, 0)
	f(0.01, 0)
	f(0.02, 0)
	f(0.020001, 1)
	f(0.5, 24)
	f(0.999, 49)
	f(1, 49)
}

// The AUC from bins is that of the rows, nearly.
func TestFineAUC(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	var s fineScores
	var y []uint8
	var p []float64
	for range 50_000 {
		x := 1 / (1 + math.Exp(2-r.NormFloat64()))
		label := uint8(0)
		if r.Float64() < x {
			label = 1
		}
		y, p = append(y, label), append(p, x)
		s.add(int8(label), x)
	}
	m, err := metrics.Evaluate(y, p, nil, 0.5)
	if err != nil {
		t.Fatal(err)
	}
	if d := math.Abs(s.auc() - m.AUC); d > 2e-4 {
		t.Errorf("AUC %v: want %v", s.auc(), m.AUC)
	}
	var one fineScores
	one.add(1, 0.3)
	if !math.IsNaN(one.auc()) {
		t.Errorf("AUC of clicks alone %v: want NaN", one.auc())
	}
}

func TestGroups(t *testing.T) {
	f := func(name string, draw func(i int) float64, n, want int) {
		t.Helper()
		var s fineScores
		rows, clicks := int64(0), int64(0)
		for i := range 5000 {
			y := int8(i % 3 / 2)
			s.add(y, draw(i))
			rows++
			clicks += int64(y)
		}
		got := s.groups(n)
		if len(got) != want {
			t.Fatalf("%s: %d groups: want %d", name, len(got), want)
		}
		last := -1.0
		for _, g := range got {
			if g.Predicted < g.From || g.Predicted > g.To || g.From < last {
				t.Errorf("%s: mean %v of %v … %v after %v", name, g.Predicted, g.From, g.To, last)
			}
			last = g.From
			rows -= g.Rows
			clicks -= int64(math.Round(g.Observed * float64(g.Rows)))
		}
		if rows != 0 || clicks != 0 {
			t.Errorf("%s: %d rows and %d clicks are in no group", name, rows, clicks)
		}
	}
	r := rand.New(rand.NewPCG(5, 6))
	f("spread", func(int) float64 { return r.Float64() }, 10, 10)
	f("all the same", func(int) float64 { return 0.2 }, 10, 1)
	f("most the same", func(i int) float64 {
		if i%10 != 0 {
			return 0.2
		}
		return 0.9
	}, 10, 2)
	if got := new(fineScores).groups(10); got == nil || len(got) != 0 {
		t.Errorf("no rows: %v: want an empty list", got)
	}
}

func TestSpansQuantiles(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	var s spans
	var all []float64
	for range 20_000 {
		d := time.Duration(math.Exp(r.NormFloat64()*2-8) * 1e9)
		s.add(d, 1)
		all = append(all, d.Seconds())
	}
	slices.Sort(all)
	for _, q := range []float64{.5, .9, .99, .999} {
		want := all[int(q*float64(len(all)))]
		if got := s.quantile(q); got < want*.85 || got > want*1.15 {
			t.Errorf("quantile %v: %v: want about %v", q, got, want)
		}
	}
	if l := s.latency("x"); *l.Max != all[len(all)-1] || l.Count != 20_000 {
		t.Errorf("largest %v of %d: want %v", *l.Max, l.Count, all[len(all)-1])
	}
	var odd spans
	odd.add(-time.Second, 2) // clocks that disagree
	odd.add(30*24*time.Hour, 1)
	if odd.count != 3 || odd.quantile(.1) > 1e-6 || odd.bins[spanBins-1] != 1 {
		t.Errorf("odd spans: %d, %v", odd.count, odd.quantile(.1))
	}
	if l := new(spans).latency("x"); l.P50 != nil || l.Max != nil {
		t.Errorf("no spans: %+v: want nothing known", l)
	}
	if !slices.IsSorted(spanEnds[:]) || spanEnds[0] != 1000 || spanEnds[len(spanEnds)-1] != 1e12 {
		t.Errorf("ends %v", spanEnds)
	}
}

// Hand-reckoned: (.6-.5)ln(.6/.5) + (.4-.5)ln(.4/.5).
func TestPSI(t *testing.T) {
	f := func(got, want []float64, index float64) {
		t.Helper()
		if x := psi(got, want); math.Abs(x-index) > 1e-9 {
			t.Errorf("%v of %v: %v: want %v", got, want, x, index)
		}
	}
	f([]float64{.5, .5}, []float64{.5, .5}, 0)
	f([]float64{.6, .4}, []float64{.5, .5}, .1*math.Log(1.2)-.1*math.Log(.8))
	f([]float64{1, 0}, []float64{1, 0}, 0)
	f([]float64{0, 1}, []float64{1, 0}, 2*(1-1e-4)*math.Log(1e4))
}

func TestRingForgets(t *testing.T) {
	r := newRing[traffic](60, 3)
	r.of(60).rows, r.of(119).bad = 5, 1
	r.of(300).rows = 7
	sum := func(second int64, n int) (rows int64) {
		r.each(second, n, func(t *traffic) { rows += t.rows })
		return rows
	}
	if v := r.see(1); v != nil && v.rows != 5 { // its place is taken by minute 5
		t.Errorf("minute 1: %+v", v)
	}
	if got := sum(300, 1); got != 7 {
		t.Errorf("the last minute: %d rows: want 7", got)
	}
	if got := sum(300, 4); got != 7 {
		t.Errorf("four minutes: %d rows: want 7, without those of a round ago", got)
	}
	if got := sum(600, 4); got != 0 {
		t.Errorf("long after: %d rows: want 0", got)
	}
}
