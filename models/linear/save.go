package linear

import (
	"fmt"
	"slices"

	"ctr/features"
	"ctr/models"
)

// The tensors of the model file.
const (
	tensorWeights = "lr/weights"
	tensorBias    = "lr/bias"
)

// stored is the settings of the model file. Offsets repeats what the Spec
// gives, so that a reader in another language need not know how fields are
// laid out.
type stored struct {
	Offsets    []int   `json:"offsets"`
	Iterations int     `json:"iterations"`
	Passes     int     `json:"passes"`
	Converged  bool    `json:"converged"`
	Objective  float64 `json:"objective"`
	LogLoss    float64 `json:"log_loss"`
	Gradient   float64 `json:"gradient"`
}

// Save writes the model as two tensors, F64 lr/weights of all weights and F64
// lr/bias of one element, and settings whose offsets give where each field's
// weights begin. The probability of a row is
//
//	m = bias
//	for each field f of the spec, in order:
//	    if f has "values": m += weights[offset_f] if its value v is missing,
//	                       else weights[offset_f+1]·((v - mean_f) / scale_f)
//	    else:              m += weights[offset_f + code_f]
//	p = 1/(1+e) if m >= 0 else e/(1+e), with e = exp(-|m|)
//
// in float64, where mean and scale are the spec's, 0 and 1 if absent, and a
// scale of 0 means 1; (v - mean)/scale is cut to ±1e100. Hashed fields share
// one range of weights.
func (m *Model) Save(f *models.File) error {
	var err error
	if m.online != nil {
		err = m.online.save(f, m.weights)
	} else {
		err = f.PutF64(tensorWeights, nil, m.weights)
	}
	if err != nil {
		return err
	}
	if err := f.PutF64(tensorBias, nil, []float64{m.bias}); err != nil {
		return err
	}
	r := m.report
	return f.PutSettings(stored{
		Offsets: m.offsets, Iterations: r.Iterations, Passes: r.Passes, Converged: r.Converged,
		Objective: r.Objective, LogLoss: r.LogLoss, Gradient: r.Gradient,
	})
}

// Load reads what Save wrote. It reports tensors of another length than the
// spec's and weights that are not finite.
func Load(f *models.File, spec *features.Spec) (models.Model, error) {
	offsets, total := spec.Offsets()
	var weights []float64
	var on *online
	var err error
	if f.Has(tensorIndex) {
		on, weights, err = loadOnline(f, total)
	} else {
		weights, err = f.F64Vec(tensorWeights, total)
	}
	if err != nil {
		return nil, err
	}
	bias, err := f.F64Vec(tensorBias, 1)
	if err != nil {
		return nil, err
	}
	if !finite(weights) {
		return nil, fmt.Errorf("tensor %s: want finite numbers", tensorWeights)
	}
	if !finite(bias) {
		return nil, fmt.Errorf("tensor %s: %v: want a finite number", tensorBias, bias[0])
	}
	var s stored
	if err := f.Settings(&s); err != nil {
		return nil, err
	}
	if !slices.Equal(s.Offsets, offsets) {
		return nil, fmt.Errorf("settings: offsets: want those of the spec's fields")
	}
	m := newModel(spec, weights, bias[0], Report{
		Iterations: s.Iterations, Passes: s.Passes, Converged: s.Converged,
		Objective: s.Objective, LogLoss: s.LogLoss, Gradient: s.Gradient,
	})
	m.online = on
	return m, nil
}
