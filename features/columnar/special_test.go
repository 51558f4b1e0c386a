package columnar

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/ipc"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"ctr/features"
)

// stream writes batches of text, a column a name, as an Arrow stream.
func stream(t *testing.T, coded bool, names []string, batches ...[][]string) []byte {
	t.Helper()
	var dt arrow.DataType = arrow.BinaryTypes.String
	if coded {
		dt = &arrow.DictionaryType{IndexType: arrow.PrimitiveTypes.Int8, ValueType: dt}
	}
	var fields []arrow.Field
	for _, n := range names {
		fields = append(fields, arrow.Field{Name: n, Type: dt})
	}
	schema := arrow.NewSchema(fields, nil)
	var out bytes.Buffer
	w := ipc.NewWriter(&out, ipc.WithSchema(schema), ipc.WithDictionaryDeltas(len(batches) > 2))
	b := array.NewRecordBuilder(memory.DefaultAllocator, schema)
	for _, rows := range batches {
		for _, row := range rows {
			for k, v := range row {
				if err := b.Field(k).AppendValueFromString(v); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := w.Write(b.NewRecordBatch()); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// Values that text could not have, or that are too long, make bad rows, which
// say where they stand.
func TestBadValues(t *testing.T) {
	long := strings.Repeat("x", maxValue+1)
	f := func(value, want string) {
		t.Helper()
		for _, coded := range []bool{false, true} {
			data := stream(t, coded, []string{"id", "click"}, [][]string{{"a", "1"}, {value, "0"}, {"c", "1"}}, [][]string{{"d", "0"}})
			r, err := fromStdin(data, features.ReaderOptions{First: 100})
			if err != nil {
				t.Fatal(err)
			}
			var b features.Block
			var got []string
			for r.Next(&b) == nil {
				b.Split()
				for i := range b.Len() {
					row := b.Row(i)
					if err := b.Err(i); err != nil {
						got = append(got, err.Error())
					} else {
						got = append(got, fmt.Sprintf("%d %s", b.First+int64(i), row.AppendCSV(nil)))
					}
				}
			}
			if want := "[100 a,1 stdin: row 2: column id: " + want + " 102 c,1 103 d,0]"; fmt.Sprint(got) != want {
				t.Errorf("coded %v: %v\nwant %s", coded, got, want)
			}
		}
	}
	f("b\x00b", `"b\x00b": NUL byte: want text`)
	f(long, "value too long: want 1048576 bytes at most")
}

// Dictionaries that change from batch to batch, or grow, are followed.
func TestDictionariesChange(t *testing.T) {
	f := func(batches ...[][]string) {
		t.Helper()
		data := stream(t, true, []string{"a"}, batches...)
		r, err := fromStdin(data, features.ReaderOptions{})
		if err != nil {
			t.Fatal(err)
		}
		got, err := readAll(r, 0)
		var want [][]string
		for _, rows := range batches {
			want = append(want, rows...)
		}
		if err != nil || fmt.Sprint(got) != fmt.Sprint(want) {
			t.Fatalf("%v, want %v: %v", got, want, err)
		}
	}
	f([][]string{{"x"}, {"y"}, {"x"}}, [][]string{{"z"}, {"x"}})
	f([][]string{{"x"}, {"y"}}, [][]string{{"x"}, {"y"}, {"z"}}, [][]string{{"z"}, {"w"}})
}

// Names may be given; the file's then say nothing. An empty table has no rows.
func TestColumnsAndEmpty(t *testing.T) {
	data := stream(t, false, []string{"p", "q"}, [][]string{{"1", "2"}})
	r, err := fromStdin(data, features.ReaderOptions{Columns: features.Layout{"id", "click"}})
	if err != nil || fmt.Sprint(r.Layout()) != "[id click]" || r.Schema() == nil {
		t.Fatal(r, err)
	}
	if r, err = fromStdin(stream(t, false, []string{"click", "hour", "id"}), features.ReaderOptions{}); err != nil {
		t.Fatal(err)
	}
	if r.Schema() == nil || r.Schema().Name != "avazu" {
		t.Fatalf("schema %v, want avazu", r.Schema())
	}
	if rows, err := readAll(r, 0); err != nil || len(rows) != 0 {
		t.Fatal(rows, err)
	}
}
