package spark

import (
	"math"

	"ctr/features"
)

// What a derived column holds of its field.
const (
	whatText    = "text"    // what is looked up: to be indexed
	whatRight   = "number"  // the number, NaN where it is missing: goes right in trees, and has a bucket of its own
	whatLeft    = "left"    // the number, -Infinity where it is missing: goes left in trees
	whatValue   = "value"   // the standardised number, 0 where it is missing
	whatMissing = "missing" // 1 where the number is missing, else 0
)

// derived is a column that ctr export makes of those of the data, in a
// SQLTransformer. It stands as a comment in the statement, so that ctr import
// need not read SQL: it writes the statement anew and compares.
type derived struct {
	Column string        `json:"column"` // what it is called
	What   string        `json:"what"`
	Name   string        `json:"name"` // the rest is the field's
	From   []string      `json:"from"`
	Part   features.Part `json:"part,omitempty"`
	Cast   features.Cast `json:"cast,omitempty"`
	Cap    *float64      `json:"cap,omitempty"`
	Mean   float64       `json:"mean,omitempty"`
	Scale  float64       `json:"scale,omitempty"`
	// Time says how a part that is joined to others is read: the column.
	Time string `json:"time,omitempty"`
}

func (d *derived) isNumber() bool { return d.What != whatText }

// missing gives the number that stands for a missing one.
func (d *derived) missing() float64 {
	switch d.What {
	case whatLeft:
		return math.Inf(-1)
	case whatRight:
		return math.NaN()
	default:
		return 0
	}
}

// field gives the field, as far as the column tells of it.
func (d *derived) field() features.Field {
	f := features.Field{Name: d.Name, From: d.From, Part: d.Part, Cast: d.Cast, Cap: d.Cap}
	if d.What == whatValue || d.What == whatMissing {
		f.Mean, f.Scale = d.Mean, d.Scale
	}
	return f
}
