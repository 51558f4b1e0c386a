package crosses

import (
	"math"
	"math/bits"

	"ctr/features"
	"ctr/models/linear"
)

// Combinations of values go to cells: each its own where there are at most
// 2^cellBits, else by a hash.
const (
	cellBits  = 20   // fewer where there are fewer rows
	cellBlock = 2048 // rows whose cells are found together
	maxStep   = 2    // of a screened effect, in log-odds
)

// cells finds the cell of a row for a candidate.
type cells struct {
	a, b   *features.Codes
	stride uint64 // values of b
	shift  uint   // of the hash; 0 where each combination has a cell
	n      int
}

func (v *view) cells(c *candidate) cells {
	out := cells{a: &v.t.Codes[c.a], stride: 1}
	n := uint64(v.t.Spec.Size(c.a))
	if c.b != none {
		out.b, out.stride = &v.t.Codes[c.b], uint64(v.t.Spec.Size(c.b))
	}
	n *= out.stride
	room := min(3+max(bits.Len(uint(v.t.Rows)), 10), cellBits)
	if n <= 1<<room {
		out.n = int(n)
		return out
	}
	out.n, out.shift = 1<<room, 64-uint(room)
	return out
}

// find sets the cells of the rows from lo to out.
func (c *cells) find(lo int, out []uint32) {
	switch {
	case c.a.U8 != nil:
		widen(out, c.a.U8[lo:])
	case c.a.U16 != nil:
		widen(out, c.a.U16[lo:])
	default:
		copy(out, c.a.U32[lo:])
	}
	if c.b == nil {
		if c.shift != 0 {
			for i, a := range out {
				out[i] = uint32(uint64(a) * golden >> c.shift)
			}
		}
		return
	}
	switch {
	case c.b.U8 != nil:
		join(c, out, c.b.U8[lo:])
	case c.b.U16 != nil:
		join(c, out, c.b.U16[lo:])
	default:
		join(c, out, c.b.U32[lo:])
	}
}

func widen[T uint8 | uint16](out []uint32, codes []T) {
	codes = codes[:len(out)]
	for i, c := range codes {
		out[i] = uint32(c)
	}
}

// golden is 2^64 divided by the golden ratio: Knuth's multiplicative hash.
const golden = 0x9E3779B97F4A7C15

func join[T uint8 | uint16 | uint32](c *cells, out []uint32, codes []T) {
	codes = codes[:len(out)]
	if c.shift == 0 {
		for i, b := range codes {
			out[i] = out[i]*uint32(c.stride) + uint32(b)
		}
		return
	}
	for i, b := range codes {
		key := uint64(out[i])*c.stride + uint64(b)
		hi, lo := bits.Mul64(key, golden)
		out[i] = uint32((hi ^ lo) * golden >> c.shift)
	}
}

// scratch is what one goroutine needs to score candidates.
type scratch struct {
	cells []slope
	step  []float32
	at    [cellBlock]uint32
}

func newScratch() *scratch {
	return &scratch{cells: make([]slope, 1<<cellBits), step: make([]float32, 1<<cellBits)}
}

// screen estimates a candidate's gain, in units of the sum of losses.
func (s *search) screen(c *candidate, x *scratch) float64 {
	gain := 0.0
	for _, v := range s.views {
		gain += v.screen(c, x, float32(s.o.Ridge))
	}
	return gain
}

// screen makes one Newton step a cell from the fitted rows, and takes the
// fourth-order expansion of the judged rows' loss.
func (v *view) screen(c *candidate, x *scratch, ridge float32) float64 {
	m := v.cells(c)
	sums := x.cells[:m.n]
	clear(sums)
	v.addSlopes(&m, sums, x)
	step := x.step[:m.n]
	for k, p := range sums {
		step[k] = min(max(p.r/(p.h+ridge), -maxStep), maxStep)
	}
	gain := 0.0
	for lo := 0; lo < v.held(); lo += cellBlock {
		at := x.at[:min(cellBlock, v.held()-lo)]
		m.find(v.nFit+lo, at)
		rows := v.judge[lo:]
		rows = rows[:len(at)]
		var sum float32
		for i, k := range at {
			d, e := &rows[i], step[k]
			sum += e * (d.r - float32(0.5*d.h)*e*(1+e*(d.k3+float32(e*d.k4))))
		}
		gain += float64(sum)
	}
	return gain
}

// addSlopes adds up the fitted rows' derivatives at the present margins.
func (v *view) addSlopes(m *cells, sums []slope, x *scratch) {
	for lo := 0; lo < v.nFit; lo += cellBlock {
		at := x.at[:min(cellBlock, v.nFit-lo)]
		m.find(lo, at)
		rows := v.fit[lo:]
		rows = rows[:len(at)]
		for i, k := range at {
			p := &sums[k]
			p.r += rows[i].r
			p.h += rows[i].h
		}
	}
}

// effect fits a candidate's effects into x.step by two Newton steps of all
// cells at once: each cell is a problem of its own, of one dimension.
func (v *view) effect(c *candidate, x *scratch, ridge float32) cells {
	m := v.cells(c)
	sums, step := x.cells[:m.n], x.step[:m.n]
	clear(sums)
	clear(step)
	move := func() {
		for k, p := range sums {
			e := step[k] + (p.r-float32(ridge*step[k]))/(p.h+ridge)
			step[k] = min(max(e, -2*maxStep), 2*maxStep)
		}
	}
	v.addSlopes(&m, sums, x)
	move()
	clear(sums)
	for lo := 0; lo < v.nFit; lo += cellBlock {
		at := x.at[:min(cellBlock, v.nFit-lo)]
		m.find(lo, at)
		for i, k := range at {
			p, row := &sums[k], lo+i
			q, w := linear.Sigmoid(v.margin[row]+float64(step[k])), v.w(row)
			p.r += float32(w * (float64(v.t.Y[row]) - q))
			p.h += float32(w * (q * (1 - q)))
		}
	}
	move()
	return m
}

// exact sets a candidate's gain and its standard error: over the judged rows,
// whose losses with and without it are compared one by one.
func (s *search) exact(c *candidate, x *scratch) {
	var sum, square float64
	for _, v := range s.views {
		m := v.effect(c, x, float32(s.o.Ridge))
		for lo := 0; lo < v.held(); lo += cellBlock {
			at := x.at[:min(cellBlock, v.held()-lo)]
			m.find(v.nFit+lo, at)
			for i, k := range at {
				row := v.nFit + lo + i
				d := v.loss[lo+i] - float64(v.w(row)*logLoss(v.margin[row]+float64(x.step[k]), v.t.Y[row]))
				sum += d
				square += float64(d * d)
			}
		}
	}
	n, weight := float64(s.judged()), s.weight()
	c.gain = sum / weight
	c.err = math.Sqrt(max(square-sum*sum/n, 0)) / weight
}

// apply adds a candidate's effects to all margins.
func (s *search) apply(c *candidate) {
	s.each([]*candidate{c}, func(c *candidate, x *scratch) {
		for _, v := range s.views {
			m := v.effect(c, x, float32(s.o.Ridge))
			for lo := 0; lo < v.t.Rows; lo += cellBlock {
				at := x.at[:min(cellBlock, v.t.Rows-lo)]
				m.find(lo, at)
				for i, k := range at {
					v.margin[lo+i] += float64(x.step[k])
				}
			}
		}
	})
	for _, v := range s.views {
		v.refresh(&s.pool)
	}
}
