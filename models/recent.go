package models

import (
	"ctr/features"
)

// Recent divides the rows of t for early stopping: held are the last share of
// them by time, whole hours as in features.TimeBoundary, and fit the others,
// both ascending. Without hours, or where all rows are of one hour, held is
// the end of the table.
func Recent(t *features.Table, share float64) (fit, held []int32) {
	boundary, ok := recentBoundary(t, share)
	cut := t.Rows - int(float64(t.Rows)*share)
	for i := range t.Rows {
		late := i >= cut
		if ok {
			late = features.Hour(t.Hour[i]) >= boundary
		}
		if late {
			held = append(held, int32(i))
		} else {
			fit = append(fit, int32(i))
		}
	}
	return fit, held
}

func recentBoundary(t *features.Table, share float64) (features.Hour, bool) {
	counts := map[features.Hour]int{}
	for _, h := range t.Hour {
		counts[features.Hour(h)]++
	}
	b, err := features.TimeBoundary(counts, share)
	return b, err == nil
}
