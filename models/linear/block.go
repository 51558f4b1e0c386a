package linear

import "ctr/features"

// ProbabilityBlock sets p[i] to Probability(ex[i]), bit for bit. It adds field
// by field to all rows, whose weights are then fetched from memory at once.
func (m *Model) ProbabilityBlock(ex []*features.Example, p []float64) {
	p = p[:len(ex)]
	for i := range p {
		p[i] = m.bias
	}
	for f := range m.fields {
		if m.fields[f].value {
			for i, e := range ex {
				p[i] += m.term(f, e)
			}
			continue
		}
		weights := m.fields[f].weights
		for i, e := range ex {
			p[i] += weights[e.Codes[f]]
		}
	}
	for i, x := range p {
		p[i] = Sigmoid(x)
	}
}
