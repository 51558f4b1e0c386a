package crosses

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"ctr/features"
	"ctr/features/race"
	"ctr/models/linear"
)

// made says what rows to make: columns c0, c1 … of so many values each.
type made struct {
	rows  int
	seed  uint64
	sizes []int
	main  float64         // spread of the effects of single values
	pairs map[[2]int]bool // pairs whose combinations have effects of their own
	pair  float64         // and their spread
}

// table draws the rows: half of a column's values are frequent, half rare.
func (m made) table(t testing.TB) *features.Table {
	t.Helper()
	rng := rand.New(rand.NewPCG(m.seed, 7))
	spec := &features.Spec{}
	out := &features.Table{Rows: m.rows, Spec: spec, Values: make([][]float64, len(m.sizes)), Y: make([]uint8, m.rows)}
	margin := make([]float64, m.rows)
	for i := range margin {
		margin[i] = -1.5
		out.Hour = append(out.Hour, int32(i/(m.rows/20+1)))
	}
	for f, size := range m.sizes {
		spec.Fields = append(spec.Fields, features.Field{
			Name: fmt.Sprintf("c%d", f), From: []string{fmt.Sprintf("c%d", f)}, Type: features.Dict, Dict: dictionary(t, size-1),
		})
		codes := features.MakeCodes(m.rows, size)
		for i := range m.rows {
			codes.Set(i, uint32(1+float64(size-1)*math.Pow(rng.Float64(), 1.5)))
			margin[i] += m.main * effect(uint64(f), uint64(codes.At(i)))
		}
		out.Codes = append(out.Codes, codes)
	}
	for p := range m.pairs {
		for i := range m.rows {
			margin[i] += m.pair * effect(uint64(100+10*p[0]+p[1]), uint64(out.Codes[p[0]].At(i))<<32+uint64(out.Codes[p[1]].At(i)))
		}
	}
	for i, x := range margin {
		if rng.Float64() < linear.Sigmoid(x) {
			out.Y[i] = 1
		}
	}
	return out
}

// effect is a standard normal number that belongs to what and value.
func effect(what, value uint64) float64 {
	return rand.New(rand.NewPCG(what, value)).NormFloat64()
}

func dictionary(t testing.TB, values int) *features.Dictionary {
	t.Helper()
	var text strings.Builder
	offsets := []uint64{0}
	for i := range values {
		fmt.Fprintf(&text, "v%d", i)
		offsets = append(offsets, uint64(text.Len()))
	}
	d, err := features.NewDictionary([]byte(text.String()), offsets)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func find(t testing.TB, table *features.Table, o Options) *Result {
	t.Helper()
	r, err := Search(context.Background(), table, o, nil)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func columns(r *Result) (pairs []string) {
	for _, p := range r.Pairs {
		pairs = append(pairs, p.Columns[0]+"*"+p.Columns[1])
	}
	slices.Sort(pairs)
	return pairs
}

var planted = made{
	rows: 12_000, sizes: []int{4, 12, 30, 300, 8, 3000},
	main: 0.4, pair: 0.8, pairs: map[[2]int]bool{{0, 2}: true, {1, 4}: true, {0, 3}: true},
}

func TestFindsPlantedPairs(t *testing.T) {
	seeds := uint64(2)
	if race.Enabled {
		seeds = 1
	}
	for seed := range seeds {
		m := planted
		m.seed = seed
		r := find(t, m.table(t), Options{Pairs: 5})
		if got := columns(r); !slices.Equal(got, []string{"c0*c2", "c0*c3", "c1*c4"}) {
			t.Errorf("seed %d: found %v, want those planted", seed, got)
		}
		sum := 0.0
		for _, p := range r.Pairs {
			if !(p.Gain > DefaultErrors*p.Error && p.Error > 0) {
				t.Errorf("seed %d: %v gains %v ± %v", seed, p.Columns, p.Gain, p.Error)
			}
			sum += p.Gain
		}
		if r.Next == nil || r.Candidates != 15 || r.Judged != m.rows {
			t.Errorf("seed %d: %+v", seed, r)
		}
		// What single columns gain after a pair is in After, too.
		if fell := r.Before - r.After; math.Abs(fell-sum) > 0.2*sum {
			t.Errorf("seed %d: log loss falls by %v, pairs gain %v", seed, fell, sum)
		}
	}
}

// Without interactions nothing is found, though there are main effects and
// columns of as many values as rows, whose effects the first model shrinks.
func TestFindsNothingWhereNothingIs(t *testing.T) {
	seeds := uint64(6)
	if race.Enabled {
		seeds = 2
	}
	for seed := range seeds {
		m := made{rows: 8000, seed: seed, sizes: []int{3, 5, 40, 400, 1500, 8000}, main: 0.6}
		if seed%2 == 1 { // c1 has one value: c0*c1, c1*c2 are columns that were there
			m.sizes, m.main = []int{3, 2, 600, 8000}, 1.2
		}
		if r := find(t, m.table(t), Options{Pairs: 3}); len(r.Pairs) > 0 {
			t.Errorf("seed %d: found %v: gain %v ± %v", seed, columns(r), r.Pairs[0].Gain, r.Pairs[0].Error)
		}
	}
}

func TestSameAtAnyNumberOfThreads(t *testing.T) {
	m := planted
	m.seed = 3
	table := m.table(t)
	want := find(t, table, Options{Pairs: 4, Threads: 1})
	counts := []int{2, 7}
	if race.Enabled {
		counts = []int{7}
	}
	for _, threads := range counts {
		if got := find(t, table, Options{Pairs: 4, Threads: threads}); !reflect.DeepEqual(got, want) {
			t.Errorf("%d threads: %+v, want %+v", threads, got, want)
		}
	}
}

// Rows need not be in the order of their time.
func TestOrderOfRowsOnlyMattersForSums(t *testing.T) {
	if race.Enabled {
		t.Skip("sums of two orders: the plain tests have them")
	}
	m := planted
	m.seed = 4
	table := m.table(t)
	order := rand.New(rand.NewPCG(5, 5)).Perm(table.Rows)
	rows := make([]int32, len(order))
	for i, r := range order {
		rows[i] = int32(r)
	}
	want, got := find(t, table, Options{Pairs: 3}), find(t, reorder(table, rows), Options{Pairs: 3})
	if !slices.Equal(columns(got), columns(want)) || math.Abs(got.After-want.After) > 1e-4 {
		t.Errorf("%+v, want %+v", got, want)
	}
}

// A weight of k is k rows.
func TestWeights(t *testing.T) {
	m := planted
	m.seed, m.rows = 6, 8000
	table := m.table(t)
	rng := rand.New(rand.NewPCG(8, 8))
	table.W = make([]float64, table.Rows)
	var rows []int32
	for i := range table.W {
		table.W[i] = float64(rng.IntN(3))
		for range int(table.W[i]) {
			rows = append(rows, int32(i))
		}
	}
	twice := *table
	twice.W = nil
	slices.Reverse(rows)
	repeated := reorder(&twice, rows)
	repeated.Rows = len(rows)
	o := Options{Pairs: 3, Errors: 1e-9} // the error is of rows, however they weigh
	want, got := find(t, repeated, o), find(t, table, o)
	if !slices.Equal(columns(got), columns(want)) || math.Abs(got.After-want.After) > 1e-5 || math.Abs(got.Before-want.Before) > 1e-5 {
		t.Errorf("%+v, want %+v", got, want)
	}
}

// The approximate gain that pairs are ranked by is near the exact one.
func TestScreenIsNearExact(t *testing.T) {
	m := planted
	m.seed = 2
	s := newSearch(context.Background(), m.table(t), Options{}.withDefaults())
	if err := s.begin(context.Background()); err != nil {
		t.Fatal(err)
	}
	x := newScratch()
	for _, c := range append(s.pairs, s.singles...) {
		gain := s.screen(c, x) / s.weight()
		s.exact(c, x)
		if math.Abs(gain-c.gain) > 0.15*math.Abs(c.gain)+5e-5 {
			t.Errorf("%d*%d: screened %v, exact %v ± %v", c.a, c.b, gain, c.gain, c.err)
		}
	}
}

// Cells keep combinations apart while there is room, and spread them evenly
// where there is not.
func TestCells(t *testing.T) {
	if race.Enabled {
		t.Skip("one goroutine")
	}
	f := func(sizeA, sizeB, rows int, want float64) {
		t.Helper()
		m := made{rows: rows, sizes: []int{sizeA, sizeB}}
		s := newSearch(context.Background(), m.table(t), Options{}.withDefaults())
		seen, cells := map[[2]uint32]uint32{}, map[uint32]bool{}
		at := make([]uint32, rows)
		v := s.views[0]
		c := v.cells(s.pairs[0])
		c.find(0, at)
		for i, k := range at {
			pair := [2]uint32{v.t.Codes[0].At(i), v.t.Codes[1].At(i)}
			if old, ok := seen[pair]; ok && old != k || int(k) >= c.n {
				t.Fatalf("%v: cells %d and %d of %d", pair, old, k, c.n)
			}
			seen[pair], cells[k] = k, true
		}
		if share := float64(len(cells)) / float64(len(seen)); share < want {
			t.Errorf("%d × %d values: %d cells for %d combinations, want %v of them", sizeA, sizeB, len(cells), len(seen), want)
		}
	}
	f(200, 100, 5000, 1)
	f(2, 30_000, 5000, 1)
	f(30_000, 2, 5000, 1)
	// With eight cells a row and more, one in 16 is shared at most.
	f(200, 5000, 5000, 0.94)
	f(1000, 1000, 5000, 0.94)
	f(70_000, 60_000, 50_000, 0.94)
	f(90_000, 80, 50_000, 0.94)
	f(300, 70_000, 50_000, 0.94)
	f(1<<20+5, 3, 50_000, 0.94)
}

func TestLeavesOut(t *testing.T) {
	m := planted
	table := m.table(t)
	add := func(name string, from []string, kind features.FieldType, codes features.Codes) {
		table.Spec.Fields = append(table.Spec.Fields, features.Field{Name: name, From: from, Type: kind, Bounds: make([]float64, 10), Dict: dictionary(t, 100), Scale: 1})
		table.Codes, table.Values = append(table.Codes, codes), append(table.Values, nil)
	}
	codes := features.MakeCodes(table.Rows, 101)
	for i := range table.Rows {
		codes.Set(i, 1+table.Codes[0].At(i)*29+table.Codes[2].At(i)%29)
	}
	add("c2*c0", []string{"c2", "c0"}, features.Dict, codes)
	add("n", []string{"n"}, features.Num, features.MakeCodes(table.Rows, 12))
	r := find(t, table, Options{Pairs: 5})
	if got := columns(r); slices.Contains(got, "c0*c2") || r.Candidates != 14 {
		t.Errorf("found %v of %d, want 14 and not the one that is there", got, r.Candidates)
	}
}

func TestNothingToDo(t *testing.T) {
	f := func(what string, change func(*features.Table)) {
		t.Helper()
		m := planted
		m.rows = 200
		table := m.table(t)
		change(table)
		r := find(t, table, Options{Pairs: 2})
		if len(r.Pairs) > 0 || math.IsNaN(r.Before) || math.IsNaN(r.After) {
			t.Errorf("%s: %+v", what, r)
		}
	}
	f("no rows", func(t *features.Table) { t.Rows, t.Hour, t.Y = 0, nil, nil })
	f("two rows", func(t *features.Table) { *t = *reorder(t, []int32{1, 0}); t.Rows = 2; t.Hour = nil })
	f("one label", func(t *features.Table) { clear(t.Y) })
	f("no weight", func(t *features.Table) { t.W = make([]float64, t.Rows) })
	f("no weight late", func(t *features.Table) {
		t.W = make([]float64, t.Rows)
		for i := range t.Rows / 2 {
			t.W[i] = 1
		}
	})
	f("one column", func(t *features.Table) {
		spec := *t.Spec
		spec.Fields = spec.Fields[:1]
		t.Spec, t.Codes, t.Values = &spec, t.Codes[:1], t.Values[:1]
	})
}

func TestStops(t *testing.T) {
	m := planted
	table := m.table(t)
	ctx, cancel := context.WithCancel(context.Background())
	var notes []string
	_, err := Search(ctx, table, Options{Pairs: 3}, func(done, total int, note string) {
		notes = append(notes, fmt.Sprint(done, "/", total, " ", note))
		if done == 1 {
			cancel()
		}
	})
	if !errors.Is(err, context.Canceled) || len(notes) != 2 || notes[0] != "0/3 single columns" {
		t.Errorf("error %v after %q", err, notes)
	}
	for _, n := range []int{0, -1, MaxPairs + 1} {
		if _, err := Search(context.Background(), table, Options{Pairs: n}, nil); err == nil || !strings.Contains(err.Error(), "want 1 … 100") {
			t.Errorf("%d pairs: error %v", n, err)
		}
	}
}

func BenchmarkSearch(b *testing.B) {
	m := planted
	m.rows = 100_000
	table := m.table(b)
	b.ReportAllocs()
	for b.Loop() {
		if r := find(b, table, Options{Pairs: 3}); len(r.Pairs) != 3 {
			b.Fatalf("%+v", r)
		}
	}
}
