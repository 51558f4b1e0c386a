package metrics

import (
	"fmt"
	"math"
)

// Costs say what a wrong prediction costs, in any unit: FP a predicted click
// that did not come, FN a click that was not predicted. The zero value stands
// for no costs.
type Costs struct{ FP, FN float64 }

// Validate reports a cost that is negative or not finite.
func (c Costs) Validate() error {
	for _, v := range []struct {
		name string
		cost float64
	}{{"false positive", c.FP}, {"false negative", c.FN}} {
		if !(v.cost >= 0 && v.cost <= math.MaxFloat64) {
			return fmt.Errorf("cost of a %s %v: want 0 or more, finite", v.name, v.cost)
		}
	}
	return nil
}

// PickThreshold gives the threshold t for which the predictions p > t are
// best: of the greatest F1 or, where costs are not zero, of the least total
// cost. Weights count as in Evaluate. The search is exact: every distinct
// probability is tried.
//
// The threshold lies half way between the two neighbouring probabilities that
// it parts, so that a probability whose last digits change stays on its side;
// above the greatest probability it lies half way to 1, below the least half
// way to 0. It is in [0, 1]: a probability of 0 is never a click. Of equally
// good thresholds the greatest is taken, which predicts the fewest clicks.
func PickThreshold(y []uint8, p, w []float64, costs Costs) (float64, error) {
	if err := costs.Validate(); err != nil {
		return 0, err
	}
	if err := check(y, p, w); err != nil {
		return 0, err
	}
	r := rank(y, p, w)
	var pos, neg sum
	r.groups(rising, func(g group) { pos.add(g.pos); neg.add(g.neg) })
	if all := pos.value() + neg.value(); !(all > 0 && all <= math.MaxFloat64) {
		return 0, fmt.Errorf("weights sum to %v: want more than 0, finite", all)
	}
	score := f1Score(pos.value())
	if costs != (Costs{}) {
		score = costScore(costs, pos.value())
	}
	return r.best(score), nil
}

// f1Score gives F1 of tp predicted clicks that are right and fp that are not.
func f1Score(pos float64) func(tp, fp float64) float64 {
	return func(tp, fp float64) float64 { return ratio(2*tp, tp+fp+pos, 0) }
}

// costScore gives the cost saved, so that more is better.
func costScore(c Costs, pos float64) func(tp, fp float64) float64 {
	return func(tp, fp float64) float64 { return -(float64(c.FP*fp) + float64(c.FN*(pos-tp))) }
}

// best gives the greatest threshold of the greatest score. It lowers the
// threshold step by step from 1 to 0.
func (r *ranked) best(score func(tp, fp float64) float64) float64 {
	var tp, fp sum
	above := 1.0 // the probability of the group before, or 1
	threshold, top := math.NaN(), math.Inf(-1)
	try := func(below float64) {
		if s := score(tp.value(), fp.value()); s > top {
			threshold, top = between(below, above), s
		}
	}
	r.groups(falling, func(g group) {
		try(g.p)
		tp.add(g.pos)
		fp.add(g.neg)
		above = g.p
	})
	if above > 0 {
		try(0)
	}
	return threshold
}

// between gives a number t with a <= t < b, in the middle where there is one;
// 1 for a = b = 1.
func between(a, b float64) float64 {
	if t := a + (b-a)/2; t < b {
		return t
	}
	return a
}
