package pipeline

import (
	"fmt"

	"ctr/features"
)

// scratchShare is the part of TrainOptions.Memory that arrays of rows may take
// from the heap. The rest is for what else is needed: blocks being read,
// dictionaries, the model, and what the garbage collector has not found yet.
const scratchShare = 0.25

// scratchFaults reports limits of memory that can't be.
func (o *TrainOptions) scratchFaults() []string {
	if o.Memory < 0 {
		return []string{fmt.Sprintf("memory %d: want 1 or more bytes, or 0 for no limit", o.Memory)}
	}
	return nil
}

// openScratch makes room for arrays of rows, as o says. What it gives closes
// it, and tells where files could not be had.
func (o *TrainOptions) openScratch(obs Observer) (done func()) {
	if o.Memory == 0 {
		return func() {}
	}
	if !features.ScratchFiles {
		note(obs, "memory: this system has no files mapped into memory: all rows are kept in memory")
		return func() {}
	}
	o.scratch = features.NewScratch(int64(scratchShare*float64(o.Memory)), o.ScratchDir)
	return func() {
		if err := o.scratch.Err(); err != nil {
			note(obs, fmt.Sprintf("memory: more than was allowed has been used: %v", err))
		}
		o.scratch.Close()
		o.scratch = nil
	}
}
