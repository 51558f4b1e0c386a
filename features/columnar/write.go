package columnar

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"math"

	"github.com/klauspost/compress/snappy"
	"github.com/parquet-go/parquet-go/deprecated"
	"github.com/parquet-go/parquet-go/encoding/rle"
	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"
)

// OutKind is what the values of an Out are.
type OutKind uint8

// The kinds of values. A struct has Children and no values of its own.
const (
	OutStruct OutKind = iota
	OutInt8           // in 32 bits, as Parquet has it
	OutInt32
	OutInt64
	OutDouble
	OutBool
	OutText
)

// Out is a column to be written, of one value a row, or with Ends a list of
// them. No value is null.
type Out struct {
	Name     string
	Kind     OutKind
	Children []Out // of a struct

	Numbers []float64 // all values, row after row; booleans are 1 and 0
	Texts   [][]byte  // of OutText
	// Ends has for each row where its list ends among the values, and nil means
	// one value a row.
	Ends []int
	// Outer, where not nil, has for each row where its list of lists ends among
	// those of Ends.
	Outer []int
}

// WriteNested writes a Parquet file of so many rows in one row group, packed by
// Snappy, with key and value in its footer. It is read by ReadNested, and by
// Spark where the value is the schema as Spark has it.
func WriteNested(w io.Writer, columns []Out, rows int, key, value string) error {
	o := outFile{rows: rows}
	o.body.WriteString("PAR1")
	o.schema = append(o.schema, format.SchemaElement{Name: "spark_schema", NumChildren: thrift.New(int32(len(columns)))})
	for i := range columns {
		if err := o.add(&columns[i], nil); err != nil {
			return fmt.Errorf("column %s: %w", columns[i].Name, err)
		}
	}
	meta := format.FileMetaData{
		Version: 1, Schema: o.schema, NumRows: int64(rows), CreatedBy: "ctr version 1.0.0 (build 0)",
		KeyValueMetadata: []format.KeyValue{{Key: key, Value: value}},
		RowGroups:        []format.RowGroup{{Columns: o.chunks, NumRows: int64(rows), TotalByteSize: o.unpacked}},
	}
	footer, err := encodeThrift(&meta)
	if err != nil {
		return err
	}
	o.body.Write(footer)
	o.body.Write(binary.LittleEndian.AppendUint32(nil, uint32(len(footer))))
	o.body.WriteString("PAR1")
	_, err = w.Write(o.body.Bytes())
	return err
}

func encodeThrift(v any) ([]byte, error) {
	var b bytes.Buffer
	var p thrift.CompactProtocol
	err := thrift.NewEncoder(p.NewWriter(&b)).Encode(v)
	return b.Bytes(), err
}

// outFile is a file in the making.
type outFile struct {
	body     bytes.Buffer
	rows     int
	schema   []format.SchemaElement
	chunks   []format.ColumnChunk
	unpacked int64
}

// add adds a column below path.
func (o *outFile) add(c *Out, path []string) error {
	path = append(path[:len(path):len(path)], c.Name)
	e := format.SchemaElement{Name: c.Name, RepetitionType: thrift.New(format.Required)}
	if c.Kind == OutStruct {
		e.NumChildren = thrift.New(int32(len(c.Children)))
		o.schema = append(o.schema, e)
		for i := range c.Children {
			if err := o.add(&c.Children[i], path); err != nil {
				return err
			}
		}
		return nil
	}
	depth := 0
	if c.Ends != nil {
		depth++
	}
	if c.Outer != nil {
		depth++
	}
	for range depth {
		e.NumChildren, e.ConvertedType = thrift.New(int32(1)), thrift.New(deprecated.List)
		o.schema = append(o.schema, e, format.SchemaElement{Name: "list", RepetitionType: thrift.New(format.Repeated), NumChildren: thrift.New(int32(1))})
		path = append(path, "list", "element")
		e = format.SchemaElement{Name: "element", RepetitionType: thrift.New(format.Required)}
	}
	e.Type = thrift.New(physicalOf(c.Kind))
	switch c.Kind {
	case OutText:
		e.ConvertedType = thrift.New(deprecated.UTF8)
	case OutInt8:
		e.ConvertedType = thrift.New(deprecated.Int8)
	}
	o.schema = append(o.schema, e)
	return o.values(c, depth, path)
}

func physicalOf(k OutKind) format.Type {
	switch k {
	case OutInt64:
		return format.Int64
	case OutDouble:
		return format.Double
	case OutBool:
		return format.Boolean
	case OutText:
		return format.ByteArray
	default:
		return format.Int32
	}
}

// outPage is about how many entries a page has.
const outPage = 1 << 20

// values writes the pages of a leaf.
func (o *outFile) values(c *Out, depth int, path []string) error {
	n := len(c.Numbers)
	if c.Kind == OutText {
		n = len(c.Texts)
	}
	rep, def := c.levels(n)
	entries := n
	if depth > 0 {
		entries = len(def)
	}
	if depth == 0 && n != o.rows || depth == 1 && len(c.Ends) != o.rows || depth == 2 && len(c.Outer) != o.rows {
		return fmt.Errorf("another number of rows than %d", o.rows)
	}
	chunk := format.ColumnChunk{FileOffset: int64(o.body.Len())}
	m := &chunk.MetaData
	m.Type, m.PathInSchema, m.Codec, m.NumValues = physicalOf(c.Kind), path, format.Snappy, int64(entries)
	m.Encoding = []format.Encoding{format.Plain, format.RLE}
	m.DataPageOffset = int64(o.body.Len())
	value := 0
	for from := 0; from < entries || from == 0; from += outPage {
		to := min(from+outPage, entries)
		var data []byte
		next := value + to - from
		if depth > 0 {
			next = value
			for _, d := range def[from:to] {
				if int(d) == depth {
					next++
				}
			}
			for _, levels := range [][]byte{rep[from:to], def[from:to]} {
				packed, err := (&rle.Encoding{BitWidth: depth}).EncodeLevels(nil, levels)
				if err != nil {
					return err
				}
				data = binary.LittleEndian.AppendUint32(data, uint32(len(packed)))
				data = append(data, packed...)
			}
		}
		data = c.appendPlain(data, value, next)
		value = next
		if len(data) > maxPage {
			return fmt.Errorf("a page of %d bytes: want at most %d", len(data), maxPage)
		}
		if err := o.page(data, to-from, m); err != nil {
			return err
		}
	}
	o.chunks = append(o.chunks, chunk)
	return nil
}

// page packs and writes a page.
func (o *outFile) page(data []byte, entries int, m *format.ColumnMetaData) error {
	packed := snappy.Encode(nil, data)
	head, err := encodeThrift(&format.PageHeader{
		Type: format.DataPage, UncompressedPageSize: int32(len(data)), CompressedPageSize: int32(len(packed)),
		DataPageHeader: thrift.New(format.DataPageHeader{
			NumValues: int32(entries), Encoding: format.Plain,
			DefinitionLevelEncoding: format.RLE, RepetitionLevelEncoding: format.RLE,
		}),
	})
	if err != nil {
		return err
	}
	o.body.Write(head)
	o.body.Write(packed)
	m.TotalCompressedSize += int64(len(head) + len(packed))
	m.TotalUncompressedSize += int64(len(head) + len(data))
	o.unpacked += int64(len(head) + len(data))
	return nil
}

// levels gives the levels of all entries: a list that is empty has one too.
func (c *Out) levels(n int) (rep, def []byte) {
	ends, depth := c.Ends, byte(1)
	if c.Outer != nil {
		depth = 2
	}
	// list adds the entries of values from … to-1, the first of which begins
	// what level says.
	list := func(from, to int, level byte) {
		if from == to {
			rep, def = append(rep, level), append(def, depth-1)
		}
		for i := from; i < to; i++ {
			r := depth
			if i == from {
				r = level
			}
			rep, def = append(rep, r), append(def, depth)
		}
	}
	at := 0
	switch {
	case ends == nil:
		return nil, nil
	case c.Outer == nil:
		for _, end := range ends {
			list(at, end, 0)
			at = end
		}
		return rep, def
	}
	k := 0
	for _, outer := range c.Outer {
		if k == outer {
			rep, def = append(rep, 0), append(def, 0)
		}
		for first := true; k < outer; k++ {
			level := byte(1)
			if first {
				level, first = 0, false
			}
			list(at, min(ends[k], n), level)
			at = ends[k]
		}
	}
	return rep, def
}

// appendPlain appends values from … to-1 in Parquet's PLAIN encoding.
func (c *Out) appendPlain(dst []byte, from, to int) []byte {
	if c.Kind == OutBool {
		bits := make([]byte, (to-from+7)/8)
		for i, x := range c.Numbers[from:to] {
			if x != 0 {
				bits[i/8] |= 1 << (i % 8)
			}
		}
		return append(dst, bits...)
	}
	for i := from; i < to; i++ {
		switch c.Kind {
		case OutText:
			dst = binary.LittleEndian.AppendUint32(dst, uint32(len(c.Texts[i])))
			dst = append(dst, c.Texts[i]...)
		case OutDouble:
			dst = binary.LittleEndian.AppendUint64(dst, math.Float64bits(c.Numbers[i]))
		case OutInt64:
			dst = binary.LittleEndian.AppendUint64(dst, uint64(int64(c.Numbers[i])))
		default:
			dst = binary.LittleEndian.AppendUint32(dst, uint32(int32(c.Numbers[i])))
		}
	}
	return dst
}
