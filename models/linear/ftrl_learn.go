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
// A row costs one division and one root a code, and the wait for the slots,
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
		biasW := -bias.z * l.k.alpha / (l.k.biasBase + bias.q)
		p[i] = float32(Sigmoid(float64(biasW + l.predict(row, w))))
		g := p[i] - float32(b.Y[i])
		if len(b.W) > 0 {
			g *= b.W[i]
		}
		l.update(row, w, g)
		bias = bias.moved(g, biasW, l.k.perAlpha)
	}
	l.bias = bias
}

// ahead is how many rows ahead slots are asked for.
const ahead = 6

// predict sets w to the weights of a row's codes and gives their sum. Two sums
// take turns, so that additions need not wait for each other.
func (l *FTRL) predict(row []uint32, w []float32) float32 {
	if l.k.l1 > 0 || l.k.admit > 0 {
		return l.predictSparse(row, w)
	}
	table, alpha, base := l.table, l.k.alpha, l.k.base
	w = w[:len(row)]
	var s0, s1 float32
	for j := 0; j+1 < len(row); j += 2 {
		a, b := table[row[j]], table[row[j+1]]
		wa := -a.z * alpha / (base + a.q)
		wb := -b.z * alpha / (base + b.q)
		w[j], w[j+1] = wa, wb
		s0 += wa
		s1 += wb
	}
	if n := len(row); n&1 == 1 {
		a := table[row[n-1]]
		w[n-1] = -a.z * alpha / (base + a.q)
		s0 += w[n-1]
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

// update moves the slots of a row by gradient g.
func (l *FTRL) update(row []uint32, w []float32, g float32) {
	if l.k.admit > 0 {
		l.updateAdmitted(row, w, g)
		return
	}
	table, per, g2 := l.table, l.k.perAlpha, float32(g*g)
	w = w[:len(row)]
	for j, c := range row {
		s := &table[c]
		q := s.q
		root := float32(math.Sqrt(float64(float32(q*q) + g2)))
		s.z += g - float32(float32((root-q)*per)*w[j])
		s.q = root
	}
}

// moved gives the slot after gradient g at weight w:
// σ = (√(n+g²) - √n)/α, z += g - σw (McMahan et al. 2013, Algorithm 1).
func (s slot) moved(g, w, perAlpha float32) slot {
	root := float32(math.Sqrt(float64(float32(s.q*s.q) + float32(g*g))))
	sigma := float32((root - s.q) * perAlpha)
	return slot{z: s.z + (g - float32(sigma*w)), q: root}
}

// updateAdmitted is update where a slot is learned only from its Admit-th row
// on.
func (l *FTRL) updateAdmitted(row []uint32, w []float32, g float32) {
	for j, c := range row {
		s := l.table[c]
		if s.q == 0 {
			if s.z++; s.z < l.k.admit {
				l.table[c] = s
				continue
			}
			s.z = 0
		}
		s = s.moved(g, w[j], l.k.perAlpha)
		s.q = max(s.q, tiny) // a gradient of 0 must not undo the admission
		l.table[c] = s
	}
}

const tiny = 1e-30
