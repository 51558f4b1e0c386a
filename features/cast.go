package features

import (
	"bytes"
	"math"
	"strconv"
	"unsafe"
)

// Cast is what becomes of a value before a Dict field looks it up. Models of
// other tools have it, which knew columns as numbers and indexed their text.
type Cast string

const (
	// AsRead looks the value up as it stands.
	AsRead Cast = ""
	// CastInt reads a decimal integer of 64 bits and looks up its shortest
	// text: "007" and "+7" are "7". Anything else is unseen.
	CastInt Cast = "int"
	// CastDouble reads a decimal number and looks up its text as Java's
	// Double.toString has it: "15" is "15.0", "1e7" is "1.0E7". Anything else
	// is unseen.
	CastDouble Cast = "double"
	// CastBin reads a number and looks up the decimal text of its bin among
	// the field's Bounds, 1 … len(Bounds)+1: a number that trees take as a
	// category. Nothing is unseen; what is no number is an error.
	CastBin Cast = "bin"
)

// Apply appends to dst what v is looked up as. ok is false where v is nothing
// of the kind: it is unseen then.
func (c Cast) Apply(dst, v []byte) (out []byte, ok bool) {
	switch c {
	case CastInt:
		return appendInteger(dst, v)
	case CastDouble:
		x, ok := ParseNumber(v)
		if !ok || len(v) == 0 {
			return dst, false
		}
		return appendJava(dst, x), true
	default:
		return append(dst, v...), true
	}
}

// appendInteger appends the shortest text of the integer v.
func appendInteger(dst, v []byte) (out []byte, ok bool) {
	digits, sign := v, ""
	if len(v) > 0 && (v[0] == '-' || v[0] == '+') {
		if digits = v[1:]; v[0] == '-' {
			sign = "-"
		}
	}
	if len(digits) == 0 || !allDigits(digits) {
		return dst, false
	}
	digits = bytes.TrimLeft(digits, "0")
	if len(digits) == 0 {
		return append(dst, '0'), true
	}
	at := len(dst)
	dst = append(append(dst, sign...), digits...)
	if text := dst[at:]; len(digits) > 18 {
		if _, err := strconv.ParseInt(unsafe.String(&text[0], len(text)), 10, 64); err != nil {
			return dst[:at], false
		}
	}
	return dst, true
}

// appendJava appends x as Java's Double.toString writes it: at least one digit
// after the point, and from 10^7 up and below 10^-3 one digit before it and an
// exponent. Its digits are the fewest that tell x from other numbers, as in
// Java 19 and later; older ones have, rarely, one more.
func appendJava(dst []byte, x float64) []byte {
	switch {
	case math.IsNaN(x):
		return append(dst, "NaN"...)
	case math.IsInf(x, 0):
		if x < 0 {
			dst = append(dst, '-')
		}
		return append(dst, "Infinity"...)
	}
	at := len(dst)
	if a := math.Abs(x); a != 0 && (a < 1e-3 || a >= 1e7) {
		dst = strconv.AppendFloat(dst, x, 'E', -1, 64)
		e := at + bytes.IndexByte(dst[at:], 'E')
		exp, _ := strconv.Atoi(string(dst[e+1:])) // of digits, as written above
		if bytes.IndexByte(dst[at:e], '.') < 0 {
			dst = append(dst[:e], '.', '0')
		} else {
			dst = dst[:e]
		}
		return strconv.AppendInt(append(dst, 'E'), int64(exp), 10)
	}
	dst = strconv.AppendFloat(dst, x, 'f', -1, 64)
	if bytes.IndexByte(dst[at:], '.') < 0 {
		dst = append(dst, '.', '0')
	}
	return dst
}

// castCode gives the code of a value of an opCast. Most values are written as
// the dictionary has them, so that they cost one look-up.
func (o *op) castCode(v []byte) uint32 {
	if c := o.dict.Code(v); c != 0 {
		return c
	}
	return o.recast(v)
}

// recast gives the code of a value that the dictionary has not got as it
// stands.
func (o *op) recast(v []byte) uint32 {
	// An integer without zeros or a plus before it is written as it would be.
	if o.field.Cast == CastInt && (len(v) == 0 || v[0] >= '1' && v[0] <= '9') {
		return 0
	}
	var room [64]byte
	if len(v) > len(room) {
		return 0
	}
	text, ok := o.field.Cast.Apply(room[:0], v)
	if !ok {
		return 0
	}
	return o.dict.Code(text)
}

// recastRows looks those of the rows up again whose code in field f is 0.
func (o *op) recastRows(b *Block, rows []int32, f int, ex []*Example) {
	for i, row := range rows {
		if ex[i].Codes[f] == 0 {
			at := b.bounds[int(row)*b.width+o.col]
			ex[i].Codes[f] = o.recast(b.data[uint32(at) : at>>32])
		}
	}
}

// binCode gives the code of a number's bin.
func (o *op) binCode(x float64) uint32 {
	var room [16]byte
	return o.dict.Code(strconv.AppendUint(room[:0], uint64(binOf(o.field.Bounds, x)), 10))
}

// castFaults are what is wrong with a field's Cast.
func (f *Field) castFaults() (faults []string) {
	switch {
	case f.Cast == AsRead:
	case f.Cast != CastInt && f.Cast != CastDouble && f.Cast != CastBin:
		faults = append(faults, "cast "+strconv.Quote(string(f.Cast))+": want int, double or bin")
	case f.Type != Dict || len(f.From) != 1 || f.Part != Whole || f.Cap != nil:
		faults = append(faults, "cast: want a dictionary of one column without a cap")
	case f.Cast == CastBin:
		if what := boundsFault(f.Bounds); what != "" {
			faults = append(faults, what)
		}
	}
	return faults
}
