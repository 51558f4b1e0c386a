package trees

import (
	"container/heap"
	"math"
	"slices"
)

// emit makes the model of one tree: nodes in the order of their depth-first
// visit, at most so many leaves (0 = no limit).
func emit(b *binned, tree []grown, leaves int) *Model {
	keep := prune(tree, leaves)
	m := &Model{nodes: make([]node, 1, len(tree)), rows: make([]uint32, 1, len(tree))}
	type place struct{ from, to int }
	stack := []place{{0, 0}}
	for len(stack) > 0 {
		p := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		g := &tree[p.from]
		m.rows[p.to] = uint32(g.sums.n)
		n := &m.nodes[p.to]
		if g.child == 0 || keep != nil && !keep[p.from] {
			n.arg = math.Float64bits(g.p)
			continue
		}
		child := len(m.nodes)
		n.child, n.field = uint32(child), uint16(g.split.field)
		m.decide(b, p.to, &g.split)
		m.nodes = append(m.nodes, node{}, node{})
		m.rows = append(m.rows, 0, 0)
		stack = append(stack, place{int(g.child) + 1, child + 1}, place{int(g.child), child})
	}
	return m
}

// decide turns the bins of a split into what the node at compares rows with.
func (m *Model) decide(b *binned, at int, s *split) {
	n, fd := &m.nodes[at], &b.fields[s.field]
	if fd.number {
		n.kind = numRight
		if s.left.has(0) {
			n.kind = numLeft
		}
		n.arg = math.Float64bits(fd.above(s.threshold))
		return
	}
	var codes []uint32
	for b := range fd.codes {
		if s.left.has(uint16(b)) {
			codes = append(codes, fd.codes[b])
		}
	}
	n.kind, n.arg = m.addSet(codes)
}

// splitHeap holds nodes whose splits may be kept, the greatest gain on top.
type splitHeap struct {
	tree  []grown
	nodes []int
}

func (h *splitHeap) Len() int { return len(h.nodes) }
func (h *splitHeap) Less(i, j int) bool {
	a, b := h.nodes[i], h.nodes[j]
	if x, y := h.tree[a].split.gain, h.tree[b].split.gain; x != y {
		return x > y
	}
	return a < b
}
func (h *splitHeap) Swap(i, j int) { h.nodes[i], h.nodes[j] = h.nodes[j], h.nodes[i] }
func (h *splitHeap) Push(x any)    { h.nodes = append(h.nodes, x.(int)) }
func (h *splitHeap) Pop() any {
	x := h.nodes[len(h.nodes)-1]
	h.nodes = h.nodes[:len(h.nodes)-1]
	return x
}

// prune says which nodes stay split when a tree may have so many leaves: those
// that growing best first would have split. nil stands for all.
func prune(tree []grown, leaves int) []bool {
	if leaves == 0 || len(tree)/2+1 <= leaves {
		return nil
	}
	keep := make([]bool, len(tree))
	h := &splitHeap{tree: tree}
	push := func(i int) {
		if tree[i].child > 0 {
			heap.Push(h, i)
		}
	}
	push(0)
	for n := 1; n < leaves && h.Len() > 0; n++ {
		i := heap.Pop(h).(int)
		keep[i] = true
		push(int(tree[i].child))
		push(int(tree[i].child) + 1)
	}
	return keep
}

// above gives the number that the values of bins 1 … b, and no others, are
// less than or equal to.
func (f *field) above(b uint16) float64 {
	if int(b) > len(f.upper) {
		return math.Inf(1)
	}
	return f.upper[b-1]
}

// addSet puts codes in the pool, as bits or as an ascending list, whichever is
// shorter.
func (m *Model) addSet(codes []uint32) (k kind, arg uint64) {
	slices.Sort(codes)
	at := uint32(len(m.sets))
	words := 0
	if len(codes) > 0 {
		words = int(codes[len(codes)-1]>>5) + 1
	}
	if len(codes) < words {
		m.sets = append(m.sets, codes...)
		return catCodes, setArg(at, uint32(len(codes)))
	}
	m.sets = append(m.sets, make([]uint32, words)...)
	for _, c := range codes {
		m.sets[at+c>>5] |= 1 << (c & 31)
	}
	return catBits, setArg(at, uint32(words))
}

// join makes one model of those of the trees.
func join(algo string, p params, parts []*Model) *Model {
	m := &Model{algo: algo, settings: p.settings()}
	nodes, sets := 0, 0
	for _, t := range parts {
		nodes, sets = nodes+len(t.nodes), sets+len(t.sets)
	}
	m.nodes, m.rows, m.sets = make([]node, 0, nodes), make([]uint32, 0, nodes), make([]uint32, 0, sets)
	for _, t := range parts {
		root, pool := uint32(len(m.nodes)), uint32(len(m.sets))
		m.trees = append(m.trees, root)
		for _, n := range t.nodes {
			if n.kind != leaf {
				n.child += root
			}
			if n.kind >= catBits {
				n.arg += uint64(pool)
			}
			m.nodes = append(m.nodes, n)
		}
		m.rows = append(m.rows, t.rows...)
		m.sets = append(m.sets, t.sets...)
	}
	return m
}

func (p *params) settings() settings {
	return settings{
		Trees: p.trees, Depth: p.depth, Leaves: p.leaves, MinLeaf: p.minLeaf,
		RowShare: p.rowShare, ColShare: p.colShare, Bootstrap: p.bootstrap, Seed: p.seed,
	}
}
