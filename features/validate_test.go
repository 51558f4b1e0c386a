package features

import (
	"math"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// sound gives a Spec with a field of every type, that Validate passes.
func sound(t *testing.T) *Spec {
	t.Helper()
	dict, err := NewDictionary([]byte("xy"), []uint64{0, 1, 2})
	if err != nil {
		t.Fatal(err)
	}
	limit := 7.0
	s := &Spec{
		Schema: Schema{Name: "test", Comma: ',', Columns: slices.Clone(testSchema.Columns)},
		Bits:   4,
		Fields: []Field{
			{Name: "a", From: []string{"a"}, Type: Dict, Dict: dict},
			{Name: "hour_time", From: []string{"t"}, Part: HourTime, Type: Hash},
			{Name: "n", From: []string{"n"}, Type: Num, Bounds: []float64{1, 2}, Scale: 1, Cap: &limit},
			{Name: "c*day", From: []string{"c", "day"}, Type: Hash},
		},
	}
	if err := s.Validate(); err != nil {
		t.Fatal(err)
	}
	return s
}

// A Spec that Validate passes can be bound to any layout and encode any row:
// what can't is said to be wrong when the model file is read.
func TestValidate(t *testing.T) {
	f := func(want string, change func(s *Spec)) {
		t.Helper()
		s := sound(t)
		change(s)
		if err := s.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
	f("no fields", func(s *Spec) { s.Fields = nil })
	f("bits 31: want 0 … 30", func(s *Spec) { s.Bits = 31 })
	f("bits -1", func(s *Spec) { s.Bits = -1 })
	f("field hour_time: hashed without bits; field c*day: hashed without bits", func(s *Spec) { s.Bits = 0 })
	f(`field 1: name "a": want one of its own`, func(s *Spec) { s.Fields[1].Name = "a" })
	f("field a: no column to read from", func(s *Spec) { s.Fields[0].From = nil })
	f("field a: no column to read from", func(s *Spec) { s.Fields[0].From = []string{""} })
	f("field a: no dictionary", func(s *Spec) { s.Fields[0].Dict = nil })
	f(`field hour_time: part "hour_time": want a part of the time column`, func(s *Spec) { s.Fields[1].From = []string{"a"} })
	f(`field hour_time: part "minute"`, func(s *Spec) { s.Fields[1].Part = "minute" })
	f("field n: cap: want a finite number", func(s *Spec) { *s.Fields[2].Cap = math.Inf(1) })
	f("field n: bounds: want fewer than 255, finite and ascending", func(s *Spec) { s.Fields[2].Bounds = []float64{1, 1} })
	f("field n: bounds", func(s *Spec) { s.Fields[2].Bounds = []float64{math.NaN()} })
	f("field n: bounds", func(s *Spec) { s.Fields[2].Bounds = make([]float64, MaxBins) })
	f("field n: mean and scale", func(s *Spec) { s.Fields[2].Scale = 0 })
	f("field n: number of several columns", func(s *Spec) { s.Fields[2].From, s.Fields[2].Cap = []string{"n", "a"}, nil })
	f(`field a: type "float": want dict, hash or num`, func(s *Spec) { s.Fields[0].Type = "float" })
	f("day: want a part of the time column", func(s *Spec) { s.Schema.Columns = s.Schema.Columns[2:] })
	f("field a: of a redacted column: want it hashed, without a cap", func(s *Spec) { s.Redacted = []string{"a"} })
	f("field n: of a redacted column", func(s *Spec) { s.Redacted = []string{"y", "n"} })
	f("field a: of a redacted column", func(s *Spec) {
		limit := 3.
		s.Redacted, s.Fields[0].Type, s.Fields[0].Cap = []string{"a"}, Hash, &limit
	})
	past := func(change func(f *Field)) func(s *Spec) {
		return func(s *Spec) {
			s.HistoryBits = 10
			s.Fields = append(s.Fields, Field{Name: "count(a+day)", From: []string{"a", "day"}, Type: Num, Past: Count, Scale: 1})
			change(&s.Fields[4])
		}
	}
	f(`field count(a+day): history "next": want one of [count count_hour since]`, past(func(f *Field) { f.Past = "next" }))
	f("field count(a+day): history: want a number in bins", past(func(f *Field) { f.Type = Hash }))
	f("field count(a+day): history: want a number in bins", past(func(f *Field) { f.Values = true }))
	f("field count(a+day): cap: want a finite number", past(func(f *Field) { limit := math.Inf(1); f.Cap = &limit }))
	f("history: want a time column", func(s *Spec) { past(func(*Field) {})(s); s.Schema.Columns = s.Schema.Columns[2:] })
	f("history bits 2: want 3 … 28", func(s *Spec) { past(func(*Field) {})(s); s.HistoryBits = 2 })
	f("history bits 29: want 3 … 28", func(s *Spec) { past(func(*Field) {})(s); s.HistoryBits = 29 })
	f(`schema: separator '"'`, func(s *Spec) { s.Schema.Comma = '"' })
	f(`schema: separator '\n'`, func(s *Spec) { s.Schema.Comma = '\n' })
}

// A part of the time in a cross is one whatever else a file has: a column of
// that name that the schema does not know is read past, as everywhere.
func TestCrossReadsTheTimeNotAnUnknownColumn(t *testing.T) {
	s := sound(t)
	code := func(layout Layout, row string) uint32 {
		t.Helper()
		enc, err := s.Encoder(layout)
		if err != nil {
			t.Fatal(err)
		}
		var b Block
		b.Reset(layout, "test")
		b.AppendCSV([]byte(row), ',')
		r, ex := b.Row(0), enc.NewExample()
		if err := enc.Encode(&r, ex); err != nil {
			t.Fatal(err)
		}
		return ex.Codes[3]
	}
	plain := code(Layout{"t", "a", "n", "c"}, "14102100,x,1,7")
	if other := code(Layout{"t", "a", "n", "c", "day"}, "14102100,x,1,7,Tuesday"); other != plain {
		t.Errorf("code %d with an unknown column day, want %d", other, plain)
	}
	if _, err := s.Encoder(Layout{"", "a", "n", "c"}); err == nil || !strings.Contains(err.Error(), "columns [t]") {
		t.Errorf("error %v, want that column t is missing", err)
	}
}

// Whatever passes Validate can be bound and encode rows, or says why not.
func TestValidSpecNeverPanics(t *testing.T) {
	empty, err := NewDictionary(nil, []uint64{0})
	if err != nil {
		t.Fatal(err)
	}
	names := rapid.SampledFrom([]string{"", "a", "b", "t", "n", "hour_time", "day", "y"})
	rapid.Check(t, func(rt *rapid.T) {
		s := &Spec{Bits: rapid.SampledFrom([]int{3, 3, 3, 1, 0, -1}).Draw(rt, "bits")}
		for range rapid.IntRange(0, 4).Draw(rt, "columns") {
			s.Schema.Columns = append(s.Schema.Columns, Column{names.Draw(rt, "column"), Kind(rapid.IntRange(0, 6).Draw(rt, "kind"))})
		}
		for i := range rapid.IntRange(1, 3).Draw(rt, "fields") {
			f := Field{
				Name: string(rune('f' + i)), From: rapid.SliceOfN(names.Filter(func(s string) bool { return s != "" }), 1, 3).Draw(rt, "from"),
				Type:   rapid.SampledFrom([]FieldType{Dict, Hash, Num}).Draw(rt, "type"),
				Part:   rapid.SampledFrom([]Part{Whole, Whole, Whole, Day}).Draw(rt, "part"),
				Bounds: rapid.SliceOfN(rapid.Float64Range(-3, 3), 0, 1).Draw(rt, "bounds"), Scale: 1, Values: rapid.Bool().Draw(rt, "values"),
				Dict: empty,
			}
			if rapid.Bool().Draw(rt, "history") {
				f.Past, f.Type, f.Part, f.Values = rapid.SampledFrom(pasts[:]).Draw(rt, "past"), Num, Whole, false
				s.HistoryBits = 5
			} else if rapid.IntRange(0, 3).Draw(rt, "cap") == 0 {
				f.Cap = rapid.Ptr(rapid.Float64Range(-3, 3), false).Draw(rt, "limit")
			}
			s.Fields = append(s.Fields, f)
		}
		layout := Layout(rapid.Permutation([]string{"", "a", "b", "t", "n", "day", "y"}).Draw(rt, "layout"))[:rapid.IntRange(5, 7).Draw(rt, "width")]
		if s.Validate() != nil {
			return
		}
		enc, err := s.Encoder(layout)
		if err != nil {
			return
		}
		offsets, total := s.Offsets()
		var b Block
		b.Reset(layout, "test")
		for _, v := range []string{"14102100", "", "2014-10-23", "-1e300", "x"} {
			b.AppendCSV([]byte(strings.TrimSuffix(strings.Repeat(v+",", len(layout)), ",")), ',')
		}
		countAll(enc, s.NewState(), []*Block{&b})
		ex := enc.NewExample()
		for i := range b.Len() {
			row := b.Row(i)
			_, _ = enc.Label(&row)
			_, _, _ = enc.Weight(&row)
			_, _, _ = enc.Hour(&row)
			_ = enc.ID(&row)
			if enc.Encode(&row, ex) != nil {
				continue
			}
			for f, code := range ex.Codes {
				if int(code) >= s.Size(f) || offsets[f]+s.Size(f) > total {
					rt.Fatalf("field %d: code %d of %d, offset %d of %d", f, code, s.Size(f), offsets[f], total)
				}
			}
		}
		if n := enc.Needs(); len(n) != len(layout) {
			rt.Fatalf("%d needs, want %d", len(n), len(layout))
		}
	})
}
