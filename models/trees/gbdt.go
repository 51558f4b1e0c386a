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
		Name: "gbdt", Title: "gradient boosted trees", Train: TrainBoosted, Load: loadBoosted,
		Reads: []string{
			"Trees", "Depth", "Leaves", "MinLeaf", "L2", "RowShare", "ColShare", "CatSmooth",
			"LearnRate", "EarlyStop", "ValidShare",
		},
	})
}

// boostParams are the settings of boosting, defaults filled in.
type boostParams struct {
	trees, depth, leaves, minLeaf int
	l2, rate, catSmooth           float64
	rowShare, colShare            float64
	earlyStop                     int64
	validShare                    float64
	seed                          uint64
	threads                       int
	scratch                       *features.Scratch

	minCurve float64 // curvature (the second derivative of the loss) that a leaf needs
	minGroup int     // rows that a category needs in a node to stand alone
	catL2    float64 // added to l2 where a category is split
	perGroup float64 // the price of a split for each group that it could choose from: see seeker.better
	wide     int     // rows of a node above which all threads share it
}

func resolveBoosted(o models.Options) (boostParams, error) {
	p := boostParams{
		trees: or(o.Trees, 100), depth: or(o.Depth, maxDepth), leaves: or(o.Leaves, 63), minLeaf: or(o.MinLeaf, 20),
		l2: orPtr(o.L2, 5), rate: orPtr(o.LearnRate, .1), catSmooth: orPtr(o.CatSmooth, 10),
		rowShare: orPtr(o.RowShare, 1), colShare: orPtr(o.ColShare, 1),
		earlyStop: orPtr(o.EarlyStop, 0), validShare: orPtr(o.ValidShare, .1),
		seed: o.Seed, threads: or(o.Threads, runtime.GOMAXPROCS(0)), scratch: o.Scratch,
		minCurve: 1e-3, minGroup: 20, catL2: 10, perGroup: .5, wide: 1 << 16,
	}
	var faults []string
	want := func(ok bool, format string, args ...any) {
		if !ok {
			faults = append(faults, fmt.Sprintf(format, args...))
		}
	}
	want(p.trees >= 1 && p.trees <= 1<<20, "trees %d: want 1..%d", p.trees, 1<<20)
	want(p.depth >= 1 && p.depth <= maxDepth, "depth %d: want 1..%d", p.depth, maxDepth)
	want(p.leaves >= 2 && p.leaves <= 1<<16, "leaves %d: want 2..%d", p.leaves, 1<<16)
	want(p.minLeaf >= 1, "min-leaf %d: want 1 or more", p.minLeaf)
	want(p.l2 >= 0 && p.l2 <= math.MaxFloat64, "l2 %v: want a number, 0 or more", p.l2)
	want(p.rate > 0 && p.rate <= 10, "learning-rate %v: want more than 0, at most 10", p.rate)
	want(p.catSmooth >= 0 && p.catSmooth <= math.MaxFloat64, "cat-smooth %v: want a number, 0 or more", p.catSmooth)
	want(p.rowShare > 0 && p.rowShare <= 1, "row-share %v: want more than 0, at most 1", p.rowShare)
	want(p.colShare > 0 && p.colShare <= 1, "column-share %v: want more than 0, at most 1", p.colShare)
	want(p.earlyStop >= 0, "early-stop %d: want 0 (never) or more", p.earlyStop)
	want(p.validShare > 0 && p.validShare < 1, "valid-share %v: want more than 0, less than 1", p.validShare)
	want(p.threads >= 1, "threads %d: want 0 (all cores) or more", p.threads)
	if len(faults) > 0 {
		return p, &models.SettingError{Algo: "gbdt", Faults: faults}
	}
	return p, nil
}

// TrainBoosted fits gradient boosted trees (Friedman 2001) to t, with leaf
// values and gains of the second order (Chen and Guestrin 2016). Of o it reads
// Trees (default 100; fewer where a tree finds no split worth its price), Leaves
// (default 63 a tree, grown best first), Depth (default 64, which is no limit),
// MinLeaf (default 20), L2 (default 5), LearnRate (default .1), CatSmooth
// (default 10), RowShare and ColShare (default 1), EarlyStop (default 0, never),
// ValidShare (default .1), Seed and Threads.
//
// With EarlyStop, the number of trees is the one that was best on the last rows
// by time when the others were learned from; then all rows are.
func TrainBoosted(ctx context.Context, t *features.Table, o models.Options, progress models.Progress) (models.Model, error) {
	m, err := Boost(ctx, t, o, progress)
	if err != nil {
		return nil, err
	}
	return m, nil
}

// Boost is TrainBoosted with the concrete type of the model.
func Boost(ctx context.Context, t *features.Table, o models.Options, progress models.Progress) (*Boosted, error) {
	p, err := resolveBoosted(o)
	if err != nil {
		return nil, err
	}
	return boost(ctx, t, p, progress)
}

// BoostParts is Boost without early stopping, once for each of several sets of
// rows of t, all ascending and none empty.
func BoostParts(ctx context.Context, t *features.Table, parts [][]int32, o models.Options, progress models.Progress) ([]*Boosted, error) {
	p, err := resolveBoosted(o)
	if err != nil {
		return nil, err
	}
	b, err := newBooster(ctx, t, p)
	if err != nil {
		return nil, err
	}
	var list []*Boosted
	for k, rows := range parts {
		m, err := b.run(rows, nil, func(done, total int, note string) {
			if progress != nil {
				progress(k*total+done, len(parts)*total, note)
			}
		})
		if err != nil {
			return nil, err
		}
		list = append(list, m)
	}
	return list, nil
}

func boost(ctx context.Context, t *features.Table, p boostParams, progress models.Progress) (*Boosted, error) {
	b, err := newBooster(ctx, t, p)
	if err != nil {
		return nil, err
	}
	if p.earlyStop > 0 {
		fit, held := models.Recent(t, p.validShare)
		if len(fit) > 0 && len(held) > 0 {
			m, err := b.run(fit, held, progress)
			if err != nil {
				return nil, err
			}
			b.p.trees = m.settings.Trees
		}
	}
	all := make([]int32, t.Rows)
	for i := range all {
		all[i] = int32(i)
	}
	return b.run(all, nil, progress)
}
