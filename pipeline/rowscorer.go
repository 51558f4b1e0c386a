package pipeline

import (
	"ctr/features"
	"ctr/models"
)

// scoredTogether is how many rows are encoded and scored together: enough for
// their look-ups to overlap, few enough to stay in the first-level cache.
const scoredTogether = 64

// rowScorer encodes and scores rows of a block, some of them together. It
// belongs to one goroutine. Rows are added in order, and done or fail is
// called for each, in order, by the time Flush returns.
type rowScorer struct {
	enc   *features.Encoder // of the layout of the block; the caller sets it
	model models.Model
	block models.BlockModel // the model, if it is one
	done  func(row *features.Row, i int, p float64)
	fail  func(i int, err error)

	rows []int32
	ex   []*features.Example
	p    []float64
	row  features.Row
}

func newRowScorer(m models.Model, spec *features.Spec) *rowScorer {
	s := &rowScorer{
		model: m, rows: make([]int32, 0, scoredTogether),
		ex: make([]*features.Example, scoredTogether), p: make([]float64, scoredTogether),
	}
	s.block, _ = m.(models.BlockModel)
	for i := range s.ex {
		s.ex[i] = spec.NewExample()
	}
	return s
}

// add takes row i of b, which has no Err.
func (s *rowScorer) add(b *features.Block, i int) {
	s.rows = append(s.rows, int32(i))
	if len(s.rows) == scoredTogether {
		s.flush(b)
	}
}

// flush scores what was added and not yet scored.
func (s *rowScorer) flush(b *features.Block) {
	for rows := s.rows; len(rows) > 0; {
		n, err := s.enc.EncodeRows(b, rows, s.ex[:len(rows)])
		s.score(n)
		for k, i := range rows[:n] {
			s.row = b.Row(int(i)) // not a variable of its own, which would be allocated
			s.done(&s.row, int(i), s.p[k])
		}
		if err != nil {
			s.fail(int(rows[n]), err)
			n++
		}
		rows = rows[n:]
	}
	s.rows = s.rows[:0]
}

func (s *rowScorer) score(n int) {
	if s.block != nil {
		s.block.ProbabilityBlock(s.ex[:n], s.p[:n])
		return
	}
	for k := range n {
		s.p[k] = s.model.Probability(s.ex[k])
	}
}
