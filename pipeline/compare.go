package pipeline

import (
	"context"
	"fmt"
	"time"

	"ctr/models/metrics"
	"ctr/models/reference"
)

// BaselineGolearn is the one baseline that Compare knows.
const BaselineGolearn = "golearn"

// Compare trains several algorithms on one split of the same rows and gives
// the evaluation table in their order, with baseline, where not "", last.
// Seconds are those of fitting and judging; rows are read once for all.
func Compare(ctx context.Context, algos []string, baseline string, o TrainOptions, obs Observer) ([]CompareResult, error) {
	caps, err := o.applyPreset()
	if err != nil {
		return nil, err
	}
	list, err := o.check(algos...)
	if err != nil {
		return nil, err
	}
	faults := o.whileReading("want one algorithm, with ctr train")
	if o.WarmStart != "" {
		faults = append(faults, "warm-start: want one algorithm, with ctr train")
	}
	if len(faults) > 0 {
		return nil, &OptionError{Faults: faults}
	}
	if baseline != "" && baseline != BaselineGolearn {
		return nil, &OptionError{Faults: []string{fmt.Sprintf("baseline %q: want %s", baseline, BaselineGolearn)}}
	}
	defer o.openScratch(obs)()
	remove, err := o.autoCross(ctx, obs)
	defer remove()
	if err != nil {
		return nil, err
	}
	p, err := o.prepare(ctx, caps, obs)
	if err != nil {
		return nil, err
	}
	var out []CompareResult
	for _, a := range list {
		start := time.Now()
		art, err := o.fit(ctx, a, p, obs, map[Stage]time.Duration{})
		if err != nil {
			return nil, fmt.Errorf("%s: %w", a.Name, err)
		}
		out = append(out, CompareResult{Algo: a.Name, Seconds: time.Since(start).Seconds(), Train: *art.Train, Test: art.Test})
	}
	if baseline != "" {
		b, err := o.baseline(ctx, p)
		if err != nil {
			return nil, fmt.Errorf("baseline %s: %w", baseline, err)
		}
		out = append(out, *b)
	}
	return out, nil
}

// baseline judges golearn's tree on the same rows.
func (o *TrainOptions) baseline(ctx context.Context, p *prepared) (*CompareResult, error) {
	r, err := reference.Baseline(ctx, p.Train, p.Test, reference.Options{})
	if err != nil {
		return nil, err
	}
	out := &CompareResult{Algo: BaselineGolearn, Seconds: r.Seconds, Warning: r.Warning}
	if out.Train, err = metrics.Evaluate(r.TrainY, r.TrainP, nil, 0.5); err != nil {
		return nil, err
	}
	if len(r.TestP) > 0 {
		m, err := metrics.Evaluate(p.Test.Y, r.TestP, p.Test.W, 0.5)
		if err != nil {
			return nil, err
		}
		out.Test = &m
	}
	return out, nil
}
