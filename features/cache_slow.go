package features

// cross writes the codes of a cross. Pairs that came lately are remembered.
func (e *CacheEncoder) cross(b *CacheBatch, k, f, lo, hi int, rows []int32, dst []uint32) {
	x, c, width := &e.fields[f], e.heads.c, len(e.fields)
	var two [2]Codes
	if len(x.cols) == 2 {
		two[0], two[1] = c.codes(k, x.cols[0]), c.codes(k, x.cols[1])
		if b.memo == nil {
			b.memo = make([][]memoEntry, width)
		}
		if b.memo[f] == nil {
			b.memo[f] = make([]memoEntry, 1<<memoBits)
		}
	}
	for i := range hi - lo {
		row := lo + i
		if rows != nil {
			row = int(rows[i])
		}
		if len(x.cols) > 2 {
			dst[i*width] = e.crossCode(b, k, f, row)
			continue
		}
		key := uint64(two[1].At(row))<<32 | uint64(two[0].At(row)) + 1
		m := &b.memo[f][key*0x9E3779B97F4A7C15>>(64-memoBits)]
		if m.key != key {
			*m = memoEntry{key, e.crossCode(b, k, f, row)}
		}
		dst[i*width] = m.code
	}
}

// crossCode works out the code of a cross of one row.
func (e *CacheEncoder) crossCode(b *CacheBatch, k, f, row int) uint32 {
	o := &e.heads.enc.ops[f]
	b.text = e.heads.appendCross(b.text[:0], o, k, row)
	return e.offset[f] + o.code(b.text)
}

// appendCross appends the joined values of a cross.
func (h *cacheHeads) appendCross(dst []byte, o *op, k, row int) []byte {
	for i, col := range o.cols {
		at := col
		if col < 0 {
			at = h.enc.time
		}
		codes := h.c.codes(k, at)
		dst = h.appendJoined(dst, i, col, codes.At(row))
	}
	return dst
}

// appendJoined appends part i of a cross: a value of column col, or the part
// of a time that col, below 0, stands for.
func (h *cacheHeads) appendJoined(dst []byte, i, col int, value uint32) []byte {
	if i > 0 {
		dst = append(dst, crossJoin)
	}
	if col < 0 {
		return h.hour[value].appendPart(dst, timeParts[-col])
	}
	return append(dst, h.c.value(col, value)...)
}

// fault says what is wrong with row i of chunk k, as an Encoder has it.
func (e *CacheEncoder) fault(b *CacheBatch, k, i int) error {
	h := e.heads
	h.c.ReadRows(&b.block, "", k, i, i+1, nil)
	if err := b.block.Check(false); err != nil {
		return err
	}
	b.block.Split()
	if err := b.block.Err(0); err != nil {
		return err
	}
	r := b.block.Row(0)
	_, _, err := h.enc.Hour(&r)
	if err == nil {
		_, _, err = h.head(&r)
	}
	if err == nil {
		err = h.enc.Encode(&r, b.ex)
	}
	return detached(err)
}

// detached gives a row's error a value of its own, which outlives the block.
func detached(err error) error {
	if re, ok := err.(*RowError); ok { //nolint:errorlint // as made here
		re.Value = append([]byte{}, re.Value...)
	}
	return err
}

// head reads the label and the weight of a row of text.
func (h *cacheHeads) head(r *Row) (y int, w float64, err error) {
	if y, err = h.enc.Label(r); err != nil {
		return 0, 0, err
	}
	if y < 0 {
		return 0, 0, h.enc.NoLabel()
	}
	w, _, err = h.enc.Weight(r)
	return y, w, err
}

// readText does what Read does for a chunk in which a column is text.
func (e *CacheEncoder) readText(b *CacheBatch, k, lo, hi int, keep func(int64, Hour, int) bool, bad func(int, error)) error {
	h := e.heads
	h.c.ReadRows(&b.block, "", k, lo, hi, h.enc.Reads(false))
	if err := b.block.Check(false); err != nil {
		return err
	}
	b.block.Split()
	b.Codes = b.Codes[:0]
	for i := range hi - lo {
		err := b.block.Err(i)
		r := b.block.Row(i)
		var hour Hour
		if err == nil {
			hour, _, err = h.enc.Hour(&r)
		}
		if err == nil && keep != nil {
			y, bad := h.enc.Label(&r)
			if bad != nil {
				y = -1
			}
			if !keep(b.block.First+int64(i), hour, y) {
				continue
			}
		}
		var y int
		var w float64
		if err == nil {
			y, w, err = h.head(&r)
		}
		if err == nil {
			err = h.enc.Encode(&r, b.ex)
		}
		if err != nil {
			bad(lo+i, detached(err))
			continue
		}
		b.Rows, b.Y = append(b.Rows, int32(lo+i)), append(b.Y, uint8(y))
		if h.enc.weight >= 0 {
			b.W = append(b.W, w)
		}
		if h.enc.time >= 0 {
			b.Hour = append(b.Hour, hour)
		}
		for f, code := range b.ex.Codes {
			b.Codes = append(b.Codes, e.offset[f]+code)
		}
	}
	return nil
}
