package features

import (
	"bytes"
	"cmp"
	"context"
	"math"
	"slices"
	"sync"
)

// FitOptions say how kept rows are divided.
type FitOptions struct {
	// Split is "time", "random" or "none".
	Split string
	// Fraction is the share to hold out.
	Fraction float64
	Seed     uint64
	Threads  int // 1 or more
}

// Fitted is what Collector.Fit makes.
type Fitted struct {
	Spec    *Spec
	Holdout Holdout
	// SampleLast is the hash of the last row in the sample, for Selection; 0
	// where all rows were kept.
	SampleLast  uint64
	Train, Test *Table // in the order of the input; Test has no rows where nothing is held out
}

// Fit learns a Spec from the training part of the rows kept and encodes both
// parts with it. It may be called once, when all workers are done.
func (c *Collector) Fit(ctx context.Context, o FitOptions) (*Fitted, error) {
	f := &fitting{c: c, chunks: c.ordered(), last: c.sampleBound()}
	holdout, err := f.holdout(o)
	if err != nil {
		return nil, err
	}
	f.divide(&holdout)
	if f.nTrain+f.nTest == 0 {
		return nil, ErrNoRows
	}
	spec := &Spec{Schema: *c.plan.Schema, Fields: slices.Clone(c.plan.Fields), Bits: c.plan.Bits}
	out := &Fitted{Spec: spec, Holdout: holdout}
	if f.last < math.MaxUint64 {
		out.SampleLast = f.last
	}
	out.Train, out.Test = f.tables(spec)
	if err := f.fields(ctx, o.Threads, out); err != nil {
		return nil, err
	}
	return out, nil
}

// fitting is the state of one Fit.
type fitting struct {
	c             *Collector
	chunks        []*chunk
	parts         [][]part // by chunk and row
	last          uint64   // hashes up to it are in the sample
	nTrain, nTest int
}

// part is where a kept row goes.
type part uint8

const (
	toNone part = iota // not in the sample after all
	toTrain
	toTest
)

// sampleBound gives the hash of the last row of the sample.
func (c *Collector) sampleBound() uint64 {
	n := int(c.opts.Sample)
	if n == 0 {
		return math.MaxUint64
	}
	var all []uint64
	for _, w := range c.workers {
		all = append(all, w.kept...)
	}
	if len(all) <= n && c.bound.Load() == math.MaxUint64 {
		return math.MaxUint64
	}
	slices.Sort(all)
	return all[n-1]
}

func (f *fitting) sampled(ch *chunk, i int) bool { return ch.hashes == nil || ch.hashes[i] <= f.last }

// holdout fixes the split, by the sampled rows.
func (f *fitting) holdout(o FitOptions) (Holdout, error) {
	h := Holdout{Kind: o.Split}
	switch o.Split {
	case "random":
		h.Fraction, h.Seed = o.Fraction, o.Seed
	case "time":
		h.Fraction = o.Fraction
		counts := map[Hour]int{}
		for _, ch := range f.chunks {
			for i, t := range ch.hour {
				if f.sampled(ch, i) {
					counts[t]++
				}
			}
		}
		if len(counts) == 0 && len(f.chunks) == 0 {
			return h, ErrNoRows
		}
		var err error
		h.Boundary, err = TimeBoundary(counts, o.Fraction)
		return h, err
	}
	return h, nil
}

// divide decides where each row goes.
func (f *fitting) divide(h *Holdout) {
	f.parts = make([][]part, len(f.chunks))
	for k, ch := range f.chunks {
		p := make([]part, len(ch.y))
		for i := range p {
			if !f.sampled(ch, i) {
				continue
			}
			var t Hour
			if ch.hour != nil {
				t = ch.hour[i]
			}
			if h.Test(RowKey{ch.file, ch.first + int64(ch.rows[i])}, t) {
				p[i] = toTest
				f.nTest++
			} else {
				p[i] = toTrain
				f.nTrain++
			}
		}
		f.parts[k] = p
	}
}

// tables makes the two tables with everything but codes and values.
func (f *fitting) tables(spec *Spec) (train, test *Table) {
	make1 := func(n int) *Table {
		t := &Table{Spec: spec, Rows: n, Codes: make([]Codes, len(spec.Fields)), Values: make([][]float64, len(spec.Fields)), Y: make([]uint8, n)}
		if f.c.enc.weight >= 0 {
			t.W = make([]float64, n)
		}
		if f.c.enc.time >= 0 {
			t.Hour = make([]int32, n)
		}
		return t
	}
	train, test = make1(f.nTrain), make1(f.nTest)
	f.each(train, test, func(ch *chunk, i int, t *Table, at int) {
		t.Y[at] = ch.y[i]
		if t.W != nil {
			t.W[at] = ch.w[i]
		}
		if t.Hour != nil {
			t.Hour[at] = int32(ch.hour[i])
		}
	})
	return train, test
}

// each calls do for every row in a table: row i of a chunk is row at of t.
func (f *fitting) each(train, test *Table, do func(ch *chunk, i int, t *Table, at int)) {
	nTrain, nTest := 0, 0
	for k, ch := range f.chunks {
		for i, p := range f.parts[k] {
			switch p {
			case toTrain:
				do(ch, i, train, nTrain)
				nTrain++
			case toTest:
				do(ch, i, test, nTest)
				nTest++
			}
		}
	}
}

// fields fits and encodes all fields, each by one of the threads.
func (f *fitting) fields(ctx context.Context, threads int, out *Fitted) error {
	spec := out.Spec
	next := make(chan int)
	var wg sync.WaitGroup
	errs := make([]error, len(spec.Fields))
	for range max(threads, 1) {
		wg.Go(func() {
			for i := range next {
				errs[i] = f.field(i, out)
			}
		})
	}
	var stopped error
	for i := range spec.Fields {
		if stopped = ctx.Err(); stopped != nil {
			break
		}
		next <- i
	}
	close(next)
	wg.Wait()
	return cmp.Or(stopped, firstError(errs))
}

func firstError(errs []error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func (f *fitting) field(i int, out *Fitted) error {
	fd := &out.Spec.Fields[i]
	switch {
	case fd.Type == Num:
		f.number(i, fd, out)
	case f.c.enc.ops[i].kind == opHash || fd.Type == Hash && !f.c.plan.caps[i]:
		f.fill(i, out, func(_ int, code uint32) uint32 { return code })
	default:
		remap, err := f.category(i, fd, out.Spec.Bits)
		if err != nil {
			return err
		}
		f.fill(i, out, func(worker int, id uint32) uint32 { return remap[worker][id] })
	}
	return nil
}

// fill writes the codes of field i to both tables.
func (f *fitting) fill(i int, out *Fitted, final func(worker int, code uint32) uint32) {
	size := out.Spec.Size(i)
	train, test := MakeCodes(f.nTrain, size), MakeCodes(f.nTest, size)
	nTrain, nTest := 0, 0
	for k, ch := range f.chunks {
		n := len(ch.y)
		codes := ch.codes[i*n : (i+1)*n]
		for j, p := range f.parts[k] {
			switch p {
			case toTrain:
				train.Set(nTrain, final(ch.worker, codes[j]))
				nTrain++
			case toTest:
				test.Set(nTest, final(ch.worker, codes[j]))
				nTest++
			}
		}
	}
	out.Train.Codes[i], out.Test.Codes[i] = train, test
}

// tally is the distinct values of a field with their numbers of training rows.
type tally struct {
	ids    *interner
	counts []int
	local  [][]uint32 // from a worker's number of a value to its place here
}

func (f *fitting) tally(i int) *tally {
	t := &tally{ids: newInterner()}
	local := make([][]int, len(f.c.workers))
	for w := range local {
		local[w] = make([]int, f.c.workers[w].ids[i].len())
	}
	for k, ch := range f.chunks {
		n, counts := len(ch.y), local[ch.worker]
		codes := ch.codes[i*n : (i+1)*n]
		for j, p := range f.parts[k] {
			if p == toTrain {
				counts[codes[j]]++
			}
		}
	}
	for w, counts := range local {
		ids := f.c.workers[w].ids[i]
		to := make([]uint32, ids.len())
		for id := range to {
			g := t.ids.id(ids.value(uint32(id)))
			if int(g) == len(t.counts) {
				t.counts = append(t.counts, 0)
			}
			t.counts[g] += counts[id]
			to[id] = g
		}
		t.local = append(t.local, to)
	}
	return t
}

// category fits a Dict or a capped Hash field and gives the final code of
// every worker's numbers.
func (f *fitting) category(i int, fd *Field, bits int) ([][]uint32, error) {
	t := f.tally(i)
	if f.c.plan.caps[i] {
		fd.Cap = t.cap()
	}
	capTo := t.capped(fd.Cap)
	final := make([]uint32, t.ids.len())
	if fd.Type == Hash {
		for g := range final {
			final[g] = Murmur3(t.ids.value(capTo[g]), fd.Seed) & (1<<bits - 1)
		}
	} else {
		counts := make([]int, t.ids.len())
		for g, to := range capTo {
			counts[to] += t.counts[g]
		}
		codes, dict, err := dictionaryOf(t.ids, counts, fd.MinCount)
		if err != nil {
			return nil, err
		}
		fd.Dict = dict
		for g, to := range capTo {
			final[g] = codes[to]
		}
	}
	remap := t.local
	for _, to := range remap {
		for id, g := range to {
			to[id] = final[g]
		}
	}
	return remap, nil
}

// cap gives the 0.98 quantile of the training rows' numbers, the smallest
// that at least that share does not exceed, where it is less than half of
// their maximum; else nil.
func (t *tally) cap() *float64 {
	type count struct {
		x float64
		n int
	}
	var all []count
	total := 0
	for g, n := range t.counts {
		x, ok := ParseNumber(t.ids.value(uint32(g)))
		if ok && x == x && n > 0 {
			all = append(all, count{x, n})
			total += n
		}
	}
	if total == 0 {
		return nil
	}
	slices.SortFunc(all, func(a, b count) int { return cmp.Compare(a.x, b.x) })
	rank, below := int(math.Ceil(0.98*float64(total))), 0
	for _, c := range all {
		if below += c.n; below >= rank {
			if c.x < 0.5*all[len(all)-1].x {
				return &c.x
			}
			return nil
		}
	}
	return nil
}

// capped gives for each value the value that it is read as.
func (t *tally) capped(limit *float64) []uint32 {
	to := make([]uint32, t.ids.len(), t.ids.len()+1)
	for g := range to {
		to[g] = uint32(g)
	}
	if limit == nil {
		return to
	}
	at := t.ids.id(appendNumber(nil, *limit))
	if int(at) == len(t.counts) {
		t.counts = append(t.counts, 0)
		to = append(to, at)
	}
	for g := range to {
		if x, ok := ParseNumber(t.ids.value(uint32(g))); ok && x > *limit {
			to[g] = at
		}
	}
	return to
}

// dictionaryOf gives codes by falling count, ties by the value's bytes, to the
// values that were seen minCount times or more.
func dictionaryOf(ids *interner, counts []int, minCount int) (codes []uint32, d *Dictionary, err error) {
	order := make([]uint32, 0, len(counts))
	size := 0
	for g, n := range counts {
		if n >= max(minCount, 1) {
			order = append(order, uint32(g))
			size += len(ids.value(uint32(g)))
		}
	}
	slices.SortFunc(order, func(a, b uint32) int {
		return cmp.Or(cmp.Compare(counts[b], counts[a]), bytes.Compare(ids.value(a), ids.value(b)))
	})
	codes = make([]uint32, len(counts))
	text, offsets := make([]byte, 0, size), make([]uint64, 1, len(order)+1)
	for i, g := range order {
		codes[g] = uint32(i + 1)
		text = append(text, ids.value(g)...)
		offsets = append(offsets, uint64(len(text)))
	}
	d, err = NewDictionary(text, offsets)
	return codes, d, err
}

// number fits the bins and the scale of a Num field and fills its columns.
func (f *fitting) number(i int, fd *Field, out *Fitted) {
	j := 0
	for k := range i {
		if f.c.enc.ops[k].kind == opNum {
			j++
		}
	}
	train, test := make([]float64, f.nTrain), make([]float64, f.nTest)
	f.each(out.Train, out.Test, func(ch *chunk, row int, t *Table, at int) {
		if x := ch.nums[j*len(ch.y)+row]; t == out.Train {
			train[at] = x
		} else {
			test[at] = x
		}
	})
	fd.fitNumber(train, f.c.plan.bins(f.nTrain), f.c.plan.caps[i])
	for _, side := range []struct {
		t *Table
		v []float64
	}{{out.Train, train}, {out.Test, test}} {
		codes := MakeCodes(len(side.v), out.Spec.Size(i))
		for row, x := range side.v {
			if fd.Cap != nil && x > *fd.Cap {
				x = *fd.Cap
				side.v[row] = x
			}
			codes.Set(row, binOf(fd.Bounds, x))
		}
		side.t.Codes[i], side.t.Values[i] = codes, side.v
	}
}
