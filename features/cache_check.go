package features

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"sync/atomic"
	"unsafe"

	"github.com/cespare/xxhash/v2"
)

func sum64(b []byte) uint64 { return xxhash.Sum64(b) }

// bareError takes the operation and the path off an error of the operating
// system.
func bareError(err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}

// check looks at all that the footer says, so that nothing else need ask
// whether something lies within the file.
func (c *Cache) check() error {
	f := &c.footer
	width := len(f.Layout)
	if width == 0 || len(f.Values) != width || len(f.Sources) == 0 {
		return fmt.Errorf("%d columns, values of %d, %d sources: want as many values as columns, and a source", width, len(f.Values), len(f.Sources))
	}
	if name, twice := f.Layout.duplicate(); twice {
		return fmt.Errorf("column %s: named twice", name)
	}
	for col := range f.Values {
		if err := c.checkPlace(&f.Values[col]); err != nil {
			return fmt.Errorf("column %s: %w", f.Layout[col], err)
		}
	}
	rows := make([]int64, len(f.Sources))
	last := 0
	for k := range f.Chunks {
		ch := &f.Chunks[k]
		if ch.Source < last || ch.Source >= len(rows) || ch.First != rows[ch.Source] || ch.Rows < 1 || ch.Rows > cacheChunkRows {
			return fmt.Errorf("chunk %d: %d rows from %d of source %d: want 1 … %d rows after those before", k, ch.Rows, ch.First, ch.Source, cacheChunkRows)
		}
		last = ch.Source
		rows[ch.Source] += int64(ch.Rows)
		if err := c.checkChunk(ch); err != nil {
			return fmt.Errorf("chunk %d: %w", k, err)
		}
	}
	for i, n := range rows {
		if f.Sources[i].Rows != n {
			return fmt.Errorf("source %s: %d rows: want %d", f.Sources[i].Name, n, f.Sources[i].Rows)
		}
	}
	c.lines = width
	c.columns = make([]cacheDict, width)
	c.checked = make([][]atomic.Bool, len(f.Chunks))
	for k := range c.checked {
		c.checked[k] = make([]atomic.Bool, width+1)
	}
	return nil
}

func (c *Cache) checkPlace(v *cacheValues) error {
	n := int64(len(c.data))
	if v.N < 0 || v.N > maxDictionary || v.Bytes < 0 || v.Bytes > n || v.At < cacheHead || v.At%8 != 0 || v.At > n ||
		v.N+1 > n/8 || v.size() > n-v.At {
		return fmt.Errorf("%d values in %d bytes at %d: want them within the file", v.N, v.Bytes, v.At)
	}
	return nil
}

// size is how many bytes the text and the offsets take.
func (v *cacheValues) size() int64 { return align8(v.Bytes) + 8*(v.N+1) }

func align8(n int64) int64 { return (n + 7) &^ 7 }

// checkChunk checks the places of a chunk's columns.
func (c *Cache) checkChunk(ch *cacheChunk) error {
	if len(ch.Columns) != len(c.footer.Layout) {
		return fmt.Errorf("%d columns: want %d", len(ch.Columns), len(c.footer.Layout))
	}
	all := ch.Columns
	if ch.Lines != nil {
		all = append(all[:len(all):len(all)], *ch.Lines)
		if ch.Lines.Form != formU32 {
			return errors.New("lines: want u32")
		}
	}
	at, n := ch.At, int64(len(c.data))
	if at < cacheHead || at%8 != 0 || at > n {
		return fmt.Errorf("place %d: want it within the file", at)
	}
	for i := range all {
		col := &all[i]
		rows, ok := int64(ch.Rows), false
		switch col.Form {
		case formU8:
			ok = col.Size == rows
		case formU16:
			ok = col.Size == 2*rows
		case formU32:
			ok = col.Size == 4*rows
		case formDec:
			ok = col.Size == 8*rows
		case formRaw:
			ok = col.Size >= 4*(rows+1)
		}
		if !ok || col.Size > n-at {
			return fmt.Errorf("column %d: form %q of %d bytes for %d rows: want it to fit them and the file", i, col.Form, col.Size, rows)
		}
		ch.places = append(ch.places, at)
		if at += align8(col.Size); at > n {
			return fmt.Errorf("column %d: beyond the file", i)
		}
	}
	before := -1
	for _, b := range ch.Bad {
		if b.Row <= before || b.Row >= ch.Rows {
			return fmt.Errorf("bad row %d: want it after %d and below %d", b.Row, before, ch.Rows)
		}
		before = b.Row
	}
	return nil
}

// column gives the bytes of column col of chunk k; c.lines is its lines.
func (c *Cache) column(k, col int) (*cacheColumn, []byte) {
	ch := &c.footer.Chunks[k]
	at := ch.places[col]
	d := ch.Lines
	if col < c.lines {
		d = &ch.Columns[col]
	}
	return d, c.data[at : at+d.Size : at+d.Size]
}

// load checks columns of chunk k, and their values, before their first use. An
// error says what is damaged.
func (c *Cache) load(k int, columns []int) error {
	for _, col := range columns {
		if c.checked[k][col].Load() {
			continue
		}
		if err := c.loadColumn(k, col); err != nil {
			name := "lines"
			if col < c.lines {
				name = c.footer.Layout[col]
			}
			return WithHint(fmt.Errorf("%s: chunk %d: column %s: damaged: %w", c.name, k, name, err), "make it again: ctr prepare DATA --out "+c.name)
		}
		c.checked[k][col].Store(true)
	}
	return nil
}

var errSum = errors.New("its checksum differs")

func (c *Cache) loadColumn(k, col int) error {
	d, raw := c.column(k, col)
	if sum64(raw) != d.Sum {
		return errSum
	}
	if col == c.lines || d.Form == formDec {
		return nil
	}
	rows := c.footer.Chunks[k].Rows
	if d.Form == formRaw {
		at := castU32(raw[:4*(rows+1)])
		text := uint64(len(raw) - 4*(rows+1))
		before := uint32(0)
		for _, x := range at {
			if x < before || uint64(x) > text {
				return fmt.Errorf("text at %d: want a rise within %d", x, text)
			}
			before = x
		}
		return nil
	}
	if err := c.loadValues(col); err != nil {
		return err
	}
	codes := c.codes(k, col)
	if top, n := codes.max(), c.footer.Values[col].N; int64(top) >= n {
		return fmt.Errorf("value %d: want one of %d", top, n)
	}
	return nil
}

// loadValues checks the values of a column once.
func (c *Cache) loadValues(col int) error {
	d := &c.columns[col]
	d.once.Do(func() {
		v := &c.footer.Values[col]
		raw := c.data[v.At : v.At+v.size()]
		if sum64(raw) != v.Sum {
			d.err = fmt.Errorf("values: %w", errSum)
			return
		}
		offsets, before := castU64(raw[align8(v.Bytes):]), uint64(0)
		for _, x := range offsets {
			if x < before || x > uint64(v.Bytes) {
				d.err = fmt.Errorf("values: text at %d: want a rise within %d", x, v.Bytes)
				return
			}
			before = x
		}
		d.bytes, d.offsets = raw[:v.Bytes], offsets
	})
	return d.err
}

// values gives the number of values of a column.
func (c *Cache) values(col int) int { return int(c.footer.Values[col].N) }

// value gives value code of a column whose values have been loaded.
func (c *Cache) value(col int, code uint32) []byte {
	d := &c.columns[col]
	return d.bytes[d.offsets[code]:d.offsets[code+1]:d.offsets[code+1]]
}

// coded reports whether column col of chunk k is numbers of values.
func (c *Cache) coded(k, col int) bool {
	switch c.footer.Chunks[k].Columns[col].Form {
	case formU8, formU16, formU32:
		return true
	}
	return false
}

// codes gives the numbers of values of column col of chunk k.
func (c *Cache) codes(k, col int) Codes {
	d, raw := c.column(k, col)
	switch d.Form {
	case formU8:
		return Codes{U8: raw}
	case formU16:
		return Codes{U16: castU16(raw)}
	default:
		return Codes{U32: castU32(raw)}
	}
}

// max gives the greatest code, 0 where there are none.
func (c *Codes) max() uint32 { return max(uint32(maxOf(c.U8)), uint32(maxOf(c.U16)), maxOf(c.U32)) }

// maxOf has four maxima so that they don't wait for each other.
func maxOf[T uint8 | uint16 | uint32](v []T) T {
	var a, b, c, d T
	for ; len(v) >= 4; v = v[4:] {
		a, b, c, d = max(a, v[0]), max(b, v[1]), max(c, v[2]), max(d, v[3])
	}
	for _, x := range v {
		a = max(a, x)
	}
	return max(a, b, c, d)
}

// littleEndian is whether numbers lie in memory as they do in the file.
var littleEndian = func() bool {
	x := uint16(1)
	return *(*byte)(unsafe.Pointer(&x)) == 1
}()

// castU16 gives little-endian numbers, in place where the machine has them so.
// Columns begin at multiples of eight of a file that is mapped at a page.
func castU16(b []byte) []uint16 {
	if littleEndian {
		return unsafe.Slice((*uint16)(unsafe.Pointer(unsafe.SliceData(b))), len(b)/2)
	}
	out := make([]uint16, len(b)/2)
	for i := range out {
		out[i] = binary.LittleEndian.Uint16(b[2*i:])
	}
	return out
}

func castU32(b []byte) []uint32 {
	if littleEndian {
		return unsafe.Slice((*uint32)(unsafe.Pointer(unsafe.SliceData(b))), len(b)/4)
	}
	out := make([]uint32, len(b)/4)
	for i := range out {
		out[i] = binary.LittleEndian.Uint32(b[4*i:])
	}
	return out
}

func castU64(b []byte) []uint64 {
	if littleEndian {
		return unsafe.Slice((*uint64)(unsafe.Pointer(unsafe.SliceData(b))), len(b)/8)
	}
	out := make([]uint64, len(b)/8)
	for i := range out {
		out[i] = binary.LittleEndian.Uint64(b[8*i:])
	}
	return out
}
