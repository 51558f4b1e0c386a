package factor

import (
	"context"
	"fmt"
	"math"
	"sync"
	"sync/atomic"

	"ctr/features"
	"ctr/models"
)

// trainer gives the Trainer of one algorithm.
func trainer(algo string) models.Trainer {
	return func(ctx context.Context, t *features.Table, o models.Options, progress models.Progress) (models.Model, error) {
		s, err := settingsOf(algo, o)
		if err != nil {
			return nil, err
		}
		tr := &training{ctx: ctx, algo: algo, t: t, s: s, progress: progress}
		m, err := tr.run()
		if err != nil {
			return nil, err
		}
		return m, nil
	}
}

// training is one run of a Trainer.
type training struct {
	ctx      context.Context
	algo     string
	t        *features.Table
	s        settings
	progress models.Progress
	weight   []float32 // of each row of t, beside the mean; nil where all are 1
}

// run finds the number of passes by early stopping, if it is to, and fits a
// model to all rows.
func (tr *training) run() (*Model, error) {
	if tr.t.Rows == 0 || len(tr.t.Codes) == 0 {
		return nil, fmt.Errorf("%s: %d rows of %d columns: want 1 or more", tr.algo, tr.t.Rows, len(tr.t.Codes))
	}
	var err error
	if tr.weight, err = relative(tr.t.W); err != nil {
		return nil, fmt.Errorf("%s: %w", tr.algo, err)
	}
	report := Report{Passes: tr.s.limit()}
	if tr.s.earlyStop > 0 {
		if fit, held := models.Recent(tr.t, tr.s.share); len(fit) > 0 && len(held) > 0 {
			report.Passes, report.HeldLogLoss = tr.search(fit, held)
			report.HeldRows = len(held)
		}
	}
	f := tr.begin(allRows(tr.t.Rows))
	for n := range report.Passes {
		report.LogLoss = f.pass(n, report.Passes, "")
	}
	if err := tr.ctx.Err(); err != nil {
		return nil, err
	}
	return f.model(report), nil
}

// search fits a model to some rows and gives after how many passes it was best
// on others, and its log loss there.
func (tr *training) search(fit, held []int32) (best int, least float64) {
	f := tr.begin(fit)
	least = math.Inf(1)
	note := ""
	for n := range tr.s.limit() {
		f.pass(n, tr.s.limit(), note)
		e := f.epoch(held)
		loss := e.judge(tr.s.threads)
		if tr.ctx.Err() != nil {
			break
		}
		note = fmt.Sprintf(", held-out log loss %.5f", loss)
		if loss < least {
			best, least = n+1, loss
		}
		if n+1-best >= tr.s.earlyStop {
			break
		}
	}
	return max(best, 1), least
}

// relative gives the weights of rows divided by their mean.
func relative(w []float64) ([]float32, error) {
	if w == nil {
		return nil, nil
	}
	top, sum := 0.0, 0.0
	for i, v := range w {
		if !(v >= 0) || math.IsInf(v, 1) {
			return nil, fmt.Errorf("weight %v of row %d: want a finite number, 0 or more", v, i)
		}
		top = max(top, v)
	}
	if top == 0 {
		return nil, fmt.Errorf("weights of the rows: all 0: want some above 0")
	}
	for _, v := range w {
		sum += v / top
	}
	out := make([]float32, len(w))
	for i, v := range w {
		out[i] = float32(v / top * (float64(len(w)) / sum))
	}
	return out, nil
}

// allRows gives 0 … n-1.
func allRows(n int) []int32 {
	rows := make([]int32, n)
	for i := range rows {
		rows[i] = int32(i)
	}
	return rows
}

// fitted is a model that is being fitted to some of the rows.
type fitted struct {
	tr   *training
	form form
	m    machine
	rows []int32
	data *rowSource
	all  []float32 // the weights and accumulators
	bias float64
}

// begin draws the weights of a model.
func (tr *training) begin(rows []int32) *fitted {
	s := &tr.s
	list := tables(tr.t, rows, s.minSeen, s.slotBits, s.threads)
	form := newForm(tr.algo, len(list), s.factors)
	slots, stride := slotCount(list), form.lines()*trainLine
	f := &fitted{
		tr: tr, form: form, rows: rows, all: aligned((slots + 1) * stride), bias: tr.rate(rows),
		data: &rowSource{t: tr.t, tables: list, stride: uint64(4 * stride), nothing: uint64(4 * stride * slots), weight: tr.weight},
	}
	f.draw()
	f.m = form.machine(f.all, step{lambda: float32(s.lambda), eta: float32(s.rate), high: maxWeight, low: -maxWeight})
	return f
}

// rate gives the log-odds of the click rate of rows: the bias of their model.
// Half a click and half a row without one are added, so that it is finite.
func (tr *training) rate(rows []int32) float64 {
	clicks, total := 0.5, 1.0
	for _, i := range rows {
		w := 1.0
		if tr.weight != nil {
			w = float64(tr.weight[i])
		}
		clicks += w * float64(tr.t.Y[i])
		total += w
	}
	return math.Log(clicks / (total - clicks))
}

// drawSlots is how many slots one thread draws at a time.
const drawSlots = 4096

// draw sets weights to numbers from 0 to initial/√factors that depend on the
// seed, the field and the slot alone, and accumulators to 1, as libffm does.
// Linear weights and what is no weight at all become 0.
func (f *fitted) draw() {
	total := slotCount(f.data.tables) + 1
	n := (total + drawSlots - 1) / drawSlots
	var next atomic.Int64
	var wg sync.WaitGroup
	for range min(f.tr.s.threads, n) {
		wg.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= n {
					return
				}
				f.drawRange(i*drawSlots, min((i+1)*drawSlots, total))
			}
		})
	}
	wg.Wait()
}

// drawRange draws the slots lo … hi-1.
func (f *fitted) drawRange(lo, hi int) {
	list, field := f.data.tables, -1
	var scales []float32
	for slot := lo; slot < hi; slot++ {
		for field < 0 || field < len(list) && slot >= list[field].first+int(list[field].size) {
			field++
			scales = f.scales(field)
		}
		f.drawSlot(slot, scales)
	}
}

// scales gives what a random number of 16 bits is multiplied by for each
// lane of a field's slots: 0 for what is no factor, and everywhere for a field
// that does not exist.
func (f *fitted) scales(field int) []float32 {
	scales := make([]float32, f.form.lines()*lanes)
	for i := range scales {
		if _, factor, ok := f.form.at(field, i/lanes, i%lanes); ok && factor >= 0 && field < len(f.data.tables) {
			scales[i] = float32(f.tr.s.initial / math.Sqrt(float64(f.tr.s.factors)) / (1 << 16))
		}
	}
	return scales
}

func (f *fitted) drawSlot(slot int, scales []float32) {
	n := len(scales) / lanes
	a := f.all[slot*n*trainLine:][:n*trainLine]
	state := features.Mix64(features.Mix64(f.tr.s.seed) + uint64(slot))
	for i := range n {
		bits := [2]uint64{features.Mix64(state + uint64(2*i)), features.Mix64(state + uint64(2*i+1))}
		w, scale := a[i*trainLine:][:trainLine], scales[i*lanes:][:lanes]
		for j := range lanes {
			u := bits[j/4] >> (16 * (j % 4)) & (1<<16 - 1)
			w[j] = (float32(u) + .5) * scale[j]
			w[lanes+j] = 1
		}
	}
}

// epoch gives a pass over rows.
func (f *fitted) epoch(rows []int32) *epoch {
	return &epoch{ctx: f.tr.ctx, m: f.m, data: f.data, order: rows, batch: f.tr.s.batch, bias: f.bias}
}

// pass goes over the rows once more and gives their log loss on the way.
func (f *fitted) pass(n, of int, note string) float64 {
	if f.tr.ctx.Err() != nil {
		return 0
	}
	e := f.epoch(f.rows)
	e.done = n * len(f.rows)
	if p := f.tr.progress; p != nil {
		note = fmt.Sprintf("pass %d of %d%s", n+1, of, note)
		e.tick = func(done int) { p(e.done+done, of*len(f.rows), note) }
		e.tick(0)
	}
	if f.tr.s.free {
		return e.free(f.tr.s.threads)
	}
	return e.pass(f.tr.s.threads)
}
