package pipeline

import (
	"fmt"
	"sync"

	"ctr/features"
	"ctr/models/linear"
	"ctr/models/metrics"
)

// learnable is what online learning makes of a block: its rows that are to be
// learned from, encoded.
type learnable struct {
	rows  []int32
	batch linear.Batch
	codes []uint32
	y     []uint8
	w     []float32
	p     []float32
	// cached is what y and codes are of where rows come from a cache
	cached features.CacheBatch
}

// hourCount counts the rows of each hour, and shows some to a Collector.
type hourCount struct {
	mu      sync.Mutex
	workers []map[features.Hour]int
}

func (h *hourCount) worker(c *collecting) func(*job) {
	counts := map[features.Hour]int{}
	h.mu.Lock()
	h.workers = append(h.workers, counts)
	h.mu.Unlock()
	var collect *features.CollectWorker
	if c.c != nil {
		collect = c.c.Worker()
	}
	var op *opened
	var times *features.Encoder
	return func(j *job) {
		if op != j.open { // an Encoder a source, not a block
			op = j.open
			times, _ = (&features.Spec{Schema: *op.schema}).Encoder(op.layout)
		}
		h.count(j, times, c, counts)
		if collect != nil && j.before+j.block.First < scoutRows {
			collect.Head(scoutRows - j.before)
			collect.Add(&j.block, j.file, j.fail)
		}
	}
}

// count counts the good rows of a block that are between since and until.
func (h *hourCount) count(j *job, times *features.Encoder, c *collecting, counts map[features.Hour]int) {
	if times == nil || !times.HasTime() {
		return
	}
	if j.block.CountHours(times, func(h features.Hour, n int) {
		if inWindow(c, h) {
			counts[h] += n
		}
	}) {
		return
	}
	j.block.Split() // where it was left to us
	var last features.Hour
	n := 0
	for i := range j.block.Len() {
		if j.block.Err(i) != nil {
			continue
		}
		row := j.block.Row(i)
		at, _, err := times.Hour(&row)
		if err != nil || !inWindow(c, at) {
			continue // a bad row is reported when it is learned from
		}
		if at != last && n > 0 {
			counts[last] += n
			n = 0
		}
		last = at
		n++
	}
	if n > 0 {
		counts[last] += n
	}
}

func inWindow(c *collecting, h features.Hour) bool {
	return (c.since == nil || h >= *c.since) && (c.until == nil || h < *c.until)
}

func (h *hourCount) all() map[features.Hour]int {
	sum := map[features.Hour]int{}
	for _, w := range h.workers {
		for hour, n := range w {
			sum[hour] += n
		}
	}
	return sum
}

// encoding gives the function that encodes the rows of a block on one
// goroutine.
func (t *onlineTraining) encoding() func(*job) {
	e := t.newEncoding()
	return func(j *job) { e.encode(j) }
}

// rowEncoding picks and encodes rows to learn from.
type rowEncoding struct {
	t       *onlineTraining
	ex      *features.Example
	counts  bool // rows are counted
	counter *features.ReferenceCounter
}

// encode fills j.learn.
func (e *rowEncoding) encode(j *job) {
	if e.encodeCached(j) {
		return
	}
	j.block.Split() // where it was left to us
	enc := j.open.bind.(*features.Encoder)
	if e.ex == nil {
		e.ex = enc.NewExample()
	}
	l := &j.learn
	l.rows, l.y, l.w = l.rows[:0], l.y[:0], l.w[:0]
	held := int64(0)
	for i := range j.block.Len() {
		err := j.block.Err(i)
		var keep keptRow
		if err == nil {
			row := j.block.Row(i)
			keep, err = e.wanted(enc, &row, features.RowKey{File: j.file, Row: j.block.First + int64(i)})
		}
		switch {
		case err != nil:
			j.fail(i, err)
		case keep.held:
			held++
		case keep.ok:
			l.rows, l.y = append(l.rows, int32(i)), append(l.y, keep.y)
			if enc.HasWeight() {
				l.w = append(l.w, keep.w)
			}
		}
	}
	if held > 0 {
		e.t.held.Add(held)
	}
	e.codes(j, enc)
}

// keptRow is what is decided of a row before its features are looked at.
type keptRow struct {
	ok, held bool
	y        uint8
	w        float32
}

func (e *rowEncoding) wanted(enc *features.Encoder, row *features.Row, key features.RowKey) (k keptRow, err error) {
	t := e.t
	var h features.Hour
	if t.c.since != nil || t.c.until != nil || t.holdout.Kind == "time" {
		if h, _, err = enc.Hour(row); err != nil {
			return k, err
		}
		if !inWindow(t.c, h) {
			return k, nil
		}
	}
	y, err := enc.Label(row)
	if err != nil {
		return k, err
	}
	if y < 0 {
		return k, enc.NoLabel()
	}
	w, _, err := enc.Weight(row)
	if err != nil {
		return k, err
	}
	if t.holdout.Test(key, h) {
		return keptRow{held: true}, nil
	}
	if y == 0 && t.keep < 1 && !key.Drawn(t.o.Seed, t.keep) {
		return k, nil
	}
	return keptRow{ok: true, y: uint8(y), w: float32(w)}, nil
}

// codes encodes the rows that were kept; those whose features are bad are
// taken out.
func (e *rowEncoding) codes(j *job, enc *features.Encoder) {
	l, width := &j.learn, len(enc.Spec().Fields)
	if need := len(l.rows) * width; cap(l.codes) < need {
		l.codes = make([]uint32, need+need/4)
	}
	l.codes = l.codes[:len(l.rows)*width]
	good := 0 // rows encoded, and moved to the front
	for at := 0; at < len(l.rows); {
		n, err := enc.EncodeCodes(&j.block, l.rows[at:], l.codes[good*width:], e.ex)
		copy(l.y[good:], l.y[at:at+n])
		if len(l.w) > 0 {
			copy(l.w[good:], l.w[at:at+n])
		}
		good, at = good+n, at+n
		if err != nil {
			j.fail(int(l.rows[at]), err)
			at++
		}
	}
	l.y, l.codes = l.y[:good], l.codes[:good*width]
	if len(l.w) > 0 {
		l.w = l.w[:good]
	}
	l.ready(width)
	e.counted(l, enc.Spec())
}

// take learns from a block, and judges what the learner said of it before.
func (t *onlineTraining) take(j *job, judge *metrics.Progressive) error {
	t.learner.Learn(&j.learn.batch)
	j.learn.judge(judge, t.keep)
	t.log.at(judge)
	return nil
}

// judge adds the predictions of the block's rows. Where some rows without a
// click are left out, those that are left stand for them.
func (l *learnable) judge(judge *metrics.Progressive, keep float64) {
	w := l.w
	if keep < 1 {
		w = recalibrate(l, keep)
	}
	judge.Add(l.y, l.p, w)
}

// recalibrate corrects the predictions for the share of rows without a click
// that were learned from, q = p/(p + (1-p)/w) (He et al. 2014, section 6.3),
// and gives weights that restore these rows' number.
func recalibrate(l *learnable, keep float64) []float32 {
	out := make([]float32, len(l.y))
	for i, y := range l.y {
		p := float64(l.p[i])
		l.p[i] = float32(p / (p + (1-p)/keep))
		out[i] = 1
		if len(l.w) > 0 {
			out[i] = l.w[i]
		}
		if y == 0 {
			out[i] /= float32(keep)
		}
	}
	return out
}

// share has the workers of r learn themselves, all from the same unguarded
// table. What it gives adds up their judgements.
func (t *onlineTraining) share(r *rowReader, judge *metrics.Progressive) (merge func()) {
	var mu sync.Mutex
	var parts []*metrics.Progressive
	var total metrics.Progressive // loss and rows only
	r.worker = func() func(*job) {
		e, part := t.newEncoding(), new(metrics.Progressive)
		parts = append(parts, part)
		return func(j *job) {
			e.encode(j)
			t.learner.Learn(&j.learn.batch)
			loss, weight := part.Loss()
			j.learn.judge(part, t.keep)
			after, all := part.Loss()
			mu.Lock()
			total.AddLoss(len(j.learn.y), after-loss, all-weight)
			t.log.at(&total)
			mu.Unlock()
		}
	}
	r.emit = nil
	return func() {
		for _, p := range parts {
			judge.Merge(p)
		}
	}
}

// progressLog notes the log loss as it goes, at powers of two thousand rows or
// every so many.
type progressLog struct {
	every  int64
	obs    Observer
	points []ProgressPoint

	next         int64
	rows         int
	loss, weight float64 // at the last point
	headed       bool    // whether the columns have their names
}

func (p *progressLog) begin() {
	p.next, p.rows, p.loss, p.weight = 1000, 0, 0, 0
	if p.every > 0 {
		p.next = p.every
	}
	p.headed = false
}

func (p *progressLog) say(line string) {
	if p.obs != nil {
		p.obs.Note(line)
	}
}

// at notes a point if one is due.
func (p *progressLog) at(g *metrics.Progressive) {
	if n := int64(g.Rows()); n >= p.next {
		p.point(g)
		for p.next <= n {
			if p.every > 0 {
				p.next += p.every
			} else {
				p.next *= 2
			}
		}
	}
}

// end notes the last point.
func (p *progressLog) end(g *metrics.Progressive) {
	if g.Rows() > p.rows {
		p.point(g)
	}
}

func (p *progressLog) point(g *metrics.Progressive) {
	loss, weight := g.Loss()
	if !(weight > p.weight) {
		return
	}
	at := ProgressPoint{Rows: g.Rows(), LogLoss: loss / weight, Window: (loss - p.loss) / (weight - p.weight)}
	p.points = append(p.points, at)
	if !p.headed {
		p.say(fmt.Sprintf("%12s  %10s  %10s", "rows", "log loss", "since last"))
		p.headed = true
	}
	p.say(fmt.Sprintf("%12s  %10.6f  %10.6f", Thousands(at.Rows), at.LogLoss, at.Window))
	p.rows, p.loss, p.weight = at.Rows, loss, weight
}

// quietNotes passes on progress and no notes: those of rows that were noted
// before.
type quietNotes struct{ Observer }

// Note does nothing.
func (quietNotes) Note(string) {}

// Progress passes it on.
func (q quietNotes) Progress(stage Stage, done, total int64, note string) {
	if q.Observer != nil {
		q.Observer.Progress(stage, done, total, note)
	}
}
