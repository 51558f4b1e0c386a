package features

import (
	"math"
	"strconv"
	"unsafe"
)

// ParseNumber reads a decimal number; nothing is NaN, "missing". ok is false
// for anything else: words such as "NaN" and "inf", hexadecimal, a number too
// large for a float64.
func ParseNumber(v []byte) (x float64, ok bool) {
	if len(v) == 0 {
		return math.NaN(), true
	}
	if n, ok := smallInt(v); ok {
		return float64(n), true
	}
	for _, c := range v {
		if (c < '0' || c > '9') && c != '.' && c != '-' && c != '+' && c != 'e' && c != 'E' {
			return 0, false
		}
	}
	x, err := strconv.ParseFloat(unsafe.String(&v[0], len(v)), 64)
	return x, err == nil
}

// smallInt reads an optional minus and up to 15 digits, which a float64 holds
// exactly. "-0" is left to ParseFloat, which keeps its sign.
func smallInt(v []byte) (int64, bool) {
	neg := v[0] == '-'
	if neg {
		v = v[1:]
	}
	if len(v) == 0 || len(v) > 15 || neg && v[0] == '0' {
		return 0, false
	}
	n := int64(0)
	for _, c := range v {
		d := c - '0'
		if d > 9 {
			return 0, false
		}
		n = n*10 + int64(d)
	}
	if neg {
		n = -n
	}
	return n, true
}

// appendNumber appends x as the shortest decimal text without an exponent
// where it is a whole number, so that a cap of 320 is the text "320".
func appendNumber(dst []byte, x float64) []byte {
	if x == math.Trunc(x) && math.Abs(x) < 1e15 {
		return strconv.AppendInt(dst, int64(x), 10)
	}
	return strconv.AppendFloat(dst, x, 'g', -1, 64)
}

// NumberText gives the text that stands for a capped category whose cap is x.
func NumberText(x float64) string { return string(appendNumber(nil, x)) }
