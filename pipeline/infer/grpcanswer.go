package infer

import (
	"encoding/binary"
	"math"

	"google.golang.org/protobuf/encoding/protowire"

	"ctr/pipeline"
)

// appendText appends a field of text, which proto3 leaves out where it is empty.
func appendText[S string | []byte](dst []byte, num protowire.Number, s S) []byte {
	if len(s) == 0 {
		return dst
	}
	dst = protowire.AppendTag(dst, num, protowire.BytesType)
	return append(protowire.AppendVarint(dst, uint64(len(s))), s...)
}

// appendNested appends a message that write appends.
func appendNested(dst []byte, num protowire.Number, write func([]byte) []byte) []byte {
	dst = protowire.AppendTag(dst, num, protowire.BytesType)
	at := len(dst)
	dst = write(append(dst, 0))
	n := len(dst) - at - 1
	if n < 1<<7 {
		dst[at] = byte(n)
		return dst
	}
	var head [binary.MaxVarintLen64]byte
	length := binary.PutUvarint(head[:], uint64(n))
	dst = append(dst, head[:length-1]...) // room
	copy(dst[at+length:], dst[at+1:at+1+n])
	copy(dst[at:], head[:length])
	return dst
}

func appendTrue(dst []byte, num protowire.Number) []byte {
	return append(protowire.AppendTag(dst, num, protowire.VarintType), 1)
}

// appendResponse writes a ModelInferResponse: raw contents where the request had
// them.
func (q *inference) appendResponse(dst []byte, m *Model, r *pipeline.Request) []byte {
	dst = appendText(dst, 1, m.Name)
	dst = appendText(dst, 2, m.Version)
	dst = appendText(dst, 3, q.id)
	want := q.wanted(r)
	for o := probability; o <= ids; o <<= 1 {
		if want&o == 0 {
			continue
		}
		dst = appendNested(dst, 5, func(dst []byte) []byte {
			dst = appendText(dst, 1, o.name())
			dst = appendText(dst, 2, o.datatype())
			dst = append(dst, 3<<3|byte(protowire.BytesType), byte(protowire.SizeVarint(uint64(q.n))))
			dst = protowire.AppendVarint(dst, uint64(q.n))
			if len(q.raw) > 0 {
				return dst
			}
			return appendNested(dst, 5, func(dst []byte) []byte { return o.appendContents(dst, r) })
		})
	}
	if len(q.raw) == 0 {
		return dst
	}
	for o := probability; o <= ids; o <<= 1 {
		if want&o != 0 {
			dst = protowire.AppendTag(dst, 6, protowire.BytesType)
			dst = o.appendRaw(protowire.AppendVarint(dst, uint64(o.size(r))), r)
		}
	}
	return dst
}

// appendContents writes the InferTensorContents of one output.
func (o outputs) appendContents(dst []byte, r *pipeline.Request) []byte {
	switch o {
	case probability:
		dst = protowire.AppendVarint(protowire.AppendTag(dst, 7, protowire.BytesType), uint64(8*len(r.P)))
		for _, p := range r.P {
			dst = binary.LittleEndian.AppendUint64(dst, math.Float64bits(p))
		}
	case prediction:
		dst = protowire.AppendVarint(protowire.AppendTag(dst, 3, protowire.BytesType), uint64(len(r.P)))
		for i := range r.P {
			dst = append(dst, byte(r.Prediction(i)))
		}
	default:
		for _, id := range r.IDs {
			dst = protowire.AppendBytes(protowire.AppendTag(dst, 8, protowire.BytesType), id)
		}
	}
	return dst
}

// appendMessage writes a ServerMetadataResponse.
func (d *ServerMetadata) appendMessage(dst []byte) []byte {
	dst = appendText(dst, 1, d.Name)
	dst = appendText(dst, 2, d.Version)
	for _, e := range d.Extensions {
		dst = appendText(dst, 3, e)
	}
	return dst
}

// appendMessage writes a ModelMetadataResponse.
func (d *ModelMetadata) appendMessage(dst []byte) []byte {
	dst = appendText(dst, 1, d.Name)
	for _, v := range d.Versions {
		dst = appendText(dst, 2, v)
	}
	dst = appendText(dst, 3, d.Platform)
	for _, t := range d.Inputs {
		dst = appendNested(dst, 4, t.appendMessage)
	}
	for _, t := range d.Outputs {
		dst = appendNested(dst, 5, t.appendMessage)
	}
	return dst
}

func (t *TensorMetadata) appendMessage(dst []byte) []byte {
	dst = appendText(dst, 1, t.Name)
	dst = appendText(dst, 2, t.Datatype)
	for _, n := range t.Shape {
		dst = protowire.AppendVarint(protowire.AppendTag(dst, 3, protowire.VarintType), uint64(n))
	}
	return dst
}

// appendMessage writes a ModelIndex.
func (m *IndexedModel) appendMessage(dst []byte) []byte {
	for i, s := range []string{m.Name, m.Version, m.State, m.Reason} {
		dst = appendText(dst, protowire.Number(i+1), s)
	}
	return dst
}
