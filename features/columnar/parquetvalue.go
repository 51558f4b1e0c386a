package columnar

import (
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/parquet-go/parquet-go/encoding/delta"
	"github.com/parquet-go/parquet-go/encoding/rle"
	"github.com/parquet-go/parquet-go/format"
)

// errCodec says that pages are packed in a way that can't be read.
func errCodec(c format.CompressionCodec) error {
	return fmt.Errorf("packed with %v: want Snappy, gzip, zstd, LZ4_RAW or none", c)
}

// plainDictionary is what older files call both RLEDictionary and, of the
// dictionary itself, Plain.
const plainDictionary format.Encoding = 2

// decoder decodes the values of one page.
type decoder struct {
	col   *parquetColumn
	n     int    // values, nulls too
	dense int    // values that are there
	valid []byte // 0 for each null; nil where there is none
	dict  *page
}

// null gives what reports nulls, nil where there are none.
func (d *decoder) null() func(i int) bool {
	if d.valid == nil {
		return nil
	}
	return func(i int) bool { return d.valid[i] == 0 }
}

// spread gives each value that is there its place among the nulls, which are
// zeros.
func spread[T any](d *decoder, values []T) []T {
	if d.valid == nil {
		return values
	}
	out := make([]T, d.n)
	k := 0
	for i, v := range d.valid {
		if v != 0 {
			out[i] = values[k]
			k++
		}
	}
	return out
}

// levels reads which values are there.
func (d *decoder) levels(data []byte) error {
	if run, size := binary.Uvarint(data); size > 0 && run == uint64(d.n)<<1 && size+1 == len(data) && data[size] == 1 {
		return nil // all, in one run
	}
	if err := checkRuns(data, 1, d.n); err != nil {
		return err
	}
	levels, err := (&rle.Encoding{BitWidth: 1}).DecodeLevels(make([]byte, 0, d.n+8), data)
	if err != nil || len(levels) < d.n {
		return damaged("%d levels: want %d", len(levels), d.n)
	}
	levels = levels[:d.n]
	d.dense = 0
	for _, v := range levels {
		d.dense += int(v)
	}
	if d.dense < d.n {
		d.valid = levels
	}
	return nil
}

// values decodes the values that are there.
func (d *decoder) values(enc format.Encoding, data []byte) (vector, error) {
	if d.dense == 0 {
		return nulls(d.n), nil
	}
	t := d.col.physical
	switch {
	case enc == format.Plain:
		return d.plain(data)
	case enc == format.RLEDictionary, enc == plainDictionary:
		return d.codes(data)
	case enc == format.RLE && t == format.Boolean:
		return d.runBooleans(data)
	case enc == format.DeltaBinaryPacked && t == format.Int32:
		return d.delta32(data)
	case enc == format.DeltaBinaryPacked && t == format.Int64:
		if _, err := checkDelta(data, d.dense, 64); err != nil {
			return nil, err
		}
		v, err := new(delta.BinaryPackedEncoding).DecodeInt64(nil, data)
		return d.integers(v, err)
	case enc == format.DeltaLengthByteArray && t == format.ByteArray:
		return d.deltaLengths(data)
	case enc == format.DeltaByteArray && (t == format.ByteArray || t == format.FixedLenByteArray):
		return d.deltaTexts(data)
	case enc == format.ByteStreamSplit && d.fixed() > 0:
		joined, err := d.join(data)
		if err != nil {
			return nil, err
		}
		return d.plain(joined)
	}
	return nil, damaged("values of type %v in encoding %v", t, enc)
}

// codes reads places in the dictionary.
func (d *decoder) codes(data []byte) (vector, error) {
	if d.dict == nil || len(data) == 0 {
		return nil, damaged("values of a dictionary that is missing")
	}
	dict, err := d.dict.dictionary()
	if err != nil {
		return nil, err
	}
	if err := checkRuns(data[1:], int(data[0]), d.dense); err != nil {
		return nil, err
	}
	codes, err := new(rle.DictionaryEncoding).DecodeInt32(make([]int32, 0, d.dense+8), data)
	if err != nil || len(codes) < d.dense {
		return nil, damaged("%d values of a dictionary: want %d", len(codes), d.dense)
	}
	codes = codes[:d.dense]
	size := uint32(len(dict.places))
	for _, k := range codes {
		if uint32(k) >= size {
			return nil, damaged("value %d of a dictionary of %d", uint32(k), size)
		}
	}
	if d.valid != nil {
		codes = spread(d, codes)
		for i, v := range d.valid {
			if v == 0 {
				codes[i] = -1
			}
		}
	}
	return &coded{dict, codes}, nil
}

func (d *decoder) delta32(data []byte) (vector, error) {
	if _, err := checkDelta(data, d.dense, 32); err != nil {
		return nil, err
	}
	v, err := new(delta.BinaryPackedEncoding).DecodeInt32(nil, data)
	wide := make([]int64, len(v))
	for i, x := range v {
		wide[i] = int64(x)
	}
	return d.integers(wide, err)
}

// integers gives v, of which a decoder said err.
func (d *decoder) integers(v []int64, err error) (vector, error) {
	if err != nil || len(v) != d.dense {
		return nil, damaged("%d integers: want %d", len(v), d.dense)
	}
	return integers(spread(d, v), d.null(), d.col.ints), nil
}

// lengths reads delta-coded lengths and what follows them.
func lengths(data []byte, n int) (lengths []int32, rest []byte, err error) {
	size, err := checkDelta(data, n, 32)
	if err != nil {
		return nil, nil, err
	}
	lengths, err = new(delta.BinaryPackedEncoding).DecodeInt32(nil, slices.Clip(data[:size]))
	if err != nil || len(lengths) != n {
		return nil, nil, damaged("%d lengths: want %d", len(lengths), n)
	}
	return lengths, data[size:], nil
}

func (d *decoder) deltaLengths(data []byte) (vector, error) {
	size, text, err := lengths(data, d.dense)
	if err != nil {
		return nil, err
	}
	off, end := make([]uint32, d.dense+1), 0
	for i, n := range size {
		if n < 0 || int(n) > len(text)-end {
			return nil, damaged("text of %d bytes: %d are left", n, len(text)-end)
		}
		end += int(n)
		off[i+1] = uint32(end)
	}
	return d.texts(text[:end], off)
}

// deltaTexts reads texts each of which begins as the one before it.
func (d *decoder) deltaTexts(data []byte) (vector, error) {
	prefix, data, err := lengths(data, d.dense)
	if err != nil {
		return nil, err
	}
	suffix, data, err := lengths(data, d.dense)
	if err != nil {
		return nil, err
	}
	total, last := 0, 0
	for i, n := range suffix {
		p := int(prefix[i])
		if n < 0 || p < 0 || p > last {
			return nil, damaged("text of %d bytes of the %d before it and %d more", p, last, n)
		}
		last = p + int(n)
		if total += last; last > maxValue || total > maxPage {
			return nil, damaged("text of %d bytes in a page of %d", last, total)
		}
	}
	text, off := make([]byte, 0, min(total, 64*len(data)+1<<20)), make([]uint32, d.dense+1)
	before := 0 // where the last text begins
	for i, n := range suffix {
		if int(n) > len(data) {
			return nil, damaged("text of %d bytes: %d are left", n, len(data))
		}
		at := len(text)
		text = append(text, text[before:before+int(prefix[i])]...)
		text = append(text, data[:n]...)
		data, before = data[n:], at
		off[i+1] = uint32(len(text))
	}
	return d.texts(text, off)
}
