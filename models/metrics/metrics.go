// Package metrics judges click probabilities: accuracy, precision, recall and
// F1 at a threshold, ranking (AUC, average precision), and the probabilities
// themselves (log loss, normalised entropy, Brier score, calibration). Each
// figure cites its definition, and those that scikit-learn has agree with its
// version 1.7 to 1e-9 on the same predictions.
package metrics

import (
	"fmt"
	"math"
)

// clip is what a probability is kept away from 0 and 1 by in the log loss:
// the distance from 1 to the next float64, 2^-52, as scikit-learn's log_loss
// takes it for float64 predictions since version 1.3.
const clip = 0x1p-52

// Metrics are the figures of one set of predictions. A figure that the data
// leaves undefined (AUC where all labels are the same) is NaN here, null in
// JSON, and "n/a" from Text. Rates and losses are weighted where rows have
// weights.
//
// Metrics has its own JSON methods: a struct that embeds it would inherit
// them, so name the field.
type Metrics struct {
	// Rows and Clicks count rows and labels of 1, whatever they weigh.
	Rows, Clicks int
	// Threshold is where a probability becomes a prediction: 1 where p >
	// Threshold.
	Threshold float64

	// Accuracy is the share of rows predicted right.
	Accuracy float64
	// Precision is TP/(TP+FP), Recall TP/(TP+FN), F1 2TP/(2TP+FP+FN); each is
	// 0 where its denominator is, as in scikit-learn.
	Precision, Recall, F1 float64

	// AUC is the area under the ROC curve: the chance that a random click has
	// a higher probability than a random non-click, ties counting half
	// (Mann and Whitney 1947, Hanley and McNeil 1982). NaN where all labels
	// are the same.
	AUC float64
	// PRAUC is the average precision: the sum over distinct probabilities,
	// falling, of the precision there times the gain in recall, without
	// interpolation (scikit-learn's average_precision_score). NaN without
	// clicks.
	PRAUC float64

	// LogLoss is the mean of -ln of the probability given to what happened,
	// p kept within [2^-52, 1-2^-52].
	LogLoss float64
	// NormalizedEntropy is LogLoss over the entropy of the data's own click
	// rate (He et al. 2014, "Practical Lessons from Predicting Clicks on Ads
	// at Facebook", eq. 1): below 1 is better than that constant. NaN where
	// all labels are the same.
	NormalizedEntropy float64
	// Brier is the mean of (p - y)^2 (Brier 1950, as halved for two classes).
	Brier float64
	// CalibrationRatio is the sum of p over the sum of y (He et al. 2014,
	// section 2): 1 is right, above 1 promises too many clicks. NaN without
	// clicks.
	CalibrationRatio float64
	// ECE is the expected calibration error: the mean over ten bins, by their
	// weight, of |mean p - mean y| (Guo et al. 2017, eq. 3). The bins hold
	// equal shares of the rows (Nixon et al. 2019), because click
	// probabilities crowd near 0 and bins of equal width would put almost all
	// of them into two. Rows of equal p share a bin: the one that holds the
	// middle of their ranks.
	ECE float64

	Confusion Confusion
	Majority  Majority
}

// Confusion is the sums of the rows' weights (counts where rows have none) by
// prediction and label.
type Confusion struct {
	TP float64 `json:"tp"`
	FP float64 `json:"fp"`
	TN float64 `json:"tn"`
	FN float64 `json:"fn"`
}

// Majority is what is reached without looking at a row: accuracy by always
// predicting the more frequent label, log loss by always giving the data's own
// click rate (its entropy).
type Majority struct {
	Accuracy float64 `json:"accuracy"`
	LogLoss  float64 `json:"log_loss"`
}

// Evaluate compares probabilities p with labels y (0 or 1), each row weighing
// w, or 1 where w is nil. A prediction is 1 where p > threshold. It does not
// keep or change its arguments and takes 16 bytes a row (32 with weights) of
// memory while it works. The result does not depend on the order of the rows
// but for the last digits of sums.
//
// Errors: lengths that differ, no rows, a label, probability or weight out of
// range, weights that sum to 0, a threshold that is NaN.
func Evaluate(y []uint8, p, w []float64, threshold float64) (Metrics, error) {
	if err := check(y, p, w); err != nil {
		return Metrics{}, err
	}
	if math.IsNaN(threshold) {
		return Metrics{}, fmt.Errorf("threshold NaN: want a number")
	}
	var t totals
	t.addAll(y, p, w, threshold)
	if all := t.all(); !(all > 0 && all <= math.MaxFloat64) {
		return Metrics{}, fmt.Errorf("weights sum to %v: want more than 0, finite", all)
	}
	m := t.metrics()
	m.Threshold = threshold
	r := rank(y, p, w)
	m.AUC, m.PRAUC = r.areas()
	m.ECE = r.calibrationError(t.all())
	return m, nil
}

// check reports the first fault of the arguments.
func check(y []uint8, p, w []float64) error {
	switch {
	case len(y) == 0:
		return fmt.Errorf("no rows: want at least 1")
	case len(p) != len(y):
		return fmt.Errorf("%d probabilities: want %d, one a label", len(p), len(y))
	case w != nil && len(w) != len(y):
		return fmt.Errorf("%d weights: want %d, one a label", len(w), len(y))
	}
	for i, v := range p {
		if !(v >= 0 && v <= 1) {
			return fmt.Errorf("row %d: probability %v: want 0..1", i, v)
		}
		if y[i] > 1 {
			return fmt.Errorf("row %d: label %d: want 0 or 1", i, y[i])
		}
	}
	for i, v := range w {
		if !(v >= 0 && v <= math.MaxFloat64) {
			return fmt.Errorf("row %d: weight %v: want 0 or more, finite", i, v)
		}
	}
	return nil
}

// totals are the sums that do not need the rows in order.
type totals struct {
	rows, clicks   int
	tp, fp, tn, fn sum // weights
	loss           sum // weighted -ln of the probability of what happened
	brier          sum // weighted (p-y)^2
	p              sum // weighted p
}

func (t *totals) addAll(y []uint8, p, w []float64, threshold float64) {
	weight := 1.0
	for i, pi := range p {
		if w != nil {
			weight = w[i]
		}
		t.add(y[i], pi, weight, threshold)
	}
}

// add counts one row. Products are converted so that no platform fuses them
// with the addition that follows: the sums are then the same on all.
func (t *totals) add(y uint8, p, w, threshold float64) {
	t.rows++
	t.clicks += int(y)
	t.p.add(float64(w * p))
	t.loss.add(float64(w * rowLoss(y, p)))
	d := p - float64(y)
	t.brier.add(float64(w * float64(d*d)))
	switch {
	case p > threshold && y == 1:
		t.tp.add(w)
	case p > threshold:
		t.fp.add(w)
	case y == 1:
		t.fn.add(w)
	default:
		t.tn.add(w)
	}
}

// rowLoss is the log loss of one row, in nats.
func rowLoss(y uint8, p float64) float64 {
	if y == 0 {
		p = 1 - p
	}
	return -math.Log(min(max(p, clip), 1-clip))
}

func (t *totals) clicked() float64 { return t.tp.value() + t.fn.value() }
func (t *totals) all() float64 {
	return t.tp.value() + t.fp.value() + t.tn.value() + t.fn.value()
}

// metrics gives all figures but those that need the rows in order.
func (t *totals) metrics() Metrics {
	tp, fp, tn, fn := t.tp.value(), t.fp.value(), t.tn.value(), t.fn.value()
	all, clicked := t.all(), t.clicked()
	rate := clicked / all
	m := Metrics{
		Rows: t.rows, Clicks: t.clicks,
		Accuracy:  (tp + tn) / all,
		Precision: ratio(tp, tp+fp, 0),
		Recall:    ratio(tp, tp+fn, 0),
		F1:        ratio(2*tp, 2*tp+fp+fn, 0),
		AUC:       math.NaN(), PRAUC: math.NaN(), ECE: math.NaN(),
		LogLoss:          t.loss.value() / all,
		Brier:            t.brier.value() / all,
		CalibrationRatio: ratio(t.p.value(), clicked, math.NaN()),
		Confusion:        Confusion{TP: tp, FP: fp, TN: tn, FN: fn},
		Majority:         Majority{Accuracy: max(rate, (fp+tn)/all), LogLoss: entropy(rate)},
	}
	m.NormalizedEntropy = ratio(m.LogLoss, m.Majority.LogLoss, math.NaN())
	return m
}

// ratio gives a/b, or otherwise where b is 0.
func ratio(a, b, otherwise float64) float64 {
	if b == 0 {
		return otherwise
	}
	return a / b
}

// entropy of a click rate, in nats.
func entropy(q float64) float64 {
	if q <= 0 || q >= 1 {
		return 0
	}
	return -float64(q*math.Log(q)) - float64((1-q)*math.Log1p(-q))
}

// sum adds numbers and carries the rounding error of each addition along
// (Knuth's TwoSum in the manner of Kahan and Babuška; Neumaier 1974): the
// result is as exact as if it had twice the digits.
type sum struct{ s, err float64 }

func (a *sum) add(x float64) {
	s := a.s + x
	b := s - a.s
	a.err += (a.s - (s - b)) + (x - b)
	a.s = s
}

func (a *sum) value() float64 { return a.s + a.err }
