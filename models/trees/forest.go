package trees

import (
	"context"
	"fmt"
	"sync"

	"ctr/features"
	"ctr/models"
)

// fit grows p.trees trees: each by one goroutine where there are as many as
// threads, else one after the other with all threads.
func fit(ctx context.Context, algo string, t *features.Table, p params, progress models.Progress) (*Model, error) {
	if err := check(algo, t); err != nil {
		return nil, err
	}
	b := bin(t, &p)
	parts := make([]*Model, p.trees)
	across, within := 1, p.threads
	if p.trees >= p.threads {
		across, within = p.threads, 1
	}
	var mu sync.Mutex
	done := 0
	growers := make(chan []*grower, across)
	for range across {
		gs := make([]*grower, within+1)
		for i := range gs {
			gs[i] = newGrower(b, &p, 1)
		}
		gs[0].threads = within
		growers <- gs
	}
	each(across, p.trees, func(i int) {
		if ctx.Err() != nil {
			return
		}
		gs := <-growers
		defer func() { growers <- gs }()
		seed := features.Mix64(features.Mix64(p.seed) + uint64(i))
		gs[0].sample(seed)
		nodes := gs[0].tree(ctx, features.Mix64(seed), gs[1:])
		if ctx.Err() != nil {
			return
		}
		parts[i] = emit(b, nodes, p.leaves)
		mu.Lock()
		defer mu.Unlock()
		done++
		if progress != nil {
			progress(done, p.trees, fmt.Sprintf("tree %d: %d nodes", done, len(parts[i].nodes)))
		}
	})
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return join(algo, p, parts), nil
}

// sample fills g.es with the rows of a tree, ascending.
func (g *grower) sample(seed uint64) {
	n := g.b.rows
	g.es = g.es[:0]
	if cap(g.es) < n {
		g.es = features.Alloc[entry](g.p.scratch, n)[:0]
	}
	want := min(max(int(float64(n)*g.p.rowShare+.5), 1), n)
	r := rng(seed)
	switch {
	case g.p.bootstrap:
		if g.draws == nil {
			g.draws = make([]uint8, n)
		}
		clear(g.draws)
		for range want {
			if i := r.below(n); g.draws[i] < maxDraws {
				g.draws[i]++
			}
		}
		for i, d := range g.draws {
			if d > 0 {
				g.es = append(g.es, makeEntry(i, int(d), g.b.y[i]))
			}
		}
	case want == n:
		for i, y := range g.b.y {
			g.es = append(g.es, makeEntry(i, 1, y))
		}
	default:
		// Selection sampling (Knuth, The Art of Computer Programming 2,
		// algorithm 3.4.2 S): exactly so many rows, in order.
		for i, y := range g.b.y {
			if r.below(n-i) < want-len(g.es) {
				g.es = append(g.es, makeEntry(i, 1, y))
			}
		}
	}
}
