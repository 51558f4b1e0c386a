package pipeline

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"time"

	"ctr/features"
	"ctr/models"
)

// HistoryOptions say how History lasts.
type HistoryOptions struct {
	// Dir is the folder of the state files, one for each partition; with ""
	// history begins from the model's whenever a partition is taken up.
	// StateDir gives that of an output.
	Dir string
	// Every is the least time between two saves of a partition's state: about
	// what is read again after a crash. The default is 10 s.
	Every time.Duration
}

// StateDir gives the folder of the state files that belong to an output.
func StateDir(output string) string { return output + ".state" }

// History keeps a State for each partition that is scored with a model: it
// begins with the model's and counts the records in the order of their
// offsets, so that a user whose records are all in one partition has there the
// history that files in that order give.
//
// Each partition's State is saved with the offset that it is valid for, only
// once that offset has been committed. When the partition is taken up again,
// here or by whoever shares the folder, the records between the saved offset
// and the committed one are read once more, without output: what is scored
// next has the history it would have had without the stop.
type History struct {
	o      HistoryOptions
	art    *models.Artifact
	scorer *modelScorer
	// writing is all saves that are under way.
	writing sync.WaitGroup
}

// NewHistory gives what ScoreOptions.History wants for a model; nil where it
// has no history fields. Records become rows as ModelScorers says.
func NewHistory(a *models.Artifact, s ScorerOptions, o HistoryOptions) (*History, error) {
	if !a.Spec.HasHistory() {
		return nil, nil
	}
	if o.Every == 0 {
		o.Every = 10 * time.Second
	}
	scorer, err := newModelScorer(a, s)
	return &History{o: o, art: a, scorer: scorer}, err
}

// Rereader is a Source that can show records again.
type Rereader interface {
	// Reread gives each the records of a's partition from offset from up to
	// a.Start, in order; their bytes are valid until it returns. Where the
	// first of them are gone, it begins with the oldest there is. It returns
	// where it began.
	Reread(ctx context.Context, a *Assignment, from int64, each func([]Record) error) (first int64, err error)
}

// partitionHistory is the State of one Assignment.
type partitionHistory struct {
	of    *History
	a     *Assignment
	note  func(text string)
	turns *turns
	// submitted is the number of batches so far; the Source's own.
	submitted int64
	state     *features.State // of whoever has the turn

	mu      sync.Mutex
	next    int64           // the offset that state is valid for
	copyOn  time.Time       // when the last copy was made
	copied  *features.State // waits until copyAt is committed, and is saved then
	copyAt  int64
	saving  bool
	writing sync.WaitGroup
}

// count tells each record of b what was seen before it, in the order of the
// batches of its partition. Every batch must be counted.
func (h *partitionHistory) count(b *Batch) {
	h.turns.wait(b.seq)
	h.state.Count(&b.Rows)
	h.mu.Lock()
	h.next = b.Next()
	if h.copied == nil && h.of.o.Dir != "" && time.Since(h.copyOn) >= h.of.o.Every {
		h.copied, h.copyAt, h.copyOn = h.state.Clone(), h.next, time.Now()
	}
	h.mu.Unlock()
	h.turns.done()
}

// pass says that there are no records before offset beyond those counted.
func (h *partitionHistory) pass(offset int64) {
	h.mu.Lock()
	h.next = max(h.next, offset)
	h.mu.Unlock()
}

// committed saves the copy that waits for offset, if there is one.
func (h *partitionHistory) committed(offset int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.copied == nil || h.copyAt > offset || h.saving {
		return
	}
	h.saving = true
	s, at := h.copied, h.copyAt
	h.of.writing.Add(1)
	h.writing.Go(func() {
		defer h.of.writing.Done()
		h.save(s.Snapshot(), at)
		h.mu.Lock()
		h.copied, h.saving = nil, false
		h.mu.Unlock()
	})
}

// release saves the state as it is at the end, if that is what was committed.
func (h *partitionHistory) release(committed int64) {
	h.writing.Wait()
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.of.o.Dir != "" && h.next == committed {
		h.save(h.state.Snapshot(), h.next)
	}
}

// save writes the state file. That it can't is told, and no more: the one
// before stays good.
func (h *partitionHistory) save(sn *features.Snapshot, at int64) {
	err := os.MkdirAll(h.of.o.Dir, 0o777)
	if err == nil {
		err = (&models.StateFile{
			Model: h.of.art.Hash, Topic: h.a.Topic, Partition: h.a.Partition, Offset: at, State: sn,
		}).Write(h.path())
	}
	if err != nil {
		h.note(fmt.Sprintf("history of %s: %v: will try again", h.a, err))
	}
}

func (h *partitionHistory) path() string {
	return filepath.Join(h.of.o.Dir, fmt.Sprintf("%s-%d.state", url.PathEscape(h.a.Topic), h.a.Partition))
}

// resume finds the State of a partition as it was before a.Start.
func (o *History) resume(ctx context.Context, a *Assignment, src Source, obs Observer) (*partitionHistory, error) {
	h := &partitionHistory{of: o, a: a, turns: newTurns(), next: a.Start, copyOn: time.Now(), note: func(string) {}}
	if obs != nil {
		h.note = obs.Note
	}
	var saved *models.StateFile
	if o.o.Dir != "" {
		var why string
		if saved, why = h.saved(); why != "" {
			h.note(fmt.Sprintf("history of %s: %s: it begins from the model's, without the records before offset %d", a, why, a.Start))
		}
		if saved == nil {
			// A crash before the first save shall lose nothing either.
			h.save(nil, a.Start)
		}
	}
	if saved == nil {
		h.state = o.art.Spec.StateOf(o.art.State)
		return h, nil
	}
	if saved.State == nil {
		saved.State = o.art.State
	}
	h.state = o.art.Spec.StateOf(saved.State)
	if saved.Offset < a.Start {
		if err := h.reread(ctx, src, saved.Offset); err != nil {
			return nil, fmt.Errorf("history of %s: %w", a, err)
		}
	}
	return h, nil
}

// saved gives what was saved of the partition, if it is good for a.Start, or
// else why not: "" where nothing needs to be said.
func (h *partitionHistory) saved() (f *models.StateFile, why string) {
	f, err := models.OpenState(h.path(), h.of.art.Spec)
	switch {
	case errors.Is(err, fs.ErrNotExist) && h.a.Start != h.a.Committed:
		return nil, "" // begins here
	case errors.Is(err, fs.ErrNotExist):
		return nil, "there is no " + h.path()
	case err != nil:
		return nil, err.Error()
	case f.Topic != h.a.Topic || f.Partition != h.a.Partition:
		return nil, h.path() + ": of another partition"
	case f.Model != h.of.art.Hash:
		return nil, h.path() + ": of another model"
	case f.Offset > h.a.Start:
		return nil, fmt.Sprintf("%s: saved at offset %d, after the rows to come", h.path(), f.Offset)
	}
	return f, ""
}

// reread counts the records from offset from up to a.Start.
func (h *partitionHistory) reread(ctx context.Context, src Source, from int64) error {
	r, ok := src.(Rereader)
	if !ok {
		h.note(fmt.Sprintf("history of %s: the records of offsets %d to %d cannot be read again: they are not counted", h.a, from, h.a.Start-1))
		return nil
	}
	s := h.of.scorer.clone(h.of.art)
	b := &Batch{Assignment: h.a}
	n := 0
	first, err := r.Reread(ctx, h.a, from, func(records []Record) error {
		if len(records) > 0 {
			b.Records = records
			s.readKeys(b, s.split(b))
			h.state.Count(&b.Rows)
			n += len(records)
		}
		return ctx.Err()
	})
	if err != nil {
		return err
	}
	if first > from {
		h.note(fmt.Sprintf("history of %s: the records of offsets %d to %d were deleted: they are not counted", h.a, from, first-1))
	}
	h.note(fmt.Sprintf("history of %s: %d records from offset %d on read again", h.a, n, first))
	return nil
}
