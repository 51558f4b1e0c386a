package pipeline

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"ctr/features"
	"ctr/models"
	"ctr/models/interchange"
	"ctr/pipeline/sparkjob"
)

// engineSpark is the name of Spark in model files and results.
const engineSpark = "spark"

// TrainSpark is Train with the rows, the features and the split as Train has
// them, and the model fitted by Spark on the cluster that l names: logistic
// regression, a decision tree or a random forest. Where ctr can read the rows
// too and they are divided by time or not at all, it judges the model itself,
// as Train does; else the figures are Spark's. It writes the model to o.Out.
//
// What differs from Train: rows held out at random are others; a row that is
// not good is an error; columns of numbers are refused; trees are Spark's, with
// ctr's smoothing of leaves.
func TrainSpark(ctx context.Context, o TrainOptions, l sparkjob.Launch, obs Observer) (*TrainResult, error) {
	caps, err := o.applyPreset()
	if err != nil {
		return nil, err
	}
	faults := append(o.sparkFaults(), l.Validate()...)
	if len(faults) > 0 {
		return nil, &OptionError{Faults: faults}
	}
	if _, err := o.check(o.Algo); err != nil {
		return nil, err
	}
	if _, err := l.Find(); err != nil {
		return nil, err
	}
	from := time.Now()
	s := &sparkTraining{o: &o, launch: l, obs: obs}
	if err := s.prepare(ctx, caps); err != nil {
		return nil, err
	}
	r, err := s.fit(ctx)
	if err != nil {
		return nil, err
	}
	r.Seconds = time.Since(from).Seconds()
	return r, nil
}

// sparkTraining is one TrainSpark.
type sparkTraining struct {
	o      *TrainOptions
	launch sparkjob.Launch
	obs    Observer
	data   *sparkData
	plan   *features.Plan
	task   sparkjob.Task
}

// prepare finds the data and its columns and makes the task.
func (s *sparkTraining) prepare(ctx context.Context, caps []string) error {
	o := s.o
	d, err := o.sparkPaths()
	if err != nil {
		return err
	}
	s.data = d
	if o.Out != "" {
		if err := cmp.Or(notRead(o.Out, d.files), writable(o.Out)); err != nil {
			return err
		}
	}
	schema, err := o.schema()
	if err != nil {
		return err
	}
	if d.local() {
		err = o.lookLocal(ctx, d, schema)
	} else {
		err = o.lookRemote(ctx, s.launch, d, schema, s.obs)
	}
	if err != nil {
		return err
	}
	c := &collecting{o: o, caps: caps}
	if s.plan, err = c.plan(&opened{layout: d.layout, schema: d.schema}, d.name()); err != nil {
		return err
	}
	for i := range s.plan.Fields {
		if f := &s.plan.Fields[i]; f.Type != features.Dict {
			return features.WithHint(fmt.Errorf("column %s: numbers: want categories alone with --engine spark", f.Name),
				"leave it out with --exclude "+f.Name+", or have --schema call it a category")
		}
	}
	return s.makeTask()
}

// makeTask says to the job what the plan and the options are.
func (s *sparkTraining) makeTask() error {
	o, d, schema := s.o, s.data, s.plan.Schema
	at := func(k features.Kind) int {
		if name := schema.Find(k); name != "" {
			return d.layout.Index(name)
		}
		return -1
	}
	s.task = sparkjob.Task{
		Do: sparkjob.DoTrain, Paths: d.paths, Format: d.format, Layout: d.layout, Header: d.header, Comma: string(rune(d.comma)),
		Label: at(features.Label), Time: at(features.Time), Weight: at(features.Weight),
		Split: o.Split, Fraction: o.fraction(), Seed: int64(o.Seed), Algo: o.Algo, Settings: sparkSettings(o.Algo, &o.Model),
		CostFP: o.CostFP, CostFN: o.CostFN,
	}
	for i := range s.plan.Fields {
		f := sparkjob.Field{MinCount: s.plan.Fields[i].MinCount, Cap: s.plan.Capped(i)}
		for _, from := range s.plan.Sources(i, d.layout) {
			if from.Column >= 0 {
				f.From = append(f.From, from.Column)
			} else {
				f.From = append(f.From, string(from.Part))
			}
		}
		s.task.Fields = append(s.task.Fields, f)
	}
	since, until, err := o.window()
	if err != nil {
		return &OptionError{Faults: []string{err.Error()}}
	}
	s.task.Since, s.task.Until = (*int32)(since), (*int32)(until)
	threshold, auto, err := parseThreshold(o.Threshold)
	if err != nil {
		return err
	}
	if !auto {
		s.task.Threshold = &threshold
	}
	// What the split will be, the job says only afterwards: it judges where
	// it may be needed.
	timed := s.task.Time >= 0 && o.Split != "random"
	s.task.Judge = !d.local() || !timed && o.Split != "none"
	return nil
}

// fit runs the job and makes a model file of what it left.
func (s *sparkTraining) fit(ctx context.Context) (*TrainResult, error) {
	begun := time.Now()
	job, err := sparkjob.Run(ctx, s.launch, s.task, sparkProgress(s.obs))
	if err != nil {
		return nil, err
	}
	defer job.Close()
	done := job.Done
	if done == nil {
		return nil, fmt.Errorf("spark: the job ended without a model")
	}
	if s.o.Split == "" && done.Split.Kind == "random" {
		note(s.obs, "split at random: there is no time column, or all rows are of one hour")
	}
	times := map[Stage]time.Duration{StageSpark: time.Since(begun)}
	begun = time.Now()
	a, err := s.imported(ctx, job.Model, done)
	if err != nil {
		return nil, fmt.Errorf("spark's model: %w", err)
	}
	data := &Data{Engine: engineSpark, Preset: s.o.Preset}
	data.record(&s.o.Input, s.data.files, s.o.Out)
	data.Holdout = features.Holdout{Kind: done.Split.Kind}
	switch done.Split.Kind {
	case "time":
		data.Holdout.Fraction, data.Holdout.Boundary = s.o.fraction(), features.Hour(done.Split.Boundary)
		data.Boundary = data.Holdout.Boundary.String()
	case "random":
		data.Holdout.Fraction, data.Holdout.Seed = s.o.fraction(), s.o.Seed
	}
	data.Rows = RowCounts{Train: done.Sizes.Train.Rows, Test: done.Sizes.Test.Rows}
	data.TrainClicks, data.TestClicks = done.Sizes.Train.Clicks, done.Sizes.Test.Clicks
	if err := s.judge(ctx, a, data, done); err != nil {
		return nil, err
	}
	if a.Data, err = json.Marshal(data); err != nil {
		return nil, err
	}
	times[StageJudge] = time.Since(begun)
	if s.o.Out != "" {
		if err := a.Write(s.o.Out); err != nil {
			return nil, err
		}
	}
	return &TrainResult{
		ModelPath: s.o.Out, Algo: s.o.Algo, Rows: data.Rows, Train: *a.Train, Test: a.Test, JudgedBy: data.JudgedBy,
		Artifact: a, Times: times,
	}, nil
}

// imported reads Spark's model, whose columns are named by the plan's fields,
// and gives it the plan's Spec with the dictionaries that it brought.
func (s *sparkTraining) imported(ctx context.Context, path string, done *sparkjob.Done) (*models.Artifact, error) {
	i := slices.IndexFunc(Importers(), func(f interchange.Importer) bool { return f.Name == engineSpark })
	if i < 0 {
		return nil, fmt.Errorf("no importer of that name")
	}
	a, _, err := Importers()[i].Import(ctx, path, interchange.ImportOptions{AsRead: true, Version: Version})
	if err != nil {
		return nil, err
	}
	if a.Model.Algo() != s.o.Algo {
		return nil, fmt.Errorf("algorithm %s: want %s", a.Model.Algo(), s.o.Algo)
	}
	spec := &features.Spec{Schema: *s.plan.Schema}
	for i := range a.Spec.Fields {
		from := &a.Spec.Fields[i]
		at, err := strconv.Atoi(strings.TrimPrefix(from.Name, "f"))
		if err != nil || at < 0 || at >= len(s.plan.Fields) || from.Type != features.Dict || from.Cast != features.AsRead {
			return nil, fmt.Errorf("column %s: want one of the %d that were asked for", from.Name, len(s.plan.Fields))
		}
		f := s.plan.Fields[at]
		if f.Dict, err = unmarked(from.Dict); err != nil {
			return nil, fmt.Errorf("column %s: %w", f.Name, err)
		}
		if x, capped := done.Caps[at]; capped {
			f.Cap = &x
		}
		spec.Fields = append(spec.Fields, f)
	}
	a.Spec = spec
	a.Options, a.Version = s.o.Model, Version
	a.Options.Seed, a.Options.Threads = s.o.Seed, 0
	for i := range s.plan.Fields {
		if !slices.Contains(done.Fields, i) {
			note(s.obs, fmt.Sprintf("column %s: no value came often enough: left out", s.plan.Fields[i].Name))
		}
	}
	return a, nil
}

// unmarked gives the dictionary without the mark that each value begins with.
func unmarked(d *features.Dictionary) (*features.Dictionary, error) {
	from, _ := d.Tensors()
	bytes, offsets := make([]byte, 0, len(from)), make([]uint64, 1, d.Len()+1)
	for c := range d.Len() {
		v := d.Value(uint32(c + 1))
		if len(v) == 0 || v[0] != sparkjob.ValueMark {
			return nil, fmt.Errorf("value %q: want %q before it", v, sparkjob.ValueMark)
		}
		bytes = append(bytes, v[1:]...)
		offsets = append(offsets, uint64(len(bytes)))
	}
	return features.NewDictionary(bytes, offsets)
}

// sparkProgress tells an observer what a job tells.
func sparkProgress(obs Observer) func(sparkjob.Event) {
	if obs == nil {
		return nil
	}
	step, waiting := "start", false
	return func(e sparkjob.Event) {
		switch {
		case e.Step != "":
			step = e.Step
			obs.Progress(StageSpark, 0, 0, step)
		case e.Application != nil:
			if e.Application.UI != "" {
				obs.Note(fmt.Sprintf("Spark application %s: %s", e.Application.ID, e.Application.UI))
			}
		case e.Progress != nil:
			obs.Progress(StageSpark, e.Progress.Done, e.Progress.Total, fmt.Sprintf("%s, stage %d", step, e.Progress.Stage))
		case e.Waiting && !waiting:
			waiting = true
			obs.Note("spark: no worker takes the work yet: want one with the cores and the memory asked for (--spark-conf spark.executor.memory=2g)")
		}
	}
}
