package features

import (
	"bytes"
	"fmt"
)

// Columns are rows kept column by column, as a columnar file has them: what a
// Block filled by ResetColumns makes its fields of. Fill writes the fields of
// all rows to c; fields that it leaves out are empty. It is called once, by
// Split, in whichever goroutine that runs.
type Columns interface{ Fill(c *Cells) }

// ResetColumns empties b and gives it n rows of the given layout, whose fields
// Split takes from rows. The name is the file's, for messages; first is the
// Block's First; row is the number in its file of the first row, from 1.
func (b *Block) ResetColumns(layout Layout, name string, first, row int64, n int, rows Columns) {
	b.clear(layout, name)
	b.First, b.comma, b.need = first, 0, nil
	b.columns, b.pending = rows, true
	for i := range n {
		b.rows = append(b.rows, rowRef{line: row + int64(i)})
	}
	b.pad()
}

// Columnar reports whether the rows came from a columnar file: they have no
// text of their own, so that Raw is empty and AppendCSV makes one.
func (b *Block) Columnar() bool { return b.columns != nil }

// Place sets the file and the line of e, or for columnar rows the number of
// the row, to those of row i.
func (b *Block) Place(e *RowError, i int) {
	e.File = b.Name
	switch {
	case b.Cached() && b.cached.numbered():
		e.Row = b.cached.line(i)
	case b.Columnar():
		e.Row = b.rows[i].line
	default:
		e.Line = b.Line(i)
	}
}

// numbered reports whether rows have no lines but numbers.
func (b *Block) numbered() bool { return b.Columnar() || b.Cached() && b.cached.numbered() }

// splitColumns does Split's work for columnar rows.
func (b *Block) splitColumns() {
	b.bounds = resize(b.bounds, len(b.rows)*b.width)
	clear(b.bounds)
	c := &b.cells // of the Block, since what Fill gets is on the heap
	*c = Cells{b: b, text: b.data[:0]}
	b.columns.Fill(c)
	const most = 1<<31 - 1 - 2*blockPadding // bounds have 32 bits
	if len(c.text) > most {
		c.text = c.text[:0]
		for i := range b.rows {
			c.Fail(i, -1, "no place left in the block: want less than 2 GiB")
		}
	}
	b.data, b.text = c.text, len(c.text)
	b.pad()
	if bytes.IndexByte(c.text, 0) >= 0 {
		for i := range b.rows {
			b.checkFieldsNUL(i)
		}
	}
}

// Cells takes the fields of a Block's rows, column by column. Text is appended
// to one buffer, and Set says where in it a field lies; several fields may lie
// in one place.
type Cells struct {
	b    *Block
	text []byte
}

// Text gives the buffer, to append to; SetText puts it back.
func (c *Cells) Text() []byte { return c.text }

// SetText sets the buffer to what Text gave with more appended to it.
func (c *Cells) SetText(text []byte) { c.text = text }

// Set says that field col of row lies at start..end of the buffer.
func (c *Cells) Set(row, col, start, end int) {
	c.b.bounds[row*c.b.width+col] = bound(uint32(start), uint32(end))
}

// SetCoded makes fields of the values of a dictionary: field col of row row+i
// is the one at places[codes[i]], base bytes further on in the buffer. A
// negative code leaves its field empty; the others must be within places.
func (c *Cells) SetCoded(row, col int, codes []int32, places []Place, base int) {
	shift := bound(uint32(base), uint32(base))
	width := c.b.width
	at := row*width + col
	out := c.b.bounds[:at+(len(codes)-1)*width+1]
	for _, k := range codes {
		if k >= 0 {
			out[at] = uint64(places[k]) + shift
		}
		at += width
	}
}

// Place is where a value of a dictionary lies in its text.
type Place uint64

// PlaceOf gives the Place start..end.
func PlaceOf(start, end int) Place { return Place(bound(uint32(start), uint32(end))) }

// Bounds gives start and end.
func (p Place) Bounds() (start, end int) { return int(uint32(p)), int(p >> 32) }

// Fail makes row bad: the given column (-1: the row as a whole) is at fault.
func (c *Cells) Fail(row, col int, msg string) { c.b.fail(row, col, nil, msg) }

// LongValue is the message for a value of a columnar file that is longer than
// the most that a row may have, MaxRow of ReaderOptions.
func LongValue(maxRow int) string {
	return fmt.Sprintf("value too long: want %d bytes at most", maxRow)
}

// AppendCSV appends the fields of row r to dst as one line of
// comma-separated text without a line end, quoted where that is needed.
func (r *Row) AppendCSV(dst []byte) []byte {
	for i := range r.Len() {
		if i > 0 {
			dst = append(dst, ',')
		}
		v := r.Field(i)
		if !bytes.ContainsAny(v, ",\"\r\n") && (len(v) > 0 || r.Len() > 1) {
			dst = append(dst, v...)
			continue
		}
		dst = append(dst, '"')
		for _, c := range v {
			if c == '"' {
				dst = append(dst, '"')
			}
			dst = append(dst, c)
		}
		dst = append(dst, '"')
	}
	return dst
}
