package pipeline

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"strconv"

	"ctr/features"
	"ctr/models"
	"ctr/models/metrics"
)

// Evaluate judges a model: on the files named, or else on the rows that
// training held out, after checking that they are the same.
func Evaluate(ctx context.Context, o EvaluateOptions, obs Observer) (*EvaluateResult, error) {
	a, err := o.open(o.Model, o.Threshold)
	if err != nil {
		return nil, err
	}
	sources, err := o.sources()
	if err != nil {
		return nil, err
	}
	in, sel := o.Input, (*features.Selection)(nil)
	var data *Data
	if len(sources) == 0 {
		if data, err = DataOf(a); err != nil {
			return nil, fmt.Errorf("%s: %w", o.Model, err)
		}
		if in, sources, sel, err = data.held(o.Model, in); err != nil {
			return nil, err
		}
	} else if sel, err = in.selection(); err != nil {
		return nil, err
	}
	defer closeCaches(sources)
	if err := keepsApart(o.Predictions, o.Model, sources); err != nil {
		return nil, err
	}
	out, err := createOutput(o.Predictions, o.Overwrite, nil)
	if err != nil {
		return nil, err
	}
	defer out.abandon()
	j := &judging{scoring: scoring{art: a, sel: sel, labels: true, format: formatCSV, out: out, fresh: data != nil}}
	if err := j.run(ctx, &in, sources, obs); err != nil {
		return nil, err
	}
	if data != nil {
		if err := data.same(o.Model, sources, j.marks); err != nil {
			return nil, err
		}
	}
	if len(j.y) == 0 {
		return nil, j.read.noRows(sources[0].name, j.nBad == 0 && sel != nil && (sel.Since != nil || sel.Until != nil))
	}
	m, err := metrics.Evaluate(j.y, j.p, j.w, a.Threshold)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", sources[0].name, err)
	}
	if err := out.finish(); err != nil {
		return nil, err
	}
	r := &EvaluateResult{Metrics: m, Held: data != nil, Bad: j.nBad}
	for i := range sources {
		if name := cmp.Or(sources[i].own, sources[i].name); !slices.Contains(r.Files, name) {
			r.Files = append(r.Files, name)
		}
	}
	return r, nil
}

// open reads a model, with another threshold where one is given.
func (in *Input) open(path, threshold string) (*models.Artifact, error) {
	if faults := in.validate(); len(faults) > 0 {
		return nil, &OptionError{Faults: faults}
	}
	t, auto, err := parseThreshold(threshold)
	if err != nil {
		return nil, &OptionError{Faults: []string{err.Error()}}
	}
	a, err := models.Open(path)
	if err != nil {
		return nil, err
	}
	if !auto {
		a.Threshold = t
	}
	return a, nil
}

// parseThreshold reads a threshold; auto is true for "auto" and "".
func parseThreshold(text string) (value float64, auto bool, err error) {
	if text == "" || text == "auto" {
		return 0, true, nil
	}
	v, err := strconv.ParseFloat(text, 64)
	if err != nil || !(v >= 0 && v <= 1) {
		return 0, false, fmt.Errorf("threshold %q: want auto or a number from 0 to 1", text)
	}
	return v, false, nil
}

// selection is the range of time and the sample that were asked for by name.
func (in *Input) selection() (*features.Selection, error) {
	since, until, err := in.window()
	if err != nil {
		return nil, &OptionError{Faults: []string{err.Error()}}
	}
	if since == nil && until == nil {
		return nil, nil
	}
	return &features.Selection{Since: since, Until: until}, nil
}

// judging keeps labels and probabilities of what it scores.
type judging struct {
	scoring
	y []uint8
	p []float64
	w []float64
}

func (j *judging) run(ctx context.Context, in *Input, sources []source, obs Observer) error {
	return j.scoring.run(ctx, in, sources, obs, func(b *job) error {
		for i, y := range b.out.y {
			j.y = append(j.y, uint8(y))
			j.p = append(j.p, b.out.p[i])
		}
		j.w = append(j.w, b.out.w...)
		return nil
	})
}

// Formats of the lines that scoring writes.
const (
	formatCSV    = "csv"
	formatJSON   = "json"
	formatKaggle = "kaggle"
)

// scoring encodes and scores rows of files in order.
type scoring struct {
	art    *models.Artifact
	sel    *features.Selection
	labels bool // every row must have one
	// holdout, where not nil, divides the rows by their time.
	holdout *features.Holdout
	format  string
	out     *output
	// fresh begins history with no row seen, as training did; else it goes on
	// from where training ended.
	fresh bool

	weighted *bool // whether the files so far have weights
	read     *rowReader
	marks    []FileMark
	nBad     int
}

// run scores all rows; emit is called for each block, in order, after its
// lines are written.
func (s *scoring) run(ctx context.Context, in *Input, sources []source, obs Observer, emit func(*job) error) error {
	schema, input := s.art.Spec.Schema, *in
	input.Redact = slices.Concat(in.Redact, s.art.Spec.Redacted)
	r := &rowReader{
		in: &input, sources: sources, schema: &schema, obs: obs, layout: s.bind,
		worker: func() func(*job) {
			rs := newRowScorer(s.art.Model, s.art.Spec)
			return func(j *job) { s.score(j, rs) }
		},
		emit: func(j *job) error {
			if _, err := s.out.Write(j.out.text); err != nil {
				return err
			}
			return emit(j)
		},
	}
	if s.art.Spec.HasHistory() {
		from := s.art.State
		if s.fresh {
			from = nil
		}
		r.history = newHistoryPass(s.art.Spec.StateOf(from), false)
	}
	s.read = r
	if err := s.out.header(s.format); err != nil {
		return err
	}
	err := r.run(ctx)
	s.marks, s.nBad = r.marks, r.nBad
	r.history.note(obs)
	if err == nil && r.nBad > 0 && obs != nil {
		obs.Note(fmt.Sprintf("%s bad rows passed over; the first: %v", Thousands(r.nBad), r.bad))
	}
	return err
}

func (s *scoring) bind(op *opened, name string) error {
	e, err := s.art.Spec.Encoder(op.layout)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	if s.labels && !e.HasLabel() {
		return features.WithHint(fmt.Errorf("%s: no column %s: want the label, 0 or 1", name, s.art.Spec.Schema.Find(features.Label)),
			"rows without a label can be scored, not judged: ctr score FILE")
	}
	if s.sel != nil && (s.sel.Since != nil || s.sel.Until != nil || s.sel.Holdout != nil && s.sel.Holdout.Kind == "time") && !e.HasTime() {
		return fmt.Errorf("%s: no time column to choose rows by", name)
	}
	if has := e.HasWeight(); s.labels && s.weighted != nil && *s.weighted != has {
		no := "no "
		if has {
			no = ""
		}
		return fmt.Errorf("%s: %scolumn %s: want weights in all files or none", name, no, s.art.Spec.Schema.Find(features.Weight))
	} else if s.weighted == nil {
		s.weighted = &has
	}
	op.bind, op.keys, op.reads = e, e, e.Reads(true)
	return nil
}

// score fills j.out with a result for each good row that is selected.
func (s *scoring) score(j *job, rs *rowScorer) {
	e := j.open.bind.(*features.Encoder)
	out := &j.out
	out.y, out.p, out.w, out.text, out.held = out.y[:0], out.p[:0], out.w[:0], out.text[:0], out.held[:0]
	rs.enc, rs.fail = e, j.fail
	rs.done = func(row *features.Row, _ int, p float64) { s.done(e, row, p, out) }
	for i := range j.block.Len() {
		ok, err := s.wanted(j, e, i)
		if err != nil {
			rs.flush(&j.block) // so that bad rows come in order
			j.fail(i, err)
		} else if ok {
			rs.add(&j.block, i)
		}
	}
	rs.flush(&j.block)
}

// wanted reports whether row i is selected, and what is wrong with it beside
// its features.
func (s *scoring) wanted(j *job, e *features.Encoder, i int) (bool, error) {
	if err := j.block.Err(i); err != nil {
		return false, err
	}
	row := j.block.Row(i)
	if s.sel != nil || s.holdout != nil {
		h, _, err := e.Hour(&row)
		if err != nil || s.sel != nil && !s.sel.Keep(features.RowKey{File: j.file, Row: j.block.First + int64(i)}, h) {
			return false, err
		}
	}
	y, err := e.Label(&row)
	if err == nil && s.labels {
		if y < 0 {
			return false, e.NoLabel()
		}
		_, _, err = e.Weight(&row) // weights are for judging
	}
	return err == nil, err
}

// done keeps the result of a row, whose label and weight are good.
func (s *scoring) done(e *features.Encoder, row *features.Row, p float64, out *jobOutput) {
	y, _ := e.Label(row)
	out.y, out.p = append(out.y, int8(y)), append(out.p, p)
	if s.holdout != nil {
		h, _, _ := e.Hour(row) // wanted has read it
		out.held = append(out.held, s.holdout.Test(features.RowKey{}, h))
	}
	if s.labels {
		if w, weighted, _ := e.Weight(row); weighted {
			out.w = append(out.w, w)
		}
	}
	if s.out.wanted() {
		out.text = appendPrediction(out.text, s.format, e.ID(row), y, p, p > s.art.Threshold)
	}
}

var _ io.Writer = (*output)(nil)
