package interchange

import (
	"regexp"
	"strings"
	"testing"

	"ctr/features"
)

// TestInteger compares the form with what CastInt takes.
func TestInteger(t *testing.T) {
	form := regexp.MustCompile("^(?:" + Integer() + ")$")
	f := func(digits string) {
		t.Helper()
		for _, sign := range []string{"", "-", "+"} {
			for _, zeros := range []string{"", "0", strings.Repeat("0", 40)} {
				text := sign + zeros + digits
				_, ok := features.CastInt.Apply(nil, []byte(text))
				if got := form.MatchString(text); got != ok {
					t.Errorf("%q: matches %v, CastInt %v", text, got, ok)
				}
			}
		}
	}
	for _, digits := range []string{"", "0", "7", "x", "1.0", "1 ", "123456789012345678", "999999999999999999", "1000000000000000000", "9999999999999999999", "10000000000000000000"} {
		f(digits)
	}
	const most = "9223372036854775807"
	for i := range most {
		for _, c := range "0123456789" {
			f(most[:i] + string(c) + most[i+1:])
			f(most[:i] + string(c) + strings.Repeat("9", len(most)-1-i))
		}
	}
}

// TestRecast looks texts up by a Recast, as a format does, and by CastDouble.
func TestRecast(t *testing.T) {
	text, offsets := "", []uint64{0}
	for _, v := range []string{"15.0", "0.0", "1.0E7", "007", "-2.5", "", "?", "null", "NaN"} {
		text += v
		offsets = append(offsets, uint64(len(text)))
	}
	d, err := features.NewDictionary([]byte(text), offsets)
	if err != nil {
		t.Fatal(err)
	}
	const decimal = `[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?`
	form, zero := regexp.MustCompile("^(?:"+decimal+")$"), regexp.MustCompile("^(?:"+NegativeZero+")$")
	field := &features.Field{Name: "x", From: []string{"x"}, Type: features.Dict, Cast: features.CastDouble, Dict: d}
	r := NewRecast(field, decimal)
	if len(r.Odd) != 1 || string(r.Odd[0]) != "007" || r.Unseen != "??" || len(r.Numbers) != 4 {
		t.Errorf("%q odd, %q unseen, numbers %v: want 007, ?? and four", r.Odd, r.Unseen, r.Numbers)
	}
	spec := &features.Spec{Schema: features.Schema{Name: "x", Comma: ',', Columns: []features.Column{{Name: "x", Kind: features.Category}}}, Fields: []features.Field{*field}}
	enc, err := spec.Encoder([]string{"x"})
	if err != nil {
		t.Fatal(err)
	}
	ex := enc.NewExample()
	for _, v := range []string{"15", "15.0", "+15.00", "0", "-0", "-0.0", "-.0e3", "00", "1e7", "10000000", "007", "7", "0007", "-2.50", "", "?", "??", "null", "NaN", "x", "-"} {
		want := v
		switch {
		case !form.MatchString(v) || v == "007":
		case zero.MatchString(v):
			want = "-0.0"
		default:
			want = r.Unseen
			x, _ := features.ParseNumber([]byte(v))
			for i, n := range r.Numbers {
				if n == x {
					want = string(r.Texts[i])
				}
			}
		}
		var b features.Block
		b.Reset([]string{"x"}, "rows")
		b.AppendCSV([]byte(v), ',')
		row := b.Row(0)
		if err := enc.Encode(&row, ex); err != nil {
			t.Fatal(err)
		}
		if got := d.Code([]byte(want)); got != ex.Codes[0] {
			t.Errorf("%q: code %d by %q, %d by the encoder", v, got, want, ex.Codes[0])
		}
	}
}
