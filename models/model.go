// Package models holds what every model has in common: the interface that
// the rest of ctr scores through, the registry of algorithms, and the model
// file. The algorithms themselves are in its subpackages.
package models

import (
	"cmp"
	"context"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"ctr/features"
)

// Model gives click probabilities. It is immutable: any number of goroutines
// may use one, each with its own Example.
type Model interface {
	// Algo is the name of the algorithm in the registry: "lr", "dt", "rf".
	Algo() string
	// Probability gives P(click) in [0, 1] for one encoded row. It does not
	// allocate and does not change ex.
	Probability(ex *features.Example) float64
	// Save writes the model's tensors and settings to f; the Loader of its
	// algorithm reads them back to a model with the same probabilities, bit
	// for bit.
	Save(f *File) error
}

// TableModel is a Model that scores a table faster than row by row.
type TableModel interface {
	Model
	// Probabilities appends to dst the Probability of each row of t, bit for
	// bit, on so many threads (0 = all cores).
	Probabilities(t *features.Table, dst []float64, threads int) []float64
}

// BlockModel is a Model that scores rows together faster than one by one.
type BlockModel interface {
	Model
	// ProbabilityBlock sets p[i] to Probability(ex[i]), bit for bit; p is as
	// long as ex. It does not allocate and does not change ex.
	ProbabilityBlock(ex []*features.Example, p []float64)
}

// Options are the settings of all algorithms; each reads those that mean
// something to it. A zero value, or nil for a pointer, means the algorithm's default.
type Options struct {
	Seed    uint64 // default 0; the same seed gives the same model
	Threads int    // default all cores; never changes the result

	// Scratch has room for arrays with a number or a few a row; nil = the
	// heap. Models don't keep any of it.
	Scratch *features.Scratch `json:"-"`

	L1       *float64 // lr: ‖w‖₁ weight beside the sum of losses
	L2       *float64 // lr: ½‖w‖² weight beside the sum of losses (1/C of scikit-learn); gbdt: of a leaf's value; fm, ffm: a row's
	MeanLoss bool     `flag:"mean-loss"` // lr: L1 and L2 stand beside the mean loss instead of the sum
	// Standardize penalises weights in units of each column's standard
	// deviation (sample, n-1), as Spark's standardization = true does.
	Standardize bool    // lr
	Solver      string  // lr: "newton", "lbfgs" or "ftrl"; "" takes the faster of the first two
	MaxIter     int     `flag:"max-iter"` // lr: iterations
	Tol         float64 // lr: stop where the relative fall of the objective or the gradient says so

	// WarmStart, where not nil, is a model of the same Spec to go on from.
	WarmStart Model    `flag:"warm-start" json:"-"`
	Alpha     *float64 // lr by ftrl: the step size of a coordinate
	Beta      *float64 // lr by ftrl: added to the root of a coordinate's squared gradients
	Admit     int      `flag:"min-count"` // lr by ftrl: times that a hashed value must be seen before it is learned
	Passes    int      // lr by ftrl, fm, ffm: times that the rows are gone through, at most
	LockFree  bool     `flag:"lock-free"` // lr by ftrl, fm, ffm: threads share weights unguarded: faster, never the same twice

	Trees     int      // rf, gbdt
	Depth     int      // dt, rf, gbdt
	Leaves    int      // dt, rf, gbdt: at most so many
	MinLeaf   int      `flag:"min-leaf"`     // dt, rf, gbdt: training rows a leaf
	RowShare  *float64 `flag:"row-share"`    // rf, gbdt: share of rows a tree sees
	ColShare  *float64 `flag:"column-share"` // rf: share of columns a split looks at; gbdt: that a tree looks at
	Bootstrap *bool    // rf: with replacement
	CatSmooth *float64 `flag:"cat-smooth"` // gbdt: rows of the average that a category's gradient is smoothed by

	LearnRate  *float64 `flag:"learning-rate"` // gbdt: shrinkage of a tree; fm, ffm: AdaGrad's step
	EarlyStop  *int64   `flag:"early-stop"`    // gbdt: trees, fm, ffm: passes without a gain on the last rows by time; 0 = never stop early
	ValidShare *float64 `flag:"valid-share"`   // gbdt, fm, ffm: share of the training rows, the last by time, kept for EarlyStop
	Factors    int      // fm, ffm: k, the length of a vector
	SlotBits   int      `flag:"slot-bits"` // fm, ffm: 2^SlotBits slots in a field's table at most
}

// Progress is told how far a long piece of work is: done of total units (0 =
// unknown) and one short note such as "iteration 12: log loss 0.3951". It may
// be nil; it is called from one goroutine at a time and returns quickly.
type Progress func(done, total int, note string)

// Trainer fits a model to a table. It stops with ctx's error when ctx ends.
// The same table, options and seed give the same model at any number of
// threads.
type Trainer func(ctx context.Context, t *features.Table, o Options, progress Progress) (Model, error)

// Loader makes a model of what Save wrote. spec has been checked; the file is
// not trusted beyond that: a wrong shape or index is an error, never a panic.
type Loader func(f *File, spec *features.Spec) (Model, error)

// Algorithm is an entry of the registry.
type Algorithm struct {
	Name  string // "lr"
	Title string // "logistic regression"
	Train Trainer
	Load  Loader
	// Reads names the fields of Options that mean something to the algorithm,
	// beside Seed and Threads. Meaningless reports the others.
	Reads []string
}

// reads reports whether the algorithm reads the field of Options of that name.
func (a *Algorithm) reads(field string) bool {
	return field == "Seed" || field == "Threads" || field == "Scratch" || slices.Contains(a.Reads, field)
}

// Meaningless reports the settings of o that none of the algorithms reads, as
// the flags that set them are named, each with the algorithms that do.
func Meaningless(o Options, of ...Algorithm) (faults []string) {
	v := reflect.ValueOf(o)
	for i := range v.NumField() {
		field := v.Type().Field(i)
		reads := func(a Algorithm) bool { return a.reads(field.Name) }
		if v.Field(i).IsZero() || slices.ContainsFunc(of, reads) {
			continue
		}
		name := cmp.Or(field.Tag.Get("flag"), strings.ToLower(field.Name))
		var readers []string
		for _, a := range algorithms {
			if reads(a) {
				readers = append(readers, a.Name)
			}
		}
		faults = append(faults, fmt.Sprintf("%s: means nothing to %s: it is a setting of %s", name, namesOf(of), strings.Join(readers, ", ")))
	}
	return faults
}

// SettingError is Options that an algorithm can't be run with: the caller's
// fault, found before any work was done.
type SettingError struct {
	Algo   string
	Faults []string
}

// Error gives all faults.
func (e *SettingError) Error() string { return e.Algo + ": " + strings.Join(e.Faults, "; ") }

func namesOf(list []Algorithm) string {
	names := make([]string, len(list))
	for i, a := range list {
		names[i] = a.Name
	}
	return strings.Join(names, ", ")
}
