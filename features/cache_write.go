package features

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"

	"github.com/cespare/xxhash/v2"
)

// manyValues is how many values a category may have. A column of more, most of
// them in one row only, is none, and is written as text from then on.
const manyValues = 1 << 20

// chunkText is how much text ends a chunk early.
const chunkText = 256 << 20

// CacheWriter writes a cache: blocks of rows in order, source after source,
// then the footer. The file is the same for the same rows however they are cut
// into blocks and whatever the number of threads. Its memory is the distinct
// values of the columns and one chunk.
type CacheWriter struct {
	w       *bufio.Writer
	at      int64
	threads int
	chunk   int // rows; cacheChunkRows but in tests
	many    int // manyValues but in tests
	columns []cacheColumnWriter
	footer  cacheFooter
	rows    int // of the open chunk
	text    int // bytes of theirs
	ch      cacheChunk
	lines   []uint32
	astray  bool // lines are not one after the other
	before  int64
	err     error
}

// NewCacheWriter begins a cache of rows of a layout. The columns that schema,
// where it is not nil, calls IDs are kept as text or numbers: they have a
// value a row.
func NewCacheWriter(w io.Writer, layout Layout, schema *Schema, reading CacheReading, threads int) *CacheWriter {
	c := &CacheWriter{
		w: bufio.NewWriterSize(w, 1<<20), threads: max(threads, 1), chunk: cacheChunkRows, many: manyValues,
		columns: make([]cacheColumnWriter, len(layout)),
	}
	c.footer.Layout, c.footer.Schema, c.footer.Reading = layout, schema, reading
	for i := range c.columns {
		c.columns[i] = cacheColumnWriter{ids: newInterner(), raw: schema != nil && schema.Kind(layout[i]) == ID}
	}
	var head [cacheHead]byte
	copy(head[:], cacheMagic)
	binary.LittleEndian.PutUint32(head[8:], cacheVersion)
	c.write(head[:])
	return c
}

// write writes p and notes the first error.
func (c *CacheWriter) write(p []byte) {
	if c.err == nil {
		_, c.err = c.w.Write(p)
	}
	c.at += int64(len(p))
}

// pad writes zeros up to a multiple of eight.
func (c *CacheWriter) pad() {
	var zero [8]byte
	c.write(zero[:align8(c.at)-c.at])
}

// Add adds the rows of a block of the open source, which the caller may then
// use again. b.First must follow the rows before it.
func (c *CacheWriter) Add(b *Block) error {
	for lo := 0; lo < b.Len(); {
		n := min(b.Len()-lo, c.chunk-c.rows)
		c.part(b, lo, lo+n)
		lo += n
		if c.rows == c.chunk || c.text > chunkText {
			c.flush()
		}
	}
	return c.err
}

// part adds rows lo … hi-1 of b, which fit the open chunk.
func (c *CacheWriter) part(b *Block, lo, hi int) {
	if c.rows == 0 {
		c.ch = cacheChunk{Source: len(c.footer.Sources), First: c.before, Line: b.place(lo), Numbered: b.numbered()}
		c.lines, c.astray = c.lines[:0], false
	}
	for i := lo; i < hi; i++ {
		line := b.place(i) - c.ch.Line
		c.astray = c.astray || line != int64(c.rows+i-lo)
		c.lines = append(c.lines, uint32(line))
		if err := b.Err(i); err != nil {
			c.ch.Bad = append(c.ch.Bad, cacheBadOf(c.rows+i-lo, err))
		}
	}
	c.text += len(b.data) * (hi - lo) / b.Len()
	c.each(func(col int) { c.columns[col].add(b, col, lo, hi) })
	c.rows += hi - lo
}

// place gives the line of row i, or its number in a file without lines.
func (b *Block) place(i int) int64 {
	if b.Cached() {
		return b.cached.line(i)
	}
	return b.rows[i].line
}

func cacheBadOf(row int, err error) cacheBad {
	var re *RowError
	if errors.As(err, &re) {
		return cacheBad{Row: row, Column: re.Column, Value: re.Value, Msg: re.Msg}
	}
	return cacheBad{Row: row, Msg: err.Error()}
}

// each does all columns, one at a time on each thread.
func (c *CacheWriter) each(do func(col int)) {
	var wg sync.WaitGroup
	var next atomic.Int64
	work := func() {
		for col := int(next.Add(1)) - 1; col < len(c.columns); col = int(next.Add(1)) - 1 {
			do(col)
		}
	}
	for range min(c.threads, len(c.columns)) - 1 {
		wg.Go(work)
	}
	work()
	wg.Wait()
}

// flush writes the open chunk.
func (c *CacheWriter) flush() {
	if c.rows == 0 {
		return
	}
	c.before += int64(c.rows)
	c.ch.At, c.ch.Rows = c.at, c.rows
	c.each(func(col int) { c.columns[col].pack(c.before, c.many) })
	for i := range c.columns {
		w := &c.columns[i]
		c.ch.Columns = append(c.ch.Columns, w.packed)
		c.write(w.bytes)
		c.pad()
	}
	if c.astray {
		var raw []byte
		for _, x := range c.lines {
			raw = binary.LittleEndian.AppendUint32(raw, x)
		}
		c.ch.Lines = &cacheColumn{Form: formU32, Size: int64(len(raw)), Sum: sum64(raw)}
		c.write(raw)
		c.pad()
	}
	c.footer.Chunks = append(c.footer.Chunks, c.ch)
	c.rows, c.text = 0, 0
}

// EndSource ends the rows of a source; those that follow are the next one's.
func (c *CacheWriter) EndSource() {
	c.flush()
	c.footer.Sources = append(c.footer.Sources, CacheSource{Rows: c.before})
	c.before = 0
}

// Finish writes the values and the footer. The rows of all sources must have
// been ended; sources describes them, but for the numbers of their rows.
func (c *CacheWriter) Finish(sources []CacheSource) (*CacheInfo, error) {
	for i := range c.footer.Sources {
		rows := c.footer.Sources[i].Rows
		c.footer.Sources[i] = sources[i]
		c.footer.Sources[i].Rows = rows
	}
	for i := range c.columns {
		c.pad()
		ids := c.columns[i].ids
		v := cacheValues{N: int64(ids.len()), At: c.at, Bytes: int64(len(ids.bytes))}
		sum := xxhash.New()
		both := func(p []byte) {
			_, _ = sum.Write(p) // never fails
			c.write(p)
		}
		both(ids.bytes)
		both(make([]byte, align8(v.Bytes)-v.Bytes))
		var buf []byte
		for k, x := range ids.offsets {
			buf = binary.LittleEndian.AppendUint64(buf, x)
			if len(buf) >= 1<<16 || k == len(ids.offsets)-1 {
				both(buf)
				buf = buf[:0]
			}
		}
		v.Sum = sum.Sum64()
		c.footer.Values = append(c.footer.Values, v)
	}
	end, err := cacheEnd(&c.footer, c.at)
	if err != nil {
		return nil, err
	}
	c.write(end)
	if c.err == nil {
		c.err = c.w.Flush()
	}
	return &c.footer.CacheInfo, c.err
}

// cacheEnd gives the footer, to stand at a place, and what follows it.
func cacheEnd(f *cacheFooter, at int64) ([]byte, error) {
	footer, err := json.Marshal(f)
	if err != nil {
		return nil, fmt.Errorf("footer: %w", err)
	}
	end := footer
	end = binary.LittleEndian.AppendUint64(end, uint64(at))
	end = binary.LittleEndian.AppendUint64(end, uint64(len(footer)))
	end = binary.LittleEndian.AppendUint64(end, sum64(footer))
	return append(end, cacheMagic...), nil
}

// Size gives the bytes written so far.
func (c *CacheWriter) Size() int64 { return c.at }

// cacheColumnWriter is one column of the open chunk, and its values so far.
type cacheColumnWriter struct {
	ids   *interner
	codes []uint32
	raw   bool // a value a row: text from now on
	text  []byte
	ends  []uint32 // of each row's text

	bytes  []byte // packed
	packed cacheColumn
}

// add adds rows lo … hi-1 of column col of b. Fields of a row that could not
// be split are empty.
func (w *cacheColumnWriter) add(b *Block, col, lo, hi int) {
	width, data := b.width, b.data
	if w.raw {
		for i := lo; i < hi; i++ {
			at := b.bounds[i*width+col]
			w.text = append(w.text, data[uint32(at):at>>32]...)
			w.ends = append(w.ends, uint32(len(w.text)))
		}
		return
	}
	for i := lo; i < hi; i++ {
		at := b.bounds[i*width+col]
		w.codes = append(w.codes, w.ids.idAt(data, uint32(at), uint32(at>>32)))
	}
}

// pack makes the bytes of the column's rows. rows is how many there were
// since the source began; many is how many values are too many for a category.
func (w *cacheColumnWriter) pack(rows int64, many int) {
	w.bytes = w.bytes[:0]
	if w.raw {
		w.packRaw()
	} else {
		w.packCodes()
		w.raw = w.ids.len() > many && int64(w.ids.len()) > rows/4*3
	}
	w.packed.Size, w.packed.Sum = int64(len(w.bytes)), sum64(w.bytes)
}

func (w *cacheColumnWriter) packCodes() {
	switch top := maxOf(w.codes); {
	case top < 1<<8:
		w.packed.Form = formU8
		for _, x := range w.codes {
			w.bytes = append(w.bytes, byte(x))
		}
	case top < 1<<16:
		w.packed.Form = formU16
		for _, x := range w.codes {
			w.bytes = binary.LittleEndian.AppendUint16(w.bytes, uint16(x))
		}
	default:
		w.packed.Form = formU32
		for _, x := range w.codes {
			w.bytes = binary.LittleEndian.AppendUint32(w.bytes, x)
		}
	}
	w.codes = w.codes[:0]
}

// packRaw writes numbers where every text is the shortest of one, else text.
func (w *cacheColumnWriter) packRaw() {
	start := uint32(0)
	w.packed.Form = formDec
	for _, end := range w.ends {
		x, ok := canonicalUint(w.text[start:end])
		if !ok {
			w.packed.Form = formRaw
			break
		}
		w.bytes = binary.LittleEndian.AppendUint64(w.bytes, x)
		start = end
	}
	if w.packed.Form == formRaw {
		w.bytes = binary.LittleEndian.AppendUint32(w.bytes[:0], 0)
		for _, end := range w.ends {
			w.bytes = binary.LittleEndian.AppendUint32(w.bytes, end)
		}
		w.bytes = append(w.bytes, w.text...)
	}
	w.text, w.ends = w.text[:0], w.ends[:0]
}

// canonicalUint reads a number of 64 bits that strconv writes in the same way.
func canonicalUint(v []byte) (x uint64, ok bool) {
	if len(v) == 0 || len(v) > 20 || v[0] == '0' && len(v) > 1 {
		return 0, false
	}
	for _, c := range v {
		d := uint64(c - '0')
		if d > 9 || x > (1<<64-1-d)/10 {
			return 0, false
		}
		x = 10*x + d
	}
	return x, true
}
