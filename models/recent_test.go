package models

import (
	"slices"
	"testing"

	"ctr/features"
)

func TestRecent(t *testing.T) {
	f := func(hours []int32, rows int, share float64, held ...int32) {
		t.Helper()
		fit, got := Recent(&features.Table{Rows: rows, Hour: hours}, share)
		if !slices.Equal(got, held) {
			t.Errorf("hours %v share %v: held %v, want %v", hours, share, got, held)
		}
		if all := append(slices.Clone(fit), got...); len(all) != rows || !slices.IsSorted(fit) {
			t.Errorf("hours %v: fit %v and held %v: want each row once", hours, fit, got)
		}
	}
	f([]int32{1, 1, 2, 3}, 4, 0.25, 3)
	f([]int32{3, 1, 1, 2}, 4, 0.25, 0)       // not in order
	f([]int32{1, 1, 1, 2, 2}, 5, 0.25, 3, 4) // an hour is never cut
	f([]int32{7, 7, 7, 7}, 4, 0.25, 3)       // one hour
	f(nil, 10, 0.2, 8, 9)                    // no time
}
