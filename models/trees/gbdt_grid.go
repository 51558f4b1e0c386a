package trees

import (
	"fmt"
	"slices"

	"ctr/features"
)

// maxIDs is how many counters a histogram of boosting can have: a uint16
// reaches them all, so that no index needs a check.
const maxIDs = 1 << 16

// maxBundle is the most counters of a bundle of several fields.
const maxBundle = maxBins

// counters is the histogram of a node: for each id of a grid, the sums of its
// rows' gradients in the high and of their curvatures in the low 32 bits.
type counters = [maxIDs]uint64

// A bundle is a few fields that are counted together, since a counter for each
// combination of their bins is no more than a large field has: rows get
// shorter, and counting, which takes most of the time, as much faster. What a
// single field's bins hold is added up when a split is searched.
type bundle struct {
	first, size int // its ids are first … first+size-1
	fields      []int
	bins        [][]uint16 // by field: the bin of each id
	steps       []int      // id = first + Σ steps[k] · bin of fields[k]
}

// grid is a table as boosting sees it: an id a bundle.
type grid struct {
	rows    int
	fields  []field
	bundles []bundle
	home    []int      // by field: its bundle
	data    []uint16   // row after row: what counting reads
	columns [][]uint16 // bundle after bundle: what dividing a node reads
	ids     int
}

// newGrid learns the bins of t's fields and puts its rows in them. Where all
// fields have more than maxIDs bins, each has fewer.
func newGrid(t *features.Table, threads int, scratch *features.Scratch) (*grid, error) {
	limit := maxBins
	for limit > 1 && estimate(t, limit) > maxIDs {
		limit /= 2
	}
	if limit < 2 {
		return nil, fmt.Errorf("%d fields: want at most %d", len(t.Codes), maxIDs/2)
	}
	g := &grid{rows: t.Rows}
	var bins [][]uint16
	g.fields, bins = binColumns(t, limit, threads, scratch)
	g.bundle()
	g.columns = make([][]uint16, len(g.bundles))
	each(threads, len(g.bundles), func(k int) {
		b := &g.bundles[k]
		column := bins[b.fields[0]]
		for i := range column {
			column[i] += uint16(b.first)
		}
		for j, f := range b.fields[1:] {
			step := uint16(b.steps[j+1])
			for i, v := range bins[f] {
				column[i] += step * v
			}
		}
		g.columns[k] = column
	})
	g.data = rowMajor(g.columns, t.Rows, threads, scratch)
	return g, nil
}

// estimate bounds the ids of all fields.
func estimate(t *features.Table, limit int) (ids int) {
	for f := range t.Codes {
		if t.Values[f] != nil {
			ids += limit
		} else {
			ids += min(t.Spec.Size(f)+1, limit)
		}
	}
	return ids
}

// bundle puts the fields of fewest bins together as long as their product
// stays small, and lays the bundles out.
func (g *grid) bundle() {
	order := make([]int, len(g.fields))
	for f := range order {
		order[f] = f
	}
	slices.SortStableFunc(order, func(a, b int) int { return g.fields[a].size - g.fields[b].size })
	g.home = make([]int, len(g.fields))
	for _, f := range order {
		size := g.fields[f].size
		last := len(g.bundles) - 1
		if last < 0 || g.bundles[last].size*size > maxBundle {
			g.bundles = append(g.bundles, bundle{size: 1})
			last++
		}
		b := &g.bundles[last]
		b.fields, b.steps = append(b.fields, f), append(b.steps, b.size)
		b.size *= size
		g.home[f] = last
	}
	for k := range g.bundles {
		b := &g.bundles[k]
		b.first = g.ids
		g.ids += b.size
		for j, f := range b.fields {
			bins := make([]uint16, b.size)
			for id := range bins {
				bins[id] = uint16(id / b.steps[j] % g.fields[f].size)
			}
			b.bins = append(b.bins, bins)
		}
	}
}

// sides marks the ids whose rows a split sends to the right.
func (g *grid) sides(s *split, side *[maxIDs]uint8) (column []uint16) {
	b := &g.bundles[g.home[s.field]]
	bins := b.bins[slices.Index(b.fields, s.field)]
	for id, bin := range bins {
		side[b.first+id] = 1
		if s.left.has(bin) {
			side[b.first+id] = 0
		}
	}
	return g.columns[g.home[s.field]]
}

// ahead is how many rows count asks for at once.
const ahead = 32

// count adds the rows es to h, in bundles use.
//
// The rows of a small node are spread over memory. The first loop asks for the
// next few at once, so that the second does not wait for each in turn: two to
// five times as fast at one row in sixteen and below, a little slower where
// rows lie side by side.
func (g *grid) count(h *counters, use []uint16, es []quant) {
	if len(es) == 0 {
		return
	}
	stride := len(g.bundles)
	touched := uint16(0)
	dense := es[len(es)-1].row()-es[0].row() < 3*len(es)
	for len(es) > 0 {
		part := es[:min(len(es), ahead)]
		if !dense {
			for _, e := range part {
				touched |= g.data[e.row()*stride] | g.data[e.row()*stride+stride-1]
			}
		}
		if len(use) == stride {
			countAll(h, g.data, stride, part)
		} else {
			countSome(h, g.data, stride, use, part)
		}
		es = es[len(part):]
	}
	g.see(touched)
}

// see keeps the compiler from leaving out reads that nothing else needs.
//
//go:noinline
func (g *grid) see(uint16) {}

func countAll(h *counters, data []uint16, stride int, es []quant) {
	for _, e := range es {
		t := e.tally()
		for _, id := range data[e.row()*stride:][:stride] {
			h[id] += t
		}
	}
}

func countSome(h *counters, data []uint16, stride int, use []uint16, es []quant) {
	for _, e := range es {
		t := e.tally()
		row := data[e.row()*stride:][:stride]
		for _, k := range use {
			h[row[k]] += t
		}
	}
}
