package factor

import (
	"math"
	"unsafe"
)

// plain is the form of a factorisation machine: a slot's lanes are the vector,
// the linear weight, and nothing up to a whole number of lines. What is to be
// known of a row is the sum of its fields' lanes and that of their squares
// (Rendle 2010, lemma 3.1):
//
//	Σ_{a<b} ⟨v_a, v_b⟩ = ½ Σ_d ((Σ_a v_ad)² - Σ_a v_ad²)
type plain struct {
	fields, factors int
	height          int       // lines of a slot
	scale           float64   // of the sum of products: 1/fields
	linear          float32   // of linear weights, before scale
	mask            []float32 // by lane: 1 for factors
	constant        []float32 // by lane: linear for the linear weight
	groups          int       // parts
}

func newPlain(fields, factors int) *plain {
	p := &plain{
		fields: fields, factors: factors, height: (factors + lanes) / lanes,
		scale: 1 / float64(fields), linear: float32(math.Sqrt(float64(fields))), groups: min(maxParts/2, fields),
	}
	p.mask, p.constant = make([]float32, p.height*lanes), make([]float32, p.height*lanes)
	for i := range factors {
		p.mask[i] = 1
	}
	p.constant[factors] = p.linear
	return p
}

func (p *plain) lines() int   { return p.height }
func (p *plain) places() int  { return (p.fields + 1) &^ 1 }
func (p *plain) vectors() int { return 1 }

func (p *plain) constants() (linear, scale float64) { return float64(p.linear), p.scale }

func (p *plain) at(_, line, lane int) (towards, factor int, ok bool) {
	factor = line*lanes + lane
	if factor == p.factors {
		return 0, -1, true
	}
	return 0, factor, factor < p.factors
}

// moments are the sums of eight lanes and of their squares over fields.
type moments [2 * lanes]float32

// add adds eight lanes to the moments, those that begin at each of rows.
func (m *moments) add(weights []float32, rows []uint64) {
	if fast && len(rows) > 0 {
		momentsAVX(&weights[0], &rows[0], len(rows), m)
		return
	}
	m.addSlowly(weights, rows)
}

func (m *moments) addSlowly(weights []float32, rows []uint64) {
	for _, at := range rows {
		for j, v := range line(weights, at, 0, lanes) {
			m[j] += v
			m[lanes+j] += float32(v * v)
		}
	}
}

// value gives what line i of the sums and of the squares' sums adds to the
// sum of products and linear weights.
func (p *plain) value(i int, sums, squares []float32) float64 {
	total := 0.0
	for j := range lanes {
		s, q := float64(sums[j]), float64(squares[j])
		total += float64(.5*float64(p.mask[i*lanes+j])*(float64(s*s)-q)) + float64(float64(p.constant[i*lanes+j])*s)
	}
	return total
}

// score is shape.score for this form, which fetches nothing early: a row has but
// a line or two a field.
func (p *plain) score(weights []float32, rows, _ []uint64) float64 {
	total := 0.0
	for i := range p.height {
		var m moments
		m.add(weights[i*lanes:], rows[:p.fields])
		total += p.value(i, m[:lanes], m[lanes:])
	}
	return float64(total * p.scale)
}

// span gives the fields of a part.
func (p *plain) span(part int) (lo, hi int) {
	return part * p.fields / p.groups, (part + 1) * p.fields / p.groups
}

func (p *plain) machine(weights []float32, st step) machine {
	return &pooled{plain: p, weights: weights, step: st}
}

// pooled is a factorisation machine in training.
type pooled struct {
	*plain
	weights []float32
	step    step
}

func (m *pooled) shares() int { return m.groups }
func (m *pooled) width() int  { return 2 * lanes * m.height }

func (m *pooled) forward(part int, rows []uint64, out []float32) {
	lo, hi := m.span(part)
	for i := range m.height {
		var one moments
		one.add(m.weights[i*trainLine:], rows[lo:hi])
		copy(out[2*lanes*i:], one[:])
	}
}

func (m *pooled) sum(total []float32) float64 {
	x := 0.0
	for i := range m.height {
		one := total[2*lanes*i:]
		x += m.value(i, one[:lanes], one[lanes:2*lanes])
	}
	return float64(x * m.scale)
}

func (m *pooled) update(part int, rows, next []uint64, total []float32, kappa float64) {
	lo, hi := m.span(part)
	st := m.step
	st.kappa = float32(kappa * m.scale)
	for i := range m.height {
		l := lane8{sums: total[2*lanes*i:][:lanes], mask: m.mask[i*lanes:][:lanes], constant: m.constant[i*lanes:][:lanes]}
		l.update(m.weights[i*trainLine:], rows[lo:hi], next[lo:hi], &st)
	}
}

// lane8 is what the weights of eight lanes move by: the derivative of the
// prediction by weight v is (sums - v)·mask + constant.
type lane8 struct{ sums, mask, constant []float32 }

func (l *lane8) update(weights []float32, rows, next []uint64, s *step) {
	if fast && len(rows) > 0 {
		lanesAVX(&weights[0], &rows[0], &next[0], len(rows), unsafe.SliceData(l.sums), unsafe.SliceData(l.mask), unsafe.SliceData(l.constant), s)
		return
	}
	l.updateSlowly(weights, rows, s)
}

func (l *lane8) updateSlowly(weights []float32, rows []uint64, s *step) {
	for _, at := range rows {
		x := line(weights, at, 0, trainLine)
		for j := range lanes {
			s.one(x, j, float32((l.sums[j]-x[j])*l.mask[j])+l.constant[j])
		}
	}
}
