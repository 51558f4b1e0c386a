package trees

// What all threads do together, for large nodes. Everything is added up in
// integers, or decided by the same rule in whatever order.

// splitWide is split on all threads.
func (b *booster) splitWide(l *gleaf, last bool) {
	s := <-b.seekers
	column := b.g.sides(&l.best.split, s.side)
	mid := b.divideWide(b.es[l.lo:l.hi], b.spare[l.lo:l.hi], column, s.side) + l.lo
	omid := b.divideWide(b.out[l.olo:l.ohi], b.ospare[l.olo:l.ohi], column, s.side) + l.olo
	b.seekers <- s
	small, large := b.children(l, mid, omid, last)
	if small == nil {
		return
	}
	b.countWide(small)
	b.subtract(large.hist, small.hist)
	b.searchWide(small, large)
}

// divideWide is divide: each thread divides a part, and the parts are put
// together.
func (b *booster) divideWide(es, spare []quant, column []uint16, side *[maxIDs]uint8) int {
	n := b.p.threads
	left := make([]int, n)
	from := func(i int) int { return len(es) * i / n }
	each(n, n, func(i int) {
		lo, hi := from(i), from(i+1)
		l, r := lo, lo
		for _, e := range es[lo:hi] {
			right := int(side[column[e.row()]])
			es[l] = e
			spare[r] = e
			l += 1 - right
			r += right
		}
		left[i] = l - lo
	})
	at := 0
	for i := range n {
		copy(es[at:], es[from(i):from(i)+left[i]])
		at += left[i]
	}
	mid := at
	for i := range n {
		rights := from(i+1) - from(i) - left[i]
		copy(es[at:], spare[from(i):from(i)+rights])
		at += rights
	}
	return mid
}

// countWide is count into l.hist.
func (b *booster) countWide(l *gleaf) {
	es, n := b.es[l.lo:l.hi], b.p.threads
	if len(es) < b.p.wide/4 {
		n = 1
	}
	parts := make([]*counters, n)
	parts[0] = l.hist
	for i := range parts[1:] {
		parts[i+1] = b.take()
	}
	each(n, n, func(i int) { b.g.count(parts[i], b.use, es[len(es)*i/n:len(es)*(i+1)/n]) })
	for _, part := range parts[1:] {
		b.plus(l.hist, part)
		b.release(part)
	}
}

// searchWide is search of several leaves.
func (b *booster) searchWide(leaves ...*gleaf) {
	n := len(b.use)
	found := make([]gsplit, n*len(leaves))
	each(b.p.threads, len(found), func(i int) {
		l := leaves[i/n]
		if !b.splittable(l) {
			return
		}
		s := <-b.seekers
		s.enter(l.sums, l.rows())
		s.bundle(l.hist, int(b.use[i%n]), &found[i])
		b.seekers <- s
	})
	for i := range found {
		leaves[i/n].best.take(&found[i])
	}
	for _, l := range leaves {
		b.forget(l)
	}
}
