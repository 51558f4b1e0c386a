package features

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
