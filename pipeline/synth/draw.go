package synth

import (
	"math"
	"math/bits"
)

// mix is the finaliser of SplitMix64 (Steele, Lea and Flood, 2014): a
// bijection of 64 bits that passes for random.
func mix(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// golden is 2**64 over the golden ratio, SplitMix64's increment.
const golden = 0x9e3779b97f4a7c15

// hash2 hashes two numbers under a salt.
func hash2(salt, a, b uint64) uint64 {
	return mix(mix(salt*golden+a) + b*golden)
}

// mix32 is the finaliser of MurmurHash3: a bijection of 32 bits, so that
// different values are never spelled alike.
func mix32(x uint32) uint32 {
	x = (x ^ x>>16) * 0x85ebca6b
	x = (x ^ x>>13) * 0xc2b2ae35
	return x ^ x>>16
}

// rng is SplitMix64: 64 random bits from a counter.
type rng uint64

func (r *rng) next() uint64 {
	*r += golden
	return mix(uint64(*r))
}

// below gives a number in [0, n) from 32 of the random bits u. Its bias is
// under n / 2**32.
func below(u uint64, n uint32) uint32 { return uint32((u >> 32) * uint64(n) >> 32) }

// chance is true with probability p / 2**32 by the low half of u.
func chance(u uint64, p uint32) bool { return uint32(u) < p }

// share turns a probability below 1 into units of 2**-32.
func share(p float64) uint32 { return uint32(float64(p * 4294967296)) }

// alias draws an index by Walker's method (Vose, 1991): one look-up whatever
// the number of values.
type alias []aliasCell

type aliasCell struct {
	keep  uint32 // the cell's own index below this, other at or above
	other uint32
}

// newAlias makes the table of a distribution given by whole-number weights,
// in integers throughout.
func newAlias(weights []uint64) alias {
	n := uint64(len(weights))
	var total uint64
	for _, w := range weights {
		total += w
	}
	table := make(alias, n)
	left := make([]uint64, n) // weight times n; a full cell holds total
	var small, large []uint32
	for i, w := range weights {
		left[i] = w * n
		if left[i] < total {
			small = append(small, uint32(i))
		} else {
			large = append(large, uint32(i))
		}
	}
	for len(small) > 0 && len(large) > 0 {
		s, l := small[len(small)-1], large[len(large)-1]
		small = small[:len(small)-1]
		table[s] = aliasCell{keep: ratio32(left[s], total), other: l}
		left[l] -= total - left[s]
		if left[l] < total {
			large = large[:len(large)-1]
			small = append(small, l)
		}
	}
	for _, i := range append(small, large...) {
		table[i] = aliasCell{keep: math.MaxUint32, other: i}
	}
	return table
}

// ratio32 gives a/b in units of 2**-32 for a < b.
func ratio32(a, b uint64) uint32 {
	q, _ := bits.Div64(a>>32, a<<32, b)
	return uint32(min(q, math.MaxUint32))
}

func (t alias) draw(u uint64) uint32 {
	i := below(u, uint32(len(t)))
	if c := t[i]; uint32(u) >= c.keep {
		return c.other
	}
	return i
}

// zipf describes how often the values of a column occur: the shares of the
// first few, then Zipf and Mandelbrot's law, proportional to (k + q)**-s for
// k = 1, 2, ... up to n values in all.
type zipf struct {
	head []float64
	q, s float64
	n    int
}

// weightScale keeps the sum of weights times their number below 2**64 for
// tables of up to 65,536 values.
const weightScale = 1 << 47

// weights gives the law as whole numbers; none is 0.
func (z zipf) weights() []uint64 {
	rest := 1.0
	for _, p := range z.head {
		rest -= p
	}
	tail := make([]float64, z.n-len(z.head))
	sum := 0.0
	for k := range tail {
		tail[k] = z.density(float64(k + 1))
		sum += tail[k]
	}
	out := make([]uint64, 0, z.n)
	for _, p := range z.head {
		out = append(out, uint64(float64(p*weightScale)))
	}
	for _, t := range tail {
		out = append(out, 1+uint64(float64(float64(float64(rest*t)/sum)*weightScale)))
	}
	return out
}

// density is ((1 + q) / (k + q))**s, which does not underflow for large s.
func (z zipf) density(k float64) float64 {
	return expOf(-float64(z.s * logOf((k+z.q)/(1+z.q))))
}

// tail draws from a zipf law over millions of values: exactly for the first
// 4,096 and then evenly within steps of a sixteenth of an octave, which bounds
// the table without bounding the column.
type tail struct {
	steps alias
	first []uint32 // first index of a step
	width []uint32
}

func newTail(z zipf) tail {
	var t tail
	var weight []float64
	sum := 0.0
	for lo, step := 0, 0; lo < z.n; lo += step {
		step = 1
		if lo >= 4096 {
			step = lo / 22 // about 2**(1/16) - 1
		}
		step = min(step, z.n-lo)
		w := float64(z.density(float64(lo)+1+float64(float64(step-1)/2)) * float64(step))
		t.first, t.width = append(t.first, uint32(lo)), append(t.width, uint32(step))
		weight, sum = append(weight, w), sum+w
	}
	whole := make([]uint64, len(weight))
	for i, w := range weight {
		whole[i] = 1 + uint64(float64(float64(w/sum)*weightScale))
	}
	t.steps = newAlias(whole)
	return t
}

// draw takes two independent random numbers.
func (t *tail) draw(u, v uint64) uint32 {
	i := t.steps.draw(u)
	return t.first[i] + below(v, t.width[i])
}
