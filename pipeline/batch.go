package pipeline

import (
	"context"
	"errors"
	"fmt"
	"time"

	"ctr/features"
	"ctr/models/metrics"
)

// Record is one message as its topic has it. Its bytes belong to the Source
// and stay as they are until the Batch is given back.
type Record struct {
	Key, Value []byte
	Headers    []Header
	Offset     int64
	// Millis is when the message was produced, in milliseconds since 1970;
	// -1 where the topic does not say.
	Millis int64
}

// Header is a name and a value beside a message.
type Header struct{ Key, Value []byte }

// Assignment is one partition for as long as one member of a group owns it.
// A partition that is taken away and given back has a new Assignment. Sources
// make them; all others read them.
type Assignment struct {
	Topic     string
	Partition int32

	// Group, Generation and Member say as what the partition was given. Where
	// partitions stay over a rebalance the group is at a later generation by
	// the time of a commit: a Source commits with the group's own, and only
	// for assignments that it has not lost.
	Group      string
	Generation int32
	Member     string

	// Start is the offset of the first record to be read.
	Start int64
	// Committed and Metadata are what the group had committed; Committed is
	// -1 where it had committed nothing.
	Committed int64
	Metadata  string

	history *partitionHistory // what was seen in it; nil where the model asks for none
}

// String gives "TOPIC/PARTITION".
func (a *Assignment) String() string { return fmt.Sprintf("%s/%d", a.Topic, a.Partition) }

// Batch is a run of records of one Assignment, in the order of their offsets,
// and what became of them. There is a fixed number of them, which go round:
// a Source fills one, a Scorer scores it, the Sink writes it, and it is free
// again. A Batch owns all that it points to until then.
type Batch struct {
	Assignment *Assignment
	Records    []Record
	// HighWater is the offset that the next message produced to the
	// partition would have had when the batch was read.
	HighWater int64
	// After is the offset after all that was read for the batch, where that is
	// more than its records: marks of transactions and gaps. A batch of these
	// alone has no records; it is neither scored nor written.
	After int64

	// What follows is the Scorer's; row i is record i.

	// Rows are the records split into fields. The row of an odd record (of
	// another layout than the rest) is empty here, though it may be scored.
	Rows features.Block
	// Scored is when the batch was scored.
	Scored time.Time
	// Threshold is what a probability must exceed for a prediction of 1.
	Threshold float64
	// P is the probability of a click; it means nothing for a bad record.
	P []float64
	// Y is the label, 0 or 1, or -1 where the record has none.
	Y []int8
	// IDs are the names of the rows, nil where the record has none.
	IDs [][]byte
	// Bad are the records that could not be scored, ascending.
	Bad []BadRecord
	// Encoder is what Rows were encoded by; nil where the Scorer does not say.
	Encoder *features.Encoder

	tally metrics.Running
	// history is the Assignment's, and seq the batch's number in it from 0.
	history *partitionHistory
	seq     int64
	copies  []byte        // what IDs of odd records point into
	done    chan struct{} // tells the writer that the batch is scored
}

// BadRecord is a record of a Batch that could not be scored, and why.
type BadRecord struct {
	Index int
	Err   error
}

// Len gives the number of records.
func (b *Batch) Len() int { return len(b.Records) }

// Next gives the offset after the batch: what to commit once it is written.
func (b *Batch) Next() int64 {
	if n := len(b.Records); n > 0 {
		return max(b.Records[n-1].Offset+1, b.After)
	}
	return b.After
}

// Prediction gives 1 where the probability of record i is above the
// threshold, else 0.
func (b *Batch) Prediction(i int) int {
	if b.P[i] > b.Threshold {
		return 1
	}
	return 0
}

// Begin makes room for the results of all records: every label is -1, every
// id nil, and no record is bad. A Scorer calls it first.
func (b *Batch) Begin(threshold float64) {
	n := len(b.Records)
	if cap(b.P) < n {
		b.P = make([]float64, n, cap(b.Records))
		b.Y = make([]int8, n, cap(b.Records))
		b.IDs = make([][]byte, n, cap(b.Records))
	}
	b.P, b.Y, b.IDs = b.P[:n], b.Y[:n], b.IDs[:n]
	clear(b.P)
	clear(b.IDs)
	for i := range b.Y {
		b.Y[i] = -1
	}
	b.Bad = b.Bad[:0]
	b.copies = b.copies[:0]
	b.Threshold, b.Encoder = threshold, nil
	b.tally = metrics.Running{Threshold: threshold}
}

// Fail records that record i could not be scored. Calls are in ascending
// order of i.
func (b *Batch) Fail(i int, err error) { b.Bad = append(b.Bad, BadRecord{i, err}) }

// Done counts record i, whose P and Y are set, into the batch's metrics.
func (b *Batch) Done(i int) {
	if y := b.Y[i]; y >= 0 {
		b.tally.AddLabelled(uint8(y), b.P[i])
	} else {
		b.tally.Add(b.P[i])
	}
}

// Running judges the records that were scored. The caller must not change it.
func (b *Batch) Running() *metrics.Running { return &b.tally }

// RecordError is a fault of one record of a topic. Its text is
// "TOPIC/PARTITION: offset N: …".
type RecordError struct {
	Topic     string
	Partition int32
	Offset    int64
	Err       error
}

// Error gives the text described at RecordError.
func (e *RecordError) Error() string {
	return fmt.Sprintf("%s/%d: offset %d: %v", e.Topic, e.Partition, e.Offset, e.Err)
}

// Unwrap gives what was wrong with the record.
func (e *RecordError) Unwrap() error { return e.Err }

// Commit is one partition's part of a commit: all records of the assignment
// below Offset are done with. Metadata is a short text kept beside the offset,
// by which the Sink knows its own output again.
type Commit struct {
	Assignment *Assignment
	Offset     int64
	Metadata   string
}

// ErrNotOwner is what a commit is refused with once the partition belongs to
// another member. Nothing is lost: whoever owns it now reads from the last
// commit on.
var ErrNotOwner = errors.New("the partition belongs to another member of the group now")

// ErrTryAgain is wrapped by the error of a Sink's or Source's Commit that has
// committed nothing, and lost nothing: the next one covers the same rows and
// more. Why has been told.
var ErrTryAgain = errors.New("will try again")

// Source reads the records of a topic as one member of a group.
type Source interface {
	// Run joins the group and hands batches to feed until ctx ends, the
	// source's end is reached, or feed gives an error. Before it returns it
	// has called Revoked for every assignment and left the group. It returns
	// nil for a graceful stop.
	Run(ctx context.Context, feed *Feed) error
	// Commit stores offsets for the group. It is called from one goroutine
	// at a time, also while Run waits in Revoked. It returns ErrNotOwner, or
	// an error that wraps it, where the group refuses them, and may give
	// ErrTryAgain.
	Commit(ctx context.Context, commits []Commit) error
}

// Sink takes scored batches. All methods are called from one goroutine.
type Sink interface {
	// Resume tells of a partition that is about to be read, and of what its
	// group had committed. It comes before the first Write of a's batches.
	Resume(a *Assignment) error
	// Write takes a scored batch, which is valid until Write returns. The
	// batches of an Assignment come in the order of their offsets.
	Write(b *Batch) error
	// Commit makes all that was written durable, and may set the Metadata of
	// the commits. owned is true where the sink has stored the offsets
	// itself, together with its output; otherwise the Source does it next. It
	// gives ErrNotOwner as Source.Commit does, and may give ErrTryAgain.
	Commit(ctx context.Context, commits []Commit) (owned bool, err error)
	// Close releases what the sink holds. What was not committed may be
	// lost or kept.
	Close() error
}

// Settler is a Sink that wants to know what became of its commits. Its methods
// are called from the goroutine that calls the Sink's.
type Settler interface {
	// Settled tells that the offsets and metadata of commits, which the
	// Sink's Commit has seen, are stored by the group for good. Where it was
	// time for a commit and there was nothing to commit, it comes with none.
	Settled(commits []Commit) error
	// Released tells that a is no longer read or committed here. settled is
	// true where everything that was written of it has been committed;
	// otherwise whoever has the partition next decides by the last commit
	// that it finds.
	Released(a *Assignment, settled bool) error
}

// Scorer turns the records of a batch into probabilities. Each thread has its
// own. It calls Begin first and then, for every record, either Fail or Done.
type Scorer interface{ Score(b *Batch) }

// Watcher is told of the batches that a thread has scored, before they are
// written. Each thread has its own. It must be quick, and keep nothing of b.
type Watcher interface{ Scored(b *Batch) }

// Sinks gives one Sink that hands everything to each of sinks in turn. At
// most one of them may own the commits; it is best the last, so that what the
// others wrote is durable before.
func Sinks(sinks ...Sink) Sink {
	if len(sinks) == 1 {
		return sinks[0]
	}
	return multiSink(sinks)
}

type multiSink []Sink

func (m multiSink) Resume(a *Assignment) error {
	for _, s := range m {
		if err := s.Resume(a); err != nil {
			return err
		}
	}
	return nil
}

func (m multiSink) Write(b *Batch) error {
	for _, s := range m {
		if err := s.Write(b); err != nil {
			return err
		}
	}
	return nil
}

func (m multiSink) Commit(ctx context.Context, commits []Commit) (owned bool, err error) {
	for _, s := range m {
		o, err := s.Commit(ctx, commits)
		if err != nil {
			return owned, err
		}
		owned = owned || o
	}
	return owned, nil
}

// Settled implements Settler for those of m that are one.
func (m multiSink) Settled(commits []Commit) error {
	for _, s := range m {
		if t, ok := s.(Settler); ok {
			if err := t.Settled(commits); err != nil {
				return err
			}
		}
	}
	return nil
}

// Released implements Settler for those of m that are one.
func (m multiSink) Released(a *Assignment, settled bool) error {
	var errs []error
	for _, s := range m {
		if t, ok := s.(Settler); ok {
			errs = append(errs, t.Released(a, settled))
		}
	}
	return errors.Join(errs...)
}

func (m multiSink) Close() error {
	var errs []error
	for _, s := range m {
		errs = append(errs, s.Close())
	}
	return errors.Join(errs...)
}
