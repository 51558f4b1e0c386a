package features

import "math"

// cacheHeads is what an Encoder makes of the label, time, weight and numbers
// of each value of a cache's columns, so that no row need be parsed.
type cacheHeads struct {
	c    *Cache
	enc  *Encoder
	need []int // all columns that are read

	label  []int8 // by value: 0, 1, or noLabel or badLabel
	hour   []Hour // badHour where it is none
	weight []float64
	nums   [][]float64 // by field; nil where the field is no number
	bad    [][]bool    // by field: values that are no number; nil where all are
	clean  bool        // every value of every column is good
}

const (
	noLabel  = -1
	badLabel = -2
	badHour  = Hour(math.MinInt32)
)

// newCacheHeads reads the values of the columns that enc needs. Columns that
// are text all through have none.
func newCacheHeads(c *Cache, enc *Encoder) (*cacheHeads, error) {
	h := &cacheHeads{c: c, enc: enc, clean: true, nums: make([][]float64, len(enc.ops)), bad: make([][]bool, len(enc.ops))}
	needs := enc.Needs()
	for _, col := range []int{enc.label, enc.time, enc.weight} {
		if col >= 0 {
			needs[col] = true
		}
	}
	for col, yes := range needs {
		if !yes {
			continue
		}
		h.need = append(h.need, col)
		if err := c.loadValues(col); err != nil {
			return nil, err
		}
	}
	h.label = h.labels()
	each(c, enc.time, &h.hour, func(v []byte) Hour {
		x, ok := ParseHour(v)
		if !ok {
			h.clean = false
			return badHour
		}
		return x
	})
	each(c, enc.weight, &h.weight, func(v []byte) float64 {
		x, ok := goodWeight(v)
		h.clean = h.clean && ok
		return x
	})
	for f := range enc.ops {
		if o := &enc.ops[f]; o.kind == opNum || o.kind == opBin {
			h.numbers(f, o)
		}
	}
	return h, nil
}

// each sets table to what do makes of each value of a column.
func each[T any](c *Cache, col int, table *[]T, do func(v []byte) T) {
	if col < 0 {
		return
	}
	t := make([]T, c.values(col))
	for i := range t {
		t[i] = do(c.value(col, uint32(i)))
	}
	*table = t
}

func (h *cacheHeads) labels() (table []int8) {
	each(h.c, h.enc.label, &table, func(v []byte) int8 {
		switch {
		case len(v) == 1 && (v[0] == '0' || v[0] == '1'):
			return int8(v[0] - '0')
		case len(v) == 0:
			h.clean = false
			return noLabel
		default:
			h.clean = false
			return badLabel
		}
	})
	return table
}

func (h *cacheHeads) numbers(f int, o *op) {
	i := 0
	each(h.c, o.col, &h.nums[f], func(v []byte) float64 {
		x, ok := ParseNumber(v)
		if !ok {
			if h.bad[f] == nil {
				h.bad[f] = make([]bool, h.c.values(o.col))
			}
			h.bad[f][i], h.clean = true, false
		}
		i++
		return x
	})
}

// coded reports whether all columns needed of chunk k are numbers of values.
func (h *cacheHeads) coded(k int) bool {
	for _, col := range h.need {
		if !h.c.coded(k, col) {
			return false
		}
	}
	return true
}

// faultless reports whether every row of chunk k is good.
func (h *cacheHeads) faultless(k int) bool {
	return h.clean && h.enc.label >= 0 && len(h.c.footer.Chunks[k].Bad) == 0
}

// chunkHeads are the columns of one chunk that decide whether a row is good.
type chunkHeads struct {
	*cacheHeads
	k                       int
	labels, hours, ws       Codes
	numCodes                []Codes // by field
	hasBad, timed, weighted bool
}

func (h *cacheHeads) chunk(k int) chunkHeads {
	ch := chunkHeads{cacheHeads: h, k: k, hasBad: len(h.c.footer.Chunks[k].Bad) > 0}
	if h.enc.label >= 0 {
		ch.labels = h.c.codes(k, h.enc.label)
	}
	if h.enc.time >= 0 {
		ch.hours, ch.timed = h.c.codes(k, h.enc.time), true
	}
	if h.enc.weight >= 0 {
		ch.ws, ch.weighted = h.c.codes(k, h.enc.weight), true
	}
	ch.numCodes = make([]Codes, len(h.nums))
	for f := range h.nums {
		if h.nums[f] != nil {
			ch.numCodes[f] = h.c.codes(k, h.enc.ops[f].col)
		}
	}
	return ch
}

// hourOf gives the time of row i; ok is false where it is none or the row
// could not be split.
func (ch *chunkHeads) hourOf(i int) (x Hour, ok bool) {
	if ch.hasBad && (&cachedRows{c: ch.c, k: ch.k}).fault(i) != nil {
		return 0, false
	}
	if !ch.timed {
		return 0, true
	}
	x = ch.hour[ch.hours.At(i)]
	return x, x != badHour
}

// y gives the label of row i, -1 where it has none.
func (ch *chunkHeads) y(i int) int {
	if ch.enc.label < 0 {
		return -1
	}
	return int(max(ch.label[ch.labels.At(i)], noLabel))
}

// good reports whether row i has a label, a weight and numbers that can be
// used.
func (ch *chunkHeads) good(i int) bool {
	if ch.enc.label < 0 || ch.label[ch.labels.At(i)] < 0 {
		return false
	}
	for f, bad := range ch.bad {
		if bad != nil && bad[ch.numCodes[f].At(i)] {
			return false
		}
	}
	return !ch.weighted || ch.weight[ch.ws.At(i)] > 0
}
