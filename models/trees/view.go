package trees

import (
	"fmt"
	"math"
	"slices"

	"ctr/features"
)

// Node is one node of a tree as other tools are told of it and tell of theirs.
// Left and Right are places in the tree's own list; a leaf has 0 for both. The
// root comes first and every node before its children.
type Node struct {
	Left, Right int
	// Value is a leaf's: a probability in a tree or forest, what is added to
	// the log-odds in a boosted model. In a node that looks at a number it is
	// the threshold: values <= Value go left.
	Value float64
	// Field is the place in Spec.Fields of what a node looks at.
	Field int
	// MissingLeft says where a number goes that is missing.
	MissingLeft bool
	// Codes are those that go left where the field is a category, ascending;
	// all others go right.
	Codes []uint32
	// Rows is the number of training rows that came by; 0 where not known.
	Rows uint32
}

// Leaf reports whether the node is one.
func (n *Node) Leaf() bool { return n.Left == 0 }

// Trees gives the trees, node by node. The probability of a row is the mean
// of the leaves that it falls in.
func (m *Model) Trees() [][]Node {
	list := make([][]Node, len(m.trees))
	for t, root := range m.trees {
		end := uint32(len(m.nodes))
		if t+1 < len(m.trees) {
			end = m.trees[t+1]
		}
		list[t] = make([]Node, 0, end-root)
		for i := root; i < end; i++ {
			list[t] = append(list[t], m.nodeAt(i, root))
		}
	}
	return list
}

func (m *Model) nodeAt(i, root uint32) Node {
	n := &m.nodes[i]
	v := Node{Field: int(n.field), Rows: m.rows[i]}
	if n.kind < catBits {
		v.Value = n.value()
	}
	if n.kind == leaf {
		return v
	}
	v.Left = int(n.child - root)
	v.Right = v.Left + 1
	v.MissingLeft = n.kind == numLeft
	switch n.kind {
	case catCodes:
		v.Codes = slices.Clone(m.set(n))
	case catBits:
		for w, bits := range m.set(n) {
			for b := range uint32(32) {
				if bits>>b&1 != 0 {
					v.Codes = append(v.Codes, uint32(w)*32+b)
				}
			}
		}
	}
	return v
}

// Trees gives the trees, node by node. The log-odds of a row are Base and the
// leaves that it falls in, added tree by tree.
func (b *Boosted) Trees() [][]Node { return b.m.Trees() }

// Base gives the log-odds before any tree.
func (b *Boosted) Base() float64 { return b.base }

// New makes a model of trees that were grown otherwise: algo "dt" of one tree
// or "rf" of several, whose leaves hold probabilities. It reports what
// could not be walked: a node without a parent or with two, a field that spec
// has not got, a leaf outside 0 … 1.
func New(algo string, spec *features.Spec, list [][]Node) (*Model, error) {
	m := &Model{algo: algo}
	if algo == "dt" && len(list) != 1 {
		return nil, fmt.Errorf("dt: %d trees: want 1", len(list))
	}
	m.settings.Trees = len(list)
	depth, err := m.fill(spec, list)
	if err == nil {
		m.settings.Depth = depth
		err = m.check(spec, len(list), wantProbability)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", algo, err)
	}
	return m, nil
}

// NewBoosted makes a boosted model of trees that were grown otherwise, whose
// leaves hold what is added to the log-odds. See New.
func NewBoosted(spec *features.Spec, base float64, list [][]Node) (*Boosted, error) {
	b := &Boosted{m: &Model{algo: "gbdt"}, base: base}
	b.settings.Trees = len(list)
	err := wantLogOdds(base)
	if err == nil {
		b.settings.Depth, err = b.m.fill(spec, list)
	}
	if err == nil {
		err = b.m.check(spec, len(list), wantLogOdds)
	}
	if err != nil {
		return nil, fmt.Errorf("gbdt: %w", err)
	}
	return b, nil
}

// fill lays the trees out as they are walked, children side by side, and gives
// their greatest depth. Each node is placed once, so that a ring of nodes or
// one with two parents is an error and never a loop.
func (m *Model) fill(spec *features.Spec, list [][]Node) (depth int, err error) {
	total, words := 0, 0
	for _, t := range list {
		total += len(t)
		for k := range t {
			if c := t[k].Codes; len(c) > 0 {
				words += min(len(c), int(slices.Max(c)>>5)+1)
			}
		}
	}
	if uint64(total) > math.MaxUint32 {
		return 0, fmt.Errorf("%d nodes: want at most %d", total, uint32(math.MaxUint32))
	}
	m.nodes, m.rows = make([]node, 0, total), make([]uint32, 0, total)
	m.sets = make([]uint32, 0, words)
	for t, tree := range list {
		d, err := m.fillTree(spec, tree)
		if err != nil {
			return 0, fmt.Errorf("tree %d: %w", t, err)
		}
		depth = max(depth, d)
	}
	return depth, nil
}

func (m *Model) fillTree(spec *features.Spec, tree []Node) (depth int, err error) {
	if len(tree) == 0 {
		return 0, fmt.Errorf("no nodes: want a root")
	}
	root := len(m.nodes)
	m.trees = append(m.trees, uint32(root))
	m.nodes, m.rows = append(m.nodes, node{}), append(m.rows, 0)
	type place struct{ from, to, depth int }
	placed := make([]bool, len(tree))
	placed[0] = true
	stack := []place{{to: root}}
	for len(stack) > 0 {
		p := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		depth = max(depth, p.depth)
		v := &tree[p.from]
		m.rows[p.to] = v.Rows
		if v.Leaf() {
			if v.Right != 0 {
				return 0, fmt.Errorf("node %d: right child %d without a left one", p.from, v.Right)
			}
			m.nodes[p.to].arg = math.Float64bits(v.Value)
			continue
		}
		for _, c := range []int{v.Left, v.Right} {
			if c <= 0 || c >= len(tree) {
				return 0, fmt.Errorf("node %d: child %d: want 1 … %d", p.from, c, len(tree)-1)
			}
			if placed[c] {
				return 0, fmt.Errorf("node %d: child %d: has another parent", p.from, c)
			}
			placed[c] = true
		}
		child := len(m.nodes)
		if v.Field < 0 || v.Field >= len(spec.Fields) {
			return 0, fmt.Errorf("node %d: field %d: want 0 … %d", p.from, v.Field, len(spec.Fields)-1)
		}
		m.nodes[p.to] = m.inner(v, child, spec.Fields[v.Field].Type == features.Num)
		m.nodes, m.rows = append(m.nodes, node{}, node{}), append(m.rows, 0, 0)
		stack = append(stack, place{v.Right, child + 1, p.depth + 1}, place{v.Left, child, p.depth + 1})
	}
	if n := len(m.nodes) - root; n != len(tree) {
		return 0, fmt.Errorf("%d of %d nodes have no parent", len(tree)-n, len(tree))
	}
	return depth, nil
}

// inner gives the inner node v, whose children begin at child.
func (m *Model) inner(v *Node, child int, number bool) node {
	n := node{child: uint32(child), field: uint16(v.Field)}
	switch {
	case !number:
		codes := v.Codes
		if !slices.IsSorted(codes) { // they may be shared, and many
			codes = slices.Clone(codes)
		}
		n.kind, n.arg = m.addSet(codes)
	case v.MissingLeft:
		n.kind, n.arg = numLeft, math.Float64bits(v.Value)
	default:
		n.kind, n.arg = numRight, math.Float64bits(v.Value)
	}
	return n
}
