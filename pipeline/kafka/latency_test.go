package kafka_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"ctr/pipeline"
	"ctr/pipeline/kafka"
)

// delays is a sink that measures how long ago the records written were sent:
// their ids say when.
type delays struct {
	pipeline.Sink
	got  []time.Duration
	want int
	stop context.CancelFunc
}

func (d *delays) Write(b *pipeline.Batch) error {
	if err := d.Sink.Write(b); err != nil {
		return err
	}
	now := time.Now().UnixNano()
	for i := range b.Records {
		sent, err := strconv.ParseInt(string(b.IDs[i]), 10, 64)
		if err != nil {
			return err
		}
		d.got = append(d.got, time.Duration(now-sent))
	}
	if len(d.got) >= d.want {
		d.stop()
	}
	return nil
}

// BenchmarkLatency measures the time from Send to a row in predictions.csv, at
// some rates, for some seconds: one round each, whatever b.N. The first rows don't
// count, as in BenchmarkScorerLatency: a broker gets faster for some seconds.
func BenchmarkLatency(b *testing.B) {
	for _, rate := range []int{100, 50_000} {
		b.Run(fmt.Sprintf("rate=%d", rate), func(b *testing.B) { benchLatency(b, rate, 10*time.Second, 20*time.Second) })
	}
}

func benchLatency(b *testing.B, rate int, warm, lasting time.Duration) {
	c := cluster(b)
	topic := newTopic(b, c, 1)
	p, err := kafka.NewProducer(kafka.ProducerOptions{Options: c, Topic: topic})
	if err != nil {
		b.Fatal(err)
	}
	src, err := kafka.NewSource(kafka.SourceOptions{Options: c, Topic: topic, Group: topic})
	if err != nil {
		b.Fatal(err)
	}
	defer src.Close()
	csv, err := pipeline.OpenFileSink(pipeline.FileOptions{Path: filepath.Join(b.TempDir(), "p.csv")})
	if err != nil {
		b.Fatal(err)
	}
	defer csv.Close()
	ctx, stop := context.WithCancel(b.Context())
	defer stop()
	d := &delays{Sink: csv, want: rate * int((warm + lasting).Seconds()), stop: stop}
	errs := together(
		func() error {
			_, err := pipeline.Score(ctx, pipeline.ScoreOptions{Scorers: newFakeScorer}, src, d, nil)
			return err
		},
		func() error {
			// Not before the group has formed.
			time.Sleep(time.Second)
			for range paced(d.want, rate) {
				if err := p.Send(nil, fmt.Appendf(nil, "%d,0,0.5", time.Now().UnixNano())); err != nil {
					return err
				}
			}
			return p.Close(context.Background())
		})
	if err := errors.Join(errs...); err != nil {
		b.Fatal(err)
	}
	reportQuantiles(b, d.got[rate*int(warm.Seconds()):])
}

// paced gives the numbers below n, rate a second.
func paced(n, rate int) iter.Seq[int] {
	return func(yield func(int) bool) {
		began := time.Now()
		for i := range n {
			if due := began.Add(time.Duration(i) * time.Second / time.Duration(rate)); time.Until(due) > 200*time.Microsecond {
				time.Sleep(time.Until(due))
			}
			if !yield(i) {
				return
			}
		}
	}
}

func reportQuantiles(b *testing.B, got []time.Duration) {
	b.Helper()
	slices.Sort(got)
	for _, q := range []float64{50, 99, 99.9} {
		b.ReportMetric(float64(got[min(int(float64(len(got))*q/100), len(got)-1)].Microseconds())/1000, fmt.Sprintf("p%v-ms", q))
	}
	b.ReportMetric(0, "ns/op")
}
