package features

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
)

// begin reads the first row, finds out what the columns are, and leaves the
// reader before the first row of data.
func (r *Reader) begin(o *ReaderOptions) error {
	r.rows, r.line = o.First, 1
	if err := r.firstLine(); err != nil {
		return err
	}
	if r.comma == 0 && o.Schema != nil {
		r.comma = CommaOf(r.tail[:indexFrom(r.tail, 0, '\n')], o.Schema.Comma)
	}
	if r.comma == 0 {
		r.comma = sniffComma(r.tail)
	}
	names, next, err := r.firstRow()
	if err != nil {
		var bad *RowError
		if !errors.As(err, &bad) || o.Header != HeaderNo || len(o.Columns) == 0 {
			return err
		}
	}
	if r.schema == nil {
		r.schema = Detect(o.Columns)
	}
	if r.schema == nil {
		r.schema = Detect(names)
	}
	header := o.Header == HeaderYes || o.Header == HeaderAuto && isHeader(names, r.schema, o.Columns)
	if r.layout, err = r.chooseLayout(names, header, o.Columns); err != nil {
		return err
	}
	if r.header = header; header {
		r.line += int64(bytes.Count(r.tail[:next], []byte("\n")))
		r.tail = r.tail[next:]
	}
	return nil
}

// firstLine reads until the tail begins with a whole line that is not empty,
// or with as much of one as a row may have.
func (r *Reader) firstLine() error {
	r.tail = r.fill(r.tail, max(r.chunk, 4))
	if bytes.HasPrefix(r.tail, []byte("\xff\xfe")) || bytes.HasPrefix(r.tail, []byte("\xfe\xff")) {
		return WithHint(fmt.Errorf("%s: UTF-16 text: want UTF-8", r.name), "iconv -f UTF-16 -t UTF-8 converts it")
	}
	r.tail = bytes.TrimPrefix(r.tail, []byte("\xef\xbb\xbf"))
	for {
		n := emptyLines(r.tail)
		r.line += int64(bytes.Count(r.tail[:n], []byte("\n")))
		r.tail = r.tail[n:]
		switch {
		case bytes.IndexByte(r.tail, '\n') >= 0 || len(r.tail) > r.maxRow+1:
			return nil
		case r.atEOF() && len(trimCR(r.tail)) == 0:
			return fmt.Errorf("%s: empty file: want rows", r.name)
		case r.atEOF():
			return nil
		case r.err != nil:
			return r.err
		}
		r.tail = r.fill(r.tail, max(r.chunk, 2*len(r.tail)))
	}
}

// emptyLines gives the length of the empty lines at the start of text.
func emptyLines(text []byte) (n int) {
	for {
		switch {
		case bytes.HasPrefix(text[n:], []byte("\n")):
			n++
		case bytes.HasPrefix(text[n:], []byte("\r\n")):
			n += 2
		default:
			return n
		}
	}
}

// CommaOf gives what separates the fields of line: usual, but where line has
// none of it and has the other of comma and tab, that one. Rows of one schema
// come in both forms.
func CommaOf(line []byte, usual byte) byte {
	other := byte('\t')
	if usual == '\t' {
		other = ','
	}
	if usual == 0 || bytes.IndexByte(line, usual) >= 0 || bytes.IndexByte(line, other) < 0 {
		return usual
	}
	return other
}

// sniffComma gives tab where the first line has more tabs than commas, else
// a comma.
func sniffComma(text []byte) byte {
	line := text[:indexFrom(text, 0, '\n')]
	if bytes.Count(line, []byte("\t")) > bytes.Count(line, []byte(",")) {
		return '\t'
	}
	return ','
}

// firstRow gives the fields of the row that the tail begins with, without
// white space around them, and where the next row begins. The tail may grow.
// A bad row is a *RowError.
func (r *Reader) firstRow() (names Layout, next int, err error) {
	line := r.line
	defer func() { r.line, r.skip = line, false }() // scan moves them on
	b := Block{Name: r.name}
	for {
		b.data = r.tail
		if r.scan(&b, 1); len(b.rows) > 0 {
			break
		}
		if r.err != nil && !r.atEOF() {
			return nil, 0, r.err
		}
		r.tail = r.fill(r.tail, 2*len(r.tail))
	}
	if err := b.Err(0); err != nil {
		return nil, 0, err
	}
	row := b.Raw(0)
	if bytes.IndexByte(row, 0) >= 0 {
		return nil, 0, &RowError{File: r.name, Line: line, Msg: "NUL byte: want text"}
	}
	for at := 0; at >= 0; {
		var f field
		f, at = nextField(row, at, r.comma)
		names = append(names, string(bytes.TrimSpace(appendSingled(nil, row[f.start:f.end], f.doubled))))
	}
	next = int(b.rows[0].end)
	next += len(r.tail[next:]) - len(bytes.TrimPrefix(r.tail[next:], []byte("\r")))
	next += len(r.tail[next:]) - len(bytes.TrimPrefix(r.tail[next:], []byte("\n")))
	return names, next, nil
}

// isHeader reports whether the first row holds names of columns, as
// HeaderAuto describes it.
func isHeader(first Layout, s *Schema, columns Layout) bool {
	known := columns
	label := ""
	if s != nil {
		known = append(make(Layout, 0, len(columns)+len(s.Columns)), columns...)
		for _, c := range s.Columns {
			if known.Index(c.Name) < 0 {
				known = append(known, c.Name)
			}
		}
		label = s.Find(Label)
	}
	hits := 0
	for _, name := range first {
		if name != "" && known.Index(name) >= 0 {
			hits++
		}
	}
	return hits > 0 && 2*hits >= min(len(first), len(known)) ||
		hits > 1 && label != "" && first.Index(label) >= 0
}

// chooseLayout gives the names of the file's columns: those asked for, else
// the header's, else the schema's for that many fields.
func (r *Reader) chooseLayout(first Layout, header bool, columns Layout) (Layout, error) {
	switch {
	case len(columns) > 0 && header && len(columns) != len(first):
		return nil, fmt.Errorf("%s: header of %s: want the %d of the columns given", r.name, countColumns(len(first)), len(columns))
	case len(columns) > 0:
		return columns, nil
	case header:
		if name, twice := first.duplicate(); twice {
			return nil, fmt.Errorf("%s:%d: column %s: named twice in the header", r.name, r.line, name)
		}
		return first, nil
	}
	var want []string
	for _, s := range r.known() {
		for _, l := range s.Layouts {
			if len(l) == len(first) {
				return l, nil
			}
			want = append(want, fmt.Sprintf("%d (%s)", len(l), s.Name))
		}
	}
	hint := "name the columns in their order with --columns a,b,c"
	if r.schema == nil {
		hint = "--schema FILE says what the columns of another table are; see ctr help schema"
	}
	if len(want) == 0 {
		return nil, WithHint(fmt.Errorf("%s: %s without a known header: want one that names columns of schema %s",
			r.name, countColumns(len(first)), r.schema.Name), hint)
	}
	return nil, WithHint(fmt.Errorf("%s: %s without a known header: want a header or %s columns",
		r.name, countColumns(len(first)), strings.Join(want, ", ")), hint)
}

// known gives the schemas whose layouts a file without a header may have.
func (r *Reader) known() []*Schema {
	if r.schema != nil {
		return []*Schema{r.schema}
	}
	return Presets()
}

func countColumns(n int) string {
	if n == 1 {
		return "1 column"
	}
	return fmt.Sprintf("%d columns", n)
}

// Detect gives the preset that a file is of, from its first row: the one with
// the most columns named there, if they make a header of it, else the one with
// a layout of so many columns; nil where there is none. A new value each time.
func Detect(first Layout) *Schema {
	if found := DetectNames(first); found != nil {
		return found
	}
	for _, s := range Presets() {
		for _, l := range s.Layouts {
			if len(l) == len(first) {
				return s
			}
		}
	}
	return nil
}

// DetectNames gives the preset with the most columns named in first, if they
// would make a header of it; nil where there is none. A new value each time.
func DetectNames(first Layout) *Schema {
	var found *Schema
	most := 0
	for _, s := range Presets() {
		hits := 0
		for _, c := range s.Columns {
			if first.Index(c.Name) >= 0 {
				hits++
			}
		}
		if hits > most && isHeader(first, s, nil) {
			found, most = s, hits
		}
	}
	return found
}
