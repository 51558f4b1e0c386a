package features

// Codes is one column of codes in the narrowest type that holds its field's
// Size: exactly one of the slices is set.
type Codes struct {
	U8  []uint8
	U16 []uint16
	U32 []uint32
}

// At gives the code of row i.
func (c *Codes) At(i int) uint32 {
	switch {
	case c.U8 != nil:
		return uint32(c.U8[i])
	case c.U16 != nil:
		return uint32(c.U16[i])
	default:
		return c.U32[i]
	}
}

// Set stores the code of row i.
func (c *Codes) Set(i int, code uint32) {
	switch {
	case c.U8 != nil:
		c.U8[i] = uint8(code)
	case c.U16 != nil:
		c.U16[i] = uint16(code)
	default:
		c.U32[i] = code
	}
}

// MakeCodes gives a column of n zero codes below size.
func MakeCodes(n, size int) Codes { return AllocCodes(nil, n, size) }

// AllocCodes is MakeCodes with memory from s.
func AllocCodes(s *Scratch, n, size int) Codes {
	switch {
	case size <= 1<<8:
		return Codes{U8: Alloc[uint8](s, n)}
	case size <= 1<<16:
		return Codes{U16: Alloc[uint16](s, n)}
	default:
		return Codes{U32: Alloc[uint32](s, n)}
	}
}

// packCodes gives codes in the narrowest type that holds them, in memory from
// s.
func packCodes(s *Scratch, codes []uint32) Codes {
	c := AllocCodes(s, len(codes), int(maxOf(codes))+1)
	c.fill(0, &Codes{U32: codes}, 0, len(codes), nil)
	return c
}

// slice gives codes lo … hi-1.
func (c *Codes) slice(lo, hi int) Codes {
	switch {
	case c.U8 != nil:
		return Codes{U8: c.U8[lo:hi]}
	case c.U16 != nil:
		return Codes{U16: c.U16[lo:hi]}
	default:
		return Codes{U32: c.U32[lo:hi]}
	}
}

// pick gives the codes of some rows, in a column of the same type.
func (c *Codes) pick(rows []int32) Codes {
	switch {
	case c.U8 != nil:
		return Codes{U8: pick(c.U8, rows)}
	case c.U16 != nil:
		return Codes{U16: pick(c.U16, rows)}
	default:
		return Codes{U32: pick(c.U32, rows)}
	}
}

func pick[T any](from []T, rows []int32) []T {
	to := make([]T, len(rows))
	for i, row := range rows {
		to[i] = from[row]
	}
	return to
}

// fill sets the codes from at on to what codes lo … hi-1 of from are in
// remap, or to themselves where remap is nil.
func (c *Codes) fill(at int, from *Codes, lo, hi int, remap []uint32) {
	switch {
	case c.U8 != nil:
		fillFrom(c.U8[at:at+hi-lo], from, lo, hi, remap)
	case c.U16 != nil:
		fillFrom(c.U16[at:at+hi-lo], from, lo, hi, remap)
	default:
		fillFrom(c.U32[at:at+hi-lo], from, lo, hi, remap)
	}
}

type codeType interface{ uint8 | uint16 | uint32 }

func fillFrom[T codeType](dst []T, from *Codes, lo, hi int, remap []uint32) {
	switch {
	case from.U8 != nil:
		remapped(dst, from.U8[lo:hi], remap)
	case from.U16 != nil:
		remapped(dst, from.U16[lo:hi], remap)
	default:
		remapped(dst, from.U32[lo:hi], remap)
	}
}

func remapped[T, S codeType](dst []T, src []S, remap []uint32) {
	if remap == nil {
		for i, x := range src {
			dst[i] = T(x)
		}
		return
	}
	for i, x := range src {
		dst[i] = T(remap[x])
	}
}

// count adds the training rows of each code to counts.
func (c *Codes) count(counts []int, parts []part) {
	switch {
	case c.U8 != nil:
		countInto(counts, c.U8, parts)
	case c.U16 != nil:
		countInto(counts, c.U16, parts)
	default:
		countInto(counts, c.U32, parts)
	}
}

func countInto[T codeType](counts []int, codes []T, parts []part) {
	for i, p := range parts {
		if p == toTrain {
			counts[codes[i]]++
		}
	}
}
