package factor

import (
	"sync"
	"sync/atomic"
)

// freeRows is how many rows a thread takes at a time.
const freeRows = 256

// free is pass without any order: each thread takes rows of its own and moves
// the weights that all share, whatever the others do to them meanwhile (Niu et
// al. 2011, "Hogwild!").
func (e *epoch) free(threads int) float64 {
	var next atomic.Int64
	losses := make([]float64, max(threads, 1))
	var wg sync.WaitGroup
	for id := range losses {
		wg.Go(func() {
			w := newFreeWorker(e)
			for e.stop.Load() == 0 {
				lo := int(next.Add(freeRows)) - freeRows
				if lo >= len(e.order) {
					break
				}
				losses[id] += w.learn(e.order[lo:min(lo+freeRows, len(e.order))])
				if id == 0 {
					e.look(lo, 0)
				}
			}
		})
	}
	wg.Wait()
	total := 0.0
	for _, l := range losses {
		total += l
	}
	return total / float64(len(e.order))
}

// freeWorker is one thread of free.
type freeWorker struct {
	e          *epoch
	slots      []uint64
	one, total []float32
}

func newFreeWorker(e *epoch) *freeWorker {
	w := e.m.width()
	return &freeWorker{e: e, slots: e.data.buffer(freeRows, e.m.places()), one: make([]float32, w), total: make([]float32, w)}
}

// learn learns from rows and gives the sum of their losses.
func (w *freeWorker) learn(rows []int32) (loss float64) {
	e, places := w.e, w.e.m.places()
	e.data.gather(rows, w.slots)
	for i, row := range rows {
		now := w.slots[i*places:][:places]
		next := w.slots[min(i+1, len(rows)-1)*places:][:places]
		w.forward(now)
		l, kappa := e.data.loss(int(row), e.bias+e.m.sum(w.total))
		for part := range e.m.shares() {
			e.m.update(part, now, next, w.total, kappa)
		}
		loss += l
	}
	return loss
}

// forward sets total to what all parts say of a row.
func (w *freeWorker) forward(now []uint64) {
	clear(w.total)
	for part := range w.e.m.shares() {
		w.e.m.forward(part, now, w.one)
		for j, v := range w.one {
			w.total[j] += v
		}
	}
}

// judgeRows is how many rows of held-out data one thread judges at a time.
const judgeRows = 1024

// judge gives the mean loss of rows without learning from them.
func (e *epoch) judge(threads int) float64 {
	n := (len(e.order) + judgeRows - 1) / judgeRows
	losses := make([]float64, n)
	var next atomic.Int64
	var wg sync.WaitGroup
	for range min(max(threads, 1), n) {
		wg.Go(func() {
			w := newFreeWorker(e)
			for {
				i := int(next.Add(1)) - 1
				if i >= n || e.ctx.Err() != nil {
					return
				}
				losses[i] = w.judge(e.order[i*judgeRows : min((i+1)*judgeRows, len(e.order))])
			}
		})
	}
	wg.Wait()
	total := 0.0
	for _, l := range losses {
		total += l
	}
	return total / float64(len(e.order))
}

// judge gives the sum of the losses of rows.
func (w *freeWorker) judge(rows []int32) (loss float64) {
	e, places := w.e, w.e.m.places()
	for lo := 0; lo < len(rows); lo += freeRows {
		some := rows[lo:min(lo+freeRows, len(rows))]
		e.data.gather(some, w.slots)
		for i, row := range some {
			w.forward(w.slots[i*places:][:places])
			l, _ := e.data.loss(int(row), e.bias+e.m.sum(w.total))
			loss += l
		}
	}
	return loss
}
