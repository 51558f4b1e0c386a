package trees

import (
	"math"
	"slices"
	"testing"

	"ctr/features"
	"ctr/models"
)

// TestAbsentValues: a value that a node has no rows of goes where its rate in all
// rows belongs, not with the larger side.
func TestAbsentValues(t *testing.T) {
	var y []uint8
	var a, b []uint32
	add := func(rows, clicks int, first, second uint32) {
		for i := range rows {
			c := uint8(0)
			if i < clicks {
				c = 1
			}
			y, a, b = append(y, c), append(a, first), append(b, second)
		}
	}
	add(4, 2, 1, 1)
	add(8, 8, 1, 3)
	add(12, 0, 2, 2)
	p := plain("dt")
	p.depth = 2
	m := mustFit(t, "dt", columns(t, y, a, b), p)
	for second, want := range map[uint32]float64{1: .5, 2: .5, 3: 1} {
		ex := &features.Example{Codes: []uint32{1, second}, Values: []float64{math.NaN(), math.NaN()}}
		if got := m.Probability(ex); got != want {
			t.Errorf("value %d: %v, want %v", second, got, want)
		}
	}
}

// TestRank: bins stand by rate, rare ones with the rest, at their own rate.
func TestRank(t *testing.T) {
	f := func(name string, y []uint8, w []float64, codes []uint32, minGroup int, steady float64, wantCodes []uint32, rest int) {
		t.Helper()
		tab := columns(t, y, codes)
		tab.W = w
		p := plain("dt")
		p.minGroup, p.steady = minGroup, steady
		b := bin(tab, &p)
		fd := &b.fields[0]
		if rest < len(wantCodes) {
			fd.codes[rest] = 0 // means nothing
		}
		if !slices.Equal(fd.codes, wantCodes) || int(fd.rest) != rest || fd.size != len(wantCodes) {
			t.Errorf("%s: codes %v, rest %d of %d: want %v, %d", name, fd.codes, fd.rest, fd.size, wantCodes, rest)
		}
		for i, c := range codes {
			at := slices.Index(fd.codes, c)
			if at < 0 || c == 0 {
				at = int(fd.rest)
			}
			if int(b.data[i]) != at {
				t.Errorf("%s: row %d of code %d: bin %d, want %d", name, i, c, b.data[i], at)
			}
		}
	}
	f("by rate", []uint8{1, 1, 1, 0, 0, 0}, nil, []uint32{1, 1, 2, 2, 3, 3}, 1, 0, []uint32{3, 2, 1}, 3)
	f("code 0 at its own rate", []uint8{1, 1, 1, 0, 0, 0}, nil, []uint32{1, 1, 0, 0, 3, 3}, 1, 0, []uint32{3, 0, 1}, 1)
	f("rare ones with the rest", []uint8{1, 1, 1, 0, 0, 0}, nil, []uint32{1, 1, 2, 4, 3, 3}, 2, 0, []uint32{3, 0, 1}, 1)
	f("all are rare", []uint8{1, 0, 1}, nil, []uint32{1, 2, 3}, 2, 0, []uint32{0}, 0)
	f("ties by frequency", []uint8{1, 0, 1, 0, 1, 0}, nil, []uint32{5, 5, 5, 5, 2, 2}, 1, 0, []uint32{5, 2}, 2)
	// 1 click of 1 row is less sure than 3 of 4: with 4 rows at the mean of .5, .6 and .625.
	f("steadied", []uint8{1, 1, 1, 1, 0, 0, 0, 0}, nil, []uint32{1, 2, 2, 2, 2, 3, 3, 3}, 1, 4, []uint32{3, 1, 2}, 3)
	// By weight 1 has a rate of .9 and 2 of .5, by rows .5 and .67.
	f("weights", []uint8{1, 0, 1, 1, 0}, []float64{9, 1, .5, .5, 1}, []uint32{1, 1, 2, 2, 2}, 1, 0, []uint32{2, 1}, 2)
	f("weights of 0", []uint8{1, 0, 1}, []float64{1, 1, 0}, []uint32{1, 1, 2}, 1, 0, []uint32{1, 2}, 2)
}

// TestManyValues: of columns of many values a tree and a forest learn no more
// than they can know. Where values stood by their rates in the node, the losses
// were .46745 and .46053; in the order of all rows, where cuts cost as little as
// a number's, .47117 and .46188.
func TestManyValues(t *testing.T) {
	all, _ := synthetic(t, 80_000, 1)
	train, test := head(all, 60_000)
	f := func(algo string, want float64) {
		t.Helper()
		p, err := resolve(algo, models.Options{Trees: 10})
		if err != nil {
			t.Fatal(err)
		}
		if loss := logLoss(mustFit(t, algo, train, p), test); loss > want {
			t.Errorf("%s: log loss %.5f, want at most %v", algo, loss, want)
		}
	}
	f("dt", .4672)
	f("rf", .4590)
}
