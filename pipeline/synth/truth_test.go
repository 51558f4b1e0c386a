package synth

import (
	"math"
	"os"
	"strconv"
	"testing"

	"ctr/features/race"
)

// TestBestPossible checks how far the truth is better than a constant guess,
// for several seeds and numbers of rows, and that clicks follow it.
func TestBestPossible(t *testing.T) {
	if race.Enabled {
		t.Skip("statistics of one goroutine")
	}
	f := func(rows int64, seed uint64) {
		t.Helper()
		s := takeSample(rows, seed)
		constant, best := s.constantAndBest()
		within(t, "best over constant log loss", best/constant, .79, .83)
		var ofClicks float64
		for i, p := range s.p {
			if s.click[i] {
				ofClicks -= math.Log(p)
			} else {
				ofClicks -= math.Log(1 - p)
			}
		}
		within(t, "log loss of the clicks over the expected", ofClicks/float64(rows)/best, .98, 1.02)
	}
	f(50_000, 1)
	f(50_000, 77)
	f(100_000, 5)
}

// TestPartsOfTheTruth checks what the best model of single columns misses:
// the pairs, each of them, and the drift.
func TestPartsOfTheTruth(t *testing.T) {
	if race.Enabled {
		t.Skip("statistics of one goroutine")
	}
	rows := int64(50_000)
	if v, err := strconv.ParseInt(os.Getenv("SYNTH_ROWS"), 10, 64); err == nil {
		rows = v // for the table in testdata/README.md
	}
	s := takeSample(rows, 1)
	constant, best := s.constantAndBest()
	share := func(loss float64) float64 { return (loss - best) / (constant - best) }
	withDrift, without := s.additiveLoss(sum(s.main, s.drift), 4), s.additiveLoss(s.main, 4)
	t.Logf("%d rows: constant %.5f, best %.5f, ratio %.4f; share of the gain: pairs %.4f, drift %.4f",
		rows, constant, best, best/constant, share(withDrift), share(without)-share(withDrift))
	within(t, "share of the pairs in the gain", share(withDrift), .2, .35)
	within(t, "share of drift in the gain", share(without)-share(withDrift), .002, .05)
	for k := range pairs {
		parts := [][]float64{s.main, s.drift}
		for j := range pairs {
			if j != k {
				parts = append(parts, s.pair[j])
			}
		}
		got := share(s.additiveLoss(sum(parts...), 2))
		t.Logf("%v: %.4f", pairs[k].columns, got)
		within(t, "share of one pair in the gain", got, .025, .08)
	}
}

func TestPairs(t *testing.T) {
	got := Pairs()
	if len(got) != 6 {
		t.Fatalf("%d pairs, want 6", len(got))
	}
	seen := map[[2]string]bool{}
	for _, p := range got {
		if seen[p] || seen[[2]string{p[1], p[0]}] || p[0] == p[1] {
			t.Errorf("%v: repeated, or one column twice", p)
		}
		seen[p] = true
	}
	got[0][0] = "changed"
	if Pairs()[0][0] == "changed" {
		t.Error("Pairs gives the same array twice")
	}
}
