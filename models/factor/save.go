package factor

import (
	"fmt"
	"math"
	"slices"

	"ctr/features"
	"ctr/models"
)

// stored is the settings of the model file.
type stored struct {
	Factors int     `json:"factors"`
	Bias    float64 `json:"bias"`
	// Linear is what linear weights, Scale what the sum of products and linear
	// weights is multiplied by.
	Linear float64 `json:"linear"`
	Scale  float64 `json:"scale"`
	// Bits, where not 0, keeps the last Bits bits of a hashed field's code.
	Bits int `json:"bits,omitempty"`
	Report
}

// Save writes for algorithm A and k factors
//
//	U32 A/slots [fields]             the number of slots of each field
//	U32 A/codes/<field> [slots-1]    the codes of a hashed field's slots 1, 2, …
//	F32 A/vectors [slots, fields, k] of ffm: a slot's vector towards each field,
//	                                 0 towards its own; of fm: [slots, k]
//	F32 A/linear [slots]             linear weights
//
// where the slots of all fields follow each other in the order of the fields.
// The slot of a code of a field with n slots is the code itself if it is below
// n, else 0; of a hashed field, the place of the code's last "bits" bits in
// A/codes plus 1, or 0. The probability is 1/(1+exp(-x)), where x is what the
// package says, with the settings' bias, "scale" for 1/n, and "linear" for what
// linear weights are multiplied by.
func (m *Model) Save(f *models.File) error {
	sizes, bits := make([]uint32, len(m.tables)), 0
	for i := range m.tables {
		t := &m.tables[i]
		sizes[i] = t.size
		if t.index == nil {
			continue
		}
		for ; t.mask>>bits != 0; bits++ {
		}
		if err := f.PutU32(m.codesName(i), nil, t.index.codes()); err != nil {
			return err
		}
	}
	if err := f.PutU32(m.algo+"/slots", nil, sizes); err != nil {
		return err
	}
	vectors, linear := m.Weights()
	if err := f.PutF32(m.algo+"/vectors", dimsOf(m.algo, len(linear), len(m.tables), m.factors), vectors); err != nil {
		return err
	}
	if err := f.PutF32(m.algo+"/linear", nil, linear); err != nil {
		return err
	}
	s := stored{Factors: m.factors, Bias: m.bias, Bits: bits, Report: m.report}
	s.Linear, s.Scale = m.form.constants()
	return f.PutSettings(s)
}

func (m *Model) codesName(field int) string { return fmt.Sprintf("%s/codes/%d", m.algo, field) }

// dimsOf is the shape of the tensor of vectors.
func dimsOf(algo string, slots, fields, factors int) []int {
	if algo == Plain {
		return []int{slots, factors}
	}
	return []int{slots, fields, factors}
}

// each calls do for every weight.
func (m *Model) each(do func(slot, vector, factor int, w *float32)) {
	n := m.form.lines() * lanes
	type place struct{ lane, vector, factor int }
	for f := range m.tables {
		var places []place
		for i := range n {
			if v, k, ok := m.form.at(f, i/lanes, i%lanes); ok {
				places = append(places, place{i, v, k})
			}
		}
		t := &m.tables[f]
		for slot := t.first; slot < t.first+int(t.size); slot++ {
			a := m.weights[slot*n:][:n]
			for _, p := range places {
				do(slot, p.vector, p.factor, &a[p.lane])
			}
		}
	}
}

// loader gives the Loader of one algorithm.
func loader(algo string) models.Loader {
	return func(f *models.File, spec *features.Spec) (models.Model, error) {
		m, err := load(algo, f, spec)
		if err != nil {
			return nil, err
		}
		return m, nil
	}
}

// load reads what Save wrote. It reports settings out of range, tensors of
// another length than the settings', and weights that are not finite.
func load(algo string, f *models.File, spec *features.Spec) (*Model, error) {
	var s stored
	if err := f.Settings(&s); err != nil {
		return nil, err
	}
	fields := len(spec.Fields)
	switch {
	case fields == 0:
		return nil, fmt.Errorf("spec: 0 fields: want 1 or more")
	case s.Factors < 1 || s.Factors > MaxFactors:
		return nil, fmt.Errorf("settings: factors %d: want 1..%d", s.Factors, MaxFactors)
	case math.IsNaN(s.Bias) || math.IsInf(s.Bias, 0):
		return nil, fmt.Errorf("settings: bias %v: want a finite number", s.Bias)
	case s.Bits < 0 || s.Bits > features.MaxBits:
		return nil, fmt.Errorf("settings: bits %d: want 0..%d", s.Bits, features.MaxBits)
	}
	list, err := loadTables(algo, f, spec, s.Bits)
	if err != nil {
		return nil, err
	}
	linear, err := f.F32Vec(algo+"/linear", slotCount(list))
	if err != nil {
		return nil, err
	}
	vectors, dims, err := f.F32(algo + "/vectors")
	if err != nil {
		return nil, err
	}
	if want := dimsOf(algo, slotCount(list), fields, s.Factors); !slices.Equal(dims, want) {
		return nil, fmt.Errorf("tensor %s/vectors: shape %v: want %v", algo, dims, want)
	}
	if !finite(linear) || !finite(vectors) {
		return nil, fmt.Errorf("tensors %s/linear, %s/vectors: want numbers from -%d to %d", algo, algo, maxWeight, maxWeight)
	}
	form := newForm(algo, fields, s.Factors) // its size is that of the vectors
	if l, c := form.constants(); s.Linear != l || s.Scale != c {
		return nil, fmt.Errorf("settings: linear %v and scale %v: want %v and %v", s.Linear, s.Scale, l, c)
	}
	m := newModel(algo, form, s.Factors, spec, list)
	m.bias, m.report = s.Bias, s.Report
	m.allocate()
	m.each(func(slot, vector, factor int, w *float32) {
		if factor < 0 {
			*w = linear[slot]
		} else {
			*w = vectors[(slot*form.vectors()+vector)*s.Factors+factor]
		}
	})
	return m, nil
}

// finite reports whether all of a are finite and no greater than training
// makes them.
func finite(a []float32) bool {
	for _, v := range a {
		if !(v >= -maxWeight && v <= maxWeight) {
			return false
		}
	}
	return true
}

// loadTables reads the fields' tables.
func loadTables(algo string, f *models.File, spec *features.Spec, bits int) ([]table, error) {
	sizes, err := f.U32Vec(algo+"/slots", len(spec.Fields))
	if err != nil {
		return nil, err
	}
	list := make([]table, len(sizes))
	for i, size := range sizes {
		t := &list[i]
		t.size = size
		if spec.Fields[i].Type != features.Hash {
			if most := spec.Size(i); size < 1 || int(size) > most {
				return nil, fmt.Errorf("field %s: %d slots: want 1..%d", spec.Fields[i].Name, size, most)
			}
			continue
		}
		codes, err := f.U32Vec(fmt.Sprintf("%s/codes/%d", algo, i), int(size)-1)
		if err != nil {
			return nil, err
		}
		t.mask = uint32(1)<<bits - 1
		if size < 1 || !ascending(codes, t.mask) {
			return nil, fmt.Errorf("field %s: codes of the slots: want ascending numbers up to %d", spec.Fields[i].Name, t.mask)
		}
		t.index = newSlotIndex(codes)
	}
	number(list)
	return list, nil
}
