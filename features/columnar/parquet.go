package columnar

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/cespare/xxhash/v2"
	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"

	"ctr/features"
)

// parquetFile reads the row groups of a Parquet file one after another. Pages
// are found by one goroutine and decoded by whichever first makes fields of
// their values.
//
// Of parquet-go the definitions of the format and the decoders of its
// encodings are used. Its own reader of files is not: it takes memory for what
// a header declares.
type parquetFile struct {
	at     io.ReaderAt
	size   int64 // of the file
	footer int64 // where the footer begins
	spool  *os.File
	meta   format.FileMetaData
	leaves int
	cols   []parquetColumn // of the schema's top level

	wanted []int // of cols
	group  int   // the next row group
	left   int   // rows of the current one
	chunks []chunk
	total  int64 // rows given out

	hash   *xxhash.Digest
	hashed int64
}

// openParquet reads the footer. A file that can't be read at any place, from
// a pipe or packed, is copied to a temporary one first.
func openParquet(in *features.Input) (source, error) {
	f := &parquetFile{hash: xxhash.New()}
	if f.at, f.size = in.ReaderAt(); f.at == nil {
		if err := f.unspool(in); err != nil {
			return nil, err
		}
	}
	if err := f.begin(); err != nil {
		f.close() //nolint:errcheck // only read
		return nil, err
	}
	return f, nil
}

func (f *parquetFile) begin() error {
	if err := guarded(f.readFooter); err != nil {
		return err
	}
	return guarded(f.readSchema)
}

func (f *parquetFile) unspool(in io.Reader) error {
	tmp, err := os.CreateTemp("", "ctr-*.parquet")
	if err != nil {
		return err
	}
	f.spool, f.at = tmp, tmp
	if f.size, err = io.Copy(tmp, in); err != nil {
		f.close() //nolint:errcheck // on the way out with another error
	}
	return err
}

func (f *parquetFile) close() error {
	if f.spool == nil {
		return nil
	}
	err := errors.Join(f.spool.Close(), os.Remove(f.spool.Name()))
	f.spool = nil
	return err
}

// readFull reads len(p) bytes at off.
func (f *parquetFile) readFull(p []byte, off int64) error {
	n, err := f.at.ReadAt(p, off)
	if n == len(p) {
		return nil
	}
	if errors.Is(err, io.EOF) {
		err = damaged("cut short at byte %d", off+int64(n))
	}
	return err
}

func (f *parquetFile) readFooter() error {
	const frame = 8 // length and magic
	var end [frame]byte
	if f.size < 4+frame {
		return damaged("%d bytes: want a Parquet file's header and footer", f.size)
	}
	if err := f.readFull(end[:], f.size-frame); err != nil {
		return err
	}
	switch magic := string(end[4:]); magic {
	case "PAR1":
	case "PARE":
		return errEncrypted
	default:
		return damaged("it ends in %q: want PAR1 (is it cut short?)", magic)
	}
	length := int64(binary.LittleEndian.Uint32(end[:]))
	if length > f.size-4-frame {
		return damaged("footer of %d bytes in a file of %d", length, f.size)
	}
	f.footer = f.size - frame - length
	footer := make([]byte, length)
	if err := f.readFull(footer, f.footer); err != nil {
		return err
	}
	if _, err := checkThrift(footer); err != nil {
		return damaged("footer: %v", err)
	}
	var p thrift.CompactProtocol
	if err := thrift.NewDecoder(p.NewReaderFromBytes(footer)).Decode(&f.meta); err != nil {
		return damaged("footer: %v", err)
	}
	if f.meta.EncryptionAlgorithm.Value != nil {
		return errEncrypted
	}
	return nil
}

var errEncrypted = errors.New("encrypted Parquet: want it plain")

// readSchema finds the columns of the top level and checks each row group
// against them.
func (f *parquetFile) readSchema() error {
	all := f.meta.Schema
	if len(all) == 0 || !all[0].NumChildren.Valid {
		return damaged("no schema")
	}
	at := 1
	for range all[0].NumChildren.V {
		if at >= len(all) {
			return damaged("schema: %d columns are missing", all[0].NumChildren.V)
		}
		c := parquetColumn{name: all[at].Name, leaf: f.leaves}
		c.begin(&all[at])
		for open := 1; open > 0; at++ { // this column and all below it
			if at >= len(all) {
				return damaged("schema: the columns below %s are missing", c.name)
			}
			open--
			if n := all[at].NumChildren; n.Valid && n.V > 0 {
				open += int(n.V)
			} else {
				f.leaves++
			}
		}
		f.cols = append(f.cols, c)
	}
	if at != len(all) {
		return damaged("schema: %d columns too many", len(all)-at)
	}
	for i := range f.meta.RowGroups {
		g := &f.meta.RowGroups[i]
		if len(g.Columns) != f.leaves {
			return damaged("row group %d: %d columns: want %d", i+1, len(g.Columns), f.leaves)
		}
		if g.NumRows < 0 || g.NumRows > 1<<40 {
			return damaged("row group %d: %d rows", i+1, g.NumRows)
		}
	}
	return nil
}

func (f *parquetFile) names() []string {
	var out []string
	for i := range f.cols {
		out = append(out, f.cols[i].name)
	}
	return out
}

func (f *parquetFile) need(columns []bool) error {
	f.wanted = f.wanted[:0]
	for i := range f.cols {
		switch unfit := f.cols[i].unfit; {
		case columns != nil && columns[i] && unfit != "":
			return &unfitError{i, unfit}
		case unfit == "" && (columns == nil || columns[i]):
			f.wanted = append(f.wanted, i)
		}
	}
	if len(f.wanted) > 0 {
		return nil
	}
	for i := range f.cols { // to count the rows
		if f.cols[i].unfit == "" {
			f.wanted = append(f.wanted, i)
			return nil
		}
	}
	return errors.New("no column of text, numbers, booleans or times")
}

func (f *parquetFile) sum() (uint64, int64) { return f.hash.Sum64(), f.hashed }

func (f *parquetFile) pos() int64 { return f.hashed }

// hashTo hashes the file up to the byte before to. It follows the row groups
// as they are read, while the system still has them in memory.
func (f *parquetFile) hashTo(to int64) error {
	if to <= f.hashed {
		return nil
	}
	n, err := io.Copy(f.hash, io.NewSectionReader(f.at, f.hashed, to-f.hashed))
	if f.hashed += n; err == nil && f.hashed < to {
		err = damaged("cut short at byte %d", f.hashed)
	}
	return err
}

// next gives rows of one row group.
func (f *parquetFile) next(n int) (features.Columns, int, error) {
	for f.left == 0 {
		if f.group == len(f.meta.RowGroups) {
			if f.total != f.meta.NumRows {
				return nil, 0, damaged("%d rows: the footer has %d", f.total, f.meta.NumRows)
			}
			if err := f.hashTo(f.size); err != nil {
				return nil, 0, err
			}
			return nil, 0, io.EOF
		}
		if err := f.open(); err != nil {
			return nil, 0, fmt.Errorf("row group %d: %w", f.group, err)
		}
	}
	n = min(n, f.left)
	batch := make(segments, 0, len(f.wanted)+2)
	for i := range f.chunks {
		c := &f.chunks[i]
		var err error
		if batch, err = c.take(batch, n); err != nil {
			return nil, 0, fmt.Errorf("column %s: %w", c.col.name, err)
		}
	}
	f.left -= n
	f.total += int64(n)
	return batch, n, nil
}

// open begins the next row group.
func (f *parquetFile) open() error {
	g := &f.meta.RowGroups[f.group]
	f.group++
	f.chunks = f.chunks[:0]
	if g.NumRows == 0 {
		return nil // as an empty table has: writers give its columns any place
	}
	var end int64
	for _, i := range f.wanted {
		col := &f.cols[i]
		meta := &g.Columns[col.leaf].MetaData
		c := chunk{file: f, col: col, at: i, codec: meta.Codec, off: meta.DataPageOffset, left: int(g.NumRows)}
		if d := meta.DictionaryPageOffset; d > 0 && d < c.off {
			c.off = d
		}
		c.end = c.off + meta.TotalCompressedSize
		switch {
		case meta.Type != col.physical:
			return damaged("column %s: type %v: the schema has %v", col.name, meta.Type, col.physical)
		case meta.NumValues != g.NumRows:
			return damaged("column %s: %d values for %d rows", col.name, meta.NumValues, g.NumRows)
		case c.off < 4 || meta.TotalCompressedSize < 0 || c.end > f.footer:
			return damaged("column %s: bytes %d to %d: want them between 4 and %d", col.name, c.off, c.end, f.footer)
		case g.Columns[col.leaf].FilePath != "":
			return fmt.Errorf("column %s: in another file, %s: want all in one", col.name, g.Columns[col.leaf].FilePath)
		}
		f.chunks = append(f.chunks, c)
		end = max(end, c.off)
	}
	f.left = int(g.NumRows)
	return f.hashTo(end) // of the groups before
}

// segments are parts of pages that together are the rows of a Block.
type segments []segment

// segment is the values from…from+n of a page, for column col of rows row….
type segment struct {
	page              *page
	col, row, from, n int
}

// Fill decodes the pages that no other Block has decoded yet, and makes
// fields. The rows of a damaged page are bad.
func (s segments) Fill(c *features.Cells) {
	for i := range s {
		g := &s[i]
		err := guarded(func() error {
			v, err := g.page.vector()
			if err == nil {
				v.fill(c, g.col, g.row, g.from, g.n)
			}
			return err
		})
		if err != nil {
			for row := g.row; row < g.row+g.n; row++ {
				c.Fail(row, g.col, err.Error())
			}
		}
	}
}
