package columnar

import (
	"encoding/binary"
	"math"
	"slices"

	"github.com/parquet-go/parquet-go/format"
)

// fixed gives the bytes of a value of fixed size, 0 for others.
func (d *decoder) fixed() int {
	switch d.col.physical {
	case format.Int32, format.Float:
		return 4
	case format.Int64, format.Double:
		return 8
	case format.Int96, format.FixedLenByteArray:
		return d.col.size
	}
	return 0
}

// plain reads values that stand one after another.
func (d *decoder) plain(data []byte) (vector, error) {
	if size := d.fixed(); size > 0 && len(data)/size < d.dense {
		return nil, damaged("%d bytes for %d values of %d", len(data), d.dense, size)
	}
	switch d.col.physical {
	case format.Boolean:
		if len(data) < (d.dense+7)/8 {
			return nil, damaged("%d bytes for %d booleans", len(data), d.dense)
		}
		return d.booleans(data), nil
	case format.Int32:
		return d.integers(fixedValues(data, d.dense, 4, func(b []byte) int64 { return int64(int32(binary.LittleEndian.Uint32(b))) }), nil)
	case format.Int64:
		return d.integers(fixedValues(data, d.dense, 8, func(b []byte) int64 { return int64(binary.LittleEndian.Uint64(b)) }), nil)
	case format.Float:
		v := fixedValues(data, d.dense, 4, func(b []byte) float32 { return math.Float32frombits(binary.LittleEndian.Uint32(b)) })
		return floats(spread(d, v), d.null()), nil
	case format.Double:
		v := fixedValues(data, d.dense, 8, func(b []byte) float64 { return math.Float64frombits(binary.LittleEndian.Uint64(b)) })
		return floats(spread(d, v), d.null()), nil
	case format.ByteArray:
		return d.plainTexts(data)
	default:
		off := make([]uint32, d.dense+1)
		for i := range off {
			off[i] = uint32(i * d.col.size)
		}
		return d.texts(data[:d.dense*d.col.size], off)
	}
}

func fixedValues[T any](data []byte, n, size int, read func([]byte) T) []T {
	out := make([]T, n)
	for i := range out {
		out[i] = read(data[i*size:])
	}
	return out
}

// plainTexts reads texts each of which has its length before it.
func (d *decoder) plainTexts(data []byte) (vector, error) {
	text, off := make([]byte, 0, max(len(data)-4*d.dense, 0)), make([]uint32, 1, d.dense+1)
	for range d.dense {
		if len(data) < 4 {
			return nil, damaged("%d texts: want %d", len(off)-1, d.dense)
		}
		n := int(binary.LittleEndian.Uint32(data))
		if n > len(data)-4 {
			return nil, damaged("text of %d bytes: %d are left", n, len(data)-4)
		}
		text = append(text, data[4:4+n]...)
		off = append(off, uint32(len(text)))
		data = data[4+n:]
	}
	return d.texts(text, off)
}

// maxRaw is the most bytes of a value that is no text: a decimal of 154 digits.
const maxRaw = 64

// texts gives the values that are there, text[off[i]:off[i+1]] each, as they
// are or written as the column wants them.
func (d *decoder) texts(text []byte, off []uint32) (vector, error) {
	if d.valid != nil {
		all, k := make([]uint32, 1, d.n+1), 0
		for _, v := range d.valid {
			k += int(v)
			all = append(all, off[k])
		}
		off = all
	}
	t := &texts{text, off}
	if d.col.raw == nil {
		return t, nil
	}
	for i, end := range off[1:] {
		if n := end - off[i]; n > maxRaw {
			return nil, damaged("value of %d bytes: want %d at most", n, maxRaw)
		}
	}
	null := d.null()
	return &formatted{d.n, func(dst []byte, i int) []byte {
		if null != nil && null(i) {
			return dst
		}
		return d.col.raw(dst, text[off[i]:off[i+1]])
	}}, nil
}

// booleans gives the values that are there, a bit each.
func (d *decoder) booleans(bits []byte) vector {
	v := make([]bool, d.dense)
	for i := range v {
		v[i] = bits[i/8]>>(i%8)&1 != 0
	}
	v = spread(d, v)
	null := d.null()
	return &formatted{d.n, func(dst []byte, i int) []byte {
		if null != nil && null(i) {
			return dst
		}
		return appendBool(dst, v[i])
	}}
}

// join undoes BYTE_STREAM_SPLIT, which keeps the first bytes of all values,
// then the second ones and so on.
func (d *decoder) join(data []byte) ([]byte, error) {
	size := d.fixed()
	if len(data) != d.dense*size {
		return nil, damaged("%d bytes for %d values of %d", len(data), d.dense, size)
	}
	out := make([]byte, len(data))
	for k := range size {
		for i, b := range data[k*d.dense : (k+1)*d.dense] {
			out[i*size+k] = b
		}
	}
	return out, nil
}

// runBooleans reads booleans in runs, with a length before them.
func (d *decoder) runBooleans(data []byte) (vector, error) {
	if len(data) < 4 || int(binary.LittleEndian.Uint32(data)) > len(data)-4 {
		return nil, damaged("booleans cut short")
	}
	data = data[4 : 4+int(binary.LittleEndian.Uint32(data))]
	flags := decoder{n: d.dense}
	if err := flags.levels(data); err != nil {
		return nil, err
	}
	bits := make([]byte, (d.dense+7)/8)
	for i := range d.dense {
		if flags.valid == nil || flags.valid[i] != 0 {
			bits[i/8] |= 1 << (i % 8)
		}
	}
	return d.booleans(slices.Clip(bits)), nil
}
