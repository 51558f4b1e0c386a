// Package stack is logistic regression on the leaves of gradient boosted trees
// beside the columns themselves (He et al. 2014, section 3.1). Importing it
// registers the algorithm "gbdt-lr".
//
// Each tree is a category of a row: the leaf that the row falls in. Its leaves
// get weights as the values of any column do, so that what is fitted in the end
// is a logistic regression, and trees whose leaves hold weights of it.
//
// The leaves of the rows that a tree was fitted to say more of their labels than
// those of any other row do, and weights fitted to them are far too large. So
// there is a set of trees for each third of the rows, fitted to the other two,
// and a row has leaves in its own third's trees alone; in the others it has code
// 0, which weighs nothing. A new row falls in the leaves of all sets, each at a
// third of its weight.
package stack

import (
	"context"
	"fmt"

	"ctr/features"
	"ctr/models"
	"ctr/models/linear"
	"ctr/models/trees"
)

// Algo is the algorithm's name in the registry.
const Algo = "gbdt-lr"

// Defaults of models.Options as this package reads them; those of the others
// are gbdt's and lr's.
const (
	DefaultTrees  = 30 // a set
	DefaultLeaves = 31
	DefaultL2     = 30.0
)

// sets is how many parts the rows are divided into.
const sets = 3

func init() {
	models.Register(models.Algorithm{
		Name: Algo, Title: "logistic regression on the leaves of boosted trees", Train: Train, Load: Load,
		Reads: []string{
			"Trees", "Depth", "Leaves", "MinLeaf", "RowShare", "ColShare", "CatSmooth", "LearnRate",
			"L1", "L2", "Solver", "MaxIter", "Tol",
		},
	})
}

// Train fits three sets of trees to t, then the logistic regression. Of o it
// reads Trees (default 30 a set), Leaves (default 31 a tree), Depth, MinLeaf,
// RowShare, ColShare, CatSmooth and LearnRate as gbdt does, and L2 (default
// 30), L1, Solver (not ftrl), MaxIter and Tol as lr does; Seed and Threads.
func Train(ctx context.Context, t *features.Table, o models.Options, progress models.Progress) (models.Model, error) {
	if o.Solver == linear.SolverFTRL {
		return nil, &models.SettingError{Algo: Algo, Faults: []string{"solver ftrl: want newton or lbfgs"}}
	}
	m, err := fit(ctx, t, o, progress)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", Algo, err)
	}
	return m, nil
}

func fit(ctx context.Context, t *features.Table, o models.Options, progress models.Progress) (*Model, error) {
	part := parts(t.Rows, o.Seed)
	list, err := trees.BoostParts(ctx, t, others(part), treeOptions(o), progress)
	if err != nil {
		return nil, err
	}
	wide, err := widen(t, list, part, o.Threads)
	if err != nil {
		return nil, err
	}
	lr, err := linear.Fit(ctx, wide, linearOptions(o), progress)
	if err != nil {
		return nil, err
	}
	return join(t.Spec, lr, trees.Together(0, list))
}

func treeOptions(o models.Options) models.Options {
	to := models.Options{
		Seed: o.Seed, Threads: o.Threads, Trees: o.Trees, Depth: o.Depth, Leaves: o.Leaves, MinLeaf: o.MinLeaf,
		RowShare: o.RowShare, ColShare: o.ColShare, CatSmooth: o.CatSmooth, LearnRate: o.LearnRate,
	}
	if to.Trees == 0 {
		to.Trees = DefaultTrees
	}
	if to.Leaves == 0 {
		to.Leaves = DefaultLeaves
	}
	return to
}

func linearOptions(o models.Options) models.Options {
	lo := models.Options{Threads: o.Threads, L1: o.L1, L2: o.L2, Solver: o.Solver, MaxIter: o.MaxIter, Tol: o.Tol}
	if lo.L2 == nil {
		l2 := DefaultL2
		lo.L2 = &l2
	}
	return lo
}

// parts gives each row its part, by chance; few rows take turns.
func parts(rows int, seed uint64) []uint8 {
	part := make([]uint8, rows)
	for i := range part {
		part[i] = uint8(i % sets)
		if rows >= 100 {
			part[i] = uint8(features.Mix64(features.Mix64(seed)^uint64(i)) % sets)
		}
	}
	return part
}

// others gives, for each part, the rows that are not in it; all rows where
// there would be none.
func others(part []uint8) [][]int32 {
	rows := make([][]int32, sets)
	for k := range rows {
		for i, p := range part {
			if int(p) != k || len(part) < sets {
				rows[k] = append(rows[k], int32(i))
			}
		}
	}
	return rows
}
