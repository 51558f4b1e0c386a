package features

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
)

func TestZeroBytes(t *testing.T) {
	// Every pair of neighbouring bytes, as a carry between bytes would spoil it.
	for lo := range uint64(256) {
		for hi := range uint64(256) {
			x := lo | hi<<8 | 0x0100ff01807f<<16
			got, slow := zeroBytes(x), uint64(0)
			for i := range 8 {
				if byte(x>>(8*i)) == 0 {
					slow |= 0x80 << (8 * i)
				}
			}
			if got != slow {
				t.Fatalf("%x %x: %x, want %x", lo, hi, got, slow)
			}
		}
	}
}

func fieldsOf(b *Block, i int) []string {
	row := b.Row(i)
	var out []string
	for k := range row.Len() {
		out = append(out, string(row.Field(k)))
	}
	return out
}

func TestAppendCSV(t *testing.T) {
	var b Block
	b.Reset(columns(3), "topic")
	n := 0
	f := func(record string, comma byte, want []string, err string) {
		t.Helper()
		b.AppendCSV([]byte(record), comma)
		if n++; b.Len() != n {
			t.Fatalf("%d rows after %d records", b.Len(), n)
		}
		got := ""
		if b.Err(n-1) != nil {
			got = b.Err(n - 1).Error()
			want = []string{"", "", ""}
		}
		if got != err || !slices.Equal(fieldsOf(&b, n-1), want) {
			t.Fatalf("%q, %q; want %q, %q", fieldsOf(&b, n-1), got, want, err)
		}
		if raw := string(b.Raw(n - 1)); raw != strings.TrimRight(record, "\r\n") && err == "" {
			t.Fatalf("raw %q", raw)
		}
	}
	f("1,2,3", ',', []string{"1", "2", "3"}, "")
	f("1\t2\t3,", '\t', []string{"1", "2", "3,"}, "")
	f("1,\"a,\"\"\nb\",3\r\n", ',', []string{"1", "a,\"\nb", "3"}, "")
	f("1,2", ',', nil, "topic: 2 fields: want 3")
	f(strings.Repeat("1234567,", 40), ',', nil, "topic: 41 fields: want 3")
	f("", ',', nil, "topic: empty record")
	f("1,2,3\n4,5,6", ',', nil, "topic: line end inside a record")
	f("1,2,\"3\"\n4,5,6", ',', nil, "topic: line end inside a record")
	f("1,\"2,3", ',', nil, "topic: column c1: quoted field without a closing quote")
	f("1,2,\x00", ',', nil, `topic: column c2: "\x00": NUL byte: want text`)
	f(",,", ',', []string{"", "", ""}, "")
	f("\"\",\"x\"\"\",", ',', []string{"", "x\"", ""}, "")
	// What came before is untouched by what was added after.
	if got := fieldsOf(&b, 2); !slices.Equal(got, []string{"1", "a,\"\nb", "3"}) {
		t.Fatalf("row 2 is now %q", got)
	}
	b.Split()
	if b.Reset(columns(3), "other"); b.Len() != 0 || b.Bad() || b.First != 0 {
		t.Fatal("Reset left rows")
	}
	n = 0
	f("x,y,z", ',', []string{"x", "y", "z"}, "")
}

func TestAppendAllocs(t *testing.T) {
	layout := Avazu().Layouts[0]
	text := handMade(100, "\n")
	var records [][]byte
	var b Block
	b.Reset(layout, "t")
	for line := range bytes.Lines(text) {
		b.AppendCSV(line, ',')
		records = append(records, bytes.Clone(line))
		row := b.Row(b.Len() - 1)
		records = append(records, row.AppendJSON(nil, layout))
		records = append(records, bytes.Replace(records[len(records)-1], []byte("id"), []byte(`\u0069d`), 1))
	}
	pass := func() {
		b.Reset(layout, "t")
		for _, r := range records {
			b.Append(r, ',')
		}
		if b.Bad() {
			t.Fatal(b.errs[0].err)
		}
	}
	pass()
	if n := testing.AllocsPerRun(20, pass); n != 0 {
		t.Fatalf("%v allocations for %d records, want 0", n, len(records))
	}
}

// BenchmarkSplit is the work on a row that is done in parallel; BenchmarkNext
// what is done before it, by one goroutine; BenchmarkCSV the standard library
// on the same bytes.
func BenchmarkSplit(b *testing.B) {
	run := func(name string, lineEnd string, spoil func([]byte) []byte) {
		b.Run(name, func(b *testing.B) {
			text := spoil(handMade(1500, lineEnd))
			r, err := NewReader(bytes.NewReader(text), "x", ReaderOptions{Schema: Avazu()})
			if err != nil {
				b.Fatal(err)
			}
			var block Block
			if err := r.Next(&block); err != nil || block.Len() != 1500 {
				b.Fatal(err, block.Len())
			}
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				block.pending = true
				block.Split()
			}
			perRow(b, 1500)
			row := block.Row(1499)
			if block.Bad() || string(row.Field(0)) != "10000000000011870581" || string(row.Field(22)) != "-1" {
				b.Fatal(block.errs, string(row.Field(0)))
			}
		})
	}
	same := func(text []byte) []byte { return text }
	run("LF", "\n", same)
	run("CRLF", "\r\n", same)
	run("one-quoted", "\n", func(text []byte) []byte { return bytes.Replace(text, []byte("f3845767"), []byte(`"f3845767"`), 1) })
	run("all-quoted", "\n", func(text []byte) []byte { return bytes.ReplaceAll(text, []byte("f3845767"), []byte(`"f3845767"`)) })
}

func perRow(b *testing.B, rows int) {
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(rows), "ns/row")
}

func BenchmarkNext(b *testing.B) {
	text := handMade(100_000, "\n")
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	in := bytes.NewReader(text)
	r, err := NewReader(in, "x", ReaderOptions{Schema: Avazu()})
	if err != nil {
		b.Fatal(err)
	}
	var block Block
	for b.Loop() {
		in.Reset(text)
		r.tail, r.err, r.rows = r.tail[:0], nil, 0
		for r.Next(&block) == nil {
		}
		if r.rows != 100_000 {
			b.Fatal(r.rows)
		}
	}
	perRow(b, 100_000)
}

func BenchmarkEncodingCSV(b *testing.B) {
	text := handMade(1500, "\n")
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		r := csv.NewReader(bytes.NewReader(text))
		r.ReuseRecord = true
		rows := 0
		for {
			if _, err := r.Read(); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				b.Fatal(err)
			}
			rows++
		}
		if rows != 1500 {
			b.Fatal(rows)
		}
	}
	perRow(b, 1500)
}

func BenchmarkAppend(b *testing.B) {
	layout := Avazu().Layouts[0]
	run := func(name string, convert func(r *Row, line []byte) []byte) {
		b.Run(name, func(b *testing.B) {
			var records [][]byte
			var block Block
			size := 0
			for line := range bytes.Lines(handMade(500, "\n")) {
				block.Reset(layout, "t")
				block.AppendCSV(line, ',')
				row := block.Row(0)
				records = append(records, convert(&row, line))
				size += len(records[len(records)-1])
			}
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				block.Reset(layout, "t")
				for _, r := range records {
					block.Append(r, ',')
				}
			}
			perRow(b, len(records))
			if block.Bad() || block.Len() != len(records) {
				b.Fatal(fmt.Sprint(block.errs))
			}
		})
	}
	run("CSV", func(_ *Row, line []byte) []byte { return line })
	run("JSON", func(r *Row, _ []byte) []byte { return r.AppendJSON(nil, layout) })
}

func TestRowAppendCSV(t *testing.T) {
	f := func(want string, fields ...string) {
		t.Helper()
		var row Row
		for _, v := range fields {
			start := len(row.data)
			row.data = append(row.data, v...)
			row.bounds = append(row.bounds, bound(uint32(start), uint32(len(row.data))))
		}
		if got := string(row.AppendCSV(nil)); got != want {
			t.Errorf("%q, want %q", got, want)
		}
		var again Block // what is written is read as it was
		again.Reset(columns(len(fields)), "t")
		again.AppendCSV([]byte(want), ',')
		row = again.Row(0)
		for i, v := range fields {
			if got := string(row.Field(i)); got != v || again.Err(0) != nil {
				t.Errorf("%q is read as %q, want %q: %v", want, got, v, again.Err(0))
			}
		}
	}
	f("a,b", "a", "b")
	f(",", "", "")
	f(`""`, "")
	f(`"a,b","c""d"`, "a,b", `c"d`)
}
