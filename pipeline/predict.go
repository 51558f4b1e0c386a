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

// predictBlock is how many rows are scored together: their codes stay in a
// core's own cache while a forest's trees pass over them.
const predictBlock = 512

// Probabilities gives the probability of every row of t, by the same model
// that scores a live row.
func Probabilities(ctx context.Context, m models.Model, t *features.Table, threads int) ([]float64, error) {
	out := make([]float64, t.Rows)
	var next atomic.Int64
	var wg sync.WaitGroup
	for range max(threads, 1) {
		wg.Go(func() {
			b := newBlockScorer(m, t.Spec)
			for ctx.Err() == nil {
				lo := int(next.Add(predictBlock)) - predictBlock
				if lo >= t.Rows {
					return
				}
				hi := min(lo+predictBlock, t.Rows)
				for i := lo; i < hi; i++ {
					t.Example(i, b.ex[i-lo])
				}
				b.score(out[lo:hi])
			}
		})
	}
	wg.Wait()
	return out, ctx.Err()
}

// blockScorer is one goroutine's examples for a block of rows.
type blockScorer struct {
	model models.Model
	block models.BlockModel // nil where rows are scored one by one
	ex    []*features.Example
}

func newBlockScorer(m models.Model, spec *features.Spec) *blockScorer {
	b := &blockScorer{model: m, ex: make([]*features.Example, predictBlock)}
	b.block, _ = m.(models.BlockModel)
	for i := range b.ex {
		b.ex[i] = spec.NewExample()
	}
	return b
}

// score gives the probabilities of the first len(p) examples.
func (b *blockScorer) score(p []float64) {
	if b.block != nil {
		b.block.ProbabilityBlock(b.ex[:len(p)], p)
		return
	}
	for i := range p {
		p[i] = b.model.Probability(b.ex[i])
	}
}
