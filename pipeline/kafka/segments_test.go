package kafka_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"ctr/pipeline"
	"ctr/pipeline/kafka"
)

// toFolder scores a topic to a folder, exactly once.
type toFolder struct {
	cluster      kafka.Options
	topic, group string
	dir          string
	forever      bool
	after        func() error
	append       bool
}

// settling asks whether to fail after every Write.
type settling struct {
	*pipeline.SegmentSink
	after func() error
}

func (s settling) Write(b *pipeline.Batch) error {
	return errors.Join(s.SegmentSink.Write(b), s.after())
}

func (r toFolder) score(ctx context.Context) (sum pipeline.Summary, err error) {
	src, err := kafka.NewSource(kafka.SourceOptions{
		Options: r.cluster, Topic: r.topic, Group: r.group, UntilEnd: !r.forever,
	})
	if err != nil {
		return sum, err
	}
	defer func() { err = errors.Join(err, src.Close()) }()
	to, err := pipeline.OpenSegments(pipeline.SegmentOptions{
		Dir: r.dir, Group: r.group, Text: pipeline.PredictionText{Model: "abc"}, RotateSize: 50_000, Append: r.append,
	})
	if err != nil {
		return sum, err
	}
	defer func() { err = errors.Join(err, to.Close()) }()
	var sink pipeline.Sink = to
	if r.after != nil {
		sink = settling{to, r.after}
	}
	return pipeline.Score(ctx, pipeline.ScoreOptions{
		Scorers: newFakeScorer, BatchRows: 100, CommitEvery: 20 * time.Millisecond,
	}, src, sink, nil)
}

// final counts the ids in the final files of a folder.
func (r toFolder) final(t testing.TB) map[string]int {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(r.dir, "*.csv"))
	if err != nil {
		t.Fatal(err)
	}
	return count(t, paths...)
}

// Scorers that fail between Write and Commit lose and repeat nothing, dead
// letters included.
func TestFolderOverFailures(t *testing.T) {
	t.Parallel()
	c := cluster(t)
	topic := newTopic(t, c, 2)
	send(t, c, topic, rows(0, 20_000))
	send(t, c, topic, []string{"what", "is", "this"})
	r := toFolder{cluster: c, topic: topic, group: topic, dir: filepath.Join(t.TempDir(), "out")}
	for i := range 4 {
		n := 0
		r.after = func() error {
			time.Sleep(time.Millisecond)
			if n++; n == 37+i {
				return fmt.Errorf("failure %d", i)
			}
			return nil
		}
		if _, err := r.score(t.Context()); err == nil || !strings.Contains(err.Error(), "failure") {
			t.Fatalf("error %v, want failure %d", err, i)
		}
	}
	r.after = nil
	if sum, err := r.score(t.Context()); err != nil || sum.Rows == 0 || sum.Rows == 20_000 {
		t.Fatalf("%d rows, %v: want a part of them", sum.Rows, err)
	}
	want(t, r.final(t), 0, 20_000, 1, 1)
	letters := ""
	paths, _ := filepath.Glob(filepath.Join(r.dir, "*.dead.jsonl")) // the pattern is a good one
	for _, p := range paths {
		text, err := os.ReadFile(p)
		if err != nil {
			t.Fatal(err)
		}
		letters += string(text)
	}
	if strings.Count(letters, "\n") != 3 || strings.Count(letters, `"value":"what"`) != 1 {
		t.Errorf("dead letters, want 3:\n%s", letters)
	}
	if open, _ := filepath.Glob(filepath.Join(r.dir, "*.part")); len(open) > 0 { // the pattern is a good one
		t.Errorf("left open: %v", open)
	}
}

// Members that share a folder come, go and fail while rows come.
func TestFolderRebalance(t *testing.T) {
	t.Parallel()
	c := cluster(t)
	topic := newTopic(t, c, 4)
	r := toFolder{cluster: c, topic: topic, group: topic, dir: t.TempDir(), forever: true}
	ctx, stop := context.WithTimeout(t.Context(), 120*time.Second)
	defer stop()
	var batches, sent, failed, left atomic.Int64
	steady := r
	steady.after = func() error { batches.Add(1); return nil }
	// A member that after some batches fails, or leaves as it should.
	guest := func(fails bool) error {
		ctx, leave := context.WithCancel(ctx)
		defer leave()
		n := 0
		g := r
		g.after = func() error {
			if n++; n < 20 {
				return nil
			}
			if fails {
				return errors.New("failure")
			}
			leave()
			return nil
		}
		_, err := g.score(ctx)
		if fails && err != nil && strings.Contains(err.Error(), "failure") {
			failed.Add(1)
			return nil
		}
		if err == nil && n >= 20 {
			left.Add(1)
		}
		return err
	}
	var done atomic.Bool
	errs := together(
		func() error { _, err := steady.score(ctx); return err },
		func() error {
			defer done.Store(true)
			for batches.Load() == 0 && ctx.Err() == nil {
				time.Sleep(time.Millisecond)
			}
			for i := range 6 {
				if err := guest(i%2 == 0); err != nil {
					return err
				}
			}
			return nil
		},
		func() error {
			defer stop()
			for ctx.Err() == nil && (!done.Load() || sent.Load() < 10_000) {
				send(t, c, topic, rows(int(sent.Load()), 500))
				sent.Add(500)
			}
			for ctx.Err() == nil && len(unread(t, c, topic)) > 0 {
				time.Sleep(20 * time.Millisecond)
			}
			return nil
		})
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	r.forever = false
	if _, err := r.score(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d rows; %d members failed, %d left", sent.Load(), failed.Load(), left.Load())
	want(t, r.final(t), 0, int(sent.Load()), 1, 1)
	if failed.Load() == 0 || left.Load() == 0 {
		t.Errorf("%d members failed, %d left: want some of each", failed.Load(), left.Load())
	}
}
