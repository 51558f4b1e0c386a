package trees

import (
	"math"

	"ctr/features"
)

// A quant is a row of a node: its index in the low 32 bits, then its curvature
// (16 bits), then its gradient (16 bits, signed), both in whole units. Sums of
// them are the same in whatever order they are added. (Quantised training:
// Shi, Ke, Chen, Zheng and Liu 2022; with 10 bits and more, as here up to a
// hundred million rows, and rounding at random, nothing is lost.)
type quant uint64

func makeQuant(row, g, h int) quant {
	return quant(uint32(row)) | quant(uint16(h))<<32 | quant(uint16(g))<<48
}

func (e quant) row() int { return int(uint32(e)) }

// tally gives the gradient in the high and the curvature in the low 32 bits.
func (e quant) tally() uint64 { return uint64(int64(e)>>48<<32) | uint64(e>>32)&0xffff }

// gsums are gradients and curvatures of the rows of a node, of a bin or of one
// side of a split. They are whole multiples of powers of two: exact.
type gsums struct{ g, h float64 }

func (s *gsums) add(o gsums)             { s.g += o.g; s.h += o.h }
func (s gsums) minus(o gsums) gsums      { return gsums{s.g - o.g, s.h - o.h} }
func (s gsums) score(l2 float64) float64 { return s.g * s.g / (s.h + l2) }

// units turns whole numbers into gradients and curvatures: powers of two.
type units struct{ g, h float64 }

func (u units) sums(t uint64) gsums {
	return gsums{float64(int32(t>>32)) * u.g, float64(uint32(t)) * u.h}
}

// limits of the sums over all rows, and of a row.
const (
	mostG, mostH       = 1<<31 - 1, 1<<32 - 1
	mostRowG, mostRowH = 1<<15 - 1, 1<<16 - 1
)

// firstUnits gives the smallest units that hold all rows when every row has
// the click rate for its probability.
func firstUnits(y []uint8, w []float64, rate float64) units {
	clicks, others, most := 0., 0., 1.
	if w != nil {
		most = 0
	}
	for i, c := range y {
		x := 1.
		if w != nil {
			x = w[i]
			most = max(most, x)
		}
		if c != 0 {
			clicks += x
		} else {
			others += x
		}
	}
	g := max((clicks*(1-rate)+others*rate)/mostG, most/mostRowG)
	h := max((clicks+others)*rate*(1-rate)/mostH, most/4/mostRowH)
	return units{powerOver(g), powerOver(h)}
}

// powerOver gives the least power of two of at least x, 2^-60 for 0.
func powerOver(x float64) float64 {
	if x < 1e-18 {
		return math.Ldexp(1, -60)
	}
	f, exp := math.Frexp(x)
	if f == .5 {
		exp--
	}
	return math.Ldexp(1, exp)
}

// sigmoid gives the probability of log-odds x.
func sigmoid(x float64) float64 {
	e := math.Exp(-math.Abs(x))
	if x >= 0 {
		return 1 / (1 + e)
	}
	return e / (1 + e)
}

// rowBlock is how many rows a unit of work over rows has.
const rowBlock = 1 << 14

// blocks calls work on ranges of 0 … n-1.
func (b *booster) blocks(n int, work func(k, lo, hi int)) {
	each(b.p.threads, (n+rowBlock-1)/rowBlock, func(k int) { work(k, k*rowBlock, min((k+1)*rowBlock, n)) })
}

// quantise fills b.es with rows in and their gradients at the present scores,
// and gives the sums. Where these do not fit the units grow.
func (b *booster) quantise(in []int32, seed uint64) gsums {
	b.es = b.es[:len(in)]
	type part struct{ g, abs, h int64 }
	parts := make([]part, (len(in)+rowBlock-1)/rowBlock)
	for {
		b.blocks(len(in), func(k, lo, hi int) {
			p := &parts[k]
			*p = part{}
			for i := lo; i < hi; i++ {
				e, g, h := b.quant(int(in[i]), seed)
				b.es[i] = e
				p.g += g
				p.abs += max(g, -g)
				p.h += h
			}
		})
		all := part{}
		for _, p := range parts {
			all.g, all.abs, all.h = all.g+p.g, all.abs+p.abs, all.h+p.h
		}
		if all.abs > mostG {
			b.units.g *= 2
		}
		if all.h > mostH {
			b.units.h *= 2
		}
		if all.abs <= mostG && all.h <= mostH {
			return gsums{float64(all.g) * b.units.g, float64(all.h) * b.units.h}
		}
	}
}

// quant gives a row with its gradient and curvature, rounded up or down by
// chance so that the mean is right.
func (b *booster) quant(i int, seed uint64) (e quant, g, h int64) {
	p := sigmoid(b.score[i])
	gx, hx := p-float64(b.y[i]), p*(1-p)
	if b.w != nil {
		gx *= b.w[i]
		hx *= b.w[i]
	}
	r := features.Mix64(seed ^ uint64(i))
	const chance = 1. / (1 << 32)
	g = int64(float64(gx/b.units.g)+float64(float64(uint32(r))*chance)+(1<<16)) - 1<<16
	h = int64(float64(hx/b.units.h) + float64(float64(r>>32)*chance))
	return makeQuant(i, int(g), int(h)), g, h
}
