package crosses

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"
)

const rowBlock = 1 << 14

// pool runs units of work on a fixed number of goroutines. What a unit
// computes depends on its index alone. Once ctx has ended no further unit
// starts, and results are incomplete.
type pool struct {
	ctx     context.Context
	scratch []*scratch // one a goroutine, made when first needed
}

func newPool(ctx context.Context, threads int) pool {
	if threads <= 0 {
		threads = runtime.GOMAXPROCS(0)
	}
	return pool{ctx: ctx, scratch: make([]*scratch, threads)}
}

// each calls f(0) … f(n-1), in any order, and returns when all are done.
func (p *pool) each(n int, f func(i int, x *scratch)) {
	p.run(n, func(worker, i int) {
		if p.scratch[worker] == nil {
			p.scratch[worker] = newScratch()
		}
		f(i, p.scratch[worker])
	})
}

// blocks calls f for consecutive ranges of at most size elements of 0 … n-1.
func (p *pool) blocks(n, size int, f func(lo, hi int)) {
	p.run((n+size-1)/size, func(_, i int) { f(i*size, min(n, (i+1)*size)) })
}

func (p *pool) run(n int, f func(worker, i int)) {
	var next atomic.Int64
	var wg sync.WaitGroup
	for worker := range min(len(p.scratch), n) {
		wg.Go(func() {
			for p.ctx.Err() == nil {
				i := int(next.Add(1)) - 1
				if i >= n {
					return
				}
				f(worker, i)
			}
		})
	}
	wg.Wait()
}
