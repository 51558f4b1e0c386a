package linear

import (
	"math"
)

// Batch is encoded rows to learn from: what an FTRL reads.
type Batch struct {
	// Fields is the number of codes a row; Codes has them row by row, each
	// with its field's offset (features.Spec.Offsets) added.
	Fields int
	Codes  []uint32
	// Y is the label of each row, 0 or 1.
	Y []uint8
	// W is the weight of each row; empty where all weigh 1.
	W []float32
	// P gets the probability that each row was given before it was learned from;
	// it is as long as Y.
	P []float32
}

// Learn predicts each row of b, in order, and learns from it.
//
// Without λ₁, a row costs one division and one root a code, and the wait for the slots,
// which lie anywhere in the table: those of the rows to come are asked for
// ahead.
func (l *FTRL) Learn(b *Batch) {
	n, f := len(b.Y), b.Fields
	if n == 0 {
		return
	}
	codes, p := b.Codes[:n*f], b.P[:n]
	var buf [64]float32
	w := buf[:]
	if f > len(buf) {
		w = make([]float32, f)
	}
	w = w[:f]
	for i := range min(n, ahead) {
		prefetch(l.table, codes[i*f:(i+1)*f])
	}
	bias := l.bias
	for i := range p {
		if next := i + ahead; next < n {
			prefetch(l.table, codes[next*f:(next+1)*f])
		}
		row := codes[i*f : (i+1)*f]
		p[i] = float32(Sigmoid(float64(bias.v + l.predict(row, w))))
		g := p[i] - float32(b.Y[i])
		if len(b.W) > 0 {
			g *= b.W[i]
		}
		l.update(row, w, g)
		bias = bias.stepped(g, l.k.alpha, l.k.biasBase)
	}
	l.bias = bias
}

// ahead is how many rows ahead slots are asked for.
const ahead = 6

// predict gives the sum of the weights of a row's codes and, where they are not
// the slots' v, sets w to them. Two sums take turns, so that additions need not
// wait for each other.
func (l *FTRL) predict(row []uint32, w []float32) float32 {
	if l.k.l1 > 0 || l.k.admit > 0 {
		return l.predictSparse(row, w)
	}
	table := l.table
	var s0, s1 float32
	for ; len(row) >= 2; row = row[2:] {
		s0 += table[row[0]].v
		s1 += table[row[1]].v
	}
	if len(row) > 0 {
		s0 += table[row[0]].v
	}
	return s0 + s1
}

// predictSparse is predict where some weights are 0 by penalty or because
// their slots are not admitted yet.
func (l *FTRL) predictSparse(row []uint32, w []float32) float32 {
	var s0, s1 float32
	for j, c := range row {
		w[j] = l.k.weight(l.table[c])
		if j&1 == 0 {
			s0 += w[j]
		} else {
			s1 += w[j]
		}
	}
	return s0 + s1
}

// update moves the slots of a row, whose weights are w, by gradient g.
func (l *FTRL) update(row []uint32, w []float32, g float32) {
	switch {
	case l.k.admit > 0:
		l.updateAdmitted(row, w, g)
	case l.k.l1 > 0:
		for j, c := range row {
			l.table[c] = l.table[c].moved(g, w[j], l.k.perAlpha)
		}
	default:
		table, base, g2, step := l.table, l.k.base, float32(g*g), float32(l.k.alpha*g)
		for _, c := range row {
			s := &table[c]
			q := float32(math.Sqrt(float64(float32(s.q*s.q) + g2)))
			s.v -= step / (base + q)
			s.q = q
		}
	}
}

// stepped gives a slot whose v is its weight after gradient g.
func (s slot) stepped(g, alpha, base float32) slot {
	q := float32(math.Sqrt(float64(float32(s.q*s.q) + float32(g*g))))
	return slot{v: s.v - float32(alpha*g)/(base+q), q: q}
}

// moved gives a slot whose v is z after gradient g at weight w:
// σ = (√(n+g²) - √n)/α, z += g - σw (McMahan et al. 2013, Algorithm 1).
func (s slot) moved(g, w, perAlpha float32) slot {
	q := float32(math.Sqrt(float64(float32(s.q*s.q) + float32(g*g))))
	sigma := float32((q - s.q) * perAlpha)
	return slot{v: s.v + (g - float32(sigma*w)), q: q}
}

// updateAdmitted is update where a slot is learned only from its Admit-th row
// on.
func (l *FTRL) updateAdmitted(row []uint32, w []float32, g float32) {
	for j, c := range row {
		s := l.table[c]
		if s.q == 0 {
			if s.v++; s.v < l.k.admit {
				l.table[c] = s
				continue
			}
			s.v = 0
		}
		if l.k.l1 > 0 {
			s = s.moved(g, w[j], l.k.perAlpha)
		} else {
			s = s.stepped(g, l.k.alpha, l.k.base)
		}
		s.q = max(s.q, tiny) // a gradient of 0 must not undo the admission
		l.table[c] = s
	}
}

const tiny = 1e-30
