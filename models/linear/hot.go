package linear

import (
	"cmp"
	"math"
	"slices"
)

// Limits of the dense part of the preconditioner.
const (
	hotMax    = 512     // weights
	hotRows   = 1 << 15 // rows that are sampled for it
	hotParts  = 4       // ranges of sampled rows, summed apart
	hotRatio  = 4.0     // a hot weight's curvature is at least so many times its penalty
	hotRidge  = 1e-9    // relative addition to the diagonal, which keeps it positive
	hotMissed = 0.5     // least share of the true diagonal that the sample must show
)

// hotBlock is the dense part of the preconditioner: the Hessian among the
// weights with the most curvature. Those are the codes that many rows have,
// where fields follow from one another (a domain from its site, and every
// field from the intercept), so that whole directions change no row's log-odds
// and are held by the small penalty alone. There the diagonal misjudges the
// curvature by the ratio of a code's rows to the penalty, and conjugate
// gradients need hundreds of iterations. Rare codes need none of this: their
// penalty is of the order of their curvature.
//
// The block is summed over evenly spaced rows only. What is exactly collinear
// in all rows is so in some, and a preconditioner need not be exact.
type hotBlock struct {
	index  []int     // of each hot weight in the problem's vectors; the intercept is first
	slots  [][]int16 // by column and code: place in index, or -1; shorter than the column
	factor []float64 // Cholesky factor, row by row, len(index) wide
	parts  [hotParts][]float64
	b, z   []float64 // residual among the hot weights, and the solution
}

// newHotBlock picks the weights by the diagonal of the loss's Hessian.
func newHotBlock(p *problem, diagonal []float64) *hotBlock {
	var hot []int
	for j, d := range diagonal[:p.total] {
		if d > 0 && d > hotRatio*p.l2At(j) && !p.fixed(j) {
			hot = append(hot, j)
		}
	}
	slices.SortFunc(hot, func(a, b int) int {
		return cmp.Or(cmp.Compare(diagonal[b], diagonal[a]), cmp.Compare(a, b))
	})
	b := &hotBlock{index: append([]int{p.total}, hot[:min(len(hot), hotMax-1)]...)}
	n := len(b.index)
	b.slots = make([][]int16, len(p.columns))
	for f := range p.columns {
		b.slots[f] = b.columnSlots(&p.columns[f])
	}
	b.factor = make([]float64, n*n)
	for i := range b.parts {
		b.parts[i] = make([]float64, n*n)
	}
	b.b, b.z = make([]float64, n), make([]float64, n)
	return b
}

// columnSlots gives the places of a column's codes, up to its last hot one.
func (b *hotBlock) columnSlots(c *column) []int16 {
	var slots []int16
	for s, j := range b.index[1:] {
		k := j - c.offset
		if k < 0 || k >= c.size {
			continue
		}
		for len(slots) <= k {
			slots = append(slots, -1)
		}
		slots[k] = int16(s + 1)
	}
	return slots
}

// compute sums the block for second derivatives h and factors it.
func (b *hotBlock) compute(p *problem, h, diagonal []float64) {
	stride := max(1, p.rows/hotRows)
	sampled := (p.rows + stride - 1) / stride
	p.each(hotParts, func(i int) {
		clear(b.parts[i])
		row := make([]hotFeature, 0, 2*len(p.columns)+1)
		for k := sampled * i / hotParts; k < sampled*(i+1)/hotParts; k++ {
			row = b.features(p, k*stride, row[:0])
			b.addRow(b.parts[i], row, h[k*stride])
		}
	})
	n := len(b.index)
	for k := range b.factor {
		s := 0.0
		for i := range b.parts {
			s += b.parts[i][k]
		}
		b.factor[k] = s * float64(stride)
	}
	for s, j := range b.index {
		at := &b.factor[s*n+s]
		*at = max(*at, hotMissed*diagonal[j])
		*at += p.l2At(j) + hotRidge*diagonal[j]
	}
	cholesky(b.factor, n)
}

// hotFeature is a feature of a row: its place and value.
type hotFeature struct {
	slot  int16
	value float64
}

// features appends the hot features of row i.
func (b *hotBlock) features(p *problem, i int, row []hotFeature) []hotFeature {
	row = append(row, hotFeature{0, 1})
	for f, slots := range b.slots {
		if slots == nil {
			continue
		}
		c := &p.columns[f]
		code, value := int(missingWeight), 1.0
		switch {
		case c.values == nil:
			code = int(c.codes.At(i))
		case c.values[i] == c.values[i]:
			code, value = valueWeight, (c.values[i]-c.mean)/c.scale
		}
		if code < len(slots) && slots[code] >= 0 {
			row = append(row, hotFeature{slots[code], value})
		}
	}
	return row
}

// addRow adds one row's products, weighed by h, to the lower triangle.
func (b *hotBlock) addRow(sums []float64, row []hotFeature, h float64) {
	n := len(b.index)
	for k, a := range row {
		v := h * a.value
		for _, c := range row[:k] {
			lo, hi := min(a.slot, c.slot), max(a.slot, c.slot)
			s := v * c.value
			if lo == hi { // two hashed fields share a weight: (a+c)² has 2ac
				s *= 2
			}
			sums[int(hi)*n+int(lo)] += s
		}
		sums[int(a.slot)*n+int(a.slot)] += v * a.value
	}
}

// solve sets z to the block's inverse times the residual's hot part and gives
// their product.
func (b *hotBlock) solve(residual []float64) float64 {
	n := len(b.index)
	for s, j := range b.index {
		b.b[s] = residual[j]
	}
	for i := range n { // L·z = b
		b.z[i] = (b.b[i] - dot(b.factor[i*n:i*n+i], b.z[:i])) / b.factor[i*n+i]
	}
	for i := n - 1; i >= 0; i-- { // Lᵀ·z = z
		b.z[i] /= b.factor[i*n+i]
		axpy(-b.z[i], b.factor[i*n:i*n+i], b.z[:i])
	}
	return dot(b.b, b.z)
}

// addTo adds the solution to its places in v.
func (b *hotBlock) addTo(v []float64) {
	for s, j := range b.index {
		v[j] += b.z[s]
	}
}

// cholesky replaces the lower triangle of the n by n matrix a by its factor L
// with a = LLᵀ. A pivot that rounding has taken to 0 or below becomes the
// diagonal element it started from.
func cholesky(a []float64, n int) {
	for i := range n {
		row := a[i*n : i*n+i+1]
		for j := range i {
			row[j] = (row[j] - dot(row[:j], a[j*n:j*n+j])) / a[j*n+j]
		}
		pivot := row[i] - dot(row[:i], row[:i])
		if !(pivot > 0) {
			pivot = max(row[i], math.SmallestNonzeroFloat64)
		}
		row[i] = math.Sqrt(pivot)
	}
}
