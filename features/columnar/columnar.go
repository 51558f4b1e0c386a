// Package columnar reads the rows of Parquet and Arrow files as if they had
// been CSV: the same values give the same fields, and so the same model.
//
// Text is taken as it is. Integers become decimal text, floats Go's shortest
// form, booleans 1 or 0, dates and times YYYY-MM-DD and YYYY-MM-DD HH:MM:SS
// (UTC, without fractions of a second), decimals text with their point. A null
// is an empty field, and so is a float that is NaN. Columns of lists, structs
// and maps are left out, and refused by name where they are needed.
//
// What a file declares of its sizes is checked before memory is taken for it.
// A damaged file gives an error that names it, never a panic.
package columnar

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"ctr/features"
)

// Format is a form of columnar file.
type Format string

// The formats.
const (
	None        Format = ""
	Parquet     Format = "Parquet"
	ArrowFile   Format = "Arrow" // also Feather, version 2
	ArrowStream Format = "Arrow stream"
)

// HeadSize is how many bytes Detect wants.
const HeadSize = 8

// Detect gives the format of a file by its first bytes, None where it has
// none of them.
func Detect(head []byte) Format {
	switch {
	case bytes.HasPrefix(head, []byte("PAR1")), bytes.HasPrefix(head, []byte("PARE")):
		return Parquet
	case bytes.HasPrefix(head, []byte("ARROW1")):
		return ArrowFile
	case isStream(head):
		return ArrowStream
	}
	return None
}

// blockFields is about how many fields a Block gets: 2,048 rows of Avazu's.
// Their bounds fit the second-level cache.
const blockFields = 48 << 10

// Reader reads the rows of one file, a Block at a time, as features.Reader
// does for text. Next and Need are called by one goroutine; the Blocks are
// Split, which is where most of the work is done, by any.
type Reader struct {
	name   string
	schema *features.Schema
	layout features.Layout
	from   source
	max    int // rows a Block
	first  int64
	row    int64 // rows of this file given out
	err    error
}

// source is one file in one of the formats.
type source interface {
	// names are the columns'.
	names() []string
	// need says which columns are wanted; it gives an error for one that has
	// no form as a field.
	need(columns []bool) error
	// next gives at most n rows; the end is io.EOF.
	next(n int) (features.Columns, int, error)
	// sum is the xxhash64 of all bytes of the file so far, and their number.
	sum() (uint64, int64)
	// pos is how many bytes have been done with, for progress.
	pos() int64
	close() error
}

// NewReader reads the beginning of in, which Detect knows, to find out its
// columns. Of the options, Schema, Columns and First are used. It fails where
// the file is damaged or no columnar file, or names a column twice.
func NewReader(in *features.Input, o features.ReaderOptions) (*Reader, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	head, err := in.Peek(HeadSize)
	if err != nil {
		return nil, err
	}
	r := &Reader{name: in.Name(), schema: o.Schema, first: o.First}
	err = guarded(func() (err error) {
		switch Detect(head) {
		case Parquet:
			r.from, err = openParquet(in)
		case ArrowFile, ArrowStream:
			r.from, err = openArrow(in)
		default:
			err = errors.New("no columnar file: want Parquet or Arrow")
		}
		return err
	})
	if err == nil {
		err = r.begin(&o)
		if err != nil {
			r.from.close() //nolint:errcheck // only read
		}
	}
	if err != nil {
		return nil, r.named(err)
	}
	return r, nil
}

// begin settles layout and schema.
func (r *Reader) begin(o *features.ReaderOptions) error {
	r.layout = r.from.names()
	switch n := len(r.layout); {
	case n == 0:
		return errors.New("no columns")
	case len(o.Columns) > 0 && len(o.Columns) != n:
		return fmt.Errorf("%d columns: want the %d given", n, len(o.Columns))
	case len(o.Columns) > 0:
		r.layout = o.Columns
	}
	seen := make(map[string]bool, len(r.layout))
	for _, name := range r.layout {
		if seen[name] && name != "" {
			return fmt.Errorf("column %s: named twice", name)
		}
		seen[name] = true
	}
	if r.schema == nil {
		r.schema = features.DetectNames(r.layout)
	}
	r.max = max(blockFields/len(r.layout), 64)
	return r.from.need(nil)
}

// Layout gives the names of the fields of each row.
func (r *Reader) Layout() features.Layout { return r.layout }

// Schema gives the schema of the options, or the preset whose columns the
// file's names are; nil where there was neither.
func (r *Reader) Schema() *features.Schema { return r.schema }

// Rows gives the number of rows given out so far, and ReaderOptions.First.
func (r *Reader) Rows() int64 { return r.first + r.row }

// Sum64 gives the xxhash64 (seed 0) of all bytes of the file; it is complete
// after io.EOF. Of a packed file, those of what it unpacks to.
func (r *Reader) Sum64() uint64 { sum, _ := r.from.sum(); return sum }

// Bytes gives the number of bytes that Sum64 is of.
func (r *Reader) Bytes() int64 { _, n := r.from.sum(); return n }

// Pos gives how many of the file's bytes are done with, for progress.
func (r *Reader) Pos() int64 { return r.from.pos() }

// Need says which columns of the layout will be looked at; the others are not
// read, and their fields are empty. Without it all are that can be fields. It
// is called before the first Next, and gives an error for a column that can't
// be.
func (r *Reader) Need(columns []bool) error {
	err := r.from.need(columns)
	var unfit *unfitError
	if errors.As(err, &unfit) {
		err = fmt.Errorf("column %s: %s: want text, a number, a boolean or a time", r.layout[unfit.column], unfit.what)
	}
	return r.named(err)
}

// unfitError is returned for a column whose values can't be fields.
type unfitError struct {
	column int
	what   string
}

func (e *unfitError) Error() string { return fmt.Sprintf("column %d: %s", e.column, e.what) }

// Next reads the next rows into b, whatever it held before; Split must follow
// before they are used. At the end of the file it gives io.EOF and b is empty.
func (r *Reader) Next(b *features.Block) error {
	var rows features.Columns
	var n int
	if r.err == nil {
		r.err = guarded(func() (err error) {
			rows, n, err = r.from.next(r.max)
			return err
		})
	}
	if r.err != nil {
		b.Reset(r.layout, r.name)
		b.First = r.Rows()
		if r.err == io.EOF { //nolint:errorlint // source.next gives io.EOF itself
			return io.EOF
		}
		return r.named(r.err)
	}
	b.ResetColumns(r.layout, r.name, r.Rows(), r.row+1, n, rows)
	r.row += int64(n)
	return nil
}

// Close frees what the file holds beside memory. The Input stays open.
func (r *Reader) Close() error { return r.from.close() }

// named puts the file's name before err, unless it is there.
func (r *Reader) named(err error) error {
	if err == nil || bytes.HasPrefix([]byte(err.Error()), []byte(r.name+":")) {
		return err
	}
	return fmt.Errorf("%s: %w", r.name, err)
}

// errDamaged is at the bottom of every error that says so.
var errDamaged = errors.New("damaged")

// damaged gives an error that wraps errDamaged.
func damaged(format string, a ...any) error {
	return fmt.Errorf("%w: %s", errDamaged, fmt.Sprintf(format, a...))
}

// guarded calls f and makes an error of its panic: the libraries below index
// what damaged files say.
func guarded(f func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = damaged("%v", p)
		}
	}()
	return f()
}
