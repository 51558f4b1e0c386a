package linear

import (
	"context"
	"fmt"
	"math"
	"slices"

	"ctr/features"
	"ctr/models"
)

// Defaults of models.Options as this package reads them. The default L2
// penalty, 10 beside the sum of losses, is scikit-learn's C = 0.1.
const (
	DefaultL2      = 10.0
	DefaultMaxIter = 200
	DefaultTol     = 1e-6
	// DefaultSmallTol is the default of Tol without L1 for tables of at most
	// smallRows rows. There the last digits cost a fraction of a second and
	// spare everyone who compares coefficients the question of tolerance.
	DefaultSmallTol = 1e-12
	smallRows       = 100_000
)

// The values of models.Options.Solver. Both reach the same optimum.
const (
	// SolverNewton is a truncated Newton method, for L2 alone.
	SolverNewton = "newton"
	// SolverLBFGS is L-BFGS, in the form of OWL-QN where there is an L1
	// penalty.
	SolverLBFGS = "lbfgs"
)

// outcome is what a solver gives back.
type outcome struct {
	x          []float64 // weights and intercept
	loss       float64   // sum of losses at x
	gradient   float64   // norm of the objective's gradient at x
	iterations int
	converged  bool
}

// solver minimises a problem: it stops where the fall of the objective that is
// left, as far as the solver can tell, is below tol times the objective, after
// maxIter iterations, or when the problem's context ends. It calls step after
// each iteration with the sum of losses.
type solver interface {
	minimise(maxIter int, tol float64, step func(iteration int, loss float64)) outcome
}

// settings are the options with the defaults filled in.
type settings struct {
	l1, l2  float64
	maxIter int
	tol     float64
	solver  string
}

// settingsOf fills in defaults and reports every option that makes no sense.
func settingsOf(o models.Options, rows int) (settings, error) {
	s := settings{l2: DefaultL2, maxIter: DefaultMaxIter, tol: DefaultTol, solver: o.Solver}
	var faults []string
	penalty := func(name string, v *float64, to *float64) {
		if v == nil {
			return
		}
		*to = *v
		if !(*v >= 0) || math.IsInf(*v, 1) {
			faults = append(faults, fmt.Sprintf("%s %v: want a finite number, 0 or more", name, *v))
		}
	}
	penalty("l1", o.L1, &s.l1)
	penalty("l2", o.L2, &s.l2)
	if o.MaxIter != 0 {
		s.maxIter = o.MaxIter
	}
	if s.maxIter < 0 {
		faults = append(faults, fmt.Sprintf("max-iter %d: want 1 or more", s.maxIter))
	}
	switch {
	case o.Tol != 0:
		s.tol = o.Tol
	case rows <= smallRows && s.l1 == 0:
		s.tol = DefaultSmallTol
	}
	if !(s.tol > 0) || s.tol >= 1 {
		faults = append(faults, fmt.Sprintf("tol %v: want more than 0 and less than 1", s.tol))
	}
	switch {
	case !slices.Contains([]string{"", SolverNewton, SolverLBFGS}, s.solver):
		faults = append(faults, fmt.Sprintf("solver %q: want %s or %s", s.solver, SolverNewton, SolverLBFGS))
	case s.solver == SolverNewton && s.l1 > 0:
		faults = append(faults, "solver newton: want l1 0, or solver lbfgs")
	}
	if faults != nil {
		return s, &models.SettingError{Algo: Algo, Faults: faults}
	}
	return s, nil
}

// Train fits a logistic regression to t. It reads L1, L2, MeanLoss,
// Standardize, MaxIter, Tol and Threads of o; the objective is
//
//	Σ w_i·log(1+exp(-s_i·m_i)) + L1·Σ|u_j·b_j| + ½·L2·Σ(u_j·b_j)²
//
// over rows i with weight w_i, label s_i = ±1 and log-odds m_i, and weights
// b_j; the intercept has no penalty. u_j is 1, or with Standardize the sample
// standard deviation of column j, and then a constant column's weight is 0.
// MeanLoss divides the sum of losses by Σ w_i. Spark's regParam λ and
// elasticNetParam α are L1 = λα, L2 = λ(1-α), MeanLoss, and Standardize unless
// its standardization is off.
//
// Without L1 the method is a truncated Newton method unless Solver says L-BFGS;
// with it OWL-QN. A fit
// that does not converge in MaxIter iterations is no error: the Model's Report
// tells. Labels that are all the same give a finite model.
func Train(ctx context.Context, t *features.Table, o models.Options, progress models.Progress) (models.Model, error) {
	m, err := Fit(ctx, t, o, progress)
	if err != nil {
		return nil, err
	}
	return m, nil
}

// Fit is Train with the concrete type of the model.
func Fit(ctx context.Context, t *features.Table, o models.Options, progress models.Progress) (*Model, error) {
	if t.Rows == 0 {
		return nil, fmt.Errorf("lr: 0 rows: want 1 or more")
	}
	if o.Solver == SolverFTRL {
		return fitOnline(ctx, t, o, progress)
	}
	s, err := settingsOf(o, t.Rows)
	if err != nil {
		return nil, err
	}
	workers := newPool(ctx, o.Threads)
	workers.scratch = o.Scratch
	p := newProblem(workers, t)
	if !(p.weight > 0) || math.IsInf(p.weight, 1) {
		return nil, fmt.Errorf("lr: weights of the rows add up to %v: want a finite number above 0", p.weight)
	}
	scale := 1.0
	if o.MeanLoss {
		scale = p.weight
	}
	p.l1, p.l2 = s.l1*scale, s.l2*scale
	if o.Standardize {
		p.unit = p.deviations()
	}
	out := p.solver(s.solver).minimise(s.maxIter, s.tol, func(iteration int, loss float64) {
		if progress != nil && ctx.Err() == nil {
			progress(iteration, 0, fmt.Sprintf("iteration %d: log loss %.6f", iteration, loss/p.weight))
		}
	})
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if !finite(out.x) || !finite([]float64{out.loss, out.gradient}) {
		return nil, fmt.Errorf("lr: weights are not finite: want finite numbers in the columns and row weights")
	}
	report := Report{
		Iterations: out.iterations, Passes: p.passes, Converged: out.converged,
		Objective: (out.loss + p.penalty(out.x)) / scale, LogLoss: out.loss / p.weight,
		Gradient: out.gradient / scale,
	}
	return newModel(t.Spec, out.x[:p.total:p.total], out.x[p.total], report), nil
}

// solver gives the method that was asked for, or else the fastest one.
func (p *problem) solver(name string) solver {
	if p.l1 > 0 || name == SolverLBFGS {
		return newOrthant(p)
	}
	return newNewton(p)
}
