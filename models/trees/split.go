package trees

import "slices"

// binSet is a set of bins.
type binSet [maxBins / 64]uint64

func (s *binSet) add(b uint16)      { s[b>>6] |= 1 << (b & 63) }
func (s *binSet) has(b uint16) bool { return s[b>>6]>>(b&63)&1 != 0 }

// sums are the rows of a node, of a bin or of one side of a split.
type sums struct {
	n    float64 // rows, each as often as it was drawn
	w, y float64 // weight of all rows and of the clicks
}

func (s *sums) add(o sums) { s.n += o.n; s.w += o.w; s.y += o.y }

func (s sums) minus(o sums) sums { return sums{s.n - o.n, s.w - o.w, s.y - o.y} }

// rate is the share of clicks; 0 where there is no weight.
func (s sums) rate() float64 {
	if s.w == 0 {
		return 0
	}
	return s.y / s.w
}

// score is the sum of squares that a leaf's rate explains: the lower the Gini
// impurity, w·2p(1-p), the higher it is.
func (s sums) score() float64 {
	if s.w == 0 {
		return 0
	}
	return s.y * s.y / s.w
}

// split sends bins of a field to the left; all others go right.
type split struct {
	gain  float64 // half the fall of weight times Gini impurity, less the penalty; 0 = no split
	field int
	left  binSet
	// threshold is the last of a number's bins on the left.
	threshold uint16
	sum       sums // of the left side
}

// group is a bin with rows in the node, or all bins that have too few.
type group struct {
	sums
	bin uint16
}

// searcher finds the best split of a node on one field. It is the scratch
// space of one goroutine.
type searcher struct {
	p      *params
	groups []group
	keys   []uint64
}

// load fills s.groups with the bins of h that have rows, in order.
func (s *searcher) load(h *column, w *weights, unit float64, present []uint16) {
	s.groups = s.groups[:0]
	for _, b := range present {
		t := h[b]
		g := group{bin: b, sums: sums{n: float64(uint32(t)), w: float64(uint32(t)), y: float64(t >> 32)}}
		if w != nil {
			g.w, g.y = float64(w[b].w)*unit, float64(w[b].y)*unit
		}
		s.groups = append(s.groups, g)
	}
}

// number looks for a better split than best between two bins of a number,
// with missing values (bin 0) on either side; where there are none, the larger
// side is to have them.
func (s *searcher) number(field int, node sums, best *split) {
	groups := s.groups
	var missing sums
	if len(groups) > 0 && groups[0].bin == 0 {
		missing, groups = groups[0].sums, groups[1:]
	}
	price := s.price(node, 2)
	var left sums
	for i, g := range groups {
		left.add(g.sums)
		last := i == len(groups)-1
		if last && missing.n == 0 {
			break
		}
		threshold := g.bin
		if !last {
			threshold = (g.bin + groups[i+1].bin - 1) / 2
		}
		// Missing values on the right.
		if s.better(left, node, price, best) {
			*best = split{gain: best.gain, field: field, threshold: threshold, sum: left}
			if missing.n == 0 && left.n > node.n-left.n {
				best.left.add(0)
			}
		}
		if missing.n == 0 || last {
			continue
		}
		both := left
		both.add(missing)
		if s.better(both, node, price, best) {
			*best = split{gain: best.gain, field: field, threshold: threshold, sum: both}
			best.left.add(0)
		}
	}
	if best.field == field && best.gain > 0 {
		for b := uint16(1); b <= best.threshold; b++ {
			best.left.add(b)
		}
	}
}

// better reports whether a split with left on one side gains more than price
// and than best has, and if so sets best.gain.
func (s *searcher) better(left, node sums, price float64, best *split) bool {
	right := node.minus(left)
	if m := float64(s.p.minLeaf); left.n < m || right.n < m {
		return false
	}
	gain := left.score() + right.score() - price
	if gain <= best.gain {
		return false
	}
	best.gain = gain
	return true
}

// price is what both sides of a split must explain together to be worth more
// than nothing: what the node explains alone, and a penalty for chance.
//
// Where clicks do not depend on a field at all, the rate of n rows still varies
// with variance p(1-p)/n. The best cut between two groups gains p(1-p) times a
// squared normal number, and the best of many cuts and fields several times as
// much: that is base. An order of k groups made by these rates turns them into
// a gain that grows with k: cut in the middle about .64·k·p(1-p) (2/π of the
// sum of k squared normal numbers); more at the best cut of the best field:
// that is perGroup. So a field of many values must show more than one of few,
// and no split is made where chance would do.
func (s *searcher) price(node sums, groups int) float64 {
	p := node.rate()
	return node.score() + (s.p.base+s.p.perGroup*float64(groups-1))*p*(1-p)
}

// categories looks for a better split than best of a category's bins. Bin 0
// and all bins of fewer than minGroup rows are one group: they stay together,
// on the right, where values never seen will go as well. Where no row is in
// that group, the right is the larger side.
func (s *searcher) categories(field int, node sums, best *split) {
	rest := s.pool()
	k := len(s.groups)
	if k < 2 {
		return
	}
	s.order()
	price := s.price(node, k)
	var left sums
	at, restLeft := -1, false
	seenRest := false
	var sum sums
	for i, key := range s.keys[:k-1] {
		g := &s.groups[key%maxBins]
		left.add(g.sums)
		seenRest = seenRest || g.bin == 0
		if s.better(left, node, price, best) {
			at, restLeft, sum = i, seenRest, left
		}
	}
	if at < 0 {
		return
	}
	if rest == 0 {
		restLeft = sum.n > node.n-sum.n
	}
	best.field, best.left, best.threshold = field, binSet{}, 0
	chosen := s.keys[:at+1]
	best.sum = sum
	if restLeft {
		chosen = s.keys[at+1 : k]
		best.sum = node.minus(sum)
	}
	for _, key := range chosen {
		best.left.add(s.groups[key%maxBins].bin)
	}
}

// pool joins bin 0 and the groups of too few rows to one of bin 0, the first,
// and gives its rows; where there are none, there is no such group.
func (s *searcher) pool() (rows float64) {
	var rest sums
	kept := s.groups[:0]
	minimum := float64(s.p.minGroup)
	for _, g := range s.groups {
		if g.bin == 0 || g.n < minimum {
			rest.add(g.sums)
			continue
		}
		kept = append(kept, g)
	}
	if rest.n > 0 {
		kept = append(kept, group{bin: 0, sums: rest})
	}
	s.groups = kept
	return rest.n
}

// order fills s.keys: the groups by rising click rate, ties by bin. A key is
// the rate in 44 bits, the bin in 10 and the index of the group in 10.
func (s *searcher) order() {
	s.keys = s.keys[:0]
	for i := range s.groups {
		s.keys = append(s.keys, uint64(s.groups[i].rate()*(1<<43))<<20|uint64(s.groups[i].bin)<<10|uint64(i))
	}
	slices.Sort(s.keys)
}
