package features

import (
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
)

// row gives a row of n fields.
func fieldsRow(n int, comma string) string { return strings.Repeat("x"+comma, n-1) + "x\n" }

func TestHeader(t *testing.T) {
	avazu := strings.Join(Avazu().Layouts[0], ",") + "\n"
	f := func(text string, o ReaderOptions, schema string, layout Layout, rows int, line int64) {
		t.Helper()
		for _, chunk := range []int{0, 1, 7} {
			o.Chunk = chunk
			r, err := NewReader(strings.NewReader(text), "x.csv", o)
			if err != nil {
				t.Fatal(err)
			}
			name := ""
			if r.Schema() != nil {
				name = r.Schema().Name
			}
			if name != schema || !slices.Equal(r.Layout(), layout) {
				t.Fatalf("schema %q, layout %q", name, r.Layout())
			}
			got, errs := rowsOf(t, r, new(Block))
			if len(got) != rows || len(errs) > 0 || rows > 0 && got[0].line != line {
				t.Fatalf("%d rows, want %d from line %d: %v, %q", len(got), rows, line, got, errs)
			}
		}
	}
	for i, n := range []int{24, 25, 23} {
		f(fieldsRow(n, ","), ReaderOptions{}, "avazu", Avazu().Layouts[i], 1, 1)
	}
	f(fieldsRow(40, "\t"), ReaderOptions{}, "criteo", Criteo().Layouts[0], 1, 1)
	f(fieldsRow(39, "\t"), ReaderOptions{}, "criteo", Criteo().Layouts[1], 1, 1)
	f(avazu+fieldsRow(24, ","), ReaderOptions{}, "avazu", Avazu().Layouts[0], 1, 2)
	f("\xef\xbb\xbf\r\n\n"+avazu+"\n"+fieldsRow(24, ","), ReaderOptions{}, "avazu", Avazu().Layouts[0], 1, 5)
	f(avazu, ReaderOptions{}, "avazu", Avazu().Layouts[0], 0, 0) // header only
	f(strings.TrimSpace(avazu), ReaderOptions{}, "avazu", Avazu().Layouts[0], 0, 0)
	f("hour,click, id \r\nx,1,2\r\n", ReaderOptions{}, "avazu", Layout{"hour", "click", "id"}, 1, 2)
	f("\"click\",\"odd \"\"name\"\"\n\",hour\n1,2,3\n", ReaderOptions{}, "avazu", Layout{"click", "odd \"name\"", "hour"}, 1, 3)
	f(strings.ReplaceAll(avazu, ",", "\t")+fieldsRow(24, "\t"), ReaderOptions{}, "avazu", Avazu().Layouts[0], 1, 2)
	f(",click,,C1\n0,1,2,3\n", ReaderOptions{}, "avazu", Layout{"", "click", "", "C1"}, 1, 2)

	mine := &Schema{Name: "mine", Comma: ',', Columns: []Column{{"y", Label}, {"a", Category}, {"b", Category}}, Layouts: []Layout{{"y", "a", "b"}}}
	f("y,a,b\n1,2,3\n", ReaderOptions{Schema: mine}, "mine", Layout{"y", "a", "b"}, 1, 2)
	f("b,u,v,w,y\n1,2,3,4,5\n", ReaderOptions{Schema: mine}, "mine", Layout{"b", "u", "v", "w", "y"}, 1, 2) // label and one more
	f("1,2,y\n1,2,3\n", ReaderOptions{Schema: mine}, "mine", Layout{"y", "a", "b"}, 2, 1)                   // a value that is a name
	f("y,a,b\n1,2,3\n", ReaderOptions{Schema: mine, Header: HeaderNo}, "mine", Layout{"y", "a", "b"}, 2, 1)
	f("p,q,r\n1,2,3\n", ReaderOptions{Schema: mine, Header: HeaderYes}, "mine", Layout{"p", "q", "r"}, 1, 2)
	f("1;2\n", ReaderOptions{Columns: Layout{"a", "y"}, Comma: ';', Schema: mine}, "mine", Layout{"a", "y"}, 1, 1)
	f("1,2\n", ReaderOptions{Columns: Layout{"u", "v"}}, "", Layout{"u", "v"}, 1, 1)
	f("u,v\n1,2\n", ReaderOptions{Columns: Layout{"u", "v"}}, "", Layout{"u", "v"}, 1, 2)
	f("p,q\n1,2\n", ReaderOptions{Columns: Layout{"u", "v"}, Header: HeaderYes}, "", Layout{"u", "v"}, 1, 2)
	f("1,2\n", ReaderOptions{Columns: Layout{"click", "hour"}}, "avazu", Layout{"click", "hour"}, 1, 1)
	f("u,v\n1,2\n", ReaderOptions{Header: HeaderYes}, "", Layout{"u", "v"}, 1, 2)
}

func TestHeaderErrors(t *testing.T) {
	f := func(text string, o ReaderOptions, want, hint string) {
		t.Helper()
		for _, chunk := range []int{0, 1} {
			o.Chunk = chunk
			_, err := NewReader(strings.NewReader(text), "x.csv", o)
			if err == nil || err.Error() != want {
				t.Fatalf("%v\nwant %s", err, want)
			}
			var h interface{ Hint() string }
			if got := errors.As(err, &h); got != (hint != "") || got && h.Hint() != hint {
				t.Fatalf("hint %v, want %q", h, hint)
			}
		}
	}
	const columnsHint = "name the columns in their order with --columns a,b,c"
	const schemaHint = "--schema FILE says what the columns of another table are; see ctr help schema"
	f("", ReaderOptions{}, "x.csv: empty file: want rows", "")
	f("\xef\xbb\xbf\n\r\n\n\r", ReaderOptions{}, "x.csv: empty file: want rows", "")
	f("\xff\xfea\x00", ReaderOptions{}, "x.csv: UTF-16 text: want UTF-8", "iconv -f UTF-16 -t UTF-8 converts it")
	f("1,2,3\n", ReaderOptions{}, "x.csv: 3 columns without a known header: want a header or 24 (avazu), 25 (avazu), 23 (avazu), 40 (criteo), 39 (criteo) columns", schemaHint)
	f("1\n", ReaderOptions{Schema: Avazu()}, "x.csv: 1 column without a known header: want a header or 24 (avazu), 25 (avazu), 23 (avazu) columns", columnsHint)
	f("1,2\n", ReaderOptions{Schema: &Schema{Name: "s"}}, "x.csv: 2 columns without a known header: want one that names columns of schema s", columnsHint)
	f("\nclick,hour,click\n", ReaderOptions{}, "x.csv:2: column click: named twice in the header", "")
	f("click,hour\n1,2\n", ReaderOptions{Columns: Layout{"click", "hour", "id"}}, "x.csv: header of 2 columns: want the 3 of the columns given", "")
	f("click,ho\"ur\n", ReaderOptions{}, "x.csv:1: quote inside an unquoted field: want the field in quotes and each quote inside doubled", "")
	f("click,ho\x00ur\n", ReaderOptions{}, "x.csv:1: NUL byte: want text", "")
	f(strings.Repeat("x", 50), ReaderOptions{MaxRow: 49}, "x.csv:1: row too long: want 49 bytes at most", "")
	f("\n"+strings.Repeat("x", 500), ReaderOptions{MaxRow: 49}, "x.csv:2: row too long: want 49 bytes at most", "")
	// Where the first row decides nothing, it may be bad.
	r, err := NewReader(strings.NewReader("a\"b\nc,d"), "x.csv", ReaderOptions{Columns: columns(2), Header: HeaderNo})
	if err != nil {
		t.Fatal(err)
	}
	if rows, errs := rowsOf(t, r, new(Block)); len(rows) != 2 || len(errs) != 1 {
		t.Fatalf("%v, %q", rows, errs)
	}
	if err := r.Next(new(Block)); !errors.Is(err, io.EOF) {
		t.Fatal(err)
	}
}

func TestPresets(t *testing.T) {
	for _, s := range Presets() {
		got, err := Preset(s.Name)
		if err != nil || got.Name != s.Name {
			t.Fatalf("%v, %v", got, err)
		}
		for _, l := range s.Layouts {
			if name, twice := l.duplicate(); twice {
				t.Fatalf("%s: %s twice", s.Name, name)
			}
			if d := Detect(l); d == nil || d.Name != s.Name {
				t.Fatalf("a header of %s is detected as %v", s.Name, d)
			}
			if d := Detect(make(Layout, len(l))); d == nil || d.Name != s.Name {
				t.Fatalf("%d columns are detected as %v", len(l), d)
			}
			for _, name := range l {
				if name != "" && !slices.ContainsFunc(s.Columns, func(c Column) bool { return c.Name == name }) {
					t.Fatalf("%s: %s is in a layout only", s.Name, name)
				}
			}
		}
	}
	a, c := Avazu(), Criteo()
	if a.Find(ID) != "id" || a.Find(Label) != "click" || a.Find(Time) != "hour" || a.Kind("C14") != Category || len(a.Columns) != 24 {
		t.Fatalf("%v", a)
	}
	if c.Find(ID) != "" || c.Find(Label) != "label" || c.Find(Time) != "" || c.Kind("I13") != Number || c.Kind("C26") != Category || len(c.Columns) != 40 {
		t.Fatalf("%v", c)
	}
	if a.Layouts[1][1] != "id" || a.Layouts[2].Index("click") >= 0 || a.Layouts[2][1] != "hour" || len(a.Layouts[0]) != 24 {
		t.Fatalf("%v", a.Layouts)
	}
	if _, err := Preset("x"); err == nil || err.Error() != `schema "x": want one of avazu, criteo` {
		t.Fatal(err)
	}
	if d := Detect(Layout{"a", "b"}); d != nil {
		t.Fatalf("2 columns are detected as %s", d.Name)
	}
}
