//go:build linux

package pipeline

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"

	"ctr/features"
	"ctr/models"
	"ctr/models/linear"
	"ctr/models/metrics"
	"ctr/pipeline/synth"
)

// onlineBench is the blocks of a text and all that learns from them.
type onlineBench struct {
	text   []byte
	rd     *features.Reader
	t      *onlineTraining
	enc    *rowEncoding
	job    job
	judged metrics.Progressive
}

func newOnlineBench(tb testing.TB, rows int64, bits int) *onlineBench {
	var text bytes.Buffer
	if err := synth.Write(context.Background(), &text, synth.Options{Rows: rows, Seed: 3, Threads: 2}, nil); err != nil {
		tb.Fatal(err)
	}
	o := &TrainOptions{Algo: "lr", Split: "none", Bits: bits}
	o.Model = models.Options{Solver: linear.SolverFTRL}
	x := &onlineBench{text: text.Bytes(), t: &onlineTraining{o: o, c: &collecting{o: o}, keep: 1}}
	x.t.holdout.Kind = "none"
	x.again(tb)
	x.job.open = &opened{layout: x.rd.Layout(), schema: x.rd.Schema()}
	if err := x.t.bind(x.job.open, "rows"); err != nil {
		tb.Fatal(err)
	}
	if err := x.t.start(); err != nil {
		tb.Fatal(err)
	}
	x.enc = &rowEncoding{t: x.t}
	return x
}

func (x *onlineBench) again(tb testing.TB) {
	rd, err := features.NewReader(bytes.NewReader(x.text), "rows", features.ReaderOptions{})
	if err != nil {
		tb.Fatal(err)
	}
	x.rd = rd
}

// next reads and splits a block.
func (x *onlineBench) next(tb testing.TB) {
	err := x.rd.Next(&x.job.block)
	if errors.Is(err, io.EOF) {
		x.again(tb)
		err = x.rd.Next(&x.job.block)
	}
	if err != nil {
		tb.Fatal(err)
	}
	x.job.block.Split()
}

// BenchmarkOnline takes rows from text to learned, on one goroutine, as far as
// the name says: read, + encode, + learn, + judge.
func BenchmarkOnline(b *testing.B) {
	for _, bits := range []int{18, 22} {
		for stage, name := range []string{"read", "encode", "learn", "judge"} {
			b.Run(fmt.Sprintf("%d/%s", bits, name), func(b *testing.B) {
				runtime.LockOSThread()
				defer runtime.UnlockOSThread()
				x := newOnlineBench(b, 400_000, bits)
				x.next(b)
				b.ReportAllocs()
				b.ResetTimer()
				began := threadTime(b)
				for i := 0; i < b.N; i += x.job.block.Len() {
					x.next(b)
					if stage > 0 {
						x.enc.encode(&x.job)
					}
					if stage > 1 {
						x.t.learner.Learn(&x.job.learn.batch)
					}
					if stage > 2 {
						x.job.learn.judge(&x.judged, 1)
					}
				}
				b.ReportMetric(float64(threadTime(b)-began)/float64(b.N), "cpu-ns/op")
			})
		}
	}
}

// threadTime gives the CPU time of this thread so far, in nanoseconds: what a
// busy machine disturbs less than the time on the clock.
func threadTime(tb testing.TB) int64 {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_THREAD, &u); err != nil {
		tb.Skip("no time of a thread here: ", err)
	}
	return u.Utime.Nano() + u.Stime.Nano()
}
