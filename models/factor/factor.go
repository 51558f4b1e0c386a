// Package factor is factorisation machines on one-hot features: "fm", where
// each code of each field has a vector and two codes are worth the product of
// their vectors (Rendle 2010), and "ffm", the field-aware kind, where a code
// has a vector for each field that it meets (Juan et al. 2016). Both have
// linear weights, learn by AdaGrad and stop early. Importing the package
// registers them.
//
// With n fields the log-odds of a row are
//
//	ffm:  bias + 1/n · (Σ_{f<g} ⟨v[f,x_f → g], v[g,x_g → f]⟩ + √n/2·Σ_f w[f,x_f])
//	fm:   bias + 1/n · (Σ_{f<g} ⟨v[f,x_f], v[g,x_g]⟩         + √n·Σ_f w[f,x_f])
//
// where x_f is the slot of the row's code of field f, and the bias, which is
// not learned, the log-odds of the training rows' click rate. The factor 1/n is
// libffm's division by the squared length of a row; √n lets linear weights, of
// which a row has n, move as fast as products, of which it has n²/2 or so, and
// half of that was better for ffm. Numbers take part by their bins.
package factor

import "ctr/models"

// The algorithms' names in the registry.
const (
	FieldAware = "ffm"
	Plain      = "fm"
)

func init() {
	reads := []string{"L2", "LearnRate", "Factors", "Passes", "EarlyStop", "ValidShare", "SlotBits", "LockFree"}
	models.Register(models.Algorithm{
		Name: FieldAware, Title: "field-aware factorisation machine", Reads: reads,
		Train: trainer(FieldAware), Load: loader(FieldAware),
	})
	models.Register(models.Algorithm{
		Name: Plain, Title: "factorisation machine", Reads: reads,
		Train: trainer(Plain), Load: loader(Plain),
	})
}

// newForm gives the form of an algorithm's weights.
func newForm(algo string, fields, factors int) form {
	if algo == Plain {
		return newPlain(fields, factors)
	}
	return newShape(fields, factors)
}
