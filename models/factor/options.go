package factor

import (
	"fmt"
	"math"
	"runtime"

	"ctr/features"
	"ctr/models"
)

// Defaults of models.Options as this package reads them.
const (
	DefaultFactors    = 4
	DefaultSlotBits   = 18
	DefaultEarlyStop  = 2   // passes without a gain
	DefaultMaxPasses  = 20  // with early stopping
	DefaultPasses     = 5   // without
	DefaultValidShare = 0.2 // of the training rows
)

// tuning is what was chosen for an algorithm by log loss on the last quarter of
// the training rows of Avazu and of synthetic rows.
type tuning struct {
	rate, lambda float64 // the defaults of LearnRate and L2
	// initial is what the initial weights are multiplied by: they are drawn
	// from 0 to initial/√factors. libffm has 1.
	initial float64
}

// tuned gives the tuning of an algorithm. A vector of fm meets all fields at
// once, and is moved by all of them.
func tuned(algo string) tuning {
	if algo == Plain {
		return tuning{rate: .2, lambda: 2e-4, initial: .3}
	}
	return tuning{rate: .3, lambda: 5e-5, initial: .5}
}

// Limits of the options. Within them no sum of float32 can overflow: see
// maxWeight.
const (
	MaxFactors   = 256
	MaxLearnRate = 1000
	MaxL2        = 1000
)

// maxWeight is the greatest absolute value of a weight; those of a sensible fit
// are below 10. With it a derivative is at most 1e13 for 2^31 rows and the
// greatest L2, so that 2^40 of its squares add up to a finite float32, and so
// do the products of thousands of fields.
const maxWeight = 100

// minSeen is how many training rows a value needs to have a slot of its own.
// Values seen once are half of all and of little use: they share slot 0.
const minSeen = 2

// settings are the options with the defaults filled in.
type settings struct {
	tuning
	factors   int
	passes    int // at most
	earlyStop int // passes without a gain; 0 = never
	share     float64
	slotBits  int
	free      bool
	seed      uint64
	threads   int

	// The rest is fixed but for tests.
	minSeen, batch int
}

// settingsOf fills in defaults and reports every option that makes no sense.
func settingsOf(algo string, o models.Options) (settings, error) {
	s := settings{
		tuning: tuned(algo), factors: o.Factors, passes: o.Passes, share: DefaultValidShare,
		slotBits: o.SlotBits, free: o.LockFree, seed: o.Seed, threads: o.Threads,
		minSeen: minSeen, batch: batchRows,
	}
	var faults []string
	fault := func(bad bool, format string, args ...any) {
		if bad {
			faults = append(faults, fmt.Sprintf(format, args...))
		}
	}
	if s.factors == 0 {
		s.factors = DefaultFactors
	}
	fault(s.factors < 1 || s.factors > MaxFactors, "factors %d: want 1..%d", s.factors, MaxFactors)
	if o.LearnRate != nil {
		s.rate = *o.LearnRate
	}
	fault(!(s.rate > 0 && s.rate <= MaxLearnRate), "learning-rate %v: want above 0, at most %d", s.rate, MaxLearnRate)
	if o.L2 != nil {
		s.lambda = *o.L2
	}
	fault(!(s.lambda >= 0 && s.lambda <= MaxL2), "l2 %v: want 0..%d", s.lambda, MaxL2)
	if s.slotBits == 0 {
		s.slotBits = DefaultSlotBits
	}
	fault(s.slotBits < 1 || s.slotBits > features.MaxBits, "slot-bits %d: want 1..%d", s.slotBits, features.MaxBits)
	if o.ValidShare != nil {
		s.share = *o.ValidShare
	}
	fault(!(s.share > 0 && s.share < 1), "valid-share %v: want above 0, below 1", s.share)
	fault(s.passes < 0, "passes %d: want 1 or more", s.passes)
	switch {
	case o.EarlyStop != nil:
		s.earlyStop = int(min(*o.EarlyStop, math.MaxInt32))
	case s.passes == 0:
		s.earlyStop = DefaultEarlyStop
	}
	fault(s.earlyStop < 0, "early-stop %d: want 0 or more", s.earlyStop)
	if s.threads <= 0 {
		s.threads = runtime.GOMAXPROCS(0)
	}
	if faults != nil {
		return s, &models.SettingError{Algo: algo, Faults: faults}
	}
	return s, nil
}

// limit gives the greatest number of passes.
func (s *settings) limit() int {
	switch {
	case s.passes > 0:
		return s.passes
	case s.earlyStop > 0:
		return DefaultMaxPasses
	default:
		return DefaultPasses
	}
}
