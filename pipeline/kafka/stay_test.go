package kafka_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"ctr/pipeline"
	"ctr/pipeline/kafka"
)

// stay is one member's stay in group "g", reading topic "in" to a file.
type stay struct {
	kafka.SourceOptions
	output string
	write  func()                            // after each batch, nil = nothing
	wrap   func(pipeline.Sink) pipeline.Sink // put around the file's, nil = nothing
}

func (s stay) score(ctx context.Context) (sum pipeline.Summary, err error) {
	s.Topic, s.Group = "in", "g"
	src, err := kafka.NewSource(s.SourceOptions)
	if err != nil {
		return sum, err
	}
	defer func() { err = errors.Join(err, src.Close()) }()
	csv, err := pipeline.OpenFileSink(pipeline.FileOptions{Path: s.output, Append: true})
	if err != nil {
		return sum, err
	}
	defer func() { err = errors.Join(err, csv.Close()) }()
	var sink pipeline.Sink = csv
	if s.write != nil {
		sink = hook{sink, s.write}
	}
	if s.wrap != nil {
		sink = s.wrap(sink)
	}
	return pipeline.Score(ctx, pipeline.ScoreOptions{Scorers: newFakeScorer, CommitEvery: 20 * time.Millisecond}, src, sink, nil)
}

// wiredIn starts a broker, until the test's end, with a topic "in" of n rows.
func wiredIn(t *testing.T, partitions int32, n int) (*kfake.Cluster, *wires, kafka.Options) {
	t.Helper()
	fake, w := wired(t, "127.0.0.1:0", kfake.SeedTopics(partitions, "in"))
	t.Cleanup(fake.Close)
	c := kafka.Options{Brokers: fake.ListenAddrs()}
	send(t, c, "in", rows(0, n))
	return fake, w, c
}

// await waits until done, at most for a minute.
func await(t *testing.T, what string, done func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !done(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s: not within a minute", what)
		}
	}
}

// A member that is given no partition has joined all the same, and reading
// until the end ends for it when the group has committed everything, however
// long the others take.
func TestMemberWithoutPartitions(t *testing.T) {
	t.Parallel()
	_, _, c := wiredIn(t, 1, 1000)
	o := kafka.SourceOptions{Options: c}
	var joined [2]atomic.Bool
	slow := make(chan struct{})
	one, two := stay{SourceOptions: o, output: output(t), write: func() { <-slow }}, stay{SourceOptions: o, output: output(t)}
	one.Joined = func() { joined[0].Store(true) }
	two.Joined, two.UntilEnd = func() { joined[1].Store(true) }, true
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	first, second := make(chan error, 1), make(chan error, 1)
	go func() { _, err := one.score(ctx); first <- err }()
	await(t, "the first joins", joined[0].Load)
	go func() { _, err := two.score(ctx); second <- err }()
	await(t, "the second joins", joined[1].Load)
	select {
	case err := <-second:
		t.Errorf("ended (%v) before the group had come to the end", err)
	case <-time.After(7 * time.Second):
		close(slow)
		if err := <-second; err != nil {
			t.Error(err)
		}
	}
	stop()
	if err := <-first; err != nil {
		t.Error(err)
	}
	want(t, count(t, one.output, two.output), 0, 1000, 1, 1)
}

// A coordinator that does not say what is committed is waited for as long as
// patience lasts, and no longer.
func TestPatienceWhileJoining(t *testing.T) {
	t.Parallel()
	_, w, c := wiredIn(t, 1, 10)
	w.mu.Lock()
	w.meddle = func(key kmsg.Key) fate { return fate{mute: key == kmsg.OffsetFetch} }
	w.mu.Unlock()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	began := time.Now()
	_, err := stay{SourceOptions: kafka.SourceOptions{Options: c, Patience: 2 * time.Second}, output: output(t)}.score(ctx)
	if err == nil || !strings.Contains(err.Error(), "group g: no answer for ") {
		t.Errorf("error %v, want no answer for 2 s or so", err)
	}
	if d := time.Since(began); d < 2*time.Second || d > 20*time.Second {
		t.Errorf("gave up after %v, want about 2 s", d)
	}
}

// Connections that break while it is found out where a partition begins are no
// reason to give up.
func TestStartOverCutConnections(t *testing.T) {
	t.Parallel()
	_, w, c := wiredIn(t, 1, 100)
	var asked, joining atomic.Int64
	w.mu.Lock()
	w.meddle = func(key kmsg.Key) fate {
		if key == kmsg.JoinGroup {
			joining.Add(1)
		}
		return fate{mute: key == kmsg.ListOffsets && joining.Load() > 0 && asked.Add(1) <= 5}
	}
	w.mu.Unlock()
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	s := stay{SourceOptions: kafka.SourceOptions{Options: c, UntilEnd: true}, output: output(t)}
	if sum, err := s.score(ctx); err != nil || sum.Rows != 100 || asked.Load() < 5 {
		t.Fatalf("%d rows, %v, asked %d times: want 100 rows", sum.Rows, err, asked.Load())
	}
}

// owners says which instances have which partitions.
func owners(g *kfake.GroupInfo) string {
	var all []string
	for _, m := range g.Members {
		all = append(all, fmt.Sprint(*m.InstanceID, m.Assignment))
	}
	slices.Sort(all)
	return strings.Join(all, " ")
}

// A static member that stops and comes back within the session timeout has its
// partitions again, and no partition has moved.
func TestStaticMemberComesBack(t *testing.T) {
	t.Parallel()
	fake, _ := wired(t, "127.0.0.1:0", kfake.SeedTopics(4, "in"))
	defer fake.Close()
	c := kafka.Options{Brokers: fake.ListenAddrs()}
	var n [2]atomic.Int64
	member := func(i int) stay {
		return stay{
			SourceOptions: kafka.SourceOptions{Options: c, InstanceID: fmt.Sprintf("scorer-%d", i), SessionTimeout: 20 * time.Second},
			output:        output(t), write: func() { n[i].Add(1) },
		}
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	one, two := member(0), member(1)
	ended := make(chan error, 2)
	start := func(ctx context.Context, s stay) {
		go func() { _, err := s.score(ctx); ended <- err }()
	}
	start(ctx, one)
	briefly, pause := context.WithCancel(ctx)
	defer pause()
	start(briefly, two)
	shared := func() bool {
		g := fake.GroupInfo("g")
		return g != nil && g.State == "Stable" && len(g.Members) == 2 && g.Members[0].NumAssigned() == 2 && g.Members[1].NumAssigned() == 2
	}
	await(t, "two partitions each", shared)
	send(t, c, "in", rows(0, 40_000)) // turns of the partitioner for all partitions
	await(t, "both write", func() bool { return n[0].Load() > 0 && n[1].Load() > 0 })
	before := fake.GroupInfo("g")
	pause()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	wrote := n[1].Load()
	send(t, c, "in", rows(40_000, 40_000))
	start(ctx, two)
	await(t, "it writes again", func() bool { return n[1].Load() > wrote })
	// Apache Kafka begins no generation; kfake does, since the member's request
	// names no partitions any more. Nothing moves in either.
	await(t, "two partitions each", shared)
	if was, is := owners(before), owners(fake.GroupInfo("g")); was != is {
		t.Errorf("partitions %s, then %s: want the same", was, is)
	}
	await(t, "all is committed", func() bool { return len(behind(t, c, "in", "g")) == 0 })
	stop()
	for range 2 {
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
	want(t, count(t, one.output, two.output), 0, 80_000, 1, 1)
}

// Of two processes with one --instance-id the first ends, and says why.
func TestSecondProcessOfAnInstance(t *testing.T) {
	t.Parallel()
	_, _, c := wiredIn(t, 2, 100)
	var n [2]atomic.Int64
	member := func(i int) stay {
		return stay{SourceOptions: kafka.SourceOptions{Options: c, InstanceID: "same"}, output: output(t), write: func() { n[i].Add(1) }}
	}
	ctx, stop := context.WithTimeout(t.Context(), 40*time.Second)
	defer stop()
	first, second := make(chan error, 1), make(chan error, 1)
	go func() { _, err := member(0).score(ctx); first <- err }()
	await(t, "the first writes", func() bool { return n[0].Load() > 0 })
	go func() { _, err := member(1).score(ctx); second <- err }()
	err := <-first
	const text = "group g: instance same: another process has taken its place: "
	if err == nil || !strings.HasPrefix(err.Error(), text) { // and what either client says to FENCED_INSTANCE_ID
		t.Errorf("error %v, want %s…", err, text)
	}
	var h interface{ Hint() string }
	if !errors.As(err, &h) || !strings.Contains(h.Hint(), "--instance-id") {
		t.Errorf("hint of %v: want one that names --instance-id", err)
	}
	send(t, c, "in", rows(100, 100))
	await(t, "the second writes", func() bool { return n[1].Load() > 0 })
	stop()
	if err := <-second; err != nil {
		t.Error(err)
	}
}

// A member that stands still for longer than the session timeout, with all it
// has on its way, as one that is stopped (SIGSTOP) does, comes back when others
// have its partitions, and repeats nothing.
func TestStoppedMemberRepeatsNothing(t *testing.T) {
	t.Parallel()
	fake, w := wired(t, "127.0.0.1:0", kfake.SeedTopics(2, "in", "out"))
	defer fake.Close()
	c := kafka.Options{Brokers: fake.ListenAddrs()}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var n [2]atomic.Int64
	told := &notes{}
	member := func(i int) toTopic {
		o := c
		o.ClientID = fmt.Sprintf("member-%d", i)
		return toTopic{
			cluster: o, topic: "in", out: "out", group: "g", once: true, forever: true, rows: 50, session: 6 * time.Second,
			note: told.Note, after: func() error { n[i].Add(1); return nil },
		}
	}
	ended := make(chan error, 2)
	for i := range 2 {
		go func() { _, err := member(i).score(ctx); ended <- err }()
	}
	sent := 0
	feed := func(until func() bool) {
		t.Helper()
		await(t, "rows are scored", func() bool {
			send(t, c, "in", rows(sent, 200))
			sent += 200
			return until()
		})
	}
	feed(func() bool { return n[0].Load() > 5 && n[1].Load() > 5 })
	w.mu.Lock()
	w.stopped = "member-0"
	w.mu.Unlock()
	feed(func() bool { // what it has on its way waits, too
		g := fake.GroupInfo("g")
		return len(g.Members) == 1 && g.Members[0].NumAssigned() == 2
	})
	others := n[1].Load()
	feed(func() bool { return n[1].Load() > others+5 })
	w.mu.Lock()
	w.stopped = ""
	w.mu.Unlock()
	own := n[0].Load()
	feed(func() bool { return n[0].Load() > own+5 })
	await(t, "all is committed", func() bool { return len(behind(t, c, "in", "g")) == 0 })
	stop()
	for range 2 {
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
	want(t, committedIDs(t, c, "out"), 0, sent, 1, 1)
	if t.Failed() {
		t.Logf("told %q", told.read())
	}
}

// A broker that has just come up leads nothing yet: who starts then waits for it.
func TestStartBesideALeaderThatIsNone(t *testing.T) {
	t.Parallel()
	fake, _, c := wiredIn(t, 1, 100)
	var asked atomic.Int64
	fake.ControlKey(kmsg.ListOffsets.Int16(), func(r kmsg.Request) (kmsg.Response, error, bool) {
		fake.KeepControl()
		if asked.Add(1) > 6 {
			return nil, nil, false
		}
		req := r.(*kmsg.ListOffsetsRequest)
		no := req.ResponseKind().(*kmsg.ListOffsetsResponse)
		for _, t := range req.Topics {
			to := kmsg.NewListOffsetsResponseTopic()
			to.Topic = t.Topic
			for _, p := range t.Partitions {
				of := kmsg.NewListOffsetsResponseTopicPartition()
				of.Partition, of.ErrorCode = p.Partition, kerr.NotLeaderForPartition.Code
				to.Partitions = append(to.Partitions, of)
			}
			no.Topics = append(no.Topics, to)
		}
		return no, nil, true
	})
	r := run{cluster: c, topic: "in", group: "g", output: output(t)}
	if sum, err := r.score(t.Context()); err != nil || sum.Rows != 100 {
		t.Errorf("%d rows, %v: want 100", sum.Rows, err)
	}
}
