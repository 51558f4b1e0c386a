package factor

import (
	"math"
	"unsafe"
)

// What the kernels work on. The fields of a row are taken in pairs ("duos"); a
// slot, the weights of one code of a field, has a line for each duo of fields
// that it meets, and a plane of such lines for every four factors. A line of
// training has sixteen float32: four weights towards the first field of the
// duo, four towards the second, and the eight AdaGrad accumulators of these
// weights; a line of a finished model has the eight weights alone. So four
// fields a, b × c, d meet in four whole lines of eight lanes each:
//
//	line of a towards (c, d)   [ac ad]      line of c towards (a, b)   [ca cb]
//	line of b towards (c, d)   [bc bd]      line of d towards (a, b)   [da db]
//
// and of a duo with itself there are two, where a field's weights towards
// itself, of which the first alone is not 0, are its linear weight:
//
//	line of a towards (a, b)   [aa ab]      line of b towards (a, b)   [ba bb]
//
// No line is touched by two blocks of duos, so that threads which share the
// blocks out among them never meet in a cache line.

const (
	lanes     = 8         // weights of a line
	trainLine = 2 * lanes // float32 of a line with accumulators
)

// step says how weights move. It is read by assembly.
type step struct {
	kappa       float32 // derivative of the loss by the sum of products
	lambda, eta float32
	high, low   float32 // weights stay within them
	linear      float32 // what linear weights are multiplied by
}

// blocks are the duos that meet, as the kernels read them: in cross two
// numbers a block, each 2·8 times the number of the duo: where its fields stand
// in an array of uint64. In within a duo that meets itself has that number and
// the bits of a float32, 1, or 0 where its second field does not exist and has
// no linear weight.
type blocks struct {
	cross, within []uint32
}

// score adds up the products of a row in the lines of a finished model: rows
// has for each field where its slot begins, in bytes. The lines of next, a
// row to be scored afterwards, are fetched early.
func (b *blocks) score(weights []float32, rows, next []uint64, linear float32) float32 {
	if fast && len(weights) > 0 {
		return scoreAVX(&weights[0], &rows[0], &next[0], unsafe.SliceData(b.cross), len(b.cross)/2,
			unsafe.SliceData(b.within), len(b.within)/2, linear)
	}
	return b.sum(weights, rows, linear, lanes)
}

// forward is score in the lines of training.
func (b *blocks) forward(weights []float32, rows []uint64, linear float32) float32 {
	if fast && len(weights) > 0 {
		return forwardAVX(&weights[0], &rows[0], unsafe.SliceData(b.cross), len(b.cross)/2,
			unsafe.SliceData(b.within), len(b.within)/2, linear)
	}
	return b.sum(weights, rows, linear, trainLine)
}

// update moves the weights of a row by AdaGrad (Duchi et al. 2011), as libffm
// does (Juan et al. 2016, algorithm 1): with the weights u and v of two fields
// towards each other
//
//	g = lambda·u + kappa·v,  G += g²,  u -= eta·g/√G
//
// for both at once. The lines of next, a row to come, are fetched early.
func (b *blocks) update(weights []float32, rows, next []uint64, s *step) {
	if fast && len(weights) > 0 {
		updateAVX(&weights[0], &rows[0], &next[0], unsafe.SliceData(b.cross), len(b.cross)/2,
			unsafe.SliceData(b.within), len(b.within)/2, s)
		return
	}
	b.updateSlowly(weights, rows, s)
}

// line gives line d of the slot that begins at byte at.
func line(weights []float32, at uint64, d, size int) []float32 {
	return weights[int(at/4)+d*size:][:size]
}

// sum is score and forward in Go. Lanes and blocks are added in the order in
// which eight-lane instructions do.
func (b *blocks) sum(weights []float32, rows []uint64, linear float32, size int) float32 {
	var even, odd [lanes]float32
	for i := 0; i+1 < len(b.cross); i += 2 {
		f, h := b.cross[i]/8, b.cross[i+1]/8
		first, second := int(f/2), int(h/2)
		x, y := line(weights, rows[f], second, size), line(weights, rows[f+1], second, size)
		u, v := line(weights, rows[h], first, size), line(weights, rows[h+1], first, size)
		for j := range 4 {
			even[j] += float32(x[j] * u[j])
			even[4+j] += float32(x[4+j] * v[j])
			odd[j] += float32(y[j] * u[4+j])
			odd[4+j] += float32(y[4+j] * v[4+j])
		}
	}
	for i := 0; i+1 < len(b.within); i += 2 {
		f, second := b.within[i]/8, math.Float32frombits(b.within[i+1])
		x, y := line(weights, rows[f], int(f/2), size), line(weights, rows[f+1], int(f/2), size)
		even[0] += float32(x[0] * linear)
		odd[4] += float32(y[4] * float32(linear*second))
		for j := range 4 {
			even[4+j] += float32(x[4+j] * y[j])
		}
	}
	for j := range even {
		even[j] += odd[j]
	}
	for j := range 4 {
		even[j] += even[4+j]
	}
	return (even[0] + even[2]) + (even[1] + even[3])
}

// updateSlowly is update in Go.
func (b *blocks) updateSlowly(weights []float32, rows []uint64, s *step) {
	for i := 0; i+1 < len(b.cross); i += 2 {
		f, h := b.cross[i]/8, b.cross[i+1]/8
		first, second := int(f/2), int(h/2)
		x, y := line(weights, rows[f], second, trainLine), line(weights, rows[f+1], second, trainLine)
		u, v := line(weights, rows[h], first, trainLine), line(weights, rows[h+1], first, trainLine)
		for j := range 4 {
			s.both(x, j, u, j)
			s.both(x, 4+j, v, j)
			s.both(y, j, u, 4+j)
			s.both(y, 4+j, v, 4+j)
		}
	}
	for i := 0; i+1 < len(b.within); i += 2 {
		f, second := b.within[i]/8, math.Float32frombits(b.within[i+1])
		x, y := line(weights, rows[f], int(f/2), trainLine), line(weights, rows[f+1], int(f/2), trainLine)
		s.one(x, 0, s.linear)
		s.one(y, 4, float32(s.linear*second))
		for j := range 4 {
			s.both(x, 4+j, y, j)
		}
	}
}

// both moves two weights that are multiplied by each other.
func (s *step) both(x []float32, i int, y []float32, j int) {
	u, v := x[i], y[j]
	s.one(x, i, v)
	s.one(y, j, u)
}

// one moves lane i of a line by the derivative partner.
func (s *step) one(x []float32, i int, partner float32) {
	g := float32(s.lambda*x[i]) + float32(s.kappa*partner)
	x[lanes+i] += float32(g * g)
	w := x[i] - float32(s.eta*g)/float32(math.Sqrt(float64(x[lanes+i])))
	if !(w < s.high) {
		w = s.high
	}
	if !(w > s.low) {
		w = s.low
	}
	x[i] = w
}
