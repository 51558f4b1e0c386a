// Package models holds what every model has in common: the interface that
// the rest of ctr scores through, the registry of algorithms, and the model
// file. The algorithms themselves are in its subpackages.
package models

import (
	"context"

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

	L1       *float64 // lr: ‖w‖₁ weight beside the sum of losses
	L2       *float64 // lr: ½‖w‖² weight beside the sum of losses (1/C of scikit-learn)
	MeanLoss bool     // lr: L1 and L2 stand beside the mean loss instead of the sum
	// Standardize penalises weights in units of each column's standard
	// deviation (sample, n-1), as Spark's standardization = true does.
	Standardize bool    // lr
	Solver      string  // lr: "newton" or "lbfgs"; "" takes the faster
	MaxIter     int     // lr: iterations
	Tol         float64 // lr: stop where the relative fall of the objective or the gradient says so

	Trees     int      // rf
	Depth     int      // dt, rf
	Leaves    int      // dt, rf: at most so many
	MinLeaf   int      // dt, rf: training rows a leaf
	RowShare  *float64 // rf: share of rows a tree sees
	ColShare  *float64 // rf: share of columns a split (rf) looks at
	Bootstrap *bool    // rf: with replacement
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
}
