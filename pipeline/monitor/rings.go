package monitor

import (
	"time"

	"ctr/models/metrics"
)

const (
	secondsKept  = 120
	minutesKept  = 180
	rateSeconds  = 10 // that a rate is taken over
	spanSeconds  = 60 // that latencies are told of
	recentKept   = 15 // minutes that "recent" means
	mostColumns  = 500
	sampleTarget = 2000 // rows a second that columns are counted of
)

// ring is something for each of the last seconds or minutes. A place that has
// not been used for a whole round holds what is long past: at tells.
type ring[T any] struct {
	step  int64 // seconds
	spots []spot[T]
}

type spot[T any] struct {
	at int64 // in steps since 1970; 0 = never used
	v  *T
}

// newRing keeps so many whole steps and the one under way.
func newRing[T any](step int64, keep int) ring[T] {
	return ring[T]{step: step, spots: make([]spot[T], keep+1)}
}

// of gives what the step of a time has, to be added to.
func (r *ring[T]) of(second int64) *T {
	at := second / r.step
	s := &r.spots[at%int64(len(r.spots))]
	if s.at != at || s.v == nil {
		if s.v == nil {
			s.v = new(T)
		} else {
			var zero T
			*s.v = zero
		}
		s.at = at
	}
	return s.v
}

// see gives what a step had, nil where there was nothing.
func (r *ring[T]) see(at int64) *T {
	if s := &r.spots[at%int64(len(r.spots))]; s.at == at {
		return s.v
	}
	return nil
}

// each calls f for the last n steps, the one under way last, that have anything.
func (r *ring[T]) each(second int64, n int, f func(*T)) {
	now := second / r.step
	for at := now - int64(n) + 1; at <= now; at++ {
		if v := r.see(at); v != nil {
			f(v)
		}
	}
}

// traffic is what came in a second or a minute.
type traffic struct{ rows, bad, requests, errors int64 }

// judged is what a model did in a second or a minute.
type judged struct{ running metrics.Running }

// recent is what a model did in one of the last minutes.
type recent struct {
	running metrics.Running
	fine    fineScores
	counts  []int64 // of columns
	sampled int64
}

// points gives whole steps, the oldest first, from when the process or the
// model began.
func points(models *ring[judged], all *ring[traffic], second int64, began time.Time) []Point {
	out := []Point{}
	now := second / models.step
	first := max(now-int64(len(models.spots))+1, began.Unix()/models.step)
	for at := first; at < now; at++ {
		p := Point{Time: time.Unix(at*models.step, 0).UTC()}
		if v := models.see(at); v != nil {
			s := v.running.Summary()
			p.Predictions, p.Labelled = int64(s.Rows), int64(s.Labelled)
			p.Predicted, p.PredictedLabelled, p.Observed = known(s.MeanPrediction), known(s.MeanLabelled), known(s.ClickRate)
		}
		if v := all.see(at); v != nil {
			p.Bad = v.bad
		}
		out = append(out, p)
	}
	return out
}
