package features

import (
	"encoding/json"
	"io"
	"slices"
	"strings"
	"testing"
)

// A record that lacks a column that is needed is bad; null is a value.
func TestNeed(t *testing.T) {
	var b Block
	b.Reset(Layout{"a", "b", "c"}, "topic")
	b.Need([]bool{true, false, true})
	for _, record := range []string{`{"a":null,"c":""}`, `{"c":1,"a":0,"b":2}`, `{}`, `{"a":1,"C":2}`, `a,b,c`} {
		b.Append([]byte(record), ',')
	}
	want := []string{
		"", "", "topic: column a: not in the object: want it, null where there is no value",
		"topic: column c: not in the object: want it, null where there is no value", "",
	}
	for i, w := range want {
		got := ""
		if err := b.Err(i); err != nil {
			got = err.Error()
		}
		if got != w {
			t.Errorf("record %d: %q, want %q", i, got, w)
		}
	}
	b.Reset(b.Layout(), "topic")
	if b.Append([]byte(`{}`), ','); b.Err(0) != nil {
		t.Error("still needed after Reset")
	}
}

func TestAppendJSON(t *testing.T) {
	layout := Layout{"id", "click", "sité", ""}
	var b Block
	b.Reset(layout, "topic")
	n := 0
	f := func(record string, want ...string) {
		t.Helper()
		b.Append([]byte(record), ',')
		n++
		if err := b.Err(n - 1); err != nil {
			t.Fatalf("%s: %v", record, err)
		}
		if got := fieldsOf(&b, n-1); !slices.Equal(got, append(want, "")) || string(b.Raw(n-1)) != record {
			t.Fatalf("%s: %q, want %q", record, got, want)
		}
	}
	f(`{}`, "", "", "")
	f(" \r\n\t{ \"id\" : \"7\" , \"click\":1,\"sité\":\"x\" } \n", "7", "1", "x")
	f(`{"sité":true,"click":false,"id":null}`, "", "false", "true")
	f(`{"id":-1.50e+3,"click":0,"other":"\u0000","":"unnamed"}`, "-1.50e+3", "0", "")
	f(`{"\u0069d":"\"\\\/\b\f\n\r\t","click":"","sit\u00E9":"😀\uD83D\ude00"}`, "\"\\/\b\f\n\r\t", "", "😀😀")
	f(`{"id":"\udcff\udc80","click":"\ud800","sité":"\udbff\u0041\udead"}`, "\xff\x80", "\ufffd", "\ufffdA\ufffd")
	f("{\"id\":\"\xff\xfe\"}", "\xff\xfe", "", "")
	f(`{"id":"a long value, longer than eight bytes \"quoted\" twice"}`, `a long value, longer than eight bytes "quoted" twice`, "", "")
	if got := fieldsOf(&b, 4); got[0] != "\"\\/\b\f\n\r\t" {
		t.Fatalf("row 4 is now %q", got)
	}

	bad := func(record, want string) {
		t.Helper()
		b.AppendJSON([]byte(record))
		n++
		if err := b.Err(n - 1); err == nil || err.Error() != want {
			t.Fatalf("%s: %v\nwant %s", record, err, want)
		}
		if got := fieldsOf(&b, n-1); !slices.Equal(got, []string{"", "", "", ""}) || string(b.Raw(n-1)) != record {
			t.Fatalf("%s: %q", record, got)
		}
	}
	bad(``, "topic: JSON byte 1: want an object")
	bad(`[1]`, "topic: JSON byte 1: want an object")
	bad(`{`, "topic: JSON byte 2: want a key in quotes")
	bad(`{"id":1,}`, "topic: JSON byte 9: want a key in quotes")
	bad(`{"id" 1}`, "topic: JSON byte 7: want a colon")
	bad(`{"id":}`, "topic: JSON byte 7: want a value")
	bad(`{"id":nul}`, "topic: JSON byte 7: want a value")
	bad(`{"id":1`, "topic: JSON byte 8: want a comma or the end of the object")
	bad(`{"id":01}`, "topic: JSON byte 8: want a comma or the end of the object")
	bad(`{"id":1.}`, "topic: JSON byte 9: want a digit")
	bad(`{"id":-}`, "topic: JSON byte 8: want a digit")
	bad(`{"id":1e}`, "topic: JSON byte 9: want a digit")
	bad(`{"id":"abc`, "topic: JSON byte 11: string without a closing quote")
	bad(`{"id":"abc\`, "topic: JSON byte 12: string without a closing quote")
	bad("{\"id\":\"a\nb\"}", "topic: JSON byte 9: control character in a string: want it escaped")
	bad(`{"id":"\x41"}`, "topic: JSON byte 9: unknown escape in a string")
	bad(`{"id":"\u00g1"}`, "topic: JSON byte 10: want four hexadecimal digits")
	bad(`{"id":"\u123"}`, "topic: JSON byte 10: want four hexadecimal digits")
	bad(`{"id":"a\u0000"}`, "topic: JSON byte 9: NUL in a value: want text")
	bad(`{"id":1} x`, "topic: JSON byte 10: text after the object")
	bad(`{"id":1}{"id":2}`, "topic: JSON byte 9: text after the object")
	bad(`{"id":1,"click":2,"id":3}`, "topic: column id: twice in the object: want it once")
	bad(`{"id":null,"id":null}`, "topic: column id: twice in the object: want it once")
	bad(`{"click":{"a":1}}`, "topic: column click: nested value: want a string, a number, true, false or null")
	bad(`{"other":[1]}`, "topic: JSON byte 10: nested value: want a string, a number, true, false or null")
}

// TestJSONRoundTrip: every field's bytes come back from Row.AppendJSON, which
// encoding/json reads as well.
func TestJSONRoundTrip(t *testing.T) {
	layout := Layout{"a", "b\"\\\n", "é"}
	f := func(values ...string) {
		t.Helper()
		var b, back Block
		b.Reset(layout, "x")
		quote := strings.NewReplacer(`"`, `""`)
		b.AppendCSV([]byte(`"`+quote.Replace(values[0])+`","`+quote.Replace(values[1])+`","`+quote.Replace(values[2])+`"`), ',')
		row := b.Row(0)
		text := row.AppendJSON(nil, layout)
		var parsed map[string]string
		if err := json.Unmarshal(text, &parsed); err != nil || len(parsed) != 3 {
			t.Fatalf("%s: %v", text, err)
		}
		for _, c := range text {
			if c < ' ' {
				t.Fatalf("%q holds a control character", text)
			}
		}
		back.Reset(layout, "x")
		back.AppendJSON(text)
		if back.Bad() || !slices.Equal(fieldsOf(&back, 0), values) {
			t.Fatalf("%s: %q, want %q (%v)", text, fieldsOf(&back, 0), values, back.Err(0))
		}
	}
	f("", "plain", "a\"b\\c/d")
	f("\x01\x1f\x7f\r\n\t", "é€😀\u2028\ufffd", "\xff\xfe\x80")
	f("\xc3", "\xa9", "\xc3\xa9")
	f("\xed\xb2\x80", "\xf0\x9f\x98", "a\xe2\x82") // a surrogate in UTF-8, cut characters
	f(`\udc80`, `\u0041`, "\\")
	var all []byte
	for c := 1; c < 256; c++ {
		all = append(all, byte(c))
	}
	f(string(all), string(all[127:]), "x")
}

// flat reads an object as encoding/json does: the text of each value, and
// whether it is flat, without a key twice and without NUL.
func flat(text []byte, layout Layout) (values []string, ok bool) {
	dec := json.NewDecoder(strings.NewReader(string(text)))
	dec.UseNumber()
	values = make([]string, len(layout))
	if tok, err := dec.Token(); err != nil || tok != json.Delim('{') {
		return nil, false
	}
	seen := map[string]bool{}
	for dec.More() {
		key, err := dec.Token()
		if err != nil {
			return nil, false
		}
		value, err := dec.Token()
		if err != nil {
			return nil, false
		}
		s := ""
		switch v := value.(type) {
		case json.Delim:
			return nil, false
		case string:
			s = v
		case json.Number:
			s = v.String()
		case bool:
			s = map[bool]string{false: "false", true: "true"}[v]
		}
		if i := layout.Index(key.(string)); i >= 0 {
			if seen[key.(string)] || strings.Contains(s, "\x00") {
				return nil, false
			}
			seen[key.(string)] = true
			values[i] = s
		}
	}
	if _, err := dec.Token(); err != nil {
		return nil, false
	}
	_, err := dec.Token()
	return values, err == io.EOF && json.Valid(text)
}

func FuzzJSON(f *testing.F) {
	for _, s := range []string{
		`{"a":"x","b":1.5e-7,"é":null,"c":true}`, `{"\u0061":"\ud83d\ude00\n","b":"\"\\"}`, `{"a":1,"a":2}`, "{\"a\":\"\xff\xfe\"}",
		`{"b":[1]}`, `{"a":"\udc80\udcff"}`, ` { } `, `{"a":"1234567\"","b":"12345678","c":"123456789"}`, `{"a":-0,"b":01}`,
	} {
		f.Add([]byte(s))
	}
	layout := Layout{"a", "b", "c", "é"}
	f.Fuzz(func(t *testing.T, text []byte) {
		var b, back Block
		b.Reset(layout, "x")
		b.AppendJSON([]byte(`{"a":"before \n"}`))
		b.AppendJSON(text)
		if got := fieldsOf(&b, 0); got[0] != "before \n" {
			t.Fatalf("row 0 is now %q", got)
		}
		want, ok := flat(text, layout)
		lower := strings.ToLower(string(text))
		surrogates := strings.Contains(lower, `\udc`) || strings.Contains(lower, `\u005c`)
		// A byte that is not UTF-8 makes a key another one there.
		if valid := string([]rune(string(text))) == string(text); !valid {
			surrogates = true
		}
		if !surrogates && ok == b.Bad() {
			t.Fatalf("%q: error %v, encoding/json %q, %v", text, b.Err(1), want, ok)
		}
		if b.Bad() {
			return
		}
		for i, got := range fieldsOf(&b, 1) {
			if !surrogates && got != want[i] {
				t.Fatalf("%q: %q, want %q", text, got, want[i])
			}
		}
		row := b.Row(1)
		back.Reset(layout, "x")
		back.AppendJSON(row.AppendJSON(nil, layout))
		if back.Bad() || !slices.Equal(fieldsOf(&back, 0), fieldsOf(&b, 1)) {
			t.Fatalf("%q comes back as %q, %v", fieldsOf(&b, 1), fieldsOf(&back, 0), back.Err(0))
		}
	})
}
