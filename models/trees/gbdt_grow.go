package trees

import (
	"slices"
	"sync"
)

// gleaf is a leaf of a tree that is being grown.
type gleaf struct {
	node     int // in booster.nodes
	lo, hi   int // its rows, in booster.es
	olo, ohi int // rows that follow the tree without a say in it, in booster.out
	depth    int
	sums     gsums
	hist     *counters // nil where the leaf will not be split
	best     gsplit    // gain 0: no split
	kids     *[2]gleaf // what splitting it gives, once that was worked out
}

func (l *gleaf) rows() int { return l.hi - l.lo }

// tree grows a tree leaf by leaf, always the one whose split gains most, on
// the rows b.es and b.out, which it reorders. It leaves the tree in b.nodes and
// its leaves in b.leaves.
//
// Large leaves are split by all threads together. Of the others each thread
// splits one of the most promising: sooner or later they will be split in all
// but a few cases, and these few are forgotten. So the order of work depends on
// the threads, and the tree does not.
func (b *booster) tree(sums gsums) {
	b.nodes = append(b.nodes[:0], grown{sums: sumsOf(len(b.es))})
	b.leaves = append(b.leaves[:0], gleaf{hi: len(b.es), ohi: len(b.out), sums: sums})
	if root := &b.leaves[0]; b.splittable(root) && b.p.leaves > 1 {
		root.hist = b.take()
		b.countWide(root)
		b.searchWide(root)
	}
	for len(b.leaves) < b.p.leaves && b.ctx.Err() == nil {
		at := b.first(nil)
		if at < 0 {
			break
		}
		if b.leaves[at].kids == nil {
			b.expand(at)
		}
		b.commit(at)
	}
	for i := range b.leaves {
		b.drop(&b.leaves[i])
	}
}

// first gives the leaf whose split gains most, of equal ones the oldest; or,
// unless but is nil, the first that is neither worked out nor in but.
func (b *booster) first(but []int) int {
	at := -1
	for i := range b.leaves {
		l := &b.leaves[i]
		if l.best.gain <= 0 || at >= 0 && l.best.gain <= b.leaves[at].best.gain {
			continue
		}
		if but == nil || l.kids == nil && !slices.Contains(but, i) {
			at = i
		}
	}
	return at
}

// expand works out the split of leaf at, and of more leaves where each thread
// is to have one.
func (b *booster) expand(at int) {
	last := len(b.leaves)+1 == b.p.leaves
	if b.p.threads > 1 && b.leaves[at].rows() > b.p.wide {
		b.splitWide(&b.leaves[at], last)
		return
	}
	work := []int{at}
	for len(work) < min(b.p.threads, b.p.leaves-len(b.leaves)) {
		next := b.first(work)
		if next < 0 || b.leaves[next].rows() > b.p.wide {
			break
		}
		work = append(work, next)
	}
	each(len(work), len(work), func(i int) {
		s := <-b.seekers
		b.split(s, &b.leaves[work[i]], last)
		b.seekers <- s
	})
}

// commit replaces leaf at by its children, the left one in its place.
func (b *booster) commit(at int) {
	l := b.leaves[at]
	child := len(b.nodes)
	n := &b.nodes[l.node]
	n.split, n.child = l.best.split, int32(child)
	b.nodes = append(b.nodes, grown{sums: sumsOf(l.kids[0].rows())}, grown{sums: sumsOf(l.kids[1].rows())})
	l.kids[0].node, l.kids[1].node = child, child+1
	b.leaves[at] = l.kids[0]
	b.leaves = append(b.leaves, l.kids[1])
}

func sumsOf(rows int) sums { return sums{n: float64(rows)} }

func (b *booster) splittable(l *gleaf) bool {
	return len(b.use) > 0 && l.depth < b.p.depth && l.rows() >= 2*b.p.minLeaf && l.sums.h >= 2*b.p.minCurve
}

// split works out l.kids on one thread. Those of the last split of a tree need
// no search.
func (b *booster) split(s *seeker, l *gleaf, last bool) {
	column := b.g.sides(&l.best.split, s.side)
	mid := divide(b.es[l.lo:l.hi], b.spare[l.lo:l.hi], column, s.side) + l.lo
	omid := divide(b.out[l.olo:l.ohi], b.ospare[l.olo:l.ohi], column, s.side) + l.olo
	small, large := b.children(l, mid, omid, last)
	if small == nil {
		return
	}
	if small.hist != nil {
		b.g.count(small.hist, b.use, b.es[small.lo:small.hi])
	}
	if large.hist != nil {
		b.subtract(large.hist, small.hist)
	}
	b.search(s, small)
	b.search(s, large)
}

// children makes l.kids of its divided rows. It gives the child of fewer rows,
// to be counted, and the other, to be made from the parent's histogram; nil
// where neither needs one.
func (b *booster) children(l *gleaf, mid, omid int, last bool) (small, large *gleaf) {
	l.kids = &[2]gleaf{
		{lo: l.lo, hi: mid, olo: l.olo, ohi: omid, depth: l.depth + 1, sums: l.best.sum},
		{lo: mid, hi: l.hi, olo: omid, ohi: l.ohi, depth: l.depth + 1, sums: l.sums.minus(l.best.sum)},
	}
	small, large = &l.kids[0], &l.kids[1]
	if small.rows() > large.rows() {
		small, large = large, small
	}
	h := l.hist
	l.hist = nil
	if last || !b.splittable(small) && !b.splittable(large) {
		b.release(h)
		return nil, nil
	}
	small.hist = b.take()
	large.hist = h
	return small, large
}

// divide puts the rows that go left before the others, both in the order they
// had, and gives the number of the former.
func divide(es, spare []quant, column []uint16, side *[maxIDs]uint8) int {
	l, r := 0, 0
	for _, e := range es {
		right := int(side[column[e.row()]])
		es[l] = e
		spare[r] = e
		l += 1 - right
		r += right
	}
	copy(es[l:], spare[:r])
	return l
}

// search finds the best split of l.
func (b *booster) search(s *seeker, l *gleaf) {
	if !b.splittable(l) {
		b.forget(l)
		return
	}
	s.enter(l.sums, l.rows())
	for _, k := range b.use {
		s.bundle(l.hist, int(k), &l.best)
	}
	b.forget(l)
}

// forget gives back the histogram of a leaf that stays one.
func (b *booster) forget(l *gleaf) {
	if l.best.gain <= 0 {
		b.release(l.hist)
		l.hist = nil
	}
}

// subtract takes o from h: what is left of a node when a child is taken away.
func (b *booster) subtract(h, o *counters) {
	for _, k := range b.use {
		u := &b.g.bundles[k]
		x, y := h[u.first:u.first+u.size], o[u.first:u.first+u.size]
		for i := range x {
			x[i] -= y[i]
		}
	}
}

func (b *booster) plus(h, o *counters) {
	for i, t := range o[:b.g.ids] {
		h[i] += t
	}
}

// pool of histograms. They lie in slabs side by side, and each pointer reaches
// beyond its own ids, which nobody does.
type pool struct {
	mu   sync.Mutex
	free []*counters
}

func (b *booster) take() *counters {
	b.pool.mu.Lock()
	defer b.pool.mu.Unlock()
	n := len(b.pool.free)
	if n == 0 {
		const slab = 16
		data := make([]uint64, slab*b.g.ids+maxIDs)
		for i := range slab {
			b.pool.free = append(b.pool.free, (*counters)(data[i*b.g.ids:]))
		}
		n = slab
	}
	h := b.pool.free[n-1]
	b.pool.free = b.pool.free[:n-1]
	clear(h[:b.g.ids])
	return h
}

func (b *booster) release(h *counters) {
	if h != nil {
		b.pool.mu.Lock()
		b.pool.free = append(b.pool.free, h)
		b.pool.mu.Unlock()
	}
}

// drop gives back the histograms of a leaf and of what was worked out ahead.
func (b *booster) drop(l *gleaf) {
	b.release(l.hist)
	l.hist = nil
	if l.kids != nil {
		b.drop(&l.kids[0])
		b.drop(&l.kids[1])
	}
}
