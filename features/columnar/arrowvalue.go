package columnar

import (
	"math/big"
	"strconv"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/ipc"
)

// unfitArrow says why values of type t can't be fields; "" where they can.
func unfitArrow(t arrow.DataType) string {
	switch t := t.(type) {
	case *arrow.NullType, *arrow.BooleanType,
		*arrow.Int8Type, *arrow.Int16Type, *arrow.Int32Type, *arrow.Int64Type,
		*arrow.Uint8Type, *arrow.Uint16Type, *arrow.Uint32Type, *arrow.Uint64Type,
		*arrow.Float16Type, *arrow.Float32Type, *arrow.Float64Type,
		*arrow.StringType, *arrow.LargeStringType, *arrow.StringViewType,
		*arrow.BinaryType, *arrow.LargeBinaryType, *arrow.BinaryViewType, *arrow.FixedSizeBinaryType,
		*arrow.Date32Type, *arrow.Date64Type, *arrow.TimestampType, *arrow.Time32Type, *arrow.Time64Type:
		return ""
	case arrow.DecimalType:
		if s := t.GetScale(); s > maxScale || s < -maxScale {
			return "decimals of scale " + strconv.Itoa(int(s))
		}
		return ""
	case *arrow.DictionaryType:
		return unfitArrow(t.ValueType)
	case arrow.ExtensionType:
		return unfitArrow(t.StorageType())
	}
	return "a " + t.Name()
}

// lazy gives the values of a, a column of a record batch.
func (f *arrowFile) lazy(col int, a arrow.Array) *lazyVector {
	d, ok := a.(*array.Dictionary)
	if raw, fixed := a.(*array.FixedSizeBinary); fixed && isUUID(f.schema.Field(col)) {
		null := nullOf(a)
		return &lazyVector{of: func() (vector, error) {
			return &formatted{a.Len(), func(dst []byte, i int) []byte {
				if null != nil && null(i) {
					return dst
				}
				return appendUUID(dst, raw.Value(i))
			}}, nil
		}}
	}
	if !ok {
		return &lazyVector{of: func() (vector, error) { return vectorOf(a) }}
	}
	data := d.Data().Dictionary()
	dict := f.dicts[col]
	if dict == nil || dict.data != data {
		dict = &lazyDict{data: data}
		dict.of = func() (vector, error) { return vectorOf(d.Dictionary()) }
		f.dicts[col] = dict
	}
	return &lazyVector{of: func() (vector, error) { return codesOf(d.Indices(), dict) }}
}

// isUUID reports whether a column of fixed-size values has Arrow's extension
// type for UUIDs. (The package that defines it brings all of Parquet with it.)
func isUUID(c arrow.Field) bool {
	at := c.Metadata.FindKey(ipc.ExtensionTypeKeyName)
	return at >= 0 && c.Metadata.Values()[at] == "arrow.uuid" && c.Type.(*arrow.FixedSizeBinaryType).ByteWidth == 16
}

// nullOf gives what reports the nulls of a, nil where there are none.
func nullOf(a arrow.Array) func(i int) bool {
	if len(a.NullBitmapBytes()) == 0 {
		return nil
	}
	return a.IsNull
}

// vectorOf gives the values of a, which unfitArrow has let pass.
func vectorOf(a arrow.Array) (vector, error) {
	null := nullOf(a)
	if a.Len() == 0 || a.NullN() == a.Len() {
		return nulls(a.Len()), nil
	}
	written := func(write func(dst []byte, i int) []byte) (vector, error) {
		return &formatted{a.Len(), func(dst []byte, i int) []byte {
			if null != nil && null(i) {
				return dst
			}
			return write(dst, i)
		}}, nil
	}
	switch a := a.(type) {
	case *array.String:
		return textsFrom(a.ValueOffsets(), a.ValueBytes(), null)
	case *array.Binary:
		return textsFrom(a.ValueOffsets(), a.ValueBytes(), null)
	case *array.LargeString:
		return textsFrom(a.ValueOffsets(), a.ValueBytes(), null)
	case *array.LargeBinary:
		return textsFrom(a.ValueOffsets(), a.ValueBytes(), null)
	case *array.StringView:
		return written(func(dst []byte, i int) []byte { return append(dst, a.Value(i)...) })
	case *array.BinaryView:
		return written(func(dst []byte, i int) []byte { return append(dst, a.Value(i)...) })
	case *array.FixedSizeBinary:
		return written(func(dst []byte, i int) []byte { return append(dst, a.Value(i)...) })
	case array.ExtensionArray:
		return vectorOf(a.Storage())
	case *array.Boolean:
		return written(func(dst []byte, i int) []byte { return appendBool(dst, a.Value(i)) })
	case *array.Float16:
		return written(func(dst []byte, i int) []byte { return appendFloat(dst, float64(a.Value(i).Float32()), 32) })
	case *array.Float32:
		return floats(a.Float32Values(), null), nil
	case *array.Float64:
		return floats(a.Float64Values(), null), nil
	case *array.Decimal128:
		return written(func(dst []byte, i int) []byte { return decimalText(dst, a.Value(i), a.DataType()) })
	case *array.Decimal256:
		return written(func(dst []byte, i int) []byte { return decimalText(dst, a.Value(i), a.DataType()) })
	}
	return integersOf(a, null)
}

// integersOf gives integers, dates and times.
func integersOf(a arrow.Array, null func(i int) bool) (vector, error) {
	switch a := a.(type) {
	case *array.Int8:
		return integers(a.Int8Values(), null, appendInt), nil
	case *array.Int16:
		return integers(a.Int16Values(), null, appendInt), nil
	case *array.Int32:
		return integers(a.Int32Values(), null, appendInt), nil
	case *array.Int64:
		return integers(a.Int64Values(), null, appendInt), nil
	case *array.Uint8:
		return integers(a.Uint8Values(), null, appendInt), nil
	case *array.Uint16:
		return integers(a.Uint16Values(), null, appendInt), nil
	case *array.Uint32:
		return integers(a.Uint32Values(), null, appendInt), nil
	case *array.Uint64:
		return &formatted{a.Len(), func(dst []byte, i int) []byte {
			if null != nil && null(i) {
				return dst
			}
			return strconv.AppendUint(dst, a.Value(i), 10)
		}}, nil
	case *array.Date32:
		return integers(a.Date32Values(), null, timeOf(0)), nil
	case *array.Date64: // milliseconds, of whole days
		return integers(a.Date64Values(), null, func(dst []byte, v int64) []byte { return appendTime(dst, v/86400e3, 0) }), nil
	case *array.Timestamp:
		return integers(a.TimestampValues(), null, timeOf(unitOf(a.DataType()))), nil
	case *array.Time32:
		return integers(a.Time32Values(), null, clockOf(unitOf(a.DataType()))), nil
	case *array.Decimal32:
		return integers(a.Values(), null, decimalOf(scaleIn(a.DataType()))), nil
	case *array.Decimal64:
		return integers(a.Values(), null, decimalOf(scaleIn(a.DataType()))), nil
	case *array.Time64:
		return integers(a.Time64Values(), null, clockOf(unitOf(a.DataType()))), nil
	}
	return nil, damaged("values of type %v", a.DataType())
}

// unitOf gives how many of a time's units make a second.
func unitOf(t arrow.DataType) int64 {
	switch t.(arrow.TemporalWithUnit).TimeUnit() {
	case arrow.Second:
		return 1
	case arrow.Millisecond:
		return 1e3
	case arrow.Microsecond:
		return 1e6
	}
	return 1e9
}

func scaleIn(t arrow.DataType) int { return int(t.(arrow.DecimalType).GetScale()) }

// bigInt is one of Arrow's longer decimals, without its scale.
type bigInt interface{ BigInt() *big.Int }

func decimalText(dst []byte, v bigInt, t arrow.DataType) []byte {
	return appendDecimal(dst, v.BigInt().String(), scaleIn(t))
}

// textsFrom gives text[off[i]-off[0]:off[i+1]-off[0]] as value i, once it is
// sure that all of them are there.
func textsFrom[O int32 | int64](off []O, text []byte, null func(i int) bool) (vector, error) {
	first, last := off[0], off[0]
	plain := true // nulls are empty, and places fit 32 bits
	for i, o := range off {
		if o < last || int64(o-first) > int64(len(text)) {
			return nil, damaged("text at %d to %d of %d", last, o, len(text))
		}
		if i > 0 && o > last && null != nil && null(i-1) {
			plain = false
		}
		last = o
	}
	if uint64(len(text)) < 1<<32 && plain {
		t := &texts{text, make([]uint32, len(off))}
		for i, o := range off {
			t.off[i] = uint32(o - first)
		}
		return t, nil
	}
	return &formatted{len(off) - 1, func(dst []byte, i int) []byte {
		if null != nil && null(i) {
			return dst
		}
		return append(dst, text[off[i]-first:off[i+1]-first]...)
	}}, nil
}

// codesOf gives the values that indices has in dict.
func codesOf(indices arrow.Array, dict *lazyDict) (vector, error) {
	d, err := dict.dictionary()
	if err != nil {
		return nil, err
	}
	null := nullOf(indices)
	switch a := indices.(type) {
	case *array.Int8:
		return codesFrom(a.Int8Values(), null, d)
	case *array.Int16:
		return codesFrom(a.Int16Values(), null, d)
	case *array.Int32:
		return codesFrom(a.Int32Values(), null, d)
	case *array.Int64:
		return codesFrom(a.Int64Values(), null, d)
	case *array.Uint8:
		return codesFrom(a.Uint8Values(), null, d)
	case *array.Uint16:
		return codesFrom(a.Uint16Values(), null, d)
	case *array.Uint32:
		return codesFrom(a.Uint32Values(), null, d)
	case *array.Uint64:
		return codesFrom(a.Uint64Values(), null, d)
	}
	return nil, damaged("dictionary with places of type %v", indices.DataType())
}

func codesFrom[T int8 | int16 | int32 | int64 | uint8 | uint16 | uint32 | uint64](v []T, null func(i int) bool, d *dictionary) (vector, error) {
	codes := make([]int32, len(v))
	for i, k := range v {
		switch {
		case null != nil && null(i):
			codes[i] = -1
		case uint64(k) >= uint64(len(d.places)):
			return nil, damaged("value %d of a dictionary of %d", k, len(d.places))
		default:
			codes[i] = int32(k)
		}
	}
	return &coded{d, codes}, nil
}
