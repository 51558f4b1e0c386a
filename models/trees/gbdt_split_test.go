package trees

import (
	"context"
	"encoding/json"
	"math"
	"os"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"ctr/features"
)

// TestBoostBestSplit: no other split of a small table gains more than the one
// that was found, whatever subset of categories or threshold is tried.
func TestBoostBestSplit(t *testing.T) {
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
		p := plainBoost()
		p.leaves, p.minLeaf, p.minGroup = 2, 0, 0
		p.threads = rapid.IntRange(1, 3).Draw(rt, "threads")
		p.wide = rapid.SampledFrom([]int{1, 1000}).Draw(rt, "wide")
		b, err := newBooster(context.Background(), tab, p)
		if err != nil {
			rt.Fatal(err)
		}
		rows := make([]int32, n)
		for i := range rows {
			rows[i] = int32(i)
		}
		m, err := b.run(rows, nil, nil)
		if err != nil {
			rt.Fatal(err)
		}
		// b.es still has each row's gradient and curvature of the only tree.
		all := make([]gsums, n)
		for _, e := range b.es {
			all[e.row()] = b.units.sums(e.tally())
		}
		got := 0.
		if m.m.nodes[0].kind != leaf {
			ex := tab.Spec.NewExample()
			left := make([]bool, n)
			for i := range left {
				tab.Example(i, ex)
				left[i] = m.m.walk(0, ex) == m.m.nodes[1].value()
			}
			got = boostGain(all, left)
		}
		if want := bestBoostGain(tab, all); math.Abs(got-want) > 1e-6*float64(n) {
			rt.Fatalf("gain %v, the best is %v", got, want)
		}
	})
}

// boostGain is what a split gains without a penalty.
func boostGain(rows []gsums, left []bool) float64 {
	var l, r gsums
	for i, s := range rows {
		if left[i] {
			l.add(s)
		} else {
			r.add(s)
		}
	}
	if l.h < 1e-3 || r.h < 1e-3 {
		return 0
	}
	return l.score(0) + r.score(0) - gsums{l.g + r.g, l.h + r.h}.score(0)
}

// bestBoostGain tries all subsets and thresholds, as bestGain does.
func bestBoostGain(t *features.Table, rows []gsums) (best float64) {
	left := make([]bool, t.Rows)
	try := func(in func(i int) bool) {
		for i := range left {
			left[i] = in(i)
		}
		best = max(best, boostGain(rows, left))
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

// TestBoostHistograms: what is counted, subtracted and spread over a bundle's
// fields is what is added up row by row.
func TestBoostHistograms(t *testing.T) {
	tab := weigh(mixed(t, 3000))
	b, err := newBooster(context.Background(), tab, plainBoost())
	if err != nil {
		t.Fatal(err)
	}
	_, bins := binColumns(tab, maxBins, 1, nil)
	b.units = firstUnits(tab.Y, tab.W, .2)
	b.es = make([]quant, tab.Rows)
	rows := make([]int32, tab.Rows)
	for i := range rows {
		rows[i] = int32(i)
		b.score[i] = -1 + float64(features.Mix64(uint64(i))%1000)/500
	}
	b.quantise(rows, 3)
	b.choose(0)
	bundled := 0
	for k := range b.g.bundles {
		bundled = max(bundled, len(b.g.bundles[k].fields))
	}
	if bundled < 3 {
		t.Fatalf("at most %d fields a bundle: want more", bundled)
	}
	whole, part := b.take(), b.take()
	b.g.count(whole, b.use, b.es)
	b.g.count(part, b.use, b.es[:1000])
	b.subtract(whole, part)
	s := newSeeker(b)
	for k := range b.g.bundles {
		u := &b.g.bundles[k]
		s.spread(u, whole[u.first:u.first+u.size])
		for j, f := range u.fields {
			want := make([]uint64, len(s.fields[j]))
			for _, e := range b.es[1000:] {
				want[bins[f][e.row()]] += e.tally()
			}
			for bin := range want {
				if s.fields[j][bin] != want[bin] {
					t.Fatalf("field %d, bin %d: %x, want %x", f, bin, s.fields[j][bin], want[bin])
				}
			}
		}
	}
}

// TestQuantise: rounded gradients and curvatures are right in the mean, and
// their sums fit.
func TestQuantise(t *testing.T) {
	f := func(w []float64, logOdds float64) {
		t.Helper()
		const n = 200_000
		tab := &features.Table{Spec: &features.Spec{}, Rows: n, Y: make([]uint8, n)}
		rows := make([]int32, n)
		for i := range rows {
			rows[i] = int32(i)
			if features.Mix64(uint64(i))%7 == 0 {
				tab.Y[i] = 1
			}
			if w != nil {
				tab.W = append(tab.W, w[i%len(w)])
			}
		}
		b, err := newBooster(context.Background(), tab, plainBoost())
		if err != nil {
			t.Fatal(err)
		}
		b.es = make([]quant, n)
		// Units from a rate that makes them far too small at first.
		b.units = firstUnits(tab.Y, tab.W, 1e-4)
		var exact, variance gsums
		for i := range b.score {
			b.score[i] = logOdds + float64(features.Mix64(uint64(i)+9)%100)/50
			p, x := sigmoid(b.score[i]), 1.
			if w != nil {
				x = tab.W[i]
			}
			exact.add(gsums{x * (p - float64(tab.Y[i])), x * p * (1 - p)})
		}
		got := b.quantise(rows, 11)
		var sum gsums
		for _, e := range b.es {
			sum.add(b.units.sums(e.tally()))
		}
		if sum != got {
			t.Errorf("rows add up to %v, want %v", sum, got)
		}
		variance = gsums{n * b.units.g * b.units.g / 4, n * b.units.h * b.units.h / 4}
		if math.Abs(got.g-exact.g) > 5*math.Sqrt(variance.g) || math.Abs(got.h-exact.h) > 5*math.Sqrt(variance.h) {
			t.Errorf("sums %v, want %v ± %v, %v", got, exact, math.Sqrt(variance.g), math.Sqrt(variance.h))
		}
	}
	f(nil, -2)
	f(nil, 0)
	f(nil, -20)
	f([]float64{.1, 3, 1000}, 1)
	f([]float64{1e-9, 2e-9}, -1)
	f([]float64{1e15}, -1)
}

// TestLightGBM: where no guess is involved, trees are LightGBM's. testdata is
// written by scripts/crosscheck/gbdt_reference.py, which says more.
func TestLightGBM(t *testing.T) {
	text, err := os.ReadFile("testdata/lightgbm.json")
	if err != nil {
		t.Fatal(err)
	}
	var ref struct {
		Numbers [][]*float64
		Codes   []uint32
		Y       []uint8
		W       []float64
		Cases   []struct {
			Trees, Leaves, Depth, MinLeaf int
			L2, Rate                      float64
			Weighted, Categories          bool
			Probability                   []float64
		}
	}
	if err := json.Unmarshal(text, &ref); err != nil {
		t.Fatal(err)
	}
	var cols []any
	for f := range ref.Numbers[0] {
		v := make([]float64, len(ref.Numbers))
		for i, row := range ref.Numbers {
			if v[i] = math.NaN(); row[f] != nil {
				v[i] = *row[f]
			}
		}
		cols = append(cols, v)
	}
	for k, want := range ref.Cases {
		used := cols
		if want.Categories {
			used = slices.Concat(cols, []any{ref.Codes})
		}
		tab := columns(t, ref.Y, used...)
		if want.Weighted {
			tab.W = ref.W
		}
		p := plainBoost()
		p.trees, p.leaves, p.depth, p.minLeaf = want.Trees, want.Leaves, or(want.Depth, maxDepth), want.MinLeaf
		p.l2, p.rate = want.L2, want.Rate
		tolerance := 1e-12
		if want.Trees > 1 {
			tolerance = 1e-3 // later trees see rounded gradients
		}
		m := mustBoost(t, tab, p)
		for i, got := range m.Probabilities(tab, nil, 1) {
			if math.Abs(got-want.Probability[i]) > tolerance {
				t.Errorf("case %d: row %d: %v, want %v", k, i, got, want.Probability[i])
				break
			}
		}
	}
}
