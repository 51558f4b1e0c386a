// Package crosses finds the pairs of columns whose combination says more of a
// click than the two columns do one by one.
//
// The search is a greedy one, forward, in the manner of FAST (Lou, Caruana,
// Gehrke & Hooker 2013, section 4). A logistic regression of single columns is
// fitted to the earlier training rows. Then, round by round, every pair is
// given an effect for each combination of its values: a Newton step on the
// earlier rows from the margins so far, shrunk by a ridge. The pair whose
// effects lower the log loss of the later training rows most is taken, and its
// effects are added to the margins. It ends after so many pairs, or where none
// gains more than chance would explain.
//
// A quarter of few rows cannot tell a good pair from luck. Where there are at
// most fewRows, each quarter by time is judged in turn, by the other three, and
// the gains are added up.
//
// Two traps are avoided. A pair with a column of many values overfits the rows
// it is fitted to: it is judged on others, of another time, when other users
// come. And it can stand in for a main effect that the first model shrank too
// much: before each round single columns are given such steps too, as long as
// they gain, so that what a pair still gains is of the combination.
package crosses

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"ctr/features"
	"ctr/models"
)

// Defaults of Options.
const (
	DefaultRidge  = 10.0
	DefaultErrors = 3.0
)

// Options are the settings of a search. The zero value of each means the
// default.
type Options struct {
	// Pairs is how many pairs to find at most; 1 or more.
	Pairs int
	// Ridge is one over the variance that a combination's effect is thought
	// to have; the default is 10, that of the default L2 of lr.
	Ridge float64
	// Errors is how many standard errors of itself a gain must reach; the
	// default is 3.
	Errors float64
	// Threads is the number of goroutines; 0 = all cores. It never changes
	// the result.
	Threads int
}

// Pair is two columns and what their combination gains.
type Pair struct {
	Columns [2]string
	// Gain is by how much the mean log loss of the held-out rows fell when
	// the pair was added to those before it; Error is its standard error, over
	// rows.
	Gain, Error float64
}

// Result is what a search found.
type Result struct {
	// Pairs are in the order in which they were found.
	Pairs []Pair
	// Next is the best pair that was not taken because its gain is too
	// uncertain; nil where the search ended for another reason.
	Next *Pair
	// Judged is the number of rows that pairs were judged on, Candidates that
	// of the pairs looked at.
	Judged, Candidates int
	// Before and After are the mean log loss of the held-out rows without and
	// with the pairs, by the effects of this search.
	Before, After float64
}

// MaxPairs is the largest Options.Pairs.
const MaxPairs = 100

// Search finds the pairs of t's fields that help most. Fields with a
// dictionary of one column are candidates, but for pairs that a field of the
// table joins already; all fields are in the first model.
// Rows are divided by whole hours where there are
// enough. The result depends on nothing but the
// table and the options; t is not changed.
func Search(ctx context.Context, t *features.Table, o Options, progress models.Progress) (*Result, error) {
	if o.Pairs < 1 || o.Pairs > MaxPairs {
		return nil, fmt.Errorf("pairs %d: want 1 … %d", o.Pairs, MaxPairs)
	}
	s := newSearch(ctx, t, o.withDefaults())
	out := &Result{Judged: s.judged(), Candidates: len(s.pairs)}
	if len(s.views) == 0 {
		return out, nil
	}
	tell := func(note string) {
		if progress != nil && ctx.Err() == nil {
			progress(len(out.Pairs), o.Pairs, note)
		}
	}
	tell("single columns")
	if err := s.begin(ctx); err != nil {
		return nil, err
	}
	out.Before = s.meanLoss()
	for len(out.Pairs) < o.Pairs && len(s.pairs) > 0 {
		best := s.best(s.pairs)
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		p := Pair{Columns: [2]string{s.name(best.a), s.name(best.b)}, Gain: best.gain, Error: best.err}
		if !s.sure(best) {
			out.Next = &p
			break
		}
		s.take(best)
		out.Pairs = append(out.Pairs, p)
		tell(fmt.Sprintf("%s*%s: %.6f", p.Columns[0], p.Columns[1], p.Gain))
	}
	out.After = s.meanLoss()
	return out, ctx.Err()
}

func (o Options) withDefaults() Options {
	o.Ridge = cmp.Or(o.Ridge, DefaultRidge)
	o.Errors = cmp.Or(o.Errors, DefaultErrors)
	return o
}

// candidate is a pair of fields, or a single one where b is none, with what is
// known of its gain.
type candidate struct {
	a, b      int
	stale     float64 // its gain when it was last screened
	gain, err float64 // exact, where it was taken
}

const none = -1

// order sorts candidates by falling screened gain, ties by their fields.
func order(list []*candidate) {
	slices.SortFunc(list, func(x, y *candidate) int {
		return cmp.Or(cmp.Compare(y.stale, x.stale), cmp.Compare(x.a, y.a), cmp.Compare(x.b, y.b))
	})
}
