package monitor

import "math"

// Probabilities are counted twice over: in 50 bins of 0.02, for people, and,
// where rows have labels, in fine bins, from which ranking and calibration are
// read. Fine bins divide each factor of two of p (or of 1 - p above one half)
// into 32, which is what the first five bits of a float64's mantissa say: a
// shift in place of a logarithm. Below 2^-12 all is one bin.

const (
	scoreBins = 50

	fineOctaves = 12
	fineSteps   = 5 // bits of the mantissa
	fineShift   = 52 - fineSteps
	fineHalf    = fineOctaves<<fineSteps + 2 // bins of p <= 0.5: one below, one for 0.5 itself
	fineBins    = 2*fineHalf - 1
)

// fineBase is the number of the first bin but that below all.
var fineBase = int(math.Float64bits(math.Ldexp(1, -fineOctaves-1)) >> fineShift)

// scoreBin gives the bin of 0.02 of a probability, From < p <= To.
func scoreBin(p float64) int {
	x := p * scoreBins
	b := int(x)
	if float64(b) == x {
		b--
	}
	return min(max(b, 0), scoreBins-1)
}

// fineBin gives the fine bin of a probability. They rise with it.
func fineBin(p float64) int {
	if p <= 0.5 {
		return fineLow(p)
	}
	return fineBins - 1 - fineLow(1-p)
}

func fineLow(q float64) int {
	return min(max(int(math.Float64bits(q)>>fineShift)-fineBase+1, 0), fineHalf-1)
}

// fine is the labelled rows of a bin.
type fine struct {
	rows, clicks int64
	p            float64 // sum of their probabilities
}

// fineScores has the labelled rows by fine bin.
type fineScores [fineBins]fine

func (s *fineScores) add(y int8, p float64) {
	f := &s[fineBin(p)]
	f.rows++
	f.clicks += int64(y)
	f.p += p
}

func (s *fineScores) merge(o *fineScores) {
	for i := range o {
		if o[i].rows > 0 {
			s[i].rows += o[i].rows
			s[i].clicks += o[i].clicks
			s[i].p += o[i].p
		}
	}
}

// auc gives the area under the ROC curve, rows of one bin as ties: the chance
// that a click has a higher probability than a row without one (Hanley and
// McNeil 1982). It is NaN where all labels are the same.
func (s *fineScores) auc() float64 {
	var clicks, others, pairs float64
	for i := range s {
		c, n := float64(s[i].clicks), float64(s[i].rows-s[i].clicks)
		pairs += c * (others + n/2)
		clicks += c
		others += n
	}
	if clicks == 0 || others == 0 {
		return math.NaN()
	}
	return pairs / (clicks * others)
}

// groups cuts the labelled rows into at most n groups of about the same number,
// by rising probability.
func (s *fineScores) groups(n int) []Group {
	var total int64
	for i := range s {
		total += s[i].rows
	}
	out := []Group{}
	var g fine
	from, next, done := -1, int64(1), int64(0)
	for i := range s {
		if s[i].rows == 0 {
			continue
		}
		if from < 0 {
			from = i
		}
		g.rows += s[i].rows
		g.clicks += s[i].clicks
		g.p += s[i].p
		done += s[i].rows
		if done*int64(n) < total*next {
			continue
		}
		out = append(out, Group{
			From: fineEdge(from), To: fineEdge(i + 1), Rows: g.rows,
			Predicted: g.p / float64(g.rows), Observed: float64(g.clicks) / float64(g.rows),
		})
		g, from = fine{}, -1
		for done*int64(n) >= total*next { // one bin may be worth several groups
			next++
		}
		if done == total {
			break
		}
	}
	return out
}

// fineEdge gives the least probability of a bin, 1 for the one after the last.
func fineEdge(i int) float64 {
	low := func(i int) float64 { // of a bin of p <= 0.5
		if i == 0 {
			return 0
		}
		return math.Float64frombits(uint64(i-1+fineBase) << fineShift)
	}
	if i < fineHalf {
		return low(i)
	}
	return 1 - low(fineBins-i)
}
