package pipeline

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"sync"
	"sync/atomic"

	"ctr/features"
)

// job is a block on its way through a rowReader, with what its worker made of
// it.
type job struct {
	block features.Block
	file  int
	open  *opened
	out   jobOutput
	learn learnable
	// explained are rows that ctr explain has found
	explained []ExplainedRow
	bad       []error // of rows that were passed over
	err       error   // that ends the reading
	seq       int64   // 0 for the first block of all
	// before is the number of rows in the sources before this one.
	before int64
	// history is the reader's
	history *historyPass
	done    chan struct{}
}

// jobOutput is what evaluation and file scoring make of a block: a result for
// each good row that was selected.
type jobOutput struct {
	y    []int8
	p    []float64
	w    []float64 // empty where rows have no weight
	text []byte    // lines for the output file
}

// opened is what is known of a source once its first row has been seen.
type opened struct {
	layout features.Layout
	schema *features.Schema
	// bind is what the caller made of the layout: a Collector or an Encoder.
	bind any
	// codes encodes rows of a cache without their text; nil where it can't.
	codes *features.CacheEncoder
	// keys reads the keys of history fields; set by layout where there is a
	// historyPass.
	keys *features.Encoder
	// reads has the columns that will be looked at; nil = all.
	reads []bool
	// cache is what the rows come from, where it is one.
	cache *features.Cache
}

// rowReader reads sources, has threads work on their blocks, and emits the
// blocks in order. It holds a fixed number of blocks, so that a slow reader of
// its output slows the reading of its input.
type rowReader struct {
	in      *Input
	sources []source
	schema  *features.Schema
	obs     Observer
	// layout is called for each source when its layout is known, in order.
	layout func(o *opened, name string) error
	// history, where not nil by the time layout has been called, is what all
	// rows go through before worker's function.
	history *historyPass
	// worker makes the function that a goroutine calls for each block.
	worker func() func(j *job)
	// coded says that worker takes blocks of caches as they are, not split;
	// chunks, that it takes whole chunks of them.
	coded, chunks bool
	// emit, where not nil, is called for each block in order.
	emit func(j *job) error

	rows int64 // in the sources that have been read

	// What is known afterwards.
	marks []FileMark
	bad   error // the first bad row's
	nBad  int
}

// FileMark says what was read of one file: its fingerprint.
type FileMark struct {
	Bytes int64  `json:"bytes"`
	XXH64 string `json:"xxh64"`
}

// run reads everything. It returns the first of: a failure to read, the
// error of emit, more bad rows than allowed, ctx's error.
func (r *rowReader) run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	threads := r.in.threads()
	free := make(chan *job, 4*threads+4)
	for range cap(free) {
		free <- &job{done: make(chan struct{}, 1)}
	}
	work, order := make(chan *job, cap(free)), make(chan *job, cap(free))
	var wg sync.WaitGroup
	for range threads {
		do := r.worker()
		wg.Go(func() {
			for j := range work {
				switch r.ready(j); {
				case j.err == nil:
					if j.history != nil {
						j.history.do(j, j.seq)
					}
					do(j)
				case j.history != nil:
					j.history.pass(j.seq)
				}
				j.done <- struct{}{}
			}
		})
	}
	var emitErr error
	var tooMany atomic.Bool
	collected := make(chan struct{})
	go func() {
		defer close(collected)
		for j := range order {
			<-j.done
			r.take(j, &tooMany)
			if emitErr == nil && j.err != nil {
				emitErr = j.err
				cancel()
			}
			if r.emit != nil && emitErr == nil && !tooMany.Load() {
				if emitErr = r.emit(j); emitErr != nil {
					cancel()
				}
			}
			free <- j
		}
	}()
	var seq int64
	readErr := r.read(ctx, free, &tooMany, func(j *job) {
		j.seq, j.history = seq, r.history
		seq++
		order <- j
		work <- j
	})
	close(work)
	close(order)
	wg.Wait()
	<-collected
	switch {
	case emitErr != nil:
		return emitErr
	case tooMany.Load():
		return &features.TooManyBad{Max: r.in.MaxBad, First: r.bad}
	}
	return readErr
}

// take notes the bad rows of a block; blocks come in order.
func (r *rowReader) take(j *job, tooMany *atomic.Bool) {
	r.nBad += len(j.bad)
	if r.bad == nil && len(j.bad) > 0 {
		r.bad = j.bad[0]
	}
	if r.nBad > r.in.MaxBad {
		tooMany.Store(true)
	}
}

// read reads all sources one after the other.
func (r *rowReader) read(ctx context.Context, free chan *job, tooMany *atomic.Bool, send func(*job)) error {
	var before int64
	total := r.totalSize()
	for i := range r.sources {
		if r.sources[i].cache != nil {
			progress := func(done int64) {
				if r.obs != nil {
					r.obs.Progress(StageRead, before+done, total, "")
				}
			}
			if err := r.readCached(ctx, i, free, tooMany, progress, send); err != nil || tooMany.Load() {
				return err
			}
			before += r.sources[i].size()
			continue
		}
		s, err := r.sources[i].open(ctx, r.in.threads())
		if err != nil {
			return err
		}
		progress := func() {
			if r.obs != nil {
				r.obs.Progress(StageRead, before+s.pos(), total, "")
			}
		}
		err = r.readOne(ctx, i, s, free, tooMany, progress, send)
		before += s.pos()
		s.close() //nolint:errcheck // only read
		if err != nil || tooMany.Load() {
			return err
		}
	}
	return nil
}

// totalSize gives the bytes of all sources, 0 where one of them is no file.
func (r *rowReader) totalSize() int64 {
	var total int64
	for i := range r.sources {
		n := r.sources[i].size()
		if n == 0 {
			return 0
		}
		total += n
	}
	return total
}

// size gives the bytes of a source, as progress has them: of its text, where
// that is in a cache; 0 where it is no file.
func (s *source) size() int64 {
	if s.cache != nil {
		return s.cache.Info().Sources[s.part].Bytes
	}
	info, err := os.Stat(s.path)
	if s.path == "" || err != nil || !info.Mode().IsRegular() {
		return 0
	}
	return info.Size()
}

func (r *rowReader) readOne(ctx context.Context, file int, s *stream, free chan *job, tooMany *atomic.Bool, progress func(), send func(*job)) error {
	rd, err := r.in.rows(s, r.sources[file].name, r.schema)
	if err != nil {
		return err
	}
	open := &opened{layout: rd.Layout(), schema: rd.Schema()}
	if err := r.layout(open, r.sources[file].name); err != nil {
		return err
	}
	if err := readOnly(rd, open.reads); err != nil {
		return err
	}
	for !tooMany.Load() {
		var j *job
		select {
		case j = <-free:
		case <-ctx.Done():
			return ctx.Err()
		}
		err := rd.Next(&j.block)
		if err != nil {
			free <- j
			if errors.Is(err, io.EOF) {
				break
			}
			return err
		}
		j.file, j.open, j.before, j.bad, j.err = file, open, r.rows, j.bad[:0], nil
		send(j)
		progress()
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	r.rows += rd.Rows()
	r.marks = append(r.marks, FileMark{Bytes: rd.Bytes(), XXH64: hex64(rd.Sum64())})
	return nil
}

// noRows gives the error for sources of which no row is left: because of a
// range of time where window is true and rows were bad or missing otherwise.
func (r *rowReader) noRows(name string, window bool) error {
	switch {
	case window:
		return fmt.Errorf("%s: no rows between since and until", name)
	case r.nBad > 0:
		return fmt.Errorf("%s: no good rows: %d bad ones; the first: %w", name, r.nBad, r.bad)
	}
	return fmt.Errorf("%s: no rows", name)
}

// fail notes a bad row of j, with its place.
func (j *job) fail(row int, err error) {
	var re *features.RowError
	if errors.As(err, &re) && re.File == "" {
		j.block.Place(re, row)
		// The value points into the block, which is used again.
		re.Value = slices.Clone(re.Value)
	}
	j.bad = append(j.bad, err)
}

func hex64(v uint64) string {
	const digits = "0123456789abcdef"
	var b [16]byte
	for i := range b {
		b[i] = digits[v>>(60-4*i)&15]
	}
	return string(b[:])
}
