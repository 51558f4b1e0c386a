package trees

// An entry is a row of a node: its index in the low 32 bits, then how often it
// was drawn (16 bits), then its clicks (as often, or 0; 16 bits). Rows move
// through a tree as entries, so that counting one reads nothing but its bins.
type entry uint64

// maxDraws is how often a row can be drawn: draws are counted in bytes, so that
// the counts of a million rows fit a core's cache. No row of n is drawn more
// often in n draws in the lifetime of the universe.
const maxDraws = 1<<8 - 1

func makeEntry(row, draws int, y uint8) entry {
	e := entry(row) | entry(draws)<<32
	return e | entry(y)*entry(draws)<<48
}

func (e entry) row() int { return int(uint32(e)) }

// tally gives draws in the low and clicks in the high 32 bits.
func (e entry) tally() uint64 { return uint64(e>>32)&0xffff | uint64(e>>48)<<32 }

func (e entry) draws() uint64 { return uint64(e>>32) & 0xffff }
func (e entry) click() bool   { return e>>48 != 0 }

// column is the histogram of a field: a tally a bin.
type column [maxBins]uint64

// weights is the same in units of weight.
type weights [maxBins]struct{ w, y uint64 }

// hist is the histograms of several fields over the rows of a node.
type hist struct {
	n []column
	w []weights // nil where all weights are 1
}

func newHist(fields int, weighted bool) *hist {
	h := &hist{n: make([]column, fields)}
	if weighted {
		h.w = make([]weights, fields)
	}
	return h
}

func (h *hist) clear() {
	clear(h.n)
	clear(h.w)
}

// add counts es in fields cols, the k-th of which is column k of h; nil stands
// for all fields.
func (h *hist) add(v *view, cols []uint16, es []entry) {
	if cols == nil {
		addAll(h.n, v, es)
	} else {
		addSome(h.n, v, cols, es)
	}
	if h.w == nil {
		return
	}
	for _, e := range es {
		w := v.w[e.row()] * e.draws()
		y := uint64(0)
		if e.click() {
			y = w
		}
		row := v.data[e.row()*v.stride:][:v.stride]
		for k := range h.w {
			f := k
			if cols != nil {
				f = int(cols[k])
			}
			s := &h.w[k][row[f]%maxBins]
			s.w += w
			s.y += y
		}
	}
}

// blockRows is how many rows are counted field by field: a field's counters
// are in the first-level cache then, and the rows still are when the next
// field's turn comes.
const blockRows = 512

// addAll counts all fields. Here and below, a remainder by maxBins, which no bin
// reaches, spares the check of an index.
func addAll(h []column, v *view, es []entry) {
	for len(es) > 0 {
		block := es[:min(len(es), blockRows)]
		es = es[len(block):]
		for f := range h {
			c, data := &h[f], v.data[f:]
			for _, e := range block {
				c[data[e.row()*v.stride]%maxBins] += e.tally()
			}
		}
	}
}

// addSome counts fields cols, the k-th of which is column k of h.
func addSome(h []column, v *view, cols []uint16, es []entry) {
	for len(cols) >= together {
		addTogether((*[together]column)(h), v, (*[together]uint16)(cols), es)
		h, cols = h[together:], cols[together:]
	}
	h = h[:len(cols)]
	if len(cols) == 0 {
		return
	}
	for _, e := range es {
		t := e.tally()
		row := v.data[e.row()*v.stride:][:v.stride]
		for k, c := range cols {
			h[k][row[c]%maxBins] += t
		}
	}
}

// together is how many fields are counted without a loop: as many as forests
// look at by default of Avazu's 22.
const together = 4

// addTogether is addSome for that many fields.
func addTogether(h *[together]column, v *view, cols *[together]uint16, es []entry) {
	a, b, c, d := cols[0], cols[1], cols[2], cols[3]
	data, stride := v.data, v.stride
	for _, e := range es {
		t := e.tally()
		row := data[e.row()*stride:][:stride]
		h[0][row[a]%maxBins] += t
		h[1][row[b]%maxBins] += t
		h[2][row[c]%maxBins] += t
		h[3][row[d]%maxBins] += t
	}
}

// subtract takes o from h: what is left of a node when a child is taken away.
func (h *hist) subtract(o *hist) {
	for f := range h.n {
		a, b := &h.n[f], &o.n[f]
		for i := range a {
			a[i] -= b[i]
		}
	}
	for f := range h.w {
		a, b := &h.w[f], &o.w[f]
		for i := range a {
			a[i].w -= b[i].w
			a[i].y -= b[i].y
		}
	}
}

// plus adds o to h.
func (h *hist) plus(o *hist) {
	for f := range h.n {
		a, b := &h.n[f], &o.n[f]
		for i := range a {
			a[i] += b[i]
		}
	}
	for f := range h.w {
		a, b := &h.w[f], &o.w[f]
		for i := range a {
			a[i].w += b[i].w
			a[i].y += b[i].y
		}
	}
}

// view is the rows that entries point into: those of a whole table, or a copy
// of a few that fits the cache.
type view struct {
	data   []uint16
	stride int
	rows   int
	w      []uint64
	level  int // 0 = the table, then copies of copies
}
