package pipeline

import (
	"fmt"
	"slices"

	"ctr/models"
	"ctr/models/linear"
	"ctr/pipeline/sparkjob"
)

// SparkAlgorithms are those that Spark can fit for ctr.
var SparkAlgorithms = []string{"lr", "dt", "rf"}

// Defaults of lr on Spark, whose iterations are jobs of their own: it ends where
// the last 20 have made the loss better by less than this share of it.
const (
	sparkMaxIter = 100
	sparkTol     = 1e-5
)

// Defaults of trees that Spark fits: like ctr's own (models/trees), they cut
// values that stand in the order of their rate, at the price of a number's cut.
const (
	sparkDepthTree   = 16
	sparkDepthForest = 12
	sparkPriceTree   = 10.5
	sparkPriceForest = 1.2
	sparkValues      = 255
	maxSparkDepth    = 30 // Spark numbers nodes in 32 bits
)

// sparkFaults reports settings that mean nothing to Spark, or nothing yet to
// what comes of it.
func (o *TrainOptions) sparkFaults() (faults []string) {
	m := &o.Model
	if !slices.Contains(SparkAlgorithms, o.Algo) {
		faults = append(faults, fmt.Sprintf("algo %s: want lr, dt or rf with --engine spark", o.Algo))
	}
	if len(o.Files) == 0 {
		faults = append(faults, "want DATA with --engine spark: files, a folder of parts, or their address")
	}
	for _, s := range []struct {
		flag string
		set  bool
	}{
		{"bits", o.Bits != 0},
		{"bins", o.Bins != 0},
		{"numbers-as-values", o.NumbersAsValues},
		{"history", len(o.History) > 0},
		{"auto-cross", o.AutoCross != 0},
		{"rows", o.Rows != 0},
		{"max-bad", o.MaxBad != 0},
		{"cache", o.Cache},
		{"memory", o.Memory != 0},
		{"solver", m.Solver != ""},
		{"warm-start", o.WarmStart != ""},
		{"keep-negatives", o.KeepNegatives != nil},
		{"window", o.Window != 0},
		{"leaves", m.Leaves != 0},
		{"-, standard input", slices.Contains(o.Files, "-")},
	} {
		if s.set {
			faults = append(faults, s.flag+": not with --engine spark")
		}
	}
	if m.Depth > maxSparkDepth {
		faults = append(faults, fmt.Sprintf("depth %d: want at most %d with --engine spark", m.Depth, maxSparkDepth))
	}
	return faults
}

// sparkSettings fills in the defaults.
func sparkSettings(algo string, o *models.Options) sparkjob.Settings {
	s := sparkjob.Settings{
		L1: orDefault(o.L1, 0), L2: orDefault(o.L2, linear.DefaultL2), MeanLoss: o.MeanLoss, Standardize: o.Standardize,
		MaxIter: sparkMaxIter, Tol: sparkTol,
		Depth: sparkDepthTree, MinLeaf: 20, Values: sparkValues, MinGroup: 20, MaxBins: 64, Price: sparkPriceTree, Smooth: 50,
		Trees: 100, ColumnShare: orDefault(o.ColShare, .2), RowShare: orDefault(o.RowShare, 1),
	}
	s.Bootstrap = orDefault(o.Bootstrap, s.RowShare == 1)
	if algo == "rf" {
		s.Depth, s.Price, s.Smooth = sparkDepthForest, sparkPriceForest, 5
	}
	if o.MaxIter > 0 {
		s.MaxIter = o.MaxIter
	}
	if o.Tol > 0 {
		s.Tol = o.Tol
	}
	if o.Depth > 0 {
		s.Depth = o.Depth
	}
	if o.MinLeaf > 0 {
		s.MinLeaf = o.MinLeaf
	}
	if o.Trees > 0 {
		s.Trees = o.Trees
	}
	return s
}

func orDefault[T any](v *T, otherwise T) T {
	if v == nil {
		return otherwise
	}
	return *v
}
