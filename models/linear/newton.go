package linear

import "math"

// Limits of the truncated Newton method.
const (
	cgForcing   = 0.5  // loosest relative progress at which conjugate gradients go on
	cgMaxIter   = 500  // per Newton step
	sufficient  = 1e-4 // share of the predicted fall that a step must bring (Armijo)
	maxHalvings = 40
	// rounding is the relative error allowed to an objective: below it, a
	// rise is noise.
	rounding = 1e-13
)

// newton minimises a problem without L1 penalty by a truncated Newton method:
// each step solves H·d = -g roughly by conjugate gradients, preconditioned
// with the diagonal of H, and is then halved until the objective falls enough
// (Lin, Weng and Keerthi, "Trust region Newton method for large-scale logistic
// regression", 2008; Hsia, Chiang and Lin, "Preconditioned conjugate gradient
// methods in truncated Newton frameworks", 2018; the rule that ends conjugate
// gradients is Nash and Sofer's, 1990). Among the weights that most rows share
// the preconditioner is not the diagonal but the matrix itself: see hotBlock.
//
// A step along d needs Xd once: every trial step reuses it, so a line search
// costs no pass over the columns.
type newton struct {
	*problem
	x, g    []float64 // the point, and the gradient there
	d, res  []float64 // the step, and -g - H·d
	inverse []float64 // of H's diagonal; 0 for weights that stay 0
	v, hv   []float64 // conjugate gradients' direction, and H·v
	hot     *hotBlock // the preconditioner for the weights with most curvature
	m, u, h []float64 // a number a row: Xx, Xd, second derivative of the loss
}

func newNewton(p *problem) *newton {
	n := p.total + 1
	return &newton{
		problem: p, x: p.start(),
		g: make([]float64, n), d: make([]float64, n), inverse: make([]float64, n),
		res: make([]float64, n), v: make([]float64, n), hv: make([]float64, n),
		m: p.perRow(), u: p.perRow(), h: p.perRow(),
	}
}

// minimise runs until the fall that a step promises is below tol times the
// objective, for at most maxIter steps.
func (n *newton) minimise(maxIter int, tol float64, step func(iteration int, loss float64)) outcome {
	loss := n.value(n.x, n.m, n.h)
	out := outcome{x: n.x}
	for {
		n.gradient(n.x, n.g)
		out.gradient = n.norm(n.g)
		if n.ctx.Err() != nil || out.converged || out.iterations == maxIter {
			break
		}
		f := loss + n.penalty(n.x)
		n.precondition()
		slope := n.solve()
		out.converged = -slope/2 <= tol*f
		if !(slope < 0) {
			break // the gradient is 0, or lost in rounding
		}
		moved := false
		if loss, moved = n.search(f, slope); !moved {
			break
		}
		out.iterations++
		step(out.iterations, loss)
	}
	out.loss = loss
	return out
}

// precondition sets the inverse of the diagonal of H.
func (n *newton) precondition() {
	n.diagonal(n.h, n.inverse)
	if n.hot == nil {
		n.hot = newHotBlock(n.problem, n.inverse)
	}
	n.hot.compute(n.problem, n.h, n.inverse)
	n.invert(n.inverse)
	for _, j := range n.hot.index {
		n.inverse[j] = 0
	}
}

// solve sets d to a rough solution of H·d = -g and gives gᵀd. It stops when the
// last step's part of the quadratic model's fall, times the number of steps,
// is at most cgForcing times all of it.
func (n *newton) solve() float64 {
	clear(n.d)
	rz := n.sum(len(n.g), vectorBlock, func(lo, hi int) float64 {
		s := 0.0
		for j := lo; j < hi; j++ {
			n.res[j] = -n.g[j]
			n.v[j] = n.inverse[j] * n.res[j]
			s += float64(n.res[j] * n.v[j])
		}
		return s
	})
	rz += n.hot.solve(n.res)
	n.hot.addTo(n.v)
	fall := 0.0
	for k := 1; k <= cgMaxIter && rz > 0 && n.ctx.Err() == nil; k++ {
		curvature := n.hessian(n.v, n.hv)
		if !(curvature > 0) {
			break
		}
		alpha := rz / curvature
		next := n.advance(alpha) + n.hot.solve(n.res)
		fall += alpha * rz / 2
		if float64(k)*alpha*rz/2 <= cgForcing*fall {
			break
		}
		n.turn(next / rz)
		n.hot.addTo(n.v)
		rz = next
	}
	return n.dot(n.g, n.d)
}

// advance takes a conjugate-gradient step of length alpha along v and gives
// the new residual's squared norm in the inverse diagonal.
func (n *newton) advance(alpha float64) float64 {
	return n.sum(len(n.g), vectorBlock, func(lo, hi int) float64 {
		d, v, res, hv, inverse := n.d[lo:hi], n.v[lo:hi], n.res[lo:hi], n.hv[lo:hi], n.inverse[lo:hi]
		s := 0.0
		for j := range d {
			d[j] += float64(alpha * v[j])
			res[j] -= float64(alpha * hv[j])
			s += float64(res[j] * float64(inverse[j]*res[j]))
		}
		return s
	})
}

// turn makes v the next conjugate direction.
func (n *newton) turn(beta float64) {
	n.blocks(len(n.v), vectorBlock, func(lo, hi int) {
		v, res, inverse := n.v[lo:hi], n.res[lo:hi], n.inverse[lo:hi]
		for j := range v {
			v[j] = float64(inverse[j]*res[j]) + float64(beta*v[j])
		}
	})
}

// search moves x along d by 1, or by half of it until the objective falls by
// a share of what the slope promises. It gives the new sum of losses, and
// whether x moved. Margins follow x, so that they need no pass.
func (n *newton) search(f, slope float64) (float64, bool) {
	n.margins(n.d, n.u)
	cross, square := n.penaltyAlong(n.x, n.d)
	base := n.penalty(n.x)
	at, step := 0.0, 1.0
	for range maxHalvings {
		l := n.moveLoss(step - at)
		at = step
		if l+base+step*cross+step*step*square <= f+sufficient*step*slope+rounding*math.Abs(f) {
			n.axpy(step, n.d, n.x)
			return l, true
		}
		step /= 2
	}
	return n.moveLoss(-at), false
}

// moveLoss adds s·u to the margins and gives the sum of losses there, with its
// derivatives in r and h.
func (n *newton) moveLoss(s float64) float64 {
	return n.sum(n.rows, rowBlock, func(lo, hi int) float64 {
		axpy(s, n.u[lo:hi], n.m[lo:hi])
		return n.blockLoss(n.m, n.r, n.h, lo, hi)
	})
}

// penaltyAlong gives the coefficients of s and s² in the L2 penalty of x + s·d.
func (p *problem) penaltyAlong(x, d []float64) (cross, square float64) {
	if p.l2 == 0 {
		return 0, 0
	}
	cross = p.sum(p.total, vectorBlock, func(lo, hi int) float64 {
		s := 0.0
		for j := lo; j < hi; j++ {
			s += float64(p.l2At(j) * x[j] * d[j])
		}
		return s
	})
	square = p.sum(p.total, vectorBlock, func(lo, hi int) float64 {
		s := 0.0
		for j := lo; j < hi; j++ {
			s += float64(p.l2At(j) * d[j] * d[j])
		}
		return s
	})
	return cross, square / 2
}

// hessian sets hv = Hv, penalty included, and gives vᵀHv.
func (n *newton) hessian(v, hv []float64) float64 {
	curvature := n.curve(v, n.h)
	n.transpose(n.r, hv)
	if n.l2 == 0 {
		return curvature
	}
	return curvature + n.sum(n.total, vectorBlock, func(lo, hi int) float64 {
		s := 0.0
		for j := lo; j < hi; j++ {
			t := n.l2At(j) * v[j]
			hv[j] += t
			s += float64(t * v[j])
		}
		return s
	})
}
