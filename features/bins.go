package features

import (
	"math"
	"slices"
)

// fitNumber learns the cap, bins, mean and scale of a Num field from its
// training values; NaN is missing.
func (f *Field) fitNumber(values []float64, bins int, capped bool) {
	sorted := make([]float64, 0, len(values))
	for _, x := range values {
		if x == x {
			sorted = append(sorted, x)
		}
	}
	slices.Sort(sorted)
	if n := len(sorted); capped && n > 0 {
		if q := sorted[int(math.Ceil(0.98*float64(n)))-1]; q < 0.5*sorted[n-1] {
			f.Cap = &q
			for i := n - 1; i >= 0 && sorted[i] > q; i-- {
				sorted[i] = q
			}
		}
	}
	f.Bounds = binBounds(sorted, bins)
	f.Mean, f.Scale = meanScale(sorted)
}

// binBounds gives the bounds of at most bins bins that hold about as many of
// the sorted values each. A bound lies halfway between two neighbouring values.
func binBounds(sorted []float64, bins int) []float64 {
	var bounds []float64
	n := len(sorted)
	for b := 1; b < bins && n > 0; b++ {
		// The first value that differs from the one at the quantile.
		at := sorted[max(b*n/bins, 1)-1]
		i, _ := slices.BinarySearchFunc(sorted, at, func(x, t float64) int {
			if x <= t {
				return -1
			}
			return 1
		})
		if i == n {
			break
		}
		bound := at + (sorted[i]-at)/2
		if !(bound < sorted[i]) || math.IsInf(bound, 0) {
			bound = at
		}
		if len(bounds) == 0 || bound > bounds[len(bounds)-1] {
			bounds = append(bounds, bound)
		}
	}
	return bounds
}

// meanScale gives the mean and the population standard deviation (1 where it
// is 0 or not finite) in two passes.
func meanScale(values []float64) (mean, scale float64) {
	if len(values) == 0 {
		return 0, 1
	}
	n := float64(len(values))
	for _, x := range values {
		mean += x / n
	}
	variance := 0.0
	for _, x := range values {
		variance += (x - mean) * (x - mean) / n
	}
	scale = math.Sqrt(variance)
	if !(scale > 0) || math.IsInf(scale, 0) {
		scale = 1
	}
	if math.IsInf(mean, 0) || math.IsNaN(mean) {
		mean = 0
	}
	return mean, scale
}

// binOf gives the code of a number: 0 = missing, else 1 + the number of
// bounds below x.
func binOf(bounds []float64, x float64) uint32 {
	if x != x {
		return 0
	}
	lo, hi := 0, len(bounds)
	for lo < hi {
		mid := int(uint(lo+hi) >> 1)
		if bounds[mid] < x {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return uint32(1 + lo)
}
