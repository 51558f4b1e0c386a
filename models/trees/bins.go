package trees

import (
	"math"
	"slices"
	"sort"
	"sync"

	"ctr/features"
)

// maxBins is the most bins that a field has, a power of two. On a million
// synthetic rows each doubling up to here took .002 to .003 off a forest's log
// loss; a quarter of them would let a bin fit a byte and take a third off the
// time.
const maxBins = 1 << 10

// binned is a table as the trees see it: a bin a field, row after row, so
// that one cache line or two hold all of a row.
type binned struct {
	rows   int
	stride int // fields
	data   []uint16
	y      []uint8
	w      []uint64 // weights in fixed point; nil where all are 1
	unit   float64  // w * unit is the weight; a power of two
	fields []field
}

// field says what the bins of a field are.
type field struct {
	number bool
	size   int // bins are 0 … size-1
	// codes are the codes of a category's bins; rest is the bin that holds all
	// others, so that codes[rest] means nothing. It is 0 until rank.
	codes []uint32
	rest  uint16
	// upper are the upper ends of a number's bins 1, 2, … but the last; bin 0
	// holds missing values.
	upper []float64
}

// bin learns the bins of t's fields and puts its rows in them.
func bin(t *features.Table, p *params) *binned {
	b := &binned{rows: t.Rows, stride: len(t.Codes), y: t.Y}
	once := p.scratch.Child() // for columns
	defer once.Close()
	fields, columns := binColumns(t, maxBins, p.threads, once)
	b.w, b.unit = fixedPoint(t.W)
	each(p.threads, len(fields), func(f int) {
		if !fields[f].number {
			b.rank(&fields[f], columns[f], p)
		}
	})
	b.fields, b.data = fields, rowMajor(columns, t.Rows, p.threads, p.scratch)
	return b
}

// binColumns learns at most limit bins for each of t's fields and gives, field
// by field, the bins of its rows.
func binColumns(t *features.Table, limit, threads int, scratch *features.Scratch) ([]field, [][]uint16) {
	fields, columns := make([]field, len(t.Codes)), make([][]uint16, len(t.Codes))
	each(threads, len(t.Codes), func(f int) {
		columns[f] = features.Alloc[uint16](scratch, t.Rows)
		if v := t.Values[f]; v != nil {
			fields[f] = binNumbers(v, limit, columns[f])
		} else {
			fields[f] = binCodes(&t.Codes[f], t.Rows, limit, t.Spec.Fields[f].Type == features.Hash, columns[f])
		}
	})
	return fields, columns
}

// rowMajor puts columns side by side, row after row.
func rowMajor(columns [][]uint16, rows, threads int, scratch *features.Scratch) []uint16 {
	stride := len(columns)
	data := features.Alloc[uint16](scratch, rows*stride)
	const block = 4096
	each(threads, (rows+block-1)/block, func(k int) {
		lo, hi := k*block, min((k+1)*block, rows)
		for f, c := range columns {
			at := lo*stride + f
			for _, v := range c[lo:hi] {
				data[at] = v
				at += stride
			}
		}
	})
	return data
}

// each calls work(0 … n-1) from so many goroutines and waits for them.
func each(threads, n int, work func(i int)) {
	if threads <= 1 || n <= 1 {
		for i := range n {
			work(i)
		}
		return
	}
	var wg sync.WaitGroup
	next := make(chan int, n)
	for i := range n {
		next <- i
	}
	close(next)
	for range min(threads, n) {
		wg.Go(func() {
			for i := range next {
				work(i)
			}
		})
	}
	wg.Wait()
}

// fixedPoint turns weights into integers whose sum is at most 2^50: added in
// any order they give the same sum, and that sum is exact as a float64.
func fixedPoint(w []float64) (fixed []uint64, unit float64) {
	if w == nil {
		return nil, 1
	}
	sum := 0.
	for _, x := range w {
		sum += x
	}
	_, exp := math.Frexp(sum)
	unit = math.Ldexp(1, exp-50)
	fixed = make([]uint64, len(w))
	for i, x := range w {
		fixed[i] = uint64(math.Round(x / unit))
	}
	return fixed, unit
}

// binCodes gives the limit-1 most frequent codes a bin each, the most
// frequent first, ties to the lesser code. The rest, and a dictionary's code 0
// (values that had too few rows for a code), are bin 0.
func binCodes(c *features.Codes, rows, limit int, hashed bool, out []uint16) field {
	counts := codeCounts(c, rows)
	type codeCount struct {
		code uint32
		n    uint32
	}
	var seen []codeCount
	for code, n := range counts {
		if n > 0 && (code > 0 || hashed) {
			seen = append(seen, codeCount{uint32(code), n})
		}
	}
	slices.SortFunc(seen, func(a, b codeCount) int {
		if a.n != b.n {
			return int(int64(b.n) - int64(a.n))
		}
		return int(int64(a.code) - int64(b.code))
	})
	seen = seen[:min(len(seen), limit-1)]
	fd := field{size: len(seen) + 1, codes: make([]uint32, len(seen)+1)}
	lookup := make([]uint16, len(counts))
	for i, s := range seen {
		fd.codes[i+1] = s.code
		lookup[s.code] = uint16(i + 1)
	}
	switch {
	case c.U8 != nil:
		translate(out, c.U8, lookup)
	case c.U16 != nil:
		translate(out, c.U16, lookup)
	default:
		translate(out, c.U32, lookup)
	}
	return fd
}

func translate[T uint8 | uint16 | uint32](out []uint16, codes []T, lookup []uint16) {
	for i, code := range codes[:len(out)] {
		out[i] = lookup[code]
	}
}

func codeCounts(c *features.Codes, rows int) []uint32 {
	switch {
	case c.U8 != nil:
		return counts(c.U8[:rows])
	case c.U16 != nil:
		return counts(c.U16[:rows])
	default:
		return counts(c.U32[:rows])
	}
}

func counts[T uint8 | uint16 | uint32](codes []T) []uint32 {
	n := make([]uint32, int(slices.Max(codes))+1)
	for _, code := range codes {
		n[code]++
	}
	return n
}

// maxSample is how many values the bounds of a number's bins are made from.
const maxSample = 200_000

// binNumbers cuts values into bins of about equally many rows. Where a sample
// of them has fewer distinct values than bins, each has a bin of its own.
// Bounds lie halfway between neighbouring values.
func binNumbers(values []float64, limit int, out []uint16) field {
	step := (len(values) + maxSample - 1) / maxSample
	sample := make([]float64, 0, len(values)/step+1)
	for i := 0; i < len(values); i += step {
		if v := values[i]; !math.IsNaN(v) {
			sample = append(sample, v)
		}
	}
	slices.Sort(sample)
	upper := cuts(sample, limit)
	for i, v := range values {
		if !math.IsNaN(v) {
			out[i] = uint16(1 + sort.SearchFloat64s(upper, v))
		}
	}
	return field{number: true, size: len(upper) + 2, upper: upper}
}

// cuts gives at most limit-2 bounds between the values of sorted.
func cuts(sorted []float64, limit int) (upper []float64) {
	distinct := 0
	for i, v := range sorted {
		if i == 0 || v != sorted[i-1] {
			distinct++
		}
	}
	want := 0.
	if distinct > limit-1 {
		want = float64(len(sorted)) / float64(limit-1)
	}
	from := 0
	for i := 1; i < len(sorted) && len(upper) < limit-2; i++ {
		if a, b := sorted[i-1], sorted[i]; a != b && float64(i-from) >= want {
			upper = append(upper, between(a, b))
			from = i
		}
	}
	return upper
}

// between gives a number m with a <= m < b, about halfway.
func between(a, b float64) float64 {
	m := a/2 + b/2
	if !(m >= a && m < b) { // infinities, and neighbours
		return a
	}
	return m
}
