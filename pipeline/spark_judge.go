package pipeline

import (
	"context"
	"fmt"

	"ctr/features"
	"ctr/models"
	"ctr/models/metrics"
	"ctr/pipeline/sparkjob"
)

// judge takes the threshold and the metrics of both parts: by reading the rows
// where ctr can, else as the job found them.
func (s *sparkTraining) judge(ctx context.Context, a *models.Artifact, data *Data, done *sparkjob.Done) error {
	if !s.data.local() || data.Holdout.Kind == "random" {
		if done.Train == nil {
			return fmt.Errorf("spark: the job gave no figures")
		}
		a.Threshold, a.Train, a.Test = done.Threshold, done.Train, done.Test
		data.JudgedBy = engineSpark
		if !s.data.local() {
			data.Remote = s.data.paths
		}
		return nil
	}
	train, test, err := s.read(ctx, a, data)
	if err != nil {
		return err
	}
	if n := data.Rows; len(train.y) != n.Train || len(test.y) != n.Test {
		return features.WithHint(fmt.Errorf("%s: Spark read %d training and %d held-out rows, ctr %d and %d: want the same", s.data.name(), n.Train, n.Test, len(train.y), len(test.y)),
			"values with line breaks inside quotes are rows of their own to Spark")
	}
	if s.task.Threshold != nil {
		a.Threshold = *s.task.Threshold
	} else if a.Threshold, err = metrics.PickThreshold(train.y, train.p, train.w, metrics.Costs{FP: s.o.CostFP, FN: s.o.CostFN}); err != nil {
		return err
	}
	m, err := metrics.Evaluate(train.y, train.p, train.w, a.Threshold)
	if err != nil {
		return err
	}
	a.Train = &m
	if len(test.y) > 0 {
		held, err := metrics.Evaluate(test.y, test.p, test.w, a.Threshold)
		if err != nil {
			return err
		}
		a.Test = &held
	}
	return nil
}

// judgedRows are labels, probabilities and weights (nil where there are none)
// of a part.
type judgedRows struct {
	y    []uint8
	p, w []float64
}

func (r *judgedRows) add(out *jobOutput, i int) {
	r.y, r.p = append(r.y, uint8(out.y[i])), append(r.p, out.p[i])
	if len(out.w) > 0 {
		r.w = append(r.w, out.w[i])
	}
}

// read scores all rows with a and notes the files' fingerprints.
func (s *sparkTraining) read(ctx context.Context, a *models.Artifact, data *Data) (train, test judgedRows, err error) {
	sel, err := s.o.selection()
	if err != nil {
		return train, test, err
	}
	j := scoring{art: a, sel: sel, labels: true, format: formatCSV}
	if data.Holdout.Kind == "time" {
		j.holdout = &data.Holdout
	}
	if j.out, err = createOutput("", false, nil); err != nil {
		return train, test, err
	}
	err = j.run(ctx, &s.o.Input, s.data.files, s.obs, func(b *job) error {
		for i := range b.out.y {
			part := &train
			if len(b.out.held) > 0 && b.out.held[i] {
				part = &test
			}
			part.add(&b.out, i)
		}
		return nil
	})
	data.Marks = j.marks
	return train, test, err
}
