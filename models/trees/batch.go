package trees

import (
	"runtime"
	"sync"
	"sync/atomic"

	"ctr/features"
)

// passRows is how many rows go through the trees together: their codes stay
// in a core's own cache.
const passRows = 4096

// fewRows is how many rows of a node are taken to their leaves one by one:
// dividing them costs more than their branches.
const fewRows = 4

// Probabilities appends the probability of each row of t to dst, on so many
// threads (0 = all cores).
//
// A row alone waits at every node for a branch that no predictor learns. Here
// a block of rows goes down a tree together: a node divides the list of its
// rows in two without a branch, and rows that end in a leaf get its value.
// Each row's values are added tree by tree as Probability adds them, so the
// result is the same bit for bit.
func (m *Model) Probabilities(t *features.Table, dst []float64, threads int) []float64 {
	n := len(dst)
	dst = append(dst, make([]float64, t.Rows)...)
	m.addAll(t, dst[n:], threads, func(p []float64) {
		for i := range p {
			p[i] /= float64(len(m.trees))
		}
	})
	return dst
}

// addAll adds to out[i] the values of the leaves that row i of t falls in, tree
// by tree, and calls done for each block of rows that is complete.
func (m *Model) addAll(t *features.Table, out []float64, threads int, done func(part []float64)) {
	if threads <= 0 {
		threads = runtime.GOMAXPROCS(0)
	}
	var next atomic.Int64
	var wg sync.WaitGroup
	for range threads {
		wg.Go(func() {
			p := pass{m: m, t: t, spare: make([]uint32, passRows), rows: make([]uint32, passRows)}
			for {
				lo := int(next.Add(passRows)) - passRows
				if lo >= t.Rows {
					return
				}
				part := out[lo:min(lo+passRows, t.Rows)]
				p.block(lo, part)
				done(part)
			}
		})
	}
	wg.Wait()
}

// pass takes blocks of rows of a table through a model, for one goroutine.
type pass struct {
	m     *Model
	t     *features.Table
	lo    int       // the first row of the block
	sum   []float64 // by row of the block
	rows  []uint32  // rows of the block, divided and divided again
	spare []uint32
}

// block adds the values of all trees to out, by row from lo.
func (p *pass) block(lo int, out []float64) {
	p.lo, p.sum = lo, out
	rows := p.rows[:len(out)]
	for _, root := range p.m.trees {
		for i := range rows {
			rows[i] = uint32(i)
		}
		p.down(root, rows)
	}
}

// down takes rows from node at to their leaves. It changes their order.
func (p *pass) down(at uint32, rows []uint32) {
	for len(rows) > fewRows {
		n := &p.m.nodes[at]
		if n.kind == leaf {
			v := n.value()
			for _, i := range rows {
				p.sum[i] += v
			}
			return
		}
		left := p.divide(n, rows)
		p.down(n.child, rows[:left])
		at, rows = n.child+1, rows[left:]
	}
	for _, i := range rows {
		p.sum[i] += p.alone(at, p.lo+int(i))
	}
}

// divide puts the rows that go left first and gives their number.
func (p *pass) divide(n *node, rows []uint32) int {
	if n.kind == numLeft || n.kind == numRight {
		return p.divideNumbers(n, rows)
	}
	set := p.m.set(n)
	switch c := &p.t.Codes[n.field]; {
	case n.kind == catCodes && c.U8 != nil:
		return divideList(c.U8[p.lo:], set, rows, p.spare)
	case n.kind == catCodes && c.U16 != nil:
		return divideList(c.U16[p.lo:], set, rows, p.spare)
	case n.kind == catCodes:
		return divideList(c.U32[p.lo:], set, rows, p.spare)
	case c.U8 != nil:
		return divideBits(c.U8[p.lo:], set, rows, p.spare)
	case c.U16 != nil:
		return divideBits(c.U16[p.lo:], set, rows, p.spare)
	default:
		return divideBits(c.U32[p.lo:], set, rows, p.spare)
	}
}

type code interface{ uint8 | uint16 | uint32 }

// divideBits divides by a bit set.
func divideBits[C code](codes []C, set, rows, spare []uint32) int {
	left := 0
	spare = spare[:len(rows)]
	for at := range rows {
		i := rows[at]
		c, bit := uint32(codes[i]), uint32(0)
		if w := c >> 5; uint64(w) < uint64(len(set)) {
			bit = set[w] >> (c & 31) & 1
		}
		rows[left] = i
		spare[at-left] = i
		left += int(bit)
	}
	copy(rows[left:], spare[:len(rows)-left])
	return left
}

// divideList divides by an ascending list of codes.
func divideList[C code](codes []C, list, rows, spare []uint32) int {
	left, right := 0, 0
	for _, i := range rows {
		bit := 0
		if contains(list, uint32(codes[i])) {
			bit = 1
		}
		rows[left], spare[right] = i, i
		left += bit
		right += 1 - bit
	}
	copy(rows[left:], spare[:right])
	return left
}

func (p *pass) divideNumbers(n *node, rows []uint32) int {
	values, threshold := p.t.Values[n.field][p.lo:], n.value()
	left, right := 0, 0
	for _, i := range rows {
		v, bit := values[i], 0
		if v <= threshold || n.kind == numLeft && v != v {
			bit = 1
		}
		rows[left], p.spare[right] = i, i
		left += bit
		right += 1 - bit
	}
	copy(rows[left:], p.spare[:right])
	return left
}

// alone takes one row of the table from node at to its leaf.
func (p *pass) alone(at uint32, row int) float64 {
	for {
		n := &p.m.nodes[at]
		left := false
		switch n.kind {
		case leaf:
			return n.value()
		case numRight:
			left = p.t.Values[n.field][row] <= n.value()
		case numLeft:
			left = !(p.t.Values[n.field][row] > n.value())
		case catBits:
			s, code := p.m.set(n), p.t.Codes[n.field].At(row)
			left = uint64(code>>5) < uint64(len(s)) && s[code>>5]>>(code&31)&1 != 0
		default:
			left = contains(p.m.set(n), p.t.Codes[n.field].At(row))
		}
		at = n.child
		if !left {
			at++
		}
	}
}
