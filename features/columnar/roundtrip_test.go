package columnar

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/ipc"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/compress"
	"github.com/parquet-go/parquet-go/encoding"
	"pgregory.net/rapid"

	"ctr/features"
)

// drawn is a column of a random table: what its values are, and their text.
type drawn struct {
	kind string // "text", "int", "float" or "bool"
	text []string
	null []bool
}

func drawColumns(t *rapid.T) (columns []drawn, rows int) {
	rows = rapid.IntRange(0, 800).Draw(t, "rows")
	rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
	for range rapid.IntRange(1, 5).Draw(t, "columns") {
		c := drawn{kind: rapid.SampledFrom([]string{"text", "int", "float", "bool"}).Draw(t, "kind")}
		distinct := rapid.SampledFrom([]int{1, 2, 300, 1 << 40}).Draw(t, "distinct")
		nulls := rapid.SampledFrom([]float64{0, 0, 0.1, 0.9, 1}).Draw(t, "nulls")
		for range rows {
			v := rng.IntN(distinct)
			null := rng.Float64() < nulls
			text := ""
			switch {
			case null:
			case c.kind == "text":
				text = fmt.Sprintf("%0*x", 1+v%23, v)
			case c.kind == "int":
				text = strconv.Itoa(v - distinct/2)
			case c.kind == "float":
				text = strconv.FormatFloat(float64(v)/7, 'g', -1, 64)
			default:
				text = strconv.Itoa(v % 2)
			}
			c.text, c.null = append(c.text, text), append(c.null, null)
		}
		columns = append(columns, c)
	}
	return columns, rows
}

// sameDrawn compares what data is read as with columns.
func sameDrawn(t *rapid.T, data []byte, columns []drawn, rows int) {
	r, err := fromStdin(data, features.ReaderOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	got, err := readAll(r, rapid.IntRange(1, 1000).Draw(t, "block"))
	if err != nil || len(got) != rows {
		t.Fatalf("%d rows, want %d: %v", len(got), rows, err)
	}
	for i, row := range got {
		for k := range columns {
			if row[k] != columns[k].text[i] {
				t.Fatalf("row %d: column %d (%s): %q, want %q", i+1, k, columns[k].kind, row[k], columns[k].text[i])
			}
		}
	}
}

// TestParquetRoundTrip reads what parquet-go's writer makes of random tables.
func TestParquetRoundTrip(t *testing.T) {
	codecs := []compress.Codec{&parquet.Uncompressed, &parquet.Snappy, &parquet.Gzip, &parquet.Zstd, &parquet.Lz4Raw}
	rapid.Check(t, func(t *rapid.T) {
		columns, rows := drawColumns(t)
		group := parquet.Group{}
		for i, c := range columns {
			var n parquet.Node
			switch c.kind {
			case "text":
				n = parquet.Encoded(parquet.String(), rapid.SampledFrom([]encoding.Encoding{
					&parquet.Plain, &parquet.RLEDictionary, &parquet.DeltaLengthByteArray, &parquet.DeltaByteArray,
				}).Draw(t, "encoding"))
			case "int":
				n = parquet.Encoded(parquet.Int(64), rapid.SampledFrom([]encoding.Encoding{
					&parquet.Plain, &parquet.RLEDictionary, &parquet.DeltaBinaryPacked,
				}).Draw(t, "encoding"))
			case "float":
				n = parquet.Encoded(parquet.Leaf(parquet.DoubleType), rapid.SampledFrom([]encoding.Encoding{
					&parquet.Plain, &parquet.RLEDictionary, &parquet.ByteStreamSplit,
				}).Draw(t, "encoding"))
			default:
				n = parquet.Leaf(parquet.BooleanType)
			}
			if slices.Contains(c.null, true) {
				n = parquet.Optional(n)
			}
			group[fmt.Sprintf("c%d", i)] = n
		}
		var b bytes.Buffer
		w := parquet.NewWriter(&b, parquet.NewSchema("t", group),
			parquet.Compression(rapid.SampledFrom(codecs).Draw(t, "codec")),
			parquet.DataPageVersion(rapid.IntRange(1, 2).Draw(t, "version")),
			parquet.PageBufferSize(rapid.SampledFrom([]int{64, 1000, 1 << 20}).Draw(t, "page")),
			parquet.MaxRowsPerRowGroup(rapid.SampledFrom([]int64{7, 1000, 1 << 20}).Draw(t, "group")))
		for i := range rows {
			var row parquet.Row
			for k, c := range columns {
				row = append(row, parquetValue(c, i, k))
			}
			if _, err := w.WriteRows([]parquet.Row{row}); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		sameDrawn(t, b.Bytes(), columns, rows)
	})
}

func parquetValue(c drawn, i, k int) parquet.Value {
	level := 0
	if slices.Contains(c.null, true) {
		level = 1
	}
	if c.null[i] {
		return parquet.NullValue().Level(0, 0, k)
	}
	var v parquet.Value
	switch c.kind {
	case "text":
		v = parquet.ByteArrayValue([]byte(c.text[i]))
	case "int":
		x, _ := strconv.ParseInt(c.text[i], 10, 64)
		v = parquet.Int64Value(x)
	case "float":
		x, _ := strconv.ParseFloat(c.text[i], 64)
		v = parquet.DoubleValue(x)
	default:
		v = parquet.BooleanValue(c.text[i] == "1")
	}
	return v.Level(0, level, k)
}

// TestArrowRoundTrip reads what arrow-go's writers make of random tables, as a
// stream and as a file.
func TestArrowRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		columns, rows := drawColumns(t)
		var fields []arrow.Field
		for i, c := range columns {
			var dt arrow.DataType
			switch c.kind {
			case "text":
				dt = rapid.SampledFrom([]arrow.DataType{
					arrow.BinaryTypes.String, arrow.BinaryTypes.LargeString, arrow.BinaryTypes.StringView,
					&arrow.DictionaryType{IndexType: arrow.PrimitiveTypes.Uint16, ValueType: arrow.BinaryTypes.String},
				}).Draw(t, "type")
			case "int":
				dt = arrow.PrimitiveTypes.Int64
			case "float":
				dt = arrow.PrimitiveTypes.Float64
			default:
				dt = arrow.FixedWidthTypes.Boolean
			}
			fields = append(fields, arrow.Field{Name: fmt.Sprintf("c%d", i), Type: dt, Nullable: true})
		}
		schema := arrow.NewSchema(fields, nil)
		builder := array.NewRecordBuilder(memory.DefaultAllocator, schema)
		for k, c := range columns {
			for i := range rows {
				var err error
				if c.null[i] {
					builder.Field(k).AppendNull()
				} else if text := c.text[i]; c.kind == "bool" {
					builder.Field(k).(*array.BooleanBuilder).Append(text == "1")
				} else {
					err = builder.Field(k).AppendValueFromString(text)
				}
				if err != nil {
					t.Fatal(err)
				}
			}
		}
		rec := builder.NewRecordBatch()
		options := []ipc.Option{ipc.WithSchema(schema)}
		switch rapid.IntRange(0, 2).Draw(t, "packed") {
		case 1:
			options = append(options, ipc.WithLZ4())
		case 2:
			options = append(options, ipc.WithZstd())
		}
		var stream, file bytes.Buffer
		s := ipc.NewWriter(&stream, options...)
		f, err := ipc.NewFileWriter(&file, options...)
		if err != nil {
			t.Fatal(err)
		}
		for at, size := 0, rapid.IntRange(1, 1000).Draw(t, "batch"); at < rows; at += size {
			part := rec.NewSlice(int64(at), int64(min(at+size, rows)))
			if err := s.Write(part); err != nil {
				t.Fatal(err)
			}
			if err := f.Write(part); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
		sameDrawn(t, stream.Bytes(), columns, rows)
		sameDrawn(t, file.Bytes(), columns, rows)
	})
}
