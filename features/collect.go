package features

import (
	"cmp"
	"errors"
	"math"
	"slices"
	"sync"
	"sync/atomic"
)

// CollectOptions say which rows a Collector keeps.
type CollectOptions struct {
	// Sample, where not 0, keeps so many rows, chosen uniformly by Seed.
	Sample int64
	Seed   uint64
	// Keep, where not 0, keeps so many rows of the sample, or of all, chosen
	// by Seed too, and divides them as the whole would be: where a split by
	// time falls is decided by all rows.
	Keep int64
	// Head, where not 0, keeps rows whose number in their source is below it.
	Head int64
	// Scratch has room for the rows kept; nil = the heap. It may be closed
	// after Fit.
	Scratch *Scratch
	// Since and Until, where not nil, keep rows with Since <= time < Until.
	Since, Until *Hour
}

// Collector reads rows once and keeps them as provisional codes, before it is
// known which values are frequent, where the test part begins or what the
// quantiles are; Fit then makes a Spec and tables of them without seeing the
// text again.
//
// Each worker has dictionaries of its own and shares nothing while it reads.
// What Fit gives is the same whatever rows went to which worker.
type Collector struct {
	plan    *Plan
	opts    CollectOptions
	enc     *Encoder // of the unfitted fields: finds columns
	workers []*CollectWorker
	caches  sync.Map // of *collectCache by *Cache
	mu      sync.Mutex
	kept    *reservoir // of the rows to keep; nil where all are
	wide    *reservoir // of the sample, where fewer are kept
	read    atomic.Int64
	past    int // numbers of a row's past
}

// NewCollector gives a Collector for rows of one layout.
func NewCollector(plan *Plan, layout Layout, o CollectOptions) (*Collector, error) {
	spec := &Spec{Schema: *plan.Schema, Fields: plan.Fields, Bits: plan.Bits, HistoryBits: plan.HistoryBits}
	enc, err := spec.Encoder(layout)
	if err != nil {
		return nil, err
	}
	c := &Collector{plan: plan, opts: o, enc: enc, past: len(pasts) * len(enc.history), kept: newReservoir(o.Sample)}
	switch {
	case o.Keep == 0:
	case o.Sample == 0 || o.Keep < o.Sample:
		c.kept, c.wide = newReservoir(o.Keep), c.kept
	default:
		c.opts.Keep = 0 // the sample is kept whole
	}
	for i := range enc.ops {
		// A capped value is kept whole until the cap is known.
		if plan.caps[i] && enc.ops[i].kind == opHash {
			enc.ops[i].kind = opDict
		}
	}
	return c, nil
}

// Worker gives a worker, to be used by one goroutine.
func (c *Collector) Worker() *CollectWorker {
	w := &CollectWorker{c: c, set: &codeSet{values: make([]valueSet, len(c.enc.ops))}, cached: map[*Cache]*codeSet{}, tidied: math.MaxUint64, first: c.opts.Head}
	for i := range w.set.values {
		if !c.final(i) {
			w.set.values[i] = newInterner()
		}
	}
	c.mu.Lock()
	c.workers = append(c.workers, w)
	c.mu.Unlock()
	return w
}

// final reports whether the codes of field f, from text, are hashes for good.
func (c *Collector) final(f int) bool {
	return c.enc.ops[f].field.Type == Hash && !c.plan.caps[f]
}

// Head sets CollectOptions.Head for the blocks that w is given from now on.
func (w *CollectWorker) Head(rows int64) { w.first = rows }

// beyond reports whether a row of a source is not among those to be kept.
func (w *CollectWorker) beyond(row int64) bool { return w.first != 0 && row >= w.first }

// Keys gives what reads the keys of a block before State.Count; nil where the
// plan has no history fields, and else every block must go through a State,
// in order, before it is added.
func (c *Collector) Keys() *Encoder {
	if c.past == 0 {
		return nil
	}
	return c.enc
}

// Read gives the number of good rows seen so far, kept or not.
func (c *Collector) Read() int64 { return c.read.Load() }

// CollectWorker is one goroutine's share of a Collector.
type CollectWorker struct {
	c      *Collector
	set    *codeSet            // of text
	cached map[*Cache]*codeSet // of caches
	chunks []*chunk
	kept   []offered
	text   []byte
	codes  []uint32 // of a column, before they are packed
	block  Block    // of a row of a cache that is looked at as text

	first   int64 // CollectOptions.Head
	tallies tallies
	tidied  uint64 // the bound when tidy last dropped rows
}

// chunk is the kept rows of one block, column by column.
type chunk struct {
	set    *codeSet
	file   int
	first  int64
	rows   []int32  // rows kept, beside first; nil where all are
	hashes []uint64 // of the rows; nil without sampling
	y      []uint8
	w      []float64
	hour   []Hour    // one where all rows have the same; nil without a time column
	codes  []Codes   // by field: provisional or hash codes
	nums   []float64 // number j of row i at j*n+i; nil where codes stand for numbers too
	past   []uint32  // number j of row i's past at i*width+j
}

// row gives the number of row i in its source.
func (ch *chunk) row(i int) int64 {
	if ch.rows == nil {
		return ch.first + int64(i)
	}
	return ch.first + int64(ch.rows[i])
}

// time gives the hour of row i, 0 where there is no time column.
func (ch *chunk) time(i int) Hour {
	switch len(ch.hour) {
	case 0:
		return 0
	case 1:
		return ch.hour[0]
	}
	return ch.hour[i]
}

// shrink drops what need not be kept: the time of each row where all have the
// same.
func (ch *chunk) shrink() {
	for _, h := range ch.hour {
		if h != ch.hour[0] {
			return
		}
	}
	if len(ch.hour) > 1 {
		ch.hour = []Hour{ch.hour[0]}
	}
}

// Add takes the rows of a block of file number file. Rows that are bad are
// left out and given to bad, in the order of the block; the error names no file.
// A block of a cache that was given to Bind need not be Split, but must have
// been checked (Block.Check).
func (w *CollectWorker) Add(b *Block, file int, bad func(row int, err error)) {
	if b.Cached() {
		if b.pending && w.addCached(b, file, bad) {
			return
		}
		b.Split()
	}
	ch := &chunk{set: w.set, file: file, first: b.First}
	w.c.read.Add(int64(w.heads(b, ch, bad)))
	m := len(ch.y)
	if m == 0 {
		return
	}
	if cap(w.codes) < m {
		w.codes = make([]uint32, m)
	}
	ch.codes = make([]Codes, len(w.c.enc.ops))
	for f := range w.c.enc.ops {
		if k := w.c.enc.ops[f].kind; k != opNum && k != opPast {
			w.column(b, ch, f, w.codes[:m])
			ch.codes[f] = packCodes(w.c.opts.Scratch, w.codes[:m])
		}
	}
	if m == b.Len() {
		ch.rows = nil
	}
	ch.shrink()
	w.chunks = append(w.chunks, ch)
	w.tidy()
}

// heads reads what decides whether a row is kept and good: label, time,
// weight and numbers. It gives the number of good rows, kept or not. A row is
// good or bad whether it is in the sample or not: that may depend on how far
// other workers have come.
func (w *CollectWorker) heads(b *Block, ch *chunk, bad func(int, error)) (good int) {
	n, nums := b.Len(), 0
	for i := range w.c.enc.ops {
		if w.c.enc.ops[i].kind == opNum {
			nums++
		}
	}
	ch.y = make([]uint8, 0, n)
	ch.rows = make([]int32, 0, n)
	values := make([]float64, nums)
	var rowNums []float64
	for i := range n {
		if err := b.Err(i); err != nil {
			bad(i, err)
			continue
		}
		r := b.Row(i)
		h, ok, err := w.wanted(&r)
		var y int
		var weight float64
		if err == nil && len(r.past) < w.c.past {
			err = &RowError{Msg: noPast}
		}
		if err == nil && ok {
			y, weight, err = w.head(&r, values)
		}
		if err != nil {
			bad(i, err)
			continue
		}
		good++
		if !ok || w.beyond(b.First+int64(i)) || !w.sampled(ch, RowKey{ch.file, b.First + int64(i)}, h) {
			continue
		}
		ch.rows, ch.y = append(ch.rows, int32(i)), append(ch.y, uint8(y))
		if w.c.enc.time >= 0 {
			ch.hour = append(ch.hour, h)
		}
		if w.c.enc.weight >= 0 {
			ch.w = append(ch.w, weight)
		}
		rowNums = append(rowNums, values...)
		ch.past = append(ch.past, r.past...)
	}
	m := len(ch.rows)
	if 2*m < n { // chunks stay: a small sample of much data shall be small
		ch.rows, ch.y, ch.past = slices.Clone(ch.rows), slices.Clone(ch.y), slices.Clone(ch.past)
	}
	ch.nums = Alloc[float64](w.c.opts.Scratch, len(rowNums))
	for i := range m {
		for j := range nums {
			ch.nums[j*m+i] = rowNums[i*nums+j]
		}
	}
	return good
}

// wanted says whether a row is in the range of time.
func (w *CollectWorker) wanted(r *Row) (h Hour, ok bool, err error) {
	h, timed, err := w.c.enc.Hour(r)
	if err != nil {
		return 0, false, err
	}
	o := &w.c.opts
	return h, !timed || (o.Since == nil || h >= *o.Since) && (o.Until == nil || h < *o.Until), nil
}

// head reads the label, the weight and the numbers of a row.
func (w *CollectWorker) head(r *Row, values []float64) (y int, weight float64, err error) {
	e := w.c.enc
	if y, err = e.Label(r); err != nil {
		return 0, 0, err
	}
	if y < 0 {
		return 0, 0, e.NoLabel()
	}
	j := 0
	for i := range e.ops {
		if e.ops[i].kind != opNum {
			continue
		}
		v := r.Field(e.ops[i].col)
		x, ok := ParseNumber(v)
		if !ok {
			return 0, 0, &RowError{Column: e.ops[i].field.From[0], Value: v, Msg: wantNumber}
		}
		values[j] = x
		j++
	}
	weight, _, err = e.Weight(r)
	return y, weight, err
}

// column fills the provisional codes of field f.
func (w *CollectWorker) column(b *Block, ch *chunk, f int, out []uint32) {
	o := &w.c.enc.ops[f]
	ids, _ := w.set.values[f].(*interner) // nil for what is hashed for good
	width := b.width
	switch o.kind {
	case opDict:
		for i, row := range ch.rows {
			at := b.bounds[int(row)*width+o.col]
			out[i] = ids.idAt(b.data, uint32(at), uint32(at>>32))
		}
	case opHash:
		for i, row := range ch.rows {
			at := b.bounds[int(row)*width+o.col]
			out[i] = Murmur3(b.data[uint32(at):at>>32], o.seed) & o.mask
		}
	case opPart:
		for i, h := range ch.hour {
			if i > 0 && h == ch.hour[i-1] {
				out[i] = out[i-1]
				continue
			}
			w.text = h.appendPart(w.text[:0], o.field.Part)
			out[i] = w.provisional(o, ids)
		}
	default:
		for i, row := range ch.rows {
			r := b.Row(int(row))
			var h Hour
			if ch.hour != nil {
				h = ch.hour[i]
			}
			w.text = o.appendText(w.text[:0], &r, h)
			out[i] = w.provisional(o, ids)
		}
	}
}

// provisional gives the code of w.text until Fit: a hash for good, or the
// worker's number for the value.
func (w *CollectWorker) provisional(o *op, ids *interner) uint32 {
	if ids == nil {
		return Murmur3(w.text, o.seed) & o.mask
	}
	return ids.id(w.text)
}

// ordered gives all chunks in the order of the rows.
func (c *Collector) ordered() []*chunk {
	var all []*chunk
	for _, w := range c.workers {
		all = append(all, w.chunks...)
	}
	slices.SortFunc(all, func(a, b *chunk) int {
		return cmp.Or(cmp.Compare(a.file, b.file), cmp.Compare(a.first, b.first))
	})
	return all
}

// ErrNoRows is returned by Fit where no good row was kept.
var ErrNoRows = errors.New("no rows")
