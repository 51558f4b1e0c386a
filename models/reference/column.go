package reference

import (
	"cmp"
	"math"
	"slices"

	"ctr/features"
)

// maxValues bounds the different values of a column.
const maxValues = 256

// column turns a field into numbers for golearn. Codes become their ranks by
// falling frequency in the rows used (ties by the code), those past the 255
// most frequent and those not seen all 255. Numbers stay as they are, but for
// at most 256 of them, evenly spread over the sorted ones: a number becomes
// the greatest of those that is not above it. A missing number comes before
// all.
type column struct {
	field  int
	ranks  map[uint32]float64 // of a field of codes
	levels []float64          // of a field of numbers, ascending
}

func newColumn(t *features.Table, f int, rows []int) column {
	if t.Values[f] != nil {
		return column{field: f, levels: levels(t.Values[f], rows)}
	}
	counts := map[uint32]int{}
	for _, row := range rows {
		counts[t.Codes[f].At(row)]++
	}
	codes := make([]uint32, 0, len(counts))
	for code := range counts {
		codes = append(codes, code)
	}
	slices.SortFunc(codes, func(a, b uint32) int {
		return cmp.Or(cmp.Compare(counts[b], counts[a]), cmp.Compare(a, b))
	})
	c := column{field: f, ranks: make(map[uint32]float64, maxValues)}
	for rank, code := range codes[:min(len(codes), maxValues-1)] {
		c.ranks[code] = float64(rank)
	}
	return c
}

// levels gives at most maxValues-1 of the different numbers.
func levels(values []float64, rows []int) []float64 {
	var all []float64
	for _, row := range rows {
		if v := values[row]; !math.IsNaN(v) {
			all = append(all, v)
		}
	}
	slices.Sort(all)
	var some []float64
	for _, i := range spread(len(all), maxValues-1) {
		some = append(some, all[i])
	}
	return slices.Compact(some)
}

// value gives the number of row of t.
func (c *column) value(t *features.Table, row int) float64 {
	if c.ranks != nil {
		if rank, ok := c.ranks[t.Codes[c.field].At(row)]; ok {
			return rank
		}
		return maxValues - 1
	}
	v := t.Values[c.field][row]
	if len(c.levels) == 0 {
		return 0
	}
	if math.IsNaN(v) {
		return c.levels[0] - 1
	}
	i, found := slices.BinarySearch(c.levels, v)
	if !found {
		i = max(i-1, 0)
	}
	return c.levels[i]
}
