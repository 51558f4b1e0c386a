package features

import "encoding/binary"

// EncodeRows encodes rows of b into ex, as Encode does one by one, until one
// of them is bad: n rows were encoded, and err is that of row rows[n], or nil.
// The rows must have no Err, and ex must be as long as rows.
//
// It goes column by column: the look-ups of a column's rows do not wait for
// each other, so that the memory they miss in the caches is fetched at once.
// With a model of a hundred thousand values that is what a row costs most.
func (e *Encoder) EncodeRows(b *Block, rows []int32, ex []*Example) (n int, err error) {
	n = len(rows)
	if len(e.slow) > 0 {
		for i, row := range rows {
			r := b.Row(int(row))
			if err = e.encodeSlowly(&r, ex[i]); err != nil {
				n = i
				break
			}
		}
	}
	rows, ex = rows[:n], ex[:n]
	for f := range e.ops {
		o := &e.ops[f]
		switch o.kind {
		case opDict, opCast:
			if len(o.dict.table) > bigTable && n > 0 {
				ex[0].scratch.touched = e.touch(o, b, rows)
			}
			o.dict.codes(b, o.col, rows, f, ex)
			if o.kind == opCast {
				o.recastRows(b, rows, f, ex)
			}
		case opHash:
			var codes [codesTogether]uint32
			for lo := 0; lo < n; lo += codesTogether {
				group := rows[lo:min(lo+codesTogether, n)]
				o.hashes(b, group, 0, codes[:], 1)
				for i := range group {
					ex[lo+i].Codes[f] = codes[i]
				}
			}
		}
	}
	return n, err
}

// codes looks up column col of rows of b and writes field f of ex. It does
// the first probe of codeAt in its own loop, and leaves the rest to it.
func (d *Dictionary) codes(b *Block, col int, rows []int32, f int, ex []*Example) {
	data, table, shift := b.data, d.table, d.shift&63
	for i, row := range rows {
		at := b.bounds[int(row)*b.width+col]
		s, e := uint32(at), uint32(at>>32)
		size := e - s
		if size <= 8 && uint64(s)+8 <= uint64(len(data)) {
			key := binary.LittleEndian.Uint64(data[s:]) & lowBytes[size]
			if t := &table[hashKey(key, size)>>shift]; t.key == key && t.size == size {
				ex[i].Codes[f] = t.code
				continue
			}
		}
		ex[i].Codes[f] = d.codeAt(data, s, e)
	}
}

// bigTable is the number of entries above which a dictionary's table is not
// likely to be in the nearest caches.
const bigTable = 1 << 13

// touch reads where the look-ups of a column will begin, and gives something
// made of it so that the compiler leaves the reads in. A look-up that misses
// the caches and then finds another value in its place costs a mispredicted
// branch after the wait, and holds up those behind it; these reads have no
// branch that depends on them, so that a dozen of them wait together.
func (e *Encoder) touch(o *op, b *Block, rows []int32) uint32 {
	d, x := o.dict, uint32(0)
	for _, row := range rows {
		at := b.bounds[int(row)*b.width+o.col]
		s, size := uint32(at), uint32(at>>32)-uint32(at)
		if size <= 8 && uint64(s)+8 <= uint64(len(b.data)) {
			key := binary.LittleEndian.Uint64(b.data[s:]) & lowBytes[size]
			x ^= d.table[hashKey(key, size)>>(d.shift&63)].code
		}
	}
	return x
}

// encodeSlowly does what EncodeRows leaves out: all that may fail, and what is
// made of the time or of several columns.
func (e *Encoder) encodeSlowly(r *Row, ex *Example) error {
	if e.parts {
		if err := e.encodeTime(r, ex); err != nil {
			return err
		}
	}
	for _, i := range e.slow {
		if err := e.ops[i].encode(i, r, ex); err != nil {
			return err
		}
	}
	return nil
}
