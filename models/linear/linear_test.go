package linear

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"ctr/features"
	"ctr/features/race"
	"ctr/models"
)

// mixed gives the reference's table, which has every kind of field, and a
// model of it.
func mixed(t testing.TB, o models.Options) (*features.Table, *Model) {
	t.Helper()
	_, tb := readReference(t)
	return tb, fit(t, tb, o)
}

func fit(t testing.TB, tb *features.Table, o models.Options) *Model {
	t.Helper()
	m, err := Fit(context.Background(), tb, o, nil)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func example(tb *features.Table) *features.Example {
	n := len(tb.Codes)
	return &features.Example{Codes: make([]uint32, n), Values: make([]float64, n)}
}

func TestSigmoid(t *testing.T) {
	f := func(x, want float64) {
		t.Helper()
		if got := Sigmoid(x); math.Abs(got-want) > 1e-16 {
			t.Errorf("Sigmoid(%v) = %v: want %v", x, got, want)
		}
	}
	f(0, .5)
	f(1, 0.7310585786300049)
	f(-1, 0.2689414213699951)
	f(800, 1)
	f(-800, 0)
	f(math.Inf(1), 1)
	f(math.Inf(-1), 0)
	if got := Sigmoid(-700); got == 0 {
		t.Errorf("Sigmoid(-700) = 0: want the small number it is")
	}
}

func TestContributions(t *testing.T) {
	tb, m := mixed(t, models.Options{L2: pointer(1)})
	ex := example(tb)
	for i := range tb.Rows {
		tb.Example(i, ex)
		sum := m.Bias()
		for _, c := range m.Contributions(ex, nil) {
			sum += c
		}
		if sum != m.LogOdds(ex) || Sigmoid(sum) != m.Probability(ex) {
			t.Fatalf("row %d: contributions add up to %v: want %v", i, sum, m.LogOdds(ex))
		}
	}
}

func TestProbabilityAllocates(t *testing.T) {
	tb, m := mixed(t, models.Options{})
	ex := example(tb)
	tb.Example(0, ex)
	dst := make([]float64, 0, len(tb.Codes))
	if n := testing.AllocsPerRun(100, func() { m.Probability(ex); dst = m.Contributions(ex, dst[:0]) }); n != 0 {
		t.Errorf("%v allocations: want 0", n)
	}
}

func TestProbabilities(t *testing.T) {
	f := func(tb *features.Table, m *Model) {
		t.Helper()
		for _, threads := range []int{0, 1, 3} {
			got := m.Probabilities(tb, []float64{7}, threads)
			if len(got) != tb.Rows+1 || got[0] != 7 {
				t.Fatalf("%d numbers, the first %v: want %d after the 7", len(got), got[0], tb.Rows)
			}
			ex := example(tb)
			for i, p := range got[1:] {
				tb.Example(i, ex)
				if want := m.Probability(ex); p != want {
					t.Fatalf("row %d with %d threads: %v: want %v", i, threads, p, want)
				}
			}
		}
	}
	f(mixed(t, models.Options{}))
	wide := impressions(3*rowBlock+17, 3)
	f(wide, fit(t, wide, models.Options{MaxIter: 3}))
}

// TestThreads wants the same bits at any number of threads, with every way of
// dividing the work in use.
func TestThreads(t *testing.T) {
	f := func(tb *features.Table, o models.Options, threads ...int) {
		t.Helper()
		if race.Enabled {
			threads = []int{3}
		}
		o.Threads = 1
		want := fit(t, tb, o)
		for _, o.Threads = range threads {
			got := fit(t, tb, o)
			if got.Bias() != want.Bias() || !slices.Equal(got.Weights(), want.Weights()) || got.Report() != want.Report() {
				t.Errorf("%d threads: %v: want what one thread gives: %v", o.Threads, got.Report(), want.Report())
			}
		}
	}
	tb := impressions(2*rowBlock+100, 5)
	hashFields(tb, 6, 10)
	tb.W = make([]float64, tb.Rows)
	for i := range tb.W {
		tb.W[i] = 1 + float64(i%3)
	}
	f(tb, models.Options{MaxIter: 2}, 2, 3, 8)
	f(tb, models.Options{MaxIter: 2, Standardize: true}, 2, 3, 8)
	f(tb, models.Options{MaxIter: 8, L1: pointer(3)}, 2, 3, 8)
	f(impressions(2*hotRows+5, 5), models.Options{MaxIter: 1, Tol: .5}, 3)
}

// hashFields turns the first n fields into hashed ones with 2^bits codes.
func hashFields(tb *features.Table, n, bits int) {
	tb.Spec.Bits = bits
	for f := range n {
		tb.Spec.Fields[f].Type = features.Hash
		c := features.MakeCodes(tb.Rows, 1<<bits)
		for i := range tb.Rows {
			c.Set(i, tb.Codes[f].At(i)*2654435761>>(32-bits))
		}
		tb.Codes[f] = c
	}
}

// TestPermutation wants a model that does not depend on the order of the rows.
func TestPermutation(t *testing.T) {
	tb := impressions(2000, 11)
	o := models.Options{Tol: 1e-12}
	want := fit(t, tb, o)
	order := rand.New(rand.NewPCG(1, 2)).Perm(tb.Rows)
	shuffled := impressions(2000, 11)
	for i, from := range order {
		shuffled.Y[i] = tb.Y[from]
		for f := range tb.Codes {
			shuffled.Codes[f].Set(i, tb.Codes[f].At(from))
		}
	}
	got := fit(t, shuffled, o)
	for j, w := range got.Weights() {
		if math.Abs(w-want.Weights()[j]) > 1e-6 {
			t.Fatalf("weight %d: %v: want %v", j, w, want.Weights()[j])
		}
	}
}

// TestGradient compares the gradient with differences of the objective, and
// the Hessian's product with differences of the gradient.
func TestGradient(t *testing.T) {
	_, tb := readReference(t)
	tb.W = make([]float64, tb.Rows)
	for i := range tb.W {
		tb.W[i] = .5 + float64(i%4)
	}
	for _, weights := range [][]float64{nil, tb.W} {
		tb.W = weights
		p := newProblem(newPool(context.Background(), 2), tb)
		p.l2 = .7
		p.unit = p.deviations()
		n := newNewton(p)
		rng := rand.New(rand.NewPCG(3, 4))
		for j := range n.x {
			n.x[j], n.v[j] = rng.NormFloat64(), rng.NormFloat64()
		}
		objective := func() float64 { return n.value(n.x, n.m, n.h) + n.penalty(n.x) }
		objective()
		n.gradient(n.x, n.g)
		curvature := n.hessian(n.v, n.hv)
		if vhv := p.dot(n.v, n.hv); math.Abs(vhv-curvature) > 1e-9*vhv {
			t.Errorf("vᵀHv = %v: want %v", curvature, vhv)
		}
		const step = 1e-5
		gradientAt := func(s float64, g []float64) {
			p.axpy(s, n.v, n.x)
			objective()
			n.gradient(n.x, g)
			p.axpy(-s, n.v, n.x)
		}
		up, down := make([]float64, len(n.x)), make([]float64, len(n.x))
		gradientAt(step, up)
		gradientAt(-step, down)
		for j := range n.x {
			x := n.x[j]
			n.x[j] = x + step
			hi := objective()
			n.x[j] = x - step
			lo := objective()
			n.x[j] = x
			if d := (hi - lo) / (2 * step); math.Abs(d-n.g[j]) > 1e-4 {
				t.Errorf("gradient %d: %v: want %v", j, n.g[j], d)
			}
			if d := (up[j] - down[j]) / (2 * step); math.Abs(d-n.hv[j]) > 1e-4*(1+math.Abs(d)) {
				t.Errorf("Hessian's product %d: %v: want %v", j, n.hv[j], d)
			}
		}
	}
}

// TestSolversAgree runs the method for L1 without L1.
func TestSolversAgree(t *testing.T) {
	p := newProblem(newPool(context.Background(), 0), impressions(1000, 2))
	p.l2 = 10
	quiet := func(int, float64) {}
	a := newNewton(p).minimise(100, 1e-12, quiet)
	b := newOrthant(p).minimise(2000, 1e-12, quiet)
	if !a.converged || !b.converged {
		t.Fatalf("converged %v and %v: want both", a.converged, b.converged)
	}
	for j := range a.x {
		if math.Abs(a.x[j]-b.x[j]) > 1e-4 {
			t.Fatalf("weight %d: %v and %v: want the same", j, a.x[j], b.x[j])
		}
	}
}

func TestSparse(t *testing.T) {
	rows := 3000
	if race.Enabled {
		rows = 500
	}
	tb := impressions(rows, 2)
	zeros := func(l1 float64) (n int) {
		m := fit(t, tb, models.Options{L1: &l1, L2: pointer(0), Tol: 1e-4})
		for _, w := range m.Weights() {
			if w == 0 {
				n++
			}
		}
		return n
	}
	few, many, all := zeros(.1), zeros(5), zeros(1e6)
	if !(few < many && many < all) || all != len(fit(t, tb, models.Options{}).Weights()) {
		t.Errorf("zeros %d, %d, %d: want more with more L1, and all in the end", few, many, all)
	}
}

// TestExtremes wants finite models of data that have no finite optimum, or
// hardly any rows.
func TestExtremes(t *testing.T) {
	f := func(name string, rows int, label func(i int) uint8, o models.Options) *Model {
		t.Helper()
		tb := table([]int{4, 300, 700}, rows)
		if rows == 2 {
			tb = table([]int{4, 300, 1<<16 + 1}, rows)
		}
		for i := range rows {
			for f := range tb.Codes {
				tb.Codes[f].Set(i, uint32(i%4))
			}
			tb.Y[i] = label(i)
		}
		if o.MaxIter == 0 {
			o.MaxIter = 8
		}
		m := fit(t, tb, o)
		if !finite(m.Weights()) || !finite([]float64{m.Bias(), m.Report().Objective, m.Report().Gradient}) {
			t.Errorf("%s: %v: want finite numbers", name, m.Report())
		}
		return m
	}
	always := func(int) uint8 { return 1 }
	never := func(int) uint8 { return 0 }
	separable := func(i int) uint8 { return uint8(i % 4 / 2) }
	for _, o := range []models.Options{{}, {L2: pointer(0)}, {L1: pointer(1)}, {L1: pointer(.01), L2: pointer(0)}, {Standardize: true}, {MeanLoss: true}} {
		f("one row", 1, always, o)
		f("two rows", 2, separable, o)
		f("all clicks", 50, always, o)
		f("no clicks", 50, never, o)
		f("separable", 400, separable, o)
	}
	m := f("separable", 400, separable, models.Options{L2: pointer(0), MaxIter: 7})
	if r := m.Report(); r.Converged || r.Iterations != 7 || r.LogLoss > .01 {
		t.Errorf("separable without penalty: %v: want 7 iterations, not converged, log loss near 0", r)
	}
}

func TestCancel(t *testing.T) {
	tb := impressions(20_000, 2)
	for _, l1 := range []float64{0, 1} {
		ctx, cancel := context.WithCancel(context.Background())
		calls := 0
		m, err := Train(ctx, tb, models.Options{L1: &l1}, func(done, _ int, note string) {
			calls++
			if done != 1 || !strings.HasPrefix(note, "iteration 1: log loss 0.") {
				t.Errorf("progress %d %q: want that of iteration 1", done, note)
			}
			cancel()
		})
		if !errors.Is(err, context.Canceled) || m != nil || calls != 1 {
			t.Errorf("l1 %v: %v, %v after %d calls: want context.Canceled after 1", l1, m, err, calls)
		}
	}
}

func TestOptions(t *testing.T) {
	tb := impressions(100, 2)
	f := func(tb *features.Table, o models.Options, want string) {
		t.Helper()
		_, err := Train(context.Background(), tb, o, nil)
		if err == nil || err.Error() != want {
			t.Errorf("error %v: want %s", err, want)
		}
	}
	f(tb, models.Options{L1: pointer(-1), L2: pointer(math.Inf(1)), MaxIter: -3, Tol: 2},
		"lr: l1 -1: want a finite number, 0 or more; l2 +Inf: want a finite number, 0 or more; "+
			"max-iter -3: want 1 or more; tol 2: want more than 0 and less than 1")
	f(tb, models.Options{Solver: "sgd"}, `lr: solver "sgd": want newton or lbfgs`)
	f(tb, models.Options{Solver: SolverNewton, L1: pointer(1)}, "lr: solver newton: want l1 0, or solver lbfgs")
	f(tb, models.Options{L2: pointer(math.NaN())}, "lr: l2 NaN: want a finite number, 0 or more")
	f(table([]int{3}, 0), models.Options{}, "lr: 0 rows: want 1 or more")
	weightless := impressions(100, 2)
	weightless.W = make([]float64, 100)
	f(weightless, models.Options{}, "lr: weights of the rows add up to 0: want a finite number above 0")
}

// TestInfinite wants an error, not a model, of a number that is infinite.
func TestInfinite(t *testing.T) {
	_, tb := readReference(t)
	tb.Values[3][17] = math.Inf(1)
	for _, l1 := range []float64{0, 1} {
		if m, err := Fit(context.Background(), tb, models.Options{L1: &l1}, nil); err == nil {
			t.Errorf("l1 %v: %v: want an error", l1, m.Report())
		}
	}
}

func TestRegistered(t *testing.T) {
	a, err := models.Lookup("lr")
	if err != nil || a.Title != "logistic regression" || a.Train == nil || a.Load == nil {
		t.Errorf("%+v, %v: want logistic regression's entry", a, err)
	}
}
