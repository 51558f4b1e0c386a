package trees

import (
	"context"
	"math"
	"slices"
	"sync"

	"ctr/features"
)

// schedule is the order of work. It changes the time that a tree takes, never
// the tree.
type schedule struct {
	// taskRows is the size of a node whose subtree one goroutine grows.
	taskRows int
	// nearRows and nearShare say when a node's rows are copied to one place:
	// when they are so many or more, and at most one in nearShare of the rows
	// they lie among.
	nearRows, nearShare int
	// directRows is the size of a node up to which one field after the other
	// is counted and searched, so that no more bins are touched than there
	// are rows; larger nodes count all fields in one pass.
	directRows int
}

// usual is what was fastest for a million rows.
var usual = schedule{taskRows: 16384, nearRows: 512, nearShare: 2, directRows: 1024}

// grown is a node of a tree that is being grown. Children stand side by side.
type grown struct {
	split split
	child int32 // the left one; 0 = leaf
	sums  sums
	p     float64 // rate, drawn to the parent's
}

// task is a node to be grown: entries lo … hi-1, at a depth from 0.
type task struct {
	node   int
	lo, hi int
	depth  int
	seed   uint64
}

// grower is the scratch space of one goroutine that grows trees.
type grower struct {
	searcher
	b       *binned
	copies  []view // by level
	nodes   []grown
	es      []entry // rows of the tree, the rows of a node side by side
	spare   []entry
	cols    []uint16 // of the split under search
	some    *hist    // of cols
	free    []*hist  // of all fields
	one     hist
	present []uint16
	side    [maxBins]uint8
	tasks   []task
	parts   [][]grown // the subtrees of tasks
	inner   []*grower // who grows them; none = g itself does
	threads int
	draws   []uint8
}

func newGrower(b *binned, p *params, threads int) *grower {
	m := p.columns(len(b.fields))
	g := &grower{b: b, searcher: searcher{p: p, rows: float64(b.rows)}, threads: threads}
	g.cols = make([]uint16, len(b.fields))
	g.some = newHist(m, b.w != nil)
	g.one = *newHist(1, b.w != nil)
	return g
}

// columns is how many of n columns a split looks at.
func (p *params) columns(n int) int {
	return min(max(int(p.colShare*float64(n)+.5), 1), n)
}

// near copies the rows of a node that are spread over a view of twice as
// many rows or more, and makes the entries point into the copy: what follows reads
// memory in order. A node has few such copies above it, each of a size of its
// own (level), so that their buffers can be used again.
func (g *grower) near(t task, v view) view {
	es := g.es[t.lo:t.hi]
	if len(es) < g.p.nearRows || len(es)*g.p.nearShare > v.rows {
		return v
	}
	level := v.level + 1
	for len(g.copies) <= level {
		g.copies = append(g.copies, view{})
	}
	to := &g.copies[level]
	size := len(es) * v.stride
	if cap(to.data) < size {
		to.data = features.Alloc[uint16](g.p.scratch, size+size/4)
	}
	to.data = to.data[:size]
	to.stride, to.rows, to.level = v.stride, len(es), level
	for i, e := range es {
		copy(to.data[i*v.stride:(i+1)*v.stride], v.data[e.row()*v.stride:])
	}
	if v.w != nil {
		to.w = slices.Grow(to.w[:0], len(es))[:len(es)]
		for i, e := range es {
			to.w[i] = v.w[e.row()]
		}
	}
	for i, e := range es {
		es[i] = e&^math.MaxUint32 | entry(i)
	}
	return *to
}

// grow splits a node, whose entries point into v, and, depth first, its
// children. h is its histogram, or nil; grow owns it.
func (g *grower) grow(ctx context.Context, t task, v view, h *hist) {
	defer func() { g.release(h) }()
	s := g.nodes[t.node].sums
	if !g.splittable(s, t.depth) || ctx.Err() != nil {
		return
	}
	if len(g.inner) > 0 && t.hi-t.lo <= g.p.taskRows {
		g.tasks = append(g.tasks, t)
		if len(g.inner) == 1 {
			g.parts = append(g.parts, g.inner[0].subtree(ctx, g, t, v))
		}
		return
	}
	if len(g.inner) <= 1 {
		v = g.near(t, v)
	}
	var best split
	h, best = g.search(t, &v, h, s)
	if best.gain <= 0 {
		return
	}
	mid := g.partition(t, &v, &best)
	child := len(g.nodes)
	node := &g.nodes[t.node]
	node.split, node.child = best, int32(child)
	left, right := best.sum, s.minus(best.sum)
	p := node.p
	g.nodes = append(g.nodes,
		grown{sums: left, p: g.drawn(left, p)},
		grown{sums: right, p: g.drawn(right, p)})
	tl := task{child, t.lo, mid, t.depth + 1, features.Mix64(t.seed ^ 1)}
	tr := task{child + 1, mid, t.hi, t.depth + 1, features.Mix64(t.seed ^ 2)}
	small, large := tl, tr
	if mid-t.lo > t.hi-mid {
		small, large = tr, tl
	}
	var hs *hist
	if h != nil && large.hi-large.lo > g.p.directRows && g.splittable(g.nodes[large.node].sums, large.depth) {
		hs = g.count(small, &v)
		h.subtract(hs)
	} else {
		g.release(h)
		h = nil
	}
	hl := h
	h = nil
	g.grow(ctx, small, v, hs)
	g.grow(ctx, large, v, hl)
}

func (g *grower) splittable(s sums, depth int) bool {
	return depth < g.p.depth && s.n >= 2*float64(g.p.minLeaf) && s.y > 0 && s.y < s.w
}

// drawn is the rate of s with shrink rows at the parent's probability added.
func (g *grower) drawn(s sums, parent float64) float64 {
	d := s.w + g.p.shrink
	if d == 0 {
		return parent
	}
	return min(max((s.y+g.p.shrink*parent)/d, 0), 1)
}

// search finds the best split of a node. Where it made a histogram of all
// fields, it gives it back.
func (g *grower) search(t task, v *view, h *hist, node sums) (*hist, split) {
	best := split{field: -1}
	es := g.es[t.lo:t.hi]
	m, nf := len(g.some.n), len(g.b.fields)
	for f := range g.cols {
		g.cols[f] = uint16(f)
	}
	if m < nf {
		r := rng(t.seed)
		for k := range m {
			j := k + r.below(nf-k)
			g.cols[k], g.cols[j] = g.cols[j], g.cols[k]
		}
		slices.Sort(g.cols[:m])
	}
	cols := g.cols[:m]
	switch {
	case h != nil:
	case len(es) <= g.p.directRows:
		for _, f := range cols {
			g.direct(int(f), v, es)
			g.field(int(f), &g.one, 0, node, &best)
			g.wipe()
		}
		return nil, best
	case m == nf:
		h = g.count(t, v)
	default:
		g.some.clear()
		g.some.add(v, cols, es)
		for k, f := range cols {
			g.scan(g.some, k, g.b.fields[f].size)
			g.field(int(f), g.some, k, node, &best)
		}
		return nil, best
	}
	for _, f := range cols {
		g.scan(h, int(f), g.b.fields[f].size)
		g.field(int(f), h, int(f), node, &best)
	}
	return h, best
}

// field searches field f, whose histogram is column k of h and whose bins with
// rows are g.present.
func (g *grower) field(f int, h *hist, k int, node sums, best *split) {
	if len(g.present) < 2 {
		return
	}
	var w *weights
	if h.w != nil {
		w = &h.w[k]
	}
	g.load(&h.n[k], w, g.b.unit, g.present)
	if g.b.fields[f].number {
		g.number(f, node, best)
	} else {
		g.category(f, &g.b.fields[f], node, best)
	}
}

// scan lists the bins that have rows.
func (g *grower) scan(h *hist, k, size int) {
	g.present = g.present[:0]
	for b, t := range h.n[k][:size] {
		if t != 0 {
			g.present = append(g.present, uint16(b))
		}
	}
}

// direct counts field f into g.one and lists its bins.
func (g *grower) direct(f int, v *view, es []entry) {
	g.present = g.present[:0]
	h := &g.one.n[0]
	data := v.data[f:]
	for _, e := range es {
		b := data[e.row()*v.stride] % maxBins
		if h[b] == 0 {
			g.present = append(g.present, b)
		}
		h[b] += e.tally()
		if g.one.w != nil {
			x := v.w[e.row()] * e.draws()
			s := &g.one.w[0][b]
			s.w += x
			if e.click() {
				s.y += x
			}
		}
	}
	slices.Sort(g.present)
}

// wipe makes g.one zero again.
func (g *grower) wipe() {
	for _, b := range g.present {
		g.one.n[0][b] = 0
		if g.one.w != nil {
			g.one.w[0][b] = struct{ w, y uint64 }{}
		}
	}
}

// count makes the histogram of all fields of a node.
func (g *grower) count(t task, v *view) *hist {
	es := g.es[t.lo:t.hi]
	h := g.take()
	if g.threads == 1 || len(es) < 2*g.p.taskRows {
		h.add(v, nil, es)
		return h
	}
	parts := make([]*hist, g.threads)
	for i := range parts[1:] {
		parts[i+1] = g.take()
	}
	parts[0] = h
	var wg sync.WaitGroup
	for i, part := range parts {
		lo, hi := len(es)*i/len(parts), len(es)*(i+1)/len(parts)
		wg.Go(func() { part.add(v, nil, es[lo:hi]) })
	}
	wg.Wait()
	for _, part := range parts[1:] {
		h.plus(part)
		g.release(part)
	}
	return h
}

func (g *grower) take() *hist {
	if n := len(g.free); n > 0 {
		h := g.free[n-1]
		g.free = g.free[:n-1]
		h.clear()
		return h
	}
	return newHist(len(g.b.fields), g.b.w != nil)
}

func (g *grower) release(h *hist) {
	if h != nil {
		g.free = append(g.free, h)
	}
}

// partition puts the entries that go left before the others, both in the order
// they had, and gives the first of those that go right.
func (g *grower) partition(t task, v *view, s *split) (mid int) {
	for b := range g.b.fields[s.field].size {
		g.side[b] = 0
		if s.left.has(uint16(b)) {
			g.side[b] = 1
		}
	}
	es := g.es[t.lo:t.hi]
	spare := g.spare[:len(es)]
	data, stride := v.data[s.field:], v.stride
	l := 0
	for at, e := range es {
		es[l], spare[at-l] = e, e
		l += int(g.side[data[e.row()*stride]%maxBins])
	}
	copy(es[l:], spare[:len(es)-l])
	return t.lo + l
}
