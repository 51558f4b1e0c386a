package monitor

import (
	"math"
	"slices"
	"time"
)

// spanSteps are the ends of the bins of one factor of ten.
var spanSteps = [...]float64{1, 1.25, 1.5, 1.75, 2, 2.5, 3, 3.5, 4, 5, 6, 7, 8, 9}

const spanDecades = 9 // from 1 µs to 1000 s

const spanBins = len(spanSteps)*spanDecades + 2

// spanEnds are the upper ends of the bins but the last, in nanoseconds: a span
// is in the first bin whose end is not below it.
var spanEnds = func() (ends [spanBins - 1]int64) {
	unit, at := 1e3, 0
	for range spanDecades {
		for _, s := range spanSteps {
			ends[at] = int64(math.Round(s * unit))
			at++
		}
		unit *= 10
	}
	ends[at] = int64(unit)
	return ends
}()

// spans is a histogram of how long things took.
type spans struct {
	bins  [spanBins]uint32
	count int64
	sum   int64 // nanoseconds
	most  int64
}

func spanBin(ns int64) int {
	i, _ := slices.BinarySearch(spanEnds[:], ns)
	return i
}

// add counts n spans of one length; a negative one, of clocks that disagree,
// counts as none.
func (s *spans) add(took time.Duration, n int) {
	ns := max(int64(took), 0)
	s.bins[spanBin(ns)] += uint32(n)
	s.count += int64(n)
	s.sum += ns * int64(n)
	s.most = max(s.most, ns)
}

func (s *spans) merge(o *spans) {
	if o.count == 0 {
		return
	}
	for i, n := range o.bins {
		s.bins[i] += n
	}
	s.count += o.count
	s.sum += o.sum
	s.most = max(s.most, o.most)
}

// quantile gives the q-th quantile in seconds, in a straight line within its
// bin; NaN where there is nothing.
func (s *spans) quantile(q float64) float64 {
	if s.count == 0 {
		return math.NaN()
	}
	rank, below := q*float64(s.count), 0.0
	for i, n := range s.bins {
		if n == 0 {
			continue
		}
		if below+float64(n) >= rank {
			low, high := 0.0, float64(s.most)
			if i > 0 {
				low = float64(spanEnds[i-1])
			}
			if i < len(spanEnds) {
				high = min(high, float64(spanEnds[i]))
			}
			low = min(low, high)
			return (low + (high-low)*(rank-below)/float64(n)) / 1e9
		}
		below += float64(n)
	}
	return float64(s.most) / 1e9
}

// latency gives s as people read it.
func (s *spans) latency(name string) Latency {
	l := Latency{Name: name, Count: s.count}
	if s.count == 0 {
		return l
	}
	l.P50, l.P90, l.P99, l.P999 = known(s.quantile(.5)), known(s.quantile(.9)), known(s.quantile(.99)), known(s.quantile(.999))
	l.Max, l.Mean = known(float64(s.most)/1e9), known(float64(s.sum)/float64(s.count)/1e9)
	return l
}

// longSpans is spans since the start.
type longSpans struct {
	bins  [spanBins]uint64
	count uint64
	sum   float64 // seconds
}

func (s *longSpans) merge(o *spans) {
	for i, n := range o.bins {
		s.bins[i] += uint64(n)
	}
	s.count += uint64(o.count)
	s.sum += float64(o.sum) / 1e9
}

// known gives nil for what can't be said.
func known(x float64) *float64 {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return nil
	}
	return &x
}
