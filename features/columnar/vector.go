package columnar

import (
	"math"
	"strconv"

	"ctr/features"
)

// vector is a run of values of one column, decoded. It is immutable: several
// goroutines make fields of different parts of it.
type vector interface {
	len() int
	// fill makes values from..from+n the fields of column col in rows row….
	fill(c *features.Cells, col, row, from, n int)
	// append appends the text of value i: nothing where it is null.
	append(dst []byte, i int) []byte
}

// maxValue is the most bytes that a value may have, as for a row of text.
const maxValue = 1 << 20

// texts are values that lie one after another: value i is
// text[off[i]:off[i+1]]. A null is empty.
type texts struct {
	text []byte
	off  []uint32
}

func (t *texts) len() int { return len(t.off) - 1 }

func (t *texts) append(dst []byte, i int) []byte {
	return append(dst, t.text[t.off[i]:t.off[i+1]]...)
}

// fill copies the text of all the values at once.
func (t *texts) fill(c *features.Cells, col, row, from, n int) {
	off := t.off[from : from+n+1]
	first := off[0]
	text := c.Text()
	base := len(text) - int(first)
	c.SetText(append(text, t.text[first:off[n]]...))
	for i := range n {
		if off[i+1]-off[i] > maxValue {
			c.Fail(row+i, col, features.LongValue(maxValue))
			continue
		}
		c.Set(row+i, col, base+int(off[i]), base+int(off[i+1]))
	}
}

// dictionary is the texts that values have in common.
type dictionary struct {
	text   []byte // with 8 bytes of padding
	places []features.Place
	long   bool // one is longer than maxValue
}

// dictionaryOf writes out every value of v.
func dictionaryOf(v vector) *dictionary {
	n := v.len()
	d := &dictionary{places: make([]features.Place, n)}
	if t, ok := v.(*texts); ok {
		d.text = make([]byte, 0, len(t.text)+8)
	}
	for i := range n {
		at := len(d.text)
		d.text = v.append(d.text, i)
		d.places[i] = features.PlaceOf(at, len(d.text))
		d.long = d.long || len(d.text)-at > maxValue
	}
	d.text = append(d.text, make([]byte, 8)...)
	return d
}

// coded are values of a dictionary, by their places in it; -1 is null. All
// places are within the dictionary.
type coded struct {
	dict  *dictionary
	codes []int32
}

func (d *coded) len() int { return len(d.codes) }

func (d *coded) append(dst []byte, i int) []byte {
	if k := d.codes[i]; k >= 0 {
		start, end := d.dict.places[k].Bounds()
		return append(dst, d.dict.text[start:end]...)
	}
	return dst
}

// fill copies the whole dictionary once where it is no larger than the run, so
// that a field costs a look-up, and else each value by itself.
func (d *coded) fill(c *features.Cells, col, row, from, n int) {
	codes := d.codes[from : from+n]
	text, places := c.Text(), d.dict.places
	if len(places) <= n && !d.dict.long {
		c.SetText(append(text, d.dict.text[:len(d.dict.text)-8]...))
		c.SetCoded(row, col, codes, places, len(text))
		return
	}
	for i, k := range codes {
		if k < 0 {
			continue
		}
		start, end := places[k].Bounds()
		if end-start > maxValue {
			c.Fail(row+i, col, features.LongValue(maxValue))
			continue
		}
		at := len(text)
		if end-start <= 8 { // one move, whatever the length
			text = append(text, d.dict.text[start:start+8]...)[:at+end-start]
		} else {
			text = append(text, d.dict.text[start:end]...)
		}
		c.Set(row+i, col, at, len(text))
	}
	c.SetText(text)
}

// formatted are values that are written out one by one.
type formatted struct {
	n     int
	write func(dst []byte, i int) []byte // appends value i, nothing for null
}

func (f *formatted) len() int { return f.n }

func (f *formatted) append(dst []byte, i int) []byte { return f.write(dst, i) }

func (f *formatted) fill(c *features.Cells, col, row, from, n int) {
	text := c.Text()
	for i := range n {
		at := len(text)
		text = f.write(text, from+i)
		if len(text)-at > maxValue {
			text = text[:at]
			c.Fail(row+i, col, features.LongValue(maxValue))
			continue
		}
		c.Set(row+i, col, at, len(text))
	}
	c.SetText(text)
}

// whole are integers, or what is kept as such, that write makes text of.
type whole[T integer] struct {
	v     []T
	null  func(i int) bool // nil where none is null
	write func(dst []byte, v int64) []byte
}

type integer interface {
	~int8 | ~int16 | ~int32 | ~int64 | ~uint8 | ~uint16 | ~uint32
}

// integers gives values that write makes text of; null may be nil.
func integers[T integer](v []T, null func(i int) bool, write func([]byte, int64) []byte) vector {
	return &whole[T]{v, null, write}
}

func (w *whole[T]) len() int { return len(w.v) }

func (w *whole[T]) append(dst []byte, i int) []byte {
	if w.null != nil && w.null(i) {
		return dst
	}
	return w.write(dst, int64(w.v[i]))
}

// fill remembers where the last values were written, by their low bits: most
// columns have few of them, and a look costs a fifth of writing one.
func (w *whole[T]) fill(c *features.Cells, col, row, from, n int) {
	var known [256]struct {
		v          T
		start, end int32
	}
	text := c.Text()
	for i, v := range w.v[from : from+n] {
		if w.null != nil && w.null(from+i) {
			continue
		}
		k := &known[uint8(v)]
		if k.v != v || k.end == 0 {
			k.v, k.start = v, int32(len(text))
			text = w.write(text, int64(v))
			k.end = int32(len(text))
		}
		c.Set(row+i, col, int(k.start), int(k.end))
	}
	c.SetText(text)
}

// appendInt appends the decimal text of v.
func appendInt(dst []byte, v int64) []byte { return strconv.AppendInt(dst, v, 10) }

// appendFloat appends v in the shortest form that reads back as the same
// float of that many bits; nothing for NaN, which stands for a missing value
// in the tables of pandas and others.
func appendFloat(dst []byte, v float64, bits int) []byte {
	if math.IsNaN(v) {
		return dst
	}
	return strconv.AppendFloat(dst, v, 'g', -1, bits)
}

func floats[T float32 | float64](v []T, null func(i int) bool) vector {
	bits := 64
	if _, single := any(T(0)).(float32); single {
		bits = 32
	}
	return &formatted{len(v), func(dst []byte, i int) []byte {
		if null != nil && null(i) {
			return dst
		}
		return appendFloat(dst, float64(v[i]), bits)
	}}
}

// appendBool appends 1 or 0, as a label is written.
func appendBool(dst []byte, v bool) []byte {
	if v {
		return append(dst, '1')
	}
	return append(dst, '0')
}

// nulls are n values that are all null.
func nulls(n int) vector {
	return &formatted{n, func(dst []byte, _ int) []byte { return dst }}
}
