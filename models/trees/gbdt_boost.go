package trees

import (
	"context"
	"fmt"
	"math"

	"ctr/features"
	"ctr/models"
)

// booster is a training run.
type booster struct {
	ctx   context.Context
	p     boostParams
	g     *grid
	y     []uint8
	w     []float64 // nil where all weigh 1
	score []float64 // log-odds of each row
	units units

	// Of the tree that is being grown:
	active []bool   // by field: may be split
	use    []uint16 // bundles with active fields
	es     []quant  // the rows that it is fitted to
	out    []quant  // the other rows, which get its values as well
	spare  []quant  // as long as es
	ospare []quant  // as long as out
	nodes  []grown
	leaves []gleaf

	seekers chan *seeker // one a thread
	pool    pool
}

func newBooster(ctx context.Context, t *features.Table, p boostParams) (*booster, error) {
	if err := check("gbdt", t); err != nil {
		return nil, err
	}
	if t.Rows > math.MaxInt32 {
		return nil, fmt.Errorf("gbdt: %d rows: want at most %d", t.Rows, math.MaxInt32)
	}
	g, err := newGrid(t, p.threads, p.scratch)
	if err != nil {
		return nil, fmt.Errorf("gbdt: %w", err)
	}
	b := &booster{
		ctx: ctx, p: p, g: g, y: t.Y, w: t.W, score: features.Alloc[float64](p.scratch, t.Rows),
		active: make([]bool, len(g.fields)), seekers: make(chan *seeker, p.threads),
	}
	for range p.threads {
		b.seekers <- newSeeker(b)
	}
	return b, nil
}

// run boosts on rows fit. Where there are rows held, it ends when these have
// not gained for earlyStop trees, and gives the model that was best for them.
func (b *booster) run(fit, held []int32, progress models.Progress) (*Boosted, error) {
	base, err := b.start(fit)
	if err != nil {
		return nil, err
	}
	var parts []*Model
	bestLoss, bestTrees := math.Inf(1), 0
	s := sampler{fit: fit, held: held}
	for k := range b.p.trees {
		seed := features.Mix64(features.Mix64(b.p.seed) + uint64(k))
		in, out := s.draw(b.p.rowShare, features.Mix64(seed^1))
		b.choose(features.Mix64(seed ^ 2))
		b.follow(out)
		b.tree(b.quantise(in, features.Mix64(seed^3)))
		if err := b.ctx.Err(); err != nil {
			return nil, err
		}
		b.finish()
		parts = append(parts, emit(&binned{fields: b.g.fields}, b.nodes, 0))
		note := fmt.Sprintf("tree %d: %d leaves", k+1, len(b.leaves))
		if len(held) > 0 {
			loss := b.loss(held)
			note += fmt.Sprintf(", log loss %.5f on the last rows", loss)
			if loss < bestLoss {
				bestLoss, bestTrees = loss, k+1
			}
		}
		if progress != nil {
			progress(k+1, b.p.trees, note)
		}
		switch done := len(b.leaves) == 1 && b.p.rowShare == 1 && b.p.colShare == 1; {
		case done, len(held) > 0 && k+1-bestTrees >= int(b.p.earlyStop):
			return b.model(base, parts, bestTrees), nil
		}
	}
	return b.model(base, parts, bestTrees), nil
}

// model joins the first n trees; 0 stands for all.
func (b *booster) model(base float64, parts []*Model, n int) *Boosted {
	if n > 0 {
		parts = parts[:n]
	}
	m := join("gbdt", params{}, parts)
	m.settings = settings{}
	return &Boosted{m: m, base: base, settings: b.p.settings(len(parts))}
}

// start gives all rows the log-odds of the click rate of rows fit, half a row
// added to either label so that it is finite where all labels are the same.
func (b *booster) start(fit []int32) (base float64, err error) {
	clicks, weight := 0., 0.
	for _, i := range fit {
		x := 1.
		if b.w != nil {
			x = b.w[i]
		}
		weight += x
		clicks += float64(x * float64(b.y[i]))
	}
	if !(weight > 0) || math.IsInf(weight, 1) {
		return 0, fmt.Errorf("gbdt: weights of the rows add up to %v: want a finite number above 0", weight)
	}
	half := 0.
	if clicks <= 0 || clicks >= weight {
		half = weight / float64(2*len(fit))
	}
	base = math.Log((clicks + half) / (weight - clicks + half))
	for i := range b.score {
		b.score[i] = base
	}
	b.units = firstUnits(b.y, b.w, sigmoid(base))
	b.es, b.spare = features.Alloc[quant](b.p.scratch, len(fit)), features.Alloc[quant](b.p.scratch, len(fit))
	return base, nil
}

// sampler draws the rows of trees.
type sampler struct {
	fit, held []int32
	in, out   []int32
}

// draw gives about a share of s.fit, each row by chance, and the rest with
// s.held. They are valid until the next draw.
func (s *sampler) draw(share float64, seed uint64) (in, out []int32) {
	if share == 1 {
		return s.fit, s.held
	}
	s.in, s.out = s.in[:0], s.out[:0]
	bound := uint64(share * (1 << 53))
	for _, i := range s.fit {
		if features.Mix64(seed^uint64(i))>>11 < bound {
			s.in = append(s.in, i)
		} else {
			s.out = append(s.out, i)
		}
	}
	s.out = append(s.out, s.held...)
	return s.in, s.out
}

// choose draws the columns of a tree (Knuth's algorithm 3.4.2 S).
func (b *booster) choose(seed uint64) {
	n := len(b.g.fields)
	left := min(max(int(b.p.colShare*float64(n)+.5), 1), n)
	r := rng(seed)
	for f := range b.active {
		b.active[f] = r.below(n-f) < left
		if b.active[f] {
			left--
		}
	}
	b.use = b.use[:0]
	for k := range b.g.bundles {
		for _, f := range b.g.bundles[k].fields {
			if b.active[f] {
				b.use = append(b.use, uint16(k))
				break
			}
		}
	}
}

// follow makes rows follow the tree without a say in it.
func (b *booster) follow(rows []int32) {
	b.out = b.out[:0]
	for _, i := range rows {
		b.out = append(b.out, makeQuant(int(i), 0, 0))
	}
	if len(b.ospare) < len(b.out) {
		b.ospare = make([]quant, len(b.out))
	}
}

// mostStep bounds what a leaf adds to the log-odds; e^-100 is no probability
// that anything could be measured against.
const mostStep = 100

// finish gives the leaves their values and adds them to the scores.
func (b *booster) finish() {
	each(b.p.threads, len(b.leaves), func(i int) {
		l := &b.leaves[i]
		v := 0.
		if d := l.sums.h + b.p.l2; d > 0 {
			v = min(max(-b.p.rate*l.sums.g/d, -mostStep), mostStep)
		}
		b.nodes[l.node].p = v
		for _, e := range b.es[l.lo:l.hi] {
			b.score[e.row()] += v
		}
		for _, e := range b.out[l.olo:l.ohi] {
			b.score[e.row()] += v
		}
	})
}

// loss gives the mean log loss of rows.
func (b *booster) loss(rows []int32) float64 {
	sum, weight := 0., 0.
	for _, i := range rows {
		x := b.score[i]
		if b.y[i] != 0 {
			x = -x
		}
		w := 1.
		if b.w != nil {
			w = b.w[i]
		}
		sum += float64(w * (math.Log1p(math.Exp(-math.Abs(x))) + max(x, 0)))
		weight += w
	}
	return sum / weight
}

func (p *boostParams) settings(trees int) boostSettings {
	return boostSettings{
		Trees: trees, Depth: p.depth, Leaves: p.leaves, MinLeaf: p.minLeaf, L2: p.l2, LearnRate: p.rate,
		CatSmooth: p.catSmooth, RowShare: p.rowShare, ColShare: p.colShare, EarlyStop: p.earlyStop,
		ValidShare: p.validShare, Seed: p.seed,
	}
}
