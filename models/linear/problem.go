package linear

import (
	"math"

	"ctr/features"
)

// rowBlock is how many rows one unit of work of a forward pass covers: their
// sums stay in the first-level cache while the columns go by.
const rowBlock = 1 << 12

// column is what a field's weights and values look like to the solver.
type column struct {
	codes       features.Codes
	values      []float64 // set for a number that is weighed by its value
	mean, scale float64
	offset      int // of the field's first weight
	size        int // weights of the field
	hashed      bool
}

// problem is a regularised logistic regression over a table. Its vectors have
// a weight for every code and, as the last element, the intercept, which has
// no penalty. The objective is
//
//	Σ w_i·log(1+exp(-s_i·m_i)) + Σ l1·u_j·|x_j| + ½ Σ l2·u_j²·x_j²
//
// with m = Xx, s = ±1 and u_j = 1, or the column's standard deviation.
type problem struct {
	*pool
	rows    int
	total   int // weights without the intercept
	columns []column
	y       []uint8
	w       []float64 // nil = 1
	weight  float64   // Σ w
	l1, l2  float64
	unit    []float64 // u; nil = 1 throughout
	unseen  []bool    // weights of code 0 of dictionaries, which stay 0

	groups []group   // the plan of a transposed pass
	order  []unitRef // its units as they are worked on
	r      []float64 // a number a row: mostly the loss's derivative
	passes int       // passes over the columns, forward or transposed
}

// newProblem lays out t. The penalties are those beside the sum of losses.
func newProblem(p *pool, t *features.Table) *problem {
	offsets, total := t.Spec.Offsets()
	pr := &problem{
		pool: p, rows: t.Rows, total: total, y: t.Y, w: t.W,
		columns: make([]column, len(offsets)), r: features.Alloc[float64](p.scratch, t.Rows), unseen: make([]bool, total),
	}
	for f := range pr.columns {
		fd := &t.Spec.Fields[f]
		c := &pr.columns[f]
		*c = column{codes: t.Codes[f], offset: offsets[f], size: t.Spec.Size(f), hashed: fd.Type == features.Hash}
		if fd.Type == features.Dict {
			pr.unseen[c.offset] = true
		}
		if weighsValue(fd) {
			c.values, c.mean, c.scale = t.Values[f], fd.Mean, scaleOf(fd)
		}
	}
	pr.weight = float64(t.Rows)
	if t.W != nil {
		pr.weight = p.sum(t.Rows, vectorBlock, func(lo, hi int) float64 { return sum(t.W[lo:hi]) })
	}
	pr.groups = planGroups(pr.columns, t.Rows)
	pr.order = schedule(pr.groups)
	return pr
}

// perRow gives a zero for each row.
func (p *problem) perRow() []float64 { return features.Alloc[float64](p.pool.scratch, p.rows) }

func sum(a []float64) float64 {
	s := 0.0
	for _, v := range a {
		s += v
	}
	return s
}

// margins sets m = Xx. Each block of rows goes through all columns in turn.
func (p *problem) margins(x, m []float64) {
	p.passes++
	p.blocks(p.rows, rowBlock, func(lo, hi int) { p.blockMargins(x, m, lo, hi) })
}

func (p *problem) blockMargins(x, m []float64, lo, hi int) {
	b := m[lo:hi]
	for i := range b {
		b[i] = x[p.total]
	}
	for f := range p.columns {
		c := &p.columns[f]
		w := x[c.offset : c.offset+c.size]
		if c.values != nil {
			gatherValues(b, c.values[lo:hi], c.mean, c.scale, w[missingWeight], w[valueWeight])
			continue
		}
		gatherColumn(b, &c.codes, w, lo, hi)
	}
}

// blockLoss gives the sum of losses of rows lo … hi-1 at margins m and, unless
// they are nil, sets r and h to the first and second derivative of each row's
// loss by its margin.
func (p *problem) blockLoss(m, r, h []float64, lo, hi int) float64 {
	if r != nil {
		r = r[lo:hi]
	}
	if h != nil {
		h = h[lo:hi]
	}
	if p.w != nil {
		return weightedLogLoss(m[lo:hi], p.y[lo:hi], p.w[lo:hi], r, h)
	}
	return logLoss(m[lo:hi], p.y[lo:hi], r, h)
}

// value gives the sum of losses at x with margins m = Xx, and leaves the
// derivatives of the loss in p.r and, unless nil, h. It makes the forward
// pass and the loss in one go over each block.
func (p *problem) value(x, m, h []float64) float64 {
	p.passes++
	return p.sum(p.rows, rowBlock, func(lo, hi int) float64 {
		p.blockMargins(x, m, lo, hi)
		return p.blockLoss(m, p.r, h, lo, hi)
	})
}

// curve gives dᵀXᵀHXd for direction d, where h is the diagonal of H, and
// leaves HXd in p.r for transpose.
func (p *problem) curve(d, h []float64) float64 {
	p.passes++
	return p.sum(p.rows, rowBlock, func(lo, hi int) float64 {
		u := p.r[lo:hi]
		p.blockMargins(d, p.r, lo, hi)
		s := 0.0
		for i, hv := range h[lo:hi] {
			t := hv * u[i]
			s += float64(t * u[i])
			u[i] = t
		}
		return s
	})
}

// l2At gives l2·u_j², the weight of ½x_j² in the penalty of weight j.
func (p *problem) l2At(j int) float64 {
	if j == p.total {
		return 0
	}
	if p.unit == nil {
		return p.l2
	}
	return p.l2 * p.unit[j] * p.unit[j]
}

// l1At gives l1·u_j, the weight of |x_j| in the penalty.
func (p *problem) l1At(j int) float64 {
	if j == p.total {
		return 0
	}
	if p.unit == nil {
		return p.l1
	}
	return p.l1 * p.unit[j]
}

// penalty gives the penalty of x.
func (p *problem) penalty(x []float64) float64 {
	return p.sum(p.total, vectorBlock, func(lo, hi int) float64 {
		s1, s2 := 0.0, 0.0
		for j := lo; j < hi; j++ {
			v := x[j]
			if p.unit != nil {
				v *= p.unit[j]
			}
			s1 += math.Abs(v)
			s2 += float64(v * v)
		}
		return float64(p.l1*s1) + float64(p.l2/2*s2)
	})
}

// gradient sets g to the gradient, without the L1 part, at x, whose
// derivatives by margin are in p.r.
func (p *problem) gradient(x, g []float64) {
	p.transpose(p.r, g)
	p.addL2(x, g)
}

// addL2 adds to g the product of the L2 penalty's matrix and x.
func (p *problem) addL2(x, g []float64) {
	if p.l2 == 0 {
		return
	}
	p.blocks(p.total, vectorBlock, func(lo, hi int) {
		for j := lo; j < hi; j++ {
			g[j] += float64(p.l2At(j) * x[j])
		}
	})
}

// start gives the vector to begin from: no weights, and the intercept at the
// log-odds of the base rate, half a row added to either label so that it is
// finite where all labels are the same.
func (p *problem) start() []float64 {
	clicks := p.sum(p.rows, vectorBlock, func(lo, hi int) float64 {
		s := 0.0
		for i := lo; i < hi; i++ {
			if p.y[i] == 0 {
				continue
			}
			if p.w != nil {
				s += p.w[i]
			} else {
				s++
			}
		}
		return s
	})
	half := 0.0
	if clicks <= 0 || clicks >= p.weight {
		half = p.weight / float64(2*max(1, p.rows))
	}
	x := make([]float64, p.total+1)
	if p.weight > 0 {
		x[p.total] = math.Log((clicks + half) / (p.weight - clicks + half))
	}
	return x
}

// invert replaces the diagonal of the loss's Hessian by the inverse of the
// objective's diagonal: 0 for weights that must stay 0, and 1 for those whose
// diagonal is 0, which no row has.
func (p *problem) invert(diagonal []float64) {
	p.blocks(len(diagonal), vectorBlock, func(lo, hi int) {
		for j := lo; j < hi; j++ {
			switch d := diagonal[j] + p.l2At(j); {
			case p.fixed(j):
				diagonal[j] = 0
			case d > 0:
				diagonal[j] = 1 / d
			default:
				diagonal[j] = 1
			}
		}
	})
}

// fixed reports whether weight j must stay 0. A constant column's must where
// columns are standardised. That of a dictionary's code 0 always must: a value
// that was rare in training and one that was never seen have little in common,
// so that neither should move the log-odds. (A weight of its own for rare
// values cost up to .006 of log loss on rows of later hours.)
func (p *problem) fixed(j int) bool {
	return j < p.total && (p.unseen[j] || p.unit != nil && p.unit[j] == 0)
}

// norm gives the Euclidean norm of g, without the weights that stay 0.
func (p *problem) norm(g []float64) float64 {
	return math.Sqrt(p.sum(len(g), vectorBlock, func(lo, hi int) float64 {
		s := 0.0
		for j := lo; j < hi; j++ {
			if !p.fixed(j) {
				s += float64(g[j] * g[j])
			}
		}
		return s
	}))
}

// deviations gives the sample standard deviation of each column of X: with
// row weights that of Spark's summary, Σ w(x-mean)² / (Σw - Σw²/Σw). A column
// that is constant but for rounding has 0.
func (p *problem) deviations() []float64 {
	w := p.w
	if w == nil {
		w = p.perRow()
		for i := range w {
			w[i] = 1
		}
	}
	first, second := make([]float64, p.total+1), make([]float64, p.total+1)
	p.scatter(w, first, false)
	p.scatter(w, second, true)
	p.addCollisions(w, second)
	denominator := p.weight - p.dot(w, w)/p.weight
	unit := first[:p.total]
	for j, sum := range unit {
		mean := sum / p.weight
		variance := second[j] - sum*mean
		if variance <= rounding*second[j] || denominator <= 0 {
			unit[j] = 0
			continue
		}
		unit[j] = math.Sqrt(variance / denominator)
	}
	return unit
}

// addCollisions adds to second the cross terms of hashed fields that share a
// weight in a row: a feature that n fields of a row hit is n, its square n².
func (p *problem) addCollisions(w, second []float64) {
	var hashed []*column
	for f := range p.columns {
		if p.columns[f].hashed {
			hashed = append(hashed, &p.columns[f])
		}
	}
	if len(hashed) < 2 {
		return
	}
	for i := range p.rows {
		if i%rowBlock == 0 && p.ctx.Err() != nil {
			return
		}
		for a, ca := range hashed {
			code := ca.codes.At(i)
			for _, cb := range hashed[:a] {
				if cb.codes.At(i) == code {
					second[ca.offset+int(code)] += 2 * w[i]
				}
			}
		}
	}
}
