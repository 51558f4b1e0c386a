package trees

import (
	"bytes"
	"context"
	"errors"
	"math"
	"reflect"
	"strings"
	"testing"

	"ctr/features"
	"ctr/features/race"
	"ctr/models"
)

// plainBoost are settings of boosting without a price, pooling or smoothing.
func plainBoost() boostParams {
	zero := 0.
	p, err := resolveBoosted(models.Options{Trees: 1, MinLeaf: 1, L2: &zero, CatSmooth: &zero, Threads: 1})
	if err != nil {
		panic(err)
	}
	p.perGroup, p.catL2, p.minGroup, p.rate = 0, 0, 1, 1
	return p
}

func mustBoost(t testing.TB, tab *features.Table, p boostParams) *Boosted {
	t.Helper()
	m, err := boost(context.Background(), tab, p, nil)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// weigh gives the rows of tab weights.
func weigh(tab *features.Table) *features.Table {
	tab.W = make([]float64, tab.Rows)
	for i := range tab.W {
		tab.W[i] = .1 + float64(features.Mix64(uint64(i))%1000)/300
	}
	return tab
}

// hours gives the rows of tab times, a hundred rows an hour.
func hours(tab *features.Table) *features.Table {
	tab.Hour = make([]int32, tab.Rows)
	for i := range tab.Hour {
		tab.Hour[i] = int32(i / 100)
	}
	return tab
}

// TestBoostThreads: the number of threads does not show in the model, nor does
// the size of the nodes that they share.
func TestBoostThreads(t *testing.T) {
	plain, weighted := mixed(t, 6000), weigh(mixed(t, 6000))
	counts := []int{1, 2, 3, 7}
	if race.Enabled {
		counts = []int{1, 3}
	}
	f := func(name string, tab *features.Table, change func(p *boostParams)) {
		t.Helper()
		var first *Boosted
		for _, threads := range counts {
			for _, wide := range []int{1 << 16, 700} {
				p, err := resolveBoosted(models.Options{Trees: 4, Leaves: 40, MinLeaf: 3, Threads: threads, Seed: 5})
				if err != nil {
					t.Fatal(err)
				}
				p.minGroup, p.perGroup, p.wide = 3, .2, wide
				change(&p)
				m := mustBoost(t, tab, p)
				if first == nil {
					first = m
				}
				if !reflect.DeepEqual(m, first) {
					t.Errorf("%s: %d threads, wide %d: another model than 1 thread", name, threads, wide)
				}
			}
		}
		if len(first.m.nodes) < 100 {
			t.Errorf("%s: %d nodes: want real trees", name, len(first.m.nodes))
		}
	}
	f("plain", plain, func(*boostParams) {})
	f("weighted", weighted, func(*boostParams) {})
	f("rows sampled", plain, func(p *boostParams) { p.rowShare = .6 })
	f("columns sampled", plain, func(p *boostParams) { p.colShare = .4 })
	f("held rows", hours(plain), func(p *boostParams) { p.earlyStop, p.rowShare, p.validShare = 2, .7, .2 })
}

// TestBoostLossFalls: on the rows it learns from, each tree makes the model
// better.
func TestBoostLossFalls(t *testing.T) {
	f := func(name string, tab *features.Table) {
		t.Helper()
		p := plainBoost()
		p.trees, p.rate, p.l2, p.leaves = 30, .2, 1, 16
		m := mustBoost(t, tab, p)
		rows := make([]int32, tab.Rows)
		b := &booster{y: tab.Y, w: tab.W, score: make([]float64, tab.Rows)}
		for i := range rows {
			rows[i], b.score[i] = int32(i), m.base
		}
		ex := tab.Spec.NewExample()
		before := b.loss(rows)
		for k, root := range m.m.trees {
			for i := range rows {
				tab.Example(i, ex)
				b.score[i] += m.m.walk(root, ex)
			}
			after := b.loss(rows)
			if after >= before {
				t.Errorf("%s: tree %d: log loss %v after %v", name, k, after, before)
			}
			before = after
		}
		if before > .4 || len(m.m.trees) != 30 {
			t.Errorf("%s: log loss %v after %d trees: want a good fit by 30", name, before, len(m.m.trees))
		}
	}
	f("plain", mixed(t, 3000))
	f("weighted", weigh(mixed(t, 3000)))
}

// TestBoostProbabilities: a table, row by row and together.
func TestBoostProbabilities(t *testing.T) {
	tab := mixed(t, 5000)
	p := plainBoost()
	p.trees, p.minLeaf = 8, 4
	m := mustBoost(t, tab, p)
	ex := tab.Spec.NewExample()
	for _, threads := range []int{0, 1, 3} {
		all := m.Probabilities(tab, []float64{7}, threads)
		if len(all) != tab.Rows+1 || all[0] != 7 {
			t.Fatalf("%d probabilities, the first %v: want them appended", len(all), all[0])
		}
		for i, got := range all[1:] {
			tab.Example(i, ex)
			if want := m.Probability(ex); math.Float64bits(got) != math.Float64bits(want) {
				t.Fatalf("row %d: %v in the table, %v alone", i, got, want)
			}
		}
	}
	if n := testing.AllocsPerRun(100, func() { m.Probability(ex) }); n != 0 {
		t.Errorf("%v allocations a row, want 0", n)
	}
}

// TestBoostScores: the scores that training kept up to date are those of the
// model, for rows that it learned from and those that it did not.
func TestBoostScores(t *testing.T) {
	tab := hours(mixed(t, 4000))
	p := plainBoost()
	p.trees, p.minLeaf, p.rowShare, p.colShare, p.rate = 5, 100, .6, .7, .05
	b, err := newBooster(context.Background(), tab, p)
	if err != nil {
		t.Fatal(err)
	}
	fit, held := models.Recent(tab, .3)
	b.p.earlyStop = 100
	m, err := b.run(fit, held, nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(m.m.trees) != p.trees { // then scores hold more than the model
		t.Fatalf("%d trees: want %d", len(m.m.trees), p.trees)
	}
	ex := tab.Spec.NewExample()
	for i := range tab.Rows {
		tab.Example(i, ex)
		if got := m.LogOdds(ex); got != b.score[i] {
			t.Fatalf("row %d: log-odds %v, in training %v", i, got, b.score[i])
		}
	}
}

// TestBoostEarlyStop: trees that do not help on the last hours are not grown.
func TestBoostEarlyStop(t *testing.T) {
	tab := hours(mixed(t, 4000))
	for i := range tab.Y { // nothing to learn
		tab.Y[i] = uint8(features.Mix64(uint64(i)) % 5 / 4)
	}
	p := plainBoost()
	p.trees, p.earlyStop = 60, 3
	m := mustBoost(t, tab, p)
	if n := len(m.m.trees); n > 10 {
		t.Errorf("%d trees: want few, for there is nothing to learn", n)
	}
	p.earlyStop = 0
	if n := len(mustBoost(t, tab, p).m.trees); n != 60 {
		t.Errorf("%d trees without early stopping: want 60", n)
	}
}

// TestBoostPrice: where there is nothing to learn, the price keeps trees from
// learning it.
func TestBoostPrice(t *testing.T) {
	if race.Enabled {
		t.Skip("statistics: the plain tests have them")
	}
	tab, _ := synthetic(t, 10_000, 8)
	for i := range tab.Y {
		tab.Y[i] = uint8(features.Mix64(uint64(i)) % 5 / 4)
	}
	excess := func(free bool) (sum float64) {
		p, err := resolveBoosted(models.Options{Trees: 30})
		if err != nil {
			t.Fatal(err)
		}
		if free {
			p.perGroup, p.catL2, p.l2 = 0, 0, 0
		}
		for _, p := range mustBoost(t, tab, p).Probabilities(tab, nil, 1) {
			sum += .2*math.Log(.2/p) + .8*math.Log(.8/(1-p))
		}
		return sum / float64(tab.Rows)
	}
	with, without := excess(false), excess(true)
	if with > .005 || with > without/10 {
		t.Errorf("log loss above the best possible: %v, without a price %v: want little", with, without)
	}
}

// TestBoostExtremes: labels and weights that leave little to do.
func TestBoostExtremes(t *testing.T) {
	f := func(name string, tab *features.Table, low, high float64) {
		t.Helper()
		p := plainBoost()
		p.trees = 20
		m := mustBoost(t, tab, p)
		for i, p := range m.Probabilities(tab, nil, 1) {
			if !(p >= low && p <= high) {
				t.Errorf("%s: row %d: probability %v, want %v … %v", name, i, p, low, high)
			}
		}
	}
	three := []float64{1, 2, 3}
	f("no click", columns(t, []uint8{0, 0, 0}, three), 0, .2)
	f("all clicks", columns(t, []uint8{1, 1, 1}, three), .8, 1)
	f("one row", columns(t, []uint8{1}, []uint32{3}), .5, 1)
	f("constant columns", columns(t, []uint8{1, 0}, []uint32{1, 1}, []float64{math.NaN(), math.NaN()}), .5, .5)
	f("no columns", columns(t, []uint8{1, 0}), .5, .5)
	tab := columns(t, []uint8{1, 0, 1}, three)
	tab.W = []float64{1, 1, 0}
	f("a row without weight", tab, 0, 1)
	tab.W = []float64{1e-300, 1e-300, 1e-300}
	f("tiny weights", tab, .3, .8)
	tab.W = []float64{1e300, 1e300, 1e-300}
	f("huge weights", tab, 0, 1)
}

func TestBoostErrors(t *testing.T) {
	tab := columns(t, []uint8{1, 0}, []float64{1, 2})
	x := func(v float64) *float64 { return &v }
	early := int64(-1)
	f := func(want string, tab *features.Table, o models.Options) {
		t.Helper()
		_, err := TrainBoosted(context.Background(), tab, o, nil)
		if err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), "gbdt: ") {
			t.Errorf("error %v: want %s", err, want)
		}
	}
	f("trees -1: want 1", tab, models.Options{Trees: -1})
	f("depth 65: want 1..64", tab, models.Options{Depth: 65})
	f("leaves 1: want 2", tab, models.Options{Leaves: 1})
	f("min-leaf -3: want 1", tab, models.Options{MinLeaf: -3})
	f("l2 -1: want", tab, models.Options{L2: x(-1)})
	f("l2 NaN: want", tab, models.Options{L2: x(math.NaN())})
	f("learning-rate 0: want", tab, models.Options{LearnRate: x(0)})
	f("cat-smooth -1: want", tab, models.Options{CatSmooth: x(-1)})
	f("row-share 0: want", tab, models.Options{RowShare: x(0)})
	f("column-share 2: want", tab, models.Options{ColShare: x(2)})
	f("valid-share 1: want", tab, models.Options{ValidShare: x(1)})
	f("early-stop -1: want 0 (never) or more; threads", tab, models.Options{EarlyStop: &early, Threads: -1})
	f("no rows", columns(t, nil), models.Options{})
	tab.W = []float64{0, 0}
	f("add up to 0", tab, models.Options{})
	tab.W = []float64{1, math.Inf(1)}
	f("weight +Inf of row 1", tab, models.Options{})
}

func TestBoostCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	tab := mixed(t, 3000)
	_, err := TrainBoosted(ctx, tab, models.Options{Trees: 1000}, func(done, _ int, _ string) {
		if done == 2 {
			cancel()
		}
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error %v: want that of the context", err)
	}
}

// TestBoostManyFields: more bins than a histogram has room for.
func TestBoostManyFields(t *testing.T) {
	const n, fields = 600, 130
	cols := make([]any, fields)
	y := make([]uint8, n)
	for f := range cols {
		v := make([]float64, n)
		for i := range v {
			v[i] = float64(features.Mix64(uint64(f)<<32+uint64(i)) % 100_000)
			if f == 100 && v[i] > 50_000 {
				y[i] = 1
			}
		}
		cols[f] = v
	}
	tab := columns(t, y, cols...)
	g, err := newGrid(tab, 2, nil)
	if err != nil || g.ids > maxIDs {
		t.Fatalf("%d ids, error %v: want at most %d", g.ids, err, maxIDs)
	}
	p := plainBoost()
	p.leaves = 2
	m := mustBoost(t, tab, p)
	if root := m.m.nodes[0]; root.field != 100 {
		t.Errorf("split of field %d: want 100", root.field)
	}
}

func TestBoostSaveLoad(t *testing.T) {
	tab := mixed(t, 3000)
	p := plainBoost()
	p.trees, p.minLeaf = 6, 5
	m := mustBoost(t, tab, p)
	got, again := reload(t, m, tab.Spec)
	ex := tab.Spec.NewExample()
	for i := range tab.Rows {
		tab.Example(i, ex)
		if p, q := m.Probability(ex), got.Probability(ex); math.Float64bits(p) != math.Float64bits(q) {
			t.Fatalf("row %d: %v, loaded %v", i, p, q)
		}
	}
	if _, third := reload(t, got, tab.Spec); !bytes.Equal(again, third) || got.Algo() != "gbdt" {
		t.Error("saved again it differs")
	}
}

// reload saves and loads a model through the registry.
func reload(t testing.TB, m models.Model, spec *features.Spec) (models.Model, []byte) {
	t.Helper()
	f := models.NewFile()
	if err := m.Save(f); err != nil {
		t.Fatal(err)
	}
	text, err := f.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	if f, err = models.ReadFile(bytes.NewReader(text), int64(len(text))); err != nil {
		t.Fatal(err)
	}
	a, err := models.Lookup(m.Algo())
	if err != nil {
		t.Fatal(err)
	}
	got, err := a.Load(f, spec)
	if err != nil {
		t.Fatal(err)
	}
	return got, text
}
