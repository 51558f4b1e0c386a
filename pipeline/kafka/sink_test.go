package kafka_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/IBM/sarama"

	"ctr/pipeline"
	"ctr/pipeline/kafka"
)

// read gives the messages of a topic that a reader of committed ones sees, by
// sarama, which has no part in writing them.
func read(t testing.TB, o kafka.Options, topic string) []*sarama.ConsumerMessage {
	t.Helper()
	c := sarama.NewConfig()
	c.Version = sarama.V2_5_0_0
	c.Consumer.IsolationLevel = sarama.ReadCommitted
	consumer, err := sarama.NewConsumer(o.Brokers, c)
	if err != nil {
		t.Fatal(err)
	}
	defer consumer.Close()
	ids, err := consumer.Partitions(topic)
	if err != nil {
		t.Fatal(err)
	}
	// All at once, so that the end of all is waited for once.
	got := make([][]*sarama.ConsumerMessage, len(ids))
	var all sync.WaitGroup
	for i, p := range ids {
		pc, err := consumer.ConsumePartition(topic, p, sarama.OffsetOldest)
		if err != nil {
			t.Fatal(err)
		}
		all.Go(func() {
			defer pc.Close()
			for {
				select {
				case m := <-pc.Messages():
					got[i] = append(got[i], m)
				case <-time.After(2 * time.Second):
					return
				}
			}
		})
	}
	all.Wait()
	return slices.Concat(got...)
}

// ids counts how often each id stands in predictions.
func ids(t testing.TB, messages []*sarama.ConsumerMessage) map[string]int {
	t.Helper()
	n := map[string]int{}
	for _, m := range messages {
		var p struct{ ID string }
		if err := json.Unmarshal(m.Value, &p); err != nil {
			t.Fatalf("%s: %v", m.Value, err)
		}
		n[p.ID]++
	}
	return n
}

// toTopic scores a topic to another.
type toTopic struct {
	cluster           kafka.Options
	topic, out, dead  string
	group             string
	compression       string
	once, forever     bool
	rows              int // of a transaction
	after             func() error
	every             time.Duration
	session, patience time.Duration
	scorers           func() (pipeline.Scorer, error)
	note              func(string)
}

func (r toTopic) score(ctx context.Context) (sum pipeline.Summary, err error) {
	src, err := kafka.NewSource(kafka.SourceOptions{
		Options: r.cluster, Topic: r.topic, Group: r.group, UntilEnd: !r.forever, SessionTimeout: r.session, Note: r.note,
	})
	if err != nil {
		return sum, err
	}
	defer src.Close()
	o := kafka.TopicSinkOptions{
		Options: r.cluster, Topic: r.out, DeadLetters: r.dead, Patience: r.patience, Compression: r.compression, Note: r.note,
		Text: pipeline.PredictionText{Model: "abc", JSON: true},
	}
	if r.once {
		o.ExactlyOnce = src
	}
	to, err := kafka.NewTopicSink(o)
	if err != nil {
		return sum, err
	}
	defer to.Close()
	var sink pipeline.Sink = to
	if r.after != nil {
		sink = failingTo{to, r.after}
	}
	if r.every == 0 {
		r.every = 20 * time.Millisecond
	}
	if r.scorers == nil {
		r.scorers = newFakeScorer
	}
	return pipeline.Score(ctx, pipeline.ScoreOptions{
		Scorers: r.scorers, BatchRows: 100, CommitEvery: r.every, CommitRows: r.rows,
	}, src, sink, nil)
}

// failingTo asks whether to fail after every Write.
type failingTo struct {
	*kafka.TopicSink
	after func() error
}

func (f failingTo) Write(b *pipeline.Batch) error {
	if err := f.TopicSink.Write(b); err != nil {
		return err
	}
	return f.after()
}

func TestTopicToTopic(t *testing.T) {
	t.Parallel()
	c := cluster(t)
	for _, once := range []bool{false, true} {
		topic, out := newTopic(t, c, 3), newTopic(t, c, 2)
		send(t, c, topic, rows(0, 5000))
		r := toTopic{cluster: c, topic: topic, out: out, group: topic, once: once}
		sum, err := r.score(t.Context())
		if err != nil || sum.Rows != 5000 {
			t.Fatalf("once %v: %d rows, %v", once, sum.Rows, err)
		}
		send(t, c, topic, rows(5000, 1000))
		if sum, err := r.score(t.Context()); err != nil || sum.Rows != 1000 || sum.Committed[0].Metadata != "ctr:kafka:"+out {
			t.Fatalf("once %v: restart: %+v, %v", once, sum, err)
		}
		want(t, ids(t, read(t, c, out)), 0, 6000, 1, 1)
	}
}

// Keys, headers, and the order of each partition stay.
func TestTopicKeepsKeys(t *testing.T) {
	t.Parallel()
	c := cluster(t)
	topic, out, dead := newTopic(t, c, 4), newTopic(t, c, 4), newTopic(t, c, 1)
	p, err := sarama.NewSyncProducer(c.Brokers, func() *sarama.Config {
		c := sarama.NewConfig()
		c.Version = sarama.V2_5_0_0
		c.Producer.Return.Successes = true
		c.Producer.Partitioner = sarama.NewManualPartitioner
		return c
	}())
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	for i := range 200 {
		m := &sarama.ProducerMessage{
			Topic: topic, Partition: int32(i % 4), Value: sarama.StringEncoder(fmt.Sprintf("id%d,1,0.25", i)),
			Headers: []sarama.RecordHeader{{Key: []byte("trace"), Value: fmt.Appendf(nil, "t%d", i)}},
		}
		if i%2 == 1 {
			m.Key = sarama.StringEncoder(fmt.Sprintf("key%d", i%10))
		}
		if i == 100 {
			m.Value = sarama.StringEncoder("\xffnot a row")
		}
		if _, _, err := p.SendMessage(m); err != nil {
			t.Fatal(err)
		}
	}
	r := toTopic{cluster: c, topic: topic, out: out, dead: dead, group: topic, once: true}
	if _, err := r.score(t.Context()); err != nil {
		t.Fatal(err)
	}
	partition, last := map[string]int32{}, map[int32]int64{}
	for _, m := range read(t, c, out) {
		var got struct {
			ID        string
			Partition int32
			Offset    int64
		}
		if err := json.Unmarshal(m.Value, &got); err != nil {
			t.Fatal(err)
		}
		if len(m.Headers) != 1 || string(m.Headers[0].Value) != "t"+strings.TrimPrefix(got.ID, "id") {
			t.Errorf("%s: headers %v", m.Value, m.Headers)
		}
		if m.Key == nil {
			if m.Partition != got.Partition || got.Offset < last[got.Partition] {
				t.Errorf("%s: in partition %d, after offset %d: want the same partition, in order", m.Value, m.Partition, last[got.Partition])
			}
			last[got.Partition] = got.Offset
			continue
		}
		if at, ok := partition[string(m.Key)]; ok && at != m.Partition {
			t.Errorf("key %s: in partitions %d and %d", m.Key, at, m.Partition)
		}
		partition[string(m.Key)] = m.Partition
	}
	if len(partition) != 5 {
		t.Errorf("keys %v, want 5", slices.Collect(maps.Keys(partition)))
	}
	letters := read(t, c, dead)
	if len(letters) != 1 || string(letters[0].Value) != "\xffnot a row" {
		t.Fatalf("dead letters %v, want one", letters)
	}
	head := map[string]string{}
	for _, h := range letters[0].Headers {
		head[string(h.Key)] = string(h.Value)
	}
	if head["trace"] != "t100" || head["ctr.reason"] != "1 fields: want 3" || head["ctr.topic"] != topic ||
		head["ctr.partition"] != "0" || head["ctr.offset"] != "25" || head["ctr.timestamp"] == "" {
		t.Errorf("headers %v", head)
	}
}

// A scorer that ends with an error between Write and Commit leaves a
// transaction open; whoever is next repeats nothing that readers see.
func TestExactlyOnceOverFailures(t *testing.T) {
	t.Parallel()
	c := cluster(t)
	topic, out := newTopic(t, c, 2), newTopic(t, c, 2)
	send(t, c, topic, rows(0, 20_000))
	for i := range 4 {
		n := 0
		r := toTopic{cluster: c, topic: topic, out: out, group: topic, once: true, rows: 500, after: func() error {
			if n++; n == 17+i {
				return fmt.Errorf("failure %d", i)
			}
			return nil
		}}
		if _, err := r.score(t.Context()); err == nil || !strings.Contains(err.Error(), "failure") {
			t.Fatalf("error %v, want failure %d", err, i)
		}
	}
	r := toTopic{cluster: c, topic: topic, out: out, group: topic, once: true}
	if sum, err := r.score(t.Context()); err != nil || sum.Rows == 0 || sum.Rows == 20_000 {
		t.Fatalf("%d rows, %v: want a part of them", sum.Rows, err)
	}
	want(t, ids(t, read(t, c, out)), 0, 20_000, 1, 1)
}

// slowOnce is fakeScorer on a process that stands still, once, between scoring
// and sending.
type slowOnce struct {
	fakeScorer
	ago time.Duration
}

func (s slowOnce) Score(b *pipeline.Batch) {
	s.fakeScorer.Score(b)
	b.Scored = b.Scored.Add(-s.ago)
}

// Rows that were scored longer ago than a send may take are sent all the same:
// with the time of their scoring the client took them for late, and sent none of
// them, ever (make chaos-long, seed 100).
func TestSentLongAfterScored(t *testing.T) {
	t.Parallel()
	for _, once := range []bool{false, true} {
		c := cluster(t)
		r := toTopic{
			cluster: c, topic: newTopic(t, c, 1), out: newTopic(t, c, 1), group: "late", once: once, patience: 5 * time.Second,
			scorers: func() (pipeline.Scorer, error) { return slowOnce{ago: time.Minute}, nil },
		}
		send(t, c, r.topic, rows(0, 500))
		ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
		sum, err := r.score(ctx)
		cancel()
		if err != nil || sum.Rows != 500 {
			t.Fatalf("exactly once %v: %d rows, %v", once, sum.Rows, err)
		}
		if n := len(ids(t, read(t, c, r.out))); n != 500 {
			t.Errorf("exactly once %v: %d rows in the output, want 500", once, n)
		}
	}
}
