package synth

import (
	"context"
	"fmt"
	"io"
	"sync"
)

// blockRows is the number of rows made from one random stream. It belongs to
// the format: another number gives other rows.
const blockRows = 8192

// rowBytes is more than the mean length of a row, by which buffers are sized.
const rowBytes = 160

// block is the text of consecutive rows.
type block struct {
	rows  int64
	data  []byte
	truth []byte
}

// Write writes the header and the rows to w as CSV, about 154 bytes a row.
// progress, where it is not nil, is called after every block with the number
// of rows written so far and in all, from the calling goroutine. When Write
// returns, no goroutine of its own is left. It stops with the context's error
// soon after ctx is done, or with the first error of w or Options.Truth; what
// was written until then is the beginning of the rows and may end within one.
func Write(ctx context.Context, w io.Writer, o Options, progress func(done, total int64)) error {
	if err := o.Validate(); err != nil {
		return err
	}
	o = o.withDefaults()
	if err := writeHeaders(w, o); err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	var workers sync.WaitGroup
	defer workers.Wait()
	defer stop()
	blocks := (o.Rows + blockRows - 1) / blockRows
	threads := int(min(int64(o.Threads), blocks))
	made, spare := make([]chan *block, threads), make(chan *block, 3*threads)
	for t := range made {
		made[t] = make(chan *block, 2)
	}
	turns := fatigueTurns(ctx, o, threads)
	for t := range made {
		workers.Go(func() { makeBlocks(ctx, o, turns[t], int64(t), int64(threads), made[t], spare) })
	}
	var done int64
	for i := range blocks { // goroutine t makes blocks t, t+threads, ...
		var b *block
		select {
		case b = <-made[i%int64(threads)]:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		if err := b.write(w, o.Truth); err != nil {
			return err
		}
		done += b.rows
		select {
		case spare <- b:
		default:
		}
		if progress != nil {
			progress(done, o.Rows)
		}
	}
	return nil
}

func writeHeaders(w io.Writer, o Options) error {
	header := headerStart + headerClick + headerRest
	if o.NoClick {
		header = headerStart + headerRest
	}
	if _, err := io.WriteString(w, header); err != nil {
		return fmt.Errorf("synthetic rows: %w", err)
	}
	if o.Truth != nil {
		if _, err := io.WriteString(o.Truth, truthHeader); err != nil {
			return fmt.Errorf("true probabilities: %w", err)
		}
	}
	return nil
}

func (b *block) write(w, truth io.Writer) error {
	if _, err := w.Write(b.data); err != nil {
		return fmt.Errorf("synthetic rows: %w", err)
	}
	if truth != nil {
		if _, err := truth.Write(b.truth); err != nil {
			return fmt.Errorf("true probabilities: %w", err)
		}
	}
	return nil
}

// makeBlocks makes every step-th block from the first on, until all are made
// or ctx is done.
func makeBlocks(ctx context.Context, o Options, turn *fatigueTurn, first, step int64, out chan<- *block, spare <-chan *block) {
	m := newMaker(o)
	m.turn = turn
	for i := first; i*blockRows < o.Rows; i += step {
		var b *block
		select {
		case b = <-spare:
		default:
			b = &block{data: make([]byte, 0, blockRows*rowBytes)}
		}
		if !m.fill(b, i) {
			return
		}
		select {
		case out <- b:
		case <-ctx.Done():
			return
		}
	}
}

// maker makes the rows of one run. It is not safe for concurrent use.
type maker struct {
	w    *world
	o    Options // with defaults
	ends [hours]int64
	row  row

	turn *fatigueTurn // nil without fatigue
	rows []row        // of a block, with fatigue
}

func newMaker(o Options) *maker {
	return &maker{w: theWorld(), o: o, ends: hourEnds(o.Rows)}
}

// each calls f with each row of block i, without fatigue; the row is reused.
func (m *maker) each(i int64, f func(*row)) {
	m.impressions(i, func(r *row) {
		m.w.decide(r)
		f(r)
	})
}

// impressions calls f with each row of block i as it is before anybody knows
// whether it will be clicked; the row is reused.
func (m *maker) impressions(i int64, f func(*row)) {
	g := rng(hash2(m.o.Seed, 1, uint64(i)))
	key := hash2(m.o.Seed, 2, 0)
	from, to := i*blockRows, min((i+1)*blockRows, m.o.Rows)
	h := 0
	for n := from; n < to; n++ {
		for n >= m.ends[h] {
			h++
		}
		m.row.id = mix(key + uint64(n)) // mix is one-to-one: no two rows share an id
		m.row.hour = &m.w.hour[h]
		m.w.draw(&m.row, &g)
		f(&m.row)
	}
}

// fill makes block i. It gives false where the run has ended.
func (m *maker) fill(b *block, i int64) bool {
	b.rows, b.data, b.truth = 0, b.data[:0], b.truth[:0]
	add := func(r *row) {
		b.rows++
		b.data = m.w.append(b.data, r, !m.o.NoClick)
		if m.o.Truth != nil {
			b.truth = appendTruth(b.truth, r)
		}
	}
	if m.turn == nil {
		m.each(i, add)
		return true
	}
	m.rows = m.rows[:0]
	m.impressions(i, func(r *row) { m.rows = append(m.rows, *r) })
	if !m.turn.count(m.rows) {
		return false
	}
	for k := range m.rows {
		m.w.decide(&m.rows[k])
		add(&m.rows[k])
	}
	return true
}

// NewReader gives what Write writes as a stream, without a file between. Read
// returns io.EOF after the last row, or the error that stopped the rows. The
// rows are made as they are read. Close stops them and waits for their
// goroutines; a reader that was not read to its end must be closed.
func NewReader(ctx context.Context, o Options) io.ReadCloser {
	ctx, stop := context.WithCancel(ctx)
	pr, pw := io.Pipe()
	r := &reader{PipeReader: pr, stop: stop, done: make(chan struct{})}
	go func() {
		defer close(r.done)
		defer stop()
		pw.CloseWithError(Write(ctx, pw, o, nil))
	}()
	return r
}

type reader struct {
	*io.PipeReader
	stop context.CancelFunc
	done chan struct{}
}

// Close stops the rows.
func (r *reader) Close() error {
	r.stop()
	err := r.PipeReader.Close()
	<-r.done
	return err
}
