// Package reference runs another library's decision tree on our rows: golearn
// (github.com/sjwhitworth/golearn), the machine-learning library that Go
// programs reach for first. It is a measured baseline for the evaluation
// table and, in tests, a referee of our metrics. It is never on the way to a
// model or a score.
//
// Of golearn only the CART tree is of use here: its other learners need cgo,
// do not end, or give other answers from run to run.
package reference

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/sjwhitworth/golearn/base"
	"github.com/sjwhitworth/golearn/trees"

	"ctr/features"
)

// The defaults of Options.
const (
	DefaultRows  = 20_000
	DefaultDepth = 6
)

// Options are the settings of Baseline; the zero value means the defaults.
type Options struct {
	// Rows is how many training rows are used at most, default 20,000, which
	// take some 5 s: each node of golearn's tree goes over all its rows for
	// every value of every column.
	Rows int
	// Depth is the number of splits from the root to a leaf at most, default
	// 6.
	Depth int
}

// Validate reports the first fault.
func (o Options) Validate() error {
	switch {
	case o.Rows < 0:
		return fmt.Errorf("baseline rows %d: want 0 (%d) or more", o.Rows, DefaultRows)
	case o.Depth < 0:
		return fmt.Errorf("baseline depth %d: want 0 (%d) or more", o.Depth, DefaultDepth)
	}
	return nil
}

// Result is what the baseline gave.
type Result struct {
	// TrainY and TrainP are the labels and probabilities of the training
	// rows that were used.
	TrainY []uint8
	TrainP []float64
	// TestP are the probabilities of all test rows; nil without a test table.
	TestP []float64
	// Rows is how many training rows were used.
	Rows int
	// Seconds is the time that golearn took to fit the tree.
	Seconds float64
	// Warning says what to know before these figures are compared with
	// others.
	Warning string
}

// Baseline fits golearn's CART tree (Gini impurity) to rows of train, spread
// evenly over it, and judges those rows and all of test, which may be nil.
// golearn's tree takes numbers only: a category is given as the rank of its
// code by frequency, and a column has at most 256 different values (see
// column). golearn predicts 0 or 1; the probability of a row is the click
// rate of the leaf that it falls into, (clicks + 1) / (rows + 2) over the
// training rows used, which is above 0.5 where golearn predicts 1.
//
// The same tables and options give the same result. golearn cannot be
// interrupted: when ctx ends, Baseline returns at once and the tree is
// finished in the background. A panic in golearn becomes an error.
func Baseline(ctx context.Context, train, test *features.Table, o Options) (Result, error) {
	if err := o.Validate(); err != nil {
		return Result{}, err
	}
	if train == nil || train.Rows == 0 {
		return Result{}, fmt.Errorf("no training rows: want at least 1")
	}
	if o.Rows == 0 {
		o.Rows = DefaultRows
	}
	if o.Depth == 0 {
		o.Depth = DefaultDepth
	}
	type outcome struct {
		Result
		err error
	}
	done := make(chan outcome, 1)
	go func() {
		var out outcome
		defer func() {
			if fault := recover(); fault != nil {
				out = outcome{err: fmt.Errorf("golearn baseline: panic: %v", fault)}
			}
			done <- out
		}()
		out.Result, out.err = run(ctx, train, test, o)
	}()
	select {
	case <-ctx.Done():
		return Result{}, ctx.Err()
	case out := <-done:
		return out.Result, out.err
	}
}

// run is Baseline without the defence.
func run(ctx context.Context, train, test *features.Table, o Options) (Result, error) {
	rows := spread(train.Rows, o.Rows)
	columns := make([]column, len(train.Codes))
	for f := range columns {
		columns[f] = newColumn(train, f, rows)
	}
	r := Result{Rows: len(rows), TrainY: make([]uint8, len(rows))}
	for i, row := range rows {
		r.TrainY[i] = train.Y[row]
	}
	data, err := instances(columns, train, rows)
	if err != nil {
		return Result{}, err
	}
	start := time.Now()
	tree := trees.NewDecisionTreeClassifier(trees.GINI, int64(o.Depth), []int64{0, 1})
	if err := tree.Fit(data); err != nil {
		return Result{}, fmt.Errorf("golearn: %w", err)
	}
	r.Seconds = time.Since(start).Seconds()
	r.Warning = warning(len(rows), train.Rows, o.Depth)

	leaves := leafRates(tree, columns, train, rows)
	r.TrainP = make([]float64, len(rows))
	for i, row := range rows {
		r.TrainP[i] = leaves.rate(leafOf(tree, columns, train, row))
	}
	if test == nil {
		return r, nil
	}
	r.TestP = make([]float64, test.Rows)
	for i := range r.TestP {
		if i%65536 == 0 && ctx.Err() != nil {
			return Result{}, ctx.Err()
		}
		r.TestP[i] = leaves.rate(leafOf(tree, columns, test, i))
	}
	return r, nil
}

// spread gives n row numbers of all, evenly apart, or all where they are
// fewer.
func spread(all, n int) []int {
	rows := make([]int, min(all, n))
	for i := range rows {
		rows[i] = int(float64(i) * float64(all) / float64(len(rows)))
	}
	return rows
}

// warning says what the figures stand for.
func warning(used, all, depth int) string {
	capped := ""
	if used < all {
		capped = fmt.Sprintf(" of %d (capped, because it takes seconds for every 10,000)", all)
	}
	return fmt.Sprintf("golearn: measured baseline on %d rows%s: a CART tree of depth %d that takes categories as numbers; "+
		"it predicts 0 or 1, the probabilities are the smoothed click rates of its leaves", used, capped, depth)
}

// instances gives rows of t in golearn's own form.
func instances(columns []column, t *features.Table, rows []int) (*base.DenseInstances, error) {
	data := base.NewDenseInstances()
	specs := make([]base.AttributeSpec, len(columns))
	for f := range columns {
		specs[f] = data.AddAttribute(base.NewFloatAttribute(strconv.Itoa(f)))
	}
	label := base.NewFloatAttribute("click")
	labels := data.AddAttribute(label)
	if err := data.AddClassAttribute(label); err != nil {
		return nil, fmt.Errorf("golearn: %w", err)
	}
	if err := data.Extend(len(rows)); err != nil {
		return nil, fmt.Errorf("golearn: %w", err)
	}
	for i, row := range rows {
		for f := range columns {
			data.Set(specs[f], i, base.PackFloatToBytes(columns[f].value(t, row)))
		}
		data.Set(labels, i, base.PackFloatToBytes(float64(t.Y[row])))
	}
	return data, nil
}

// leaf is one of golearn's leaves: a side of a node that has no child there.
type leaf struct {
	node  any
	right bool
}

// leafOf walks down the tree as golearn's Predict does.
func leafOf(tree *trees.CARTDecisionTreeClassifier, columns []column, t *features.Table, row int) leaf {
	for n := tree.RootNode; ; {
		right := !(columns[n.Feature].value(t, row) < n.Threshold)
		next := n.Left
		if right {
			next = n.Right
		}
		if next == nil {
			return leaf{n, right}
		}
		n = next
	}
}

// rates are the clicks and rows of each leaf.
type rates map[leaf]*struct{ clicks, rows int }

func leafRates(tree *trees.CARTDecisionTreeClassifier, columns []column, t *features.Table, rows []int) rates {
	r := rates{}
	for _, row := range rows {
		at := leafOf(tree, columns, t, row)
		if r[at] == nil {
			r[at] = &struct{ clicks, rows int }{}
		}
		r[at].clicks += int(t.Y[row])
		r[at].rows++
	}
	return r
}

// rate gives the click rate of a leaf after Laplace's rule of succession, so
// that small leaves are not certain: (clicks + 1) / (rows + 2). A tree that
// found no split has a root of which one side saw no rows: 0.5.
func (r rates) rate(at leaf) float64 {
	if n := r[at]; n != nil {
		return float64(n.clicks+1) / float64(n.rows+2)
	}
	return 0.5
}
