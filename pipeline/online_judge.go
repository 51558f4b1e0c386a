package pipeline

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"ctr/features"
	"ctr/models"
	"ctr/models/linear"
	"ctr/models/metrics"
)

// artifact judges the model: on the training rows by what it said of each
// before it had learned from it, on the held-out rows by reading them.
func (t *onlineTraining) artifact(ctx context.Context, m *linear.Model) (*models.Artifact, RowCounts, error) {
	o := t.o
	a := &models.Artifact{Model: m, Spec: t.spec, State: t.state, Reference: t.reference(), Options: o.Model, Version: Version}
	a.Options.Seed, a.Options.Threads = o.Seed, 0
	threshold, auto, err := parseThreshold(o.Threshold)
	if err == nil && auto {
		threshold, err = t.first.PickThreshold(metrics.Costs{FP: o.CostFP, FN: o.CostFN})
	}
	if err != nil {
		return nil, RowCounts{}, err
	}
	a.Threshold = threshold
	train, err := t.first.Metrics(threshold)
	if err != nil {
		return nil, RowCounts{}, err
	}
	a.Train = &train
	d := Data{Preset: o.Preset, Marks: t.marks, Holdout: t.holdout}
	d.record(&o.Input, t.sources, o.Out)
	if t.holdout.Kind == "time" {
		d.Boundary = t.holdout.Boundary.String()
	}
	d.Rows, d.TrainClicks = RowCounts{Train: train.Rows, Bad: t.nBad}, train.Clicks
	if t.holdout.Kind != "none" {
		if err := t.judge(ctx, a, &d); err != nil {
			return nil, RowCounts{}, err
		}
	}
	a.Data, err = json.Marshal(&d)
	return a, d.Rows, err
}

// judge takes the metrics of the held-out rows.
func (t *onlineTraining) judge(ctx context.Context, a *models.Artifact, d *Data) error {
	sel := &features.Selection{Since: t.c.since, Until: t.c.until, Holdout: &t.holdout}
	in := t.o.Input
	in.Seed = t.o.Seed
	out, err := createOutput("", false, nil)
	if err != nil {
		return err
	}
	defer out.abandon()
	j := &judging{scoring: scoring{art: a, sel: sel, labels: true, format: formatCSV, out: out, fresh: true}}
	if err := j.run(ctx, &in, t.sources, quietNotes{t.obs}); err != nil {
		return err
	}
	if !slices.Equal(j.marks, t.marks) {
		return fmt.Errorf("%s: the rows changed while they were being read", t.sources[0].name)
	}
	if len(j.y) == 0 {
		return nil
	}
	m, err := metrics.Evaluate(j.y, j.p, j.w, a.Threshold)
	if err != nil {
		return err
	}
	a.Test, d.Rows.Test, d.TestClicks = &m, m.Rows, m.Clicks
	return nil
}
