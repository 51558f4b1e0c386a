package pipeline

import (
	"strings"
	"sync"

	"ctr/features"
)

// turns lets goroutines that each have one of the numbers 0, 1, 2, … do
// something one after the other, in the order of the numbers. Each number must
// be waited for and done once, and whoever has a number must have been given
// it after the one before had been given out, so that no one waits for ever.
type turns struct {
	mu   sync.Mutex
	cond *sync.Cond
	next int64
}

func newTurns() *turns {
	t := &turns{}
	t.cond = sync.NewCond(&t.mu)
	return t
}

func (t *turns) wait(n int64) {
	t.mu.Lock()
	for t.next != n {
		t.cond.Wait()
	}
	t.mu.Unlock()
}

func (t *turns) done() {
	t.mu.Lock()
	t.next++
	t.cond.Broadcast()
	t.mu.Unlock()
}

// historyPass has the rows of files go through a State in their order, while
// the rest of the work on them goes on in parallel.
type historyPass struct {
	state *features.State
	turns *turns
	// ordered says that rows whose time goes back are an error, as they are
	// for training: when the model is used they come in order.
	ordered bool

	late string // where the first row stands that goes back in time
}

func newHistoryPass(s *features.State, ordered bool) *historyPass {
	return &historyPass{state: s, turns: newTurns(), ordered: ordered}
}

// do tells each row of j what was seen before it. It must be called for each
// job, in any order.
func (h *historyPass) do(j *job, seq int64) {
	keys := j.open.keys
	keys.ReadKeys(&j.block)
	h.turns.wait(seq)
	late := h.state.Count(&j.block)
	if late >= 0 && h.late == "" {
		var at features.RowError
		j.block.Place(&at, late)
		h.late = strings.TrimSuffix(at.Error(), ": ")
	}
	h.turns.done()
	if late >= 0 && h.ordered {
		row := j.block.Row(late)
		err := &features.RowError{
			Column: keys.Spec().Schema.Find(features.Time),
			Value:  append([]byte(nil), keys.Time(&row)...), Msg: "an earlier hour than that of a row before it: history wants rows in the order of time",
		}
		j.block.Place(err, late)
		j.err = features.WithHint(err, "sort the rows by time, or train without --history")
	}
}

// pass lets the rows after a job that could not be read go on.
func (h *historyPass) pass(seq int64) {
	h.turns.wait(seq)
	h.turns.done()
}

// snapshot gives the state after the rows so far; nil without history.
func (h *historyPass) snapshot() *features.Snapshot {
	if h == nil {
		return nil
	}
	return h.state.Snapshot()
}

// inOrder has training's rows go through an empty State where keys, asked once
// a source's layout is known, has history fields to read the keys of.
func (r *rowReader) inOrder(layout func(*opened, string) error, keys func(*opened) *features.Encoder) func(*opened, string) error {
	return func(op *opened, name string) error {
		if err := layout(op, name); err != nil {
			return err
		}
		if op.keys = keys(op); op.keys != nil && r.history == nil {
			r.history = newHistoryPass(op.keys.Spec().NewState(), true)
		}
		return nil
	}
}

// note tells, once all is read, of rows that were not in the order of time.
func (h *historyPass) note(obs Observer) {
	if h == nil || h.late == "" || obs == nil {
		return
	}
	obs.Note(h.late + ": an earlier hour than that of rows before it, or of the last row that training read: for history, such rows are of the hour their keys were last seen in")
}
