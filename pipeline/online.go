package pipeline

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"ctr/features"
	"ctr/features/columnar"
	"ctr/models"
	"ctr/models/linear"
	"ctr/models/metrics"
)

// DefaultOnlineBits is the size of the table that online learning hashes into
// where nothing else is said: 2^22 slots of eight bytes.
const DefaultOnlineBits = 22

// online reports whether training goes straight from the text to the model,
// without tables in memory.
func (o *TrainOptions) online() bool {
	return o.Algo == linear.Algo && o.Model.Solver == linear.SolverFTRL && o.Rows == 0
}

// settleOnline fills in what online learning takes unasked.
func (o *TrainOptions) settleOnline() {
	if o.Model.Solver != linear.SolverFTRL {
		return
	}
	if o.Bits == 0 && o.WarmStart == "" {
		o.Bits = DefaultOnlineBits
	}
	o.Model.Admit = o.MinCount
}

// onlineTraining learns from rows as they are read: one row after another, in
// their order, so that the model is the same at any number of threads, which
// only read and encode; or, lock-free, as they come.
type onlineTraining struct {
	o       *TrainOptions
	obs     Observer
	sources []source
	schema  *features.Schema
	c       *collecting

	spec    *features.Spec
	holdout features.Holdout
	learner *linear.FTRL
	keep    float64 // share of the rows without a click
	pass    int

	first *metrics.Progressive // of the first pass
	log   progressLog
	marks []FileMark
	nBad  int
	state *features.Snapshot // after the last row; nil without history
	held  atomic.Int64       // rows that were held out, in all passes
	codes map[*features.Cache]*features.CacheEncoder
	// counting are those that counted rows for the model's Reference.
	counting []*rowEncoding
	// remove takes away the copy of standard input, if there is one.
	remove func()
}

// trainOnline is Train by FTRL.
func (o *TrainOptions) trainOnline(ctx context.Context, caps []string, algo models.Algorithm, obs Observer) (*TrainResult, error) {
	start := time.Now()
	t := &onlineTraining{o: o, obs: obs, c: &collecting{o: o, caps: caps}, keep: 1, first: new(metrics.Progressive), remove: func() {}}
	if o.KeepNegatives != nil {
		t.keep = *o.KeepNegatives
	}
	t.log = progressLog{every: o.Window, obs: obs}
	if err := o.openWarm(); err != nil {
		return nil, err
	}
	defer func() { t.remove() }()
	if err := t.open(ctx); err != nil {
		return nil, err
	}
	if err := t.scout(ctx); err != nil {
		return nil, err
	}
	times := map[Stage]time.Duration{StageRead: time.Since(start)}
	began := time.Now()
	m, err := t.learn(ctx)
	if err != nil {
		return nil, err
	}
	times[StageFit] = time.Since(began)
	began = time.Now()
	a, rows, err := t.artifact(ctx, m)
	if err != nil {
		return nil, err
	}
	times[StageJudge] = time.Since(began)
	if o.Out != "" {
		if err := a.Write(o.Out); err != nil {
			return nil, err
		}
	}
	return &TrainResult{
		ModelPath: o.Out, Algo: algo.Name, Rows: rows, Seconds: time.Since(start).Seconds(),
		Train: *a.Train, Test: a.Test, Progressive: t.log.points, Artifact: a, Times: times,
	}, nil
}

// open finds the sources.
func (t *onlineTraining) open(ctx context.Context) (err error) {
	o := t.o
	if t.sources, err = o.trainSources(ctx, t.obs); err != nil {
		return err
	}
	remove := t.remove
	t.remove = func() { closeCaches(t.sources); remove() }
	if t.c.since, t.c.until, err = o.window(); err != nil {
		return &OptionError{Faults: []string{err.Error()}}
	}
	if t.schema, err = o.schema(); err != nil {
		return err
	}
	if o.Split != "none" || o.Model.Passes > 1 {
		return t.respool()
	}
	return nil
}

// respool copies standard input, if it is among the sources, to a file that
// can be read again.
func (t *onlineTraining) respool() (err error) {
	before := t.remove
	remove, err := spoolStdin(t.sources)
	t.remove = func() { before(); remove() }
	return err
}

// reading gives a reader of all sources that binds each to the Spec, once it
// is known.
func (t *onlineTraining) reading(worker func() func(*job), emit func(*job) error) *rowReader {
	r := &rowReader{
		in: &t.o.Input, sources: t.sources, schema: t.schema, obs: t.obs, worker: worker, emit: emit, coded: true,
	}
	r.layout = r.inOrder(t.bind, t.keys)
	return r
}

// keys is what reads the keys of history fields, nil where there are none.
func (t *onlineTraining) keys(op *opened) *features.Encoder {
	if e, ok := op.bind.(*features.Encoder); ok {
		if e.HasHistory() {
			return e
		}
		return nil
	}
	if t.c.c != nil {
		return t.c.c.Keys()
	}
	return nil
}

// bind makes the Spec of the first source's layout, where the plan needs no
// rows for it, and the Encoder of each source.
func (t *onlineTraining) bind(op *opened, name string) error {
	if t.c.first == nil {
		if err := t.decide(op, name); err != nil {
			return err
		}
	} else if err := sameLayout(t.c.first, op.layout, name); err != nil {
		return err
	}
	spec := t.spec
	if spec == nil { // known after the first look at the rows
		op.reads = t.c.c.Reads()
		return nil
	}
	e, err := spec.Encoder(op.layout)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	op.bind, op.reads = e, e.Reads(false)
	if op.cache != nil && !e.HasHistory() {
		op.codes, err = t.codesOf(op.cache)
	}
	return err
}

func (t *onlineTraining) decide(op *opened, name string) error {
	if w, ok := t.o.warm(); ok {
		op.schema = &w.Spec.Schema
	}
	plan, err := t.c.plan(op, name)
	if err != nil {
		return err
	}
	if w, ok := t.o.warm(); ok {
		t.spec = w.Spec
		return nil
	}
	if spec, ok := plan.Spec(); ok {
		t.spec = spec
		return nil
	}
	t.c.c, err = features.NewCollector(plan, op.layout, features.CollectOptions{Head: scoutRows, Since: t.c.since, Until: t.c.until})
	return err
}

// scoutRows is how many rows the quantiles of numbers are
// taken from.
const scoutRows = 200_000

// errEnough ends a look at the rows that has seen what it wanted.
var errEnough = errors.New("enough rows")

// scout looks at the rows before they are learned from, as far as that is
// needed: for the hours, where a split by time may be wanted, and for the
// quantiles of numbers.
func (t *onlineTraining) scout(ctx context.Context) error {
	if err := t.peek(ctx, &t.sources[0]); err != nil {
		return err
	}
	byTime := t.o.Split == "time" || t.o.Split == "" && t.c.timed
	if !byTime && t.c.c == nil {
		return t.divide(nil)
	}
	// Standard input is looked at here, and read again to learn from it.
	if err := t.respool(); err != nil {
		return err
	}
	hours := new(hourCount)
	r := t.reading(func() func(*job) { return hours.worker(t.c) }, func(j *job) error {
		if !byTime && j.before+j.block.First+int64(j.block.Len()) >= scoutRows {
			return errEnough
		}
		return nil
	})
	if err := r.run(ctx); err != nil && !errors.Is(err, errEnough) {
		return err
	}
	if t.c.c != nil {
		f, err := t.c.c.Fit(ctx, features.FitOptions{Split: "none", Threads: t.o.threads()})
		if errors.Is(err, features.ErrNoRows) {
			return r.noRows(t.sources[0].name, true)
		}
		if err != nil {
			return err
		}
		t.spec = f.Spec
	}
	return t.divide(hours.all())
}

// peek opens the first source to see its layout.
func (t *onlineTraining) peek(ctx context.Context, s *source) error {
	if s.cache != nil {
		return t.bind(cachedOpened(s, t.schema), s.name)
	}
	see := *s
	if s.stdin != nil && s.spool == "" {
		begin := bufio.NewReaderSize(s.stdin, sniffed)
		s.stdin = begin
		text, _ := begin.Peek(sniffed) // an error comes again when it is read
		see.stdin = bytes.NewReader(text)
		if columnar.Detect(text) == columnar.Parquet { // its index is at its end
			if err := t.respool(); err != nil {
				return err
			}
			see = *s
		}
	}
	in, err := see.open(ctx, t.o.threads())
	if err != nil {
		return err
	}
	defer in.close() //nolint:errcheck // only read
	rd, err := t.o.rows(in, s.name, t.schema)
	if err != nil {
		return err
	}
	return t.bind(&opened{layout: rd.Layout(), schema: rd.Schema()}, s.name)
}

// sniffed is how much of standard input is looked at to see its layout.
const sniffed = 1 << 20

// divide decides what is held out.
func (t *onlineTraining) divide(hours map[features.Hour]int) error {
	kind := t.o.Split
	if kind == "" {
		if kind = "time"; !t.c.timed || len(hours) < 2 {
			kind = "random"
			why := "there is no time column"
			if t.c.timed {
				why = "all rows are of one hour"
			}
			t.note("split at random: " + why)
		}
	}
	t.holdout = features.Holdout{Kind: kind}
	switch kind {
	case "time":
		b, err := features.TimeBoundary(hours, t.o.fraction())
		if err != nil {
			return fmt.Errorf("%s: %w", t.sources[0].name, err)
		}
		t.holdout.Fraction, t.holdout.Boundary = t.o.fraction(), b
	case "random":
		t.holdout.Fraction, t.holdout.Seed = t.o.fraction(), t.o.Seed
	}
	return nil
}

func (t *onlineTraining) note(text string) {
	if t.obs != nil {
		t.obs.Note(text)
	}
}

// learn goes through the rows as often as was asked for.
func (t *onlineTraining) learn(ctx context.Context) (*linear.Model, error) {
	for t.pass = 1; t.pass <= max(t.o.Model.Passes, 1); t.pass++ {
		if err := t.once(ctx); err != nil {
			return nil, err
		}
	}
	loss, weight := t.first.Loss()
	return t.learner.Model(t.keep, linear.Report{
		Iterations: max(t.o.Model.Passes, 1), Passes: max(t.o.Model.Passes, 1), Objective: loss, LogLoss: loss / weight,
	})
}

// start makes the learner when the Spec is known.
func (t *onlineTraining) start() error {
	if t.learner != nil || t.spec == nil {
		return nil
	}
	var err error
	if t.learner, err = linear.NewFTRL(t.spec, t.o.Model); err == nil {
		t.learner.Keep(t.keep)
	}
	return err
}

// once goes through all rows.
func (t *onlineTraining) once(ctx context.Context) error {
	if err := t.start(); err != nil {
		return err
	}
	judge := t.first
	if t.pass > 1 {
		judge = new(metrics.Progressive)
		t.note(fmt.Sprintf("pass %d:", t.pass))
	}
	t.log.begin()
	r := t.reading(func() func(*job) { return t.encoding() }, func(j *job) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		return t.take(j, judge)
	})
	var merge func()
	if t.o.Model.LockFree {
		merge = t.share(r, judge)
	}
	if err := r.run(ctx); err != nil {
		return err
	}
	if merge != nil {
		merge()
	}
	t.log.end(judge)
	t.state = r.history.snapshot()
	if t.pass == 1 {
		if r.nBad > 0 {
			t.note(fmt.Sprintf("%d bad rows passed over; the first: %v", r.nBad, r.bad))
		}
		t.marks, t.nBad = r.marks, r.nBad
		return t.learnable(r)
	}
	return nil
}

// learnable reports rows that nothing can be learned from.
func (t *onlineTraining) learnable(r *rowReader) error {
	name := t.sources[0].name
	n, clicks := t.first.Rows(), t.first.Clicks()
	switch {
	case n == 0 && t.held.Load() > 0:
		return features.WithHint(fmt.Errorf("%s: no rows in the training part", name), "use --split none to train on all rows")
	case n == 0:
		return r.noRows(name, t.c.since != nil || t.c.until != nil)
	case clicks == 0 || clicks == n:
		return fmt.Errorf("%s: column %s: all %s training rows have %d: want both 0 and 1",
			name, t.spec.Schema.Find(features.Label), Thousands(n), clicks/n)
	}
	return nil
}
