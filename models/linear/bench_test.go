package linear

import (
	"context"
	"fmt"
	"testing"

	"ctr/models"
)

// BenchmarkFit fits a million rows of 24 fields and 1.2 million weights with
// the default options, on one thread and on two, and wants the same model.
func BenchmarkFit(b *testing.B) {
	tb := impressions(1_000_000, 1)
	loss := 0.0
	for _, threads := range []int{1, 2} {
		b.Run(fmt.Sprintf("threads=%d", threads), func(b *testing.B) {
			for b.Loop() {
				m := fit(b, tb, models.Options{Threads: threads})
				r := m.Report()
				if loss == 0 {
					loss = r.LogLoss
				}
				if !r.Converged || r.LogLoss != loss {
					b.Fatalf("%v: want log loss %v", r, loss)
				}
				b.ReportMetric(float64(r.Passes), "passes")
			}
			b.ReportMetric(float64(tb.Rows)*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
		})
	}
}

// BenchmarkPasses times one forward and one transposed pass over the columns.
func BenchmarkPasses(b *testing.B) {
	tb := impressions(1_000_000, 1)
	for _, threads := range []int{1, 2} {
		p := newProblem(newPool(context.Background(), threads), tb)
		n := newNewton(p)
		for j := range n.v {
			n.v[j] = float64(j%7) - 3
		}
		n.value(n.x, n.m, n.h)
		curvature := n.curve(n.v, n.h)
		n.transpose(n.r, n.hv)
		if got := n.dot(n.v, n.hv); got < curvature*(1-1e-9) || got > curvature*(1+1e-9) {
			b.Fatalf("vᵀXᵀHXv %v: want %v", got, curvature)
		}
		b.Run(fmt.Sprintf("forward/threads=%d", threads), func(b *testing.B) {
			for b.Loop() {
				n.curve(n.v, n.h)
			}
		})
		b.Run(fmt.Sprintf("transposed/threads=%d", threads), func(b *testing.B) {
			for b.Loop() {
				n.transpose(n.r, n.hv)
			}
		})
	}
}

// BenchmarkProbability scores one row, as a stream does.
func BenchmarkProbability(b *testing.B) {
	tb := impressions(10_000, 1)
	m := fit(b, tb, models.Options{})
	ex := example(tb)
	tb.Example(7, ex)
	want := m.Probabilities(tb, nil, 1)[7]
	b.ReportAllocs()
	for b.Loop() {
		if p := m.Probability(ex); p != want {
			b.Fatalf("probability %v: want %v", p, want)
		}
	}
}
