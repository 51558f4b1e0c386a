package infer

import (
	"encoding/binary"
	"math"
	"strconv"
)

// Elements of binary tensors: numbers as they lie in memory, little-endian;
// BYTES as four bytes of length and that many. Triton's binary data extension
// has them behind the JSON of a request, in the order of the inputs, and gRPC
// in raw_input_contents.
// (https://github.com/triton-inference-server/server/blob/main/docs/protocol/extension_binary_data.md)

// sections gives the inputs of binary data what lies behind the JSON.
func (q *inference) sections(rest []byte) *fault {
	for i := range q.inputs {
		t := &q.inputs[i]
		if t.binary < 0 {
			continue
		}
		if t.binary > int64(len(rest)) {
			return q.wrong(t, "binary data of "+strconv.FormatInt(t.binary, 10)+" bytes: the body has "+strconv.Itoa(len(rest)))
		}
		t.from = len(q.values)
		if f := q.elements(t, rest[:t.binary]); f != nil {
			return f
		}
		rest = rest[t.binary:]
	}
	if len(rest) > 0 {
		return badRequest("%d bytes behind the data of the inputs", len(rest))
	}
	return nil
}

// elements adds those of a binary tensor and ends it.
func (q *inference) elements(t *tensor, data []byte) *fault {
	if t.datatype == typeBytes {
		return q.strings(t, data)
	}
	size := datatypes[t.datatype].size
	if len(data)%size != 0 {
		return q.wrong(t, "binary data of "+strconv.Itoa(len(data))+" bytes: want a multiple of "+strconv.Itoa(size))
	}
	if f := q.room(t, len(data)/size); f != nil {
		return f
	}
	for ; len(data) > 0; data = data[size:] {
		before := len(q.extra)
		q.extra = t.datatype.append(q.extra, data)
		q.values = append(q.values, valueOf(q.base+before, q.base+len(q.extra), kindNumber))
	}
	t.to = len(q.values)
	return q.finish(t)
}

func (q *inference) strings(t *tensor, data []byte) *fault {
	for len(data) > 0 {
		if f := q.room(t, 1); f != nil {
			return f
		}
		if len(data) < 4 || uint64(binary.LittleEndian.Uint32(data)) > uint64(len(data)-4) {
			return q.wrong(t, "binary data ends within a string")
		}
		n := int(binary.LittleEndian.Uint32(data))
		if n > q.limits.bytes {
			return q.wrong(t, "value too long: want "+strconv.Itoa(q.limits.bytes)+" bytes at most")
		}
		before := len(q.extra)
		q.extra = append(q.extra, data[4:4+n]...)
		q.add(t, before, kindString)
		data = data[4+n:]
	}
	t.to = len(q.values)
	return q.finish(t)
}

// append appends the text of the element that b begins with. It has none where
// it is NaN.
func (d datatype) append(dst, b []byte) []byte {
	le := binary.LittleEndian
	switch d {
	case typeBool:
		return strconv.AppendBool(dst, b[0] != 0)
	case typeInt8:
		return strconv.AppendInt(dst, int64(int8(b[0])), 10)
	case typeInt16:
		return strconv.AppendInt(dst, int64(int16(le.Uint16(b))), 10)
	case typeInt32:
		return strconv.AppendInt(dst, int64(int32(le.Uint32(b))), 10)
	case typeInt64:
		return strconv.AppendInt(dst, int64(le.Uint64(b)), 10)
	case typeUint8:
		return strconv.AppendUint(dst, uint64(b[0]), 10)
	case typeUint16:
		return strconv.AppendUint(dst, uint64(le.Uint16(b)), 10)
	case typeUint32:
		return strconv.AppendUint(dst, uint64(le.Uint32(b)), 10)
	case typeUint64:
		return strconv.AppendUint(dst, le.Uint64(b), 10)
	case typeFP16:
		return appendNumber(dst, float64(half(le.Uint16(b))), 32)
	case typeFP32:
		return appendNumber(dst, float64(math.Float32frombits(le.Uint32(b))), 32)
	}
	return appendNumber(dst, math.Float64frombits(le.Uint64(b)), 64)
}

// appendNumber appends a number as a CSV file would most likely have it: whole
// ones without a point or exponent, up to 2^53, and others as the shortest
// decimal that reads back as x in that many bits. NaN is a missing value.
func appendNumber(dst []byte, x float64, bits int) []byte {
	switch {
	case x != x:
		return dst
	case x == math.Trunc(x) && math.Abs(x) <= 1<<53:
		return strconv.AppendInt(dst, int64(x), 10)
	}
	return strconv.AppendFloat(dst, x, 'g', -1, bits)
}

// half gives a number of IEEE 754's binary16.
func half(h uint16) float32 {
	sign, exp, frac := uint32(h>>15)<<31, uint32(h>>10&31), uint32(h&1023)
	switch exp {
	case 0: // subnormal: frac × 2^-24
		x := float32(frac) * (1.0 / (1 << 24))
		return math.Float32frombits(math.Float32bits(x) | sign)
	case 31:
		return math.Float32frombits(sign | 255<<23 | frac<<13)
	}
	return math.Float32frombits(sign | (exp+127-15)<<23 | frac<<13)
}
