package columnar

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math"
	"strconv"

	"github.com/parquet-go/parquet-go/deprecated"
	"github.com/parquet-go/parquet-go/format"
)

// parquetColumn is a column of the schema's top level.
type parquetColumn struct {
	name     string
	unfit    string // why it can't be fields; "" where it can
	leaf     int    // the number of its first leaf
	physical format.Type
	size     int // bytes of a fixed-length value
	optional bool
	// How values are written: ints of INT32 and INT64, raw of the byte arrays
	// that are not text as they are (nil).
	ints func(dst []byte, v int64) []byte
	raw  func(dst, v []byte) []byte
}

// begin finds out what e's values are.
func (c *parquetColumn) begin(e *format.SchemaElement) {
	switch {
	case e.NumChildren.Valid && e.NumChildren.V > 0 || !e.Type.Valid:
		c.unfit = "nested"
		return
	case e.RepetitionType.V == format.Repeated:
		c.unfit = "a list"
		return
	}
	c.optional = e.RepetitionType.Valid && e.RepetitionType.V == format.Optional
	c.physical = e.Type.V
	switch c.physical {
	case format.Int32, format.Int64:
		c.ints = intsOf(e)
	case format.Int96:
		c.size, c.raw = 12, appendInt96
	case format.Boolean, format.Float, format.Double:
	case format.ByteArray, format.FixedLenByteArray:
		if c.physical == format.FixedLenByteArray {
			if c.size = int(e.TypeLength.V); c.size < 1 || c.size > maxValue {
				c.unfit = fmt.Sprintf("values of %d bytes", c.size)
				return
			}
		}
		c.raw = rawOf(e, c.size)
	default:
		c.unfit = fmt.Sprintf("type %d", c.physical)
	}
	if s := scaleOf(e); s > maxScale || s < -maxScale {
		c.unfit = fmt.Sprintf("decimals of scale %d", s)
	}
}

// scaleOf gives the scale of a decimal, 0 for other types.
func scaleOf(e *format.SchemaElement) int {
	if d, ok := e.LogicalType.Value.(*format.DecimalType); ok {
		return int(d.Scale)
	}
	if e.ConvertedType.Valid && e.ConvertedType.V == deprecated.Decimal {
		return int(e.Scale.V)
	}
	return 0
}

// perSecond gives how many of a unit make a second.
func perSecond(u format.TimeUnit) int64 {
	switch u.Value.(type) {
	case *format.MilliSeconds:
		return 1e3
	case *format.MicroSeconds:
		return 1e6
	}
	return 1e9
}

func appendUnsigned(bits int) func([]byte, int64) []byte {
	if bits == 32 {
		return func(dst []byte, v int64) []byte { return strconv.AppendUint(dst, uint64(uint32(v)), 10) }
	}
	return func(dst []byte, v int64) []byte { return strconv.AppendUint(dst, uint64(v), 10) }
}

// intsOf gives how e's INT32 or INT64 values are written: by its logical type,
// else by the converted type of older files.
func intsOf(e *format.SchemaElement) func([]byte, int64) []byte {
	bits := 32
	if e.Type.V == format.Int64 {
		bits = 64
	}
	switch t := e.LogicalType.Value.(type) {
	case *format.DateType:
		return timeOf(0)
	case *format.TimestampType:
		return timeOf(perSecond(t.Unit))
	case *format.TimeType:
		return clockOf(perSecond(t.Unit))
	case *format.DecimalType:
		return decimalOf(int(t.Scale))
	case *format.IntType:
		if !t.IsSigned {
			return appendUnsigned(bits)
		}
		return appendInt
	}
	if !e.ConvertedType.Valid {
		return appendInt
	}
	switch e.ConvertedType.V {
	case deprecated.Date:
		return timeOf(0)
	case deprecated.TimestampMillis:
		return timeOf(1e3)
	case deprecated.TimestampMicros:
		return timeOf(1e6)
	case deprecated.TimeMillis:
		return clockOf(1e3)
	case deprecated.TimeMicros:
		return clockOf(1e6)
	case deprecated.Decimal:
		return decimalOf(int(e.Scale.V))
	case deprecated.Uint8, deprecated.Uint16, deprecated.Uint32, deprecated.Uint64:
		return appendUnsigned(bits)
	}
	return appendInt
}

// rawOf gives how e's byte arrays are written, nil for as they are.
func rawOf(e *format.SchemaElement, size int) func(dst, v []byte) []byte {
	_, decimal := e.LogicalType.Value.(*format.DecimalType)
	if decimal || e.ConvertedType.Valid && e.ConvertedType.V == deprecated.Decimal {
		scale := scaleOf(e)
		return func(dst, v []byte) []byte {
			return appendDecimal(dst, bigEndian(v).String(), scale)
		}
	}
	switch e.LogicalType.Value.(type) {
	case *format.UUIDType:
		if size == 16 {
			return appendUUID
		}
	case *format.Float16Type:
		if size == 2 {
			return func(dst, v []byte) []byte {
				return appendFloat(dst, float64(half(binary.LittleEndian.Uint16(v))), 32)
			}
		}
	}
	return nil
}

func appendUUID(dst, v []byte) []byte {
	for i, b := range v {
		if i == 4 || i == 6 || i == 8 || i == 10 {
			dst = append(dst, '-')
		}
		dst = hex.AppendEncode(dst, []byte{b})
	}
	return dst
}

// appendInt96 writes the time that Spark and Impala keep in twelve bytes:
// nanoseconds of the day, and the Julian day.
func appendInt96(dst, v []byte) []byte {
	const epoch = 2440588 // 1970-01-01
	nanos := int64(binary.LittleEndian.Uint64(v))
	day := int64(int32(binary.LittleEndian.Uint32(v[8:]))) - epoch
	return appendTime(dst, day*86400+nanos/1e9, 1)
}

// half gives the value of an IEEE 754 number of 16 bits.
func half(h uint16) float32 {
	sign, exp, frac := float64(1), int(h>>10&31), float64(h&1023)
	if h>>15 != 0 {
		sign = -1
	}
	switch exp {
	case 0:
		return float32(sign * math.Ldexp(frac, -24))
	case 31:
		if frac != 0 {
			return float32(math.NaN())
		}
		return float32(math.Inf(int(sign)))
	}
	return float32(sign * math.Ldexp(frac+1024, exp-25))
}
