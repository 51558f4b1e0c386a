package pipeline

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"time"

	"ctr/models/metrics"
)

// ScoreOptions are the settings of Score. The zero value of each field but
// Scorers means its default.
type ScoreOptions struct {
	// Scorers gives one Scorer for each thread. It must be set;
	// ModelScorers makes it of a model.
	Scorers func() (Scorer, error)
	// History keeps what the model's history fields ask for; nil where it has
	// none. NewHistory makes it.
	History *History
	// Watch, where not nil, gives what a thread's scored batches are told to.
	Watch func() Watcher
	// Threads is the number of goroutines that score. The default is all cores.
	Threads int
	// BatchRows is the most records in a batch. The default is 1,024: large
	// enough that handing a batch on costs nothing a row, small enough to
	// stay in a core's cache.
	BatchRows int
	// Batches is how many batches there are; when all are in use, reading
	// waits. The default is 4 a thread and 8 more.
	Batches int
	// CommitEvery is the longest time between commits. The default is 1 s.
	CommitEvery time.Duration
	// CommitRows, where not 0, is how many rows are written between commits at
	// most, give or take a batch.
	CommitRows int
	// MaxBad is how many bad records are passed over before Score stops with
	// features.TooManyBad; nil means any number.
	MaxBad *int64
	// Stats, where not nil, is told how things stand every StatsEvery and
	// once at the end. It returns quickly.
	Stats func(Stats)
	// StatsEvery is 5 s by default.
	StatsEvery time.Duration
}

// Validate reports every fault of o.
func (o *ScoreOptions) Validate() error {
	var faults []string
	if o.Scorers == nil {
		faults = append(faults, "Scorers nil: want a function")
	}
	if o.Threads < 0 {
		faults = append(faults, fmt.Sprintf("Threads %d: want 0 (all cores) or more", o.Threads))
	}
	if o.BatchRows < 0 {
		faults = append(faults, fmt.Sprintf("BatchRows %d: want 0 (1,024) or more", o.BatchRows))
	}
	if o.Batches < 0 {
		faults = append(faults, fmt.Sprintf("Batches %d: want 0 (by threads) or more", o.Batches))
	}
	if o.CommitEvery < 0 || o.StatsEvery < 0 || o.CommitRows < 0 {
		faults = append(faults, "CommitEvery, CommitRows, StatsEvery: want 0 or more")
	}
	if o.MaxBad != nil && *o.MaxBad < 0 {
		faults = append(faults, fmt.Sprintf("MaxBad %d: want nil (no limit), 0 or more", *o.MaxBad))
	}
	if len(faults) > 0 {
		return errors.New("score: " + strings.Join(faults, "; "))
	}
	return nil
}

func (o ScoreOptions) withDefaults() ScoreOptions {
	if o.Threads == 0 {
		o.Threads = runtime.GOMAXPROCS(0)
	}
	if o.BatchRows == 0 {
		o.BatchRows = 1024
	}
	if o.Batches == 0 {
		o.Batches = 4*o.Threads + 8
	}
	if o.CommitEvery == 0 {
		o.CommitEvery = time.Second
	}
	if o.StatsEvery == 0 {
		o.StatsEvery = 5 * time.Second
	}
	return o
}

// Stats says how the scoring of a topic stands.
type Stats struct {
	Rows, Bad int64 // written so far; Bad are among neither Rows nor Running
	// RowsPerSecond is over the time since the last Stats.
	RowsPerSecond float64
	// Lag is how many records of the partitions at hand were not yet written
	// when they were last read.
	Lag int64
	// Partitions are those at hand, in the order in which they came.
	Partitions []PartitionStats
	// Elapsed is the time since Score began.
	Elapsed time.Duration
	// Running has the mean prediction and, where rows carry labels, the
	// metrics of all rows so far.
	Running metrics.Summary
}

// PartitionStats says how one partition stands, since it was given to this
// process.
type PartitionStats struct {
	Topic     string
	Partition int32
	Rows      int64 // written, the bad ones not among them
	// RowsPerSecond is over the time since the last Stats.
	RowsPerSecond float64
	// Next is the offset after the last record written; Committed is the last
	// commit, -1 before the first.
	Next, Committed int64
	// Lag is as in Stats.
	Lag int64
}

// Position is how far the records of a partition are done with: the offset of
// the next one.
type Position struct {
	Topic     string
	Partition int32
	Offset    int64
	Metadata  string
}

// Summary is what Score did.
type Summary struct {
	Rows, Bad int64
	Seconds   float64
	// Committed has the last offset committed of each partition that was
	// read, by topic and partition.
	Committed []Position
	// Partitions says how each partition that was read stood when it was last
	// here, by topic and partition; Rows and RowsPerSecond are of all of Score.
	Partitions []PartitionStats
	Running    metrics.Summary
}

// Score reads records from src, scores them and writes them to sink, until
// ctx ends or src does; both are a graceful stop: what was read is finished,
// flushed and committed. Delivery is at least once: an offset is committed
// only after sink.Commit has made everything below it durable, and after an
// error nothing more is committed. The caller closes sink.
//
// One goroutine of src reads each partition, o.Threads goroutines score whole
// batches, and one goroutine writes them in the order in which they were
// read. The number of batches is fixed, so a slow sink holds back the reading.
func Score(ctx context.Context, o ScoreOptions, src Source, sink Sink, obs Observer) (Summary, error) {
	if err := o.Validate(); err != nil {
		return Summary{}, err
	}
	o = o.withDefaults()
	scorers := make([]Scorer, o.Threads)
	for i := range scorers {
		var err error
		if scorers[i], err = o.Scorers(); err != nil {
			return Summary{}, err
		}
	}

	reading, stop := context.WithCancel(ctx)
	defer stop()
	feed := newFeed(o)
	if o.History != nil {
		feed.history = func(a *Assignment) (err error) { a.history, err = o.History.resume(reading, a, src, obs); return err }
	}
	w := newWriter(ctx, o, feed, src, sink, obs, stop)

	var scoring, writing sync.WaitGroup
	for _, s := range scorers {
		told := o.watcher()
		scoring.Go(func() {
			for b := range feed.work {
				s.Score(b)
				told.Scored(b)
				b.done <- struct{}{}
			}
		})
	}
	writing.Go(w.run)
	err := src.Run(reading, feed)
	close(feed.work)
	scoring.Wait()
	close(feed.order)
	writing.Wait()
	if failed := feed.failure(); failed != nil {
		err = failed
	} else if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		err = nil // stopped while a partition was being taken up
	}
	if o.History != nil {
		o.History.writing.Wait()
	}
	return w.summary(), err
}

// watcher gives a Watcher for one thread.
func (o *ScoreOptions) watcher() Watcher {
	if o.Watch == nil {
		return unwatched{}
	}
	return o.Watch()
}

type unwatched struct{}

func (unwatched) Scored(*Batch) {}

// Feed is the loop as a Source sees it. Its methods may be called from any
// number of goroutines, but those of one Assignment from one at a time.
type Feed struct {
	rows   int
	free   chan *Batch
	work   chan *Batch // to the scorers
	order  chan step   // to the writer: the same batches, and events between them
	submit sync.Mutex  // keeps work and order in the same order
	// history, where not nil, finds what was seen in a partition before.
	history func(*Assignment) error

	failOnce sync.Once
	failed   chan struct{} // closed after err is set
	err      error
}

// step is one thing for the writer to do, in turn: exactly one of batch,
// assigned and revoked is set. The last two are answered.
type step struct {
	batch             *Batch
	assigned, revoked *Assignment
	reply             chan error
}

func newFeed(o ScoreOptions) *Feed {
	f := &Feed{
		rows:   o.BatchRows,
		free:   make(chan *Batch, o.Batches),
		work:   make(chan *Batch, o.Batches),
		order:  make(chan step, o.Batches+16),
		failed: make(chan struct{}),
	}
	for range o.Batches {
		f.free <- &Batch{done: make(chan struct{}, 1)}
	}
	return f
}

// Assigned tells that a is about to be read. It returns once the sink knows.
func (f *Feed) Assigned(a *Assignment) error {
	if f.history != nil {
		if err := f.history(a); err != nil {
			return err
		}
	}
	return f.ask(step{assigned: a})
}

// Revoked tells that a is not read any more. It returns once all of its
// batches have been written and committed, or the loop has failed.
func (f *Feed) Revoked(a *Assignment) error {
	return f.ask(step{revoked: a})
}

func (f *Feed) ask(s step) error {
	s.reply = make(chan error, 1)
	f.order <- s
	return <-s.reply
}

// Batch gives an empty batch for records of a, with room for BatchRows of
// them. It waits until one is free, and gives an error when the loop has
// failed. The Source fills it and either submits it or gives it back.
func (f *Feed) Batch(a *Assignment) (*Batch, error) {
	select {
	case <-f.failed:
		return nil, f.err
	default:
	}
	select {
	case b := <-f.free:
		if cap(b.Records) < f.rows {
			b.Records = make([]Record, 0, f.rows)
		}
		b.Records = b.Records[:0]
		b.Assignment, b.HighWater, b.After = a, -1, 0
		return b, nil
	case <-f.failed:
		return nil, f.err
	}
}

// GiveBack returns a batch that is not needed after all.
func (f *Feed) GiveBack(b *Batch) { f.free <- b }

// Submit hands a filled batch on; one that covers nothing is given back. It
// never waits.
func (f *Feed) Submit(b *Batch) {
	switch {
	case len(b.Records) > 0:
	case b.After > 0:
		b.done <- struct{}{} // nothing to score
		f.submit.Lock()
		f.order <- step{batch: b}
		f.submit.Unlock()
		return
	default:
		f.GiveBack(b)
		return
	}
	if b.history = b.Assignment.history; b.history != nil {
		b.seq = b.history.submitted
		b.history.submitted++
	}
	f.submit.Lock()
	f.work <- b
	f.order <- step{batch: b}
	f.submit.Unlock()
}

// fail stops the loop with err; only the first counts.
func (f *Feed) fail(err error) {
	f.failOnce.Do(func() {
		f.err = err
		close(f.failed)
	})
}

// failure gives what the loop failed with, or nil.
func (f *Feed) failure() error {
	select {
	case <-f.failed:
		return f.err
	default:
		return nil
	}
}
