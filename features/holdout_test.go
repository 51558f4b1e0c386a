package features

import (
	"math"
	"testing"

	"pgregory.net/rapid"
)

// The boundary is the hour whose part from it on is nearest to the share, of
// two as near the earlier: checked against all hours in turn.
func TestTimeBoundary(t *testing.T) {
	f := func(fraction float64, want Hour, counts ...int) {
		t.Helper()
		m := map[Hour]int{}
		for i, n := range counts {
			m[Hour(i)] = n
		}
		if got, err := TimeBoundary(m, fraction); err != nil || got != want {
			t.Errorf("%v of %v: %v, %v, want %d", fraction, counts, int(got), err, want)
		}
	}
	f(0.3, 7, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1)
	f(0.3, 1, 1, 1)       // rows on both sides
	f(0.001, 2, 5, 5, 5)  // the last hour at least
	f(0.999, 1, 5, 5, 5)  // all but the first hour at most
	f(0.5, 1, 1, 2, 1)    // as near as 2: the earlier
	f(0.3, 1, 1, 100)     // an hour is never cut
	f(0.3, 2, 50, 20, 30) // the share exactly
	rapid.Check(t, func(rt *rapid.T) {
		counts := rapid.MapOfN(rapid.Custom(func(t *rapid.T) Hour { return Hour(rapid.IntRange(-50, 50).Draw(t, "hour")) }),
			rapid.IntRange(1, 9), 2, 12).Draw(rt, "counts")
		fraction := rapid.Float64Range(0.001, 0.999).Draw(rt, "fraction")
		got, err := TimeBoundary(counts, fraction)
		if err != nil {
			rt.Fatal(err)
		}
		distance := func(b Hour) float64 {
			before, after := 0, 0
			for h, n := range counts {
				if h < b {
					before += n
				} else {
					after += n
				}
			}
			if before == 0 || after == 0 {
				return math.Inf(1)
			}
			return math.Abs(float64(after)/float64(before+after) - fraction)
		}
		for h := range counts {
			if d := distance(h); d < distance(got) || d == distance(got) && h < got {
				rt.Fatalf("boundary %d at distance %v; %d is at %v", got, distance(got), h, d)
			}
		}
	})
	for _, counts := range []map[Hour]int{nil, {5: 7}} {
		if _, err := TimeBoundary(counts, 0.3); err == nil {
			t.Errorf("%v: no error, want that two hours are needed", counts)
		}
	}
}

// Random rows are held out in the share wanted, other ones for another seed,
// and independently of which were sampled.
func TestHoldoutAtRandom(t *testing.T) {
	const n = 100_000
	a, b := Holdout{Kind: "random", Fraction: 0.3, Seed: 1}, Holdout{Kind: "random", Fraction: 0.3, Seed: 2}
	sample := Selection{SampleSeed: 1, SampleLast: math.MaxUint64 / 4}
	var held, both, sampled, heldSample int
	for i := range n {
		k := RowKey{i % 3, int64(i)}
		x := a.Test(k, 0)
		if x {
			held++
			if b.Test(k, 0) {
				both++
			}
		}
		if sample.Keep(k, 0) {
			sampled++
			if x {
				heldSample++
			}
		}
	}
	near := func(what string, got, of int, want float64) {
		t.Helper()
		if sd := math.Sqrt(want * (1 - want) / float64(of)); math.Abs(float64(got)/float64(of)-want) > 5*sd {
			t.Errorf("%s: %d of %d, want a share of %v", what, got, of, want)
		}
	}
	near("held out", held, n, 0.3)
	near("under both seeds", both, n, 0.09)
	near("sampled", sampled, n, 0.25)
	near("held out of the sample", heldSample, sampled, 0.3)
}
