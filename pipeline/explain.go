package pipeline

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"ctr/features"
	"ctr/models"
)

// ExplainOptions say which rows to explain.
type ExplainOptions struct {
	Input
	Model string
	// Rows is how many rows are explained, from the first on. The default is 1.
	Rows int
	// ID, where not "", explains the first Rows rows of that name instead.
	ID string
	// Global asks for the mean of all rows' absolute contributions instead of
	// single rows.
	Global bool
	// Redact are columns whose values are not shown; features.AllColumns stands
	// for all.
	Redact []string
}

// Contribution is what a field adds to a row's log-odds or probability.
type Contribution struct {
	Field string `json:"field"`
	// Value is the text of the field's columns, joined by " × "; "" where it is
	// redacted or of many rows.
	Value        string  `json:"value,omitempty"`
	Contribution float64 `json:"contribution"`
}

// ExplainedRow is a row, and why it got its probability.
type ExplainedRow struct {
	ID            string         `json:"id"`
	Y             *int           `json:"y"` // nil where the row has no label
	Probability   float64        `json:"probability"`
	Prediction    int            `json:"prediction"`
	Contributions []Contribution `json:"contributions"` // by falling size
}

// ExplainResult is what ctr explain prints. Baseline and a row's contributions
// add up to its log-odds or its probability, as Scale says.
type ExplainResult struct {
	Model    string         `json:"model"`
	Algo     string         `json:"algo"`
	Scale    models.Scale   `json:"scale"`
	Baseline float64        `json:"baseline"`
	Rows     []ExplainedRow `json:"rows,omitempty"`
	// Mean has the mean absolute contribution of each field over Count rows, by
	// falling size; nil unless Global.
	Mean  []Contribution `json:"mean,omitempty"`
	Count int            `json:"count"`
	Bad   int            `json:"bad"`
}

// errFound ends the reading once all rows that were wanted are there.
var errFound = errors.New("enough rows")

// explaining explains rows of files, or sums up all of them.
type explaining struct {
	o     ExplainOptions
	art   *models.Artifact
	model models.Explainer
	shows []bool // by field: values may be shown
	r     *ExplainResult
	sums  []float64
}

// Explain says why rows of files got their probabilities.
func Explain(ctx context.Context, o ExplainOptions, obs Observer) (*ExplainResult, error) {
	if o.Rows == 0 {
		o.Rows = 1
	}
	a, err := o.open(o.Model, "")
	if err != nil {
		return nil, err
	}
	m, ok := a.Model.(models.Explainer)
	if !ok {
		return nil, fmt.Errorf("%s: a model of %s can't say what each column adds", o.Model, a.Model.Algo())
	}
	if err := m.Explains(); err != nil {
		return nil, fmt.Errorf("%s: %w", o.Model, err)
	}
	sources, err := o.sources()
	if err != nil {
		return nil, err
	}
	defer closeCaches(sources)
	e := &explaining{o: o, art: a, model: m, r: &ExplainResult{Model: o.Model, Algo: a.Model.Algo()}}
	e.r.Baseline, e.r.Scale = m.Baseline()
	e.sums = make([]float64, len(a.Spec.Fields))
	redact := ScorerOptions{Redact: o.Redact}
	for i := range a.Spec.Fields {
		e.shows = append(e.shows, !slices.ContainsFunc(a.Spec.Fields[i].From, redact.Redacts))
	}
	if err := e.run(ctx, sources, obs); err != nil && !errors.Is(err, errFound) {
		return nil, err
	}
	switch {
	case o.Global && e.r.Count == 0, !o.Global && o.ID == "" && len(e.r.Rows) == 0:
		return nil, fmt.Errorf("%s: no rows", sources[0].name)
	case !o.Global && len(e.r.Rows) == 0:
		return nil, fmt.Errorf("id %s: no such row", o.ID)
	case o.Global:
		for f, sum := range e.sums {
			e.r.Mean = append(e.r.Mean, Contribution{Field: a.Spec.Fields[f].Name, Contribution: sum / float64(e.r.Count)})
		}
		bySize(e.r.Mean)
	}
	return e.r, nil
}

func bySize(list []Contribution) {
	slices.SortStableFunc(list, func(a, b Contribution) int {
		return cmp.Compare(math.Abs(b.Contribution), math.Abs(a.Contribution))
	})
}

func (e *explaining) run(ctx context.Context, sources []source, obs Observer) error {
	schema := e.art.Spec.Schema
	s := &scoring{art: e.art}
	r := &rowReader{
		in: &e.o.Input, sources: sources, schema: &schema, obs: obs, layout: s.bind,
		worker: func() func(*job) {
			ex := e.art.Spec.NewExample()
			var parts []float64
			return func(j *job) { parts = e.explain(j, ex, parts[:0]) }
		},
		emit: e.emit,
	}
	if e.art.Spec.HasHistory() {
		r.history = newHistoryPass(e.art.Spec.StateOf(e.art.State), false)
	}
	err := r.run(ctx)
	e.r.Bad = r.nBad
	return err
}

// explain makes of each row what emit wants, in a goroutine of its own: rows
// of their own in j.explained, or sums over the block in j.out.w and their
// number in j.before, so that sums do not depend on who added them.
func (e *explaining) explain(j *job, ex *features.Example, parts []float64) []float64 {
	enc := j.open.bind.(*features.Encoder)
	j.explained = j.explained[:0]
	j.out.w = append(j.out.w[:0], make([]float64, len(e.sums))...)
	j.out.y = j.out.y[:0]
	for i := range j.block.Len() {
		row := j.block.Row(i)
		err := j.block.Err(i)
		if err == nil {
			err = enc.Encode(&row, ex)
		}
		if err != nil {
			j.fail(i, err)
			continue
		}
		if e.o.ID != "" && !bytes.Equal(enc.ID(&row), []byte(e.o.ID)) {
			continue
		}
		if !e.o.Global && len(j.explained) == e.o.Rows {
			break
		}
		parts = e.model.Contributions(ex, parts[:0])
		if e.o.Global {
			j.out.y = append(j.out.y, 0)
			for f, v := range parts {
				j.out.w[f] += math.Abs(v)
			}
			continue
		}
		j.explained = append(j.explained, e.row(j, enc, &row, ex, parts))
	}
	return parts
}

// row makes the result of a row.
func (e *explaining) row(j *job, enc *features.Encoder, row *features.Row, ex *features.Example, parts []float64) ExplainedRow {
	out := ExplainedRow{ID: string(enc.ID(row)), Probability: e.art.Model.Probability(ex)}
	if y, err := enc.Label(row); err == nil && y >= 0 {
		out.Y = &y
	}
	if out.Probability > e.art.Threshold {
		out.Prediction = 1
	}
	for f, v := range parts {
		c := Contribution{Field: e.art.Spec.Fields[f].Name, Contribution: v}
		if e.shows[f] {
			c.Value = valueOf(&e.art.Spec.Fields[f], j.open.layout, row)
		}
		out.Contributions = append(out.Contributions, c)
	}
	bySize(out.Contributions)
	return out
}

// valueOf gives the text of a field's columns.
func valueOf(f *features.Field, layout features.Layout, row *features.Row) string {
	var text []byte
	for i, name := range f.From {
		if i > 0 {
			text = append(text, " × "...)
		}
		if at := layout.Index(name); at >= 0 {
			text = append(text, row.Field(at)...)
		}
	}
	return string(text)
}

// emit takes blocks in order.
func (e *explaining) emit(j *job) error {
	if e.o.Global {
		e.r.Count += len(j.out.y)
		for f, v := range j.out.w {
			e.sums[f] += v
		}
		return nil
	}
	e.r.Rows = append(e.r.Rows, j.explained[:min(len(j.explained), e.o.Rows-len(e.r.Rows))]...)
	e.r.Count = len(e.r.Rows)
	if len(e.r.Rows) == e.o.Rows {
		return errFound
	}
	return nil
}
