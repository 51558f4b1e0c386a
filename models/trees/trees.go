// Package trees fits decision trees ("dt") and random forests ("rf") to a
// features.Table.
//
// Every field becomes at most 1,024 bins: a category its most frequent codes
// and one bin for the rest, a number the ranges between quantiles. A node counts
// rows and clicks a bin, 32 bits each in one integer, so that a histogram of
// any set of rows is the same in whatever order, and by however many threads,
// it is added up. Categories are put in order of their click rate and split
// where a number would be (Breiman, Friedman, Olshen and Stone 1984, theorem
// 4.5: for two classes no subset does better); the rate is that in all training
// rows, for a node knows its own too badly (binned.rank).
package trees

import (
	"context"
	"fmt"
	"math"
	"runtime"

	"ctr/features"
	"ctr/models"
)

func init() {
	models.Register(models.Algorithm{
		Name: "dt", Title: "decision tree", Train: TrainTree, Load: loader("dt"),
		Reads: []string{"Depth", "Leaves", "MinLeaf"},
	})
	models.Register(models.Algorithm{
		Name: "rf", Title: "random forest", Train: TrainForest, Load: loader("rf"),
		Reads: []string{"Trees", "Depth", "Leaves", "MinLeaf", "RowShare", "ColShare", "Bootstrap"},
	})
}

// TrainTree fits one tree to all rows and columns of t. Of o it reads Depth
// (default 16, at most 64), Leaves (default no limit; else the splits that gain
// most are kept), MinLeaf (default 20) and Threads. A node is split only where
// that explains more than chance would (searcher.price), so that most trees end
// before Depth. A leaf's probability is its click rate with 50 rows at its
// parent's probability added.
func TrainTree(ctx context.Context, t *features.Table, o models.Options, progress models.Progress) (models.Model, error) {
	return train(ctx, "dt", t, o, progress)
}

// TrainForest fits a forest whose probability is the mean of its trees'. Of o
// it reads Trees (default 100), Depth (default 16, at most 64), Leaves
// (default no limit), MinLeaf (default 20), RowShare (default 1), ColShare (the
// share of columns that a split looks at; default .2), Bootstrap (rows
// are drawn with replacement; default true where RowShare is 1), Seed and
// Threads.
func TrainForest(ctx context.Context, t *features.Table, o models.Options, progress models.Progress) (models.Model, error) {
	return train(ctx, "rf", t, o, progress)
}

// params are the settings of a training run, defaults filled in.
type params struct {
	trees, depth, leaves, minLeaf int
	rowShare, colShare            float64
	bootstrap                     bool
	seed                          uint64
	threads                       int
	scratch                       *features.Scratch

	minGroup int     // rows that a category needs to stand alone
	steady   float64 // rows at the mean rate added to each category's
	// base and perGroup are the price of a split: see searcher.price.
	base, perGroup float64
	shrink         float64 // rows at the parent's probability that are added to each node's
	schedule
}

// maxDepth bounds the depth of a tree.
const maxDepth = 64

func resolve(algo string, o models.Options) (params, error) {
	p := params{
		trees: 1, depth: or(o.Depth, 16), leaves: o.Leaves, minLeaf: or(o.MinLeaf, 20),
		rowShare: 1, colShare: 1, seed: o.Seed, threads: or(o.Threads, runtime.GOMAXPROCS(0)), scratch: o.Scratch,
		minGroup: 40, steady: 20, base: 9, perGroup: 1.5, shrink: 50, schedule: usual,
	}
	if algo == "rf" {
		p.trees, p.minLeaf = or(o.Trees, 100), or(o.MinLeaf, 20)
		p.rowShare, p.colShare = orPtr(o.RowShare, 1), orPtr(o.ColShare, .2)
		p.bootstrap = orPtr(o.Bootstrap, p.rowShare == 1)
		p.minGroup, p.base, p.perGroup, p.shrink = 20, 2, 1.2, 5
	}
	var faults []string
	want := func(ok bool, format string, args ...any) {
		if !ok {
			faults = append(faults, fmt.Sprintf(format, args...))
		}
	}
	want(p.trees >= 1 && p.trees <= 1<<20, "trees %d: want 1..%d", p.trees, 1<<20)
	want(p.depth >= 1 && p.depth <= maxDepth, "depth %d: want 1..%d", p.depth, maxDepth)
	want(p.leaves >= 0, "leaves %d: want 0 (no limit) or more", p.leaves)
	want(p.minLeaf >= 1, "min-leaf %d: want 1 or more", p.minLeaf)
	want(p.rowShare > 0 && p.rowShare <= 1, "row share %v: want more than 0, at most 1", p.rowShare)
	want(p.colShare > 0 && p.colShare <= 1, "column share %v: want more than 0, at most 1", p.colShare)
	want(p.threads >= 1, "threads %d: want 0 (all cores) or more", p.threads)
	if len(faults) > 0 {
		return p, &models.SettingError{Algo: algo, Faults: faults}
	}
	return p, nil
}

func or(v, otherwise int) int {
	if v == 0 {
		return otherwise
	}
	return v
}

func orPtr[T any](v *T, otherwise T) T {
	if v == nil {
		return otherwise
	}
	return *v
}

func train(ctx context.Context, algo string, t *features.Table, o models.Options, progress models.Progress) (models.Model, error) {
	p, err := resolve(algo, o)
	if err != nil {
		return nil, err
	}
	return fit(ctx, algo, t, p, progress)
}

func check(algo string, t *features.Table) error {
	switch {
	case t.Rows < 1:
		return fmt.Errorf("%s: no rows: want 1 or more", algo)
	case uint64(t.Rows) >= math.MaxUint32:
		return fmt.Errorf("%s: %d rows: want fewer than %d", algo, t.Rows, uint32(math.MaxUint32))
	case len(t.Codes) > math.MaxUint16:
		return fmt.Errorf("%s: %d fields: want at most %d", algo, len(t.Codes), math.MaxUint16)
	}
	for i, w := range t.W {
		if !(w >= 0 && w <= math.MaxFloat64) {
			return fmt.Errorf("%s: weight %v of row %d: want a number, 0 or more", algo, w, i)
		}
	}
	return nil
}
