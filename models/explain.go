package models

import (
	"errors"

	"ctr/features"
)

// ErrNoCover is why some trees can't be explained.
var ErrNoCover = errors.New("the training rows of the trees' nodes are not known, as they are not in some imported models")

// Scale is what the contributions of an Explainer add up in.
type Scale string

// The scales.
const (
	// LogOdds is ln(p / (1 - p)).
	LogOdds Scale = "log-odds"
	// Probability is p itself.
	Probability Scale = "probability"
)

// Explainer is a Model that says why a row got its probability: what each field
// adds to that of a row of which nothing is known.
type Explainer interface {
	Model
	// Explains gives why the model can't, nil where it can: ErrNoCover.
	Explains() error
	// Baseline is what the contributions are added to, and in what they are.
	Baseline() (value float64, scale Scale)
	// Contributions appends to dst what each field of the Spec adds for a row,
	// in the order of the fields. Baseline and they add up to the row's log-odds
	// or probability, but for rounding. It does not change ex.
	Contributions(ex *features.Example, dst []float64) []float64
}
