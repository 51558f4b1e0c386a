package trees

import (
	"math"
	"slices"
)

// gsplit is a split and the sums of its left side.
type gsplit struct {
	split
	sum gsums
}

// ggroup is a bin with rows in the node, or all bins that have too few.
type ggroup struct {
	gsums
	bin uint16
}

// seeker finds the best split of a node of boosting. It is the scratch space
// of one goroutine.
type seeker struct {
	b      *booster
	groups []ggroup
	keys   []uint64
	fields [][]uint64 // of a bundle: the counters of each field's bins
	side   *[maxIDs]uint8

	// Of the node under search:
	node  gsums
	rows  float64
	least float64 // curvature that a side needs
	// Of the field under search:
	cand  gsplit
	l2    float64
	price float64
}

func newSeeker(b *booster) *seeker { return &seeker{b: b, side: new([maxIDs]uint8)} }

// enter makes s look at a node of so many rows.
func (s *seeker) enter(node gsums, rows int) {
	s.node, s.rows = node, float64(rows)
	s.least = max((float64(s.b.p.minLeaf)-.5)*node.h/s.rows, s.b.p.minCurve)
}

// bundle searches the fields of bundle k of h.
func (s *seeker) bundle(h *counters, k int, best *gsplit) {
	b := &s.b.g.bundles[k]
	ids := h[b.first : b.first+b.size]
	if len(b.fields) == 1 {
		s.field(b.fields[0], ids, best)
		return
	}
	s.spread(b, ids)
	for j, f := range b.fields {
		s.field(f, s.fields[j], best)
	}
}

// spread adds up what each field's bins hold.
func (s *seeker) spread(b *bundle, ids []uint64) {
	for len(s.fields) < len(b.fields) {
		s.fields = append(s.fields, make([]uint64, 0, maxBins))
	}
	for j, f := range b.fields {
		s.fields[j] = s.fields[j][:s.b.g.fields[f].size]
		clear(s.fields[j])
	}
	for j, bins := range b.bins {
		to := s.fields[j]
		for id, t := range ids {
			if t != 0 {
				to[bins[id]] += t
			}
		}
	}
}

// field looks for a better split than best on field f: of equal ones, that of
// the first field.
func (s *seeker) field(f int, bins []uint64, best *gsplit) {
	if !s.b.active[f] {
		return
	}
	s.groups = s.groups[:0]
	for bin, t := range bins {
		if t != 0 {
			s.groups = append(s.groups, ggroup{s.b.units.sums(t), uint16(bin)})
		}
	}
	if len(s.groups) < 2 {
		return
	}
	s.cand = gsplit{}
	s.cand.field = f
	if s.b.g.fields[f].number {
		s.number()
	} else {
		s.categories()
	}
	best.take(&s.cand)
}

// take replaces s by o if that is better: if it gains more or, with an equal
// gain, is of an earlier field.
func (s *gsplit) take(o *gsplit) {
	if o.gain > s.gain || o.gain == s.gain && o.gain > 0 && o.field < s.field {
		*s = *o
	}
}

// better reports whether a split with left on one side gains more than the
// candidate has, and if so sets the candidate's gain.
//
// The gain is twice what the second-order approximation of the loss falls by
// (Chen and Guestrin 2016, equation 7, without its half), less the price. Where
// clicks do not depend on a field, each of its k groups has by chance a gradient
// whose square over its curvature is 1 in the mean, and the best cut of groups
// in the order of these ratios gains a share of k: about .64·k without a penalty
// on leaves, so that a price of .5·(k-1), with catL2, takes most of it back.
func (s *seeker) better(left gsums) bool {
	right := s.node.minus(left)
	if left.h < s.least || right.h < s.least {
		return false
	}
	gain := left.score(s.l2) + right.score(s.l2) - s.price
	if gain <= s.cand.gain {
		return false
	}
	s.cand.gain = gain
	return true
}

// number looks for the best cut between two bins of a number, with missing
// values (bin 0) on either side; where there are none, the larger side is to
// have them.
func (s *seeker) number() {
	groups := s.groups
	var missing gsums
	some := groups[0].bin == 0
	if some {
		missing, groups = groups[0].gsums, groups[1:]
	}
	s.l2 = s.b.p.l2
	s.price = s.node.score(s.l2)
	c := &s.cand
	var left gsums
	with := false
	for i, g := range groups {
		left.add(g.gsums)
		last := i == len(groups)-1
		if last && !some {
			break
		}
		threshold := g.bin
		if !last {
			threshold = (g.bin + groups[i+1].bin - 1) / 2
		}
		if s.better(left) {
			c.threshold, c.sum = threshold, left
			with = !some && left.h > s.node.h-left.h
		}
		if !some || last {
			continue
		}
		both := left
		both.add(missing)
		if s.better(both) {
			c.threshold, c.sum, with = threshold, both, true
		}
	}
	if c.gain <= 0 {
		return
	}
	if with {
		c.left.add(0)
	}
	for b := uint16(1); b <= c.threshold; b++ {
		c.left.add(b)
	}
}

// categories looks for the best subset of a category's bins: they are put in
// order of their smoothed gradient over curvature and cut (Fisher 1958). Bin 0
// and all bins of too few rows are one group: they stay together, on the right,
// where values never seen will go as well. Where no row is in that group, the
// right is the larger side.
func (s *seeker) categories() {
	rest := s.pool()
	k := len(s.groups)
	if k < 2 {
		return
	}
	s.order()
	s.l2 = s.b.p.l2 + s.b.p.catL2
	s.price = s.node.score(s.l2) + s.b.p.perGroup*float64(k-1)
	c := &s.cand
	var left gsums
	at, restLeft, seen := -1, false, false
	for i, key := range s.keys[:k-1] {
		g := &s.groups[key%maxBins]
		left.add(g.gsums)
		seen = seen || g.bin == 0
		if s.better(left) {
			at, restLeft, c.sum = i, seen, left
		}
	}
	if at < 0 {
		return
	}
	if !rest {
		restLeft = c.sum.h > s.node.h-c.sum.h
	}
	chosen := s.keys[:at+1]
	if restLeft {
		chosen = s.keys[at+1 : k]
		c.sum = s.node.minus(c.sum)
	}
	for _, key := range chosen {
		c.left.add(s.groups[key%maxBins].bin)
	}
}

// pool joins bin 0 and the groups of too few rows to one of bin 0, the first,
// and reports whether there is one.
func (s *seeker) pool() bool {
	var rest gsums
	kept := s.groups[:0]
	minimum := (float64(s.b.p.minGroup) - .5) * s.node.h / s.rows
	pooled := false
	first := s.groups[0]
	for i, g := range s.groups {
		if g.bin == 0 || g.h < minimum {
			rest.add(g.gsums)
			pooled = true
			continue
		}
		if i == 0 {
			g = first
		}
		kept = append(kept, g)
	}
	if pooled {
		kept = append(kept, ggroup{bin: 0, gsums: rest})
	}
	s.groups = kept
	return pooled
}

// order fills s.keys: the groups by rising ratio, ties by place. A key is the
// ratio's bits but the last ten, and the index of the group.
func (s *seeker) order() {
	s.keys = s.keys[:0]
	more := s.b.p.catSmooth / s.rows
	g, h := s.node.g*more, s.node.h*more
	for i := range s.groups {
		d := s.groups[i].h + h
		r := 0.
		if d > 0 {
			r = (s.groups[i].g + g) / d
		}
		x := math.Float64bits(r)
		if x>>63 != 0 {
			x = ^x
		} else {
			x |= 1 << 63
		}
		s.keys = append(s.keys, x&^(maxBins-1)|uint64(i))
	}
	slices.Sort(s.keys)
}
