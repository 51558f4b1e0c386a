package factor

import (
	"ctr/features"
	"ctr/models"
)

// Explains gives nil.
func (m *Model) Explains() error { return nil }

// Baseline gives the bias, in log-odds. Model implements models.Explainer.
func (m *Model) Baseline() (value float64, scale models.Scale) { return m.bias, models.LogOdds }

// vectors are what a row's values have towards each other: of each field, its
// vector towards each other field (or one for all), and its linear weight.
type vectors struct {
	linear []float64 // by field
	v      []float64 // by field, other field, factor
}

// Contributions appends what each field adds to the row's log-odds: its linear
// weight, and half of its product with each other field, since a product
// belongs to both. It takes fields² · factors steps.
func (m *Model) Contributions(ex *features.Example, dst []float64) []float64 {
	fields := len(m.tables)
	x := m.vectorsOf(ex)
	linear, scale := m.form.constants()
	towards := func(a, b int) []float64 {
		if m.form.vectors() == 1 {
			b = 0
		}
		at := (a*m.form.vectors() + b) * m.factors
		return x.v[at : at+m.factors]
	}
	for a := range fields {
		sum := 0.
		for b := range fields {
			if a == b {
				continue
			}
			u, v := towards(a, b), towards(b, a)
			for k := range u {
				sum += u[k] * v[k]
			}
		}
		dst = append(dst, scale*(linear*x.linear[a]+sum/2))
	}
	return dst
}

// vectorsOf reads the weights of a row.
func (m *Model) vectorsOf(ex *features.Example) vectors {
	fields, many, lines := len(m.tables), m.form.vectors(), m.form.lines()
	x := vectors{linear: make([]float64, fields), v: make([]float64, fields*many*m.factors)}
	for f := range m.tables {
		slot := m.weights[m.tables[f].slot(ex.Codes[f])*lines*lanes:][:lines*lanes]
		for i, w := range slot {
			towards, factor, ok := m.form.at(f, i/lanes, i%lanes)
			switch {
			case !ok:
			case factor < 0:
				x.linear[f] = float64(w)
			default:
				x.v[(f*many+towards)*m.factors+factor] = float64(w)
			}
		}
	}
	return x
}
