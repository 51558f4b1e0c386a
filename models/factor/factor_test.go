package factor

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"ctr/features"
	"ctr/features/race"
	"ctr/models"
)

var algos = []string{FieldAware, Plain}

// encoded gives the model's tensors and settings as bytes.
func encoded(t testing.TB, m *Model) []byte {
	t.Helper()
	f := models.NewFile()
	if err := m.Save(f); err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if _, err := f.WriteTo(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// TestThreads: the number of threads does not show in the model.
func TestThreads(t *testing.T) {
	counts := []int{1, 2, 7}
	if race.Enabled {
		counts = []int{1, 7}
	}
	f := func(algo string, fields, factors, rows int, weighted bool) {
		t.Helper()
		tb := mixed(fields, rows, 3)
		if weighted {
			tb.W = make([]float64, rows)
			for i := range tb.W {
				tb.W[i] = float64(i%5) * .4
			}
		}
		var first []byte
		for _, threads := range counts {
			got := encoded(t, train(t, algo, tb, models.Options{Factors: factors, Threads: threads, Seed: 9}))
			if first == nil {
				first = got
			}
			if !bytes.Equal(got, first) {
				t.Errorf("%s, %d fields, %d factors, %d rows: %d threads: another model than 1", algo, fields, factors, rows, threads)
			}
		}
	}
	for _, algo := range algos {
		f(algo, 12, 4, 1500, false)
		f(algo, 9, 8, 1000, true)
		f(algo, 3, 11, 500, true)
		f(algo, 2, 1, 65, false)
		f(algo, 1, 4, 10, false)
	}
}

// TestLearns: products of vectors find what two fields do together, which
// linear weights cannot, and the log loss comes near the best possible.
func TestLearns(t *testing.T) {
	const best, without = .377, .68 // of the truth, and of what single fields say
	f := func(algo string, o models.Options, want float64) {
		t.Helper()
		tb, held := mixed(6, 10_000, 1), mixed(6, 4000, 2)
		m := train(t, algo, tb, o)
		if got := logLoss(m, held); !(got > best-.04 && got < want) {
			t.Errorf("%s %+v: log loss %.4f after %s: want less than %v; the truth has about %v, single fields %v", algo, o, got, m.Report(), want, best, without)
		}
	}
	f(FieldAware, models.Options{}, .43)
	f(FieldAware, models.Options{Factors: 8}, .43)
	f(FieldAware, models.Options{LockFree: true, Threads: 2}, .43)
	f(Plain, models.Options{}, .55)
	f(Plain, models.Options{Factors: 8, LockFree: true, Threads: 2}, .55)
}

// TestBatch: batches cost no log loss beside row after row.
func TestBatch(t *testing.T) {
	if race.Enabled {
		t.Skip("statistics: the plain tests have them")
	}
	tb := mixed(8, 5000, 4)
	for _, algo := range algos {
		loss := func(batch int) float64 {
			f := setUp(t, algo, tb, models.Options{}, func(s *settings) { s.batch = batch })
			for pass := range 3 {
				f.pass(pass, 3, "")
			}
			return f.epoch(f.rows).judge(2)
		}
		if one, many := loss(1), loss(batchRows); many > one+.001 {
			t.Errorf("%s: log loss %.5f with batches of %d: want at most .001 more than %.5f, row by row", algo, many, batchRows, one)
		}
	}
}

// TestFinite: whatever the weights of rows and the settings, probabilities are.
func TestFinite(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		algo := rapid.SampledFrom(algos).Draw(r, "algo")
		tb := mixed(rapid.IntRange(1, 7).Draw(r, "fields"), rapid.IntRange(1, 300).Draw(r, "rows"), rapid.Uint64().Draw(r, "seed"))
		if rapid.Bool().Draw(r, "weighted") {
			tb.W = make([]float64, tb.Rows)
			size := rapid.SampledFrom([]float64{5e-324, 1e-300, 1, 1e300, 1e308}).Draw(r, "size")
			rng := rand.New(rand.NewPCG(1, 1))
			for i := range tb.W {
				tb.W[i] = []float64{0, size, size * rng.Float64(), 1}[rng.IntN(4)]
			}
			tb.W[0] = size
		}
		m, err := trainer(algo)(context.Background(), tb, models.Options{
			Factors:   rapid.IntRange(1, 9).Draw(r, "factors"),
			LearnRate: pointer(rapid.SampledFrom([]float64{1e-300, .3, 10, MaxLearnRate}).Draw(r, "rate")),
			L2:        pointer(rapid.SampledFrom([]float64{0, 1e-300, 1, MaxL2}).Draw(r, "l2")),
			EarlyStop: pointer(int64(rapid.IntRange(0, 1).Draw(r, "stop"))),
			Passes:    rapid.IntRange(1, 6).Draw(r, "passes"),
			LockFree:  rapid.Bool().Draw(r, "free"), Threads: 1,
			SlotBits: rapid.IntRange(1, 10).Draw(r, "bits"),
		}, nil)
		if err != nil {
			r.Fatal(err)
		}
		for i, p := range m.(*Model).Probabilities(tb, nil, 1) {
			if !(p >= 0 && p <= 1) {
				r.Fatalf("row %d: probability %v", i, p)
			}
		}
		if !finite(m.(*Model).weights) {
			r.Fatal("weights are not finite")
		}
	})
}

// TestGradient: a step of size eta moves each weight against the derivative of
// the loss, as differences of the loss say.
func TestGradient(t *testing.T) {
	for _, algo := range algos {
		for _, factors := range []int{1, 4, 7} {
			tb := mixed(5, 1, 8)
			f := setUp(t, algo, tb, models.Options{Factors: factors, L2: pointer(0.), LearnRate: pointer(1e-3)},
				func(s *settings) { s.minSeen = 1 })
			f.each(func(_, _, _ int, w *float32) { *w += .05 }) // linear weights too
			f.bias = 0
			before := append([]float32(nil), f.all...)
			loss := func() float64 { return f.epoch(f.rows).judge(1) }
			slopes := map[*float32]float64{}
			f.each(func(_, _, _ int, w *float32) {
				kept := *w
				*w = kept + 1e-2
				up := loss()
				*w = kept - 1e-2
				down := loss()
				*w = kept
				slopes[w] = (up - down) / 2e-2
			})
			f.pass(0, 1, "")
			moved := 0
			f.each(func(slot, vector, factor int, w *float32) {
				g := slopes[w]
				want := -1e-3 * g / math.Sqrt(1+g*g)
				old := float64(before[indexOf(f.all, w)])
				if got := float64(*w) - old; math.Abs(got-want) > 2e-6 {
					t.Errorf("%s, %d factors: slot %d, vector %d, factor %d: moved by %v: want %v", algo, factors, slot, vector, factor, got, want)
				}
				if math.Abs(want) > 1e-5 {
					moved++
				}
			})
			if moved < 5 {
				t.Errorf("%s, %d factors: %d weights moved: want more", algo, factors, moved)
			}
		}
	}
}

// indexOf gives the place of an element.
func indexOf(a []float32, w *float32) int {
	for i := range a {
		if &a[i] == w {
			return i
		}
	}
	return -1
}

func TestEarlyStop(t *testing.T) {
	tb := mixed(6, 3000, 1)
	f := func(o models.Options, want string) {
		t.Helper()
		r := train(t, FieldAware, tb, o).Report()
		if got := fmt.Sprintf("%d passes, %d held", r.Passes, r.HeldRows); got != want {
			t.Errorf("%+v: %s: want %s", o, got, want)
		}
	}
	f(models.Options{EarlyStop: pointer(int64(0))}, fmt.Sprintf("%d passes, 0 held", DefaultPasses))
	f(models.Options{Passes: 3}, "3 passes, 0 held")
	f(models.Options{EarlyStop: pointer(int64(0)), Passes: 2}, "2 passes, 0 held")
	f(models.Options{EarlyStop: pointer(int64(1)), Passes: 1, ValidShare: pointer(.1)}, "1 passes, 300 held")
	one := *tb
	one.Y = make([]uint8, tb.Rows) // labels that say nothing: the first pass is the best or nearly
	for i := range one.Y {
		one.Y[i] = uint8(features.Mix64(uint64(i)) & 1)
	}
	m := train(t, FieldAware, &one, models.Options{LearnRate: pointer(1.)})
	if r := m.Report(); r.Passes > 3 || r.HeldRows != 600 {
		t.Errorf("noise: %s: want few passes", r)
	}
}

func TestOptions(t *testing.T) {
	f := func(o models.Options, want string) {
		t.Helper()
		_, err := trainer(FieldAware)(context.Background(), mixed(3, 10, 1), o, nil)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v: want %s", o, err, want)
		}
	}
	f(models.Options{Factors: 257}, "ffm: factors 257: want 1..256")
	f(models.Options{LearnRate: pointer(0.)}, "learning-rate 0: want above 0, at most 1000")
	f(models.Options{LearnRate: pointer(math.NaN())}, "learning-rate NaN: want above 0, at most 1000")
	f(models.Options{L2: pointer(1e308)}, "l2 1e+308: want 0..1000")
	f(models.Options{SlotBits: 31}, "slot-bits 31: want 1..30")
	f(models.Options{ValidShare: pointer(1.)}, "valid-share 1: want above 0, below 1")
	f(models.Options{Passes: -1, EarlyStop: pointer(int64(-2))}, "passes -1: want 1 or more; early-stop -2: want 0 or more")
	rows := func(tb *features.Table, want string) {
		t.Helper()
		_, err := trainer(Plain)(context.Background(), tb, models.Options{}, nil)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: want %s", err, want)
		}
	}
	rows(&features.Table{Spec: &features.Spec{}}, "fm: 0 rows of 0 columns: want 1 or more")
	tb := mixed(2, 3, 1)
	tb.W = []float64{1, math.Inf(1), 1}
	rows(tb, "fm: weight +Inf of row 1: want a finite number, 0 or more")
	tb.W = make([]float64, 3)
	rows(tb, "fm: weights of the rows: all 0: want some above 0")
}

// TestStops: training ends with its context, and no thread waits for ever.
func TestStops(t *testing.T) {
	tb := mixed(6, 40_000, 1)
	for _, free := range []bool{false, true} {
		ctx, cancel := context.WithCancel(context.Background())
		calls := 0
		_, err := trainer(FieldAware)(ctx, tb, models.Options{Threads: 3, LockFree: free, Passes: 1000}, func(done, total int, note string) {
			if total != 1000*tb.Rows || done >= total || !strings.HasPrefix(note, "pass ") {
				t.Errorf("%d of %d, %s: want rows of all passes", done, total, note)
			}
			if calls++; calls == 4 {
				cancel()
			}
		})
		if !errors.Is(err, context.Canceled) || calls > 5 {
			t.Errorf("free %v: %v after %d calls: want %v", free, err, calls, context.Canceled)
		}
	}
}
