package features

// Dictionary maps values to codes 1 … Len; 0 is for all others. Immutable.
type Dictionary struct{ n int }

// Len gives the number of values.
func (d *Dictionary) Len() int { return d.n }

type scratch struct{}

// NewExample gives an Example for s's fields.
func (s *Spec) NewExample() *Example {
	return &Example{Codes: make([]uint32, len(s.Fields)), Values: make([]float64, len(s.Fields))}
}
