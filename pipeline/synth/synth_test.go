package synth

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// written gives the rows and true probabilities that the options ask for.
func written(t testing.TB, o Options) (rows, truth string) {
	t.Helper()
	var w, p bytes.Buffer
	o.Truth = &p
	if err := Write(context.Background(), &w, o, nil); err != nil {
		t.Fatal(err)
	}
	return w.String(), p.String()
}

// TestGolden holds the bytes to what they were. They are the same on every
// machine: run it under emulation, too (see testdata/README.md). A deliberate
// change is recorded with UPDATE=1.
func TestGolden(t *testing.T) {
	var got strings.Builder
	f := func(rows int64, seed uint64) {
		t.Helper()
		data, truth := written(t, Options{Rows: rows, Seed: seed})
		fmt.Fprintf(&got, "rows %d seed %d\n%x rows\n%x truth\n", rows, seed,
			sha256.Sum256([]byte(data)), sha256.Sum256([]byte(truth)))
	}
	f(1, 1)
	f(1000, 1)
	f(1000, 20141021)
	f(blockRows, 1)
	f(60_001, 1)
	f(60_001, 20141021)
	path := filepath.Join("testdata", "golden.txt")
	if os.Getenv("UPDATE") != "" {
		if err := os.WriteFile(path, []byte(got.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got.String() != string(want) {
		t.Errorf("got\n%swant\n%s", got.String(), want)
	}
}

func TestThreadsGiveTheSameBytes(t *testing.T) {
	const n = 4*blockRows + 17
	rows, truth := written(t, Options{Rows: n, Seed: 3, Threads: 1})
	for _, threads := range []int{2, 7} {
		r, p := written(t, Options{Rows: n, Seed: 3, Threads: threads})
		if r != rows || p != truth {
			t.Errorf("%d threads: other bytes than one thread gives", threads)
		}
	}
	other, _ := written(t, Options{Rows: n, Seed: 4})
	if other == rows {
		t.Error("two seeds give the same rows")
	}
}

func TestNoClickOnlyLeavesOutTheColumn(t *testing.T) {
	labelled, truth := written(t, Options{Rows: 9000, Seed: 1})
	plain, plainTruth := written(t, Options{Rows: 9000, Seed: 1, NoClick: true})
	var cut strings.Builder
	for line := range strings.Lines(labelled) {
		f := strings.SplitN(line, ",", 3)
		cut.WriteString(f[0] + "," + f[2])
	}
	if cut.String() != plain {
		t.Error("rows without click differ from rows with it in more than that column")
	}
	if truth != plainTruth {
		t.Error("true probabilities differ")
	}
}

func TestProgressAndRows(t *testing.T) {
	f := func(rows int64) {
		t.Helper()
		var w bytes.Buffer
		var last int64
		err := Write(context.Background(), &w, Options{Rows: rows}, func(done, total int64) {
			if done <= last || total != rows {
				t.Errorf("%d rows: progress %d of %d after %d", rows, done, total, last)
			}
			last = done
		})
		if err != nil || last != rows || int64(bytes.Count(w.Bytes(), []byte("\n"))) != rows+1 {
			t.Errorf("%d rows: error %v, %d at the end, %d lines", rows, err, last, bytes.Count(w.Bytes(), []byte("\n")))
		}
	}
	f(1)
	f(blockRows - 1)
	f(blockRows)
	f(blockRows + 1)
}

func TestValidate(t *testing.T) {
	f := func(o Options, want string) {
		t.Helper()
		err := Write(context.Background(), io.Discard, o, nil)
		if err == nil || err.Error() != want {
			t.Errorf("got %v\nwant %s", err, want)
		}
		if _, rerr := io.ReadAll(NewReader(context.Background(), o)); rerr == nil || rerr.Error() != want {
			t.Errorf("reader: got %v\nwant %s", rerr, want)
		}
	}
	f(Options{Rows: -1}, "rows -1: want 1 to 1099511627776, or 0 for 1000000")
	f(Options{Rows: MaxRows + 1, Threads: -2},
		"rows 1099511627777: want 1 to 1099511627776, or 0 for 1000000\nthreads -2: want 1 or more, or 0 for all processors")
}

// limited fails once it has taken n bytes.
type limited struct{ n int }

var errFull = errors.New("no space left")

func (l *limited) Write(b []byte) (int, error) {
	if len(b) > l.n {
		return l.n, errFull
	}
	l.n -= len(b)
	return len(b), nil
}

func TestWriteStopsAtTheFirstError(t *testing.T) {
	f := func(w, truth io.Writer, want string) {
		t.Helper()
		err := Write(context.Background(), w, Options{Rows: 1 << 30, Truth: truth}, nil)
		if !errors.Is(err, errFull) || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	f(&limited{10}, nil, "synthetic rows: no space left")
	f(&limited{4 << 20}, nil, "synthetic rows: no space left")
	f(io.Discard, &limited{5}, "true probabilities: no space left")
	f(io.Discard, &limited{1 << 20}, "true probabilities: no space left")
}

func TestWriteStopsWithItsContext(t *testing.T) {
	ctx, stop := context.WithCancelCause(context.Background())
	interrupted := errors.New("interrupted")
	err := Write(ctx, io.Discard, Options{Rows: MaxRows}, func(done, _ int64) {
		if done >= 3*blockRows {
			stop(interrupted)
		}
	})
	if !errors.Is(err, interrupted) {
		t.Errorf("got %v, want %v", err, interrupted)
	}
}

func TestReader(t *testing.T) {
	o := Options{Rows: 20_000, Seed: 5}
	want, _ := written(t, o)
	r := NewReader(context.Background(), o)
	got, err := io.ReadAll(r)
	if err != nil || string(got) != want {
		t.Errorf("reader gives other bytes than Write, error %v", err)
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}

	endless := NewReader(context.Background(), Options{Rows: MaxRows})
	if _, err := io.ReadFull(endless, make([]byte, 1<<20)); err != nil {
		t.Error(err)
	}
	if err := endless.Close(); err != nil { // returns only when its goroutines have ended
		t.Error(err)
	}
	if _, err := endless.Read(make([]byte, 1)); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("read after close: got %v, want %v", err, io.ErrClosedPipe)
	}

	ctx, stop := context.WithCancel(context.Background())
	stopped := NewReader(ctx, Options{Rows: MaxRows})
	defer stopped.Close()
	if _, err := io.ReadFull(stopped, make([]byte, 1<<20)); err != nil {
		t.Error(err)
	}
	stop()
	if _, err := io.Copy(io.Discard, stopped); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want %v", err, context.Canceled)
	}
}

// BenchmarkWrite reports rows a second on all processors and checks the rows.
func BenchmarkWrite(b *testing.B) {
	const rows = 1_000_000
	b.ReportAllocs()
	var n counter
	for b.Loop() {
		n = 0
		if err := Write(context.Background(), &n, Options{Rows: rows, Seed: 1}, nil); err != nil {
			b.Fatal(err)
		}
	}
	b.SetBytes(int64(n))
	b.ReportMetric(float64(b.N)*rows/b.Elapsed().Seconds(), "rows/s")
	if perRow := float64(n) / rows; perRow < 146 || perRow > 156 {
		b.Fatalf("%.1f bytes a row, want 146 to 156", perRow)
	}
}

type counter int64

func (c *counter) Write(b []byte) (int, error) {
	*c += counter(len(b))
	return len(b), nil
}
