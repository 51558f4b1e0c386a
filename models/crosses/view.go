package crosses

import (
	"context"
	"math"
	"slices"

	"ctr/features"
	"ctr/models"
	"ctr/models/linear"
)

// view is the rows divided into those that effects are fitted to and those
// that they are judged on, in this order.
type view struct {
	t    *features.Table
	nFit int

	margin []float64 // log-odds so far
	fit    []slope   // of the fitted rows
	judge  []bend    // of the judged rows
	loss   []float64 // of the judged rows at margin
	weight float64   // Σ weights of the judged rows
}

// slope is the first two derivatives of a row's log-likelihood by its margin.
type slope struct{ r, h float32 }

// bend is what a judged row's log-likelihood is approximated by:
// r·s - ½h·s²·(1 + k3·s + k4·s²) for a step s, its expansion to fourth order.
type bend struct{ r, h, k3, k4 float32 }

// newView judges the rows of quarter q and fits to the others; nil where one
// of the sides weighs nothing.
func newView(t *features.Table, of []uint8, q int) *view {
	var fit, held []int32
	for i, quarter := range of {
		if int(quarter) == q {
			held = append(held, int32(i))
		} else {
			fit = append(fit, int32(i))
		}
	}
	v := &view{t: reorder(t, slices.Concat(fit, held)), nFit: len(fit)}
	fitted := 0.0
	for i := range v.t.Rows {
		if i < v.nFit {
			fitted += v.w(i)
		} else {
			v.weight += v.w(i)
		}
	}
	if !(fitted > 0 && v.weight > 0) {
		return nil
	}
	return v
}

func (v *view) held() int { return v.t.Rows - v.nFit }

// reorder gives t with its rows in another order; columns are shared where
// the order is the same.
func reorder(t *features.Table, rows []int32) *features.Table {
	if slices.IsSorted(rows) {
		return t
	}
	out := &features.Table{Spec: t.Spec, Rows: t.Rows, Codes: make([]features.Codes, len(t.Codes)), Values: make([][]float64, len(t.Values))}
	for f, c := range t.Codes {
		out.Codes[f] = features.Codes{U8: pick(c.U8, rows), U16: pick(c.U16, rows), U32: pick(c.U32, rows)}
		out.Values[f] = pick(t.Values[f], rows)
	}
	out.Y, out.W, out.Hour = pick(t.Y, rows), pick(t.W, rows), pick(t.Hour, rows)
	return out
}

func pick[T any](from []T, rows []int32) []T {
	if from == nil {
		return nil
	}
	out := make([]T, len(rows))
	for i, r := range rows {
		out[i] = from[r]
	}
	return out
}

// head is the part of the table that effects are fitted to.
func (v *view) head() *features.Table {
	t, n := v.t, v.nFit
	out := &features.Table{Spec: t.Spec, Rows: n, Codes: make([]features.Codes, len(t.Codes)), Values: make([][]float64, len(t.Values))}
	for f, c := range t.Codes {
		out.Codes[f] = features.Codes{U8: first(c.U8, n), U16: first(c.U16, n), U32: first(c.U32, n)}
		out.Values[f] = first(t.Values[f], n)
	}
	out.Y, out.W, out.Hour = first(t.Y, n), first(t.W, n), first(t.Hour, n)
	return out
}

func first[T any](from []T, n int) []T {
	if from == nil {
		return nil
	}
	return from[:n:n]
}

// The first model need not be exact: the steps that single columns are given
// after it make up for what it lacks.
const (
	baseIterations = 6
	baseTol        = 1e-4
)

// begin fits the first model and sets the margins.
func (v *view) begin(ctx context.Context, s *search) error {
	m, err := linear.Fit(ctx, v.head(), models.Options{
		L2: &s.o.Ridge, MaxIter: baseIterations, Tol: baseTol, Threads: s.o.Threads,
	}, nil)
	if err != nil {
		return err
	}
	v.margin = m.Probabilities(v.t, nil, s.o.Threads)
	s.pool.blocks(v.t.Rows, rowBlock, func(lo, hi int) {
		for i, p := range v.margin[lo:hi] {
			p = min(max(p, 1e-12), 1-1e-12)
			v.margin[lo+i] = math.Log(p / (1 - p))
		}
	})
	v.fit, v.judge, v.loss = make([]slope, v.nFit), make([]bend, v.held()), make([]float64, v.held())
	v.refresh(&s.pool)
	return nil
}

func (v *view) w(i int) float64 {
	if v.t.W == nil {
		return 1
	}
	return v.t.W[i]
}

// refresh sets what depends on the margins.
func (v *view) refresh(p *pool) {
	p.blocks(v.nFit, rowBlock, func(lo, hi int) {
		for i := lo; i < hi; i++ {
			q, w := linear.Sigmoid(v.margin[i]), v.w(i)
			v.fit[i] = slope{float32(w * (float64(v.t.Y[i]) - q)), float32(w * (q * (1 - q)))}
		}
	})
	p.blocks(v.held(), rowBlock, func(lo, hi int) {
		for i := lo; i < hi; i++ {
			m, y, w := v.margin[v.nFit+i], v.t.Y[v.nFit+i], v.w(v.nFit+i)
			p := linear.Sigmoid(m)
			h := p * (1 - p)
			v.judge[i] = bend{float32(w * (float64(y) - p)), float32(w * h), float32((1 - 2*p) / 3), float32((1 - 6*h) / 12)}
			v.loss[i] = w * logLoss(m, y)
		}
	})
}

// logLoss is the log loss of a row with margin m.
func logLoss(m float64, y uint8) float64 {
	l := math.Log1p(math.Exp(-math.Abs(m)))
	if (y != 0) == (m < 0) {
		l += math.Abs(m)
	}
	return l
}
