package stack

import (
	"bytes"
	"context"
	"errors"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"ctr/features"
	"ctr/features/race"
	"ctr/models"
	"ctr/models/linear"
	"ctr/models/trees"
)

// rows gives a table of categories and a number whose clicks depend on a pair
// of them, which no logistic regression sees; with noise they depend on
// nothing.
func rows(t testing.TB, n int, noise bool) *features.Table {
	tab := &features.Table{Spec: &features.Spec{}, Rows: n, Y: make([]uint8, n)}
	for f, size := range []int{8, 8, 300, 2000} {
		d, err := numbered(size)
		if err != nil {
			t.Fatal(err)
		}
		codes := features.MakeCodes(n, size+1)
		for i := range n {
			codes.Set(i, uint32(features.Mix64(uint64(f)<<40+uint64(i))%uint64(size+1)))
		}
		tab.Spec.Fields = append(tab.Spec.Fields, features.Field{Name: strconv.Itoa(f), Type: features.Dict, Dict: d})
		tab.Codes, tab.Values = append(tab.Codes, codes), append(tab.Values, nil)
	}
	v := make([]float64, n)
	for i := range v {
		if v[i] = float64(features.Mix64(uint64(i)+99)%100) / 10; i%9 == 0 {
			v[i] = math.NaN()
		}
	}
	tab.Spec.Fields = append(tab.Spec.Fields, features.Field{Name: "v", Type: features.Num, Bounds: []float64{2, 5}, Scale: 1})
	codes := features.MakeCodes(n, 4)
	for i, x := range v {
		if x == x {
			codes.Set(i, 1)
		}
	}
	tab.Codes, tab.Values = append(tab.Codes, codes), append(tab.Values, v)
	for i := range tab.Y {
		p := 200
		if !noise && (tab.Codes[0].At(i)+tab.Codes[1].At(i))%2 == 0 {
			p = 600
		}
		if features.Mix64(uint64(i)+12345)%1000 < uint64(p) {
			tab.Y[i] = 1
		}
	}
	return tab
}

func mustFit(t testing.TB, tab *features.Table, o models.Options) *Model {
	t.Helper()
	m, err := fit(context.Background(), tab, o, nil)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// loss gives the mean log loss on the rows of tab from row lo on.
func loss(m models.Model, tab *features.Table, lo int) (sum float64) {
	ex := tab.Spec.NewExample()
	for i := lo; i < tab.Rows; i++ {
		tab.Example(i, ex)
		p := m.Probability(ex)
		if tab.Y[i] == 0 {
			p = 1 - p
		}
		sum -= math.Log(p)
	}
	return sum / float64(tab.Rows-lo)
}

// first gives the first n rows.
func first(tab *features.Table, n int) *features.Table {
	out := *tab
	out.Rows, out.Y, out.Values = n, tab.Y[:n], slices.Clone(tab.Values)
	for f, v := range out.Values {
		if v != nil {
			out.Values[f] = v[:n]
		}
	}
	return &out
}

// TestLearnsPairs: the trees find what two columns do together.
func TestLearnsPairs(t *testing.T) {
	if race.Enabled {
		t.Skip("statistics: the plain tests have them")
	}
	all := rows(t, 9000, false)
	train := first(all, 6000)
	lr, err := linear.Fit(context.Background(), train, models.Options{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	m := mustFit(t, train, models.Options{})
	if a, b := loss(m, all, 6000), loss(lr, all, 6000); a > b-.05 {
		t.Errorf("log loss %v, of logistic regression alone %v: want far less", a, b)
	}
}

// TestHonest: where clicks depend on nothing, leaves get next to no weight,
// whatever the trees learned of their own rows.
func TestHonest(t *testing.T) {
	if race.Enabled {
		t.Skip("statistics: the plain tests have them")
	}
	all := rows(t, 9000, true)
	m := mustFit(t, first(all, 6000), models.Options{MinLeaf: 5})
	best := -.2*math.Log(.2) - .8*math.Log(.8)
	if got := loss(m, all, 6000); got > best+.03 {
		t.Errorf("log loss %v: want little more than %v", got, best)
	}
}

// TestJoin: the model gives what the logistic regression on the wide table
// gives when a row's leaves in all sets count a third each.
func TestJoin(t *testing.T) {
	tab := rows(t, 3000, false)
	o := models.Options{Trees: 4}
	part := parts(tab.Rows, 0)
	list, err := trees.BoostParts(context.Background(), tab, others(part), treeOptions(o), nil)
	if err != nil {
		t.Fatal(err)
	}
	wide, err := widen(tab, list, part, 1)
	if err != nil {
		t.Fatal(err)
	}
	lr, err := linear.Fit(context.Background(), wide, linearOptions(o), nil)
	if err != nil {
		t.Fatal(err)
	}
	m := mustFit(t, tab, o)
	var sides [sets]*features.Table
	for k := range sides {
		same := bytes.Repeat([]byte{byte(k)}, tab.Rows)
		if sides[k], err = widen(tab, list, same, 1); err != nil {
			t.Fatal(err)
		}
	}
	ex, wx := tab.Spec.NewExample(), wide.Spec.NewExample()
	for i := range tab.Rows {
		tab.Example(i, ex)
		want := 0.
		for _, side := range sides {
			side.Example(i, wx)
			want += lr.LogOdds(wx) / sets
		}
		if got := m.LogOdds(ex); math.Abs(got-want) > 1e-9 {
			t.Fatalf("row %d: log-odds %v, want %v", i, got, want)
		}
	}
}

// TestThreads: the number of threads does not show, and a table gives what its
// rows give.
func TestThreads(t *testing.T) {
	tab := rows(t, 5000, false)
	one := mustFit(t, tab, models.Options{Trees: 5, Threads: 1, Seed: 3})
	for _, threads := range []int{2, 7} {
		m := mustFit(t, tab, models.Options{Trees: 5, Threads: threads, Seed: 3})
		if !reflect.DeepEqual(m, one) {
			t.Errorf("%d threads: another model than 1", threads)
		}
	}
	ex := tab.Spec.NewExample()
	for i, p := range one.Probabilities(tab, []float64{7}, 3)[1:] {
		tab.Example(i, ex)
		if want := one.Probability(ex); math.Float64bits(p) != math.Float64bits(want) {
			t.Fatalf("row %d: %v in the table, %v alone", i, p, want)
		}
	}
	if n := testing.AllocsPerRun(100, func() { one.Probability(ex) }); n != 0 {
		t.Errorf("%v allocations a row, want 0", n)
	}
}

// TestFewRows: tables that cannot be divided.
func TestFewRows(t *testing.T) {
	for n := 1; n < 8; n++ {
		tab := rows(t, n, false)
		tab.Y[0] = 1
		m := mustFit(t, tab, models.Options{})
		for _, p := range m.Probabilities(tab, nil, 2) {
			if !(p >= 0 && p <= 1) {
				t.Errorf("%d rows: probability %v", n, p)
			}
		}
	}
}

func TestErrors(t *testing.T) {
	tab := rows(t, 50, false)
	f := func(want string, o models.Options) {
		t.Helper()
		_, err := Train(context.Background(), tab, o, nil)
		if err == nil || !strings.HasPrefix(err.Error(), "gbdt-lr: ") || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v: want %s", err, want)
		}
	}
	negative := -1.
	f("leaves 1: want 2", models.Options{Leaves: 1})
	f("l2 -1: want", models.Options{L2: &negative})
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Train(ctx, tab, models.Options{}, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v: want that of the context", err)
	}
}

func TestSaveLoad(t *testing.T) {
	tab := rows(t, 2000, false)
	m := mustFit(t, tab, models.Options{Trees: 3})
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
	got, err := Load(f, tab.Spec)
	if err != nil {
		t.Fatal(err)
	}
	ex := tab.Spec.NewExample()
	for i := range tab.Rows {
		tab.Example(i, ex)
		if p, q := m.Probability(ex), got.Probability(ex); math.Float64bits(p) != math.Float64bits(q) {
			t.Fatalf("row %d: %v, loaded %v", i, p, q)
		}
	}
	f = models.NewFile()
	if err := got.Save(f); err != nil {
		t.Fatal(err)
	}
	if again, err := f.Bytes(); err != nil || !bytes.Equal(again, text) {
		t.Errorf("saved again it differs: %v", err)
	}
	damaged := func(want, name string) {
		t.Helper()
		f := models.NewFile()
		if err := m.Save(f); err != nil {
			t.Fatal(err)
		}
		if err := f.PutF64(name, nil, []float64{math.NaN(), 1}); err != nil {
			t.Fatal(err)
		}
		if _, err := Load(f, tab.Spec); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s damaged: error %v: want %s", name, err, want)
		}
	}
	damaged("lr/weights", "lr/lr/weights")
	damaged("trees.value", "gbdt/trees.value")
	damaged("trees.base", "gbdt/trees.base")
	if _, err := Load(models.NewFile(), tab.Spec); err == nil {
		t.Error("an empty file was loaded")
	}
}

// TestContributions: with the baseline they are the row's log-odds.
func TestContributions(t *testing.T) {
	tab := rows(t, 4000, true)
	m := mustFit(t, tab, models.Options{Trees: 6})
	base, scale := m.Baseline()
	if err := m.Explains(); err != nil || scale != models.LogOdds {
		t.Fatalf("%v, in %s", err, scale)
	}
	ex := tab.Spec.NewExample()
	for i := range 200 {
		tab.Example(i, ex)
		sum := base
		for _, v := range m.Contributions(ex, nil) {
			sum += v
		}
		if want := m.LogOdds(ex); math.Abs(sum-want) > 1e-9 {
			t.Fatalf("row %d: they add up to %v, want %v", i, sum, want)
		}
	}
}
