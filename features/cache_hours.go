package features

// CountHours gives count the times of the rows of a block of a cache that was
// not Split, with how many rows one after the other have each; rows that could
// not be split and times that are none are left out. It reports false where
// the times are text there.
func (b *Block) CountHours(e *Encoder, count func(h Hour, n int)) bool {
	r := &b.cached
	if !b.pending || r.c == nil || e.time < 0 || !r.c.coded(r.k, e.time) {
		return false
	}
	codes := r.c.codes(r.k, e.time)
	bad := len(r.c.footer.Chunks[r.k].Bad) > 0
	for i := r.lo; i < r.hi; {
		code, n := codes.At(i), 0
		for ; i < r.hi && codes.At(i) == code; i++ {
			if !bad || r.fault(i) == nil {
				n++
			}
		}
		if h, ok := ParseHour(r.c.value(e.time, code)); ok && n > 0 {
			count(h, n)
		}
	}
	return true
}
