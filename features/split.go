package features

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/bits"
	"slices"
)

// Split finds the fields of every row of a block that Reader.Next filled: the
// work on a row that needs no other row, so that several goroutines may split
// different blocks at once. A second call does nothing.
//
// Rows with a wrong number of fields or a NUL byte get an Err here, beside the
// quoting faults and overlong rows that Next found.
func (b *Block) Split() {
	if !b.pending {
		return
	}
	b.pending = false
	switch {
	case b.Cached():
		b.splitCached()
		return
	case b.Columnar():
		b.splitColumns()
		return
	}
	b.bounds = resize(b.bounds, len(b.rows)*b.width)
	text := b.data[:b.text]
	if b.quoted || b.Bad() || !b.splitWhole() {
		b.splitRows()
	}
	if bytes.IndexByte(text, 0) >= 0 {
		for i := range b.rows {
			b.checkNUL(i)
		}
	}
}

// resize gives s the length n; what it holds is left as it was.
func resize(s []uint64, n int) []uint64 {
	if cap(s) < n {
		return make([]uint64, n, n+n/4)
	}
	return s[:n]
}

// Eight bytes at a time (SWAR). For x = word ^ repeated byte, a byte of x is 0
// exactly where the word has that byte; (x & 0x7f…) + 0x7f… carries into a
// byte's high bit unless its low seven bits are 0, without reaching the next
// byte, so that ^(that | x) has the high bit of exactly the zero bytes.
// (Hacker's Delight, H. S. Warren, 2nd ed. 2012, section 6-1.) The shorter
// (x - 0x01…) &^ x is right for the first match of a word only.
const (
	ones = 0x0101010101010101
	low7 = 0x7f7f7f7f7f7f7f7f
)

// zeroBytes has the high bit of each byte of x that is 0.
func zeroBytes(x uint64) uint64 { return ^((x&low7 + low7) | x | low7) }

// splitWhole is the fast way for a block without quotes: it takes commas and
// line ends alike, writes one bound after another, and looks only afterwards
// whether each row's first bound starts and its last bound ends where Next
// found the row to. Since all run upward, that holds only where each row has
// exactly width fields. It reports false where it doesn't (a bad row, an
// empty line, no newline at the end): splitRows must then do the block again.
//
// What did not help, on Avazu's rows (52 ns a row this way; 61 for splitPlain
// row by row; 154 with bytes.IndexByte a field; 170-180 byte by byte; 570 for
// encoding/csv): writing up to four bounds a word without a branch (100: most
// words have one or two), one or two without a branch and then a loop (67),
// and packing eight words' matches into one 64-bit mask before the loop
// (within noise of this, and longer).
func (b *Block) splitWhole() bool {
	data, bounds := b.data, b.bounds
	comma := ones * uint64(b.comma)
	k, start := 0, uint32(0)
	for p := 0; p < b.text; p += 8 {
		x := binary.LittleEndian.Uint64(data[p:])
		for m := zeroBytes(x^comma) | zeroBytes(x^(ones*'\n')); m != 0; m &= m - 1 {
			q := uint32(p) + uint32(bits.TrailingZeros64(m))>>3
			if k < len(bounds) { // false for the padding and for bad blocks
				bounds[k] = bound(start, q)
			}
			k++
			start = q + 1
		}
	}
	if k != len(bounds) {
		return false
	}
	for i, r := range b.rows {
		row := bounds[i*b.width : (i+1)*b.width]
		last := &row[len(row)-1]
		if end := uint32(*last >> 32); end == r.end+1 && data[r.end] == '\r' {
			*last = bound(uint32(*last), r.end) // CR LF
		}
		if uint32(row[0]) != r.start || uint32(*last>>32) != r.end {
			return false
		}
	}
	return true
}

// splitRows splits row by row.
func (b *Block) splitRows() {
	bad := b.Bad()
	for i := range b.rows {
		if bad && b.Err(i) != nil {
			clear(b.bounds[i*b.width : (i+1)*b.width])
			continue
		}
		b.splitRow(i, b.comma, b.quoted)
	}
}

// splitRow finds the fields of row i, whose quoting is known to be good.
func (b *Block) splitRow(i int, comma byte, quoted bool) {
	var n int
	if quoted && bytes.IndexByte(b.Raw(i), '"') >= 0 {
		n = b.splitQuoted(i, comma)
	} else {
		n = b.splitPlain(i, comma)
	}
	if n != b.width {
		b.fail(i, -1, nil, fieldCount(n, b.width))
	}
}

func fieldCount(n, want int) string {
	if n == 1 {
		return fmt.Sprintf("1 field: want %d", want)
	}
	return fmt.Sprintf("%d fields: want %d", n, want)
}

// splitPlain finds the fields of row i, which has no quotes, and gives their
// number.
func (b *Block) splitPlain(i int, comma byte) int {
	r := b.rows[i]
	out := b.bounds[i*b.width : (i+1)*b.width]
	k, start := 0, r.start
	commas := ones * uint64(comma)
	for p := r.start; p < r.end; p += 8 {
		m := zeroBytes(binary.LittleEndian.Uint64(b.data[p:]) ^ commas)
		if left := r.end - p; left < 8 {
			m &= 1<<(8*left) - 1
		}
		for ; m != 0; m &= m - 1 {
			q := p + uint32(bits.TrailingZeros64(m))>>3
			if k < len(out) {
				out[k] = bound(start, q)
			}
			k++
			start = q + 1
		}
	}
	if k < len(out) {
		out[k] = bound(start, r.end)
	}
	return k + 1
}

// splitQuoted finds the fields of row i, some of which are quoted, and gives
// their number. A field with doubled quotes is copied behind the text, with
// single ones.
func (b *Block) splitQuoted(i int, comma byte) int {
	r := b.rows[i]
	text := b.data[r.start:r.end]
	k := 0
	for at := 0; at >= 0; k++ {
		var f field
		f, at = nextField(text, at, comma)
		if k >= b.width {
			continue // only counted
		}
		s, e := r.start+uint32(f.start), r.start+uint32(f.end)
		if f.doubled {
			s = uint32(b.text)
			b.data = appendSingled(b.data[:b.text], text[f.start:f.end], true)
			b.text = len(b.data)
			b.pad()
			e = uint32(b.text)
		}
		b.bounds[i*b.width+k] = bound(s, e)
	}
	return k
}

// field is where the value of a field lies in its row, without its quotes.
type field struct {
	start, end int
	doubled    bool // the value holds doubled quotes
}

// nextField reads the field of row that begins at at, and gives where the next
// one begins, or -1. The row has no line end and its quoting is good, as
// rowEnd checks.
func nextField(row []byte, at int, comma byte) (field, int) {
	if at == len(row) || row[at] != '"' {
		if n := bytes.IndexByte(row[at:], comma); n >= 0 {
			return field{start: at, end: at + n}, at + n + 1
		}
		return field{start: at, end: len(row)}, -1
	}
	f := field{start: at + 1}
	for p := at + 1; ; p += 2 {
		n := bytes.IndexByte(row[p:], '"')
		if n < 0 {
			f.end = len(row)
			return f, -1
		}
		p += n
		switch {
		case p+1 == len(row):
			f.end = p
			return f, -1
		case row[p+1] != '"':
			f.end = p
			return f, p + 2
		}
		f.doubled = true
	}
}

// appendSingled appends s to dst, with one quote for each two where doubled.
func appendSingled(dst, s []byte, doubled bool) []byte {
	for doubled {
		n := bytes.IndexByte(s, '"')
		if n < 0 {
			break
		}
		dst = append(dst, s[:n+1]...)
		s = s[n+2:]
	}
	return append(dst, s...)
}

// rowState is how rowEnd left a row.
type rowState uint8

const (
	rowEnded rowState = iota // at a line end
	rowOut                   // the text ran out where a row may end
	rowOpen                  // the text ran out inside quotes
	rowBare                  // a quote stands in an unquoted field
	rowAfter                 // a closing quote is followed by text
)

var rowFaults = [...]string{
	rowOpen:  "quoted field without a closing quote",
	rowBare:  "quote inside an unquoted field: want the field in quotes and each quote inside doubled",
	rowAfter: "text after a closing quote: want a separator or the end of the row",
}

// rowEnd reads the row at the start of text and gives where it ends: the
// position of its line end (LF or CR LF), or len(text) where the text ran
// out. For a fault, at is its place. Column counts the fields before it.
func rowEnd(text []byte, comma byte) (state rowState, at, column int) {
	for ; ; column++ {
		if at < len(text) && text[at] == '"' {
			if state, at = quotedEnd(text, at, comma); state != rowEnded {
				return state, at, column
			}
		} else {
			for at < len(text) && text[at] != comma && text[at] != '\n' {
				if text[at] == '"' {
					return rowBare, at, column
				}
				at++
			}
		}
		switch {
		case at == len(text):
			return rowOut, at, column
		case text[at] != comma:
			return rowEnded, at, column
		}
		at++
	}
}

// quotedEnd gives where the quoted field at at ends: rowEnded and the place of
// the separator or line end after its closing quote, or what stands in the
// way.
func quotedEnd(text []byte, at int, comma byte) (rowState, int) {
	for at++; ; at += 2 {
		n := bytes.IndexByte(text[at:], '"')
		if n < 0 {
			return rowOpen, len(text)
		}
		at += n
		if after := at + 1; after == len(text) || text[after] != '"' {
			if after < len(text) && text[after] == '\r' && (after+1 == len(text) || text[after+1] == '\n') {
				after++
			}
			if after < len(text) && text[after] != comma && text[after] != '\n' {
				return rowAfter, after
			}
			return rowEnded, after
		}
	}
}

// checkNUL gives row i an Err where it holds a NUL byte: text has none, so it
// is a sign of damage or of another encoding.
func (b *Block) checkNUL(i int) {
	if bytes.IndexByte(b.Raw(i), 0) >= 0 {
		b.checkFieldsNUL(i)
	}
}

// checkFieldsNUL does the same by looking at the fields.
func (b *Block) checkFieldsNUL(i int) {
	if b.Err(i) != nil {
		return
	}
	row := b.Row(i)
	for k := range row.Len() {
		if v := row.Field(k); bytes.IndexByte(v, 0) >= 0 {
			b.fail(i, k, v, "NUL byte: want text")
			return
		}
	}
}

// AppendCSV adds one record of comma-separated (or tab-separated) fields; its
// bytes are copied. One line end after it is dropped. What is wrong with the
// record becomes the Err of its row.
func (b *Block) AppendCSV(record []byte, comma byte) {
	i, ok := b.appendRecord(trimLineEnd(record))
	if !ok {
		return
	}
	text := b.Raw(i)
	quoted := bytes.IndexByte(text, '"') >= 0
	switch {
	case len(text) == 0:
		b.fail(i, -1, nil, "empty record")
		return
	case quoted:
		state, _, column := rowEnd(text, comma)
		if state == rowEnded {
			b.fail(i, -1, nil, "line end inside a record")
			return
		}
		if state != rowOut {
			b.fail(i, column, nil, rowFaults[state])
			return
		}
	case bytes.IndexByte(text, '\n') >= 0:
		b.fail(i, -1, nil, "line end inside a record")
		return
	}
	b.splitRow(i, comma, quoted)
	b.checkNUL(i)
}

// appendRecord adds a row of empty fields whose text is a copy of record. It
// reports false where a block can't hold it, and gives the row an Err then.
func (b *Block) appendRecord(record []byte) (row int, ok bool) {
	const most = 1<<31 - 1 - 2*blockPadding // bounds have 32 bits
	row = len(b.rows)
	n := len(b.bounds)
	b.bounds = slices.Grow(b.bounds, b.width)[:n+b.width]
	clear(b.bounds[n:])
	if 2*len(record) > most-b.text { // twice: unescaped copies
		b.rows = append(b.rows, rowRef{})
		b.fail(row, -1, nil, "no place left in the block: want less than 2 GiB")
		return row, false
	}
	start := b.text
	b.data = append(b.data[:start], record...)
	b.text = len(b.data)
	b.pad()
	b.rows = append(b.rows, rowRef{start: uint32(start), end: uint32(b.text)})
	return row, true
}

// trimLineEnd cuts one LF or CR LF, or a CR alone, from the end of text.
func trimLineEnd(text []byte) []byte {
	return bytes.TrimSuffix(bytes.TrimSuffix(text, []byte("\n")), []byte("\r"))
}
