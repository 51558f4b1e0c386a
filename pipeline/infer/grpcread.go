package infer

import (
	"encoding/binary"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"
)

// ModelInferRequest is read by hand, straight into an inference: messages of
// protobuf's own would cost an allocation or more for each tensor, four times
// the work of scoring. What is read and refused is what they would
// (FuzzInferRequest). The numbers are those of oip/oip.proto.

// fields calls member for each field of a message: its number, its kind, and
// what it has, as bytes or as a number. Fields of the same number but another
// kind are unknown ones, as in protobuf.
func fields(message []byte, member func(num protowire.Number, of protowire.Type, b []byte, x uint64) *fault) *fault {
	for len(message) > 0 {
		num, of, n := protowire.ConsumeTag(message)
		if n < 0 {
			return malformed(n)
		}
		if num > protowire.MaxValidNumber { // ConsumeTag takes numbers that fit an int32
			return badRequest("message: field number %d, want at most %d", num, protowire.MaxValidNumber)
		}
		message = message[n:]
		var b []byte
		var x uint64
		switch of {
		case protowire.VarintType:
			x, n = protowire.ConsumeVarint(message)
		case protowire.BytesType:
			b, n = protowire.ConsumeBytes(message)
		case protowire.Fixed32Type:
			var y uint32
			y, n = protowire.ConsumeFixed32(message)
			x = uint64(y)
		case protowire.Fixed64Type:
			x, n = protowire.ConsumeFixed64(message)
		default:
			n = protowire.ConsumeFieldValue(num, of, message)
		}
		if n < 0 {
			return malformed(n)
		}
		message = message[n:]
		if f := member(num, of, b, x); f != nil {
			return f
		}
	}
	return nil
}

func malformed(n int) *fault { return badRequest("message: %v", protowire.ParseError(n)) }

// utf8Text sets to what a field of text has.
func utf8Text(to *[]byte, b []byte) *fault {
	if !utf8.Valid(b) {
		return badRequest("message: text that is not UTF-8")
	}
	*to = b
	return nil
}

// named is a request that names a model.
type named struct{ name, version []byte }

func (r *named) read(message []byte) *fault {
	return fields(message, func(num protowire.Number, of protowire.Type, b []byte, _ uint64) *fault {
		switch {
		case of != protowire.BytesType:
		case num == 1:
			return utf8Text(&r.name, b)
		case num == 2:
			return utf8Text(&r.version, b)
		}
		return nil
	})
}

// readMessage takes a ModelInferRequest apart.
func (q *inference) readMessage(message []byte) *fault {
	f := fields(message, func(num protowire.Number, of protowire.Type, b []byte, _ uint64) *fault {
		if of != protowire.BytesType {
			return nil
		}
		switch num {
		case 1:
			return utf8Text(&q.model, b)
		case 2:
			return utf8Text(&q.version, b)
		case 3:
			return utf8Text(&q.id, b)
		case 4:
			return parameter(b, nil)
		case 5:
			return q.inputMessage(b)
		case 6:
			return q.outputMessage(b)
		case 7:
			q.raw = append(q.raw, b)
		}
		return nil
	})
	if f != nil {
		return f
	}
	if len(q.raw) > 0 && len(q.raw) != len(q.inputs) {
		return badRequest("raw_input_contents of %d inputs: want %d", len(q.raw), len(q.inputs))
	}
	for i := range q.inputs {
		if f := q.contents(&q.inputs[i], i); f != nil {
			return f
		}
	}
	return nil
}

// contents ends an input, whose data are its raw contents or its own.
func (q *inference) contents(t *tensor, i int) *fault {
	switch {
	case len(t.name) == 0:
		return badRequest("an input without a name")
	case t.shape < 0:
		return q.wrong(t, wantShape)
	case len(q.raw) > 0 && t.fields != 0:
		return q.wrong(t, "contents and raw_input_contents: want one of them")
	case len(q.raw) > 0:
		t.from = len(q.values)
		return q.elements(t, q.raw[i])
	case t.fields&^(1<<(datatypes[t.datatype].field-1)) != 0 || t.datatype == typeFP16:
		return q.wrong(t, "contents of another datatype: want "+datatypes[t.datatype].name)
	}
	return q.finish(t)
}

func (q *inference) inputMessage(message []byte) *fault {
	t, f := q.begin()
	if f != nil {
		return f
	}
	dimensions := 0
	var kind, contentType []byte
	f = fields(message, func(num protowire.Number, of protowire.Type, b []byte, x uint64) *fault {
		switch {
		case num == 1 && of == protowire.BytesType:
			return utf8Text(&t.name, b)
		case num == 2 && of == protowire.BytesType:
			return utf8Text(&kind, b)
		case num == 3 && of == protowire.VarintType:
			return t.dimension(&dimensions, x)
		case num == 3 && of == protowire.BytesType:
			for len(b) > 0 {
				x, n := protowire.ConsumeVarint(b)
				if n < 0 {
					return malformed(n)
				}
				if f := t.dimension(&dimensions, x); f != nil {
					return f
				}
				b = b[n:]
			}
		case num == 4 && of == protowire.BytesType:
			return parameter(b, &contentType)
		case num == 5 && of == protowire.BytesType:
			return q.contentsMessage(&t, b)
		}
		return nil
	})
	if f != nil {
		return f
	}
	if t.datatype, f = datatypeOf(kind); f != nil {
		return f
	}
	t.to, t.base64 = len(q.values), string(contentType) == "base64"
	q.inputs = append(q.inputs, t)
	return nil
}

// dimension adds one of a shape.
func (t *tensor) dimension(dimensions *int, x uint64) *fault {
	if *dimensions == 0 && x <= 1<<31 {
		t.shape = int64(x)
	} else if *dimensions != 1 || x != 1 {
		return badRequest("%s", wantShape)
	}
	*dimensions++
	return nil
}

func (q *inference) outputMessage(message []byte) *fault {
	var name []byte
	f := fields(message, func(num protowire.Number, of protowire.Type, b []byte, _ uint64) *fault {
		switch {
		case of != protowire.BytesType:
		case num == 1:
			return utf8Text(&name, b)
		case num == 2:
			return parameter(b, nil)
		}
		return nil
	})
	if f != nil {
		return f
	}
	o, f := outputNamed(name)
	if f == nil && q.asked&o != 0 {
		f = badRequest("output %s: twice: want it once", name)
	}
	q.asked |= o
	return f
}

// parameter reads an entry of parameters. It sets contentType, where not nil, if
// the entry is of that.
func parameter(entry []byte, contentType *[]byte) *fault {
	var key, text []byte
	f := fields(entry, func(num protowire.Number, of protowire.Type, b []byte, _ uint64) *fault {
		switch {
		case of != protowire.BytesType:
		case num == 1:
			return utf8Text(&key, b)
		case num == 2:
			return fields(b, func(num protowire.Number, of protowire.Type, b []byte, _ uint64) *fault {
				switch {
				case num == 3 && of == protowire.BytesType:
					return utf8Text(&text, b)
				case num == 1 && of == protowire.VarintType, num == 2 && of == protowire.VarintType,
					num == 4 && of == protowire.Fixed64Type, num == 5 && of == protowire.VarintType:
					text = nil // the last of a oneof counts
				}
				return nil
			})
		}
		return nil
	})
	if f != nil {
		return f
	}
	switch string(key) {
	case "content_type":
		if contentType != nil {
			*contentType = text
		}
	case "shared_memory_region", "classification":
		return badRequest("%s: not supported here", key)
	}
	return nil
}

// contentsMessage adds the values of an InferTensorContents, packed or not.
func (q *inference) contentsMessage(t *tensor, message []byte) *fault {
	return fields(message, func(num protowire.Number, of protowire.Type, b []byte, x uint64) *fault {
		if num < 1 || num > 8 {
			return nil
		}
		want := contentsTypes[num]
		switch {
		case num == 8 && of == want:
			if len(b) > q.limits.bytes {
				return q.wrong(t, "value too long")
			}
			before := len(q.extra)
			q.extra = append(q.extra, b...)
			return q.content(t, num, before, kindString)
		case of == want:
			return q.number(t, num, x)
		case of != protowire.BytesType:
			return nil
		}
		for len(b) > 0 {
			n := 0
			switch {
			case want == protowire.VarintType:
				if x, n = protowire.ConsumeVarint(b); n < 0 {
					return malformed(n)
				}
			case want == protowire.Fixed32Type && len(b) >= 4:
				x, n = uint64(binary.LittleEndian.Uint32(b)), 4
			case want == protowire.Fixed64Type && len(b) >= 8:
				x, n = binary.LittleEndian.Uint64(b), 8
			default:
				return badRequest("message: contents end within a number")
			}
			if f := q.number(t, num, x); f != nil {
				return f
			}
			b = b[n:]
		}
		return nil
	})
}

// contentsTypes are those of the fields of InferTensorContents, unpacked.
var contentsTypes = [...]protowire.Type{
	1: protowire.VarintType, 2: protowire.VarintType, 3: protowire.VarintType, 4: protowire.VarintType,
	5: protowire.VarintType, 6: protowire.Fixed32Type, 7: protowire.Fixed64Type, 8: protowire.BytesType,
}

// contentsElements are the datatypes that their values have.
var contentsElements = [...]datatype{
	1: typeBool, 2: typeInt32, 3: typeInt64, 4: typeUint32, 5: typeUint64, 6: typeFP32, 7: typeFP64,
}

// number adds one of a field of InferTensorContents.
func (q *inference) number(t *tensor, num protowire.Number, x uint64) *fault {
	of := contentsElements[num]
	if of == typeBool && x != 0 {
		x = 1
	}
	var b [8]byte
	binary.LittleEndian.PutUint64(b[:], x)
	before := len(q.extra)
	q.extra = of.append(q.extra, b[:])
	k := kindWhole // finish looks whether those of fields for several datatypes fit theirs
	switch of {
	case typeBool:
		k = kindBool
	case typeFP32, typeFP64:
		k = kindNumber
	}
	return q.content(t, num, before, k)
}

func (q *inference) content(t *tensor, num protowire.Number, before int, k kind) *fault {
	if f := q.room(t, 1); f != nil {
		return f
	}
	t.fields |= 1 << (num - 1)
	q.add(t, before, k)
	return nil
}
