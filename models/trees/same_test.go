package trees

import (
	"math"
	"reflect"
	"testing"

	"ctr/features"
	"ctr/features/race"
	"ctr/models"
)

// TestThreads: the number of threads does not show in the model.
func TestThreads(t *testing.T) {
	tab, _ := synthetic(t, 8_000, 1)
	weighted, _ := synthetic(t, 8_000, 2)
	weighted.W = make([]float64, weighted.Rows)
	for i := range weighted.W {
		weighted.W[i] = .1 + float64(features.Mix64(uint64(i))%1000)/300
	}
	counts := []int{1, 2, 3, 8}
	if race.Enabled {
		counts = []int{1, 8}
	}
	for _, tab := range []*features.Table{tab, weighted} {
		for _, algo := range []string{"dt", "rf"} {
			var first *Model
			for _, threads := range counts {
				p, _ := resolve(algo, models.Options{Threads: threads, Seed: 5})
				if algo == "rf" {
					p.trees = 5 // fewer than 8 threads: these share each tree
				}
				p.taskRows, p.base, p.perGroup, p.minLeaf = 500, 0, .5, 3
				m := mustFit(t, algo, tab, p)
				if first == nil {
					first = m
				}
				if !reflect.DeepEqual(m, first) {
					t.Errorf("%s, weights %v: %d threads: another model than 1", algo, tab.W != nil, threads)
				}
			}
			if len(first.nodes) < 100 {
				t.Errorf("%s: %d nodes: want a real tree", algo, len(first.nodes))
			}
		}
	}
}

// TestSchedule: every order of work gives the tree of the plainest, which
// counts a field at a time and copies nothing.
func TestSchedule(t *testing.T) {
	plainest := schedule{taskRows: 0, nearRows: math.MaxInt, nearShare: 1, directRows: math.MaxInt}
	others := []schedule{
		usual,
		{taskRows: 0, nearRows: math.MaxInt, nearShare: 1, directRows: 0},
		{taskRows: 500, nearRows: 2, nearShare: 2, directRows: 0},
		{taskRows: 3000, nearRows: 10, nearShare: 1, directRows: 100},
		{taskRows: math.MaxInt, nearRows: 1, nearShare: 3, directRows: 30},
	}
	rows := 6000
	if race.Enabled {
		rows = 4000
	}
	tab, _ := synthetic(t, rows, 3)
	tab.Values[19] = make([]float64, tab.Rows)
	tab.Spec.Fields[19].Type = features.Num
	for i := range tab.Values[19] {
		if tab.Values[19][i] = float64(tab.Codes[19].At(i)); i%7 == 0 {
			tab.Values[19][i] = math.NaN()
		}
	}
	for _, weigh := range []bool{false, true} {
		if weigh {
			tab.W = make([]float64, tab.Rows)
			for i := range tab.W {
				tab.W[i] = float64(features.Mix64(uint64(i))%1000) / 300
			}
		}
		for _, algo := range []string{"dt", "rf"} {
			p := plain(algo)
			p.minGroup, p.trees, p.minLeaf = 3, 1, 2
			p.schedule = plainest
			want := mustFit(t, algo, tab, p)
			for _, s := range others {
				p.schedule = s
				if !reflect.DeepEqual(mustFit(t, algo, tab, p), want) {
					t.Errorf("%s, weights %v: schedule %+v: another tree", algo, weigh, s)
				}
			}
		}
	}
}

// TestWeights: a weight of 3 is worth three rows.
func TestWeights(t *testing.T) {
	once, _ := synthetic(t, 2000, 4)
	once.W = make([]float64, once.Rows)
	var times []int
	for i := range once.W {
		k := 1 + int(features.Mix64(uint64(i))%3)
		once.W[i] = float64(k)
		for range k {
			times = append(times, i)
		}
	}
	often := &features.Table{Spec: once.Spec, Rows: len(times), Values: once.Values}
	for f := range once.Codes {
		c := features.MakeCodes(len(times), 1<<20)
		for k, i := range times {
			c.Set(k, once.Codes[f].At(i))
		}
		often.Codes = append(often.Codes, c)
	}
	for _, i := range times {
		often.Y = append(often.Y, once.Y[i])
	}
	p := plain("dt")
	p.depth = 5
	for f := range once.Codes {
		if once.Spec.Size(f) > maxBins { // what is most frequent differs
			once.Codes[f], often.Codes[f] = features.MakeCodes(once.Rows, 1), features.MakeCodes(often.Rows, 1)
		}
	}
	a, b := logLoss(mustFit(t, "dt", once, p), often), logLoss(mustFit(t, "dt", often, p), often)
	if math.Abs(a-b) > 1e-12 {
		t.Errorf("log loss %v with weights, %v with rows repeated", a, b)
	}
}
