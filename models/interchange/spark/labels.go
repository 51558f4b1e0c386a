package spark

import (
	"math"
	"strconv"

	"ctr/features"
	"ctr/features/columnar"
)

// labels are the values that a StringIndexer knew, in their order: those from
// on to before end of a column of texts.
type labels struct {
	leaf      *columnar.Leaf
	from, end int
	alone     bool // there are no others in leaf
}

func (l labels) len() int { return l.end - l.from }

func (l labels) at(i int) []byte { return l.leaf.Text(l.from + i) }

// dictionary gives a Dictionary whose code i+1 is label i. It keeps the texts of
// the leaf, and where they are the leaf's only ones its offsets too.
func (l labels) dictionary(allow *columnar.Allowance) (*features.Dictionary, error) {
	text, all := l.leaf.Texts()
	if l.alone {
		return dictionary(text, all, allow)
	}
	offsets, err := columnar.Grow(allow, []uint64{}, l.len()+1)
	if err != nil {
		return nil, err
	}
	first := all[l.from]
	for _, at := range all[l.from : l.end+1] {
		offsets = append(offsets, at-first)
	}
	return dictionary(text[first:all[l.end]:all[l.end]], offsets, allow)
}

// written is dictionary, of labels that are each written as write wants them.
func (l labels) written(allow *columnar.Allowance, write func(dst, label []byte) []byte) (*features.Dictionary, error) {
	offsets, err := columnar.Grow(allow, []uint64{}, l.len()+1)
	if err != nil {
		return nil, err
	}
	var text []byte
	offsets = append(offsets, 0)
	for i := range l.len() {
		// What is written of a number is short; all else stays as it is.
		if text, err = columnar.Grow(allow, text, len(l.at(i))+40); err != nil {
			return nil, err
		}
		text = write(text, l.at(i))
		offsets = append(offsets, uint64(len(text)))
	}
	return dictionary(text, offsets, allow)
}

func dictionary(text []byte, offsets []uint64, allow *columnar.Allowance) (*features.Dictionary, error) {
	if err := allow.Take(features.TableBytes(len(offsets) - 1)); err != nil {
		return nil, err
	}
	return features.NewDictionary(text, offsets)
}

// few gives a Dictionary of the texts of a few numbers, in the order given.
func few(numbers []float64, allow *columnar.Allowance, write func(x float64) []byte) (*features.Dictionary, error) {
	if err := allow.Take(32 * int64(len(numbers))); err != nil {
		return nil, err
	}
	var text []byte
	offsets := []uint64{0}
	for _, x := range numbers {
		text = append(text, write(x)...)
		offsets = append(offsets, uint64(len(text)))
	}
	return dictionary(text, offsets, allow)
}

// whole writes a whole number.
func whole(x float64) []byte { return strconv.AppendInt(nil, int64(x), 10) }

// cast tells what the column was when it was indexed. Spark casts numbers to
// text first, and the model does not say that it did: labels that all are what
// an integer, or all what a double, becomes when it is cast are taken for that.
func cast(n int, label func(i int) []byte) features.Cast {
	for _, c := range []features.Cast{features.CastInt, features.CastDouble} {
		if allCast(n, label, c) {
			return c
		}
	}
	return features.AsRead
}

// numbers reports whether an import would take d for that of a column which was
// cast: the export says that it was not.
func numbers(d *features.Dictionary) bool {
	return cast(d.Len(), func(i int) []byte { return d.Value(uint32(i + 1)) }) != features.AsRead
}

func allCast(n int, label func(i int) []byte, c features.Cast) bool {
	var room []byte
	for i := range n {
		v := label(i)
		text, ok := c.Apply(room[:0], v)
		if !ok || !sameNumber(c, text, v) {
			return false
		}
		room = text
	}
	return n > 0
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
