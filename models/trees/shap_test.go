package trees

import (
	"errors"
	"math"
	"math/bits"
	"testing"

	"ctr/features"
	"ctr/models"
)

// known gives the expected value of the trees where only some fields of a row
// are known: Algorithm 1 of Lundberg et al. 2018.
func known(m *Model, at uint32, ex *features.Example, set uint) float64 {
	n := &m.nodes[at]
	if n.kind == leaf {
		return n.value()
	}
	if set>>n.field&1 != 0 {
		if m.left(n, ex) {
			return known(m, n.child, ex, set)
		}
		return known(m, n.child+1, ex, set)
	}
	l, r := float64(m.rows[n.child]), float64(m.rows[n.child+1])
	return (l*known(m, n.child, ex, set) + r*known(m, n.child+1, ex, set)) / (l + r)
}

// shapley gives the Shapley values (Shapley 1953) of a row's fields by their
// definition: the sum over all subsets of the other fields.
func shapley(m *Model, ex *features.Example, fields int) []float64 {
	value := make([]float64, 1<<fields)
	for set := range value {
		for _, root := range m.trees {
			value[set] += known(m, root, ex, uint(set))
		}
	}
	phi := make([]float64, fields)
	for f := range phi {
		for set := range value {
			if set>>f&1 != 0 {
				continue
			}
			size := bits.OnesCount(uint(set))
			// |S|! (F - |S| - 1)! / F!
			w := math.Gamma(float64(size)+1) * math.Gamma(float64(fields-size)) / math.Gamma(float64(fields)+1)
			phi[f] += w * (value[set|1<<f] - value[set])
		}
	}
	return phi
}

// fewFields is a table of ten fields, so that all subsets can be gone through.
func fewFields(t testing.TB, n int) *features.Table {
	tab := mixed(t, n)
	keep := []int{0, 1, 2, 3, 5, 8, 11, 14, 15, 17}
	out := *tab
	spec := *tab.Spec
	spec.Fields, out.Codes, out.Values = nil, nil, nil
	for _, f := range keep {
		spec.Fields = append(spec.Fields, tab.Spec.Fields[f])
		out.Codes, out.Values = append(out.Codes, tab.Codes[f]), append(out.Values, tab.Values[f])
	}
	out.Spec = &spec
	return &out
}

func example(tab *features.Table) *features.Example {
	return &features.Example{Codes: make([]uint32, len(tab.Codes)), Values: make([]float64, len(tab.Codes))}
}

func TestContributionsAreShapleyValues(t *testing.T) {
	tab := fewFields(t, 2000)
	f := func(name string, m *Model, e models.Explainer, scale float64, output func(ex *features.Example) float64) {
		t.Helper()
		ex := example(tab)
		base, _ := e.Baseline()
		used := map[uint16]bool{}
		for i := range m.nodes {
			if m.nodes[i].kind != leaf {
				used[m.nodes[i].field] = true
			}
		}
		if len(used) < 4 {
			t.Fatalf("%s: only fields %v are used", name, used)
		}
		for i := range 40 {
			tab.Example(i*37, ex)
			got := e.Contributions(ex, []float64{7})[1:]
			want := shapley(m, ex, len(tab.Codes))
			sum := base
			for f, v := range got {
				sum += v
				if math.Abs(v-want[f]*scale) > 1e-9 {
					t.Fatalf("%s: row %d, field %d: %v, want %v", name, i*37, f, v, want[f]*scale)
				}
				if !used[uint16(f)] && v != 0 {
					t.Fatalf("%s: field %d, which no node looks at: %v", name, f, v)
				}
			}
			if math.Abs(sum-output(ex)) > 1e-9 {
				t.Fatalf("%s: row %d: they add up to %v, want %v", name, i*37, sum, output(ex))
			}
		}
	}
	for _, algo := range []string{"dt", "rf"} {
		p := plain(algo)
		p.trees, p.depth, p.minLeaf = 5, 7, 5
		if algo == "dt" {
			p.trees = 1
		}
		m := mustFit(t, algo, tab, p)
		f(algo, m, m, 1/float64(p.trees), m.Probability)
	}
	b, err := Boost(t.Context(), tab, models.Options{Trees: 20, Leaves: 12, MinLeaf: 5}, nil)
	if err != nil {
		t.Fatal(err)
	}
	f("gbdt", b.m, b, 1, b.LogOdds)
}

func TestContributionsDoNotAllocate(t *testing.T) {
	m, tab := small(t, "rf")
	ex := example(tab)
	tab.Example(3, ex)
	dst := m.Contributions(ex, nil)
	if n := testing.AllocsPerRun(100, func() { dst = m.Contributions(ex, dst[:0]) }); n > 0 {
		t.Errorf("%v allocations a row, want 0", n)
	}
}

func TestNoCover(t *testing.T) {
	m, tab := small(t, "dt")
	m = m.withNodes(m.nodes)
	m.rows = make([]uint32, len(m.nodes))
	if err := m.Explains(); !errors.Is(err, models.ErrNoCover) {
		t.Errorf("%v, want %v", err, models.ErrNoCover)
	}
	_ = tab
}

func BenchmarkContributions(b *testing.B) {
	tab := mixed(b, 20_000)
	m, err := Boost(b.Context(), tab, models.Options{Trees: 100, Leaves: 63}, nil)
	if err != nil {
		b.Fatal(err)
	}
	ex := example(tab)
	var dst []float64
	for i := 0; b.Loop(); i++ {
		tab.Example(i%tab.Rows, ex)
		dst = m.Contributions(ex, dst[:0])
	}
}
