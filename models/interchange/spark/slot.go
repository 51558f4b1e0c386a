package spark

import (
	"math"
	"slices"

	"ctr/features"
)

// source is a field in the making: what slots are computed from.
type source struct {
	field features.Field
	// numbers are what each code of a category stands for where it is used as
	// a number: the place of its label, say. Nil for a field that is a number.
	numbers *numbering
	known   int  // how many categories Spark's own metadata says that there are
	place   int  // in Spec.Fields, once settled
	used    bool // settled
}

// category reports whether rows have one of a number of codes there.
func (s *source) category() bool { return s.numbers != nil }

// numbering says what number a category's codes 0 … n stand for: 0 for unseen,
// which is never less than the others, code c for first + c - 1, or where there
// is a list for what that has.
type numbering struct {
	n             int
	first, unseen int
	list          []float64 // nil, or by code
}

func (n *numbering) of(code int) float64 {
	switch {
	case n.list != nil:
		return n.list[code]
	case code == 0:
		return float64(n.unseen)
	}
	return float64(n.first + code - 1)
}

// What a slot is of its source.
const (
	theNumber  = -1 // the number of its code, or the number that the row has
	theMissing = -2 // 1 where the number is missing, else 0
	nobody     = -3 // 0: the code that it is for no row has
)

// slot is one entry of a vector, or a column of numbers: a function of one
// field of the row.
type slot struct {
	src *source
	hot int // the code for which it is 1, else 0; or one of the above
	// missing is the number that stands for a missing one.
	missing float64
	chain   *chain
	at      int // the place in the vector, which the scalers of chain go by
}

// run is neighbours of a vector that are of the same source: one slot, or all
// those that a category became. A million categories are a run, not a million
// slots.
type run struct {
	slot     // the first
	n    int // how many
	// zero is where code 0 is 1 of the slots that a category became, counted
	// from the run's first; -1 where it has none.
	zero    int
	hotCode bool // slots of a category
}

// slotAt gives slot i of a run.
func (r *run) slotAt(i int) slot {
	s := r.slot
	if s.at += i; !r.hotCode {
		return s
	}
	code := i - r.src.numbers.first + 1
	switch {
	case i == r.zero:
		code = 0
	case code < 1 || code > r.src.numbers.n:
		code = nobody
	}
	s.hot = code
	return s
}

// vector is a column of vectors, or of numbers: a vector of one.
type vector []run

// size gives the number of slots.
func (v vector) size() int {
	if len(v) == 0 {
		return 0
	}
	last := &v[len(v)-1]
	return last.at + last.n
}

// slot gives slot i.
func (v vector) slot(i int) slot {
	k, _ := slices.BinarySearchFunc(v, i, func(r run, i int) int {
		if r.at+r.n <= i {
			return -1
		}
		return 1
	})
	return v[k].slotAt(i - v[k].at)
}

// chain is what was done to a vector's slots, the last of it here.
type chain struct {
	prev  *chain
	shift int // the place of the slot in prev's vector is so much lower
	step  step
}

// step scales a vector. It gives a number that never falls where x rises.
type step interface {
	apply(at int, x float64) float64
	// affine gives x → (x - mean)/scale·mul + add, but for rounding.
	affine(at int) affine
}

// affine is x → (x - mean)/scale·mul + add.
type affine struct{ mean, scale, mul, add float64 }

func (c *chain) apply(at int, x float64) float64 {
	if c == nil {
		return x
	}
	x = c.prev.apply(at-c.shift, x)
	if c.step == nil {
		return x
	}
	return c.step.apply(at, x)
}

// affine gives what all of c does to the slot at a place.
func (c *chain) affine(at int) affine {
	if c == nil {
		return affine{scale: 1, mul: 1}
	}
	a := c.prev.affine(at - c.shift)
	if c.step == nil {
		return a
	}
	b := c.step.affine(at)
	if a == (affine{scale: 1, mul: 1}) {
		return b
	}
	f := b.mul / b.scale
	return affine{a.mean, a.scale, a.mul * f, (a.add-b.mean)*f + b.add}
}

// value gives the slot of a row whose code is code, of a category.
func (s *slot) value(code int) float64 {
	x := 0.0
	switch s.hot {
	case theNumber:
		x = s.src.numbers.of(code)
	case code:
		x = 1
	}
	return s.chain.apply(s.at, x)
}

// raw gives what x, the slot's number or 0 or 1, has become.
func (s *slot) raw(x float64) float64 { return s.chain.apply(s.at, x) }

// scaled adds a step to all slots of a vector.
func scaled(v vector, by step) vector {
	out := slices.Clone(v)
	chains := map[*chain]*chain{}
	for i := range out {
		old := out[i].chain
		if chains[old] == nil {
			chains[old] = &chain{prev: old, step: by}
		}
		out[i].chain = chains[old]
	}
	return out
}

// joined adds the slots of a vector to the end of another.
func joined(dst, v vector) vector {
	shift := dst.size()
	chains := map[*chain]*chain{}
	for _, r := range v {
		if r.chain != nil && shift > 0 {
			if chains[r.chain] == nil {
				chains[r.chain] = &chain{prev: r.chain, shift: shift}
			}
			r.chain = chains[r.chain]
		}
		r.at += shift
		dst = append(dst, r)
	}
	return dst
}

// minMax is Spark's MinMaxScalerModel.
type minMax struct {
	min, max vec
	lo, hi   float64
	old      bool // of Spark 2, which divides before it multiplies
}

func (m *minMax) apply(at int, x float64) float64 {
	low := m.min.at(at)
	width := m.max.at(at) - low
	switch {
	case math.IsNaN(x):
		return x
	case width == 0: // a constant column is in the middle, whatever the row
		return m.constant()
	case m.old:
		return (x-low)/width*(m.hi-m.lo) + m.lo
	}
	return (x-low)*((m.hi-m.lo)/width) + m.lo
}

func (m *minMax) constant() float64 {
	if m.old {
		return 0.5*(m.hi-m.lo) + m.lo
	}
	return (m.lo + m.hi) / 2
}

func (m *minMax) affine(at int) affine {
	low := m.min.at(at)
	width := m.max.at(at) - low
	if width == 0 {
		return affine{scale: 1, add: m.constant()}
	}
	return affine{low, width, m.hi - m.lo, m.lo}
}

// standard is Spark's StandardScalerModel.
type standard struct {
	mean, std      vec
	center, divide bool
}

func (s *standard) apply(at int, x float64) float64 {
	if s.center {
		x -= s.mean.at(at)
	}
	if s.divide {
		if std := s.std.at(at); std != 0 {
			return x * (1 / std)
		}
		return x * 0 // a constant column is 0
	}
	return x
}

func (s *standard) affine(at int) affine {
	a := affine{scale: 1, mul: 1}
	if s.center {
		a.mean = s.mean.at(at)
	}
	if s.divide {
		if a.scale = s.std.at(at); a.scale == 0 {
			return affine{scale: 1}
		}
	}
	return a
}

// vec is a vector as Spark stores it.
type vec struct {
	size    int
	indices []float64 // ascending; nil where it is dense
	values  []float64
}

// at gives an element.
func (v *vec) at(i int) float64 {
	if v.indices == nil {
		return v.values[i]
	}
	if k, ok := slices.BinarySearch(v.indices, float64(i)); ok {
		return v.values[k]
	}
	return 0
}
