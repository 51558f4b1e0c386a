package linear

import (
	"context"

	"ctr/features"
)

// Probabilities appends to dst the probability of every row of t, which the
// model's Spec must have encoded, using so many threads (0 = all cores). It
// goes through the table column by column, and adds in the order in which
// Probability does: the results are the same to the last bit.
func (m *Model) Probabilities(t *features.Table, dst []float64, threads int) []float64 {
	n := len(dst)
	dst = append(dst, make([]float64, t.Rows)...)
	out := dst[n:]
	newPool(context.Background(), threads).blocks(t.Rows, rowBlock, func(lo, hi int) {
		m.blockLogOdds(t, out[lo:hi], lo)
		for i, x := range out[lo:hi] {
			out[lo+i] = Sigmoid(x)
		}
	})
	return dst
}

// blockLogOdds sets out to the log-odds of the rows from lo.
func (m *Model) blockLogOdds(t *features.Table, out []float64, lo int) {
	for i := range out {
		out[i] = m.bias
	}
	for f := range m.fields {
		fd, c, hi := &m.fields[f], &t.Codes[f], lo+len(out)
		if fd.value {
			gatherValues(out, t.Values[f][lo:hi], fd.mean, fd.scale, fd.weights[missingWeight], fd.weights[valueWeight])
			continue
		}
		gatherColumn(out, c, fd.weights, lo, hi)
	}
}
