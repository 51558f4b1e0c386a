package trees

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
	// threshold is the last bin below the cut.
	threshold uint16
	sum       sums // of the left side
}

// group is a bin with rows in the node.
type group struct {
	sums
	bin uint16
}

// searcher finds the best split of a node on one field. It is the scratch
// space of one goroutine.
type searcher struct {
	p      *params
	rows   float64 // of the table
	groups []group
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
// much: that is base. An order of k groups by these rates turns them into a
// gain that grows with k: cut in the middle about .64·k·p(1-p) (2/π of the sum
// of k squared normal numbers), more at the best cut of the best field: that is
// perGroup. Categories stand in an order that all training rows made, of which
// the node's are a part: as great a part of that gain is chance here.
func (s *searcher) price(node sums, groups int) float64 {
	p := node.rate()
	chosen := 1 + float64(groups-2)*min(node.n/s.rows, 1)
	return node.score() + (s.p.base+s.p.perGroup*chosen)*p*(1-p)
}

// category looks for a better split than best between two bins of a category,
// which stand in the order of their rates (binned.rank); bins without rows here
// go where their place among the others is. The rest stays on the right, where
// values never seen will go as well; where no row at all is in the rest, the
// right is the larger side.
func (s *searcher) category(f int, fd *field, node sums, best *split) {
	price := s.price(node, len(s.groups))
	var left sums
	found := false
	for i, g := range s.groups[:len(s.groups)-1] {
		left.add(g.sums)
		if s.better(left, node, price, best) {
			found = true
			*best = split{gain: best.gain, field: f, threshold: (g.bin + s.groups[i+1].bin - 1) / 2, sum: left}
		}
	}
	if !found {
		return
	}
	lo, hi := uint16(0), best.threshold+1
	if fd.rest < hi || int(fd.rest) == fd.size && best.sum.n > node.n-best.sum.n {
		lo, hi = hi, uint16(fd.size)
		best.sum = node.minus(best.sum)
	}
	for b := lo; b < hi; b++ {
		best.left.add(b)
	}
}
