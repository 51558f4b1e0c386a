package metrics

import "math"

// bins is the number of bins of the calibration error.
const bins = 10

// ranked is rows sorted by rising probability.
//
// A key is the bits of the probability shifted left by one, with the label in
// the lowest bit: numbers in [0, 1] sort as their bits do and leave the top
// two bits free, so one integer carries what an index into y would have to be
// looked up for.
type ranked struct {
	keys []uint64
	w    []float64 // nil where all rows weigh 1
}

// rank sorts rows that check has passed.
func rank(y []uint8, p, w []float64) ranked {
	r := ranked{keys: make([]uint64, len(p))}
	for i, v := range p {
		v += 0 // -0 becomes 0
		r.keys[i] = math.Float64bits(v)<<1 | uint64(y[i])
	}
	if w != nil {
		r.w = append([]float64(nil), w...)
	}
	r.sort()
	return r
}

const (
	digitBits = 11
	digits    = 6 // of digitBits each hold the 63 bits that keys use
)

// sort is a least-significant-digit radix sort: six stable passes of counting
// by 11 bits, fewer where all keys share a digit. It must equal a comparison
// sort of the keys, and is about four times as fast at a million rows.
func (r *ranked) sort() {
	var counts [digits][1 << digitBits]int
	for _, k := range r.keys {
		for d := range digits {
			counts[d][digit(k, d)]++
		}
	}
	keys, w := make([]uint64, len(r.keys)), make([]float64, len(r.w))
	for d := range digits {
		c := &counts[d]
		if len(r.keys) == 0 || c[digit(r.keys[0], d)] == len(r.keys) {
			continue
		}
		at := 0
		for i, n := range c {
			c[i] = at
			at += n
		}
		for i, k := range r.keys {
			to := c[digit(k, d)]
			c[digit(k, d)]++
			keys[to] = k
			if r.w != nil {
				w[to] = r.w[i]
			}
		}
		r.keys, keys = keys, r.keys
		if r.w != nil {
			r.w, w = w, r.w
		}
	}
}

func digit(key uint64, d int) int {
	return int(key >> (d * digitBits) & (1<<digitBits - 1))
}

// group is the rows of one probability.
type group struct {
	p        float64
	pos, neg float64 // weights of clicks and of the others
}

// order is the way in which groups come.
type order bool

const (
	rising  order = false
	falling order = true
)

// groups calls f for each distinct probability; rows of no weight are passed
// over, as they must not count.
func (r *ranked) groups(o order, f func(g group)) {
	at, step, n := 0, 1, len(r.keys)
	if o == falling {
		at, step = n-1, -1
	}
	for at >= 0 && at < n {
		bits := r.keys[at] >> 1
		var pos, neg sum
		for ; at >= 0 && at < n && r.keys[at]>>1 == bits; at += step {
			w := 1.0
			if r.w != nil {
				w = r.w[at]
			}
			if r.keys[at]&1 == 1 {
				pos.add(w)
			} else {
				neg.add(w)
			}
		}
		g := group{math.Float64frombits(bits), pos.value(), neg.value()}
		if g.pos+g.neg > 0 {
			f(g)
		}
	}
}

// areas gives the area under the ROC curve and the average precision. Without
// weights the former is exact but for one division: all its terms are halves
// of integers.
func (r *ranked) areas() (auc, prauc float64) {
	var pos, neg sum // weights of clicks and of the others so far
	var pairs, ap sum
	r.groups(falling, func(g group) {
		pairs.add(float64(g.neg * (pos.value() + g.pos/2)))
		pos.add(g.pos)
		neg.add(g.neg)
		precision := pos.value() / (pos.value() + neg.value())
		ap.add(float64(g.pos * precision))
	})
	return ratio(pairs.value(), pos.value()*neg.value(), math.NaN()),
		ratio(ap.value(), pos.value(), math.NaN())
}

// calibrationError is Metrics.ECE of rows that weigh all in sum.
func (r *ranked) calibrationError(all float64) float64 {
	var gap [bins]sum // weighted p - y of each bin
	var before sum
	r.groups(rising, func(g group) {
		n := g.pos + g.neg
		middle := before.value() + n/2
		b := min(int(middle/all*bins), bins-1)
		gap[b].add(float64(g.p * n))
		gap[b].add(-g.pos)
		before.add(n)
	})
	var total sum
	for b := range gap {
		total.add(math.Abs(gap[b].value()))
	}
	return total.value() / all
}
