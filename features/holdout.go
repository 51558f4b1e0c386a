package features

import (
	"fmt"
	"math"
	"slices"
)

// Holdout says which rows are held out for testing, in a way that can be
// applied again to the same data: by evaluation, after training.
type Holdout struct {
	// Kind is "time", "random" or "none".
	Kind string `json:"kind"`
	// Fraction is the share of rows that was wanted for the test.
	Fraction float64 `json:"fraction,omitempty"`
	// Boundary is the first hour of the test part (time).
	Boundary Hour `json:"boundary,omitempty"`
	// Seed drives the choice of rows (random).
	Seed uint64 `json:"seed,omitempty"`
}

// RowKey names a row of a set of files whatever the size of the blocks in
// which they are read.
type RowKey struct {
	File int   // index of the file
	Row  int64 // Block.First + its index in the block
}

// hash gives 64 random bits for a row: splitmix64 (Steele, Lea & Flood 2014)
// over seed, file and row.
func (k RowKey) hash(seed uint64) uint64 {
	return Mix64(Mix64(Mix64(seed+0x9E3779B97F4A7C15)+uint64(k.File)) + uint64(k.Row))
}

// Mix64 is the finaliser of splitmix64 (Steele, Lea & Flood 2014): 64 bits that
// look random, of any number. Seeds are made with it from the seed of a run and
// a place, never from a shared stream, so that the order of work does not matter.
func Mix64(z uint64) uint64 {
	z += 0x9E3779B97F4A7C15
	z = (z ^ z>>30) * 0xBF58476D1CE4E5B9
	z = (z ^ z>>27) * 0x94D049BB133111EB
	return z ^ z>>31
}

// Test reports whether a row is held out.
func (h *Holdout) Test(k RowKey, t Hour) bool {
	switch h.Kind {
	case "time":
		return t >= h.Boundary
	case "random":
		return float64(k.hash(h.Seed^0x7e57)>>11) < h.Fraction*(1<<53)
	default:
		return false
	}
}

// TimeBoundary gives the hour that splits rows so that the share of those at
// or after it comes nearest to fraction, with rows on both sides; of two as
// near, the earlier. An hour is never cut in two. counts has the rows of each
// hour; it must hold two hours or more.
func TimeBoundary(counts map[Hour]int, fraction float64) (Hour, error) {
	if len(counts) < 2 {
		return 0, WithHint(fmt.Errorf("split by time: %d hours in the rows: want 2 or more", len(counts)),
			"use --split random, or --split none to train on all rows")
	}
	hours := make([]Hour, 0, len(counts))
	total := 0
	for h, n := range counts {
		hours = append(hours, h)
		total += n
	}
	slices.Sort(hours)
	best, dist, before := hours[1], math.Inf(1), 0
	for i, h := range hours[1:] {
		before += counts[hours[i]]
		if d := math.Abs(float64(total-before)/float64(total) - fraction); d < dist {
			best, dist = h, d
		}
	}
	return best, nil
}

// Selection says which rows of a set of files belong to a part of the data:
// what Collector kept, or what it held out.
type Selection struct {
	// Since and Until, where not nil, keep Since <= time < Until.
	Since, Until *Hour
	// Sampled rows have a hash up to SampleLast under SampleSeed; all are
	// where SampleLast is 0.
	SampleSeed, SampleLast uint64
	// Holdout, where not nil, keeps only the rows it holds out.
	Holdout *Holdout
}

// Keep reports whether a row is selected. Rows without a time have hour 0.
func (s *Selection) Keep(k RowKey, h Hour) bool {
	if s.Since != nil && h < *s.Since || s.Until != nil && h >= *s.Until {
		return false
	}
	if s.SampleLast != 0 && k.sampleHash(s.SampleSeed) > s.SampleLast {
		return false
	}
	return s.Holdout == nil || s.Holdout.Test(k, h)
}

// sampleHash orders rows for sampling: those with the smallest are taken.
func (k RowKey) sampleHash(seed uint64) uint64 { return k.hash(seed ^ 0x5a3b1e) }

// Drawn reports whether a row is among the share of them that seed draws.
func (k RowKey) Drawn(seed uint64, share float64) bool {
	return float64(k.hash(seed^0xd0a17)>>11) < share*(1<<53)
}
