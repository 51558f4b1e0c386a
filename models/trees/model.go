package trees

import (
	"math"

	"ctr/features"
)

// kind is what a node does.
type kind uint8

const (
	leaf     kind = iota
	numLeft       // v <= threshold goes left, and so does a missing v
	numRight      // v <= threshold goes left; a missing v goes right
	catBits       // the codes of a bit set go left
	catCodes      // the codes of an ascending list go left
)

// node is 16 bytes, four to a cache line.
type node struct {
	// arg is the bits of a leaf's probability or of a number's threshold, and
	// where a category's set stands in the pool: its start, and its length in
	// the upper half.
	arg uint64
	// child is where the left child stands, the right one after it; of a leaf
	// it is 0.
	child uint32
	field uint16
	kind  kind
}

func (n *node) value() float64 { return math.Float64frombits(n.arg) }

func setArg(at, size uint32) uint64 { return uint64(at) | uint64(size)<<32 }

// Model is a tree or a forest. It implements models.Model.
type Model struct {
	algo     string
	trees    []uint32 // the roots
	nodes    []node   // of all trees, each before its children
	sets     []uint32 // the pool of category sets
	rows     []uint32 // of all nodes: training rows that came by, each as often as drawn
	settings settings
	why      explained
}

// withNodes gives the same trees with other nodes.
func (m *Model) withNodes(nodes []node) *Model {
	return &Model{algo: m.algo, trees: m.trees, nodes: nodes, sets: m.sets, rows: m.rows, settings: m.settings}
}

// set gives the set of a category node.
func (m *Model) set(n *node) []uint32 {
	at, size := uint32(n.arg), uint32(n.arg>>32)
	return m.sets[at : at+size]
}

// settings are what the model was trained with, defaults filled in.
type settings struct {
	Trees     int     `json:"trees"`
	Depth     int     `json:"depth"`
	Leaves    int     `json:"leaves,omitempty"`
	MinLeaf   int     `json:"min_leaf"`
	RowShare  float64 `json:"row_share"`
	ColShare  float64 `json:"col_share"`
	Bootstrap bool    `json:"bootstrap"`
	Seed      uint64  `json:"seed"`
}

// Algo is "dt" or "rf".
func (m *Model) Algo() string { return m.algo }

// Probability is the mean over the trees of the probability of the leaf that
// ex falls in.
func (m *Model) Probability(ex *features.Example) float64 {
	sum := 0.
	for _, root := range m.trees {
		sum += m.walk(root, ex)
	}
	return sum / float64(len(m.trees))
}

// walk gives the value of the leaf that ex comes to. (Going left or right by
// arithmetic instead of a branch was a tenth slower.)
func (m *Model) walk(at uint32, ex *features.Example) float64 {
	for {
		n := &m.nodes[at]
		left := false
		switch n.kind {
		case leaf:
			return n.value()
		case numRight:
			left = ex.Values[n.field] <= n.value()
		case numLeft:
			left = !(ex.Values[n.field] > n.value())
		case catBits:
			s, code := m.set(n), ex.Codes[n.field]
			left = uint64(code>>5) < uint64(len(s)) && s[code>>5]>>(code&31)&1 != 0
		default:
			left = contains(m.set(n), ex.Codes[n.field])
		}
		at = n.child
		if !left {
			at++
		}
	}
}

// contains reports whether code is in the ascending list.
func contains(list []uint32, code uint32) bool {
	base := 0
	for n := len(list); n > 1; {
		half := n / 2
		if list[base+half] <= code {
			base += half
		}
		n -= half
	}
	return base < len(list) && list[base] == code
}
