// Package synth writes rows shaped like Avazu's whose true click probability
// is known, so that a model can be measured against the best possible.
//
// # The rows
//
// Every column has the number of values, the heavy tail and the dependence on
// other columns that Avazu's has, and grows with the number of rows as
// Avazu's does; no value but the public spellings of missing ones is taken
// from it. An impression is in an app or on a site; a site decides its
// category and mostly its domain and the banner's place; an advertisement
// (C14) decides its campaign (C17), and with it C15, C16, C18 and C21 and
// mostly C19; the device decides device_type, C1 and mostly the model.
// The rows cover ten days in order of time with a daily rhythm; their number
// decides which hour row i falls into.
//
// # The truth
//
// The logit of a click is a sum of an effect of each value of each column, of
// each pair of values of six pairs of columns (Pairs), and of random walks by
// day of every campaign and the larger sites and apps. Effects are hashes of
// the values: the truth is the same for all seeds and all numbers of rows, and
// a seed decides only which rows are drawn and which are clicked. testdata
// holds a table of what was measured of it.
//
// # The same bytes everywhere
//
// Rows are made in blocks of a fixed size, each from a random stream of its
// own, and written in order: the number of threads does not matter. Whatever
// decides a byte is integer arithmetic; see fixed.go for the tables.
package synth

import (
	"errors"
	"fmt"
	"io"
	"math/bits"
	"runtime"
)

// DefaultRows is the number of rows where Options do not say.
const DefaultRows = 1_000_000

// MaxRows is the largest number of rows.
const MaxRows = 1 << 40

// Options say what to write. The zero value is 1,000,000 labelled rows of seed
// 0 on all processors.
type Options struct {
	// Rows is the number of rows; 0 means DefaultRows. It also fixes which
	// hour a row falls into: the first n rows of a larger number of rows are
	// not the rows of n.
	Rows int64
	// Seed decides which rows are drawn and which are clicked, but not the
	// truth, nor the values or how often they occur.
	Seed uint64
	// Threads is the number of goroutines that make rows; 0 means one for each
	// processor. The output does not depend on it.
	Threads int
	// Truth, where it is not nil, receives a CSV of id and true click
	// probability, in the order of the rows and with a header. Probabilities
	// are in Go's shortest exact form.
	Truth io.Writer
	// NoClick leaves out the column click, as in a file of rows to be scored.
	// Nothing else changes.
	NoClick bool
	// Fatigue lets users click less the more impressions they have had, in
	// all and in the same hour, so that history features have something to
	// find. Without it the rows are what they always were.
	Fatigue bool
}

// Validate reports every fault of the options.
func (o Options) Validate() error {
	var faults []error
	if o.Rows < 0 || o.Rows > MaxRows {
		faults = append(faults, fmt.Errorf("rows %d: want 1 to %d, or 0 for %d", o.Rows, int64(MaxRows), DefaultRows))
	}
	if o.Threads < 0 {
		faults = append(faults, fmt.Errorf("threads %d: want 1 or more, or 0 for all processors", o.Threads))
	}
	return errors.Join(faults...)
}

func (o Options) withDefaults() Options {
	if o.Rows == 0 {
		o.Rows = DefaultRows
	}
	if o.Threads == 0 {
		o.Threads = runtime.GOMAXPROCS(0)
	}
	return o
}

// mulDiv gives a*b/c, rounded down, without overflow. The result must fit.
func mulDiv(a, b, c uint64) uint64 {
	hi, lo := bits.Mul64(a, b)
	q, _ := bits.Div64(hi, lo, c)
	return q
}
