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
func MakeCodes(n, size int) Codes {
	switch {
	case size <= 1<<8:
		return Codes{U8: make([]uint8, n)}
	case size <= 1<<16:
		return Codes{U16: make([]uint16, n)}
	default:
		return Codes{U32: make([]uint32, n)}
	}
}

// Table is encoded rows, column by column: what every trainer reads, as often
// as it likes. It is immutable once made, and the same whatever the number of
// threads that made it. Its columns may lie in a temporary file that is mapped
// into memory, where they are larger than the memory allowed.
type Table struct {
	Spec *Spec
	Rows int
	// Codes has one column a field of the Spec.
	Codes []Codes
	// Values has one column a Num field (NaN = missing), nil for the others.
	Values [][]float64
	// Y is the label of each row, 0 or 1.
	Y []uint8
	// W is the weight of each row; nil where all weigh 1.
	W []float64
	// Hour is each row's time in hours since 1970-01-01 UTC; nil where the
	// data has no time column.
	Hour []int32
}

// Example reads row i into ex, which must come from Spec.NewExample.
func (t *Table) Example(i int, ex *Example) {
	for f := range t.Codes {
		ex.Codes[f] = t.Codes[f].At(i)
		if v := t.Values[f]; v != nil {
			ex.Values[f] = v[i]
		}
	}
}

// Clicks gives the sum of the labels.
func (t *Table) Clicks() int {
	n := 0
	for _, y := range t.Y {
		n += int(y)
	}
	return n
}
