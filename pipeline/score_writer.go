package pipeline

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"ctr/features"
	"ctr/models/metrics"
	"ctr/pipeline/failpoint"
)

// commitPatience is how long a commit may take before it counts as failed.
const commitPatience = 15 * time.Second

// writer is the goroutine that writes, commits and counts. All its fields are
// its own.
type writer struct {
	o    ScoreOptions
	feed *Feed
	src  Source
	sink Sink
	obs  Observer
	stop context.CancelFunc // ends the reading
	// ctx is for commits: it outlives the caller's, since a stop commits.
	ctx context.Context

	owned     []*owned // the assignments at hand, in the order they came
	claims    bool     // some of them have not been committed yet
	committed map[partition]Position
	left      map[partition]PartitionStats // of the assignments that have gone

	began, lastStats time.Time
	lastRows         int64
	rows, bad        int64
	since            int // rows written since the last commit
	firstBad         error
	running          metrics.Running
}

type partition struct {
	topic string
	id    int32
}

// owned is an assignment and how far it is.
type owned struct {
	*Assignment
	next      int64 // after the last record written, and what no reader sees behind it
	committed int64 // what next was at the last commit; -1 = never in this assignment
	highWater int64
	rows      int64 // written, the bad ones not among them
	lastRows  int64 // what rows was at the last Stats
}

func newWriter(ctx context.Context, o ScoreOptions, f *Feed, src Source, sink Sink, obs Observer, stop context.CancelFunc) *writer {
	now := time.Now()
	return &writer{
		o: o, feed: f, src: src, sink: sink, obs: obs, stop: stop,
		ctx: context.WithoutCancel(ctx), committed: map[partition]Position{}, left: map[partition]PartitionStats{},
		began: now, lastStats: now,
	}
}

// run takes steps until there are no more. After a failure it keeps taking
// them, so that nobody waits for ever, but does nothing.
func (w *writer) run() {
	commit := time.NewTicker(w.o.CommitEvery)
	defer commit.Stop()
	stats := time.NewTicker(w.o.StatsEvery)
	defer stats.Stop()
	for {
		select {
		case s, open := <-w.feed.order:
			if !open {
				w.report()
				return
			}
			w.step(s)
		case <-commit.C:
			if err := w.commit(false); err != nil {
				w.fail(err)
			}
		case <-stats.C:
			w.report()
		}
	}
}

func (w *writer) step(s step) {
	if s.batch != nil {
		<-s.batch.done
		if w.feed.failure() == nil {
			if err := w.write(s.batch); err != nil {
				w.fail(err)
			}
		}
		w.feed.GiveBack(s.batch)
		return
	}
	err := w.feed.failure()
	if err == nil {
		if s.assigned != nil {
			err = w.resume(s.assigned)
		} else {
			err = w.release(s.revoked)
		}
		if err != nil {
			w.fail(err)
		}
	}
	s.reply <- err
}

func (w *writer) fail(err error) {
	w.feed.fail(err)
	w.stop()
}

// write hands one batch to the sink and counts it. A batch with more bad
// records than allowed is not written at all, so that it is read again whole.
func (w *writer) write(b *Batch) error {
	o := w.owned[slices.IndexFunc(w.owned, func(o *owned) bool { return o.Assignment == b.Assignment })]
	if b.Len() == 0 {
		o.pass(b)
		return nil
	}
	if n := int64(len(b.Bad)); n > 0 {
		if w.firstBad == nil {
			first := b.Bad[0]
			w.firstBad = &RecordError{
				b.Assignment.Topic, b.Assignment.Partition,
				b.Records[first.Index].Offset, first.Err,
			}
		}
		if w.o.MaxBad != nil && w.bad+n > *w.o.MaxBad {
			if err := w.commit(true); err != nil {
				return err
			}
			return &features.TooManyBad{Max: int(*w.o.MaxBad), First: w.firstBad}
		}
		w.bad += n
	}
	if w.claims {
		if err := w.commit(false); err != nil {
			return err
		}
	}
	if err := w.sink.Write(b); err != nil {
		return err
	}
	failpoint.Point("written")
	w.rows += int64(b.Len() - len(b.Bad))
	w.since += b.Len()
	w.running.Threshold = b.Threshold
	w.running.Merge(&b.tally)
	o.pass(b)
	o.rows += int64(b.Len() - len(b.Bad))
	if w.o.CommitRows > 0 && w.since >= w.o.CommitRows {
		return w.commit(false)
	}
	return nil
}

// pass notes that all of b is done with.
func (o *owned) pass(b *Batch) {
	o.next, o.highWater = b.Next(), max(o.highWater, b.HighWater)
	if h := o.history; h != nil && b.Len() == 0 {
		h.pass(o.next)
	}
}

// resume takes up an assignment. Its start is committed before its first row
// is written, so that the group's commits name every output that holds a row.
func (w *writer) resume(a *Assignment) error {
	if err := w.sink.Resume(a); err != nil {
		return err
	}
	w.owned = append(w.owned, &owned{Assignment: a, next: a.Start, committed: -1})
	w.claims = true
	return nil
}

// release commits an assignment for the last time.
func (w *writer) release(a *Assignment) error {
	err := w.commit(true)
	settled := false
	for _, o := range w.owned {
		if o.Assignment == a && err == nil {
			settled = o.next == o.committed
			if a.history != nil {
				a.history.release(o.committed)
			}
		}
	}
	w.owned = slices.DeleteFunc(w.owned, func(o *owned) bool {
		if o.Assignment == a {
			w.leave(o)
		}
		return o.Assignment == a
	})
	if t, ok := w.sink.(Settler); ok {
		err = errors.Join(err, t.Released(a, settled))
	}
	return err
}

// leave keeps how an assignment stands, for the summary.
func (w *writer) leave(o *owned) {
	at := partition{o.Topic, o.Partition}
	now := o.stats()
	now.Rows += w.left[at].Rows
	w.left[at] = now
}

// stats says how an assignment stands; RowsPerSecond is left to the caller.
func (o *owned) stats() PartitionStats {
	return PartitionStats{
		Topic: o.Topic, Partition: o.Partition, Rows: o.rows,
		Next: o.next, Committed: o.committed, Lag: max(0, o.highWater-o.next),
	}
}

// commit makes what was written durable and stores the offsets. Where
// last is false an error of the source is only noted: the next commit covers
// the same rows and more.
func (w *writer) commit(last bool) error {
	if w.feed.failure() != nil {
		return nil
	}
	w.claims, w.since = false, 0
	var commits []Commit
	for _, o := range w.owned {
		if o.next != o.committed {
			commits = append(commits, Commit{Assignment: o.Assignment, Offset: o.next})
		}
	}
	if len(commits) == 0 {
		return w.settled(nil)
	}
	ctx, cancel := context.WithTimeout(w.ctx, commitPatience)
	defer cancel()
	if failpoint.Bug("commit-before-flush") {
		_ = w.src.Commit(ctx, commits) // it is a bug either way
		failpoint.Point("committed before flush")
	}
	done, err := w.sink.Commit(ctx, commits)
	if err != nil && !errors.Is(err, ErrNotOwner) && !errors.Is(err, ErrTryAgain) {
		return err
	}
	if err == nil && !done {
		failpoint.Point("flushed")
		err = w.src.Commit(ctx, commits)
	}
	failpoint.Point("committed")
	switch {
	case errors.Is(err, ErrNotOwner):
		w.note(fmt.Sprintf("commit of %s: %v: its last rows will be scored again", commits[0].Assignment, err))
		return nil
	case errors.Is(err, ErrTryAgain) && !last:
		return nil
	case err != nil && !last:
		w.note(fmt.Sprintf("commit: %v: will try again", err))
		return nil
	case err != nil:
		return err
	}
	w.remember(commits)
	return w.settled(commits)
}

func (w *writer) settled(commits []Commit) error {
	if t, ok := w.sink.(Settler); ok {
		return t.Settled(commits)
	}
	return nil
}

func (w *writer) remember(commits []Commit) {
	for _, c := range commits {
		a := c.Assignment
		for _, o := range w.owned {
			if o.Assignment == a {
				o.committed = c.Offset
			}
		}
		if a.history != nil {
			a.history.committed(c.Offset)
		}
		w.committed[partition{a.Topic, a.Partition}] = Position{a.Topic, a.Partition, c.Offset, c.Metadata}
	}
}

func (w *writer) note(text string) {
	if w.obs != nil {
		w.obs.Note(text)
	}
}

func (w *writer) report() {
	if w.o.Stats == nil {
		return
	}
	now := time.Now()
	s := Stats{
		Rows: w.rows, Bad: w.bad, Elapsed: now.Sub(w.began),
		Running: w.running.Summary(),
	}
	dt := max(now.Sub(w.lastStats).Seconds(), 1e-9)
	s.RowsPerSecond = float64(w.rows-w.lastRows) / dt
	for _, o := range w.owned {
		p := o.stats()
		p.RowsPerSecond = float64(o.rows-o.lastRows) / dt
		o.lastRows = o.rows
		s.Lag += p.Lag
		s.Partitions = append(s.Partitions, p)
	}
	w.lastStats, w.lastRows = now, w.rows
	w.o.Stats(s)
}

func (w *writer) summary() Summary {
	s := Summary{
		Rows: w.rows, Bad: w.bad, Seconds: time.Since(w.began).Seconds(),
		Running: w.running.Summary(),
	}
	for _, p := range w.committed {
		s.Committed = append(s.Committed, p)
	}
	slices.SortFunc(s.Committed, func(a, b Position) int {
		return byPlace(partition{a.Topic, a.Partition}, partition{b.Topic, b.Partition})
	})
	for _, o := range w.owned {
		w.leave(o)
	}
	for _, at := range slices.SortedFunc(maps.Keys(w.left), byPlace) {
		p := w.left[at]
		p.RowsPerSecond = float64(p.Rows) / max(s.Seconds, 1e-9)
		s.Partitions = append(s.Partitions, p)
	}
	return s
}

func byPlace(a, b partition) int {
	return cmp.Or(strings.Compare(a.topic, b.topic), cmp.Compare(a.id, b.id))
}
