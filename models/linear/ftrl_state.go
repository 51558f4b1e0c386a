package linear

import (
	"fmt"

	"ctr/models"
)

// The tensors of a model that was learned online. lr/weights is not stored:
// most slots of a large table were never hit, and the others' weights follow
// from their state.
const (
	tensorIndex   = "ftrl/index"
	tensorV       = "ftrl/v"
	tensorQ       = "ftrl/q"
	tensorBias2   = "ftrl/bias"
	tensorNonzero = "ftrl/weights"
)

// online is the state that FTRL left a model with: slots that were hit, in
// ascending order.
type online struct {
	index []uint32
	q     []float32
	v     []float32 // nil where it is the weight
	bias  slot
}

// save writes the slots that were hit: U32 ftrl/index, where a slot stands in
// the table of weights that the spec's offsets lay out, F32 ftrl/weights, its
// weight, and F32 ftrl/q, the state that a warm start goes on from (√n of McMahan
// et al. 2013), with F32 ftrl/v where the weight is not all of the rest: z where
// there is an L1 penalty, and the number of rows seen where q = 0 and the slot
// is not admitted yet; F32 ftrl/bias has weight and q of the intercept.
func (s *online) save(f *models.File, weights []float64) error {
	w := make([]float32, len(s.index))
	for i, at := range s.index {
		w[i] = float32(weights[at])
	}
	if err := f.PutU32(tensorIndex, nil, s.index); err != nil {
		return err
	}
	for _, t := range []struct {
		name string
		data []float32
	}{{tensorNonzero, w}, {tensorQ, s.q}, {tensorV, s.v}, {tensorBias2, []float32{s.bias.v, s.bias.q}}} {
		if t.data == nil {
			continue
		}
		if err := f.PutF32(t.name, nil, t.data); err != nil {
			return err
		}
	}
	return nil
}

// loadOnline reads what save wrote, for a table of total weights.
func loadOnline(f *models.File, total int) (s *online, weights []float64, err error) {
	s = new(online)
	if s.index, err = f.U32Vec(tensorIndex, -1); err != nil {
		return nil, nil, err
	}
	for i, at := range s.index {
		if int64(at) >= int64(total) || i > 0 && at <= s.index[i-1] {
			return nil, nil, fmt.Errorf("tensor %s: %d: want ascending numbers below %d", tensorIndex, at, total)
		}
	}
	vec := func(name string, n int) []float32 {
		if err != nil {
			return nil
		}
		var v []float32
		if v, err = f.F32Vec(name, n); err != nil {
			return nil
		}
		for _, x := range v {
			if x-x != 0 {
				err = fmt.Errorf("tensor %s: %v: want finite numbers", name, x)
			}
		}
		return v
	}
	w := vec(tensorNonzero, len(s.index))
	s.q = vec(tensorQ, len(s.index))
	if f.Has(tensorV) {
		s.v = vec(tensorV, len(s.index))
	}
	bias := vec(tensorBias2, 2)
	if err != nil {
		return nil, nil, err
	}
	for _, q := range append([]float32{bias[1]}, s.q...) {
		if q < 0 {
			return nil, nil, fmt.Errorf("tensor %s: %v: want 0 or more", tensorQ, q)
		}
	}
	s.bias = slot{bias[0], bias[1]}
	weights = make([]float64, total)
	for i, at := range s.index {
		weights[at] = float64(w[i])
	}
	return s, weights, nil
}

// ResumesOnline reports whether m holds the state that a warm start needs.
func ResumesOnline(m models.Model) bool {
	l, ok := m.(*Model)
	return ok && l.online != nil
}
