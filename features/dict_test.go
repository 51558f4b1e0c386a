package features

import (
	"bytes"
	"fmt"
	"math"
	"testing"

	"pgregory.net/rapid"
)

// A Dictionary and an interner are a map, whatever the values: short ones,
// long ones, prefixes of each other, with zero bytes.
func TestDictionaryIsAMap(t *testing.T) {
	value := rapid.OneOf(
		rapid.SliceOfN(rapid.SampledFrom([]byte{0, 'a', 'b'}), 0, 12),
		rapid.SliceOfN(rapid.Byte(), 0, 20),
	)
	rapid.Check(t, func(t *rapid.T) {
		values := rapid.SliceOfN(value, 0, 300).Draw(t, "values")
		ids, want := newInterner(), map[string]uint32{}
		var text []byte
		offsets := []uint64{0}
		for _, v := range values {
			padded := append(bytes.Clone(v), "trailing"...)
			id, known := want[string(v)]
			if !known {
				id = uint32(len(want))
				want[string(v)] = id
				text = append(text, v...)
				offsets = append(offsets, uint64(len(text)))
			}
			if got := ids.id(v); got != id {
				t.Fatalf("id(%q) = %d, want %d", v, got, id)
			}
			if got := ids.idAt(padded, 0, uint32(len(v))); got != id {
				t.Fatalf("idAt(%q) = %d, want %d", v, got, id)
			}
		}
		d, err := NewDictionary(text, offsets)
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range append(values, rapid.SliceOfN(value, 0, 50).Draw(t, "others")...) {
			code := uint32(0)
			if id, known := want[string(v)]; known {
				code = id + 1
				if !bytes.Equal(d.Value(code), v) {
					t.Fatalf("Value(%d) = %q, want %q", code, d.Value(code), v)
				}
			}
			padded := append(bytes.Clone(v), "trailing"...)
			if a, b := d.Code(v), d.codeAt(padded, 0, uint32(len(v))); a != code || b != code {
				t.Fatalf("Code(%q) = %d, codeAt %d, want %d", v, a, b, code)
			}
			if len(v) > 0 {
				if got := d.codeAt(v, 0, uint32(len(v))); got != code {
					t.Fatalf("codeAt(%q) without padding = %d, want %d", v, got, code)
				}
			}
		}
	})
}

func TestNewDictionaryRefuses(t *testing.T) {
	f := func(text string, offsets []uint64) {
		t.Helper()
		if _, err := NewDictionary([]byte(text), offsets); err == nil {
			t.Errorf("NewDictionary(%q, %v): no error", text, offsets)
		}
	}
	f("", nil)
	f("ab", []uint64{0, 1})
	f("ab", []uint64{1, 2})
	f("ab", []uint64{0, 2, 1, 2})
	f("ab", []uint64{0, math.MaxUint64, 2})
	f("aa", []uint64{0, 1, 2})
	f("", []uint64{0, 0, 0})
}

func TestParseNumber(t *testing.T) {
	f := func(in string, want float64) {
		t.Helper()
		got, ok := ParseNumber([]byte(in))
		if !ok || math.Float64bits(got) != math.Float64bits(want) {
			t.Errorf("ParseNumber(%q) = %v, %v, want %v", in, got, ok, want)
		}
	}
	f("0", 0)
	f("-0", math.Copysign(0, -1))
	f("-1", -1)
	f("320", 320)
	f("007", 7)
	f("999999999999999", 999999999999999)
	f("12345678901234567890", 12345678901234567890)
	f("1.5", 1.5)
	f("-2.5e-3", -0.0025)
	f("+4", 4)
	if x, ok := ParseNumber(nil); !ok || x == x {
		t.Errorf("ParseNumber of nothing = %v, %v, want NaN, true", x, ok)
	}
	for _, bad := range []string{"NaN", "inf", "-", "+", ".", "1e999", "0x10", "1_000", "1 ", " 1", "--1", "1,5"} {
		if x, ok := ParseNumber([]byte(bad)); ok {
			t.Errorf("ParseNumber(%q) = %v, want not ok", bad, x)
		}
	}
}

func TestBinOf(t *testing.T) {
	bounds := []float64{-1, 0.5, 10}
	for _, c := range []struct {
		x    float64
		want uint32
	}{{math.NaN(), 0}, {math.Inf(-1), 1}, {-1, 1}, {-0.5, 2}, {0.5, 2}, {0.6, 3}, {10, 3}, {11, 4}} {
		if got := binOf(bounds, c.x); got != c.want {
			t.Errorf("binOf(%v) = %d, want %d", c.x, got, c.want)
		}
	}
}

// Bins hold every value and, where there are enough distinct ones, about as
// many rows each.
func TestBinBounds(t *testing.T) {
	var sorted []float64
	for i := range 1000 {
		sorted = append(sorted, float64(i))
	}
	bounds := binBounds(sorted, 10)
	if fmt.Sprint(bounds) != "[99.5 199.5 299.5 399.5 499.5 599.5 699.5 799.5 899.5]" {
		t.Errorf("bounds of 0 … 999: %v", bounds)
	}
	if got := binBounds([]float64{1, 1, 1, 1}, 10); len(got) != 0 {
		t.Errorf("bounds of a constant: %v", got)
	}
	if got := binBounds([]float64{1, 2, 2, 2, 2, 2, 2, 2, 2, 3}, 64); fmt.Sprint(got) != "[1.5 2.5]" {
		t.Errorf("bounds of three values: %v", got)
	}
	if got := binBounds(nil, 10); len(got) != 0 {
		t.Errorf("bounds of nothing: %v", got)
	}
	rapid.Check(t, func(t *rapid.T) {
		values := rapid.SliceOf(rapid.Float64()).Draw(t, "values")
		f := Field{}
		f.fitNumber(values, rapid.IntRange(2, MaxBins).Draw(t, "bins"), rapid.Bool().Draw(t, "capped"))
		spec := &Spec{Schema: Schema{}, Fields: []Field{{Name: "n", From: []string{"n"}, Type: Num, Bounds: f.Bounds, Mean: f.Mean, Scale: f.Scale}}}
		if err := spec.Validate(); err != nil {
			t.Fatal(err)
		}
	})
}
