package columnar

import (
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/ipc"
	"github.com/cespare/xxhash/v2"

	"ctr/features"
)

// arrowFile reads the record batches of an Arrow stream or file from its
// beginning to its end, so that a pipe will do. Dictionaries are taken in the
// order in which they stand, which is how every known writer writes files.
type arrowFile struct {
	messages *messages
	r        *ipc.Reader
	schema   *arrow.Schema
	in       *features.Input

	wanted []int
	batch  []*lazyVector // of the wanted columns of the current record batch
	used   int           // rows of it given out
	left   int
	dicts  map[int]*lazyDict // by column
}

func openArrow(in *features.Input) (source, error) {
	m := &messages{r: in, hash: xxhash.New(), memory: &budget{left: smallBody}}
	if at, size := in.ReaderAt(); at != nil {
		m.size = size
	}
	head, err := in.Peek(len(arrowMagic))
	if err != nil {
		return nil, err
	}
	if m.file = string(head) == arrowMagic; m.file {
		if _, err := m.bytes(8); err != nil { // with padding
			return nil, err
		}
	}
	f := &arrowFile{messages: m, in: in, dicts: map[int]*lazyDict{}}
	if f.r, err = ipc.NewReaderFromMessageReader(m, ipc.WithAllocator(m.memory)); err != nil {
		return nil, f.damage(err)
	}
	f.schema = f.r.Schema()
	return f, nil
}

// damage says of an error of arrow-go's that the file is damaged.
func (f *arrowFile) damage(err error) error {
	if err == nil || errors.Is(err, errDamaged) {
		return err
	}
	return damaged("%v", err)
}

func (f *arrowFile) close() error { return nil }

func (f *arrowFile) names() []string {
	var out []string
	for _, c := range f.schema.Fields() {
		out = append(out, c.Name)
	}
	return out
}

func (f *arrowFile) need(columns []bool) error {
	f.wanted = f.wanted[:0]
	for i, c := range f.schema.Fields() {
		unfit := unfitArrow(c.Type)
		if columns != nil && columns[i] && unfit != "" {
			return &unfitError{i, unfit}
		}
		if unfit == "" && (columns == nil || columns[i]) {
			f.wanted = append(f.wanted, i)
		}
	}
	return nil
}

func (f *arrowFile) sum() (uint64, int64) { return f.messages.hash.Sum64(), f.messages.read }

func (f *arrowFile) pos() int64 { return f.in.Pos() }

func (f *arrowFile) next(n int) (features.Columns, int, error) {
	for f.left == 0 {
		if err := f.advance(); err != nil {
			return nil, 0, err
		}
	}
	n = min(n, f.left)
	rows := make(arrowRows, len(f.wanted))
	for i, col := range f.wanted {
		rows[i] = arrowColumn{f.batch[i], col, f.used, n}
	}
	f.used += n
	f.left -= n
	return rows, n, nil
}

// advance reads the next record batch.
func (f *arrowFile) advance() error {
	if !f.r.Next() {
		if err := f.r.Err(); err != nil {
			return f.damage(err)
		}
		if err := f.messages.finish(); err != nil {
			return err
		}
		return io.EOF
	}
	rec := f.r.RecordBatch()
	rec.Retain() // the collector frees it
	if rec.NumRows() < 0 || rec.NumRows() > maxBatchRows {
		return fmt.Errorf("record batch of %d rows: want %d at most", rec.NumRows(), maxBatchRows)
	}
	f.used, f.left = 0, int(rec.NumRows())
	f.batch = f.batch[:0:0] // Blocks hold the one before
	for _, i := range f.wanted {
		a := rec.Column(i)
		if a.Len() != f.left {
			return damaged("column %s: %d values for %d rows", f.schema.Field(i).Name, a.Len(), f.left)
		}
		f.batch = append(f.batch, f.lazy(i, a))
	}
	return nil
}

// arrowRows are rows of a record batch.
type arrowRows []arrowColumn

// arrowColumn is the values from…from+n of a column of a record batch.
type arrowColumn struct {
	v            *lazyVector
	col, from, n int
}

// Fill makes fields. The rows of a damaged column are bad.
func (r arrowRows) Fill(c *features.Cells) {
	for i := range r {
		g := &r[i]
		err := guarded(func() error {
			v, err := g.v.vector()
			if err == nil {
				v.fill(c, g.col, 0, g.from, g.n)
			}
			return err
		})
		if err != nil {
			for row := range g.n {
				c.Fail(row, g.col, err.Error())
			}
		}
	}
}

// lazyVector is a vector that is made, and checked, when it is asked for, by
// whichever goroutine asks first.
type lazyVector struct {
	once sync.Once
	of   func() (vector, error)
	v    vector
	err  error
}

func (l *lazyVector) vector() (vector, error) {
	l.once.Do(func() {
		l.err = guarded(func() (err error) {
			l.v, err = l.of()
			return err
		})
		l.of = nil
	})
	return l.v, l.err
}

// lazyDict is a dictionary that is made when it is asked for. Record batches
// share it.
type lazyDict struct {
	data arrow.ArrayData
	once sync.Once
	of   func() (vector, error)
	d    *dictionary
	err  error
}

func (l *lazyDict) dictionary() (*dictionary, error) {
	l.once.Do(func() {
		l.err = guarded(func() error {
			v, err := l.of()
			if err == nil {
				l.d = dictionaryOf(v)
			}
			return err
		})
		l.of = nil
	})
	return l.d, l.err
}
