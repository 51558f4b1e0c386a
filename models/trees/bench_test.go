package trees

import (
	"fmt"
	"math"
	"testing"

	"ctr/features"
	"ctr/models"
)

// benchTrain times fits of n rows of 24 columns, without the reading of them.
// The trees of "full" go as deep as Depth lets them: no penalty stops them.
func benchTrain(b *testing.B, algo string, n int, o models.Options, full bool) {
	all, _ := synthetic(b, n+n/10, 1)
	train, test := head(all, n)
	p, err := resolve(algo, o)
	if err != nil {
		b.Fatal(err)
	}
	if full {
		p.base, p.perGroup = 0, 0
	}
	var m *Model
	b.ReportAllocs()
	for b.Loop() {
		m = mustFit(b, algo, train, p)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n)/float64(p.trees), "ns/row/tree")
	b.ReportMetric(float64(len(m.nodes))/float64(p.trees), "nodes/tree")
	loss := logLoss(m, test)
	b.ReportMetric(loss, "logloss")
	if worst := .475; !full && loss > worst {
		b.Fatalf("log loss %v, want at most %v", loss, worst)
	}
}

func BenchmarkTree(b *testing.B) {
	for _, full := range []bool{false, true} {
		b.Run(fmt.Sprintf("rows=1000000/depth=14/full=%v", full), func(b *testing.B) {
			benchTrain(b, "dt", 1_000_000, models.Options{Depth: 14}, full)
		})
	}
}

func BenchmarkForest(b *testing.B) {
	for _, full := range []bool{false, true} {
		b.Run(fmt.Sprintf("rows=1000000/trees=100/depth=14/full=%v", full), func(b *testing.B) {
			benchTrain(b, "rf", 1_000_000, models.Options{Depth: 14}, full)
		})
	}
}

func BenchmarkProbability(b *testing.B) {
	tab, _ := synthetic(b, 200_000, 1)
	for _, algo := range []string{"dt", "rf"} {
		b.Run(algo, func(b *testing.B) {
			p, err := resolve(algo, models.Options{})
			if err != nil {
				b.Fatal(err)
			}
			m := mustFit(b, algo, tab, p)
			ex := &features.Example{Codes: make([]uint32, len(tab.Codes)), Values: make([]float64, len(tab.Codes))}
			b.ReportAllocs()
			sum, i := 0., 0
			for b.Loop() {
				tab.Example(i%tab.Rows, ex)
				sum += m.Probability(ex)
				i++
			}
			if mean := sum / float64(i); i > 10_000 && (mean < .17 || mean > .2) {
				b.Fatalf("mean probability %v, want the click rate", mean)
			}
		})
	}
}

func BenchmarkBoost(b *testing.B) {
	for _, threads := range []int{1, 2} {
		b.Run(fmt.Sprintf("rows=1000000/trees=20/leaves=63/threads=%d", threads), func(b *testing.B) {
			all, _ := synthetic(b, 1_100_000, 1)
			train, test := head(all, 1_000_000)
			p, err := resolveBoosted(models.Options{Trees: 20, Threads: threads})
			if err != nil {
				b.Fatal(err)
			}
			var m *Boosted
			b.ReportAllocs()
			for b.Loop() {
				m = mustBoost(b, train, p)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/1e6/20, "ns/row/tree")
			loss := 0.
			for i, p := range m.Probabilities(test, nil, 0) {
				if test.Y[i] == 0 {
					p = 1 - p
				}
				loss -= math.Log(p) / float64(test.Rows)
			}
			b.ReportMetric(loss, "logloss")
			if worst := .475; loss > worst {
				b.Fatalf("log loss %v, want at most %v", loss, worst)
			}
		})
	}
}
