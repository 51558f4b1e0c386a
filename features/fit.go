package features

import (
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
	// Scratch has room for the tables; nil = the heap.
	Scratch *Scratch
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
	f := &fitting{c: c, scratch: o.Scratch, chunks: c.ordered(), last: c.sampleBound()}
	for _, ch := range f.chunks {
		if !slices.Contains(f.sets, ch.set) {
			ch.set.number = len(f.sets)
			f.sets = append(f.sets, ch.set)
		}
	}
	holdout, err := f.holdout(o)
	if err != nil {
		return nil, err
	}
	f.divide(&holdout)
	if f.nTrain+f.nTest == 0 {
		return nil, ErrNoRows
	}
	spec := &Spec{Schema: *c.plan.Schema, Fields: slices.Clone(c.plan.Fields), Bits: c.plan.Bits, HistoryBits: c.plan.HistoryBits, Redacted: c.plan.Redacted}
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
	scratch       *Scratch // of the tables
	chunks        []*chunk
	sets          []*codeSet
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

func (f *fitting) sampled(ch *chunk, i int) bool { return ch.hashes == nil || ch.hashes[i] <= f.last }

// holdout fixes the split, by the sampled rows.
func (f *fitting) holdout(o FitOptions) (Holdout, error) {
	h := Holdout{Kind: o.Split}
	switch o.Split {
	case "random":
		h.Fraction, h.Seed = o.Fraction, o.Seed
	case "time":
		h.Fraction = o.Fraction
		counts := f.c.hours(f.last)
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
		p := Alloc[part](f.c.opts.Scratch, len(ch.y))
		for i := range p {
			if !f.sampled(ch, i) {
				continue
			}
			if h.Test(RowKey{ch.file, ch.row(i)}, ch.time(i)) {
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
		t := &Table{Spec: spec, Rows: n, Codes: make([]Codes, len(spec.Fields)), Values: make([][]float64, len(spec.Fields)), Y: Alloc[uint8](f.scratch, n)}
		if f.c.enc.weight >= 0 {
			t.W = Alloc[float64](f.scratch, n)
		}
		if f.c.enc.time >= 0 {
			t.Hour = Alloc[int32](f.scratch, n)
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
			t.Hour[at] = int32(ch.time(i))
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
	for _, i := range f.largestFirst() {
		if stopped = ctx.Err(); stopped != nil {
			break
		}
		next <- i
	}
	close(next)
	wg.Wait()
	return cmp.Or(stopped, firstError(errs))
}

// largestFirst gives the fields by falling number of values, so that the last
// one to be fitted is a quick one.
func (f *fitting) largestFirst() []int {
	order := make([]int, len(f.c.plan.Fields))
	values := make([]int, len(order))
	for i := range order {
		order[i] = i
		for s, set := range f.sets {
			if v := set.values[i]; v != nil && f.firstSet(i, v) == s {
				values[i] += v.len()
			}
		}
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(values[b], values[a]) })
	return order
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
	case f.c.final(i):
		f.fill(i, out, f.hashes(i, fd, out.Spec.Bits))
	default:
		remap, err := f.category(i, fd, out.Spec.Bits)
		if err != nil {
			return err
		}
		f.fill(i, out, remap)
	}
	return nil
}

// fill writes the codes of field i to both tables. remap has, by the number of
// a set of codes, the final code of each; nil where they are final.
func (f *fitting) fill(i int, out *Fitted, remap [][]uint32) {
	size := out.Spec.Size(i)
	train, test := AllocCodes(f.scratch, f.nTrain, size), AllocCodes(f.scratch, f.nTest, size)
	nTrain, nTest := 0, 0
	for k, ch := range f.chunks {
		to, parts := remap[ch.set.number], f.parts[k]
		for lo := 0; lo < len(parts); {
			hi := lo + 1
			for hi < len(parts) && parts[hi] == parts[lo] {
				hi++
			}
			switch parts[lo] {
			case toTrain:
				train.fill(nTrain, &ch.codes[i], lo, hi, to)
				nTrain += hi - lo
			case toTest:
				test.fill(nTest, &ch.codes[i], lo, hi, to)
				nTest += hi - lo
			}
			lo = hi
		}
	}
	out.Train.Codes[i], out.Test.Codes[i] = train, test
}

// value gives what finds the number of field i in a kept row.
func (f *fitting) value(i int) func(ch *chunk, row int) float64 {
	if o := &f.c.enc.ops[i]; o.kind == opPast {
		return func(ch *chunk, row int) float64 {
			return o.past(ch.past[row*f.c.past : (row+1)*f.c.past])
		}
	}
	j := 0
	for k := range i {
		if f.c.enc.ops[k].kind == opNum {
			j++
		}
	}
	return func(ch *chunk, row int) float64 {
		if ch.nums == nil {
			return ch.set.nums[i][ch.codes[i].At(row)]
		}
		return ch.nums[j*len(ch.y)+row]
	}
}

// number fits the bins and the scale of a Num field and fills its columns.
func (f *fitting) number(i int, fd *Field, out *Fitted) {
	value := f.value(i)
	train, test := Alloc[float64](f.scratch, f.nTrain), Alloc[float64](f.scratch, f.nTest)
	f.each(out.Train, out.Test, func(ch *chunk, row int, t *Table, at int) {
		if x := value(ch, row); t == out.Train {
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
		codes := AllocCodes(f.scratch, len(side.v), out.Spec.Size(i))
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
