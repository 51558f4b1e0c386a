package linear

import "math"

// Limits of the quasi-Newton method.
const (
	memory       = 10     // pairs of steps and gradient changes that are remembered
	stallSpan    = 5      // iterations over which the objective's fall is judged
	minCurvature = 1e-290 // least sᵀy of a pair: a smaller one can't be divided by
)

// orthant minimises a problem with an L1 penalty by OWL-QN: L-BFGS inside one
// orthant at a time, to which the direction and each trial point are projected
// (Andrew and Gao, "Scalable training of L1-regularized log-linear models",
// 2007). The first guess of the inverse Hessian is that of its diagonal at the
// start instead of a multiple of the identity: the columns of one-hot features
// differ in frequency by many orders of magnitude. Without L1 penalty it is
// plain L-BFGS.
type orthant struct {
	*problem
	x, g    []float64 // the point, and the smooth part's gradient there
	pseudo  []float64 // the subgradient of least norm
	d       []float64 // the direction
	tx, tg  []float64 // the trial point and its gradient
	inverse []float64
	pairs   []pair // oldest first
	m       []float64
}

// pair is a step s, the change y of the gradient over it, and sᵀy.
type pair struct {
	s, y []float64
	sy   float64
}

func newOrthant(p *problem) *orthant {
	n := p.total + 1
	return &orthant{
		problem: p, x: p.start(),
		g: make([]float64, n), pseudo: make([]float64, n), d: make([]float64, n),
		tx: make([]float64, n), tg: make([]float64, n), inverse: make([]float64, n),
		m: p.perRow(),
	}
}

// minimise runs until the mean fall of the objective over stallSpan iterations
// is below tol times the objective, for at most maxIter iterations.
func (o *orthant) minimise(maxIter int, tol float64, step func(iteration int, loss float64)) outcome {
	h := o.perRow()
	loss := o.value(o.x, o.m, h)
	o.gradient(o.x, o.g)
	o.diagonal(h, o.inverse)
	o.invert(o.inverse)
	f := loss + o.penalty(o.x)
	past := []float64{f}
	out := outcome{}
	for {
		o.subgradient()
		if o.ctx.Err() != nil || out.converged || out.iterations == maxIter {
			break
		}
		slope := o.direct()
		if slope >= 0 { // the subgradient is 0
			out.converged = true
			break
		}
		l, fNew, moved := o.search(f)
		if !moved {
			if len(o.pairs) == 0 {
				out.converged = -slope <= tol*f
				break
			}
			o.pairs = o.pairs[:0] // try once more along the subgradient
			continue
		}
		loss, f = l, fNew
		out.iterations++
		step(out.iterations, loss)
		past = append(past, f)
		if k := len(past) - 1 - stallSpan; k >= 0 {
			out.converged = past[k]-f <= stallSpan*tol*math.Abs(f)
		}
	}
	out.x, out.loss, out.gradient = o.x, loss, o.norm(o.pseudo)
	return out
}

// subgradient sets pseudo to the subgradient of least norm at x.
func (o *orthant) subgradient() {
	o.blocks(len(o.x), vectorBlock, func(lo, hi int) {
		for j := lo; j < hi; j++ {
			o.pseudo[j] = leastSubgradient(o.x[j], o.g[j], o.l1At(j))
		}
	})
}

// leastSubgradient gives the element of least size of g + c·∂|x|.
func leastSubgradient(x, g, c float64) float64 {
	switch {
	case x > 0:
		return g + c
	case x < 0:
		return g - c
	case g > c:
		return g - c
	case g < -c:
		return g + c
	default:
		return 0
	}
}

// direct sets d to the direction of descent, by L-BFGS's two loops (Nocedal
// and Wright, Numerical Optimization, 2006, algorithm 7.4), and gives the
// objective's slope along it. Components that would go against the
// subgradient are left out where there is an L1 penalty.
func (o *orthant) direct() float64 {
	o.blocks(len(o.d), vectorBlock, func(lo, hi int) {
		for j := lo; j < hi; j++ {
			o.d[j] = -o.pseudo[j]
		}
	})
	alphas := make([]float64, len(o.pairs))
	for i := len(o.pairs) - 1; i >= 0; i-- {
		p := &o.pairs[i]
		alphas[i] = o.dot(p.s, o.d) / p.sy
		o.axpy(-alphas[i], p.y, o.d)
	}
	gamma := o.gamma()
	o.blocks(len(o.d), vectorBlock, func(lo, hi int) {
		for j := lo; j < hi; j++ {
			o.d[j] *= gamma * o.inverse[j]
		}
	})
	for i := range o.pairs {
		p := &o.pairs[i]
		beta := o.dot(p.y, o.d) / p.sy
		o.axpy(alphas[i]-beta, p.s, o.d)
	}
	return o.sum(len(o.d), vectorBlock, func(lo, hi int) float64 {
		slope := 0.0
		for j := lo; j < hi; j++ {
			if o.d[j]*o.pseudo[j] >= 0 && o.l1At(j) > 0 {
				o.d[j] = 0
			}
			slope += float64(o.d[j] * o.pseudo[j])
		}
		return slope
	})
}

// gamma gives the factor that fits the inverse diagonal to the last pair. The
// first step has none to go by: it is as long as if all columns of a row were
// the same column, the worst case.
func (o *orthant) gamma() float64 {
	if len(o.pairs) == 0 {
		return 1 / float64(len(o.columns)+1)
	}
	p := &o.pairs[len(o.pairs)-1]
	return p.sy / o.sum(len(p.y), vectorBlock, func(lo, hi int) float64 {
		s := 0.0
		for j := lo; j < hi; j++ {
			s += float64(p.y[j] * float64(o.inverse[j]*p.y[j]))
		}
		return s
	})
}

// search halves the step until the objective falls enough, then remembers the
// step. It gives the sum of losses and the objective at the new point.
func (o *orthant) search(f float64) (loss, fNew float64, moved bool) {
	step := 1.0
	for range maxHalvings {
		along := o.project(step)
		loss = o.value(o.tx, o.m, nil)
		fNew = loss + o.penalty(o.tx)
		if o.ctx.Err() != nil {
			return loss, fNew, false
		}
		if along < 0 && fNew <= f+sufficient*along+rounding*math.Abs(f) {
			o.gradient(o.tx, o.tg)
			o.remember()
			return loss, fNew, true
		}
		step /= 2
	}
	return loss, fNew, false
}

// project sets tx to x + step·d, moved to 0 where it leaves the orthant of x,
// or at x = 0 that of the descent. It gives the slope times the way made.
func (o *orthant) project(step float64) float64 {
	return o.sum(len(o.x), vectorBlock, func(lo, hi int) float64 {
		s := 0.0
		for j := lo; j < hi; j++ {
			t := o.x[j] + float64(step*o.d[j])
			if o.l1At(j) > 0 {
				side := o.x[j]
				if side == 0 {
					side = -o.pseudo[j]
				}
				if t*side <= 0 {
					t = 0
				}
			}
			o.tx[j] = t
			s += float64(o.pseudo[j] * (t - o.x[j]))
		}
		return s
	})
}

// remember makes the trial point the point, and keeps the pair unless the
// curvature along it is lost in rounding.
func (o *orthant) remember() {
	var p pair
	if len(o.pairs) == memory {
		p = o.pairs[0]
		o.pairs = append(o.pairs[:0], o.pairs[1:]...)
	} else {
		p = pair{s: make([]float64, len(o.x)), y: make([]float64, len(o.x))}
	}
	p.sy = o.sum(len(o.x), vectorBlock, func(lo, hi int) float64 {
		sy := 0.0
		for j := lo; j < hi; j++ {
			p.s[j], p.y[j] = o.tx[j]-o.x[j], o.tg[j]-o.g[j]
			sy += float64(p.s[j] * p.y[j])
		}
		return sy
	})
	if p.sy > minCurvature {
		o.pairs = append(o.pairs, p)
	}
	o.x, o.tx = o.tx, o.x
	o.g, o.tg = o.tg, o.g
}
