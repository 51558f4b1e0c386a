package linear

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"

	"ctr/features"
)

// vectorBlock is how many elements of a vector one unit of work covers. It is
// part of the definition of every sum: partial sums belong to blocks and are
// added in the order of the blocks, so that the number of threads cannot show.
const vectorBlock = 1 << 14

// pool runs units of work on a fixed number of goroutines. What a unit
// computes must depend on its index alone. Once ctx has ended no further unit
// starts and results are incomplete: callers look at ctx before they use them.
type pool struct {
	ctx     context.Context
	threads int
	scratch *features.Scratch
}

// newPool gives a pool of so many threads; 0 or less means all cores.
func newPool(ctx context.Context, threads int) *pool {
	if threads <= 0 {
		threads = runtime.GOMAXPROCS(0)
	}
	return &pool{ctx: ctx, threads: threads}
}

// each calls f(0) … f(n-1), in any order, and returns when all are done.
func (p *pool) each(n int, f func(i int)) {
	workers := min(p.threads, n)
	if workers <= 1 {
		for i := 0; i < n && p.ctx.Err() == nil; i++ {
			f(i)
		}
		return
	}
	var next atomic.Int64
	var wg sync.WaitGroup
	work := func() {
		for p.ctx.Err() == nil {
			i := int(next.Add(1)) - 1
			if i >= n {
				return
			}
			f(i)
		}
	}
	for range workers - 1 {
		wg.Go(work)
	}
	work()
	wg.Wait()
}

// blocks calls f for consecutive ranges of at most size elements of 0 … n-1.
func (p *pool) blocks(n, size int, f func(lo, hi int)) {
	p.each((n+size-1)/size, func(i int) { f(i*size, min(n, (i+1)*size)) })
}

// sum adds up f over consecutive ranges of at most size elements of 0 … n-1,
// in the order of the ranges.
func (p *pool) sum(n, size int, f func(lo, hi int) float64) float64 {
	parts := make([]float64, (n+size-1)/size)
	p.each(len(parts), func(i int) { parts[i] = f(i*size, min(n, (i+1)*size)) })
	total := 0.0
	for _, s := range parts {
		total += s
	}
	return total
}

// dot gives Σ a[i]·b[i].
func (p *pool) dot(a, b []float64) float64 {
	return p.sum(len(a), vectorBlock, func(lo, hi int) float64 { return dot(a[lo:hi], b[lo:hi]) })
}

// axpy sets y += s·x.
func (p *pool) axpy(s float64, x, y []float64) {
	p.blocks(len(x), vectorBlock, func(lo, hi int) { axpy(s, x[lo:hi], y[lo:hi]) })
}

// dot is pool.dot on one block. Four running sums hide the adder's latency.
func dot(a, b []float64) float64 {
	b = b[:len(a)]
	var s0, s1, s2, s3 float64
	for len(a) >= 4 && len(b) >= 4 {
		s0 += float64(a[0] * b[0])
		s1 += float64(a[1] * b[1])
		s2 += float64(a[2] * b[2])
		s3 += float64(a[3] * b[3])
		a, b = a[4:], b[4:]
	}
	for i := range a {
		s0 += float64(a[i] * b[i])
	}
	return (s0 + s1) + (s2 + s3)
}

// axpy is pool.axpy on one block. Products are rounded before they are added
// (the conversion forbids a fused multiply-add), so that all machines agree.
func axpy(s float64, x, y []float64) {
	y = y[:len(x)]
	for i, v := range x {
		y[i] += float64(s * v)
	}
}
