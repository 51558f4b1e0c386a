package boosters

import (
	"fmt"
	"math"
	"math/bits"

	"ctr/models/trees"
)

// grow lays a tree of LightGBM out as nodes. A split that sends zero another
// way than its neighbours takes three nodes, and subtrees more than once.
type grow struct {
	*lightgbm
	t     *lgbTree
	nodes []node
	depth int
}

// child is an inner node of the file's, or a leaf.
type child struct {
	at   int32
	leaf bool
}

// childOf reads a child: a number below 0 is a leaf's, inverted.
func childOf(c int32) child {
	if c < 0 {
		return child{^c, true}
	}
	return child{c, false}
}

// maxDepth is far above what any tool grows.
const maxDepth = 10000

// place appends what c is, and all below it, and gives its place. It ends in
// any case: a ring of nodes has no end of depth.
func (g *grow) place(c child) (int, error) {
	limit := len(g.t.leaves)
	if !c.leaf {
		limit--
	}
	if int(c.at) >= limit {
		return 0, fmt.Errorf("child %d: want one below %d", c.at, limit)
	}
	if g.depth++; g.depth > min(maxDepth, len(g.t.leaves)) {
		return 0, fmt.Errorf("node %d: deeper than a tree of %d leaves can be, or than %d", c.at, len(g.t.leaves), maxDepth)
	}
	defer func() { g.depth-- }()
	at := len(g.nodes)
	if err := g.add(node{}); err != nil {
		return 0, err
	}
	if c.leaf {
		g.nodes[at].Value, g.nodes[at].Rows = g.t.leaves[c.at]*g.scale, rowsAt(g.t.leafRows, c.at)
		return at, nil
	}
	i := c.at
	n := node{Node: trees.Node{Field: int(g.t.features[i]), Rows: rowsAt(g.t.nodeRows, i)}}
	left, right := childOf(g.t.left[i]), childOf(g.t.right[i])
	if g.t.decisions[i]&categorical != 0 {
		codes, err := g.set(g.t.thresholds[i])
		if err != nil {
			return 0, fmt.Errorf("node %d: %w", i, err)
		}
		n.category, n.Codes = true, codes
		return at, g.split(at, n, left, right)
	}
	return at, g.number(at, n, i, left, right)
}

// number lays out a split of a number.
func (g *grow) number(at int, n node, i int32, left, right child) error {
	threshold, toLeft := g.t.thresholds[i], g.t.decisions[i]&defaultLeft != 0
	if math.IsNaN(threshold) {
		return fmt.Errorf("node %d: threshold NaN: want a number", i)
	}
	n.Value, n.MissingLeft = threshold, toLeft
	switch g.t.decisions[i] >> missingShift & 3 {
	case missingAsNaN:
		return g.split(at, n, left, right)
	case missingAsZero:
		return g.zeros(at, n, toLeft, left, right)
	default: // missing is 0
		n.MissingLeft = 0 <= threshold
		return g.split(at, n, left, right)
	}
}

// zeros lays out a split of a number that is missing where it is 0.
func (g *grow) zeros(at int, n node, toLeft bool, left, right child) error {
	threshold := n.Value
	// What is missing is 0, and 0 goes where it is told to, all numbers that are
	// as good as 0 with it.
	low := math.Nextafter(-zeroThreshold, math.Inf(-1))
	switch {
	case toLeft && threshold >= zeroThreshold, !toLeft && threshold <= low:
		return g.split(at, n, left, right)
	case toLeft && threshold > low: // 0 is left as a whole, and nothing above it
		n.Value = zeroThreshold
		return g.split(at, n, left, right)
	case !toLeft && threshold < zeroThreshold: // 0 is right as a whole
		n.Value = low
		return g.split(at, n, left, right)
	case toLeft: // threshold < 0 goes left, then 0 does, and what is between goes right
		return g.chain(at, n, []float64{threshold, low, zeroThreshold}, []child{left, right, left, right}, 2)
	default:
		return g.chain(at, n, []float64{low, zeroThreshold, threshold}, []child{left, right, left, right}, 1)
	}
}

// split gives node at two children.
func (g *grow) split(at int, n node, left, right child) error {
	var err error
	if n.Left, err = g.place(left); err == nil {
		n.Right, err = g.place(right)
	}
	g.nodes[at] = n
	return err
}

// chain lays out a number's ranges, which end at each of ends: the first to of[0]
// and so on. A missing number goes to the range of that number.
func (g *grow) chain(at int, n node, ends []float64, of []child, missing int) error {
	for k, end := range ends {
		step := n
		step.Value, step.MissingLeft = end, k == missing
		var err error
		if step.Left, err = g.place(of[k]); err != nil {
			return err
		}
		if k == len(ends)-1 {
			if step.Right, err = g.place(of[k+1]); err != nil {
				return err
			}
		} else {
			step.Right = len(g.nodes)
			if err := g.add(node{}); err != nil {
				return err
			}
		}
		g.nodes[at] = step
		at = step.Right
	}
	return nil
}

// bytesPerNode is fewer than the text of a node has: above that many nodes a
// model is none that was written by LightGBM, or one whose zeros cost too much.
const bytesPerNode = 48

func (g *grow) add(n node) error {
	if g.lightgbm.nodes++; g.lightgbm.nodes > 64+g.size/bytesPerNode {
		return fmt.Errorf("more than %d nodes in a file of %d bytes: want fewer (zero_as_missing makes some more than once)", 64+g.size/bytesPerNode, g.size)
	}
	g.nodes = append(g.nodes, n)
	return nil
}

// set gives the categories of a set.
func (g *grow) set(number float64) (codes []uint32, err error) {
	k := int(number)
	if !(number >= 0 && number < float64(len(g.t.bounds)-1)) {
		return nil, fmt.Errorf("category set %v: want 0 … %d", number, len(g.t.bounds)-2)
	}
	lo, hi := g.t.bounds[k], g.t.bounds[k+1]
	if lo < 0 || hi < lo || int(hi) > len(g.t.words) || hi-lo > math.MaxInt32/32 {
		return nil, fmt.Errorf("cat_boundaries %d … %d: want a rise within %d", lo, hi, len(g.t.words))
	}
	for w, word := range g.t.words[lo:hi] {
		g.codes += bits.OnesCount32(word)
		if err := g.room(g.codes); err != nil {
			return nil, err
		}
		for rest := word; rest != 0; rest &= rest - 1 {
			codes = append(codes, uint32(w*32+bits.TrailingZeros32(rest)))
		}
	}
	return codes, nil
}

// rowsAt gives a count of training rows, 0 where there is none.
func rowsAt(list []int32, i int32) uint32 {
	if int(i) >= len(list) || list[i] < 0 {
		return 0
	}
	return uint32(list[i])
}
