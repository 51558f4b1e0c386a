package metrics

import (
	"math"
)

// Progressive judges probabilities each of which was given before its row was
// learned from (Blum, Kalai & Langford 1999, "Beating the hold-out"), in memory
// that does not grow with the rows. It keeps the log loss exactly, and for
// everything else how many rows fell into each of 6,144 narrow ranges of
// probability, 128 to a doubling of the odds at either end. The zero value is
// ready. It is not safe for concurrent use.
type Progressive struct {
	rows, clicks int
	loss, weight float64
	// product, where not 0, is of probabilities whose logarithm is not in loss
	// yet: the sum does not depend on how rows come together.
	product float64
	buckets []bucket // by bucketOf; nil until the first row
}

// bucket is the rows of one range of probability: their weight by label, and
// the weighted sum of their probabilities.
type bucket struct{ neg, pos, p float64 }

const (
	bucketBits = 7  // 2^7 buckets an octave
	octaves    = 24 // 2^-24 … 1/2
	side       = octaves << bucketBits
)

// bucketOf gives the range of a probability: by the leading bits of p where it
// is at most a half, of 1-p elsewhere.
func bucketOf(p float32) int {
	q := min(p, 1-p)
	at := int(math.Float32bits(q)>>(23-bucketBits)) - (127-octaves-1)<<bucketBits
	at = min(max(at, 0), side-1)
	if p > 0.5 {
		at = 2*side - 1 - at
	}
	return at
}

// Add judges rows of labels y, 0 or 1, that got probabilities p, and weigh w,
// or 1 where w is empty. Probabilities must be in [0, 1].
func (g *Progressive) Add(y []uint8, p, w []float32) {
	if g.buckets == nil {
		g.buckets = make([]bucket, 2*side)
	}
	g.rows += len(y)
	if len(w) > 0 {
		g.addWeighted(y, p, w)
		return
	}
	// One logarithm serves many rows: Σ log p = log Π p.
	product := g.product
	if product == 0 {
		product = 1
	}
	for i, label := range y {
		b := &g.buckets[bucketOf(p[i])]
		v := float64(p[i])
		b.p += v
		if label == 0 {
			b.neg++
			v = 1 - v
		} else {
			b.pos++
			g.clicks++
		}
		if product *= max(v, clip); product < 1e-200 {
			g.loss -= math.Log(product)
			product = 1
		}
	}
	g.product = product
	g.weight += float64(len(y))
}

func (g *Progressive) addWeighted(y []uint8, p, w []float32) {
	for i, label := range y {
		b, v, weight := &g.buckets[bucketOf(p[i])], float64(p[i]), float64(w[i])
		b.p += float64(weight * v)
		if label == 0 {
			b.neg += weight
			v = 1 - v
		} else {
			b.pos += weight
			g.clicks++
		}
		g.loss -= float64(weight * math.Log(max(v, clip)))
		g.weight += weight
	}
}

// Merge adds what o has seen.
func (g *Progressive) Merge(o *Progressive) {
	if o.buckets == nil {
		return
	}
	if g.buckets == nil {
		g.buckets = make([]bucket, 2*side)
	}
	g.rows, g.clicks = g.rows+o.rows, g.clicks+o.clicks
	loss, weight := o.Loss()
	g.loss, g.weight = g.loss+loss, g.weight+weight
	for i := range o.buckets {
		b, c := &g.buckets[i], &o.buckets[i]
		b.neg, b.pos, b.p = b.neg+c.neg, b.pos+c.pos, b.p+c.p
	}
}

// AddLoss counts rows of which only the sums of losses and weights are known.
func (g *Progressive) AddLoss(rows int, loss, weight float64) {
	g.rows, g.loss, g.weight = g.rows+rows, g.loss+loss, g.weight+weight
}

// Clicks gives the number of labels of 1 so far.
func (g *Progressive) Clicks() int { return g.clicks }

// Rows gives the number of rows so far.
func (g *Progressive) Rows() int { return g.rows }

// Loss gives the sum of the rows' log losses, each times its weight, and the
// sum of their weights.
func (g *Progressive) Loss() (loss, weight float64) {
	if g.product == 0 {
		return g.loss, g.weight
	}
	return g.loss - math.Log(g.product), g.weight
}

// weighted gives two rows a range that saw any, with the mean of its
// probabilities: those without a click and those with one.
func (g *Progressive) weighted() (y []uint8, p, w []float64) {
	for i := range g.buckets {
		b := &g.buckets[i]
		all := b.neg + b.pos
		if !(all > 0) {
			continue
		}
		mean := min(max(b.p/all, 0), 1)
		for label, weight := range []float64{b.neg, b.pos} {
			if weight > 0 {
				y, p, w = append(y, uint8(label)), append(p, mean), append(w, weight)
			}
		}
	}
	return y, p, w
}

// PickThreshold is PickThreshold of the rows so far, to the width of a range.
func (g *Progressive) PickThreshold(costs Costs) (float64, error) {
	y, p, w := g.weighted()
	return PickThreshold(y, p, w, costs)
}

// Metrics is Evaluate of the rows so far: the log loss exactly, the rest to the
// width of a range (AUC within 0.0005 or so).
func (g *Progressive) Metrics(threshold float64) (Metrics, error) {
	y, p, w := g.weighted()
	loss, weight := g.Loss()
	m, err := Evaluate(y, p, w, threshold)
	if err != nil {
		return m, err
	}
	m.Rows, m.Clicks = g.rows, g.clicks
	if m.LogLoss > 0 {
		m.NormalizedEntropy *= loss / weight / m.LogLoss
	}
	m.LogLoss = loss / weight
	return m, nil
}
