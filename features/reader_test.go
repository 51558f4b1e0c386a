package features

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/cespare/xxhash/v2"

	"ctr/features/race"
)

func columns(n int) (l Layout) {
	for i := range n {
		l = append(l, fmt.Sprintf("c%d", i))
	}
	return l
}

// rowsOf reads all rows of r as slowRows gives them, and checks First.
func rowsOf(t testing.TB, r *Reader, b *Block) (rows []slowRow, errs []string) {
	t.Helper()
	for {
		err := r.Next(b)
		if errors.Is(err, io.EOF) {
			if b.Len() != 0 {
				t.Fatalf("%d rows beside io.EOF", b.Len())
			}
			return rows, errs
		}
		if err != nil {
			t.Fatal(err)
		}
		if b.First != int64(len(rows)) {
			t.Fatalf("First %d after %d rows", b.First, len(rows))
		}
		b.Split()
		for i := range b.Len() {
			row := b.Row(i)
			s := slowRow{line: b.Line(i), raw: string(b.Raw(i))}
			if err := b.Err(i); err != nil {
				errs = append(errs, err.Error())
				if row.Len() != len(r.layout) || len(row.Field(0)) > 0 {
					t.Fatalf("bad row with %d fields, the first %q", row.Len(), row.Field(0))
				}
			} else {
				s.fields = make([]string, row.Len())
				for k := range s.fields {
					s.fields[k] = string(row.Field(k))
				}
			}
			rows = append(rows, s)
		}
		if len(b.data) < b.text+blockPadding {
			t.Fatalf("%d bytes of padding", len(b.data)-b.text)
		}
	}
}

func (s slowRow) equal(o slowRow) bool {
	return s.line == o.line && s.raw == o.raw && (s.fields == nil) == (o.fields == nil) && slices.Equal(s.fields, o.fields)
}

func sameRows(t testing.TB, text string, chunk int, got, want []slowRow) {
	t.Helper()
	if !slices.EqualFunc(got, want, slowRow.equal) {
		t.Fatalf("%q in chunks of %d:\n got %+v\nwant %+v", text, chunk, got, want)
	}
}

// TestReaderExhaustive compares the reader with slowRows on every text over a
// tiny alphabet, through chunks and limits that change from text to text.
func TestReaderExhaustive(t *testing.T) {
	const alphabet = "a,\"\r\n"
	longest := 8
	if testing.Short() || race.Enabled {
		longest = 7
	}
	r := Reader{sum: xxhash.New(), comma: ',', name: "x"}
	var b Block
	var text [16]byte
	n := 0
	layouts := []Layout{columns(1), columns(2), columns(3)}
	for length := 0; length <= longest; length++ {
		total := 1
		for range length {
			total *= len(alphabet)
		}
		for code := range total {
			for i, c := 0, code; i < length; i++ {
				text[i] = alphabet[c%len(alphabet)]
				c /= len(alphabet)
			}
			n++
			r.in, r.layout = bytes.NewReader(text[:length]), layouts[n%3]
			r.chunk, r.maxRow = 1+n%10, 3+n%7
			r.line, r.rows, r.err, r.skip = 1, 0, nil, false
			s := string(text[:length])
			got, _ := rowsOf(t, &r, &b)
			sameRows(t, s, r.chunk, got, slowRows(s, len(r.layout), ',', r.maxRow))
		}
	}
}

// awkward has every kind of row; its NUL and long rows are bad.
const awkward = "1,2,3\n\"a\",\"b,\"\"c\"\"\n,\",d\r\n\r\n\nx,y\n1,\"2\n3,4,5\n6,7\"8,9\n\xff\xfe,\x80,é\n" +
	"a\x00b,c,d\n,,\n\"\",\"\",\"\"\n0123456789012345678901234567890123456789,1,2\n\"p\" ,q,r\nlast,\"row\",1"

func TestReaderChunks(t *testing.T) {
	long := strings.Repeat("123,456789,0\r\n", 40) + strings.Repeat(awkward+"\n", 3) + awkward
	for _, text := range []string{awkward, long, awkward + "\r", long + "\n\n"} {
		want := slowRows(text, 3, ',', 38)
		var wantErrs []string
		for chunk := 1; chunk <= 64; chunk++ {
			for _, in := range []io.Reader{strings.NewReader(text), iotest.OneByteReader(strings.NewReader(text)), iotest.DataErrReader(strings.NewReader(text))} {
				r, err := NewReader(in, "x", ReaderOptions{Columns: columns(3), Header: HeaderNo, MaxRow: 38, Chunk: chunk})
				if err != nil {
					t.Fatal(err)
				}
				got, errs := rowsOf(t, r, new(Block))
				sameRows(t, text, chunk, got, want)
				if wantErrs == nil {
					wantErrs = errs
				}
				if !slices.Equal(errs, wantErrs) {
					t.Fatalf("chunk %d: errors %q, want %q", chunk, errs, wantErrs)
				}
				if r.Bytes() != int64(len(text)) || r.Sum64() != xxhash.Sum64String(text) || r.Rows() != int64(len(want)) {
					t.Fatalf("%d bytes, sum %x, %d rows", r.Bytes(), r.Sum64(), r.Rows())
				}
			}
		}
	}
}

func FuzzReader(f *testing.F) {
	f.Add([]byte(awkward), uint8(3), uint8(7), uint8(38))
	f.Add([]byte("\xef\xbb\xbf\"\r\n\"\r"), uint8(1), uint8(1), uint8(2))
	f.Fuzz(func(t *testing.T, text []byte, width, chunk, maxRow uint8) {
		o := ReaderOptions{Columns: columns(1 + int(width%5)), Header: HeaderNo, Comma: ',', MaxRow: 1 + int(maxRow), Chunk: 1 + int(chunk)}
		r, err := NewReader(bytes.NewReader(text), "x", o)
		want := string(bytes.TrimPrefix(text, []byte("\xef\xbb\xbf")))
		if err != nil {
			utf16 := strings.HasPrefix(want, "\xff\xfe") || strings.HasPrefix(want, "\xfe\xff")
			if empty := strings.Trim(want, "\r\n") == ""; !empty && !utf16 {
				t.Fatal(err)
			}
			return
		}
		got, _ := rowsOf(t, r, new(Block))
		sameRows(t, string(text), o.Chunk, got, slowRows(want, len(o.Columns), ',', o.MaxRow))
	})
}

// TestReaderBadRows has each fault's exact message, and what the rows around
// it become.
func TestReaderBadRows(t *testing.T) {
	f := func(text string, good int, want ...string) {
		t.Helper()
		r, err := NewReader(strings.NewReader(text), "f.csv", ReaderOptions{Columns: Layout{"id", "click", "site"}, MaxRow: 100})
		if err != nil {
			t.Fatal(err)
		}
		rows, errs := rowsOf(t, r, new(Block))
		if !slices.Equal(errs, want) || len(rows)-len(errs) != good {
			t.Fatalf("%d good rows, want %d, and\n got %q\nwant %q", len(rows)-len(errs), good, errs, want)
		}
	}
	f("a,b,c\n", 1)
	f("a,b,c\n1,2\n\n1,2,3,4\nx\nd,e,f", 2, "f.csv:2: 2 fields: want 3", "f.csv:4: 4 fields: want 3", "f.csv:5: 1 field: want 3")
	f("\"a\",b\n", 0, "f.csv:1: 2 fields: want 3")
	f("id,click,site\na,b\"c,d\ne,f,g\n", 1,
		"f.csv:2: column click: quote inside an unquoted field: want the field in quotes and each quote inside doubled")
	f("id,click,site\na,\"b\"c,d\ne,f,g\n", 1,
		"f.csv:2: column click: text after a closing quote: want a separator or the end of the row")
	f("id,click,site\na,\"b,c\nd,e,f\ng,h,i\n", 2, "f.csv:2: column click: quoted field without a closing quote")
	f("id,click,site\na,b,\"c\nd,e,f\ng,h,\"i\"\n", 2,
		"f.csv:2: column site: text after a closing quote: want a separator or the end of the row")
	f("id,click,site\na,b,\"c\n"+strings.Repeat("d,e,f\n", 20)+"g,h,\"i\"", 21, "f.csv:2: column site: quoted field without a closing quote")
	f("id,click,site\na,\"b\nc\","+strings.Repeat("d", 95)+"\ng,h,i", 1,
		"f.csv:2: quoted row too long: want 100 bytes at most", "f.csv:3: column id: quote inside an unquoted field: want the field in quotes and each quote inside doubled")
	f("a,b,c\n1,2\x003,4\n", 1, "f.csv:2: column click: \"2\\x003\": NUL byte: want text")
	f("a,b,c\n"+strings.Repeat("x", 101)+"\nd,e,f", 2, "f.csv:2: row too long: want 100 bytes at most")
	f("a,b,c\n"+strings.Repeat("x", 96)+",y,z\r\nd,e,f", 3)
	f("a,\"\xff\",\xfe\n", 1)
}

// endless is a reader without a line end.
type endless struct {
	text [64 << 10]byte // zeros are as good as letters here
	read int
}

func (e *endless) Read(p []byte) (int, error) {
	n := copy(p, e.text[:])
	e.read += n
	return n, nil
}

func TestReaderNoNewline(t *testing.T) {
	in := &endless{}
	r, err := NewReader(in, "big.csv", ReaderOptions{Columns: columns(2), Header: HeaderNo})
	if err != nil {
		t.Fatal(err)
	}
	var b Block
	if err := r.Next(&b); err != nil {
		t.Fatal(err)
	}
	b.Split()
	const want = "big.csv:1: row too long: want 1048576 bytes at most"
	if b.Len() != 1 || b.Err(0) == nil || b.Err(0).Error() != want || len(b.Raw(0)) != 1<<20 {
		t.Fatalf("%d rows, error %v, %d bytes", b.Len(), b.Err(0), len(b.Raw(0)))
	}
	if in.read > 4<<20 || cap(b.data) > 8<<20 {
		t.Fatalf("%d bytes read, %d held", in.read, cap(b.data))
	}
	// The rest of a gigabyte is skipped within a block's memory.
	r.in = io.MultiReader(io.LimitReader(in, 1<<30), strings.NewReader("\na,b\n"))
	if err := r.Next(&b); err != nil {
		t.Fatal(err)
	}
	b.Split()
	if b.Len() != 1 || b.Bad() || b.Line(0) != 2 || b.First != 1 || cap(b.data) > 8<<20 {
		t.Fatalf("%d rows, line %d, %d bytes held", b.Len(), b.Line(0), cap(b.data))
	}
	if _, err = NewReader(in, "big.csv", ReaderOptions{}); err == nil || err.Error() != want {
		t.Fatalf("%v, want %s", err, want)
	}
}

func TestReaderInputError(t *testing.T) {
	broken := errors.New("disk gone")
	in := io.MultiReader(strings.NewReader("a,b\nc,d\ne,"), iotest.ErrReader(broken))
	r, err := NewReader(in, "x", ReaderOptions{Columns: columns(2), Header: HeaderNo})
	if err != nil {
		t.Fatal(err)
	}
	var b Block
	if err := r.Next(&b); err != nil || b.Len() != 2 {
		t.Fatalf("%d rows, %v; want the 2 whole ones", b.Len(), err)
	}
	for range 2 {
		if err := r.Next(&b); !errors.Is(err, broken) {
			t.Fatalf("%v, want %v", err, broken)
		}
	}
	if _, err := NewReader(iotest.ErrReader(broken), "x", ReaderOptions{}); !errors.Is(err, broken) {
		t.Fatalf("%v, want %v", err, broken)
	}
}

// sharedFile gives a file of real rows, or skips the test.
func sharedFile(t testing.TB, name string) []byte {
	t.Helper()
	dir := os.Getenv("CTR_SHARED")
	if dir == "" {
		dir = filepath.Join("..", "..", "shared")
	}
	text, err := os.ReadFile(filepath.Join(dir, "data", name))
	if err != nil {
		t.Skipf("real rows are not here (set CTR_SHARED): %v", err)
	}
	return text
}

func TestReaderRealFiles(t *testing.T) {
	f := func(file, schema string, columns, rows int) {
		t.Helper()
		text := sharedFile(t, file)
		r, err := NewReader(bytes.NewReader(text), file, ReaderOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if r.Schema().Name != schema || len(r.Layout()) != columns {
			t.Fatalf("schema %s, %d columns", r.Schema().Name, len(r.Layout()))
		}
		got, errs := rowsOf(t, r, new(Block))
		if len(got) != rows || len(errs) != 0 {
			t.Fatalf("%d rows, %d bad, want %d good", len(got), len(errs), rows)
		}
		body := text
		if r.Layout()[0] == "id" {
			body = text[bytes.IndexByte(text, '\n')+1:]
		}
		want := slowRows(string(body), columns, r.Comma(), 1<<20)
		for i := range want {
			if want[i].line += int64(bytes.Count(text[:len(text)-len(body)], []byte("\n"))); !got[i].equal(want[i]) {
				t.Fatalf("row %d: %+v, want %+v", i, got[i], want[i])
			}
		}
	}
	f("avazu-34h.csv", "avazu", 24, 23299)
	f("avazu-stream.csv", "avazu", 25, 23299)
	f("criteo-10k.tsv", "criteo", 40, 10000)
}

// handMade is n hand-made rows of Avazu's shape.
func handMade(n int, lineEnd string) []byte {
	var text []byte
	for i := range n {
		text = fmt.Appendf(text, "%d,%d,141021%02d,1005,%d,%08x,f3845767,28905ebd,ecad2386,7801e8d9,07d7df22,a99f214a,%08x,%08x,1,0,%d,320,50,%d,0,39,-1,%d%s",
			10000000000000000000+uint64(i)*7919, i%6/5, i%24, i%2, i%97*0x10203, i*0x9e3779b1&0xffffffff, i%501*0x50301, 15000+i%900, 1700+i%300, i%255, lineEnd)
	}
	return text
}

// TestReaderAllocs: nothing is allocated a row or a block once a Block has its
// size, quoted rows included.
func TestReaderAllocs(t *testing.T) {
	quotes := []byte(strings.Repeat("\"a,\"\"b\"\"\",c,\"d\ne\"\n", 20000))
	f := func(text []byte, layout Layout) {
		t.Helper()
		in := bytes.NewReader(text)
		r, err := NewReader(in, "x", ReaderOptions{Columns: layout, Header: HeaderNo, Chunk: 16 << 10})
		if err != nil {
			t.Fatal(err)
		}
		var b Block
		next := func() {
			if err := r.Next(&b); errors.Is(err, io.EOF) {
				in.Reset(text)
				r.err = nil
			} else if err != nil {
				t.Fatal(err)
			}
			if b.Split(); b.Bad() {
				t.Fatal(b.errs[0].err)
			}
		}
		for range 100 {
			next()
		}
		if n := testing.AllocsPerRun(200, next); n != 0 {
			t.Fatalf("%v allocations a block, want 0", n)
		}
	}
	f(handMade(3000, "\n"), Avazu().Layouts[0])
	f(handMade(3000, "\r\n"), Avazu().Layouts[0])
	f(quotes, columns(3))
}

func TestReaderOptions(t *testing.T) {
	_, err := NewReader(strings.NewReader("a"), "x", ReaderOptions{MaxRow: -1, Header: 7, Comma: '"', First: -1, Columns: Layout{"a", "a"}})
	const want = "MaxRow -1: want 1..268435456 bytes, or 0 for 1048576\nHeader 7: want HeaderAuto, HeaderYes or HeaderNo\n" +
		"Comma '\"': want a byte that is no quote and no line end\nFirst -1: want 0 or more rows\ncolumn a: named twice"
	if err == nil || err.Error() != want {
		t.Fatalf("%v\nwant %s", err, want)
	}
	r, err := NewReader(strings.NewReader("a,b\n"), "x", ReaderOptions{First: 10, Columns: columns(2)})
	if err != nil {
		t.Fatal(err)
	}
	var b Block
	if err := r.Next(&b); err != nil || b.First != 10 || r.Rows() != 11 {
		t.Fatalf("First %d, Rows %d, %v", b.First, r.Rows(), err)
	}
}
