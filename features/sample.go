package features

import (
	"math"
	"slices"
	"sync/atomic"
)

// offered is a row that was offered to a reservoir.
type offered struct {
	hash uint64
	hour Hour
}

// reservoir finds the n rows with the least hashes of all that the workers see.
// How many hashes lie where is counted for all workers together, so that
// little more than n rows are held at any time. A nil reservoir takes every
// row.
type reservoir struct {
	n      int64
	bound  atomic.Uint64 // rows with a hash above it are not among them
	counts [1 << reservoirBits]atomic.Int64
}

// reservoirBits of a hash say where it is counted.
const reservoirBits = 14

func newReservoir(n int64) *reservoir {
	if n == 0 {
		return nil
	}
	r := &reservoir{n: n}
	r.bound.Store(math.MaxUint64)
	return r
}

// offer says whether a row may be one of the n, and adds it to mine, what one
// worker has, if so.
func (r *reservoir) offer(mine *[]offered, row offered) bool {
	if row.hash > r.bound.Load() {
		return false
	}
	*mine = append(*mine, row)
	r.counts[row.hash>>(64-reservoirBits)].Add(1)
	if int64(len(*mine))%max(r.n/8, 1024) == 0 {
		r.lower()
		end := r.bound.Load()
		*mine = slices.DeleteFunc(*mine, func(o offered) bool { return o.hash > end })
	}
	return true
}

// lower brings the bound down to where n rows lie below it.
func (r *reservoir) lower() {
	var below int64
	for i := range r.counts {
		if below += r.counts[i].Load(); below < r.n {
			continue
		}
		end := uint64(i+1)<<(64-reservoirBits) - 1
		for old := r.bound.Load(); end < old && !r.bound.CompareAndSwap(old, end); {
			old = r.bound.Load()
		}
		return
	}
}

// last gives the hash of the last of the n, of all that workers have:
// the largest there is where no row was turned away.
func (r *reservoir) last(all []offered) uint64 {
	if r == nil || int64(len(all)) <= r.n && r.bound.Load() == math.MaxUint64 {
		return math.MaxUint64
	}
	hashes := make([]uint64, len(all))
	for i, row := range all {
		hashes[i] = row.hash
	}
	slices.Sort(hashes)
	return hashes[r.n-1]
}

// tallies are what a worker knows of the rows that are divided into parts,
// where it does not keep them all.
type tallies struct {
	sample []offered    // candidates of the sample
	hours  map[Hour]int // rows of each hour, where there is no sample
	hour   Hour         // of the last row, with how many before it had the same
	run    int
}

// count notes a row of an hour.
func (t *tallies) count(h Hour) {
	if t.run > 0 && h == t.hour {
		t.run++
		return
	}
	t.flush()
	t.hour, t.run = h, 1
}

func (t *tallies) flush() {
	if t.hours == nil {
		t.hours = map[Hour]int{}
	}
	if t.run > 0 {
		t.hours[t.hour] += t.run
	}
	t.run = 0
}

// sampled says whether a row is to be kept, and notes it if so.
func (w *CollectWorker) sampled(ch *chunk, k RowKey, h Hour) bool {
	c := w.c
	if c.kept == nil {
		return true
	}
	row := offered{k.sampleHash(c.opts.Seed), h}
	switch {
	case c.wide != nil:
		c.wide.offer(&w.tallies.sample, row)
	case c.opts.Keep > 0:
		w.tallies.count(h)
	}
	if !c.kept.offer(&w.kept, row) {
		return false
	}
	ch.hashes = append(ch.hashes, row.hash)
	return true
}

// tidy drops the rows of w that can't be kept any more, when these may be a
// third of all that it holds.
func (w *CollectWorker) tidy() {
	if w.c.kept == nil {
		return
	}
	end := w.c.kept.bound.Load()
	if end > w.tidied/3*2 {
		return
	}
	w.tidied = end
	w.chunks = slices.DeleteFunc(w.chunks, func(ch *chunk) bool {
		ch.keep(end)
		return len(ch.y) == 0
	})
}

// keep leaves in ch the rows with hashes up to end.
func (ch *chunk) keep(end uint64) {
	n := len(ch.y)
	at, rows := make([]int32, 0, n), make([]int32, 0, n)
	for i, h := range ch.hashes {
		if h <= end {
			at, rows = append(at, int32(i)), append(rows, int32(ch.row(i)-ch.first))
		}
	}
	if len(at) == n {
		return
	}
	ch.rows = rows
	for f := range ch.codes {
		if c := &ch.codes[f]; c.U8 != nil || c.U16 != nil || c.U32 != nil {
			*c = c.pick(at)
		}
	}
	past := len(ch.past) / n
	kept := make([]uint32, 0, past*len(at))
	for _, i := range at {
		kept = append(kept, ch.past[int(i)*past:int(i+1)*past]...)
	}
	ch.past = kept
	if ch.nums != nil { // nil says where numbers are
		ch.nums = pickColumns(ch.nums, at, n)
	}
	ch.y, ch.hashes = pick(ch.y, at), pick(ch.hashes, at)
	if ch.w != nil {
		ch.w = pick(ch.w, at)
	}
	if len(ch.hour) > 1 {
		ch.hour = pick(ch.hour, at)
	}
}

// pickColumns gives the rows at of all columns of n rows each that lie one
// after another in from.
func pickColumns(from []float64, at []int32, n int) []float64 {
	out := make([]float64, 0, len(from)/n*len(at))
	for lo := 0; lo < len(from); lo += n {
		for _, i := range at {
			out = append(out, from[lo+int(i)])
		}
	}
	return out
}

// sampleBound gives the hash of the last row that is kept.
func (c *Collector) sampleBound() uint64 {
	var all []offered
	for _, w := range c.workers {
		all = append(all, w.kept...)
	}
	return c.kept.last(all)
}

// hours gives the number of rows of each hour, of all that are to be divided:
// those kept, up to the hash last, or with CollectOptions.Keep those that
// would be without it.
func (c *Collector) hours(last uint64) map[Hour]int {
	counts := map[Hour]int{}
	switch {
	case c.wide != nil:
		var all []offered
		for _, w := range c.workers {
			all = append(all, w.tallies.sample...)
		}
		end := c.wide.last(all)
		for _, row := range all {
			if row.hash <= end {
				counts[row.hour]++
			}
		}
	case c.opts.Keep > 0:
		for _, w := range c.workers {
			w.tallies.flush()
			for h, n := range w.tallies.hours {
				counts[h] += n
			}
		}
	default:
		for _, w := range c.workers {
			for _, ch := range w.chunks {
				for i := range ch.y {
					if ch.hour != nil && (ch.hashes == nil || ch.hashes[i] <= last) {
						counts[ch.time(i)]++
					}
				}
			}
		}
	}
	return counts
}

// Hours gives the number of distinct hours among the rows that are to be
// divided; it may be called when all workers are done.
func (c *Collector) Hours() int { return len(c.hours(c.sampleBound())) }
