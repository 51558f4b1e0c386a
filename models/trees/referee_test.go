package trees

import (
	"encoding/json"
	"math"
	"os"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"ctr/features"
)

// TestBestSplit: no other split of a small table explains more than the one
// that was found, whatever subset of categories or threshold is tried, and
// leaves are at their rates.
func TestBestSplit(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		n := rapid.IntRange(1, 40).Draw(rt, "rows")
		y := rapid.SliceOfN(rapid.Uint8Range(0, 1), n, n).Draw(rt, "y")
		var cols []any
		for range rapid.IntRange(1, 3).Draw(rt, "columns") {
			if rapid.Bool().Draw(rt, "number") {
				v := rapid.SliceOfN(rapid.SampledFrom([]float64{math.NaN(), math.Inf(-1), -2.5, 0, 1e-300, 3, 7, math.MaxFloat64, math.Inf(1)}), n, n)
				cols = append(cols, v.Draw(rt, "v"))
			} else {
				cols = append(cols, rapid.SliceOfN(rapid.Uint32Range(0, 7), n, n).Draw(rt, "codes"))
			}
		}
		tab := columns(t, y, cols...)
		if rapid.Bool().Draw(rt, "weighted") {
			tab.W = rapid.SliceOfN(rapid.SampledFrom([]float64{.25, 1, 1.75, 3}), n, n).Draw(rt, "w")
		}
		p := plain("dt")
		p.depth = 1
		p.directRows = rapid.SampledFrom([]int{0, 1000}).Draw(rt, "direct")
		m := mustFit(t, "dt", tab, p)
		left := make([]bool, n)
		ex := &features.Example{Codes: make([]uint32, len(cols)), Values: make([]float64, len(cols))}
		var sides [2]sums
		probs := make([]float64, n)
		for i := range n {
			tab.Example(i, ex)
			probs[i] = m.Probability(ex)
			left[i] = probs[i] == m.nodes[min(1, len(m.nodes)-1)].value()
		}
		got := gainOf(tab, left, &sides)
		if want := bestGain(tab); math.Abs(got-want) > 1e-9*float64(n) {
			rt.Fatalf("gain %v, the best is %v", got, want)
		}
		for i, p := range probs {
			s := sides[0]
			if left[i] {
				s = sides[1]
			}
			if math.Abs(p-s.rate()) > 1e-12 {
				rt.Fatalf("row %d: probability %v, want %v", i, p, s.rate())
			}
		}
	})
}

// gainOf gives what a split of all rows gains: the sum over both sides of
// clicks²/weight, less that of all rows.
func gainOf(t *features.Table, left []bool, sides *[2]sums) float64 {
	*sides = [2]sums{}
	var all sums
	for i := range t.Rows {
		r := sums{n: 1, w: 1}
		if t.W != nil {
			r.w = t.W[i]
		}
		r.y = r.w * float64(t.Y[i])
		all.add(r)
		if left[i] {
			sides[1].add(r)
		} else {
			sides[0].add(r)
		}
	}
	return sides[0].score() + sides[1].score() - all.score()
}

// bestGain tries all subsets of the values of a category, all thresholds of a
// number with missing values on both sides.
func bestGain(t *features.Table) (best float64) {
	left := make([]bool, t.Rows)
	var sides [2]sums
	try := func(in func(i int) bool) {
		for i := range left {
			left[i] = in(i)
		}
		best = max(best, gainOf(t, left, &sides))
	}
	for f := range t.Codes {
		if v := t.Values[f]; v != nil {
			for _, at := range v {
				try(func(i int) bool { return v[i] <= at })
				try(func(i int) bool { return !(v[i] > at) })
			}
			try(func(i int) bool { return math.IsNaN(v[i]) })
			continue
		}
		for subset := range 1 << 8 {
			try(func(i int) bool { return subset>>t.Codes[f].At(i)&1 != 0 })
		}
	}
	return best
}

// TestScikitLearn: on numbers, with Gini impurity and no smoothing, trees are
// scikit-learn's. testdata is written by scripts/crosscheck/trees_reference.py.
func TestScikitLearn(t *testing.T) {
	text, err := os.ReadFile("testdata/sklearn.json")
	if err != nil {
		t.Fatal(err)
	}
	var ref struct {
		X     [][]float64
		Y     []uint8
		W     []float64
		Trees []struct {
			Depth, Leaves, MinLeaf int
			Weighted               bool
			Probability            []float64
			Rows                   []uint32
		}
	}
	if err := json.Unmarshal(text, &ref); err != nil {
		t.Fatal(err)
	}
	var cols []any
	for f := range ref.X[0] {
		v := make([]float64, len(ref.X))
		for i, x := range ref.X {
			v[i] = x[f]
		}
		cols = append(cols, v)
	}
	tab := columns(t, ref.Y, cols...)
	for k, want := range ref.Trees {
		p := plain("dt")
		p.depth, p.minLeaf, p.leaves = want.Depth, want.MinLeaf, want.Leaves
		if tab.W = nil; want.Weighted {
			tab.W = ref.W
		}
		m := mustFit(t, "dt", tab, p)
		rows := slices.Clone(m.rows)
		slices.Sort(rows)
		if !slices.Equal(rows, want.Rows) {
			t.Errorf("tree %d: nodes of rows %v, want %v", k, rows, want.Rows)
		}
		ex := &features.Example{Codes: make([]uint32, len(cols)), Values: make([]float64, len(cols))}
		for i := range tab.Rows {
			tab.Example(i, ex)
			if got := m.Probability(ex); math.Abs(got-want.Probability[i]) > 1e-12 {
				t.Fatalf("tree %d: row %d: %v, want %v", k, i, got, want.Probability[i])
			}
		}
	}
}

// TestContains compares a search with a look at each.
func TestContains(t *testing.T) {
	for set := range 1 << 8 {
		var list []uint32
		for c := range uint32(8) {
			if set>>c&1 != 0 {
				list = append(list, 10*c)
			}
		}
		for code := range uint32(80) {
			if got, want := contains(list, code), slices.Contains(list, code); got != want {
				t.Fatalf("%d in %v: %v", code, list, got)
			}
		}
	}
}
