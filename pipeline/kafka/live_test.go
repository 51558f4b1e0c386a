package kafka_test

import (
	"context"
	"errors"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"ctr/features"
	"ctr/pipeline"
	"ctr/pipeline/kafka"
)

func TestScoreTopic(t *testing.T) {
	t.Parallel()
	c := cluster(t)
	topic := newTopic(t, c, 3)
	send(t, c, topic, rows(0, 10_000))
	r := run{cluster: c, topic: topic, group: topic, output: output(t)}
	sum, err := r.score(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if sum.Rows != 10_000 || sum.Bad != 0 || sum.Running.Labelled != 10_000 {
		t.Errorf("summary %+v: want 10,000 rows, all labelled", sum)
	}
	want(t, count(t, r.output), 0, 10_000, 1, 1)

	last := map[int]int64{}
	for _, p := range predictions(t, r.output) {
		if p.offset <= last[p.partition]-1 {
			t.Fatalf("partition %d: offset %d after %d", p.partition, p.offset, last[p.partition]-1)
		}
		last[p.partition] = p.offset + 1
	}
	ends, err := kafka.EndOffsets(c, topic)
	if err != nil {
		t.Fatal(err)
	}
	if len(sum.Committed) != 3 || len(sum.Partitions) != 3 {
		t.Fatalf("committed %v, want 3 partitions", sum.Committed)
	}
	for _, p := range sum.Committed {
		if s := sum.Partitions[p.Partition]; s.Partition != p.Partition || s.Next != p.Offset || s.Committed != p.Offset || s.Lag != 0 || s.Rows != p.Offset {
			t.Errorf("partition %+v, want %d rows, all committed", s, p.Offset)
		}
		if p.Offset != ends[p.Partition] || p.Metadata != pipeline.OutputName(r.output) {
			t.Errorf("committed %+v, want offset %d and %s", p, ends[p.Partition], pipeline.OutputName(r.output))
		}
	}
}

// A second run goes on where the first stopped, in the same file.
func TestRestartContinues(t *testing.T) {
	t.Parallel()
	c := cluster(t)
	topic := newTopic(t, c, 2)
	r := run{cluster: c, topic: topic, group: topic, output: output(t)}
	for i := range 3 {
		send(t, c, topic, rows(1000*i, 1000))
		if sum, err := r.score(t.Context()); err != nil || sum.Rows != 1000 {
			t.Fatalf("run %d: %d rows, %v; want 1,000", i, sum.Rows, err)
		}
	}
	want(t, count(t, r.output), 0, 3000, 1, 1)
}

// A graceful stop in the middle repeats nothing either.
func TestStopCommitsWhatWasRead(t *testing.T) {
	t.Parallel()
	c := cluster(t)
	topic := newTopic(t, c, 2)
	send(t, c, topic, rows(0, 50_000))
	r := run{cluster: c, topic: topic, group: topic, output: output(t), forever: true}
	ctx, stop := context.WithCancel(t.Context())
	r.onRow = stop
	sum, err := r.score(ctx)
	if err != nil || sum.Rows == 0 || sum.Rows == 50_000 {
		t.Fatalf("%d rows, %v: want a part of them", sum.Rows, err)
	}
	r.onRow, r.forever = nil, false
	if _, err := r.score(t.Context()); err != nil {
		t.Fatal(err)
	}
	want(t, count(t, r.output), 0, 50_000, 1, 1)
}

// What a killed process had written but not committed is read again: nothing
// is lost, and the line it was writing is cut off.
func TestKilledLosesNothing(t *testing.T) {
	t.Parallel()
	c := cluster(t)
	topic := newTopic(t, c, 2)
	send(t, c, topic, rows(0, 20_000))
	r := run{cluster: c, topic: topic, group: topic, output: output(t)}

	src, err := kafka.NewSource(kafka.SourceOptions{Options: c, Topic: topic, Group: topic})
	if err != nil {
		t.Fatal(err)
	}
	csv, err := pipeline.OpenFileSink(pipeline.FileOptions{Path: r.output})
	if err != nil {
		t.Fatal(err)
	}
	var batches atomic.Int64
	killed := errors.New("killed")
	_, err = pipeline.Score(t.Context(), pipeline.ScoreOptions{Scorers: newFakeScorer}, src,
		failing{csv, func() error {
			if batches.Add(1) == 5 {
				return killed
			}
			return nil
		}}, nil)
	if !errors.Is(err, killed) {
		t.Fatalf("error %v, want killed", err)
	}
	if err := errors.Join(csv.Close(), src.Close()); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(r.output, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString("id77,1,0,0.2"); err != nil {
		t.Fatal(err)
	}
	f.Close()

	if _, err := r.score(t.Context()); err != nil {
		t.Fatal(err)
	}
	want(t, count(t, r.output), 0, 20_000, 1, 2)
}

// failing asks whether to fail after every Write.
type failing struct {
	pipeline.Sink
	after func() error
}

func (f failing) Write(b *pipeline.Batch) error {
	return errors.Join(f.Sink.Write(b), f.after())
}

// Members that come and go share the partitions, lose nothing and repeat
// nothing: a partition that moves is committed before it goes.
func TestRebalance(t *testing.T) {
	t.Parallel()
	c := cluster(t)
	topic := newTopic(t, c, 4)
	one := run{cluster: c, topic: topic, group: topic, output: output(t), forever: true}
	two := one
	two.output = output(t)
	ctx, stop := context.WithTimeout(t.Context(), 120*time.Second)
	defer stop()
	ctx2, stop2 := context.WithCancel(ctx)
	defer stop2()
	var batches, batches2, sent atomic.Int64
	one.onRow = func() { batches.Add(1) }
	two.onRow = func() {
		if batches2.Add(1) == 20 {
			stop2() // leaves again, with rows still to come
		}
	}
	errs := together(
		func() error { _, err := one.score(ctx); return err },
		func() error {
			for batches.Load() == 0 && ctx.Err() == nil {
				time.Sleep(time.Millisecond)
			}
			_, err := two.score(ctx2)
			return err
		},
		func() error {
			defer stop()
			for ctx.Err() == nil && (ctx2.Err() == nil || sent.Load() < 10_000) {
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
	if len(predictions(t, one.output)) == 0 || len(predictions(t, two.output)) == 0 {
		t.Error("want rows in both files")
	}
	want(t, count(t, one.output, two.output), 0, int(sent.Load()), 1, 1)
}

// unread gives the partitions that the group of the topic's name has not
// committed to the end.
func unread(t *testing.T, c kafka.Options, topic string) []int32 { return behind(t, c, topic, topic) }

// behind gives the partitions that a group has not committed to the end.
func behind(t *testing.T, c kafka.Options, topic, group string) []int32 {
	src, err := kafka.NewSource(kafka.SourceOptions{Options: c, Topic: topic, Group: group})
	if err != nil {
		t.Error(err)
		return nil
	}
	defer src.Close()
	commits, err := src.Committed(t.Context())
	if err != nil {
		t.Error(err)
		return nil
	}
	ends, err := kafka.EndOffsets(c, topic)
	if err != nil {
		t.Error(err)
		return nil
	}
	for _, p := range commits {
		if p.Offset == ends[p.Partition] {
			delete(ends, p.Partition)
		}
	}
	var left []int32
	for p := range ends {
		left = append(left, p)
	}
	return left
}

func TestBadRecordsAreDeadLetters(t *testing.T) {
	t.Parallel()
	c := cluster(t)
	topic := newTopic(t, c, 1)
	send(t, c, topic, []string{"id0,0,0.1", "what is this", "id1,1,0.9", "\xff\x00", "id2,0,0.3"})
	r := run{cluster: c, topic: topic, group: topic, output: output(t)}
	sum, err := r.score(t.Context())
	if err != nil || sum.Rows != 3 || sum.Bad != 2 {
		t.Fatalf("summary %+v, %v: want 3 rows, 2 bad", sum, err)
	}
	want(t, count(t, r.output), 0, 3, 1, 1)
	text, err := os.ReadFile(pipeline.DeadLetterPath(r.output))
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	if len(lines) != 2 ||
		!strings.Contains(lines[0], `"partition":0,"offset":1,`) ||
		!strings.Contains(lines[0], `"reason":"1 fields: want 3","value":"what is this"}`) ||
		!strings.Contains(lines[1], `"offset":3,`) ||
		!strings.Contains(lines[1], `"value_base64":"/wA="}`) {
		t.Errorf("dead letters:\n%s", text)
	}
	if sum.Committed[0].Offset != 5 {
		t.Errorf("committed %v, want offset 5", sum.Committed)
	}
}

func TestTooManyBad(t *testing.T) {
	t.Parallel()
	c := cluster(t)
	topic := newTopic(t, c, 1)
	send(t, c, topic, []string{"id0,0,0.1", "id1,1,0.9"})
	none := int64(0)
	r := run{cluster: c, topic: topic, group: topic, output: output(t), maxBad: &none}
	if _, err := r.score(t.Context()); err != nil {
		t.Fatal(err)
	}
	send(t, c, topic, []string{"bad", "id2,0,0.3"})
	_, err := r.score(t.Context())
	var bad *features.TooManyBad
	if !errors.As(err, &bad) || err.Error() != topic+"/0: offset 2: 1 fields: want 3" {
		t.Fatalf("error %v, want one for offset 2", err)
	}
	// Nothing from the bad record on counts as done.
	r.maxBad = nil
	if sum, err := r.score(t.Context()); err != nil || sum.Rows != 1 || sum.Bad != 1 {
		t.Fatalf("summary %+v, %v: want 1 row, 1 bad", sum, err)
	}
	want(t, count(t, r.output), 0, 3, 1, 1)
}

func TestFrom(t *testing.T) {
	t.Parallel()
	c := cluster(t)
	topic := newTopic(t, c, 2)
	send(t, c, topic, rows(0, 100))
	f := func(from kafka.From, group string, rows int64) {
		t.Helper()
		r := run{cluster: c, topic: topic, group: topic + group, from: from, output: output(t)}
		if sum, err := r.score(t.Context()); err != nil || sum.Rows != rows {
			t.Errorf("from %s: %d rows, %v; want %d", from, sum.Rows, err, rows)
		}
	}
	f(kafka.Committed, "a", 100) // nothing committed: from the earliest
	f(kafka.Committed, "a", 0)
	f(kafka.Earliest, "a", 100)
	f(kafka.Latest, "b", 0)
	send(t, c, topic, rows(100, 10))
	f(kafka.Committed, "b", 10) // where latest was
	f(kafka.Latest, "a", 0)
}

func TestExistingOutput(t *testing.T) {
	t.Parallel()
	c := cluster(t)
	topic := newTopic(t, c, 1)
	send(t, c, topic, rows(0, 10))
	r := run{cluster: c, topic: topic, group: topic, output: output(t)}
	if err := os.WriteFile(r.output, []byte(pipeline.CSVHeader+"x,,0,0.1,2026-01-01T00:00:00.000Z,t,0,0,abcdef\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	_, err := r.score(t.Context())
	if err == nil || err.Error() != r.output+": exists, and the group's commits do not name it" {
		t.Fatalf("error %v, want a refusal", err)
	}
	var h interface{ Hint() string }
	if !errors.As(err, &h) || !strings.Contains(h.Hint(), "--append") {
		t.Errorf("hint of %v: want one that names --append", err)
	}
	r.append = true
	if sum, err := r.score(t.Context()); err != nil || sum.Rows != 10 {
		t.Fatalf("append: %d rows, %v; want 10", sum.Rows, err)
	}
	if got := len(predictions(t, r.output)); got != 11 {
		t.Errorf("%d rows in the file, want 11", got)
	}
}

func TestNoBroker(t *testing.T) {
	t.Parallel()
	start := time.Now()
	_, err := kafka.NewSource(kafka.SourceOptions{
		Options: kafka.Options{Brokers: []string{"127.0.0.1:1"}}, Topic: "x",
	})
	if !errors.Is(err, kafka.ErrNoBroker) || !strings.HasPrefix(err.Error(), "no broker answers at 127.0.0.1:1: ") {
		t.Errorf("error %v, want no broker", err)
	}
	var h interface{ Hint() string }
	if !errors.As(err, &h) || !strings.Contains(h.Hint(), "ctr broker") {
		t.Errorf("hint of %v: want one that names ctr broker", err)
	}
	if d := time.Since(start); d > 5*time.Second {
		t.Errorf("took %v", d)
	}
	if _, err := kafka.NewProducer(kafka.ProducerOptions{
		Options: kafka.Options{Brokers: []string{"127.0.0.1:1"}}, Topic: "x",
	}); !errors.Is(err, kafka.ErrNoBroker) {
		t.Errorf("producer: error %v, want no broker", err)
	}
}
