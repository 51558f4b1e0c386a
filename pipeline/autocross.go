package pipeline

import (
	"context"
	"fmt"
	"math"
	"os"
	"slices"
	"strings"

	"ctr/features"
	"ctr/models/crosses"
)

// searchRows is how many training rows, at most, pairs are searched in: a
// uniform sample of them where there are more.
const searchRows = 1_000_000

// CrossGain is a pair of columns that TrainOptions.AutoCross chose.
type CrossGain struct {
	Columns []string `json:"columns"`
	// Gain is by how much the pair lowered the mean log loss of the training
	// rows that it was judged on, beside the pairs chosen before it; Error is
	// the standard error of that.
	Gain  float64 `json:"gain"`
	Error float64 `json:"standard_error"`
}

// crossFaults reports crosses that can't be.
func (o *TrainOptions) crossFaults() []string {
	if o.AutoCross < 0 || o.AutoCross > crosses.MaxPairs {
		return []string{fmt.Sprintf("auto-cross %d: want 1 to %d, or 0 for none", o.AutoCross, crosses.MaxPairs)}
	}
	for _, c := range o.Crosses {
		if seen := slices.Compact(slices.Sorted(slices.Values(c))); len(seen) < len(c) {
			return []string{fmt.Sprintf("cross %s: want each column once", strings.Join(c, ","))}
		}
	}
	return nil
}

// autoCross finds o.AutoCross pairs of columns at most, adds them to o.Crosses
// and o.found and tells obs. It does nothing where o.AutoCross is 0. The
// options must be valid and the preset applied.
//
// It reads the rows once more than training does; standard input is copied to
// a file, which remove, never nil, takes away in the end. The test part has no
// say in what is chosen.
func (o *TrainOptions) autoCross(ctx context.Context, obs Observer) (remove func(), err error) {
	remove = func() {}
	if o.AutoCross == 0 {
		return remove, nil
	}
	if remove, err = o.readTwice(); err != nil {
		return remove, err
	}
	t, err := o.searchTable(ctx, obs)
	if err != nil {
		return remove, err
	}
	found, err := crosses.Search(ctx, t, crosses.Options{Pairs: o.AutoCross, Threads: o.threads()},
		func(done, total int, note string) {
			if obs != nil {
				obs.Progress(StageCross, int64(done), int64(total), note)
			}
		})
	if err != nil {
		return remove, err
	}
	for _, p := range found.Pairs {
		o.Crosses = append(o.Crosses, p.Columns[:])
		o.found = append(o.found, CrossGain{Columns: p.Columns[:], Gain: p.Gain, Error: p.Error})
	}
	if obs != nil {
		tellPairs(found, obs)
	}
	return remove, nil
}

// searchTable reads the training rows that pairs are searched in.
func (o *TrainOptions) searchTable(ctx context.Context, obs Observer) (*features.Table, error) {
	s := *o
	s.keep = searchRows
	if s.Split != "none" {
		s.keep = int64(math.Ceil(searchRows / (1 - o.fraction())))
	}
	s.Bits, s.MinCount, s.History, s.unhashed = 0, 0, nil, true // columns are compared as they are
	caps, err := s.applyPreset()
	if err != nil {
		return nil, err
	}
	if obs != nil {
		obs = progressOnly{obs} // training notes the same of the same rows
	}
	p, err := s.prepare(ctx, caps, obs)
	if err != nil {
		return nil, err
	}
	return p.Train, nil
}

// readTwice copies standard input, and reports another source that can be
// read only once.
func (o *TrainOptions) readTwice() (remove func(), err error) {
	sources, err := o.sources()
	if err != nil {
		return func() {}, err
	}
	defer closeCaches(sources)
	for i := range sources {
		if sources[i].path == "" {
			continue
		}
		info, err := os.Stat(sources[i].path)
		if err != nil {
			return func() {}, err
		}
		if !info.Mode().IsRegular() {
			return func() {}, features.WithHint(fmt.Errorf("%s: auto-cross reads rows twice: want a file that can be", sources[i].name),
				"pipe it into standard input, which is copied to a temporary file: … | ctr train -")
		}
	}
	if remove, err = spoolStdin(sources); err != nil {
		return remove, err
	}
	for i := range sources {
		o.spool += sources[i].spool // one has it at most
	}
	return remove, nil
}

// tellPairs says what was found.
func tellPairs(r *crosses.Result, obs Observer) {
	on := fmt.Sprintf("judged on %s training rows by what those of other hours teach", Thousands(r.Judged))
	if len(r.Pairs) == 0 {
		obs.Note(fmt.Sprintf("auto-cross: none of %d pairs gains for certain, %s", r.Candidates, on))
	} else {
		obs.Note(fmt.Sprintf("auto-cross: %d of %d pairs, %s (log loss %.5f → %.5f)", len(r.Pairs), r.Candidates, on, r.Before, r.After))
	}
	for _, p := range r.Pairs {
		obs.Note(fmt.Sprintf("  --cross %s,%s gains %.5f ± %.5f", p.Columns[0], p.Columns[1], p.Gain, p.Error))
	}
	if p := r.Next; p != nil {
		obs.Note(fmt.Sprintf("  not taken: %s,%s and the rest: %.5f ± %.5f", p.Columns[0], p.Columns[1], p.Gain, p.Error))
	}
}

// progressOnly is an Observer without notes.
type progressOnly struct{ Observer }

// Note drops the note.
func (progressOnly) Note(string) {}
