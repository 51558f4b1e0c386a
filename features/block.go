package features

import (
	"cmp"
	"slices"
)

// blockPadding bytes follow the text of a Block, so that eight bytes may be
// loaded at once from the start of any field.
const blockPadding = 8

// Block is a run of raw rows and where their fields begin and end. It owns
// its bytes: what Row and Raw give is valid until the Block is Reset or read
// into again. A row that could not be split keeps its place and has an Err,
// so that row i of a block stays record i of whatever filled it.
//
// A Block is filled by Reader.Next and then Split (files), or by Reset and
// then Append, AppendCSV or AppendJSON (one record at a time, from a topic or
// a request). It is not safe for concurrent use while it is being filled or
// split; afterwards any number of goroutines may read it. The zero Block is
// ready for either; one that is used again allocates nothing once it has
// grown to the size of its data.
type Block struct {
	// Name is the file or topic that the rows came from, for messages.
	Name string
	// First is the number of rows, bad ones included, that came before this
	// block's in its source: 0 for the first block of the first file.
	// First + i names row i for good, however the source is cut into blocks.
	First int64

	layout Layout
	width  int    // fields a row
	comma  byte   // between fields; 0 where rows were appended
	data   []byte // text, then unescaped copies of quoted fields, then padding
	text   int    // length of data before the padding
	bounds []uint64
	rows   []rowRef
	errs   []rowErr // ascending by row, one a row at most

	columns Columns        // where the fields of columnar rows come from
	cells   Cells          // what they are given to
	quoted  bool           // some row of the text holds a quote
	pending bool           // read, and not yet Split
	keys    map[string]int // positions in layout, for JSON; nil until needed
	need    []bool         // columns that a JSON record must have; nil = none
	// quotedNames are the layout's names in quotes; "" for those that JSON
	// would escape. Set with keys.
	quotedNames []string

	cached cachedRows // where the rows come from a cache

	// What ReadKeys and State.Count make of rows with history fields, row by
	// row; empty where there are none.
	hours     []Hour
	keyHashes []uint64
	past      []uint32
	pastWidth int
	touched   uint32 // keeps State.touch's reads alive
}

// A bound is where a field lies in data: its start in the low half, its end
// in the high one. A Block has width of them a row.
func bound(start, end uint32) uint64 { return uint64(start) | uint64(end)<<32 }

// rowRef is where a row stands in data and which line of its file it begins on
// (columnar rows: its number in the file, and no text).
type rowRef struct {
	start, end uint32
	line       int64
}

type rowErr struct {
	row int
	err error
}

// Row is one raw row: its fields, in the order of its Layout. It points into
// the Block that it came from and shares that Block's lifetime.
type Row struct {
	data   []byte
	bounds []uint64
	past   []uint32 // what a State says of the rows before it, if any
}

// Len gives the number of rows, bad ones included.
func (b *Block) Len() int { return len(b.rows) }

// Layout gives the names of the fields of each row.
func (b *Block) Layout() Layout { return b.layout }

// Row gives row i. The row of an Err has empty fields. A block that was filled
// by Reader.Next must be Split first.
func (b *Block) Row(i int) Row {
	return Row{
		data: b.data, bounds: b.bounds[b.width*i : b.width*(i+1)],
		past: b.past[b.pastWidth*i : b.pastWidth*(i+1)],
	}
}

// Raw gives the text of row i as its source had it, without the line end. A
// row longer than ReaderOptions.MaxRow is cut to that length. Of a row from a
// cache it is the text of the fields, with nothing between them.
func (b *Block) Raw(i int) []byte {
	r := b.rows[i]
	return b.data[r.start:r.end:r.end]
}

// Line gives the line of its file on which row i begins, from 1; 0 where the
// rows did not come from a file of lines.
func (b *Block) Line(i int) int64 {
	switch {
	case b.numbered():
		return 0
	case b.Cached():
		return b.cached.line(i)
	}
	return b.rows[i].line
}

// Err says why row i could not be split into fields, or nil. It is a
// *RowError.
func (b *Block) Err(i int) error {
	if len(b.errs) == 0 {
		return nil
	}
	if at, ok := slices.BinarySearchFunc(b.errs, i, compareRow); ok {
		return b.errs[at].err
	}
	return nil
}

// Bad reports whether any row of the block has an Err: where it is false, a
// loop need not ask row by row.
func (b *Block) Bad() bool { return len(b.errs) > 0 }

// Reset empties b for records of the given layout, to be added by Append,
// AppendCSV or AppendJSON. The name, of a topic say, is for messages. First
// becomes 0. The layout must not be changed while b uses it.
func (b *Block) Reset(layout Layout, name string) {
	b.clear(layout, name)
	b.comma, b.pending, b.need = 0, false, nil
	b.pad()
}

// Need says which columns of the layout every JSON record must have a key for,
// null if nothing else; it holds until the next Reset. Without it a forgotten
// or misspelt key would be taken for a missing value.
func (b *Block) Need(columns []bool) { b.need = columns }

// clear empties b and keeps its memory.
func (b *Block) clear(layout Layout, name string) {
	if !sameLayout(layout, b.layout) {
		b.keys = nil
	}
	b.Name, b.First = name, 0
	b.layout, b.width = layout, len(layout)
	b.data, b.text = b.data[:0], 0
	b.bounds, b.rows = b.bounds[:0], b.rows[:0]
	clear(b.errs) // so that their errors can be collected
	b.errs = b.errs[:0]
	b.quoted, b.cached, b.columns = false, cachedRows{}, nil
	b.hours, b.keyHashes, b.past, b.pastWidth = b.hours[:0], b.keyHashes[:0], b.past[:0], 0
}

// sameLayout reports whether a and b are the same slice, which is how the
// layouts of a run of blocks compare.
func sameLayout(a, b Layout) bool {
	return len(a) == len(b) && (len(a) == 0 || &a[0] == &b[0])
}

// pad sets the zero bytes after the text.
func (b *Block) pad() {
	var zero [blockPadding]byte
	b.data = append(b.data[:b.text], zero[:]...)
}

// fail gives row i an error of the given column (-1: of the row as a whole)
// and empty fields.
func (b *Block) fail(i, column int, value []byte, msg string) {
	e := &RowError{Msg: msg}
	b.Place(e, i)
	if column >= 0 && column < b.width {
		e.Column = b.layout[column]
	}
	if value != nil {
		e.Value = slices.Clone(value)
	}
	b.failWith(i, e)
}

func (b *Block) failWith(i int, err error) {
	if end := b.width * (i + 1); end <= len(b.bounds) {
		clear(b.bounds[end-b.width : end])
	}
	at, found := slices.BinarySearchFunc(b.errs, i, compareRow)
	if !found {
		b.errs = slices.Insert(b.errs, at, rowErr{i, err})
	}
}

func compareRow(e rowErr, row int) int { return cmp.Compare(e.row, row) }

// Len gives the number of fields.
func (r *Row) Len() int { return len(r.bounds) }

// Field gives field i, unquoted. It is valid until the Block is reused.
func (r *Row) Field(i int) []byte {
	v := r.bounds[i]
	s, e := uint32(v), uint32(v>>32)
	return r.data[s:e:e]
}
