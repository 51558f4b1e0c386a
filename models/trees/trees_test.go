package trees

import (
	"context"
	"errors"
	"fmt"
	"math"
	"reflect"
	"runtime"
	"strings"
	"testing"

	"ctr/features"
	"ctr/models"
)

// columns makes a table of y and columns: []uint32 are codes of a category,
// []float64 numbers.
func columns(t testing.TB, y []uint8, cols ...any) *features.Table {
	t.Helper()
	tab := &features.Table{Spec: &features.Spec{}, Rows: len(y), Y: y}
	for k, col := range cols {
		fd := features.Field{Name: fmt.Sprint("f", k), Type: features.Num}
		switch col := col.(type) {
		case []float64:
			tab.Codes = append(tab.Codes, features.MakeCodes(len(y), 2))
			tab.Values = append(tab.Values, col)
		case []uint32:
			size := 1
			for _, c := range col {
				size = max(size, int(c)+1)
			}
			fd.Type, fd.Dict = features.Dict, dictionary(t, size-1)
			codes := features.MakeCodes(len(y), size)
			for i, c := range col {
				codes.Set(i, c)
			}
			tab.Codes = append(tab.Codes, codes)
			tab.Values = append(tab.Values, nil)
		}
		tab.Spec.Fields = append(tab.Spec.Fields, fd)
	}
	return tab
}

func dictionary(t testing.TB, n int) *features.Dictionary {
	var bytes []byte
	offsets := []uint64{0}
	for i := range n {
		bytes = fmt.Append(bytes, i)
		offsets = append(offsets, uint64(len(bytes)))
	}
	d, err := features.NewDictionary(bytes, offsets)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// plain are settings under which a tree is Breiman's: no penalty, no pooling
// of categories, leaves at their own rates.
func plain(algo string) params {
	p, err := resolve(algo, models.Options{MinLeaf: 1, Threads: 1})
	if err != nil {
		panic(err)
	}
	p.minGroup, p.steady, p.base, p.perGroup, p.shrink = 1, 0, 0, 0, 0
	return p
}

func mustFit(t testing.TB, algo string, tab *features.Table, p params) *Model {
	t.Helper()
	m, err := fit(context.Background(), algo, tab, p, nil)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func probability(m *Model, fields int, code uint32, value float64) float64 {
	ex := &features.Example{Codes: make([]uint32, fields), Values: make([]float64, fields)}
	for f := range fields {
		ex.Codes[f], ex.Values[f] = code, value
	}
	return m.Probability(ex)
}

func TestTreeByHand(t *testing.T) {
	nan := math.NaN()
	f := func(name string, tab *features.Table, p params, want map[any]float64) {
		t.Helper()
		m := mustFit(t, "dt", tab, p)
		for at, p := range want {
			code, value := uint32(0), nan
			switch at := at.(type) {
			case int:
				code = uint32(at)
			case float64:
				value = at
			}
			if got := probability(m, len(tab.Codes), code, value); math.Abs(got-p) > 1e-15 {
				t.Errorf("%s: at %v: %v, want %v", name, at, got, p)
			}
		}
	}
	stump := plain("dt")
	stump.depth = 1
	f("number", columns(t, []uint8{0, 0, 1, 1, 1}, []float64{1, 2, 4, 5, 9}), stump,
		map[any]float64{1.: 0, 3.: 0, 3.001: 1, 1e300: 1, math.Inf(-1): 0, nan: 1})
	f("missing numbers on the left", columns(t, []uint8{0, 0, 0, 1, 1, 1}, []float64{nan, nan, 2, 4, 5, 9}), stump,
		map[any]float64{1.: 0, 3.5: 1, nan: 0})
	f("missing numbers alone", columns(t, []uint8{1, 1, 0, 0, 0, 0}, []float64{nan, nan, 2, 4, 5, 9}), stump,
		map[any]float64{1.: 0, 99.: 0, nan: 1})
	f("categories: subset {1, 3}", columns(t, []uint8{1, 0, 1, 0, 0, 0}, []uint32{1, 2, 3, 4, 4, 4}), stump,
		map[any]float64{1: 1, 2: 0, 3: 1, 4: 0, 5: .0, 1 << 30: 0, 0: 0})
	f("unseen codes of no training row go with the larger side", columns(t, []uint8{1, 1, 1, 0}, []uint32{1, 1, 2, 3}), stump,
		map[any]float64{1: 1, 2: 1, 3: 0, 4: 1, 0: 1})
	f("code 0 goes with its own rows", columns(t, []uint8{0, 1, 1, 0}, []uint32{0, 1, 2, 0}), stump,
		map[any]float64{0: 0, 1: 1, 2: 1, 3: 0, 77: 0})
	smooth := stump
	smooth.shrink = 2
	f("leaves drawn to the parent", columns(t, []uint8{0, 0, 1, 1}, []float64{1, 2, 3, 4}), smooth,
		map[any]float64{1.: .25, 4.: .75})
	few := stump
	few.minLeaf = 2
	f("a leaf of one row is too small", columns(t, []uint8{1, 0, 0, 0}, []float64{1, 2, 3, 4}), few,
		map[any]float64{1.: .5, 2.: .5, 3.: 0})
	pooled := stump
	pooled.minGroup = 2
	f("rare categories stay together", columns(t, []uint8{1, 0, 0, 1, 1, 0, 0}, []uint32{3, 4, 5, 1, 1, 2, 2}), pooled,
		map[any]float64{1: 1, 2: .2, 3: .2, 4: .2, 9: .2})
}

func TestOneLeaf(t *testing.T) {
	nan := math.NaN()
	f := func(name string, want float64, tab *features.Table, o models.Options) {
		t.Helper()
		for _, algo := range []string{"dt", "rf"} {
			p, err := resolve(algo, o)
			if err != nil {
				t.Fatal(err)
			}
			p.bootstrap = false
			m := mustFit(t, algo, tab, p)
			if got := probability(m, len(tab.Codes), 1, 1); got != want || len(m.nodes) != len(m.trees) {
				t.Errorf("%s %s: %v, %d nodes: want %v and 1 a tree", algo, name, got, len(m.nodes), want)
			}
		}
	}
	f("one row", 1, columns(t, []uint8{1}, []uint32{1}, []float64{1}), models.Options{})
	f("no clicks", 0, columns(t, make([]uint8, 500), seq(500)), models.Options{})
	f("constant columns", .5, columns(t, alternate(500), make([]uint32, 500), make([]float64, 500)), models.Options{})
	missing := make([]float64, 500)
	for i := range missing {
		missing[i] = nan
	}
	f("only missing numbers", .5, columns(t, alternate(500), missing), models.Options{})
	f("min-leaf above the rows", .5, columns(t, alternate(500), seq(500)), models.Options{MinLeaf: 501})
	f("a column of noise", .5, columns(t, alternate(500), halves(500)), models.Options{})
	f("no columns", .5, columns(t, alternate(10)), models.Options{})
}

func seq(n int) []float64 {
	v := make([]float64, n)
	for i := range v {
		v[i] = float64(i)
	}
	return v
}

func alternate(n int) []uint8 {
	y := make([]uint8, n)
	for i := range y {
		y[i] = uint8(i & 1)
	}
	return y
}

func halves(n int) []uint32 {
	c := make([]uint32, n)
	for i := range c {
		c[i] = 1 + uint32(i/2&1)
	}
	return c
}

func TestOptions(t *testing.T) {
	f := func(want string, o models.Options) {
		t.Helper()
		for _, algo := range []string{"dt", "rf"} {
			a, err := models.Lookup(algo)
			if err != nil {
				t.Fatal(err)
			}
			_, err = a.Train(context.Background(), columns(t, []uint8{0, 1}, []uint32{1, 2}), o, nil)
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v, want %s", algo, err, want)
			}
		}
	}
	f("depth 65: want 1..64", models.Options{Depth: 65})
	f("min-leaf -1: want 1 or more", models.Options{MinLeaf: -1})
	f("leaves -1: want 0 (no limit) or more", models.Options{Leaves: -1})
	f("depth -1: want 1..64; leaves -2", models.Options{Depth: -1, Leaves: -2})
	f("threads -1: want 0 (all cores) or more", models.Options{Threads: -1})
	zero, two := 0., 2.
	_, err := TrainForest(context.Background(), columns(t, []uint8{0}, []uint32{1}), models.Options{RowShare: &zero, ColShare: &two, Trees: -1}, nil)
	if want := "rf: trees -1: want 1..1048576; row share 0: want more than 0, at most 1; column share 2: want more than 0, at most 1"; err == nil || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
	if _, err := TrainTree(context.Background(), columns(t, nil), models.Options{}, nil); err == nil || err.Error() != "dt: no rows: want 1 or more" {
		t.Errorf("no rows: %v", err)
	}
	tab := columns(t, []uint8{0, 1}, []uint32{1, 2})
	tab.W = []float64{1, math.NaN()}
	if _, err := TrainTree(context.Background(), tab, models.Options{}, nil); err == nil || !strings.Contains(err.Error(), "weight NaN of row 1") {
		t.Errorf("weight NaN: %v", err)
	}
}

func TestCancel(t *testing.T) {
	tab, _ := synthetic(t, 3000, 1)
	ctx, cancel := context.WithCancel(context.Background())
	done := 0
	_, err := TrainForest(ctx, tab, models.Options{Trees: 1 << 16, Threads: 2}, func(n, total int, note string) {
		if done++; n != done || total != 1<<16 || note == "" {
			t.Errorf("progress %d of %d, %q: want %d of %d", n, total, note, done, 1<<16)
		}
		if done == 3 {
			cancel()
		}
	})
	if !errors.Is(err, context.Canceled) || done > 5 {
		t.Errorf("%v after %d trees, want %v after 3 to 5", err, done, context.Canceled)
	}
}

func TestLeaves(t *testing.T) {
	tab, _ := synthetic(t, 8_000, 1)
	p := plain("dt")
	p.depth, p.minLeaf = 10, 50
	all := mustFit(t, "dt", tab, p)
	last := math.Inf(1)
	for _, leaves := range []int{1, 2, 3, 10, 40, 1 << 20} {
		p.leaves = leaves
		m := mustFit(t, "dt", tab, p)
		n := 0
		for i := range m.nodes {
			if m.nodes[i].kind == leaf {
				n++
			}
		}
		if want := min(leaves, (len(all.nodes)+1)/2); n != want {
			t.Errorf("%d leaves, want %d", n, want)
		}
		loss := logLoss(m, tab)
		if loss >= last {
			t.Errorf("%d leaves: log loss %v on the training rows, %v with fewer leaves", n, loss, last)
		}
		last = loss
	}
}

// TestSample: so many rows are drawn as RowShare says, and no others.
func TestSample(t *testing.T) {
	tab, _ := synthetic(t, 1000, 1)
	p := plain("rf")
	b := bin(tab, &p)
	f := func(share float64, bootstrap bool, want, most int) {
		t.Helper()
		p := plain("rf")
		p.rowShare, p.bootstrap = share, bootstrap
		g := newGrower(b, &p, 1)
		var before []entry
		for seed := range uint64(5) {
			g.sample(seed)
			n := g.total(g.es)
			if int(n.n) != want || len(g.es) > most {
				t.Errorf("%v %v: %v draws of %d rows: want %d of at most %d", share, bootstrap, n.n, len(g.es), want, most)
			}
			for k, e := range g.es {
				if k > 0 && e.row() <= g.es[k-1].row() || e.click() != (tab.Y[e.row()] == 1) {
					t.Fatalf("%v %v: entry %d: row %d", share, bootstrap, k, e.row())
				}
			}
			if want < 1000 && reflect.DeepEqual(before, g.es) {
				t.Errorf("%v %v: two seeds draw the same rows", share, bootstrap)
			}
			before = append(before[:0], g.es...)
		}
	}
	f(1, false, 1000, 1000)
	f(.25, false, 250, 250)
	f(.0001, false, 1, 1)
	f(1, true, 1000, 680)
	f(.5, true, 500, 450)
}

func TestNoAllocation(t *testing.T) {
	tab, _ := synthetic(t, 5000, 1)
	p := plain("rf")
	p.trees = 5
	m := mustFit(t, "rf", tab, p)
	ex := &features.Example{Codes: make([]uint32, len(tab.Codes)), Values: make([]float64, len(tab.Codes))}
	tab.Example(17, ex)
	sum := 0.
	if n := testing.AllocsPerRun(100, func() { sum += m.Probability(ex) }); n != 0 {
		t.Errorf("%v allocations, want 0", n)
	}
	runtime.KeepAlive(sum)
}

// TestAvazu holds the defaults to what the best settings of other tools reach
// on real rows.
func TestAvazu(t *testing.T) {
	train, test := readAvazu(t).split("14102203")
	s := train.spec(t, 1)
	a, b := train.table(s), test.table(s)
	f := func(algo string, want float64) {
		t.Helper()
		p, err := resolve(algo, models.Options{})
		if err != nil {
			t.Fatal(err)
		}
		m := mustFit(t, algo, a, p)
		if loss := logLoss(m, b); loss > want {
			t.Errorf("%s: log loss %.5f, want at most %v", algo, loss, want)
		} else {
			t.Logf("%s: log loss %.5f, %d nodes", algo, loss, len(m.nodes))
		}
	}
	f("dt", .4118)
	f("rf", .4086)
}
