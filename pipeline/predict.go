package pipeline

import (
	"context"
	"sync"
	"sync/atomic"

	"ctr/features"
	"ctr/models"
)

// Version is ctr's own, as it is written into model files. The program sets
// it before anything else runs.
var Version = "devel"

// predictBlock is how many rows a thread takes at a time.
const predictBlock = 4096

// Probabilities gives the probability of every row of t, by the same model
// that scores a live row.
func Probabilities(ctx context.Context, m models.Model, t *features.Table, threads int) ([]float64, error) {
	return probabilities(ctx, m, t, threads, nil)
}

// probabilities is Probabilities in memory from scratch.
func probabilities(ctx context.Context, m models.Model, t *features.Table, threads int, scratch *features.Scratch) ([]float64, error) {
	out := features.Alloc[float64](scratch, t.Rows)
	if tm, ok := m.(models.TableModel); ok {
		return tm.Probabilities(t, out[:0], threads), ctx.Err()
	}
	var next atomic.Int64
	var wg sync.WaitGroup
	for range max(threads, 1) {
		wg.Go(func() {
			ex := t.Spec.NewExample()
			for ctx.Err() == nil {
				lo := int(next.Add(predictBlock)) - predictBlock
				if lo >= t.Rows {
					return
				}
				for i := lo; i < min(lo+predictBlock, t.Rows); i++ {
					t.Example(i, ex)
					out[i] = m.Probability(ex)
				}
			}
		})
	}
	wg.Wait()
	return out, ctx.Err()
}
