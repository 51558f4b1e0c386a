package features

import (
	"encoding/binary"
	"slices"
	"strconv"
)

// codeSet says what the provisional codes of some chunks mean: of all that a
// worker read from text, or from one cache.
type codeSet struct {
	values []valueSet  // by field; nil where codes are hashes for good
	nums   [][]float64 // by field: the number of each code, of a cache
	number int         // for Fit
}

// valueSet is values with numbers from 0.
type valueSet interface {
	len() int
	// append appends value id to dst.
	append(dst []byte, id uint32) []byte
}

// cachedValues is what a field of one column makes of a cache's values. It is
// one for all workers.
type cachedValues struct {
	h   *cacheHeads
	col int
	o   *op
}

func (v *cachedValues) len() int { return v.h.c.values(v.col) }

func (v *cachedValues) append(dst []byte, id uint32) []byte {
	if v.o.kind != opPart {
		return append(dst, v.h.c.value(v.col, id)...)
	}
	if h := v.h.hour[id]; h != badHour {
		return h.appendPart(dst, v.o.field.Part)
	}
	return dst // of rows that are bad
}

// cachedTuples are the combinations of a cache's values that came in the rows
// of a cross, by the numbers of the values, or parts of the time, in four
// bytes each.
type cachedTuples struct {
	ids *interner
	h   *cacheHeads
	o   *op
}

func (v *cachedTuples) len() int { return v.ids.len() }

func (v *cachedTuples) append(dst []byte, id uint32) []byte {
	tuple := v.ids.value(id)
	for i, col := range v.o.cols {
		if i > 0 {
			dst = append(dst, crossJoin)
		}
		x := binary.LittleEndian.Uint32(tuple[4*i:])
		if col < 0 {
			dst = strconv.AppendUint(dst, uint64(x), 10)
		} else {
			dst = append(dst, v.h.c.value(col, x)...)
		}
	}
	return dst
}

// collectCache is what all workers of a Collector know of a cache.
type collectCache struct {
	heads *cacheHeads
	set   codeSet // without crosses
}

// Bind makes a cache known, so that its blocks need no Split. It is to be
// called before any of them is added. Its error is of the file. It does nothing
// where the plan has history fields: a State reads the rows' text.
func (c *Collector) Bind(cache *Cache) error {
	if _, bound := c.caches.Load(cache); bound || c.past > 0 {
		return nil
	}
	heads, err := newCacheHeads(cache, c.enc)
	if err != nil {
		return err
	}
	cc := &collectCache{heads: heads, set: codeSet{values: make([]valueSet, len(c.enc.ops)), nums: heads.nums}}
	for f := range c.enc.ops {
		if o := &c.enc.ops[f]; len(o.cols) == 1 {
			v := &cachedValues{h: heads, col: o.col, o: o}
			if o.kind == opPart {
				v.col = c.enc.time
			}
			cc.set.values[f] = v
		}
	}
	c.caches.Store(cache, cc)
	return nil
}

// cacheSet gives the worker's set of codes of a cache.
func (w *CollectWorker) cacheSet(cc *collectCache) *codeSet {
	set := w.cached[cc.heads.c]
	if set == nil {
		set = &codeSet{values: slices.Clone(cc.set.values), nums: cc.set.nums}
		for f := range w.c.enc.ops {
			if o := &w.c.enc.ops[f]; len(o.cols) > 1 && !w.c.final(f) {
				set.values[f] = &cachedTuples{ids: newInterner(), h: cc.heads, o: o}
			}
		}
		w.cached[cc.heads.c] = set
	}
	return set
}

// addCached does what Add does for a block of a cache, without its text: the
// codes are those of the file itself, where all rows are kept, and point into
// it. It reports false where a column that is needed is text.
func (w *CollectWorker) addCached(b *Block, file int, bad func(int, error)) bool {
	r := &b.cached
	known, _ := w.c.caches.Load(r.c)
	cc, _ := known.(*collectCache)
	if cc == nil || !cc.heads.coded(r.k) {
		return false
	}
	ch := &chunk{set: w.cacheSet(cc), file: file, first: b.First}
	heads := cc.heads.chunk(r.k)
	all := w.c.opts.Since == nil && w.c.opts.Until == nil && w.first == 0 && w.c.kept == nil && cc.heads.faultless(r.k)
	if all {
		w.c.read.Add(int64(r.hi - r.lo))
	} else {
		w.c.read.Add(int64(w.cachedHeads(b, &heads, ch, bad)))
		if len(ch.rows) == 0 {
			return true
		}
	}
	// rows in the chunk of the cache, where not all are kept
	var rows []int32
	n := r.hi - r.lo
	if len(ch.rows) < n && !all {
		n = len(ch.rows)
		rows = make([]int32, n)
		for i, row := range ch.rows {
			rows[i] = row + int32(r.lo)
		}
	} else {
		ch.rows = nil
	}
	column := func(codes Codes) Codes {
		if rows != nil {
			return codes.pick(rows)
		}
		return codes.slice(r.lo, r.hi)
	}
	w.cachedColumns(ch, &heads, n, column)
	ch.codes = make([]Codes, len(w.c.enc.ops))
	for f := range w.c.enc.ops {
		o := &w.c.enc.ops[f]
		switch v := ch.set.values[f].(type) {
		case *cachedValues:
			ch.codes[f] = column(r.c.codes(r.k, v.col))
		default:
			ch.codes[f] = w.cachedCross(o, v, &heads, n, column)
		}
	}
	ch.shrink()
	w.chunks = append(w.chunks, ch)
	w.tidy()
	return true
}

// cachedColumns fills the labels, times and weights of n rows.
func (w *CollectWorker) cachedColumns(ch *chunk, heads *chunkHeads, n int, column func(Codes) Codes) {
	ch.y = make([]uint8, n)
	labels := column(heads.labels)
	for i := range ch.y {
		ch.y[i] = uint8(heads.label[labels.At(i)])
	}
	if heads.timed {
		ch.hour = make([]Hour, n)
		hours := column(heads.hours)
		for i := range ch.hour {
			ch.hour[i] = heads.hour[hours.At(i)]
		}
	}
	if heads.weighted {
		ch.w = make([]float64, n)
		weights := column(heads.ws)
		for i := range ch.w {
			ch.w[i] = heads.weight[weights.At(i)]
		}
	}
}

// cachedHeads does what heads does for a block of a cache: it chooses the rows
// to keep, and gives the number of good ones.
func (w *CollectWorker) cachedHeads(b *Block, heads *chunkHeads, ch *chunk, bad func(int, error)) (good int) {
	r := &b.cached
	o := &w.c.opts
	for i := r.lo; i < r.hi; i++ {
		h, ok := heads.hourOf(i)
		wanted := !heads.timed || (o.Since == nil || h >= *o.Since) && (o.Until == nil || h < *o.Until)
		if !ok || wanted && !heads.good(i) {
			bad(i-r.lo, w.cachedFault(r, i))
			continue
		}
		good++
		if wanted && !w.beyond(b.First+int64(i-r.lo)) && w.sampled(ch, RowKey{ch.file, b.First + int64(i-r.lo)}, h) {
			ch.rows = append(ch.rows, int32(i-r.lo))
		}
	}
	return good
}

// cachedFault says what is wrong with row i of a chunk, by its text.
func (w *CollectWorker) cachedFault(r *cachedRows, i int) error {
	r.c.ReadRows(&w.block, "", r.k, i, i+1, nil)
	if err := w.block.Check(false); err != nil {
		return err
	}
	w.block.Split()
	if err := w.block.Err(0); err != nil {
		return err
	}
	row := w.block.Row(0)
	_, _, err := w.wanted(&row)
	if err == nil {
		_, _, err = w.head(&row, make([]float64, len(w.c.enc.ops)))
	}
	return detached(err)
}

// cachedCross gives the codes of a cross of n rows: hashes for good, or the
// numbers of combinations.
func (w *CollectWorker) cachedCross(o *op, v valueSet, heads *chunkHeads, n int, column func(Codes) Codes) Codes {
	if cap(w.codes) < n {
		w.codes = make([]uint32, n)
	}
	codes, c := w.codes[:n], heads.c
	parts := make([]Codes, len(o.cols))
	for i, col := range o.cols {
		if col < 0 {
			col = heads.enc.time
		}
		parts[i] = column(c.codes(heads.k, col))
	}
	tuples, _ := v.(*cachedTuples)
	for row := range n {
		w.text = w.text[:0]
		for i, col := range o.cols {
			x := parts[i].At(row)
			switch {
			case tuples == nil:
				w.text = heads.appendJoined(w.text, i, col, x)
			case col < 0:
				w.text = binary.LittleEndian.AppendUint32(w.text, uint32(heads.hour[x].part(timeParts[-col])))
			default:
				w.text = binary.LittleEndian.AppendUint32(w.text, x)
			}
		}
		if tuples == nil {
			codes[row] = Murmur3(w.text, o.seed) & o.mask
		} else {
			codes[row] = tuples.ids.idAt(w.text, 0, uint32(len(w.text)))
		}
	}
	return packCodes(w.c.opts.Scratch, codes)
}
