package linear

// What other tools are told of a Num field whose Values is set. Its weights
// begin with one for a missing value and one that the standardised value, cut
// to ±MaxStandard, is multiplied by; it uses no others.
const (
	MissingWeight = missingWeight
	ValueWeight   = valueWeight
	MaxStandard   = maxStandard
)
