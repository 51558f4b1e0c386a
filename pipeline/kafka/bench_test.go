package kafka_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/twmb/franz-go/pkg/kgo"

	"ctr/models"
	"ctr/pipeline"
	"ctr/pipeline/kafka"
)

// A contestant takes all rows of a topic to wherever it takes them and gives
// their number.
type contestant struct {
	name string
	run  func(b *testing.B, t *bench) int64
}

// bench is what the contestants of a round share.
type bench struct {
	cluster     kafka.Options
	topic, out  string
	file, model string
	rows        int64
	partitions  int32
}

// BenchmarkStream lets all take the same topic, one after the other and round
// after round: what clients can do alone, and what ctr makes of it. The time of a
// contestant is that from its first to its last row where it only counts, and
// that of Score otherwise, joining the group and leaving it included. CTR_KAFKA
// chooses the broker, CTR_BENCH_ROWS the number of rows (200,000 by default),
// CTR_BENCH_ROUNDS the rounds (3).
func BenchmarkStream(b *testing.B) {
	rows, rounds := number("CTR_BENCH_ROWS", 200_000), number("CTR_BENCH_ROUNDS", 3)
	t := &bench{cluster: cluster(b), file: synthetic(b, rows), model: filepath.Join(b.TempDir(), "model.ctr"), rows: rows}
	o := pipeline.TrainOptions{Algo: "lr", Out: t.model, Split: "none"}
	o.Files, o.Input.Rows = []string{t.file}, 200_000
	if _, err := pipeline.Train(b.Context(), o, nil); err != nil {
		b.Fatal(err)
	}
	all := []contestant{
		{"sarama group, counting", saramaCounts},
		{"franz-go group, counting", franzCounts},
		{"ctr score to CSV", func(b *testing.B, t *bench) int64 { return t.score(b, false, false) }},
		{"ctr score to a topic, at least once", func(b *testing.B, t *bench) int64 { return t.score(b, true, false) }},
		{"ctr score to a topic, exactly once", func(b *testing.B, t *bench) int64 { return t.score(b, true, true) }},
		{"sarama idempotent producer", saramaSends},
		{"franz-go idempotent producer", franzSends},
		{"ctr replay --rate max", func(b *testing.B, t *bench) int64 { return replay(b, t.cluster, t.out, t.file, nil).Acknowledged }},
	}
	for _, t.partitions = range []int32{1, 4} {
		t.topic = newTopic(b, t.cluster, t.partitions)
		if sum := replay(b, t.cluster, t.topic, t.file, nil); sum.Acknowledged != rows {
			b.Fatalf("%d rows in the topic, want %d", sum.Acknowledged, rows)
		}
		for round := range rounds {
			for _, c := range all {
				b.Run(fmt.Sprintf("%s/partitions=%d/round=%d", c.name, t.partitions, round+1), func(b *testing.B) {
					for b.Loop() {
						t.out = newTopic(b, t.cluster, t.partitions)
						if n := c.run(b, t); n != rows {
							b.Fatalf("%d rows, want %d", n, rows)
						}
					}
					b.ReportMetric(float64(rows)*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
				})
			}
		}
	}
}

func number(name string, otherwise int64) int64 {
	if n, err := strconv.ParseInt(os.Getenv(name), 10, 64); err == nil {
		return n
	}
	return otherwise
}

func group() string { return "bench" + strconv.FormatInt(topics.Add(1), 10) }

// counter is the least that a consumer group can do.
type counter struct {
	n    atomic.Int64
	want int64
	stop context.CancelFunc
}

func (*counter) Setup(sarama.ConsumerGroupSession) error   { return nil }
func (*counter) Cleanup(sarama.ConsumerGroupSession) error { return nil }

func (h *counter) ConsumeClaim(s sarama.ConsumerGroupSession, claim sarama.ConsumerGroupClaim) error {
	for {
		select {
		case m := <-claim.Messages():
			if m == nil {
				return nil
			}
			if h.n.Add(1) == h.want {
				h.stop()
			}
		case <-s.Context().Done():
			return nil
		}
	}
}

func saramaCounts(b *testing.B, t *bench) int64 {
	config := sarama.NewConfig()
	config.Version = sarama.V2_5_0_0
	config.Consumer.Offsets.Initial = sarama.OffsetOldest
	config.ChannelBufferSize = 4096
	config.Consumer.Fetch.Default = 4 << 20
	config.Consumer.MaxWaitTime = 200 * time.Millisecond
	g, err := sarama.NewConsumerGroup(t.cluster.Brokers, group(), config)
	if err != nil {
		b.Fatal(err)
	}
	ctx, stop := context.WithCancel(b.Context())
	h := &counter{want: t.rows, stop: func() { b.StopTimer(); stop() }} // leaving takes it half a second
	if err := g.Consume(ctx, []string{t.topic}, h); err != nil {
		b.Fatal(err)
	}
	if err := g.Close(); err != nil {
		b.Fatal(err)
	}
	b.StartTimer()
	return h.n.Load()
}

func franzCounts(b *testing.B, t *bench) int64 {
	client, err := kgo.NewClient(kgo.SeedBrokers(t.cluster.Brokers...), kgo.ConsumerGroup(group()), kgo.ConsumeTopics(t.topic),
		kgo.FetchMaxBytes(8<<20), kgo.FetchMaxPartitionBytes(4<<20), kgo.DisableClientMetrics(),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		b.Fatal(err)
	}
	defer client.Close()
	n := int64(0)
	for n < t.rows && b.Context().Err() == nil {
		n += int64(client.PollFetches(b.Context()).NumRecords())
	}
	return n
}

// score is ctr score, to CSV or a topic.
func (t *bench) score(b *testing.B, toTopic, once bool) int64 {
	a, err := models.Open(t.model)
	if err != nil {
		b.Fatal(err)
	}
	scorers, err := pipeline.ModelScorers(a, pipeline.ScorerOptions{})
	if err != nil {
		b.Fatal(err)
	}
	src, err := kafka.NewSource(kafka.SourceOptions{Options: t.cluster, Topic: t.topic, Group: group(), UntilEnd: true})
	if err != nil {
		b.Fatal(err)
	}
	defer src.Close()
	o := pipeline.ScoreOptions{Scorers: scorers}
	var sink pipeline.Sink
	if toTopic {
		to := kafka.TopicSinkOptions{Options: t.cluster, Topic: t.out, Text: pipeline.PredictionText{Model: a.Hash, JSON: true}}
		if once {
			to.ExactlyOnce = src
			o.CommitRows, o.CommitEvery = 20_000, 100*time.Millisecond // as ctr score has it
		}
		sink, err = kafka.NewTopicSink(to)
	} else {
		sink, err = pipeline.OpenFileSink(pipeline.FileOptions{Path: filepath.Join(b.TempDir(), "p.csv"), Overwrite: true, Model: a.Hash})
	}
	if err != nil {
		b.Fatal(err)
	}
	defer sink.Close()
	sum, err := pipeline.Score(b.Context(), o, src, sink, nil)
	if err != nil {
		b.Fatal(err)
	}
	return sum.Rows
}

// lines gives the rows of the file that is replayed.
func (t *bench) lines(b *testing.B) [][]byte {
	b.Helper()
	text, err := os.ReadFile(t.file)
	if err != nil {
		b.Fatal(err)
	}
	var out [][]byte
	for len(text) > 0 {
		i := slices.Index(text, '\n')
		out = append(out, text[:i:i])
		text = text[i+1:]
	}
	return out[1:]
}

// saramaSends is sarama's own ceiling, at the settings of ctr replay.
func saramaSends(b *testing.B, t *bench) int64 {
	b.StopTimer()
	lines := t.lines(b)
	b.StartTimer()
	c := sarama.NewConfig()
	c.Version = sarama.V2_5_0_0
	c.Producer.Idempotent = true
	c.Producer.RequiredAcks = sarama.WaitForAll
	c.Net.MaxOpenRequests = 1
	c.Producer.Return.Successes = true
	c.Producer.Flush.Bytes = 500_000
	c.Producer.Flush.Frequency = 5 * time.Millisecond
	c.ChannelBufferSize = 4096
	c.Producer.Partitioner = sarama.NewRoundRobinPartitioner
	p, err := sarama.NewAsyncProducer(t.cluster.Brokers, c)
	if err != nil {
		b.Fatal(err)
	}
	n := int64(0)
	var acks sync.WaitGroup
	acks.Go(func() {
		for range p.Successes() {
			n++
		}
	})
	for _, line := range lines {
		p.Input() <- &sarama.ProducerMessage{Topic: t.out, Value: sarama.ByteEncoder(line)}
	}
	p.AsyncClose()
	for err := range p.Errors() {
		b.Error(err)
	}
	acks.Wait()
	return n
}

func franzSends(b *testing.B, t *bench) int64 {
	b.StopTimer()
	lines := t.lines(b)
	b.StartTimer()
	client, err := kgo.NewClient(kgo.SeedBrokers(t.cluster.Brokers...), kgo.DefaultProduceTopic(t.out), kgo.DisableClientMetrics(),
		kgo.ProducerBatchCompression(kgo.NoCompression()), kgo.ProducerLinger(5*time.Millisecond), kgo.MaxBufferedRecords(50_000))
	if err != nil {
		b.Fatal(err)
	}
	defer client.Close()
	var n atomic.Int64
	for _, line := range lines {
		client.Produce(b.Context(), &kgo.Record{Value: line}, func(_ *kgo.Record, err error) {
			if err == nil {
				n.Add(1)
			}
		})
	}
	if err := client.Flush(b.Context()); err != nil {
		b.Fatal(err)
	}
	return n.Load()
}
