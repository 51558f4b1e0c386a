package spark

import (
	"math"
	"strconv"

	"ctr/features"
	"ctr/features/columnar"
)

// labels are the values that a StringIndexer knew, in their order.
type labels [][]byte

// dictionary gives a Dictionary whose code i+1 is label i, each written as
// write wants it; nil writes it as it is.
func (l labels) dictionary(allow *columnar.Allowance, write func(dst, label []byte) []byte) (*features.Dictionary, error) {
	var text []byte
	offsets := make([]uint64, 1, len(l)+1)
	for _, v := range l {
		if write == nil {
			text = append(text, v...)
		} else {
			text = write(text, v)
		}
		offsets = append(offsets, uint64(len(text)))
	}
	const perValue = 8 + 3*16 // an offset, and on average so much of the table
	if err := allow.Take(int64(len(text)) + perValue*int64(len(l))); err != nil {
		return nil, err
	}
	return features.NewDictionary(text, offsets)
}

// cast tells what the column was when it was indexed. Spark casts numbers to
// text first, and the model does not say that it did: labels that all are what
// an integer, or all what a double, becomes when it is cast are taken for that.
func (l labels) cast() features.Cast {
	if l.all(features.CastInt) {
		return features.CastInt
	}
	if l.all(features.CastDouble) {
		return features.CastDouble
	}
	return features.AsRead
}

// numbers reports whether an import would take d for that of a column which was
// cast: the export says that it was not.
func numbers(d *features.Dictionary) bool {
	l := make(labels, d.Len())
	for c := range l {
		l[c] = d.Value(uint32(c + 1))
	}
	return l.cast() != features.AsRead
}

func (l labels) all(c features.Cast) bool {
	var room []byte
	for _, v := range l {
		text, ok := c.Apply(room[:0], v)
		if !ok || !sameNumber(c, text, v) {
			return false
		}
		room = text
	}
	return len(l) > 0
}

// sameNumber reports whether label is text, or for doubles another way of Java
// to write the same number: before Java 19 it had, rarely, a digit more.
func sameNumber(c features.Cast, text, label []byte) bool {
	if string(text) == string(label) {
		return true
	}
	if c != features.CastDouble || len(text) == len(label) {
		return false
	}
	x, err := strconv.ParseFloat(string(label), 64)
	y, err2 := strconv.ParseFloat(string(text), 64)
	return err == nil && err2 == nil && x == y && len(label) >= 17
}

// whole gives labels of whole numbers as integers are written: parts of the
// time are such.
func wholeNumber(dst, label []byte) []byte {
	if x, ok := features.ParseNumber(label); ok && x == math.Trunc(x) && math.Abs(x) < 1e15 {
		return strconv.AppendInt(dst, int64(x), 10)
	}
	return append(dst, label...)
}

// inJava writes a double's label as Cast.Apply does.
func inJava(dst, label []byte) []byte {
	out, ok := features.CastDouble.Apply(dst, label)
	if !ok {
		return append(dst, label...)
	}
	return out
}
