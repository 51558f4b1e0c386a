package features

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"

	"github.com/cespare/xxhash/v2"
)

// HeaderMode says whether a file begins with the names of its columns.
type HeaderMode uint8

// The header modes.
const (
	// HeaderAuto takes the first row for a header where it holds the names
	// of known columns: at least half as many as the row has fields or as
	// there are known names, or the label and one more.
	HeaderAuto HeaderMode = iota
	HeaderYes
	HeaderNo
)

// ReaderOptions say how to read a file. Zero means the defaults.
type ReaderOptions struct {
	// Schema says what the columns are. Where it is nil, a preset is found
	// by Detect; where there is none, Reader.Schema is nil too and Columns or
	// a header must name the columns.
	Schema *Schema
	// Columns are the file's columns in order, where it has no header or the
	// header's names shall not be used.
	Columns Layout
	// Header is whether there is a header. The default is HeaderAuto.
	Header HeaderMode
	// Comma separates fields: ',' or '\t' or another single byte. The default
	// is the schema's; without a schema, tab where the first line has more
	// tabs than commas.
	Comma byte
	// MaxRow is the most bytes a row may have. The default is 1 MiB, the
	// limit 256 MiB. Memory is a few times MaxRow at most, whatever is read.
	MaxRow int
	// First is the number of rows in the files read before: what the first
	// block's First begins with.
	First int64
	// Chunk is the number of bytes read for one block. The default is 256 KiB.
	// Text of known size that is one more byte at most comes in one block.
	Chunk int
	// Buffer, where not nil, is memory for what is read before the first block:
	// with Chunk and ChunkPadding bytes of capacity the Reader needs none of its
	// own. The first block keeps it; Spare gives other memory for it.
	Buffer []byte
	// NoSum leaves out the fingerprint of the text: Sum64 is that of an empty
	// one.
	NoSum bool
}

// ChunkPadding is how much more than Chunk a Buffer must be able to hold.
const ChunkPadding = blockPadding

const (
	chunkSize     = 256 << 10 // fits the second-level cache with its bounds
	defaultMaxRow = 1 << 20
	maxMaxRow     = 256 << 20 // keeps a block's text and copies within 32 bits
)

// Validate reports every fault of the options.
func (o *ReaderOptions) Validate() error {
	var faults []error
	fault := func(format string, a ...any) { faults = append(faults, fmt.Errorf(format, a...)) }
	if o.MaxRow < 0 || o.MaxRow > maxMaxRow {
		fault("MaxRow %d: want 1..%d bytes, or 0 for %d", o.MaxRow, maxMaxRow, defaultMaxRow)
	}
	if o.Chunk < 0 || o.Chunk > maxMaxRow {
		fault("Chunk %d: want 1..%d bytes, or 0 for %d", o.Chunk, maxMaxRow, chunkSize)
	}
	if o.Header > HeaderNo {
		fault("Header %d: want HeaderAuto, HeaderYes or HeaderNo", o.Header)
	}
	if o.Comma == '"' || o.Comma == '\r' || o.Comma == '\n' {
		fault("Comma %q: want a byte that is no quote and no line end", o.Comma)
	}
	if o.First < 0 {
		fault("First %d: want 0 or more rows", o.First)
	}
	if name, twice := o.Columns.duplicate(); twice {
		fault("column %s: named twice", name)
	}
	return errors.Join(faults...)
}

// duplicate gives the first name that stands in l twice. Unnamed columns
// don't count.
func (l Layout) duplicate() (name string, twice bool) {
	seen := make(map[string]bool, len(l))
	for _, n := range l {
		if n != "" && seen[n] {
			return n, true
		}
		seen[n] = true
	}
	return "", false
}

// Reader reads the rows of one CSV or TSV file, a Block at a time. Next is
// called by one goroutine, one call after another; the blocks that it fills
// are Split by any.
//
// The form is RFC 4180's, read strictly: fields may be quoted, and then hold
// separators, line ends and doubled quotes; lines end in LF or CR LF, the
// last one in neither if it likes (a CR before the end of the file is dropped
// too); a UTF-8 byte order mark is skipped; so are empty lines. Values are any
// bytes but NUL. Bytes that are not UTF-8 are values like any other.
//
// A row whose quoting is wrong is bad, and ends at the end of its first line,
// so that a stray quote costs one row and not the rest of the file. A row
// longer than MaxRow is bad as well. How the file is cut into blocks depends
// on its bytes only, and rows, their lines and their errors don't depend on
// the cut.
type Reader struct {
	in     io.Reader
	name   string
	schema *Schema
	layout Layout
	comma  byte
	header bool
	maxRow int
	chunk  int

	tail  []byte // read, and not yet given out
	line  int64  // of the first byte of tail
	rows  int64  // given out, and those before the file
	skip  bool   // inside a row that was too long: go on at the next line
	err   error  // of in
	sum   *xxhash.Digest
	noSum bool
	bytes int64
}

// NewReader reads the beginning of in to find out its layout. The name is for
// messages. It fails where the options are wrong, in is empty, its first row
// is bad, a header names a column twice, or nothing says what the columns are.
func NewReader(in io.Reader, name string, o ReaderOptions) (*Reader, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	r := &Reader{in: in, name: name, schema: o.Schema, comma: o.Comma, maxRow: o.MaxRow, chunk: o.Chunk, sum: xxhash.New(), noSum: o.NoSum, tail: o.Buffer[:0]}
	if r.maxRow == 0 {
		r.maxRow = defaultMaxRow
	}
	if r.chunk == 0 {
		r.chunk = chunkSize
	}
	if err := r.begin(&o); err != nil {
		return nil, err
	}
	return r, nil
}

// Layout gives the names of the fields of each row.
func (r *Reader) Layout() Layout { return r.layout }

// Schema gives the schema of the options, or the preset that was detected; nil
// where there was neither.
func (r *Reader) Schema() *Schema { return r.schema }

// Comma gives the byte between fields.
func (r *Reader) Comma() byte { return r.comma }

// Header reports whether the file begins with the names of its columns.
func (r *Reader) Header() bool { return r.header }

// Rows gives the number of rows given out so far, bad ones included, and
// ReaderOptions.First: the next file's First.
func (r *Reader) Rows() int64 { return r.rows }

// Sum64 gives the xxhash64 (seed 0) of all bytes read so far, decompressed,
// with the header: after io.EOF, the fingerprint of the file's text.
func (r *Reader) Sum64() uint64 { return r.sum.Sum64() }

// Bytes gives the number of bytes that Sum64 is of.
func (r *Reader) Bytes() int64 { return r.bytes }

// Spare gives memory that the Reader needs no more, once it is done with: a
// Buffer for another.
func (r *Reader) Spare() []byte { return r.tail[:0] }

// Next reads the next rows into b, whatever it held before; Split must follow
// before its rows are used. At the end of the file it gives io.EOF and b is
// empty. Bad rows are no error here: they are the block's Errs. What reading
// itself met (a damaged archive, say) comes after the whole rows before it.
func (r *Reader) Next(b *Block) error {
	b.clear(r.layout, r.name)
	b.First, b.comma, b.pending = r.rows, r.comma, true
	if 2*len(r.tail) > r.chunk { // what came with the header
		b.data, r.tail = r.tail, b.data
	} else {
		b.data = append(b.data, r.tail...)
	}
	r.tail = r.tail[:0]
	for want := r.chunk; ; {
		b.data = r.fill(b.data, want)
		n := r.scan(b, math.MaxInt)
		if len(b.rows) > 0 {
			r.tail = append(r.tail, b.data[n:]...)
			b.text = n
			b.pad()
			r.rows += int64(len(b.rows))
			return nil
		}
		b.data = append(b.data[:0], b.data[n:]...)
		if r.err != nil {
			r.tail = r.tail[:0] // an unfinished row, cut by an error
			b.data = b.data[:0]
			b.pad()
			return r.err
		}
		if n == 0 {
			want = 2 * len(b.data) // one long row: not known yet how long
		}
	}
}

// atEOF reports whether in has ended well. What wraps an io.EOF is no end.
func (r *Reader) atEOF() bool {
	return r.err == io.EOF //nolint:errorlint // a Reader gives io.EOF itself
}

// fill reads until data has want bytes, one more than it has at least, or in
// ends.
func (r *Reader) fill(data []byte, want int) []byte {
	if r.err != nil {
		return data
	}
	have := len(data)
	want = max(want, have+1)
	if cap(data) < want+blockPadding {
		data = append(make([]byte, 0, want+want/4+blockPadding), data...)
	}
	for idle := 0; len(data) < want && r.err == nil; {
		n, err := r.in.Read(data[len(data):want])
		data = data[:len(data)+n]
		r.err = err
		if idle++; n > 0 {
			idle = 0
		} else if idle == 100 && err == nil {
			r.err = fmt.Errorf("%s: %w", r.name, io.ErrNoProgress)
		}
	}
	if !r.noSum {
		_, _ = r.sum.Write(data[have:]) // never fails
	}
	r.bytes += int64(len(data) - have)
	return data
}

// scan finds the rows in b.data that are whole, until b has most of them, and
// gives how many bytes they take. After in has ended every row is whole.
//
// The fast way is a search for the line end a row, with vector instructions
// (bytes.IndexByte, 9 ns for a row of Avazu's); the place of the next quote
// tells whether a line needs more.
func (r *Reader) scan(b *Block, most int) int {
	data, eof, pos := b.data, r.atEOF(), 0
	if r.skip {
		n := bytes.IndexByte(data, '\n')
		if n < 0 {
			return len(data)
		}
		r.skip, pos = false, n+1
		r.line++
	}
	quote := indexFrom(data, pos, '"')
	for pos < len(data) && len(b.rows) < most {
		end := indexFrom(data, pos, '\n')
		next := end + 1
		if end == len(data) {
			if next = end; !eof {
				r.tooLong(b, pos)
				if r.skip {
					return end
				}
				return pos
			}
		}
		stop := end // without a CR
		if stop > pos && data[stop-1] == '\r' {
			stop--
		}
		lines := int64(1)
		switch {
		case stop-pos > r.maxRow:
			r.badRow(b, pos, pos+r.maxRow, -1, longRow(r.maxRow))
		case quote < stop:
			var whole bool
			if next, whole = r.scanQuoted(b, pos, stop, next); !whole {
				return pos
			}
			lines = int64(bytes.Count(data[pos:next], []byte("\n")))
		case stop > pos:
			b.rows = append(b.rows, rowRef{uint32(pos), uint32(stop), r.line})
		}
		r.line += lines
		if pos = next; quote < pos {
			quote = indexFrom(data, pos, '"')
		}
	}
	return pos
}

// indexFrom gives the place of c in data from pos on, len(data) where it is
// not there.
func indexFrom(data []byte, pos int, c byte) int {
	if n := bytes.IndexByte(data[pos:], c); n >= 0 {
		return pos + n
	}
	return len(data)
}

func longRow(maxRow int) string {
	return fmt.Sprintf("row too long: want %d bytes at most", maxRow)
}

// tooLong makes a bad row of the line at pos, whose end has not been read,
// once it must be longer than MaxRow: the rest of it is skipped unseen.
func (r *Reader) tooLong(b *Block, pos int) {
	if len(b.data)-pos > r.maxRow+1 { // the 1 might be a CR
		r.badRow(b, pos, pos+r.maxRow, -1, longRow(r.maxRow))
		r.skip = true
	}
}

// scanQuoted adds the row at pos, whose first line holds a quote, ends at stop
// and is followed by next. It gives where the row after it begins. It reports
// false where more must be read to know.
func (r *Reader) scanQuoted(b *Block, pos, stop, next int) (after int, whole bool) {
	window := b.data[pos:min(len(b.data), pos+r.maxRow+2)]
	full := len(window) == r.maxRow+2
	ended := r.atEOF() && pos+len(window) == len(b.data)
	state, at, column := rowEnd(window, r.comma)
	if state == rowOut && ended {
		state = rowEnded
	}
	if (state == rowOut || state == rowOpen) && !ended && !full {
		return 0, false
	}
	b.quoted = true
	end := pos + len(trimCR(window[:at]))
	switch {
	case state == rowEnded && end-pos <= r.maxRow:
		b.rows = append(b.rows, rowRef{uint32(pos), uint32(end), r.line})
		return min(pos+at+1, len(b.data)), true
	case state == rowEnded, state == rowOut:
		r.badRow(b, pos, stop, -1, fmt.Sprintf("quoted row too long: want %d bytes at most", r.maxRow))
	default:
		r.badRow(b, pos, stop, column, rowFaults[state])
	}
	return next, true
}

func trimCR(text []byte) []byte { return bytes.TrimSuffix(text, []byte("\r")) }

// badRow adds a row with an Err.
func (r *Reader) badRow(b *Block, start, end, column int, msg string) {
	b.rows = append(b.rows, rowRef{uint32(start), uint32(end), r.line})
	b.fail(len(b.rows)-1, column, nil, msg)
}
