package spark

import (
	"math"
	"slices"

	"ctr/features"
	"ctr/models"
	"ctr/models/linear"
)

// linear folds a logistic regression and the stages before it into a weight for
// each code of each field, or for a number, and a bias.
func (p *plan) linear(s *stage, v vector) (models.Model, *features.Spec, error) {
	t, err := p.files.data(s, "data", "interceptVector", "coefficientMatrix", "isMultinomial", "numClasses")
	if err != nil {
		return nil, nil, err
	}
	classes, err := t.size("numClasses")
	if err != nil {
		return nil, nil, err
	}
	rows, err := t.matrix("coefficientMatrix")
	if err != nil {
		return nil, nil, err
	}
	intercept, err := t.vector("interceptVector")
	if err != nil {
		return nil, nil, err
	}
	if classes != 2 || intercept.size != len(rows) || len(rows[0]) != v.size() {
		return nil, nil, s.fail("%d classes, %d coefficients, %d intercepts: want 2, %d, %d", classes, len(rows[0]), intercept.size, v.size(), len(rows))
	}
	w, first := rows[len(rows)-1], 0.0
	if len(rows) == 2 { // family "multinomial": the odds are those of one class against the other
		for i := range w {
			w[i] -= rows[0][i]
		}
		first = intercept.at(0)
	}
	l := &fold{bias: sum{x: intercept.at(len(rows)-1) - first}}
	spec, err := p.settle(v, func(from, end int) bool {
		return slices.ContainsFunc(w[from:end], func(x float64) bool { return x != 0 })
	})
	if err != nil {
		return nil, nil, s.fail("%w", err)
	}
	offsets, total := spec.Offsets()
	if err := p.files.allow.Take(8 * int64(total)); err != nil {
		return nil, nil, s.fail("%w", err)
	}
	weights := make([]float64, total)
	for f, at := range offsets {
		l.codes = append(l.codes, weights[at:at+spec.Size(f)])
	}
	for i := range v {
		for k, x := range w[v[i].at : v[i].at+v[i].n] {
			if x != 0 {
				at := v[i].slotAt(k)
				l.slot(&at, x, spec)
			}
		}
	}
	bias := l.bias.value()
	for i := range total + 1 {
		x := bias
		if i < total {
			x = weights[i]
		}
		if math.IsNaN(x) || math.IsInf(x, 0) {
			return nil, nil, s.fail("a weight of %v: want finite ones", x)
		}
	}
	m, err := linear.New(spec, weights, bias)
	if err != nil {
		return nil, nil, s.fail("%w", err)
	}
	return m, spec, nil
}

// fold is a linear model in the making.
type fold struct {
	bias  sum
	codes [][]float64 // weights by field and code: parts of one array
}

// slot adds what a slot of weight w gives.
func (l *fold) slot(s *slot, w float64, spec *features.Spec) {
	codes := l.codes[s.src.place]
	if !s.src.category() {
		l.number(s, w, &spec.Fields[s.src.place], codes)
		return
	}
	if s.hot == theNumber {
		for c := range codes {
			codes[c] += w * s.value(c)
		}
		return
	}
	off := s.raw(0)
	l.bias.add(w * off)
	if s.hot != nobody {
		codes[s.hot] += w * (s.raw(1) - off)
	}
}

// number adds what a slot of a number gives. A linear model weighs a number
// as (v - mean)/scale: those of the first scaler it went through.
func (l *fold) number(s *slot, w float64, fd *features.Field, codes []float64) {
	a := s.chain.affine(s.at)
	l.bias.add(w * a.add)
	w *= a.mul
	if s.hot == theMissing || s.missing == 0 { // of ctr's own SQL, which has standardised it
		at := 1
		if s.hot == theMissing {
			at = 0
		}
		codes[at] += w / a.scale
		l.bias.add(-w * a.mean / a.scale)
		return
	}
	if codes[1] == 0 {
		fd.Mean, fd.Scale = a.mean, a.scale
		codes[1] = w
		return
	}
	codes[1] += w * fd.Scale / a.scale
	l.bias.add(w * (fd.Mean - a.mean) / a.scale)
}

// sum adds many numbers without losing the low bits (Neumaier 1974).
type sum struct{ x, lost float64 }

func (s *sum) add(y float64) {
	t := s.x + y
	if math.Abs(s.x) >= math.Abs(y) {
		s.lost += (s.x - t) + y
	} else {
		s.lost += (y - t) + s.x
	}
	s.x = t
}

func (s *sum) value() float64 { return s.x + s.lost }
