package features

import (
	"bytes"
	"io"
	"reflect"
	"strings"
	"testing"
)

func TestReadSchema(t *testing.T) {
	f := func(text string, want *Schema) {
		t.Helper()
		got, err := ReadSchema(strings.NewReader(text), "dir/shop.v2.yaml")
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Fatalf("%+v, %v\nwant %+v", got, err, want)
		}
	}
	f("columns:\n- label: y\n- category: [a, 17, 'true', no]\n- {name: p, kind: number}\n- {kind: ignore, name: q}\n", &Schema{
		Name: "shop", Comma: ',',
		Columns: []Column{{"y", Label}, {"a", Category}, {"17", Category}, {"true", Category}, {"no", Category}, {"p", Number}, {"q", Ignore}},
		Layouts: []Layout{{"y", "a", "17", "true", "no", "p", "q"}},
	})
	f("name: s\ndelimiter: tab\ncolumns: [{time: t}, {id: i}, {weight: w}]\nlayouts:\n- [\"\", t, w]\n- [i]\n", &Schema{
		Name: "s", Comma: '\t', Columns: []Column{{"t", Time}, {"i", ID}, {"w", Weight}}, Layouts: []Layout{{"", "t", "w"}, {"i"}},
	})
	for _, s := range Presets() {
		var b bytes.Buffer
		if err := WriteSchema(&b, s); err != nil {
			t.Fatal(err)
		}
		f(b.String(), s)
	}
}

func TestReadSchemaErrors(t *testing.T) {
	f := func(text string, want ...string) {
		t.Helper()
		s, err := ReadSchema(strings.NewReader(text), "s.yaml")
		if all := "s.yaml:" + strings.Join(want, "\ns.yaml:"); err == nil || err.Error() != all {
			t.Fatalf("%v, %v\nwant %s", s, err, all)
		}
	}
	const forms = "want `- KIND: NAME`, `- KIND: [NAME, …]` or `- {name: NAME, kind: KIND}`"
	f("", " empty file: want a schema")
	f("# nothing\n", " empty file: want a schema")
	f("a: [\n", "1: did not find expected node content")
	f("- a\n", "1: no schema: want name, delimiter, columns and layouts")
	f("name: x\n", "1: no columns: want one at least")
	f("columns: []\n", "1: no columns: want one at least")
	f("columns: a\n", "1: columns: want a list")
	f("columns: [{label: y}]\n---\ncolumns: []\n", "2: second document: want one")
	f("colums:\n- label: y\ndelimiter: ;\nname: \"a\\tb\"\ncolumns:\n- label: y\n- label: z\n- category: [a, y]\n- hash: b\n- c\n- {name: d}\n- {name: e, kind: time, x: 1}\n- time: ~\n- time: [t, {a: b}]\n",
		`1: key "colums": want name, delimiter, columns or layouts`, `4: name: want a name of printable characters`, `3: delimiter ";": want "," or "tab"`,
		"7: column z: a second label after y: want one at most", "8: column y: named before, in line 6",
		`9: kind "hash": want one of ignore, category, number, time, label, id, weight`, "10: column: "+forms, "11: column d: no kind: "+forms,
		"12: column: "+forms, "13: time: want a name of printable characters", "14: time: want a name of printable characters")
	f("columns: [{id: a}, {id: b}]\n", "1: column b: a second id after a: want one at most")
	f("columns: [{id: a}]\ncolumns: [{id: a}]\n", "2: key columns: twice")
	f("columns: [{id: a}, {label: b}]\nlayouts:\n- [a, b]\n- [b, a]\n- [a, c]\n- []\n- [a, a, b]\n- a\n", "4: layout of 2 columns: as many as the one in line 3: want each count once",
		`5: layout: column "c": want one of the columns, or ""`, "6: layout: want a list of column names", "7: layout: column a: named twice", "8: layout: want a list of column names")
	f("columns: &x [{id: a}]\nlayouts: *x\n", "2: layouts: want a list of lists of column names")
	f(strings.Repeat("#", 1<<20)+"\n", " more than 1048576 bytes: want a schema")
}

func FuzzSchema(f *testing.F) {
	f.Add([]byte("name: s\ndelimiter: tab\ncolumns: [{time: t}, {id: i}, {category: [a, b]}]\nlayouts:\n- [\"\", t]\n"))
	f.Add([]byte("columns: &x\n- {name: \"\\u00e9\", kind: label}\n- *x\n"))
	f.Add([]byte("<<: {columns: []}\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		s, err := ReadSchema(bytes.NewReader(text), "f.yaml")
		if err != nil {
			return
		}
		var b bytes.Buffer
		if err := WriteSchema(&b, s); err != nil {
			t.Fatal(err)
		}
		again, err := ReadSchema(io.Reader(&b), "f.yaml")
		if err != nil || !reflect.DeepEqual(s, again) {
			t.Fatalf("%+v became %+v, %v", s, again, err)
		}
	})
}
