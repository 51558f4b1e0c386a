package kafka_test

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/IBM/sarama"

	"ctr/models"
	"ctr/pipeline"
	"ctr/pipeline/kafka"
)

// BenchmarkTopic reads one topic of one partition to its end: plain counts
// messages with a sarama group that has the same settings as ours, score
// makes predictions.csv of them. CTR_KAFKA chooses the broker, CTR_BENCH_ROWS
// the number of rows (default 200,000).
func BenchmarkTopic(b *testing.B) {
	rows := int64(200_000)
	if n, err := strconv.ParseInt(os.Getenv("CTR_BENCH_ROWS"), 10, 64); err == nil {
		rows = n
	}
	c := cluster(b)
	topic := newTopic(b, c, 1)
	file := synthetic(b, rows)
	model := filepath.Join(b.TempDir(), "model.ctr")
	o := pipeline.TrainOptions{Algo: "lr", Out: model, Split: "none"}
	o.Files, o.Input.Rows = []string{file}, 50_000
	if _, err := pipeline.Train(b.Context(), o, nil); err != nil {
		b.Fatal(err)
	}
	start := time.Now()
	if sum := replay(b, c, topic, file, nil); sum.Acknowledged != rows {
		b.Fatalf("%d rows in the topic, want %d", sum.Acknowledged, rows)
	}
	b.Logf("replay: %.0f rows/s", float64(rows)/time.Since(start).Seconds())
	// Several rounds of both, so that a machine that drifts shows.
	for _, round := range []string{"1", "2", "3"} {
		b.Run("plain"+round, func(b *testing.B) {
			for b.Loop() {
				if n := plain(b, c, topic, rows); n != rows {
					b.Fatalf("%d rows, want %d", n, rows)
				}
			}
			b.ReportMetric(float64(rows)*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
		})
		b.Run("score"+round, func(b *testing.B) {
			for b.Loop() {
				if n := scoreAll(b, c, topic, model); n != rows {
					b.Fatalf("%d rows, want %d", n, rows)
				}
			}
			b.ReportMetric(float64(rows)*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
		})
	}
}

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
				s.MarkMessage(m, "")
				h.stop()
			}
		case <-s.Context().Done():
			return nil
		}
	}
}

func plain(b *testing.B, c kafka.Options, topic string, rows int64) int64 {
	config := sarama.NewConfig()
	config.Version = sarama.V2_5_0_0
	config.Consumer.Offsets.Initial = sarama.OffsetOldest
	config.ChannelBufferSize = 4096
	config.Consumer.Fetch.Default = 4 << 20
	config.Consumer.MaxWaitTime = 200 * time.Millisecond
	group, err := sarama.NewConsumerGroup(c.Brokers, "plain"+strconv.FormatInt(topics.Add(1), 10), config)
	if err != nil {
		b.Fatal(err)
	}
	ctx, stop := context.WithCancel(b.Context())
	h := &counter{want: rows, stop: stop}
	if err := group.Consume(ctx, []string{topic}, h); err != nil {
		b.Fatal(err)
	}
	if err := group.Close(); err != nil {
		b.Fatal(err)
	}
	return h.n.Load()
}

func scoreAll(b *testing.B, c kafka.Options, topic, model string) int64 {
	a, err := models.Open(model)
	if err != nil {
		b.Fatal(err)
	}
	scorers, err := pipeline.ModelScorers(a, pipeline.ScorerOptions{})
	if err != nil {
		b.Fatal(err)
	}
	src, err := kafka.NewSource(kafka.SourceOptions{
		Options: c, Topic: topic, Group: "score" + strconv.FormatInt(topics.Add(1), 10), UntilEnd: true,
	})
	if err != nil {
		b.Fatal(err)
	}
	defer src.Close()
	sink, err := pipeline.OpenFileSink(pipeline.FileOptions{Path: filepath.Join(b.TempDir(), "p.csv"), Overwrite: true, Model: a.Hash})
	if err != nil {
		b.Fatal(err)
	}
	defer sink.Close()
	sum, err := pipeline.Score(b.Context(), pipeline.ScoreOptions{Scorers: scorers}, src, sink, nil)
	if err != nil {
		b.Fatal(err)
	}
	return sum.Rows
}
