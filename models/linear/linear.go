// Package linear is logistic regression on one-hot and numeric features: a
// weight for each code of each field, or for a number's standardised value,
// plus an intercept, fitted by batch optimisation with L2 and L1 penalties.
// Importing it registers the algorithm "lr".
package linear

import (
	"fmt"
	"math"

	"ctr/features"
	"ctr/models"
)

// Algo is the algorithm's name in the registry.
const Algo = "lr"

func init() {
	models.Register(models.Algorithm{
		Name: Algo, Title: "logistic regression", Train: Train, Load: Load,
		Reads: []string{"L1", "L2", "MeanLoss", "Standardize", "Solver", "MaxIter", "Tol", "WarmStart", "Alpha", "Beta", "Admit", "Passes", "LockFree"},
	})
}

// A Num field whose Values is set has Size weights like any other, and uses
// the first two: one for a missing value, one for the standardised value. The
// others stay 0.
const (
	missingWeight = 0
	valueWeight   = 1
)

// Model is a fitted logistic regression: P(click) = Sigmoid(bias + Σ of one
// term a field). It is immutable.
type Model struct {
	bias    float64
	weights []float64 // all fields', as Spec.Offsets lays them out
	fields  []field
	offsets []int
	report  Report
	online  *online // what FTRL goes on from; nil for the batch solvers
}

// field is what a Model needs to know of a field.
type field struct {
	weights     []float64 // the field's part of Model.weights
	mean, scale float64
	value       bool // weigh the value, not the code
}

// New makes a model of weights for spec, laid out by spec.Offsets, and a bias,
// that were fitted otherwise or as part of a larger model.
func New(spec *features.Spec, weights []float64, bias float64) (*Model, error) {
	if _, total := spec.Offsets(); len(weights) != total {
		return nil, fmt.Errorf("lr: %d weights: want %d", len(weights), total)
	}
	return newModel(spec, weights, bias, Report{}), nil
}

// newModel makes a model of all weights, laid out by spec.Offsets, and a bias.
func newModel(spec *features.Spec, weights []float64, bias float64, report Report) *Model {
	offsets, _ := spec.Offsets()
	m := &Model{bias: bias, weights: weights, offsets: offsets, report: report}
	m.fields = make([]field, len(offsets))
	for f := range m.fields {
		fd := &spec.Fields[f]
		m.fields[f] = field{
			weights: weights[offsets[f] : offsets[f]+spec.Size(f)],
			mean:    fd.Mean, scale: scaleOf(fd), value: weighsValue(fd),
		}
	}
	return m
}

// weighsValue reports whether a field has one weight for its value instead of
// one a code.
func weighsValue(fd *features.Field) bool { return fd.Type == features.Num && fd.Values }

// scaleOf gives what a field's centred value is divided by.
func scaleOf(fd *features.Field) float64 {
	if fd.Scale == 0 {
		return 1
	}
	return fd.Scale
}

// Algo gives "lr".
func (m *Model) Algo() string { return Algo }

// Bias gives the intercept, in log-odds.
func (m *Model) Bias() float64 { return m.bias }

// Weights gives all weights as Spec.Offsets lays them out. The caller must
// not change them.
func (m *Model) Weights() []float64 { return m.weights }

// Report says how the fit went.
func (m *Model) Report() Report { return m.report }

// Probability gives P(click) of one row, encoded by the Spec of the model.
func (m *Model) Probability(ex *features.Example) float64 { return Sigmoid(m.LogOdds(ex)) }

// LogOdds gives the log-odds of a click: the bias, then each field's term
// added in the order of the fields.
func (m *Model) LogOdds(ex *features.Example) float64 {
	sum := m.bias
	for f := range m.fields {
		sum += m.term(f, ex)
	}
	return sum
}

// Contributions appends to dst what each field adds to the row's log-odds, in
// the order of the fields. Added to the bias in that order they give LogOdds.
func (m *Model) Contributions(ex *features.Example, dst []float64) []float64 {
	for f := range m.fields {
		dst = append(dst, m.term(f, ex))
	}
	return dst
}

// Explains gives nil.
func (m *Model) Explains() error { return nil }

// Baseline gives the bias, in log-odds. Model implements models.Explainer.
func (m *Model) Baseline() (value float64, scale models.Scale) { return m.bias, models.LogOdds }

// term gives what field f adds to the log-odds.
func (m *Model) term(f int, ex *features.Example) float64 {
	fd := &m.fields[f]
	if fd.value {
		return numeric(ex.Values[f], fd.mean, fd.scale, fd.weights[missingWeight], fd.weights[valueWeight])
	}
	return fd.weights[ex.Codes[f]]
}

// Report is how a fit went.
type Report struct {
	// Iterations of the optimiser, and passes over all columns of the table
	// (a forward pass and a transposed pass count one each).
	Iterations, Passes int
	// Converged is whether the tolerance was met within MaxIter.
	Converged bool
	// Objective is the value that was minimised, as the options define it
	// (a sum or a mean), and LogLoss its mean log loss alone.
	Objective, LogLoss float64
	// Gradient is the Euclidean norm of the objective's gradient at the end,
	// of the minimum-norm subgradient where there is an L1 penalty.
	Gradient float64
}

// String gives the report in one line.
func (r Report) String() string {
	state := "converged"
	if !r.Converged {
		state = "not converged"
	}
	return fmt.Sprintf("%s after %d iterations: log loss %.6g, gradient %.3g", state, r.Iterations, r.LogLoss, r.Gradient)
}

// finite reports whether all of a are finite.
func finite(a []float64) bool {
	for _, v := range a {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return false
		}
	}
	return true
}
