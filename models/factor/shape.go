package factor

import "math"

// form is how the weights of one kind of machine lie in memory. A slot is a
// number of lines of eight weights; in training the accumulators of a line
// follow it.
type form interface {
	// lines is the number of lines of a slot.
	lines() int
	// places is the number of fields, with one that does not exist where that
	// makes it even.
	places() int
	// at says which weight a lane of a line of a field's slot is: a factor of the
	// vector towards another field (towards = 0 where there is one vector for
	// all), the linear weight (factor -1), or none (ok false).
	at(field, line, lane int) (towards, factor int, ok bool)
	// vectors is the number of vectors of a slot.
	vectors() int
	// constants are what linear weights are multiplied by, and then, with the sum
	// of products, both.
	constants() (linear, scale float64)
	// machine gives what trains weights of this form.
	machine(weights []float32, st step) machine
}

// shape is the form of a field-aware machine: a slot has planes of lines, as
// kernels.go says. Where the number of fields is odd, the last duo has a field
// that does not exist: all weights of it and towards it are 0, and stay so.
type shape struct {
	fields, factors int
	duos, planes    int
	scale           float64  // of the sum of products: 1/fields
	linear          float32  // of linear weights, before scale: √fields/2
	all             blocks   // every block, for scoring
	parts           []blocks // the same, cut into parts of about the same cost
}

// maxParts is the number of parts that the work on a row is cut into. It is
// part of the definition of the sums, and the greatest number of threads that
// can share it.
const maxParts = 8

// newShape gives the shape for so many fields and factors.
func newShape(fields, factors int) *shape {
	s := &shape{
		fields: fields, factors: factors, duos: (fields + 1) / 2, planes: (factors + 3) / 4,
		scale: 1 / float64(fields), linear: float32(math.Sqrt(float64(fields)) / 2),
	}
	n := s.duos * (s.duos + 1) / 2
	s.parts = make([]blocks, min(maxParts, n))
	i := 0
	for first := range uint32(s.duos) {
		for second := first; second < uint32(s.duos); second++ {
			s.addBlock(&s.all, first, second)
			s.addBlock(&s.parts[i*len(s.parts)/n], first, second)
			i++
		}
	}
	return s
}

// addBlock adds the block of two duos to b.
func (s *shape) addBlock(b *blocks, first, second uint32) {
	if first != second {
		b.cross = append(b.cross, 16*first, 16*second)
		return
	}
	exists := float32(1)
	if int(2*second+1) >= s.fields {
		exists = 0
	}
	b.within = append(b.within, 16*first, math.Float32bits(exists))
}

func (s *shape) lines() int   { return s.duos * s.planes }
func (s *shape) places() int  { return 2 * s.duos }
func (s *shape) vectors() int { return s.fields }

func (s *shape) constants() (linear, scale float64) { return float64(s.linear), s.scale }

func (s *shape) at(field, line, lane int) (towards, factor int, ok bool) {
	towards, factor = 2*(line%s.duos)+lane/4, line/s.duos*4+lane%4
	if towards == field {
		return towards, -1, factor == 0
	}
	return towards, factor, towards < s.fields && factor < s.factors
}

// score gives the log-odds less the bias of a row of a finished model: rows
// has where each field's slot begins, in bytes. The slots of next, a row to be
// scored afterwards, are fetched early.
func (s *shape) score(weights []float32, rows, next []uint64) float64 {
	total, linear := float32(0), s.linear
	for p := range s.planes {
		total += s.all.score(weights[p*s.duos*lanes:], rows, next, linear)
		linear = 0
	}
	return float64(float64(total) * s.scale)
}

func (s *shape) machine(weights []float32, st step) machine {
	st.linear = s.linear
	return &fieldAware{shape: s, weights: weights, step: st}
}

// fieldAware is a field-aware machine in training.
type fieldAware struct {
	*shape
	weights []float32
	step    step
}

func (m *fieldAware) shares() int { return len(m.parts) }
func (m *fieldAware) width() int  { return 1 }

func (m *fieldAware) forward(part int, rows []uint64, out []float32) {
	total, linear := float32(0), m.linear
	for p := range m.planes {
		total += m.parts[part].forward(m.weights[p*m.duos*trainLine:], rows, linear)
		linear = 0
	}
	out[0] = total
}

func (m *fieldAware) sum(total []float32) float64 { return float64(float64(total[0]) * m.scale) }

func (m *fieldAware) update(part int, rows, next []uint64, _ []float32, kappa float64) {
	st := m.step
	st.kappa = float32(kappa * m.scale)
	for p := range m.planes {
		m.parts[part].update(m.weights[p*m.duos*trainLine:], rows, next, &st)
		st.linear = 0
	}
}
