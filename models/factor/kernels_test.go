package factor

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// kernelCase is memory for the kernels to work on, all of it random.
type kernelCase struct {
	s       *shape
	weights []float32
	rows    []uint64
	step    step
}

// newKernelCase makes slots with lines of so many float32. Weights are of all
// sizes up to scale, and one in eight is 0; accumulators are 1 or more.
func newKernelCase(rng *rand.Rand, fields, size int, scale float64) *kernelCase {
	c := &kernelCase{s: newShape(fields, 1+rng.IntN(4))}
	const slots = 5
	stride := c.s.duos * size
	c.weights = aligned(c.s.places() * slots * stride)
	for i := range c.weights {
		c.weights[i] = float32(rng.NormFloat64() * scale * math.Exp(rng.NormFloat64()*3))
		if rng.IntN(8) == 0 {
			c.weights[i] = 0
		}
		if i%trainLine >= lanes && size == trainLine {
			c.weights[i] = 1 + float32(math.Abs(float64(c.weights[i])))
		}
	}
	for f := range c.s.places() {
		for slot := range slots { // towards its own field a slot has but a linear weight
			clear(c.weights[(f*slots+slot)*stride+f/2*size+f%2*4:][1:4])
		}
		c.rows = append(c.rows, uint64(4*stride*(f*slots+rng.IntN(slots))))
	}
	c.step = step{
		kappa: float32(rng.NormFloat64()), lambda: rng.Float32() / 100, eta: rng.Float32(),
		high: 3, low: -3, linear: float32(rng.IntN(3)),
	}
	return c
}

// sameBits reports the first place where two vectors differ in their bits but
// for the sign of 0, or -1.
func sameBits(a, b []float32) int {
	for i := range a {
		if a[i] != b[i] && (a[i] == a[i] || b[i] == b[i]) {
			return i
		}
	}
	return -1
}

// checkKernels compares assembly with Go.
func checkKernels(t *testing.T, seed uint64, fields int, scale float64) {
	t.Helper()
	rng := rand.New(rand.NewPCG(seed, 3))
	c := newKernelCase(rng, fields, trainLine, scale)
	for i := range c.s.parts {
		p := &c.s.parts[i]
		got, want := p.forward(c.weights, c.rows, c.step.linear), p.sum(c.weights, c.rows, c.step.linear, trainLine)
		if sameBits([]float32{got}, []float32{want}) >= 0 {
			t.Fatalf("seed %d, %d fields, part %d: forward %v: want %v", seed, fields, i, got, want)
		}
		slow := slices.Clone(c.weights)
		p.updateSlowly(slow, c.rows, &c.step)
		p.update(c.weights, c.rows, c.rows, &c.step)
		if at := sameBits(c.weights, slow); at >= 0 {
			t.Fatalf("seed %d, %d fields, part %d: update: weight %d: %v: want %v", seed, fields, i, at, c.weights[at], slow[at])
		}
	}
	var one, two moments
	one.add(c.weights, c.rows)
	two.addSlowly(c.weights, c.rows)
	if at := sameBits(one[:], two[:]); at >= 0 {
		t.Fatalf("seed %d, %d fields: moment %d: %v: want %v", seed, fields, at, one[at], two[at])
	}
	l := lane8{sums: one[:lanes], mask: []float32{1, 1, 1, 1, 0, 0, 1, 0}, constant: []float32{0, 0, 0, 0, 2, 0, 0, 0}}
	slow := slices.Clone(c.weights)
	l.updateSlowly(slow, c.rows, &c.step)
	l.update(c.weights, c.rows, c.rows, &c.step)
	if at := sameBits(c.weights, slow); at >= 0 {
		t.Fatalf("seed %d, %d fields: lanes: weight %d: %v: want %v", seed, fields, at, c.weights[at], slow[at])
	}
	c = newKernelCase(rng, fields, lanes, scale)
	got, want := c.s.all.score(c.weights, c.rows, c.rows, c.step.linear), c.s.all.sum(c.weights, c.rows, c.step.linear, lanes)
	if sameBits([]float32{got}, []float32{want}) >= 0 {
		t.Fatalf("seed %d, %d fields: score %v: want %v", seed, fields, got, want)
	}
}

// TestKernels: assembly does what Go does, bit for bit.
func TestKernels(t *testing.T) {
	if !fast {
		t.Skip("no assembly here")
	}
	for fields := 1; fields <= 24; fields++ {
		for seed := range uint64(8) {
			checkKernels(t, seed, fields, .3)
		}
	}
	checkKernels(t, 1, 9, 1e18)
	checkKernels(t, 1, 9, 1e-25)
}

func FuzzKernels(f *testing.F) {
	f.Add(uint64(1), uint8(5), 1.0)
	f.Add(uint64(2), uint8(22), 1e30)
	f.Fuzz(func(t *testing.T, seed uint64, fields uint8, scale float64) {
		if !fast {
			t.Skip("no assembly here")
		}
		checkKernels(t, seed, 1+int(fields)%40, scale)
	})
}

// TestBlocks: the parts have every pair of duos once, and no two a line.
func TestBlocks(t *testing.T) {
	for fields := 1; fields < 50; fields++ {
		s := newShape(fields, 4)
		seen := map[[2]uint32]int{}
		count := func(list []blocks) {
			for _, b := range list {
				for i := 0; i < len(b.cross); i += 2 {
					seen[[2]uint32{b.cross[i] / 16, b.cross[i+1] / 16}]++
				}
				for i := 0; i < len(b.within); i += 2 {
					seen[[2]uint32{b.within[i] / 16, b.within[i] / 16}]++
				}
			}
		}
		count([]blocks{s.all})
		count(s.parts)
		n := s.duos * (s.duos + 1) / 2
		if len(seen) != n || len(s.parts) != min(n, maxParts) {
			t.Fatalf("%d fields: %d blocks in %d parts: want %d", fields, len(seen), len(s.parts), n)
		}
		for p, times := range seen {
			if times != 2 {
				t.Fatalf("%d fields: block %v %d times: want once in all and once in parts", fields, p, times)
			}
		}
	}
}
