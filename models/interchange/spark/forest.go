package spark

import (
	"math"
	"slices"
	"strconv"

	"ctr/features"
	"ctr/features/columnar"
	"ctr/models"
	"ctr/models/trees"
)

// forest reads the trees of a decision tree, a forest or boosted trees.
func (p *plan) forest(s *stage, v vector) (models.Model, *features.Spec, error) {
	size := v.size()
	if s.numFeatures != size && s.numFeatures > 0 {
		return nil, nil, s.fail("%d features: want the %d of the vector", s.numFeatures, size)
	}
	boosted := s.class == "GBTClassificationModel"
	if !boosted && s.numClasses != 2 {
		return nil, nil, s.fail("%d classes: want 2", s.numClasses)
	}
	raw, err := p.files.treeNodes(s)
	if err != nil {
		return nil, nil, err
	}
	var weights []float64
	if boosted {
		if weights, err = p.files.treeWeights(s, len(raw.trees)); err != nil {
			return nil, nil, err
		}
	}
	used := raw.features()
	for _, i := range used {
		if i < 0 || i >= size {
			return nil, nil, s.fail("a node looks at feature %d: want one of %d", i, size)
		}
	}
	spec, err := p.settle(v, func(from, end int) bool {
		at, _ := slices.BinarySearch(used, from)
		return at < len(used) && used[at] < end
	})
	if err != nil {
		return nil, nil, s.fail("%w", err)
	}
	if err := p.files.allow.Take(int64(raw.count) * nodeBytes); err != nil {
		return nil, nil, s.fail("%w", err)
	}
	list := make([][]trees.Node, len(raw.trees))
	for t := range list {
		list[t] = make([]trees.Node, raw.size(t))
		for k := range list[t] {
			n := raw.node(t, k)
			to := &list[t][k]
			if *to, err = p.node(s, &n, v, boosted); err != nil {
				return nil, nil, s.fail("tree %d: node %d: %w", t, k, err)
			}
			if boosted && to.Leaf() {
				to.Value *= 2 * weights[t] // Spark's probability is that of twice the margin
			}
		}
	}
	raw.drop()
	var m models.Model
	switch {
	case boosted:
		m, err = trees.NewBoosted(spec, 0, list)
	case s.class == "DecisionTreeClassificationModel":
		m, err = trees.New("dt", spec, list)
	default:
		m, err = trees.New("rf", spec, list)
	}
	if err != nil {
		return nil, nil, s.fail("%w", err)
	}
	return m, spec, nil
}

// nodeBytes is what a node holds as trees.Node (80) and in the model (20), and
// where a model is laid out.
const nodeBytes = 112

// node gives what a node does with the fields of a row.
func (p *plan) node(s *stage, n *treeNode, v vector, boosted bool) (out trees.Node, err error) {
	out.Rows = rowsOf(n.rows)
	if n.left < 0 {
		if out.Value = n.prediction; !boosted {
			out.Value, err = share(s, n.stats)
		}
		return out, err
	}
	slot := v.slot(n.feature)
	at := &slot
	left, err := n.goesLeft(s)
	if err != nil {
		return out, err
	}
	out.Field, out.Left, out.Right = at.src.place, n.left, n.right
	if !at.src.category() {
		if n.categories >= 0 {
			return out, s.fail("a split on %d categories of the number %s: want a VectorIndexer or a Bucketizer before it", n.categories, at.src.field.Name)
		}
		out.Value = at.limit(n.values[0])
		out.MissingLeft = left(at.raw(at.missing))
		return out, nil
	}
	return out, p.categoryNode(&out, at, left)
}

// categoryNode sets the codes that go left, or where they are fewer, those that
// go right, with the children the other way about.
func (p *plan) categoryNode(out *trees.Node, at *slot, left func(x float64) bool) error {
	var codes []uint32
	if at.hot != theNumber {
		on, off := left(at.raw(1)), left(at.raw(0))
		if at.hot != nobody && on != off {
			codes = []uint32{uint32(at.hot)}
		}
		if off {
			out.Left, out.Right = out.Right, out.Left
		}
		out.Codes = codes
		return nil
	}
	size := at.src.numbers.n + 1
	yes, first, last := 0, 0, 0
	for c := range size {
		if left(at.value(c)) {
			if yes++; yes == 1 {
				first = c
			}
			last = c
		}
	}
	// A threshold's are neighbours: every such node has a part of the same list.
	if yes > 0 && last-first == yes-1 {
		if err := p.takeSet(yes, last); err != nil {
			return err
		}
		all, err := p.allCodes()
		if err != nil {
			return err
		}
		out.Codes = all[first : last+1 : last+1]
		return nil
	}
	inverse := 2*yes > size
	if inverse {
		yes = size - yes
		out.Left, out.Right = out.Right, out.Left
	}
	if err := p.takeSet(yes, size); err != nil {
		return err
	}
	if err := p.files.allow.Take(4 * int64(yes)); err != nil {
		return err
	}
	codes = make([]uint32, 0, yes)
	for c := range size {
		if left(at.value(c)) != inverse {
			codes = append(codes, uint32(c))
		}
	}
	out.Codes = codes
	return nil
}

// takeSet takes what the model holds of a set of n codes up to last: the codes
// or bits, whichever is less.
func (p *plan) takeSet(n, last int) error {
	return p.files.allow.Take(4 * int64(min(n, last/32+1)))
}

// allCodes gives 0, 1, 2 … up to the greatest code that there is.
func (p *plan) allCodes() (list []uint32, err error) {
	if p.codes != nil {
		return p.codes, nil
	}
	most := 0
	for _, src := range p.sources {
		if src.category() {
			most = max(most, src.numbers.n)
		}
	}
	if p.codes, err = columnar.Grow(p.files.allow, p.codes, most+1); err != nil {
		return nil, err
	}
	for c := range most + 1 {
		p.codes = append(p.codes, uint32(c))
	}
	return p.codes, nil
}

// goesLeft gives which numbers go left at an inner node. See Spark's
// ContinuousSplit and CategoricalSplit: NaN is no category and not <= anything,
// and a set that is larger than half is kept as what it leaves out.
func (n *treeNode) goesLeft(s *stage) (func(x float64) bool, error) {
	if n.categories < 0 {
		if len(n.values) != 1 || math.IsNaN(n.values[0]) {
			return nil, s.fail("%d thresholds: want one number", len(n.values))
		}
		t := n.values[0]
		return func(x float64) bool { return x <= t }, nil
	}
	set := make(map[float64]bool, len(n.values))
	for _, x := range n.values {
		if !(x >= 0 && x < float64(n.categories)) || x != math.Trunc(x) {
			return nil, s.fail("category %v: want one of %d", x, n.categories)
		}
		set[x] = true
	}
	if len(n.values) <= n.categories/2 {
		return func(x float64) bool { return set[x] }, nil
	}
	inRange := func(x float64) bool { return x >= 0 && x < float64(n.categories) && x == math.Trunc(x) }
	return func(x float64) bool { return set[x] || !inRange(x) }, nil
}

// limit gives the greatest number of the row for which the slot is at most t:
// no row may change sides, however the scalers round. What they do never
// falls, so that it is found by halving the range of all floats.
func (s *slot) limit(t float64) float64 {
	if s.chain == nil {
		return t
	}
	lo, hi := ordered(math.Inf(-1)), ordered(math.Inf(1))
	if !(s.raw(fromOrdered(lo)) <= t) && !(s.raw(-math.MaxFloat64) <= t) {
		return math.Inf(-1)
	}
	if s.raw(math.MaxFloat64) <= t {
		return math.MaxFloat64
	}
	for lo+1 < hi {
		mid := lo + (hi-lo)/2
		if s.raw(fromOrdered(mid)) <= t {
			lo = mid
		} else {
			hi = mid
		}
	}
	return fromOrdered(lo)
}

// ordered maps floats to integers that rise with them.
func ordered(x float64) uint64 {
	b := math.Float64bits(x)
	if b>>63 != 0 {
		return ^b
	}
	return b | 1<<63
}

func fromOrdered(b uint64) float64 {
	if b>>63 != 0 {
		return math.Float64frombits(b &^ (1 << 63))
	}
	return math.Float64frombits(^b)
}

// share gives the probability of a leaf: the share of its rows in class 1.
func share(s *stage, stats []float64) (float64, error) {
	if len(stats) != 2 || !(stats[0] >= 0) || !(stats[1] >= 0) || !(stats[0]+stats[1] > 0) || math.IsInf(stats[0]+stats[1], 0) {
		return 0, s.fail("rows by class %v: want two numbers, not both 0", stats)
	}
	return stats[1] / (stats[0] + stats[1]), nil
}

func rowsOf(x float64) uint32 {
	if !(x > 0) {
		return 0
	}
	return uint32(min(x, math.MaxUint32))
}

// treeWeights reads the weights of boosted trees.
func (f *files) treeWeights(s *stage, n int) ([]float64, error) {
	t, err := f.data(s, "treesMetadata", "treeID", "weights", "_1", "_3")
	if err != nil {
		return nil, err
	}
	weights, found := make([]float64, n), make([]bool, n)
	for i := range t.parts {
		ids, values := t.parts[i]["treeID"], t.parts[i]["weights"]
		if ids == nil { // since Spark 4.1 the columns have no names
			ids, values = t.parts[i]["_1"], t.parts[i]["_3"]
		}
		if ids == nil || values == nil || ids.Len() != values.Len() || ids.IsText() || values.IsText() {
			return nil, s.fail("treesMetadata: want treeID and weights")
		}
		for k, id := range ids.Numbers {
			if w := values.Numbers[k]; id >= 0 && id < float64(n) && id == math.Trunc(id) && math.Abs(w) <= math.MaxFloat64/4 {
				weights[int(id)], found[int(id)] = w, true
				continue
			}
			return nil, s.fail("treesMetadata: weight %v of tree %v: want those of %d trees", values.Numbers[k], id, n)
		}
	}
	if at := slices.Index(found, false); at >= 0 {
		return nil, s.fail("treesMetadata: no weight of tree %d", at)
	}
	return weights, nil
}

// appendFloat writes a number as ParseNumber reads it.
func appendFloat(dst []byte, x float64) []byte { return strconv.AppendFloat(dst, x, 'g', -1, 64) }
