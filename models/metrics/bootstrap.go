package metrics

import (
	"fmt"
	"math"
	"math/bits"
	"math/rand/v2"
	"slices"
)

// Diff is how much the log loss of predictions A is above that of B on the
// same rows: below 0, A is better.
type Diff struct {
	Mean float64 `json:"mean"` // log loss of A less log loss of B
	// Low and High bound the middle 95 % of the resampled differences. A is
	// better beyond the luck of these rows where High < 0, worse where Low >
	// 0.
	Low  float64 `json:"low"`
	High float64 `json:"high"`
	Reps int     `json:"reps"`
}

// BootstrapDiff gives the paired percentile bootstrap interval (Efron and
// Tibshirani 1993, chapter 13) of the difference in log loss between
// probabilities pa and pb of labels y: reps times, as many rows as there are
// are drawn with replacement, the same for both, and their mean difference
// taken; the bounds are the 2.5 % and 97.5 % quantiles, interpolated
// linearly. Rows are taken as independent: where impressions come in bunches
// the true interval is wider. The same seed gives the same interval. It draws
// len(y)*reps numbers: some seconds for a million rows and a thousand reps.
func BootstrapDiff(y []uint8, pa, pb []float64, reps int, seed uint64) (Diff, error) {
	if err := check(y, pa, nil); err != nil {
		return Diff{}, fmt.Errorf("first model: %w", err)
	}
	if err := check(y, pb, nil); err != nil {
		return Diff{}, fmt.Errorf("second model: %w", err)
	}
	if reps < 1 {
		return Diff{}, fmt.Errorf("bootstrap repetitions %d: want 1 or more", reps)
	}
	d := make([]float64, len(y))
	var total sum
	for i := range y {
		d[i] = rowLoss(y[i], pa[i]) - rowLoss(y[i], pb[i])
		total.add(d[i])
	}
	means := resampledMeans(d, reps, seed)
	slices.Sort(means)
	return Diff{
		Mean: total.value() / float64(len(d)), Reps: reps,
		Low: quantile(means, 0.025), High: quantile(means, 0.975),
	}, nil
}

// resampledMeans gives the means of reps samples of d with replacement.
func resampledMeans(d []float64, reps int, seed uint64) []float64 {
	rng := rand.NewPCG(seed, 0)
	means := make([]float64, reps)
	for r := range means {
		var s sum
		for range d {
			// The high half of the product is uniform over 0 … len-1, but
			// for a bias of len/2^64.
			i, _ := bits.Mul64(rng.Uint64(), uint64(len(d)))
			s.add(d[i])
		}
		means[r] = s.value() / float64(len(d))
	}
	return means
}

// quantile gives the q-quantile of sorted values, interpolated linearly
// between the two nearest (type 7 of Hyndman and Fan 1996).
func quantile(sorted []float64, q float64) float64 {
	at := q * float64(len(sorted)-1)
	i := min(int(math.Floor(at)), len(sorted)-1)
	j := min(i+1, len(sorted)-1)
	return sorted[i] + float64((at-float64(i))*(sorted[j]-sorted[i]))
}
