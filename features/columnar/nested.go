package columnar

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/parquet-go/parquet-go/format"
)

// Leaf is a column of values of a nested Parquet file: numbers, or texts.
// Which of them belong together is said by levels (Melnik et al. 2010,
// "Dremel", 4.1), which Cuts reads.
type Leaf struct {
	// Path are the names from the top, joined by points; those that only say
	// "list" and "element" are left out: "split.leftCategoriesOrThreshold".
	Path string
	// Lists is how many lists stand around a value: 0, 1 for a list, 2 for a
	// list of lists.
	Lists int
	// Numbers are the values that are there, of a column of numbers or
	// booleans; nil for texts.
	Numbers []float64

	text     []byte
	offsets  []uint64 // where the texts begin in text, and where the last ends; empty where there is none
	isText   bool
	def, rep []uint8 // of all entries; nil where the most is 0
	maxDef   uint8
}

// IsText reports whether the values are texts.
func (l *Leaf) IsText() bool { return l.isText }

// Len gives the number of values that are there.
func (l *Leaf) Len() int {
	if l.isText {
		return max(len(l.offsets)-1, 0)
	}
	return len(l.Numbers)
}

// Text gives value i. The caller must not change it.
func (l *Leaf) Text(i int) []byte {
	return l.text[l.offsets[i]:l.offsets[i+1]:l.offsets[i+1]]
}

// Texts gives all texts one after another, and where they begin in text and
// the last one ends: text i is text[offsets[i]:offsets[i+1]]. The caller must
// not change them.
func (l *Leaf) Texts() (text []byte, offsets []uint64) {
	if len(l.offsets) == 0 {
		return nil, []uint64{0}
	}
	return l.text[:len(l.text):len(l.text)], l.offsets
}

// Forget drops what Cuts reads and gives its bytes back: for when it is read.
func (l *Leaf) Forget(a *Allowance) {
	a.Give(int64(cap(l.def) + cap(l.rep)))
	l.def, l.rep = nil, nil
}

// DropOffsets drops where texts begin, for who has made his own, and gives
// their bytes back. The texts stay, and are none of the leaf's any more.
func (l *Leaf) DropOffsets(a *Allowance) {
	a.Give(int64(8 * cap(l.offsets)))
	l.offsets = nil
}

// Drop drops everything, where nothing of it is used any more, and gives its
// bytes back.
func (l *Leaf) Drop(a *Allowance) {
	l.Forget(a)
	a.Give(int64(cap(l.text) + 8*cap(l.offsets) + 8*cap(l.Numbers)))
	l.text, l.offsets, l.Numbers = nil, nil, nil
}

// Rows gives the number of rows, or with depth 1 of lists in lists: one less than
// what Cuts gives.
func (l *Leaf) Rows(depth int) (n int) {
	if l.rep == nil {
		return max(len(l.def), l.Len())
	}
	for _, r := range l.rep {
		if int(r) <= depth {
			n++
		}
	}
	return n
}

// Cuts gives where the values of each row begin, and where the last ones end:
// row i has the values cuts[i] … cuts[i+1]-1, none where it is null. With depth
// 1 it gives the same of each list in a list.
func (l *Leaf) Cuts(depth int) []int {
	n := max(len(l.def), len(l.rep))
	if n == 0 {
		n = l.Len()
	}
	cuts, values := make([]int, 0, l.Rows(depth)+1), 0
	for i := range n {
		if l.rep == nil || int(l.rep[i]) <= depth {
			cuts = append(cuts, values)
		}
		if l.def == nil || l.def[i] == l.maxDef {
			values++
		}
	}
	return append(cuts, values)
}

// ReadNested reads those columns of a Parquet file, however nested, whose Path
// is wanted. Of values that are neither numbers nor texts there are none. What
// it takes of memory is taken from a first. A damaged file is an error, never a
// panic.
func ReadNested(at io.ReaderAt, size int64, want func(path string) bool, a *Allowance) (leaves []Leaf, err error) {
	f := &parquetFile{at: at, size: size}
	err = guarded(func() (err error) {
		if err = f.readFooter(); err == nil {
			err = f.readSchema()
		}
		if err == nil {
			leaves, err = f.nested(want, a)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return leaves, nil
}

// nestedLeaf is a leaf of the schema, and what is read of it.
type nestedLeaf struct {
	Leaf
	col            parquetColumn
	maxRep, maxDef int
}

// nested reads all row groups.
func (f *parquetFile) nested(want func(path string) bool, a *Allowance) ([]Leaf, error) {
	list, err := f.nestedLeaves()
	if err != nil {
		return nil, err
	}
	for i := range list {
		if l := &list[i]; !want(l.Path) {
			l.col.unfit = "not wanted"
		}
	}
	if err := f.nestedRoom(list, a); err != nil {
		return nil, err
	}
	for g := range f.meta.RowGroups {
		group := &f.meta.RowGroups[g]
		for i := range list {
			if list[i].col.unfit != "" || group.NumRows == 0 {
				continue
			}
			if err := f.nestedChunk(&group.Columns[i].MetaData, &list[i], a); err != nil {
				return nil, fmt.Errorf("column %s: %w", list[i].Path, err)
			}
		}
	}
	out := make([]Leaf, len(list))
	for i := range list {
		out[i] = list[i].Leaf
	}
	return out, nil
}

// nestedRoom makes room for as many values as the file says that it has, so
// that none is moved while pages are read. What it says may not be true: so it
// is taken from a like anything else, and where a has not got it, room is made
// as pages are read.
func (f *parquetFile) nestedRoom(list []nestedLeaf, a *Allowance) error {
	for i := range list {
		l := &list[i]
		if l.col.unfit != "" {
			continue
		}
		var values, size int64
		for g := range f.meta.RowGroups {
			m := &f.meta.RowGroups[g].Columns[i].MetaData
			if m.NumValues < 0 || m.NumValues > 1<<31 || m.TotalCompressedSize < 0 || m.TotalCompressedSize > f.size || m.TotalUncompressedSize < 0 {
				return damaged("column %s: %d values in %d bytes", l.Path, m.NumValues, m.TotalCompressedSize)
			}
			values += m.NumValues
			// Before each text that stands as it is stands its length.
			size += min(max(m.TotalUncompressedSize-4*m.NumValues, 0), 1<<40)
		}
		if err := l.reserve(int(values), int(size), a); err != nil && !errors.Is(err, ErrTooLarge) {
			return fmt.Errorf("column %s: %w", l.Path, err)
		}
	}
	return nil
}

// nestedLeaves walks the schema.
func (f *parquetFile) nestedLeaves() (list []nestedLeaf, err error) {
	at := 1
	var walk func(path []string, def, rep, depth int, inList bool) error
	walk = func(path []string, def, rep, depth int, inList bool) error {
		if at >= len(f.meta.Schema) || depth > maxDepth {
			return damaged("schema: too deep or cut short")
		}
		e := &f.meta.Schema[at]
		at++
		repeated := e.RepetitionType.V == format.Repeated
		if e.RepetitionType.V != format.Required {
			def++
		}
		if repeated {
			rep++
		}
		if !repeated && !inList {
			path = append(path[:len(path):len(path)], e.Name)
		}
		if children := e.NumChildren.V; children > 0 {
			for range children {
				// The one child of a list's repeated group is its element.
				if err := walk(path, def, rep, depth+1, repeated && children == 1); err != nil {
					return err
				}
			}
			return nil
		}
		l := nestedLeaf{maxDef: def, maxRep: rep}
		l.col.begin(e)
		if repeated {
			l.col.unfit = "" // a list of values without a group around each
			plain := *e
			plain.RepetitionType.V = format.Required
			l.col.begin(&plain)
		}
		l.col.optional = false // levels are read here
		l.isText = l.col.physical == format.ByteArray && l.col.raw == nil
		if !l.isText && (l.col.physical == format.ByteArray || l.col.physical == format.FixedLenByteArray || l.col.physical == format.Int96) {
			l.col.unfit = "neither number nor text"
		}
		l.Leaf.Path, l.Leaf.Lists, l.Leaf.maxDef = strings.Join(path, "."), rep, uint8(def)
		list = append(list, l)
		return nil
	}
	for at < len(f.meta.Schema) {
		if err := walk(nil, 0, 0, 0, false); err != nil {
			return nil, err
		}
	}
	if len(list) != f.leaves {
		return nil, damaged("schema: %d leaves: want %d", len(list), f.leaves)
	}
	return list, nil
}

// nestedChunk reads the pages of one column of a row group.
func (f *parquetFile) nestedChunk(meta *format.ColumnMetaData, l *nestedLeaf, a *Allowance) error {
	c := chunk{file: f, col: &l.col, codec: meta.Codec, off: meta.DataPageOffset}
	if d := meta.DictionaryPageOffset; d > 0 && d < c.off {
		c.off = d
	}
	c.end = c.off + meta.TotalCompressedSize
	switch {
	case meta.Type != l.col.physical:
		return damaged("type %v: the schema has %v", meta.Type, l.col.physical)
	case meta.NumValues < 0 || meta.NumValues > 1<<31:
		return damaged("%d values", meta.NumValues)
	case c.off < 4 || meta.TotalCompressedSize < 0 || c.end > f.footer || c.end < c.off:
		return damaged("bytes %d to %d: want them between 4 and %d", c.off, c.end, f.footer)
	}
	var dict *nestedLeaf
	defer func() {
		if dict != nil {
			dict.Drop(a)
		}
	}()
	for left := meta.NumValues; left > 0; {
		p, err := c.read()
		if err != nil {
			return err
		}
		page := int64(p.head.UncompressedPageSize) + int64(p.head.CompressedPageSize)
		if err := a.Take(page); err != nil {
			return err
		}
		switch p.head.Type {
		case format.DictionaryPage:
			h := &p.head.DictionaryPageHeader
			if p.n = int(h.V.NumValues); !h.Valid || dict != nil || p.n < 0 || p.n > maxPageValues {
				return damaged("dictionary page")
			}
			dict = &nestedLeaf{col: l.col}
			dict.isText = l.isText
			data, err := unpack(p.codec, p.raw, int(p.head.UncompressedPageSize))
			if err == nil {
				a.Unpacked(int64(len(p.raw)), int64(len(data)))
				err = dict.plainValues(data, p.n, a)
			}
			if err != nil {
				return err
			}
		case format.DataPage, format.DataPageV2:
			n, err := l.page(p, dict, a)
			if err != nil {
				return err
			}
			if left -= int64(n); left < 0 {
				return damaged("%d values too many", -left)
			}
		}
		a.Give(page)
	}
	return nil
}
