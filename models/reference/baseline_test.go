package reference

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/sjwhitworth/golearn/trees"

	"ctr/features"
	"ctr/models/metrics"
)

// table gives n rows of codes with heavy tails and one column of numbers, whose
// clicks depend on the first code and the number.
func table(n, fields int, seed uint64) *features.Table {
	rng := rand.New(rand.NewPCG(seed, 1))
	t := &features.Table{Rows: n, Y: make([]uint8, n), Values: make([][]float64, fields+1)}
	for f := range fields {
		c := features.MakeCodes(n, 1<<20)
		zipf := rand.NewZipf(rng, 1.1, 1, uint64(1)<<(2+f%16))
		for i := range n {
			c.Set(i, uint32(zipf.Uint64()))
		}
		t.Codes = append(t.Codes, c)
	}
	t.Codes = append(t.Codes, features.MakeCodes(n, 2))
	numbers := make([]float64, n)
	for i := range numbers {
		numbers[i] = rng.NormFloat64()
		if rng.IntN(10) == 0 {
			numbers[i] = math.NaN()
		}
		z := 1 - float64(t.Codes[0].At(i))
		if numbers[i] > 0.3 {
			z++
		}
		if rng.Float64() < 1/(1+math.Exp(-z)) {
			t.Y[i] = 1
		}
	}
	t.Values[fields] = numbers
	return t
}

func TestBaseline(t *testing.T) {
	train, test := table(3000, 4, 1), table(1000, 4, 2)
	r, err := Baseline(context.Background(), train, test, Options{Rows: 1000, Depth: 4})
	if err != nil {
		t.Fatal(err)
	}
	if r.Rows != 1000 || len(r.TrainY) != 1000 || len(r.TrainP) != 1000 || len(r.TestP) != 1000 || !(r.Seconds > 0) {
		t.Fatalf("%d rows, %d training labels, %d and %d probabilities, %v s", r.Rows, len(r.TrainY), len(r.TrainP), len(r.TestP), r.Seconds)
	}
	const start = "golearn: measured baseline on 1000 rows of 3000 (capped"
	if !strings.HasPrefix(r.Warning, start) || !strings.Contains(r.Warning, "depth 4") {
		t.Errorf("warning %q: want it to begin with %q", r.Warning, start)
	}
	m, err := metrics.Evaluate(test.Y, r.TestP, nil, 0.5)
	if err != nil {
		t.Fatal(err)
	}
	if m.AUC < 0.7 || m.NormalizedEntropy > 0.95 || m.Accuracy < m.Majority.Accuracy {
		t.Errorf("the tree learned nothing: %+v", m)
	}
	again, err := Baseline(context.Background(), train, test, Options{Rows: 1000, Depth: 4})
	again.Seconds = r.Seconds
	if err != nil || !reflect.DeepEqual(again, r) {
		t.Errorf("run again: %v, another result", err)
	}
}

// TestBaselinePredictsAsGolearn: above 0.5 is what golearn's own Predict calls
// a click.
func TestBaselinePredictsAsGolearn(t *testing.T) {
	train, test := table(800, 3, 3), table(800, 3, 4)
	all := spread(800, 800)
	columns := make([]column, 4)
	for f := range columns {
		columns[f] = newColumn(train, f, all)
	}
	tree := trees.NewDecisionTreeClassifier(trees.GINI, 5, []int64{0, 1})
	data, err := instances(columns, train, all)
	if err != nil {
		t.Fatal(err)
	}
	if err := tree.Fit(data); err != nil {
		t.Fatal(err)
	}
	judged, err := instances(columns, test, all)
	if err != nil {
		t.Fatal(err)
	}
	r, err := Baseline(context.Background(), train, test, Options{Depth: 5})
	if err != nil {
		t.Fatal(err)
	}
	clicks := 0
	for i, want := range tree.Predict(judged) {
		if got := r.TestP[i] > 0.5; got != (want == 1) {
			t.Errorf("row %d: probability %v, golearn predicts %d", i, r.TestP[i], want)
		}
		clicks += int(want)
	}
	if clicks == 0 || clicks == len(r.TestP) {
		t.Errorf("golearn predicts %d clicks: want some of each", clicks)
	}
	if strings.Contains(r.Warning, "capped") {
		t.Errorf("warning %q: nothing was capped", r.Warning)
	}
}

func TestBaselineOneClass(t *testing.T) {
	train := table(50, 2, 5)
	clear(train.Y)
	r, err := Baseline(context.Background(), train, nil, Options{})
	if err != nil || r.TestP != nil {
		t.Fatal(r.TestP, err)
	}
	for _, p := range r.TrainP {
		if want := 1.0 / 52; p != want {
			t.Fatalf("probability %v: want %v", p, want)
		}
	}
}

func TestBaselineErrors(t *testing.T) {
	f := func(train *features.Table, o Options, want string) {
		t.Helper()
		_, err := Baseline(context.Background(), train, nil, o)
		if err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("error %v: want %s", err, want)
		}
	}
	f(nil, Options{}, "no training rows: want at least 1")
	f(&features.Table{}, Options{}, "no training rows: want at least 1")
	f(table(5, 1, 1), Options{Rows: -1}, "baseline rows -1: want 0 (20000) or more")
	f(table(5, 1, 1), Options{Depth: -1}, "baseline depth -1: want 0 (6) or more")
	f(&features.Table{Rows: 2, Y: []uint8{0, 1}}, Options{}, "golearn baseline: panic: ")
}

// TestBaselineStops: golearn cannot be told to stop, but nobody waits for it.
func TestBaselineStops(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	start := time.Now()
	_, err := Baseline(ctx, table(5000, 12, 1), nil, Options{})
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error %v: want %v", err, context.DeadlineExceeded)
	}
	if d := time.Since(start); d > 5*time.Second {
		t.Errorf("stopped after %v", d)
	}
}

// BenchmarkBaseline is the time of the default cap on columns like Avazu's.
func BenchmarkBaseline(b *testing.B) {
	train := table(100_000, 22, 1)
	for b.Loop() {
		r, err := Baseline(context.Background(), train, nil, Options{})
		if err != nil || r.Rows != DefaultRows {
			b.Fatal(r.Rows, err)
		}
	}
}
