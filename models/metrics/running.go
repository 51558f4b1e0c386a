package metrics

import "math"

// Running judges predictions as they come, in memory that does not grow. The
// zero value is ready once Threshold is set. It is not safe for concurrent
// use: give each goroutine its own and Merge them.
type Running struct {
	// Threshold is where a probability becomes a prediction.
	Threshold float64

	rows   int
	p      sum
	totals totals
}

// Summary is what a Running has seen.
type Summary struct {
	Rows     int // predictions
	Labelled int // those whose label is known
	Clicks   int // labels of 1
	// MeanPrediction is over all rows; NaN where there are none.
	MeanPrediction float64
	// ClickRate, Accuracy, Precision, Recall, F1 and LogLoss are over the labelled
	// rows, as Metrics defines them, and MeanLabelled is their mean prediction;
	// NaN where there are none.
	ClickRate, MeanLabelled, Accuracy, Precision, Recall, F1, LogLoss float64
}

// Add counts a prediction whose label is not known. A probability outside
// [0, 1] is the caller's mistake and spoils the mean.
func (r *Running) Add(p float64) {
	r.rows++
	r.p.add(p)
}

// AddLabelled counts a prediction and its label, 0 or 1.
func (r *Running) AddLabelled(y uint8, p float64) {
	r.Add(p)
	r.totals.add(y, p, 1, r.Threshold)
}

// Merge adds what o has seen. Counts are exact; sums may differ in the last
// digit from those of one Running that saw all rows.
func (r *Running) Merge(o *Running) {
	r.rows += o.rows
	r.p.merge(o.p)
	a, b := &r.totals, &o.totals
	a.rows += b.rows
	a.clicks += b.clicks
	a.tp.merge(b.tp)
	a.fp.merge(b.fp)
	a.tn.merge(b.tn)
	a.fn.merge(b.fn)
	a.loss.merge(b.loss)
	a.brier.merge(b.brier)
	a.p.merge(b.p)
}

// Summary gives the figures so far.
func (r *Running) Summary() Summary {
	nan := math.NaN()
	s := Summary{
		Rows: r.rows, Labelled: r.totals.rows, Clicks: r.totals.clicks,
		MeanPrediction: ratio(r.p.value(), float64(r.rows), nan),
		ClickRate:      nan, MeanLabelled: nan, Accuracy: nan, Precision: nan, Recall: nan, F1: nan, LogLoss: nan,
	}
	if s.Labelled > 0 {
		m := r.totals.metrics()
		s.ClickRate = float64(s.Clicks) / float64(s.Labelled)
		s.MeanLabelled = r.totals.p.value() / float64(s.Labelled)
		s.Accuracy, s.Precision, s.Recall, s.F1, s.LogLoss = m.Accuracy, m.Precision, m.Recall, m.F1, m.LogLoss
	}
	return s
}

func (a *sum) merge(b sum) {
	a.add(b.s)
	a.err += b.err
}
