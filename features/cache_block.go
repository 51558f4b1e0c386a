package features

import (
	"slices"
	"strconv"
)

// maxCachedText is the most text of a block from a cache. No chunk that a
// CacheWriter ends has as much.
const maxCachedText = 1 << 30

// cachedRows is what a Block that came from a cache stands for.
type cachedRows struct {
	c      *Cache
	k      int // chunk
	lo, hi int
	reads  []bool // columns that are looked at; nil = all
}

// ReadRows has b stand for rows lo … hi-1 of chunk k, as Reader.Next has it
// stand for rows of a text: Split makes their fields, but for the columns that
// reads, where it is not nil, says will not be looked at. The name is for
// messages.
func (c *Cache) ReadRows(b *Block, name string, k, lo, hi int, reads []bool) {
	ch := &c.footer.Chunks[k]
	b.clear(c.footer.Layout, name)
	b.First, b.comma, b.pending = ch.First+int64(lo), 0, true
	b.cached = cachedRows{c: c, k: k, lo: lo, hi: hi, reads: reads}
}

// Cached reports whether b came from a cache: then a Collector needs no Split.
func (b *Block) Cached() bool { return b.cached.c != nil }

// Check compares the checksums of what will be looked at of b with the file.
// coded says that b is not going to be Split unless one of its columns is text
// in the cache. It does nothing for a Block that is not from a cache.
func (b *Block) Check(coded bool) error {
	r := &b.cached
	if r.c == nil {
		return nil
	}
	all := r.reads == nil
	for col := range r.c.footer.Layout {
		all = all || r.reads[col] && coded && !r.c.coded(r.k, col)
	}
	var columns []int
	for col := range r.c.footer.Layout {
		if all || r.reads[col] {
			columns = append(columns, col)
		}
	}
	if r.c.footer.Chunks[r.k].Lines != nil {
		columns = append(columns, r.c.lines)
	}
	return r.c.load(r.k, columns)
}

// line gives the line of row i of the block, from 1, or its number in its
// file where the chunk's rows have such.
func (r *cachedRows) line(i int) int64 {
	ch := &r.c.footer.Chunks[r.k]
	if ch.Lines == nil {
		return ch.Line + int64(r.lo+i)
	}
	_, raw := r.c.column(r.k, r.c.lines)
	return ch.Line + int64(castU32(raw)[r.lo+i])
}

// numbered reports whether rows have no lines but numbers.
func (r *cachedRows) numbered() bool { return r.c.footer.Chunks[r.k].Numbered }

// fault gives what was wrong with row i of the chunk, nil where it could be
// split.
func (r *cachedRows) fault(i int) *cacheBad {
	bad := r.c.footer.Chunks[r.k].Bad
	at, ok := slices.BinarySearchFunc(bad, i, func(b cacheBad, row int) int { return b.Row - row })
	if !ok {
		return nil
	}
	return &bad[at]
}

// splitCached makes the rows and their fields: the values' text, one after the
// other. What they were quoted and separated by is not kept.
func (b *Block) splitCached() {
	r := &b.cached
	n, width := r.hi-r.lo, b.width
	b.bounds = resize(b.bounds, n*width)
	columns := make([]cachedColumn, width)
	for col := range columns {
		if r.reads == nil || r.reads[col] {
			columns[col] = r.c.cachedColumn(r.k, col)
		}
	}
	b.data = b.data[:0]
	for i := range n {
		begin, room := uint32(len(b.data)), maxCachedText-len(b.data)
		for col := range columns {
			start := uint32(len(b.data))
			if r.reads != nil && !r.reads[col] {
				b.bounds[i*width+col] = bound(start, start)
				continue
			}
			if v := columns[col].value(r.lo + i); len(v) <= room {
				b.data, room = append(b.data, v...), room-len(v)
			} else {
				room = -1
			}
			b.bounds[i*width+col] = bound(start, uint32(len(b.data)))
		}
		b.rows = append(b.rows, rowRef{begin, uint32(len(b.data)), r.line(i)})
		if room < 0 {
			b.fail(i, -1, nil, "rows too long")
		}
	}
	b.text = len(b.data)
	b.pad()
	if len(r.c.footer.Chunks[r.k].Bad) > 0 {
		for i := range n {
			if bad := r.fault(r.lo + i); bad != nil {
				err := &RowError{Column: bad.Column, Value: bad.Value, Msg: bad.Msg}
				b.Place(err, i)
				b.failWith(i, err)
			}
		}
	}
}

// cachedColumn gives the text of a column's rows in any form.
type cachedColumn struct {
	codes Codes
	dict  *cacheDict // of codes
	dec   []uint64
	at    []uint32 // of text
	text  []byte
	buf   []byte
}

func (c *Cache) cachedColumn(k, col int) (d cachedColumn) {
	info, raw := c.column(k, col)
	switch info.Form {
	case formDec:
		d.dec = castU64(raw)
	case formRaw:
		ends := 4 * (c.footer.Chunks[k].Rows + 1)
		d.at, d.text = castU32(raw[:ends]), raw[ends:]
	default:
		d.codes, d.dict = c.codes(k, col), &c.columns[col]
	}
	return d
}

// value gives the text of row i. It is valid until the next call.
func (d *cachedColumn) value(i int) []byte {
	switch {
	case d.dict != nil:
		code := d.codes.At(i)
		return d.dict.bytes[d.dict.offsets[code]:d.dict.offsets[code+1]]
	case d.dec != nil:
		d.buf = strconv.AppendUint(d.buf[:0], d.dec[i], 10)
		return d.buf
	default:
		return d.text[d.at[i]:d.at[i+1]]
	}
}
