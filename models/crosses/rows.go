package crosses

import (
	"context"
	"maps"
	"math"
	"slices"

	"ctr/features"
)

const (
	quarters = 4
	// fewRows is up to how many rows each quarter is judged in turn. Planted
	// pairs of synthetic rows are found by the last quarter alone from about
	// 150,000 training rows on.
	fewRows = 250_000
)

// search is the state of one Search.
type search struct {
	o       Options
	names   []string
	pairs   []*candidate // not taken yet
	singles []*candidate
	views   []*view
	pool    pool
}

func newSearch(ctx context.Context, t *features.Table, o Options) *search {
	s := &search{o: o, pool: newPool(ctx, o.Threads)}
	for a := range t.Spec.Fields {
		s.names = append(s.names, t.Spec.Fields[a].Name)
		if !crossable(&t.Spec.Fields[a]) {
			continue
		}
		s.singles = append(s.singles, &candidate{a: a, b: none})
		for b := range a {
			if crossable(&t.Spec.Fields[b]) && !known(t.Spec, b, a) {
				s.pairs = append(s.pairs, &candidate{a: b, b: a, stale: math.Inf(1)})
			}
		}
	}
	of := quarterOf(t)
	first := quarters - 1
	if t.Rows <= fewRows {
		first = 0
	}
	for q := first; q < quarters && len(s.pairs) > 0; q++ {
		if v := newView(t, of, q); v != nil {
			s.views = append(s.views, v)
		}
	}
	return s
}

// quarterOf gives each row's quarter: consecutive whole hours with about a
// quarter of the rows each, or where there are fewer hours consecutive rows.
func quarterOf(t *features.Table) []uint8 {
	out := make([]uint8, t.Rows)
	counts := map[int32]int{}
	for _, h := range t.Hour {
		counts[h]++
	}
	if len(counts) < quarters {
		for i := range out {
			out[i] = uint8(i * quarters / t.Rows)
		}
		return out
	}
	of, before := map[int32]uint8{}, 0
	for _, h := range slices.Sorted(maps.Keys(counts)) {
		of[h] = uint8((2*before + counts[h]) * quarters / (2 * t.Rows)) // where the middle of the hour falls
		before += counts[h]
	}
	for i, h := range t.Hour {
		out[i] = of[h]
	}
	return out
}

func crossable(f *features.Field) bool { return f.Type == features.Dict && len(f.From) == 1 }

func (s *search) name(f int) string { return s.names[f] }

// known reports whether two fields are crossed already.
func known(spec *features.Spec, a, b int) bool {
	x, y := spec.Fields[a].Name, spec.Fields[b].Name
	return slices.ContainsFunc(spec.Fields, func(f features.Field) bool {
		return slices.Equal(f.From, []string{x, y}) || slices.Equal(f.From, []string{y, x})
	})
}

// begin fits the first models and sets the margins of all rows.
func (s *search) begin(ctx context.Context) error {
	for _, v := range s.views {
		if err := v.begin(ctx, s); err != nil {
			return err
		}
	}
	s.saturate()
	return nil
}

// judged is the number of rows that are judged.
func (s *search) judged() int {
	n := 0
	for _, v := range s.views {
		n += v.held()
	}
	return n
}

// weight is that of the rows that are judged.
func (s *search) weight() float64 {
	sum := 0.0
	for _, v := range s.views {
		sum += v.weight
	}
	return sum
}

// meanLoss is the mean log loss of the judged rows.
func (s *search) meanLoss() float64 {
	total := 0.0
	for _, v := range s.views {
		for _, l := range v.loss {
			total += l
		}
	}
	return total / s.weight()
}
