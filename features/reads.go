package features

// Reads reports for each column of the layout whether Encode, Label, Hour or
// Weight reads it, or ID where ids is set.
func (e *Encoder) Reads(ids bool) []bool {
	out := e.Needs()
	for _, c := range []int{e.label, e.time, e.weight} {
		if c >= 0 {
			out[c] = true
		}
	}
	if ids && e.id >= 0 {
		out[e.id] = true
	}
	return out
}

// Reads reports for each column of the layout whether a worker looks at it.
func (c *Collector) Reads() []bool { return c.enc.Reads(false) }
