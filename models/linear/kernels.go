package linear

import (
	"math"

	"ctr/features"
)

// code is the type of a column of codes.
type code interface{ uint8 | uint16 | uint32 }

// gather adds to each row's sum the weight of its code: m[i] += w[codes[i]].
func gather[T code](m []float64, codes []T, w []float64) {
	m = m[:len(codes)]
	for i, c := range codes {
		m[i] += w[c]
	}
}

// gatherBytes is gather for at most 256 codes: a table of exactly 256 weights
// needs no bounds check.
func gatherBytes(m []float64, codes []uint8, w []float64) {
	var table [256]float64
	copy(table[:], w)
	m = m[:len(codes)]
	for i, c := range codes {
		m[i] += table[c]
	}
}

// gatherColumn is gather for rows lo … hi-1 of a column.
func gatherColumn(m []float64, c *features.Codes, w []float64, lo, hi int) {
	switch {
	case c.U8 != nil:
		gatherBytes(m, c.U8[lo:hi], w)
	case c.U16 != nil:
		gather(m, c.U16[lo:hi], w)
	default:
		gather(m, c.U32[lo:hi], w)
	}
}

// scatterCodes is the transpose of gather: g[codes[i]] += r[i], in row order.
func scatterCodes[T code](g []float64, codes []T, r []float64) {
	r = r[:len(codes)]
	for i, c := range codes {
		g[c] += r[i]
	}
}

// scatterBytes is scatter for at most 256 codes. Neighbouring rows often have
// the same code, and each addition would wait for the store before it; four
// tables, one for every fourth row, keep them apart. The four are then added
// in a fixed order, so the result differs from scatterCodes by rounding only.
func scatterBytes(g []float64, codes []uint8, r []float64) {
	var t0, t1, t2, t3 [256]float64
	r = r[:len(codes)]
	for len(codes) >= 4 && len(r) >= 4 {
		t0[codes[0]] += r[0]
		t1[codes[1]] += r[1]
		t2[codes[2]] += r[2]
		t3[codes[3]] += r[3]
		codes, r = codes[4:], r[4:]
	}
	for i, c := range codes {
		t0[c] += r[i]
	}
	for c := range g {
		g[c] += (t0[c&255] + t1[c&255]) + (t2[c&255] + t3[c&255])
	}
}

// gatherValues adds the weighted standardised value of each row, or the
// weight of a missing one.
func gatherValues(m, values []float64, mean, scale, missing, weight float64) {
	m = m[:len(values)]
	for i, v := range values {
		m[i] += numeric(v, mean, scale, missing, weight)
	}
}

// numeric is the part of the log-odds that a number contributes: missing
// where v is NaN, else weight·(v-mean)/scale. The product is rounded before
// anything is added to it, on every machine. A standardised value is cut to
// ±maxStandard, so that two numbers near the ends of float64 never make the
// sum Inf - Inf, a probability that is none.
func numeric(v, mean, scale, missing, weight float64) float64 {
	if v != v {
		return missing
	}
	return float64(weight * min(max((v-mean)/scale, -maxStandard), maxStandard))
}

// maxStandard is far above what a training row can have, √rows.
const maxStandard = 1e100

// scatterValues is the transpose of gatherValues: the sums of r over rows
// without a value, and of r·(v-mean)/scale over the others.
func scatterValues(values, r []float64, mean, scale float64) (missing, weight float64) {
	r = r[:len(values)]
	for i, v := range values {
		if v != v {
			missing += r[i]
		} else {
			weight += float64(r[i] * ((v - mean) / scale))
		}
	}
	return missing, weight
}

// squareValues is scatterValues with the square of the standardised value.
func squareValues(values, r []float64, mean, scale float64) (missing, weight float64) {
	r = r[:len(values)]
	for i, v := range values {
		if v != v {
			missing += r[i]
		} else {
			z := (v - mean) / scale
			weight += float64(r[i] * float64(z*z))
		}
	}
	return missing, weight
}

// Sigmoid gives 1/(1+exp(-x)) without overflow at either end: the click
// probability of the log-odds x.
func Sigmoid(x float64) float64 {
	e := math.Exp(-math.Abs(x))
	if x >= 0 {
		return 1 / (1 + e)
	}
	return e / (1 + e)
}

// lossRun is how many rows share one logarithm in logLoss: a product of that
// many numbers in (1, 2] stays below 2^256.
const lossRun = 256

// logLoss gives Σ log(1+exp(-s·m)) over rows with labels y (s = 1 for 1, -1
// for 0) and, unless they are nil, stores the loss's first derivative by m in
// r and its second in h. One logarithm serves lossRun rows, since Σ log(1+e)
// = log Π (1+e); each row's own would cost as much as all the rest.
func logLoss(m []float64, y []uint8, r, h []float64) float64 {
	total := 0.0
	for lo := 0; lo < len(m); lo += lossRun {
		hi := min(lo+lossRun, len(m))
		product, linear := 1.0, 0.0
		for i := lo; i < hi; i++ {
			x := m[i]
			e := math.Exp(-math.Abs(x))
			d := 1 + e
			product *= d
			p, q := 1/d, e/d
			if x < 0 {
				p, q = q, p
			}
			// The loss is log(1+e) plus |x| where the sign is wrong.
			if (y[i] != 0) == (x < 0) {
				linear += math.Abs(x)
			}
			if r != nil {
				r[i] = p
				if y[i] != 0 {
					r[i] = -q
				}
			}
			if h != nil {
				h[i] = p * q
			}
		}
		total += math.Log(product) + linear
	}
	return total
}

// weightedLogLoss is logLoss where row i counts w[i] times.
func weightedLogLoss(m []float64, y []uint8, w, r, h []float64) float64 {
	total := 0.0
	for i, x := range m {
		e := math.Exp(-math.Abs(x))
		d := 1 + e
		p, q := 1/d, e/d
		if x < 0 {
			p, q = q, p
		}
		loss := math.Log1p(e)
		if (y[i] != 0) == (x < 0) {
			loss += math.Abs(x)
		}
		total += float64(w[i] * loss)
		if r != nil {
			r[i] = w[i] * (p - float64(y[i]&1))
		}
		if h != nil {
			h[i] = w[i] * (p * q)
		}
	}
	return total
}
