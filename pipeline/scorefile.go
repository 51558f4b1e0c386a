package pipeline

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"ctr/models/metrics"
)

// ScoreFiles scores the rows of files, labelled or not, and writes a line for
// each in the order of the input.
func ScoreFiles(ctx context.Context, o ScoreFileOptions, stdout io.Writer, obs Observer) (*ScoreFileResult, error) {
	start := time.Now()
	formats := []string{formatCSV, formatJSON, formatKaggle}
	if o.Format == "" {
		o.Format = formatCSV
	}
	if !slices.Contains(formats, o.Format) {
		return nil, &OptionError{Faults: []string{fmt.Sprintf("format %q: want one of %s", o.Format, strings.Join(formats, ", "))}}
	}
	a, err := o.open(o.Model, o.Threshold)
	if err != nil {
		return nil, err
	}
	sources, err := o.sources()
	if err != nil {
		return nil, err
	}
	defer closeCaches(sources)
	sel, err := o.selection()
	if err != nil {
		return nil, err
	}
	if err := keepsApart(o.Output, o.Model, sources); err != nil {
		return nil, err
	}
	out, err := createOutput(o.Output, o.Overwrite, stdout)
	if err != nil {
		return nil, err
	}
	defer out.abandon()
	t := &totals{}
	s := &scoring{art: a, sel: sel, format: o.Format, out: out}
	if err := s.run(ctx, &o.Input, sources, obs, t.add); err != nil {
		return nil, err
	}
	if err := out.finish(); err != nil {
		return nil, err
	}
	r := &ScoreFileResult{Rows: t.rows, Bad: s.nBad, Seconds: time.Since(start).Seconds()}
	if t.rows > 0 {
		r.Mean = t.sum / float64(t.rows)
	}
	if t.rows > 0 && t.labelled == t.rows {
		m, err := metrics.Evaluate(t.y, t.p, nil, a.Threshold)
		if err != nil {
			return nil, err
		}
		r.Metrics = &m
	}
	return r, nil
}

// totals sums up what was scored. It keeps labels and probabilities as long
// as every row has a label.
type totals struct {
	rows, labelled int
	sum            float64
	y              []uint8
	p              []float64
}

func (t *totals) add(j *job) error {
	for i, y := range j.out.y {
		t.rows++
		t.sum += j.out.p[i]
		if y >= 0 {
			t.labelled++
		}
		if t.labelled == t.rows {
			t.y, t.p = append(t.y, uint8(y)), append(t.p, j.out.p[i])
		} else {
			t.y, t.p = nil, nil
		}
	}
	return nil
}
