package features

// blockPadding bytes follow the text of a Block, so that eight bytes may be
// loaded at once from the start of any field.
const blockPadding = 8

// Block is a run of raw rows and where their fields begin and end. It owns
// its bytes: what Row and Raw give is valid until the Block is Reset or read
// into again. A row that could not be split keeps its place and has an Err,
// so that row i of a block stays record i of whatever filled it.
//
// A Block is filled by a Reader (files) or by AppendCSV and AppendJSON (one
// record at a time, from a topic or a request). It is not safe for
// concurrent use while it is being filled; afterwards any number of
// goroutines may read it.
type Block struct {
	// Name is the file or topic that the rows came from, for messages.
	Name string
	// First is the number of rows that came before this block's in its
	// source: 0 for the first block of the first file.
	First int64

	layout Layout
	width  int      // fields a row
	data   []byte   // text, then unescaped copies of quoted fields, then padding
	bounds []uint32 // 2*width a row: start and end of each field in data
	rows   []rowRef
	errs   []rowErr // ascending by row
}

// rowRef is where a row stands in data and which line of its file it begins on.
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
	bounds []uint32
}

// Len gives the number of rows, bad ones included.
func (b *Block) Len() int { return len(b.rows) }

// Layout gives the names of the fields of each row.
func (b *Block) Layout() Layout { return b.layout }

// Row gives row i. The row of an Err has empty fields.
func (b *Block) Row(i int) Row {
	return Row{data: b.data, bounds: b.bounds[2*b.width*i : 2*b.width*(i+1)]}
}

// Raw gives the text of row i as its source had it, without the line end.
func (b *Block) Raw(i int) []byte {
	r := b.rows[i]
	return b.data[r.start:r.end:r.end]
}

// Line gives the line of its file on which row i begins, from 1; 0 where the
// rows did not come from a file.
func (b *Block) Line(i int) int64 { return b.rows[i].line }

// Err says why row i could not be split into fields, or nil.
func (b *Block) Err(i int) error {
	for _, e := range b.errs {
		if e.row == i {
			return e.err
		}
	}
	return nil
}

// Bad reports whether any row of the block has an Err: where it is false, a
// loop need not ask row by row.
func (b *Block) Bad() bool { return len(b.errs) > 0 }

// Len gives the number of fields.
func (r *Row) Len() int { return len(r.bounds) / 2 }

// Field gives field i, unquoted. It is valid until the Block is reused.
func (r *Row) Field(i int) []byte {
	s, e := r.bounds[2*i], r.bounds[2*i+1]
	return r.data[s:e:e]
}
