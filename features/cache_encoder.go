package features

import (
	"fmt"
)

// CacheEncoder turns rows of a cache into codes by one look-up a field: what a
// Spec makes of each distinct value is worked out beforehand. It gives the
// codes of Encoder.Encode, each with its field's offset (Spec.Offsets) added.
// It is immutable and safe for concurrent use with a CacheBatch for each
// goroutine.
//
//	enc, err := cache.Encoder(spec)
//	for k := range cache.Chunks() { // on any number of goroutines
//		_, _, rows := cache.Chunk(k)
//		for lo := 0; lo < rows; lo += 1024 {
//			err := enc.Read(&batch, k, lo, min(lo+1024, rows), nil, bad)
//			// row i: batch.Codes[i*F : (i+1)*F], batch.Y[i], batch.W, batch.Hour
//		}
//	}
type CacheEncoder struct {
	heads  *cacheHeads
	fields []cacheField
	spec   *Spec
	offset []uint32
}

// cacheField is a Field made ready for a cache.
type cacheField struct {
	col   int
	table []uint32 // code by value, with the offset; nil for a cross
	cols  []int    // of a cross; parts of the time stand for the time
}

// CacheBatch is rows that CacheEncoder.Read has read, and its scratch. The
// zero value is ready; used again, it allocates nothing once it has grown.
type CacheBatch struct {
	// Rows are the rows' numbers in their chunk, ascending. All slices are as
	// long as Rows, but Codes, which has the codes of a row one after the
	// other, and W and Hour, which are nil where the cache has no such column.
	Rows  []int32
	Y     []uint8
	W     []float64
	Hour  []Hour
	Codes []uint32

	owner *CacheEncoder
	memo  [][]memoEntry // by field, of the owner
	text  []byte
	block Block // of rows that must be looked at as text
	ex    *Example
}

// memoEntry remembers the code of a pair of values.
type memoEntry struct {
	key  uint64 // the second value's number above the first's, and 1
	code uint32
}

const memoBits = 12

// Encoder binds spec, which must be fitted, to the cache. It reports columns
// that the spec needs and the cache has not got.
func (c *Cache) Encoder(spec *Spec) (*CacheEncoder, error) {
	enc, err := spec.Encoder(c.footer.Layout)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", c.name, err)
	}
	if enc.HasHistory() {
		return nil, fmt.Errorf("%s: history fields: want the rows as Blocks, which a State counts in order", c.name)
	}
	heads, err := newCacheHeads(c, enc)
	if err != nil {
		return nil, err
	}
	e := &CacheEncoder{heads: heads, spec: spec}
	offsets, _ := spec.Offsets()
	for f := range enc.ops {
		e.offset = append(e.offset, uint32(offsets[f]))
		e.fields = append(e.fields, e.field(f, &enc.ops[f]))
	}
	return e, nil
}

// field makes the table of a field's codes.
func (e *CacheEncoder) field(f int, o *op) cacheField {
	c, enc := e.heads.c, e.heads.enc
	if o.kind == opText && len(o.cols) > 1 {
		x := cacheField{cols: make([]int, len(o.cols))}
		for i, col := range o.cols {
			if x.cols[i] = col; col < 0 {
				x.cols[i] = enc.time
			}
		}
		return x
	}
	x := cacheField{col: o.col}
	if o.kind == opPart {
		x.col = enc.time
	}
	n := c.values(x.col)
	x.table = make([]uint32, n, padded(n))
	x.table = x.table[:cap(x.table)]
	var text []byte
	for i := range n {
		text = e.text(text[:0], o, uint32(i))
		x.table[i] = e.offset[f] + e.code(f, o, text, uint32(i))
	}
	return x
}

// text appends what a field of one column makes of a value.
func (e *CacheEncoder) text(dst []byte, o *op, value uint32) []byte {
	c := e.heads.c
	switch o.kind {
	case opPart:
		if h := e.heads.hour[value]; h != badHour {
			return h.appendPart(dst, o.field.Part)
		}
		return dst
	case opText:
		return o.appendCapped(dst, c.value(o.col, value))
	default:
		return append(dst, c.value(o.col, value)...)
	}
}

func (e *CacheEncoder) code(f int, o *op, text []byte, value uint32) uint32 {
	switch o.kind {
	case opNum:
	case opBin:
		return o.binCode(e.heads.nums[f][value])
	case opCast:
		return o.castCode(text)
	default:
		return o.code(text)
	}
	x := e.heads.nums[f][value]
	if o.capped && x > o.limit {
		x = o.limit
	}
	return binOf(o.field.Bounds, x)
}

// padded is how long a table is, so that a code of 8 or 16 bits can't be
// beyond it and need not be compared.
func padded(n int) int {
	switch {
	case n <= 1<<8:
		return 1 << 8
	case n <= 1<<16:
		return 1 << 16
	}
	return n
}

// Spec gives what the encoder was made of.
func (e *CacheEncoder) Spec() *Spec { return e.spec }

// Read reads rows lo … hi-1 of chunk k that keep wants, all where it is nil,
// into b. Keep is given the number of the row in its source (RowKey.Row), its
// time and its label, -1 where it has none. Rows that are bad are left out and given to bad, in order, with
// their number in the chunk; the error names no file and no line. What Read
// returns is an error of the file.
func (e *CacheEncoder) Read(b *CacheBatch, k, lo, hi int, keep func(row int64, h Hour, y int) bool, bad func(row int, err error)) error {
	h := e.heads
	if err := h.c.load(k, h.need); err != nil {
		return err
	}
	if b.owner != e {
		*b = CacheBatch{owner: e, Rows: b.Rows, Y: b.Y, Codes: b.Codes, text: b.text, ex: e.spec.NewExample()}
	}
	b.Rows, b.Y, b.W, b.Hour = b.Rows[:0], b.Y[:0], b.W[:0], b.Hour[:0]
	if !h.coded(k) {
		return e.readText(b, k, lo, hi, keep, bad)
	}
	ch := h.chunk(k)
	switch {
	case keep == nil && h.faultless(k):
		for i := lo; i < hi; i++ {
			b.Rows = append(b.Rows, int32(i))
		}
	default:
		first := h.c.footer.Chunks[k].First
		for i := lo; i < hi; i++ {
			hour, ok := ch.hourOf(i)
			if ok && keep != nil && !keep(first+int64(i), hour, ch.y(i)) {
				continue
			}
			if !ok || !ch.good(i) {
				bad(i, e.fault(b, k, i))
				continue
			}
			b.Rows = append(b.Rows, int32(i))
		}
	}
	ch.read(b)
	n, width := len(b.Rows), len(e.fields)
	if cap(b.Codes) < n*width {
		b.Codes = make([]uint32, n*width)
	}
	b.Codes = b.Codes[:n*width]
	whole := n == hi-lo && n > 0
	for at := 0; at < n; at += codesInCache {
		end := min(at+codesInCache, n)
		rows := b.Rows[at:end]
		if whole {
			rows = nil
		}
		e.codes(b, k, lo+at, lo+end, rows, b.Codes[at*width:end*width])
	}
	return nil
}

// ReadBlock is Read for the rows of a block of the cache, not Split, where none
// of them can be bad; else it reports false.
func (e *CacheEncoder) ReadBlock(b *CacheBatch, block *Block, keep func(row int64, h Hour, y int) bool) (ok bool, err error) {
	r := &block.cached
	if !block.pending || r.c != e.heads.c || !e.heads.coded(r.k) || !e.heads.faultless(r.k) {
		return false, nil
	}
	return true, e.Read(b, r.k, r.lo, r.hi, keep, func(int, error) {})
}

// codesInCache is how many rows go through all fields before the next ones:
// their codes stay in the first-level cache.
const codesInCache = 64

// read fills labels, weights and times of b.Rows.
func (ch *chunkHeads) read(b *CacheBatch) {
	for _, i := range b.Rows {
		b.Y = append(b.Y, uint8(ch.label[ch.labels.At(int(i))]))
	}
	if ch.weighted {
		for _, i := range b.Rows {
			b.W = append(b.W, ch.weight[ch.ws.At(int(i))])
		}
	}
	if ch.timed {
		for _, i := range b.Rows {
			b.Hour = append(b.Hour, ch.hour[ch.hours.At(int(i))])
		}
	}
}

// codes writes the codes of some rows: those from lo to hi-1, or rows where it
// is not nil.
func (e *CacheEncoder) codes(b *CacheBatch, k, lo, hi int, rows []int32, dst []uint32) {
	c, width := e.heads.c, len(e.fields)
	for f := range e.fields {
		x := &e.fields[f]
		if x.table == nil {
			e.cross(b, k, f, lo, hi, rows, dst[f:])
			continue
		}
		codes := c.codes(k, x.col)
		switch {
		case rows != nil:
			for i, row := range rows {
				dst[i*width+f] = x.table[codes.At(int(row))]
			}
		case codes.U8 != nil:
			gather8(dst[f:], width, codes.U8[lo:hi], x.table)
		case codes.U16 != nil:
			gather16(dst[f:], width, codes.U16[lo:hi], x.table)
		default:
			for i, v := range codes.U32[lo:hi] {
				dst[i*width+f] = x.table[v]
			}
		}
	}
}

func gather8(dst []uint32, width int, codes []uint8, table []uint32) {
	t := (*[1 << 8]uint32)(table)
	for i, v := range codes {
		dst[i*width] = t[v]
	}
}

func gather16(dst []uint32, width int, codes []uint16, table []uint32) {
	if len(table) < 1<<16 { // codes that need only eight bits
		for i, v := range codes {
			dst[i*width] = table[v]
		}
		return
	}
	t := (*[1 << 16]uint32)(table)
	for i, v := range codes {
		dst[i*width] = t[v]
	}
}
