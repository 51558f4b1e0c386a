package spark

import (
	"math"
	"slices"

	"ctr/features"
)

// mapped is Spark's VectorIndexerModel for the slots that it takes for
// categories: it gives a number's place among those that it has seen.
type mapped struct {
	places map[int]map[float64]float64 // by slot
	keep   bool
}

func (m *mapped) apply(at int, x float64) float64 {
	to, ok := m.places[at]
	if !ok {
		return x
	}
	if x == 0 {
		x = 0 // -0
	}
	if y, seen := to[x]; seen {
		return y
	}
	return float64(len(to)) // what keep gives
}

// affine is asked only of slots that are left as they are.
func (m *mapped) affine(int) affine { return affine{scale: 1, mul: 1} }

// vectorIndex reads which slots are categories. A number of the data that is
// one becomes a field of its own, by the values seen.
func (p *plan) vectorIndex(f flow) error {
	s := f.stage
	invalid, err := s.invalid()
	if err != nil {
		return err
	}
	v, err := p.column(s, f.in[0])
	if err != nil {
		return err
	}
	m, err := p.files.vectorMaps(s, v.size())
	if err != nil {
		return err
	}
	m.keep = invalid == "keep"
	out := slices.Clone(v)
	for i := range out {
		at := out[i].at
		places, ok := m.places[at]
		if !ok || out[i].src.category() {
			continue
		}
		if out[i].hot != theNumber || out[i].chain != nil || out[i].src.field.Cap != nil {
			return s.fail("slot %d: a scaled number: want one of the data", at)
		}
		if out[i].slot, err = p.seen(s, out[i].src.field.From[0], places, at); err != nil {
			return err
		}
		if !m.keep {
			p.note("%s: a value of %s that it has not seen Spark would %s; here it counts as the index after the last", s, out[i].src.field.From[0], refused[invalid])
		}
	}
	// Those made of a number have their places already.
	for i := range out {
		if out[i].src != v[i].src {
			delete(m.places, out[i].at)
		}
	}
	p.columns[f.out[0]], p.vectors[f.out[0]] = scaled(out, m), true
	return nil
}

// seen makes a category of a number of the data by the values that were seen.
func (p *plan) seen(s *stage, column string, places map[float64]float64, at int) (slot, error) {
	values := make([]float64, 0, len(places))
	for x := range places {
		values = append(values, x)
	}
	slices.Sort(values)
	numbers := &numbering{n: len(values), list: []float64{float64(len(places))}}
	for _, x := range values {
		numbers.list = append(numbers.list, places[x])
	}
	d, err := few(values, p.files.allow, func(x float64) []byte {
		text, _ := features.CastDouble.Apply(nil, appendFloat(nil, x))
		return text
	})
	if err != nil {
		return slot{}, s.fail("column %s: %w", column, err)
	}
	field := features.Field{Name: column, From: []string{column}, Type: features.Dict, Cast: features.CastDouble, Dict: d}
	for _, other := range p.sources {
		if other.field.Name == column && other.category() {
			field.Name = column + " seen"
		}
	}
	return slot{src: p.newSource(field, numbers), hot: theNumber, at: at}, nil
}

// vectorMaps reads a VectorIndexerModel's data.
func (f *files) vectorMaps(s *stage, slots int) (*mapped, error) {
	t, err := f.data(s, "data", "numFeatures", "categoryMaps")
	if err != nil {
		return nil, err
	}
	m := &mapped{places: map[int]map[float64]float64{}}
	if n, err := t.size("numFeatures"); err != nil || n != slots {
		return nil, s.fail("data: %d columns: want %d", n, slots)
	}
	slot, err := t.numbers("categoryMaps.key")
	if err != nil {
		return nil, err
	}
	values, err := t.numbers("categoryMaps.value.key")
	if err != nil {
		return nil, err
	}
	places, err := t.numbers("categoryMaps.value.value")
	if err != nil {
		return nil, err
	}
	if err := f.allow.Take(64 * int64(len(values))); err != nil {
		return nil, s.fail("data: %w", err)
	}
	cuts := t.one("categoryMaps.value.key").Cuts(1)
	if len(slot) == 0 {
		return m, nil
	}
	if len(cuts) != len(slot)+1 || len(places) != len(values) {
		return nil, s.fail("data: categoryMaps: %d maps: want %d", len(cuts)-1, len(slot))
	}
	for i, at := range slot {
		to := map[float64]float64{}
		for k := cuts[i]; k < cuts[i+1]; k++ {
			if math.IsNaN(values[k]) || !(places[k] >= 0) {
				return nil, s.fail("data: categoryMaps: %v → %v: want numbers", values[k], places[k])
			}
			to[values[k]] = places[k]
		}
		m.places[int(at)] = to
	}
	return m, nil
}
