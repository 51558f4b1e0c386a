package pipeline

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"ctr/features"
	"ctr/models"
	"ctr/models/metrics"
)

// Train reads rows once, learns their Spec, fits a model to the training part,
// picks its threshold there, judges it on both parts and writes it to o.Out.
// The file is the same for the same rows, options and seed, whatever the
// number of threads.
func Train(ctx context.Context, o TrainOptions, obs Observer) (*TrainResult, error) {
	caps, err := o.applyPreset()
	if err != nil {
		return nil, err
	}
	o.settleOnline()
	algos, err := o.check(o.Algo)
	if err != nil {
		return nil, err
	}
	defer o.openScratch(obs)()
	start := time.Now()
	remove, err := o.autoCross(ctx, obs)
	defer remove()
	if err != nil {
		return nil, err
	}
	took := time.Since(start)
	r, err := o.train(ctx, caps, algos[0], obs)
	if err != nil {
		return nil, err
	}
	r.Crosses, r.Times[StageCross] = o.found, took
	r.Seconds += took.Seconds()
	return r, nil
}

// train is Train with valid options, whose crosses are known.
func (o *TrainOptions) train(ctx context.Context, caps []string, algo models.Algorithm, obs Observer) (*TrainResult, error) {
	if o.online() {
		return o.trainOnline(ctx, caps, algo, obs)
	}
	start := time.Now()
	p, err := o.prepare(ctx, caps, obs)
	if err != nil {
		return nil, err
	}
	times := map[Stage]time.Duration{StageRead: time.Since(start)}
	a, err := o.fit(ctx, algo, p, obs, times)
	if err != nil {
		return nil, err
	}
	if o.Out != "" {
		if err := a.Write(o.Out); err != nil {
			return nil, err
		}
	}
	return &TrainResult{
		ModelPath: o.Out, Algo: algo.Name, Rows: p.data.Rows, Seconds: time.Since(start).Seconds(),
		Train: *a.Train, Test: a.Test, Artifact: a, Times: times,
	}, nil
}

// check validates the options and finds the algorithms before anything is
// read.
func (o *TrainOptions) check(algos ...string) ([]models.Algorithm, error) {
	faults := o.validate()
	var list []models.Algorithm
	for _, name := range algos {
		a, err := models.Lookup(name)
		if err != nil {
			faults = append(faults, err.Error())
			continue
		}
		list = append(list, a)
	}
	if len(list) > 0 {
		faults = append(faults, models.Meaningless(o.Model, list...)...)
		faults = append(faults, o.onlineOnly(list)...)
	}
	if len(faults) > 0 {
		return nil, &OptionError{Faults: faults}
	}
	return list, nil
}

func (o *TrainOptions) validate() (faults []string) {
	faults = o.Input.validate()
	if o.Split != "" && !slices.Contains([]string{"time", "random", "none"}, o.Split) {
		faults = append(faults, fmt.Sprintf("split %q: want time, random or none", o.Split))
	}
	if !(o.TestFraction >= 0 && o.TestFraction < 1) {
		faults = append(faults, fmt.Sprintf("test-fraction %v: want above 0 and below 1", o.TestFraction))
	}
	if !(o.CostFP >= 0 && o.CostFN >= 0) {
		faults = append(faults, fmt.Sprintf("costs %v and %v: want 0 or more", o.CostFP, o.CostFN))
	}
	if o.HistoryBits != 0 && len(o.History) == 0 {
		faults = append(faults, "history-bits: want --history")
	}
	faults = append(append(append(faults, o.scratchFaults()...), o.onlineFaults()...), o.crossFaults()...)
	if _, _, err := parseThreshold(o.Threshold); err != nil {
		faults = append(faults, err.Error())
	}
	return faults
}

// OptionError is a call with options that can't be: the caller's fault, found
// before any work was done.
type OptionError struct{ Faults []string }

// Error gives all faults.
func (e *OptionError) Error() string { return strings.Join(e.Faults, "; ") }

// prepared is rows ready for a trainer.
type prepared struct {
	*features.Fitted
	data  Data
	name  string             // of the rows, for messages
	state *features.Snapshot // after the last row that was read; nil without history
}

// prepare reads the rows and divides them.
func (o *TrainOptions) prepare(ctx context.Context, caps []string, obs Observer) (*prepared, error) {
	sources, err := o.trainSources(ctx, obs)
	if err != nil {
		return nil, err
	}
	defer closeCaches(sources)
	p := &prepared{name: sources[0].name}
	c := &collecting{o: o, caps: caps, rows: o.scratch.Child()}
	defer c.rows.Close()
	if c.since, c.until, err = o.window(); err != nil {
		return nil, &OptionError{Faults: []string{err.Error()}}
	}
	schema, err := o.schema()
	if err != nil {
		return nil, err
	}
	r := &rowReader{in: &o.Input, sources: sources, schema: schema, obs: obs, worker: c.worker, coded: true, chunks: true}
	r.layout = r.inOrder(c.layout, func(*opened) *features.Encoder { return c.c.Keys() })
	if err := r.run(ctx); err != nil {
		return nil, err
	}
	if r.nBad > 0 && obs != nil {
		obs.Note(fmt.Sprintf("%s bad rows passed over; the first: %v", Thousands(r.nBad), r.bad))
	}
	if c.c.Read() == 0 {
		return nil, r.noRows(p.name, false)
	}
	split := o.split(c, obs)
	p.Fitted, err = c.c.Fit(ctx, features.FitOptions{
		Split: split, Fraction: o.fraction(), Seed: o.Seed, Threads: o.threads(), Scratch: o.scratch,
	})
	if errors.Is(err, features.ErrNoRows) {
		return nil, r.noRows(p.name, true)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", p.name, err)
	}
	p.state = r.history.snapshot()
	p.describe(o, sources, r)
	return p, p.trainable()
}

// trainSources gives the rows to learn from, the built-in ones where none are
// named.
func (o *TrainOptions) trainSources(ctx context.Context, obs Observer) ([]source, error) {
	sources, err := o.sources()
	if err != nil {
		return nil, err
	}
	if len(sources) == 0 {
		sources = []source{{name: "synthetic rows", synth: &SynthSource{Rows: BuiltinRows, Seed: BuiltinSeed}}}
	}
	if o.Out != "" {
		err = cmp.Or(notRead(o.Out, sources), writable(o.Out))
	}
	if err == nil {
		err = o.cached(ctx, sources, obs)
	}
	if err != nil {
		closeCaches(sources)
		return nil, err
	}
	return sources, nil
}

// split decides how to divide, telling why where it was not said.
func (o *TrainOptions) split(c *collecting, obs Observer) string {
	if o.Split != "" {
		return o.Split
	}
	why := "there is no time column"
	if c.timed {
		if c.c.Hours() > 1 {
			return "time"
		}
		why = "all rows are of one hour"
	}
	if obs != nil {
		obs.Note("split at random: " + why)
	}
	return "random"
}

func (o *TrainOptions) fraction() float64 {
	if o.TestFraction == 0 {
		return 0.3
	}
	return o.TestFraction
}

// trainable reports rows that no model can be fitted to.
func (p *prepared) trainable() error {
	n, clicks := p.Train.Rows, p.data.TrainClicks
	if n == 0 {
		return features.WithHint(fmt.Errorf("%s: no rows in the training part", p.name), "use --split none to train on all rows")
	}
	if clicks == 0 || clicks == n {
		return fmt.Errorf("%s: column %s: all %s training rows have %d: want both 0 and 1",
			p.name, p.Spec.Schema.Find(features.Label), Thousands(n), clicks/n)
	}
	return nil
}

// describe fills the model file's account of the rows.
func (p *prepared) describe(o *TrainOptions, sources []source, r *rowReader) {
	d := &p.data
	d.record(&o.Input, sources, o.Out)
	d.Preset, d.Marks, d.Holdout = o.Preset, r.marks, p.Holdout
	if p.SampleLast != 0 {
		d.SampleSeed, d.SampleLast = o.Seed, hex64(p.SampleLast)
	}
	if p.Holdout.Kind == "time" {
		d.Boundary = p.Holdout.Boundary.String()
	}
	d.Rows = RowCounts{Train: p.Train.Rows, Test: p.Test.Rows, Bad: r.nBad}
	d.TrainClicks, d.TestClicks = p.Train.Clicks(), p.Test.Clicks()
}

// collecting joins a rowReader to a Collector.
type collecting struct {
	o            *TrainOptions
	caps         []string
	since, until *features.Hour
	rows         *features.Scratch // of the rows collected
	c            *features.Collector
	first        features.Layout
	timed        bool
}

// layout makes the Collector when the first source's layout is known, and
// holds the others to it.
func (c *collecting) layout(op *opened, name string) error {
	if c.c != nil {
		return cmp.Or(sameLayout(c.first, op.layout, name), c.bindCache(op))
	}
	plan, err := c.plan(op, name)
	if err != nil {
		return err
	}
	c.c, err = features.NewCollector(plan, op.layout, features.CollectOptions{Scratch: c.rows, Sample: c.o.Rows, Keep: c.o.keep, Seed: c.o.Seed, Since: c.since, Until: c.until})
	if err != nil {
		return err
	}
	return c.bindCache(op)
}

func sameLayout(first, layout features.Layout, name string) error {
	if !slices.Equal(first, layout) {
		return fmt.Errorf("%s: columns %v: want those of the first file, %v", name, []string(layout), []string(first))
	}
	return nil
}

// plan decides what to learn of the first source's columns.
func (c *collecting) plan(op *opened, name string) (*features.Plan, error) {
	if op.schema == nil {
		return nil, features.WithHint(fmt.Errorf("%s: columns %v: want those of a known schema", name, []string(op.layout)),
			"say what the columns are with --schema: avazu, criteo or a YAML file")
	}
	schema := *op.schema
	if w := c.o.Weight; w != "" {
		if op.layout.Index(w) < 0 {
			return nil, fmt.Errorf("%s: no column %s to weigh rows by", name, w)
		}
		schema.Columns = reweigh(schema.Columns, w)
	}
	label := schema.Find(features.Label)
	if label == "" {
		return nil, fmt.Errorf("schema %s: no label column", schema.Name)
	}
	if op.layout.Index(label) < 0 {
		return nil, features.WithHint(fmt.Errorf("%s: no column %s: want the label, 0 or 1", name, label),
			"rows without a label can be scored, not learned from: ctr score FILE")
	}
	options := c.o.planOptions(c.caps)
	var err error
	options.History, err = schema.HistoryKeys(c.o.History)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	plan, err := features.NewPlan(&schema, op.layout, options)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	c.first, c.timed = slices.Clone(op.layout), schema.Find(features.Time) != "" && op.layout.Index(schema.Find(features.Time)) >= 0
	if !c.timed && (c.since != nil || c.until != nil || c.o.Split == "time") {
		return nil, fmt.Errorf("%s: no time column: want one for --split time, --since and --until", name)
	}
	return plan, nil
}

func (c *collecting) worker() func(*job) {
	var w *features.CollectWorker
	return func(j *job) {
		if w == nil {
			w = c.c.Worker()
		}
		w.Add(&j.block, j.file, j.fail)
	}
}

// fit trains one algorithm and judges it.
func (o *TrainOptions) fit(ctx context.Context, algo models.Algorithm, p *prepared, obs Observer, times map[Stage]time.Duration) (*models.Artifact, error) {
	start := time.Now()
	options := o.Model
	options.Seed, options.Threads = o.Seed, o.threads()
	options.Scratch = o.scratch.Child()
	defer options.Scratch.Close()
	var progress models.Progress
	if obs != nil {
		progress = func(done, total int, note string) { obs.Progress(StageFit, int64(done), int64(total), note) }
	}
	m, err := algo.Train(ctx, p.Train, options, progress)
	if err != nil {
		return nil, err
	}
	times[StageFit] = time.Since(start)
	start = time.Now()
	if obs != nil {
		obs.Progress(StageJudge, 0, int64(p.Train.Rows+p.Test.Rows), "")
	}
	a := &models.Artifact{Model: m, Spec: p.Spec, State: p.state, Options: o.Model, Version: Version}
	a.Options.Seed, a.Options.Threads = o.Seed, 0
	a.Reference = features.ReferenceOf(p.Train, p.Test, o.threads())
	if err := o.judge(ctx, a, p); err != nil {
		return nil, err
	}
	times[StageJudge] = time.Since(start)
	a.Data, err = json.Marshal(&p.data)
	return a, err
}

// judge picks the threshold on the training rows and takes both parts'
// metrics.
func (o *TrainOptions) judge(ctx context.Context, a *models.Artifact, p *prepared) error {
	train, err := probabilities(ctx, a.Model, p.Train, o.threads(), o.scratch)
	if err != nil {
		return err
	}
	threshold, auto, err := parseThreshold(o.Threshold)
	if err != nil {
		return err
	}
	if auto {
		costs := metrics.Costs{FP: o.CostFP, FN: o.CostFN}
		if threshold, err = metrics.PickThreshold(p.Train.Y, train, p.Train.W, costs); err != nil {
			return err
		}
	}
	a.Threshold = threshold
	m, err := metrics.Evaluate(p.Train.Y, train, p.Train.W, threshold)
	if err != nil {
		return err
	}
	a.Train = &m
	if p.Test.Rows == 0 {
		return nil
	}
	test, err := probabilities(ctx, a.Model, p.Test, o.threads(), o.scratch)
	if err != nil {
		return err
	}
	held, err := metrics.Evaluate(p.Test.Y, test, p.Test.W, threshold)
	a.Test = &held
	return err
}
