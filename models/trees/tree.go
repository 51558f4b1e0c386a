package trees

import (
	"context"
	"slices"

	"ctr/features"
)

// tree grows a tree on g.es, which it reorders. The subtrees of nodes of at
// most taskRows rows are grown by inner: at once where there is one of them,
// else side by side when all larger nodes are done.
func (g *grower) tree(ctx context.Context, seed uint64, inner []*grower) []grown {
	v := view{data: g.b.data, stride: g.b.stride, rows: g.b.rows, w: g.b.w}
	g.nodes = append(g.nodes[:0], grown{sums: g.total(g.es)})
	root := &g.nodes[0]
	root.p = root.sums.rate()
	g.tasks, g.parts, g.inner = g.tasks[:0], g.parts[:0], inner
	g.reserve(len(g.es))
	g.grow(ctx, task{node: 0, lo: 0, hi: len(g.es), seed: seed}, v, nil)
	if len(inner) > 1 {
		g.parts = append(g.parts, make([][]grown, len(g.tasks))...)
		g.each(inner, len(g.tasks), func(w *grower, i int) {
			if ctx.Err() == nil {
				g.parts[i] = w.subtree(ctx, g, g.tasks[i], v)
			}
		})
	}
	for i, part := range g.parts {
		if len(part) > 0 {
			g.nodes = graft(g.nodes, g.tasks[i].node, part)
		}
	}
	return g.nodes
}

// reserve makes room for n entries to be set aside.
func (g *grower) reserve(n int) {
	if len(g.spare) < n {
		g.spare = features.Alloc[entry](g.p.scratch, n)
	}
}

func (g *grower) each(inner []*grower, n int, work func(w *grower, i int)) {
	free := make(chan *grower, len(inner))
	for _, w := range inner {
		free <- w
	}
	each(len(inner), n, func(i int) {
		w := <-free
		work(w, i)
		free <- w
	})
}

// graft puts a subtree in the place of a leaf.
func graft(nodes []grown, at int, part []grown) []grown {
	shift := int32(len(nodes) - 1)
	for i := range part {
		if part[i].child > 0 {
			part[i].child += shift
		}
	}
	nodes[at] = part[0]
	return append(nodes, part[1:]...)
}

func (g *grower) total(es []entry) (s sums) {
	t, w, y := uint64(0), uint64(0), uint64(0)
	for _, e := range es {
		t += e.tally()
		if g.b.w != nil {
			x := g.b.w[e.row()] * e.draws()
			w += x
			if e.click() {
				y += x
			}
		}
	}
	s = sums{n: float64(uint32(t)), w: float64(uint32(t)), y: float64(t >> 32)}
	if g.b.w != nil {
		s.w, s.y = float64(w)*g.b.unit, float64(y)*g.b.unit
	}
	return s
}

// subtree grows the subtree of a node of from.
func (g *grower) subtree(ctx context.Context, from *grower, t task, v view) []grown {
	g.es = append(g.es[:0], from.es[t.lo:t.hi]...)
	g.reserve(len(g.es))
	g.nodes = append(g.nodes[:0], from.nodes[t.node])
	g.grow(ctx, task{node: 0, lo: 0, hi: len(g.es), depth: t.depth, seed: t.seed}, v, nil)
	return slices.Clone(g.nodes)
}
