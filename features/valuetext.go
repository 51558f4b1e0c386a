package features

import "bytes"

// AppendValue appends what field f sees of row r, for people to read: the value
// as it stands, the parts of a cross with " × " between them, the number that
// a part of the time or an earlier row gives. r must have been encoded into ex
// last.
func (e *Encoder) AppendValue(dst []byte, f int, r *Row, ex *Example) []byte {
	o := &e.ops[f]
	switch {
	case o.kind == opPart:
		return ex.scratch.hour.appendPart(dst, o.field.Part)
	case o.kind == opPast:
		if x := ex.Values[f]; x == x {
			return appendNumber(dst, x)
		}
		return dst
	case len(o.cols) > 1:
		at := len(dst)
		dst = o.appendText(dst, r, ex.scratch.hour)
		joined := bytes.ReplaceAll(dst[at:], []byte{crossJoin}, []byte(" × "))
		return append(dst[:at], joined...)
	}
	return append(dst, r.Field(o.col)...)
}
