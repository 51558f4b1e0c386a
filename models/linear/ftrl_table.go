package linear

import (
	"context"
	"fmt"

	"ctr/features"
	"ctr/models"
	"ctr/models/metrics"
)

// tableBatch is how many rows of a table are learned from at a time.
const tableBatch = 1 << 12

// fitOnline learns from the rows of a table, in their order, by FTRL.
func fitOnline(ctx context.Context, t *features.Table, o models.Options, progress models.Progress) (*Model, error) {
	l, err := NewFTRL(t.Spec, o)
	if err != nil {
		return nil, err
	}
	passes := max(o.Passes, 1)
	var first metrics.Progressive
	for pass := range passes {
		judge := new(metrics.Progressive)
		if pass == 0 {
			judge = &first
		}
		b := newTableBatch(t)
		for lo := 0; lo < t.Rows; lo += tableBatch {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			b.fill(t, lo, min(lo+tableBatch, t.Rows))
			l.Learn(&b.Batch)
			judge.Add(b.Y, b.P, b.W)
			if progress != nil && lo/tableBatch%16 == 0 {
				loss, weight := judge.Loss()
				progress(pass*t.Rows+lo, passes*t.Rows, fmt.Sprintf("pass %d: log loss %.6f", pass+1, loss/weight))
			}
		}
	}
	loss, weight := first.Loss()
	return l.Model(1, Report{Iterations: passes, Passes: passes, Objective: loss, LogLoss: loss / weight})
}

// tableRows is a Batch of a table's rows.
type tableRows struct {
	Batch
	offsets []int
	codes   []uint32
	w       []float32
}

func newTableBatch(t *features.Table) *tableRows {
	offsets, _ := t.Spec.Offsets()
	return &tableRows{
		Batch: Batch{Fields: len(offsets), P: make([]float32, tableBatch)}, offsets: offsets,
		codes: make([]uint32, tableBatch*len(offsets)), w: make([]float32, tableBatch),
	}
}

// fill takes rows lo … hi-1.
func (b *tableRows) fill(t *features.Table, lo, hi int) {
	n, width := hi-lo, b.Fields
	for f, offset := range b.offsets {
		c := &t.Codes[f]
		for i := range n {
			b.codes[i*width+f] = uint32(offset) + c.At(lo+i)
		}
	}
	b.Codes, b.Y, b.P = b.codes[:n*width], t.Y[lo:hi], b.P[:n]
	if t.W != nil {
		b.W = b.w[:n]
		for i := range b.W {
			b.W[i] = float32(t.W[lo+i])
		}
	}
}
