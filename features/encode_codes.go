package features

import (
	"encoding/binary"
	"math/bits"
)

// codesTogether is how many rows EncodeCodes takes through all columns before
// the next ones: their codes stay in the first-level cache.
const codesTogether = 64

// EncodeCodes writes the codes of rows of b to dst, row by row, each with its
// field's offset (Spec.Offsets) added, until one of them is bad: n rows were
// encoded, and err is that of row rows[n], or nil. The rows must have no Err.
// dst has room for len(rows) × len(Spec.Fields) codes; ex is scratch of the
// caller's goroutine. The codes are those of Encode, without the values of
// numbers.
func (e *Encoder) EncodeCodes(b *Block, rows []int32, dst []uint32, ex *Example) (n int, err error) {
	width := len(e.ops)
	for len(rows) > 0 {
		group := rows[:min(len(rows), codesTogether)]
		good := len(group)
		if len(e.slow) > 0 {
			good, err = e.slowCodes(b, group, dst, ex)
		}
		e.quickCodes(b, group[:good], dst)
		n += good
		if err != nil {
			return n, err
		}
		rows, dst = rows[good:], dst[good*width:]
	}
	return n, nil
}

// quickCodes does the fields that are one look-up or one hash.
func (e *Encoder) quickCodes(b *Block, rows []int32, dst []uint32) {
	width := len(e.ops)
	for f := range e.ops {
		o := &e.ops[f]
		switch o.kind {
		case opDict:
			for i, row := range rows {
				at := b.bounds[int(row)*b.width+o.col]
				dst[i*width+f] = o.offset + o.dict.codeAt(b.data, uint32(at), uint32(at>>32))
			}
		case opCast:
			for i, row := range rows {
				at := b.bounds[int(row)*b.width+o.col]
				dst[i*width+f] = o.offset + o.castCode(b.data[uint32(at):at>>32])
			}
		case opHash:
			o.hashes(b, rows, o.offset, dst[f:], width)
		}
	}
}

// hashes writes offset + the hash code of each row's value in a column to every
// width-th place of dst. It is Murmur3 written out for values of up to eight
// bytes, which a call would cost as much again.
func (o *op) hashes(b *Block, rows []int32, offset uint32, dst []uint32, width int) {
	const c1, c2, c3 = 0xcc9e2d51, 0x1b873593, 0xe6546b64
	data, bounds, col, stride := b.data, b.bounds, o.col, b.width
	seed, mask := o.seed, o.mask
	for i, row := range rows {
		at := bounds[int(row)*stride+col]
		s, e := uint32(at), uint32(at>>32)
		size := e - s
		if size > 8 || uint64(s)+8 > uint64(len(data)) {
			dst[i*width] = offset + Murmur3(data[s:e], seed)&mask
			continue
		}
		v := binary.LittleEndian.Uint64(data[s:])
		h, k := seed, uint32(v)
		if size >= 4 {
			h ^= bits.RotateLeft32(k*c1, 15) * c2
			h = bits.RotateLeft32(h, 13)*5 + c3
			k = uint32(v >> 32)
		}
		if size == 8 {
			h ^= bits.RotateLeft32(k*c1, 15) * c2
			h = bits.RotateLeft32(h, 13)*5 + c3
		} else {
			// With no bytes left over k is 0, and so is what it adds.
			k &= 1<<(size&3*8) - 1
			h ^= bits.RotateLeft32(k*c1, 15) * c2
		}
		h ^= size
		h = (h ^ h>>16) * 0x85ebca6b
		h = (h ^ h>>13) * 0xc2b2ae35
		dst[i*width] = offset + (h^h>>16)&mask
	}
}

// slowCodes does the fields that quickCodes leaves out.
func (e *Encoder) slowCodes(b *Block, rows []int32, dst []uint32, ex *Example) (n int, err error) {
	width := len(e.ops)
	for i, row := range rows {
		r := b.Row(int(row))
		if err := e.encodeSlowly(&r, ex); err != nil {
			return i, err
		}
		for _, f := range e.slow {
			dst[i*width+f] = e.ops[f].offset + ex.Codes[f]
		}
	}
	return len(rows), nil
}
