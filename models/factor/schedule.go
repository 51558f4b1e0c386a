package factor

import (
	"context"
	"math"
	"sync"
	"sync/atomic"
)

// Rows are learned from in batches of a fixed size, and the work on a row is
// cut into parts, each with weights that no other part touches. A thread has
// parts of its own. For each batch it adds up its parts of every row, waits for
// the others, adds the parts together in order (as each thread does, for
// itself), and moves the weights of its parts row by row. So the derivative
// of the loss is that before the batch, and everything else is as if row came
// after row; one batch of waiting is all that threads cost each other, and the
// results are the same at any number of them, one included.

// batchRows is the size of a batch. It is part of the definition of the model.
const batchRows = 64

// machine is what is fitted.
type machine interface {
	// shares is the number of parts, width how many numbers a part has to say
	// of a row.
	shares() int
	width() int
	// forward sets out to what a part has to say of a row; rows has the
	// beginning of each field's slot, in bytes.
	forward(part int, rows []uint64, out []float32)
	// sum gives the log-odds, less the bias, of what the parts said, added up.
	sum(total []float32) float64
	// update moves the weights of a part, where kappa is the derivative of the
	// loss by the log-odds. The weights of next, a row to come, may be fetched
	// early.
	update(part int, rows, next []uint64, total []float32, kappa float64)
	// places is the length of rows.
	places() int
}

// epoch is one pass over rows.
type epoch struct {
	ctx   context.Context
	m     machine
	data  *rowSource
	order []int32
	batch int // rows of a batch
	done  int // rows learned from before
	bias  float64
	tick  func(done int) // told now and then; may be nil

	workers int
	gate    gate
	stop    atomic.Int64 // 1 + the turn after which all threads stop; 0 = none
	said    [2][]float32 // by part, row of the batch and width
	loss    float64
}

// pass goes over the rows once on so many threads and gives the mean loss of
// each row before it was learned from. It is incomplete where the context ends.
func (e *epoch) pass(threads int) float64 {
	parts := e.m.shares()
	e.workers = min(max(threads, 1), parts)
	e.gate.wake.L = &e.gate.mu
	for i := range e.said {
		e.said[i] = make([]float32, parts*e.batch*e.m.width())
	}
	var wg sync.WaitGroup
	for id := range e.workers - 1 {
		wg.Go(func() { e.work(id + 1) })
	}
	e.work(0)
	wg.Wait()
	return e.loss / float64(len(e.order))
}

// rows gives the batch that begins with row at of the order. The first ones are
// shorter: a weight moves most when it has hardly moved yet, and would move too
// far if many rows of a batch pushed it the same way.
func (e *epoch) rows(at int) []int32 {
	return e.order[at:min(at+min(e.batch, 1+(e.done+at)/16), len(e.order))]
}

// ticks is how many batches there are between looks at the context.
const ticks = 256

// work does one thread's parts of all batches.
func (e *epoch) work(id int) {
	parts := e.m.shares()
	lo, hi := id*parts/e.workers, (id+1)*parts/e.workers
	places, width := e.m.places(), e.m.width()
	now, next := e.data.buffer(e.batch, places), e.data.buffer(e.batch, places)
	totals, kappas := make([]float32, e.batch*width), make([]float64, e.batch)
	rows := e.rows(0)
	e.data.gather(rows, now)
	loss := 0.0
	for at, turn := 0, 0; len(rows) > 0; turn++ {
		after := e.rows(at + len(rows))
		e.data.gather(after, next)
		said := e.said[turn&1]
		for part := lo; part < hi; part++ {
			for i := range rows {
				e.m.forward(part, now[i*places:][:places], said[(part*e.batch+i)*width:][:width])
			}
		}
		if id == 0 && turn%ticks == ticks-1 {
			e.look(at, turn)
		}
		e.gate.wait(int64(turn+1) * int64(e.workers))
		if s := e.stop.Load(); s > 0 && int64(turn) >= s-1 {
			return
		}
		loss += e.combine(rows, said, totals, kappas)
		for part := lo; part < hi; part++ {
			for i := range rows {
				e.m.update(part, now[i*places:][:places], next[i*places:][:places], totals[i*width:][:width], kappas[i])
			}
		}
		at, rows = at+len(rows), after
		now, next = next, now
	}
	if id == 0 {
		e.loss = loss
	}
}

// look tells how far the pass is, and ends it with this turn where the context
// has ended.
func (e *epoch) look(done, turn int) {
	if e.ctx.Err() != nil {
		e.stop.Store(int64(turn) + 1)
	}
	if e.tick != nil {
		e.tick(done)
	}
}

// combine adds up what the parts said of the rows, and gives the sum of their
// losses.
func (e *epoch) combine(rows []int32, said, totals []float32, kappas []float64) (loss float64) {
	width := e.m.width()
	n := e.batch * width
	copy(totals, said[:len(rows)*width])
	for part := 1; part < e.m.shares(); part++ {
		for i, v := range said[part*n:][:len(rows)*width] {
			totals[i] += v
		}
	}
	for i, row := range rows {
		l, d := e.data.loss(int(row), e.bias+e.m.sum(totals[i*width:][:width]))
		kappas[i] = d
		loss += l
	}
	return loss
}

// logistic gives the loss of log-odds x of a click where there was one or not,
// log(1+exp(∓x)), and its derivative by x.
func logistic(x float64, click bool) (loss, derivative float64) {
	e := math.Exp(-math.Abs(x))
	p, tail := 1/(1+e), e/(1+e) // of the likelier, and of the other
	if (x >= 0) == click {
		loss, derivative = math.Log1p(e), tail
	} else {
		loss, derivative = math.Log1p(e)+math.Abs(x), p
	}
	if click {
		derivative = -derivative
	}
	return loss, derivative
}
