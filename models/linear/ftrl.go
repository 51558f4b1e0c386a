package linear

import (
	"context"
	"fmt"
	"math"

	"ctr/features"
	"ctr/models"
)

// SolverFTRL is the online method.
const SolverFTRL = "ftrl"

// Defaults of the online method, chosen on the last hours of training rows of
// Avazu's and on synthetic ones.
const (
	defaultAlpha  = 0.1
	defaultBeta   = 0.3
	defaultFTRLL1 = 0
	defaultFTRLL2 = 1
)

// OnlineOptions are the settings of a Learner. See models.Options for the
// defaults.
type OnlineOptions struct {
	// Alpha is the step size, Beta is added to the root of the sum of squared
	// gradients, L1 and L2 are λ₁ and λ₂ of McMahan et al. 2013.
	Alpha, Beta, L1, L2 float64
	// Admit is how often a slot must be hit before it is learned; 0 and 1
	// learn at once.
	Admit int
}

// onlineOptions reads the settings that mean something to FTRL.
func onlineOptions(o models.Options) (OnlineOptions, error) {
	pick := func(v *float64, def float64) float64 {
		if v == nil {
			return def
		}
		return *v
	}
	out := OnlineOptions{
		Alpha: pick(o.Alpha, defaultAlpha), Beta: pick(o.Beta, defaultBeta),
		L1: pick(o.L1, defaultFTRLL1), L2: pick(o.L2, defaultFTRLL2), Admit: o.Admit,
	}
	faults := out.validate()
	if o.MeanLoss {
		faults = append(faults, "mean-loss: want solver newton or lbfgs")
	}
	if o.Standardize {
		faults = append(faults, "standardize: want solver newton or lbfgs")
	}
	if o.MaxIter != 0 {
		faults = append(faults, "max-iter: want solver newton or lbfgs; ftrl has passes")
	}
	if o.Tol != 0 {
		faults = append(faults, "tol: want solver newton or lbfgs")
	}
	if faults != nil {
		return out, &models.SettingError{Algo: Algo, Faults: faults}
	}
	return out, nil
}

// maxSetting keeps all settings well inside float32.
const maxSetting = 1e15

func (o *OnlineOptions) validate() (faults []string) {
	check := func(name string, v, low float64) {
		if !(v >= low && v <= maxSetting) {
			faults = append(faults, fmt.Sprintf("%s %v: want %v … %v", name, v, low, maxSetting))
		}
	}
	check("alpha", o.Alpha, 1e-9)
	check("beta", o.Beta, 1e-9)
	check("l1", o.L1, 0)
	check("l2", o.L2, 0)
	if o.Admit < 0 || o.Admit > maxAdmit {
		faults = append(faults, fmt.Sprintf("min-count %d: want 0 … %d with ftrl", o.Admit, maxAdmit))
	}
	return faults
}

// maxAdmit is the largest count that a slot's float32 holds exactly.
const maxAdmit = 1 << 24

// slot is the state of a coordinate. q is the root of n of McMahan et al. 2013,
// the sum of squared gradients: the root is wanted twice a row and changes once.
// v is their z where λ₁ > 0, from which the weight follows,
//
//	w = 0                                       where |z| <= λ₁
//	w = (sign(z)·λ₁ - z)·α / (β + α·λ₂ + q)     elsewhere
//
// (their Algorithm 1). Where λ₁ = 0, v is the weight itself: put into the
// update of z, z' = z + g - (q' - q)/α·w, this w gives
//
//	w' = w - α·g / (β + α·λ₂ + q')
//
// which saves a division a code before the row can be predicted. Where slots
// are admitted by count, q is 0 until then and v is the number of rows that hit
// the slot so far.
type slot struct{ v, q float32 }

// FTRL is logistic regression learned online by FTRL-Proximal with a learning
// rate a coordinate (McMahan et al. 2013, "Ad click prediction: a view from
// the trenches", Algorithm 1). Each row is predicted, then learned from, one
// after the other: the result depends on the rows and their order alone.
//
// Learn may be called by several goroutines at once, each with its own
// Batch, if the caller wants speed and not the same model twice: slots are then
// read and written without any guard (Niu et al. 2011, "Hogwild!").
type FTRL struct {
	opts  OnlineOptions
	spec  *features.Spec
	table []slot
	bias  slot // of the intercept, which has no penalty
	k     coefficients
	pool  *pool
	still []int // slots that must weigh nothing: code 0 of dictionaries
	// moved is by how much a warm start's intercept was moved for the share of
	// rows without a click that it had learned from: that share's logarithm.
	moved float64
}

// coefficients are what the settings are in the kernel.
type coefficients struct {
	alpha, l1, base, perAlpha float32 // base = β + α·λ₂, perAlpha = 1/α
	biasBase                  float32
	admit                     float32
}

// NewFTRL gives a learner for rows encoded by spec, from nothing or, where
// from is not nil, from the state of a model of the same Spec.
func NewFTRL(spec *features.Spec, o models.Options) (*FTRL, error) {
	opts, err := onlineOptions(o)
	if err != nil {
		return nil, err
	}
	for f := range spec.Fields {
		if weighsValue(&spec.Fields[f]) {
			return nil, fmt.Errorf("lr: field %s: solver ftrl weighs bins: want it without numbers-as-values", spec.Fields[f].Name)
		}
	}
	_, total := spec.Offsets()
	l := &FTRL{opts: opts, spec: spec, table: features.Huge[slot](total), pool: newPool(context.Background(), o.Threads)}
	l.k = coefficients{
		alpha: float32(opts.Alpha), l1: float32(opts.L1), perAlpha: float32(1 / opts.Alpha),
		base: float32(opts.Beta + opts.Alpha*opts.L2), biasBase: float32(opts.Beta),
	}
	if opts.Admit > 1 {
		l.k.admit = float32(opts.Admit)
	}
	if o.WarmStart != nil {
		if err := l.resume(o.WarmStart); err != nil {
			return nil, err
		}
	}
	l.hold()
	return l, nil
}

// stillRoot is the q of a slot that does not move: its weight is below 1e-9
// whatever z has become, and no gradient that a float32 holds changes it, so
// that the kernel need not ask.
const stillRoot = 1e18

// hold stills code 0 of dictionaries: what is rare or unseen has no weight (see
// problem.fixed).
func (l *FTRL) hold() {
	offsets, _ := l.spec.Offsets()
	for f, at := range offsets {
		if l.spec.Fields[f].Type == features.Dict {
			l.still = append(l.still, at)
			l.table[at] = slot{q: stillRoot}
		}
	}
}

// resume begins from the state of m.
func (l *FTRL) resume(m models.Model) error {
	from, ok := m.(*Model)
	if !ok || from.online == nil {
		return fmt.Errorf("lr: warm start: want a model that solver ftrl trained")
	}
	if len(from.weights) != len(l.table) {
		return fmt.Errorf("lr: warm start: a model of %d weights: want %d", len(from.weights), len(l.table))
	}
	s := from.online
	for i, at := range s.index {
		q, w := s.q[i], float32(from.weights[at])
		switch {
		case q == 0 && l.k.admit == 0: // a count, which means nothing where slots are admitted at once
		case q == 0 || l.k.l1 > 0 && s.v != nil:
			l.table[at] = slot{s.v[i], q}
		case l.k.l1 > 0:
			l.table[at] = slot{-w * (l.k.base + q) / l.k.alpha, q}
		default:
			l.table[at] = slot{w, q}
		}
	}
	l.bias, l.moved = s.bias, from.bias-float64(s.bias.v)
	return nil
}

// Keep says that the rows to come are this share (above 0, at most 1) of those
// without a click, and all with one. The intercept of a model that a warm start
// goes on from is moved there, if its share was another: a model that had seen
// a tenth begins at odds ten times too large for all. What was learned with the
// same share goes on with the same bits.
func (l *FTRL) Keep(share float64) {
	if to := math.Log(share); math.Abs(to-l.moved) > 1e-6 {
		l.bias.v += float32(l.moved - to)
		l.moved = to
	}
}

// weight gives the weight of a slot.
func (k *coefficients) weight(s slot) float32 {
	z := s.v
	switch {
	case s.q == 0: // never learned, or not yet admitted
		return 0
	case k.l1 == 0:
		return s.v
	case z > k.l1:
		z -= k.l1
	case z < -k.l1:
		z += k.l1
	default:
		return 0
	}
	return -z * k.alpha / (k.base + s.q)
}

// Bytes gives the size of the learner's table.
func (l *FTRL) Bytes() int64 { return 8 * int64(len(l.table)) }

// Model gives what has been learned so far. keepNegatives is the share of
// rows without a click that were learned from (1 = all): the intercept is moved
// by its logarithm, which is the recalibration q = p/(p + (1-p)/w) of He et al.
// 2014, section 6.3.
func (l *FTRL) Model(keepNegatives float64, report Report) (*Model, error) {
	for _, at := range l.still {
		l.table[at] = slot{}
	}
	defer func() {
		for _, at := range l.still {
			l.table[at].q = stillRoot
		}
	}()
	weights := features.Huge[float64](len(l.table))
	on, err := l.gather(weights)
	if err != nil {
		return nil, err
	}
	bias := float64(l.bias.v) + math.Log(keepNegatives)
	if !(math.Abs(bias)+float64(l.bias.q) < math.Inf(1)) {
		return nil, fmt.Errorf("lr: the intercept is not finite: want a smaller alpha or smaller row weights")
	}
	m := newModel(l.spec, weights, bias, report)
	m.online = on
	return m, nil
}

// gatherBlock is how many slots one thread looks at before the next ones.
const gatherBlock = 1 << 16

// gather sets the weights of the slots that were hit, and gives their state.
func (l *FTRL) gather(weights []float64) (*online, error) {
	starts := make([]int, (len(l.table)+gatherBlock-1)/gatherBlock+1)
	l.pool.blocks(len(l.table), gatherBlock, func(lo, hi int) {
		n := 0
		for _, s := range l.table[lo:hi] {
			if s != (slot{}) {
				n++
			}
		}
		starts[lo/gatherBlock+1] = n
	})
	for i := range len(starts) - 1 {
		starts[i+1] += starts[i]
	}
	n := starts[len(starts)-1]
	on := &online{bias: l.bias, index: make([]uint32, n), q: make([]float32, n)}
	if l.k.l1 > 0 || l.k.admit > 0 { // else v is the weight
		on.v = make([]float32, n)
	}
	faults := make([]error, len(starts))
	l.pool.blocks(len(l.table), gatherBlock, func(lo, hi int) {
		at := starts[lo/gatherBlock]
		for i, s := range l.table[lo:hi] {
			if s == (slot{}) {
				continue
			}
			w := float64(l.k.weight(s))
			if !(math.Abs(w)+float64(s.q) < math.Inf(1)) {
				faults[lo/gatherBlock] = fmt.Errorf("lr: weight %d is not finite: want a smaller alpha or smaller row weights", lo+i)
			}
			weights[lo+i], on.index[at], on.q[at] = w, uint32(lo+i), s.q
			if on.v != nil {
				on.v[at] = s.v
			}
			at++
		}
	})
	for _, err := range faults {
		if err != nil {
			return nil, err
		}
	}
	return on, nil
}
