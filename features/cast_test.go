package features

import (
	"strings"
	"testing"
)

func TestCast(t *testing.T) {
	f := func(c Cast, in, want string) {
		t.Helper()
		got, ok := c.Apply(nil, []byte(in))
		if !ok {
			got = []byte("unseen")
		}
		if string(got) != want {
			t.Errorf("%s %q: %q: want %q", c, in, got, want)
		}
	}
	f(CastInt, "7", "7")
	f(CastInt, "007", "7")
	f(CastInt, "+7", "7")
	f(CastInt, "-07", "-7")
	f(CastInt, "-0", "0")
	f(CastInt, "000", "0")
	f(CastInt, "7.0", "unseen")
	f(CastInt, " 7", "unseen")
	f(CastInt, "", "unseen")
	f(CastInt, "-", "unseen")
	f(CastInt, "9223372036854775807", "9223372036854775807")
	f(CastInt, "-9223372036854775808", "-9223372036854775808")
	f(CastInt, "9223372036854775808", "unseen")
	// Java's Double.toString, JDK 17.
	f(CastDouble, "15", "15.0")
	f(CastDouble, "15.50", "15.5")
	f(CastDouble, "0", "0.0")
	f(CastDouble, "-0", "-0.0")
	f(CastDouble, "0.001", "0.001")
	f(CastDouble, "0.00099", "9.9E-4")
	f(CastDouble, "9999999", "9999999.0")
	f(CastDouble, "1e7", "1.0E7")
	f(CastDouble, "123456789", "1.23456789E8")
	f(CastDouble, "-1.5e-10", "-1.5E-10")
	f(CastDouble, "x", "unseen")
	f(CastDouble, "", "unseen")
	f(AsRead, "007", "007")
}

// castSpec has a column of each cast.
func castSpec(t *testing.T) *Spec {
	t.Helper()
	dict := func(values ...string) *Dictionary {
		offsets := []uint64{0}
		for _, v := range values {
			offsets = append(offsets, offsets[len(offsets)-1]+uint64(len(v)))
		}
		d, err := NewDictionary([]byte(strings.Join(values, "")), offsets)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	s := &Spec{
		Schema: Schema{Name: "casts", Comma: ',', Columns: []Column{{"i", Category}, {"d", Category}, {"b", Number}, {"s", Category}}},
		Fields: []Field{
			{Name: "i", From: []string{"i"}, Type: Dict, Cast: CastInt, Dict: dict("7", "-3", "0")},
			{Name: "d", From: []string{"d"}, Type: Dict, Cast: CastDouble, Dict: dict("15.0", "1.0E7")},
			{Name: "b", From: []string{"b"}, Type: Dict, Cast: CastBin, Bounds: []float64{10, 20}, Dict: dict("1", "2", "3")},
			{Name: "s", From: []string{"s"}, Type: Dict, Dict: dict("7")},
		},
	}
	if err := s.Validate(); err != nil {
		t.Fatal(err)
	}
	return s
}

// TestCastIsEncoded holds the ways to encode rows together, and with what a
// cast value's code is by hand.
func TestCastIsEncoded(t *testing.T) {
	s := castSpec(t)
	text := "i,d,b,s\n7,15.0,10,7\n007,15,10.5,007\n+7,1e7,,7\n-03,x,99,\n-0,,20,7\n1,14,-5,7\n"
	want := [][]uint32{{1, 1, 1, 1}, {1, 1, 2, 0}, {1, 2, 0, 1}, {2, 0, 3, 0}, {3, 0, 2, 1}, {0, 0, 1, 1}}
	r, err := NewReader(strings.NewReader(text), "casts.csv", ReaderOptions{Schema: &s.Schema})
	if err != nil {
		t.Fatal(err)
	}
	enc, err := s.Encoder(r.Layout())
	if err != nil {
		t.Fatal(err)
	}
	b := new(Block)
	if err := r.Next(b); err != nil {
		t.Fatal(err)
	}
	b.Split()
	rows, many := make([]int32, b.Len()), make([]*Example, b.Len())
	for i := range rows {
		rows[i], many[i] = int32(i), enc.NewExample()
	}
	if n, err := enc.EncodeRows(b, rows, many); n != len(want) || err != nil {
		t.Fatal(n, err)
	}
	flat := make([]uint32, len(want)*len(s.Fields))
	if n, err := enc.EncodeCodes(b, rows, flat, enc.NewExample()); n != len(want) || err != nil {
		t.Fatal(n, err)
	}
	offsets, _ := s.Offsets()
	ex := enc.NewExample()
	for i := range want {
		row := b.Row(i)
		if err := enc.Encode(&row, ex); err != nil {
			t.Fatal(err)
		}
		for f, c := range want[i] {
			if ex.Codes[f] != c || many[i].Codes[f] != c || flat[i*len(s.Fields)+f] != c+uint32(offsets[f]) {
				t.Errorf("row %d, %s: Encode %d, EncodeRows %d, EncodeCodes %d: want %d", i+1, s.Fields[f].Name, ex.Codes[f], many[i].Codes[f], flat[i*len(s.Fields)+f]-uint32(offsets[f]), c)
			}
		}
	}
	if n := testing.AllocsPerRun(100, func() {
		for i := range want {
			row := b.Row(i)
			if err := enc.Encode(&row, ex); err != nil {
				t.Fatal(err)
			}
		}
	}); n != 0 {
		t.Errorf("%v allocs: want 0", n)
	}
}

func TestCastFaults(t *testing.T) {
	f := func(want string, change func(f *Field)) {
		t.Helper()
		s := castSpec(t)
		change(&s.Fields[0])
		if err := s.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: want %q", err, want)
		}
	}
	f(`field i: cast "date": want int, double or bin`, func(f *Field) { f.Cast = "date" })
	f("field i: cast: want a dictionary of one column without a cap", func(f *Field) { f.Type, f.Scale = Num, 1 })
	f("field i: bounds: want fewer than", func(f *Field) { f.Cast, f.Bounds = CastBin, []float64{2, 1} })
}
