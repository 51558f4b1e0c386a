package trees

import (
	"math"
	"slices"

	"ctr/features"
)

// LeafCounts gives the number of leaves of each tree.
func (b *Boosted) LeafCounts() []int {
	counts := make([]int, len(b.m.trees))
	for k := range counts {
		for _, n := range b.m.nodes[b.m.trees[k]:b.m.end(k)] {
			if n.kind == leaf {
				counts[k]++
			}
		}
	}
	return counts
}

// tree gives a model of tree k alone.
func (m *Model) tree(k int) *Model {
	root, end := m.trees[k], m.end(k)
	one := &Model{algo: m.algo, trees: []uint32{0}, nodes: slices.Clone(m.nodes[root:end]), rows: slices.Clone(m.rows[root:end])}
	for i := range one.nodes {
		n := &one.nodes[i]
		if n.kind != leaf {
			n.child -= root
		}
		if n.kind >= catBits {
			set := m.set(n)
			n.arg = setArg(uint32(len(one.sets)), uint32(len(set)))
			one.sets = append(one.sets, set...)
		}
	}
	return one
}

// end gives the end of the nodes of tree k.
func (m *Model) end(k int) uint32 {
	if k+1 < len(m.trees) {
		return m.trees[k+1]
	}
	return uint32(len(m.nodes))
}

// Leaves gives, for tree k, the leaf that each row of t falls in, numbered from
// 1 in the order of the nodes.
func (b *Boosted) Leaves(t *features.Table, k, threads int) features.Codes {
	one := b.m.tree(k)
	n := 0
	for i := range one.nodes {
		if nd := &one.nodes[i]; nd.kind == leaf {
			n++
			nd.arg = math.Float64bits(float64(n))
		}
	}
	at := make([]float64, t.Rows)
	one.addAll(t, at, threads, func([]float64) {})
	codes := features.MakeCodes(t.Rows, n+1)
	for i, v := range at {
		codes.Set(i, uint32(v))
	}
	return codes
}

// WithLeaves gives the same trees with other values in their leaves: those of
// the first tree in the order of its nodes, then those of the second … There
// must be as many as there are leaves. The log-odds before any tree are base.
func (b *Boosted) WithLeaves(base float64, values []float64) *Boosted {
	out := &Boosted{m: b.m.withNodes(slices.Clone(b.m.nodes)), base: base, settings: b.settings}
	for i := range out.m.nodes {
		if n := &out.m.nodes[i]; n.kind == leaf {
			n.arg = math.Float64bits(values[0])
			values = values[1:]
		}
	}
	return out
}

// Add gives sum with, tree by tree, the value of the leaf that ex falls in
// added.
func (b *Boosted) Add(ex *features.Example, sum float64) float64 {
	for _, root := range b.m.trees {
		sum += b.m.walk(root, ex)
	}
	return sum
}

// AddAll is Add for each row of t and its number in sums, on so many threads
// (0 = all cores).
func (b *Boosted) AddAll(t *features.Table, sums []float64, threads int) {
	b.m.addAll(t, sums, threads, func([]float64) {})
}

// Together gives one model of the trees of all of list, in order, with the
// log-odds base before any tree.
func Together(base float64, list []*Boosted) *Boosted {
	parts := make([]*Model, 0, len(list))
	trees := 0
	for _, b := range list {
		for k := range b.m.trees {
			parts = append(parts, b.m.tree(k))
		}
		trees += b.settings.Trees
	}
	out := &Boosted{m: join("gbdt", params{}, parts), base: base, settings: list[0].settings}
	out.m.settings = settings{}
	out.settings.Trees = trees
	return out
}
