package kafka_test

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/IBM/sarama"

	"ctr/models"
	"ctr/pipeline"
	"ctr/pipeline/kafka"
	"ctr/pipeline/synth"
)

// synthetic writes a file of Avazu-shaped rows with a header.
func synthetic(t testing.TB, rows int64) string {
	t.Helper()
	var b bytes.Buffer
	if err := synth.Write(t.Context(), &b, synth.Options{Rows: rows, Seed: 3, Threads: 2}, nil); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "rows.csv")
	if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// replay sends a file as fast as it goes, unless change says otherwise.
func replay(t testing.TB, c kafka.Options, topic, file string, change func(*pipeline.ReplayOptions)) pipeline.ReplaySummary {
	t.Helper()
	p, err := kafka.NewProducer(kafka.ProducerOptions{Options: c, Topic: topic})
	if err != nil {
		t.Fatal(err)
	}
	o := pipeline.ReplayOptions{Rate: math.Inf(1)}
	o.Files = []string{file}
	if change != nil {
		change(&o)
	}
	sum, err := pipeline.Replay(t.Context(), o, p, nil)
	if err != nil {
		t.Fatal(err)
	}
	return sum
}

// consume reads a whole topic, partition by partition.
func consume(t testing.TB, c kafka.Options, topic string) map[int32][]*sarama.ConsumerMessage {
	t.Helper()
	config := sarama.NewConfig()
	config.Consumer.MaxWaitTime = 20 * time.Millisecond
	consumer, err := sarama.NewConsumer(c.Brokers, config)
	if err != nil {
		t.Fatal(err)
	}
	defer consumer.Close()
	ends, err := kafka.EndOffsets(c, topic)
	if err != nil {
		t.Fatal(err)
	}
	got := map[int32][]*sarama.ConsumerMessage{}
	for p, end := range ends {
		pc, err := consumer.ConsumePartition(topic, p, sarama.OffsetOldest)
		if err != nil {
			t.Fatal(err)
		}
		for int64(len(got[p])) < end {
			select {
			case m := <-pc.Messages():
				got[p] = append(got[p], m)
			case <-time.After(10 * time.Second):
				t.Fatalf("partition %d: %d messages, want %d", p, len(got[p]), end)
			}
		}
		pc.Close()
	}
	return got
}

// Every row of the file arrives, byte for byte, the first two included: the
// producer that this one replaces lost them.
func TestReplaySendsEveryRow(t *testing.T) {
	t.Parallel()
	c := cluster(t)
	topic := newTopic(t, c, 3)
	file := synthetic(t, 5000)
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	// A row that can't be split, quoting over two lines, and CR LF: all sent.
	extra := "what,is,this\r\n\"a\nb\",0,14102100" + strings.Repeat(",x", 21) + "\n\n\"unclosed"
	if err := os.WriteFile(file, append(text, extra...), 0o644); err != nil {
		t.Fatal(err)
	}
	sum := replay(t, c, topic, file, nil)
	if sum.Read != 5003 || sum.Sent != 5003 || sum.Acknowledged != 5003 || sum.Failed != 0 {
		t.Errorf("summary %+v: want 5,003 of all, 0 failed", sum)
	}
	want := map[string]int{"what,is,this": 1, "\"a\nb\",0,14102100" + strings.Repeat(",x", 21): 1, "\"unclosed": 1}
	for line := range strings.Lines(string(text)) {
		want[strings.TrimSuffix(line, "\n")]++
	}
	header, _, _ := strings.Cut(string(text), "\n")
	delete(want, header)
	n := 0
	for _, messages := range consume(t, c, topic) {
		for _, m := range messages {
			want[string(m.Value)]--
			n++
		}
	}
	if n != 5003 {
		t.Errorf("%d messages in the topic, want 5,003", n)
	}
	for line, left := range want {
		if left != 0 {
			t.Fatalf("%q: %d missing", line, left)
		}
	}
}

func TestReplayKeysAndJSON(t *testing.T) {
	t.Parallel()
	c := cluster(t)
	topic := newTopic(t, c, 5)
	file := filepath.Join(t.TempDir(), "rows.csv")
	if err := os.WriteFile(file, []byte("name,n\nalpha,1\nbeta,2\n\"ga\"\"mma\",3\nalpha,4\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	sum := replay(t, c, topic, file, func(o *pipeline.ReplayOptions) {
		o.Key, o.JSON, o.Columns = "name", true, []string{"name", "n"}
	})
	if sum.Acknowledged != 4 {
		t.Fatalf("summary %+v: want 4 acknowledged", sum)
	}
	want := map[string]string{
		`{"name":"alpha","n":"1"}`: "alpha", `{"name":"beta","n":"2"}`: "beta",
		`{"name":"ga\"mma","n":"3"}`: `ga"mma`, `{"name":"alpha","n":"4"}`: "alpha",
	}
	where := map[string]int32{}
	for p, messages := range consume(t, c, topic) {
		for _, m := range messages {
			if want[string(m.Value)] != string(m.Key) {
				t.Errorf("message %s: key %q, want %q", m.Value, m.Key, want[string(m.Value)])
			}
			if old, ok := where[string(m.Key)]; ok && old != p {
				t.Errorf("key %s is in partitions %d and %d", m.Key, old, p)
			}
			where[string(m.Key)] = p
		}
	}
}

func TestReplayLoopsUpToLimit(t *testing.T) {
	t.Parallel()
	c := cluster(t)
	topic := newTopic(t, c, 1)
	sum := replay(t, c, topic, synthetic(t, 100), func(o *pipeline.ReplayOptions) { o.Loop, o.Limit = true, 250 })
	if sum.Sent != 250 || sum.Acknowledged != 250 || sum.Stopped {
		t.Errorf("summary %+v: want 250", sum)
	}
}

// Ctrl-C: no more is sent, and all that was sent is waited for.
func TestReplayStops(t *testing.T) {
	t.Parallel()
	c := cluster(t)
	topic := newTopic(t, c, 1)
	p, err := kafka.NewProducer(kafka.ProducerOptions{Options: c, Topic: topic})
	if err != nil {
		t.Fatal(err)
	}
	o := pipeline.ReplayOptions{Rate: 2000, Loop: true}
	o.Files = []string{synthetic(t, 100)}
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	sum, err := pipeline.Replay(ctx, o, p, nil)
	if err != nil {
		t.Fatal(err)
	}
	// A busy machine stops it later than after 0.3 s.
	if most := int64(2000*sum.Seconds) + 100; !sum.Stopped || sum.Sent < 300 || sum.Sent > most || sum.Acknowledged != sum.Sent {
		t.Errorf("summary %+v: want at most %d rows, all acknowledged", sum, most)
	}
	ends, err := kafka.EndOffsets(c, topic)
	if err != nil || ends[0] != sum.Sent {
		t.Errorf("%d in the topic (%v), want %d", ends[0], err, sum.Sent)
	}
}

func TestNoTopic(t *testing.T) {
	t.Parallel()
	c := cluster(t)
	c.Configure = func(s *sarama.Config) error {
		s.Metadata.AllowAutoTopicCreation = false
		s.Metadata.Retry.Max = 0
		return nil
	}
	_, err := kafka.NewProducer(kafka.ProducerOptions{Options: c, Topic: "nowhere"})
	_, err2 := kafka.NewSource(kafka.SourceOptions{Options: c, Topic: "nowhere"})
	for _, err := range []error{err, err2} {
		if !errors.Is(err, kafka.ErrNoTopic) || err.Error() != "topic nowhere: no such topic at "+c.Brokers[0] {
			t.Errorf("error %v, want no such topic", err)
		}
		var h interface{ Hint() string }
		if !errors.As(err, &h) || h.Hint() != "ctr topics create nowhere makes it, and so does ctr replay FILE --topic nowhere --create" {
			t.Errorf("hint of %v: want one that names ctr topics create and --create", err)
		}
	}
}

// The same rows have the same probabilities, to the last bit, from a topic
// as from a file, as CSV and as JSON.
func TestSameRowSameNumber(t *testing.T) {
	t.Parallel()
	c := cluster(t)
	file := synthetic(t, 4000)
	model := filepath.Join(t.TempDir(), "model.ctr")
	o := pipeline.TrainOptions{Algo: "lr", Out: model}
	o.Files = []string{file}
	if _, err := pipeline.Train(t.Context(), o, nil); err != nil {
		t.Fatal(err)
	}
	offline := filepath.Join(t.TempDir(), "offline.csv")
	e := pipeline.EvaluateOptions{Model: model, Predictions: offline}
	e.Files = []string{file}
	if _, err := pipeline.Evaluate(t.Context(), e, nil); err != nil {
		t.Fatal(err)
	}
	want := columns(t, offline, "id", "y", "probability", "prediction")
	if len(want) != 4000 {
		t.Fatalf("%d rows offline, want 4,000", len(want))
	}
	a, err := models.Open(model)
	if err != nil {
		t.Fatal(err)
	}
	scorers, err := pipeline.ModelScorers(a, pipeline.ScorerOptions{})
	if err != nil {
		t.Fatal(err)
	}
	f := func(name string, change func(*pipeline.ReplayOptions)) {
		t.Run(name, func(t *testing.T) {
			topic := newTopic(t, c, 3)
			replay(t, c, topic, file, change)
			path := output(t)
			src, err := kafka.NewSource(kafka.SourceOptions{Options: c, Topic: topic, Group: topic, UntilEnd: true})
			if err != nil {
				t.Fatal(err)
			}
			defer src.Close()
			sink, err := pipeline.OpenFileSink(pipeline.FileOptions{Path: path, Model: a.Hash})
			if err != nil {
				t.Fatal(err)
			}
			defer sink.Close()
			sum, err := pipeline.Score(t.Context(), pipeline.ScoreOptions{Scorers: scorers}, src, sink, nil)
			if err != nil || sum.Rows != 4000 || sum.Bad != 0 {
				t.Fatalf("summary %+v, %v: want 4,000 rows", sum, err)
			}
			got := columns(t, path, "id", "y", "probability", "prediction")
			for id, w := range want {
				if got[id] != w {
					t.Fatalf("id %s: %s from the topic, %s from the file", id, got[id], w)
				}
			}
			distinct := map[string]bool{}
			for _, p := range columns(t, path, "id", "probability") {
				distinct[p] = true
			}
			if len(distinct) < 2000 {
				t.Errorf("%d distinct probabilities, want 2,000 or more", len(distinct))
			}
		})
	}
	f("csv", nil)
	f("json", func(o *pipeline.ReplayOptions) { o.JSON = true })
}

// columns reads columns of a CSV file into a map from the first of them.
func columns(t testing.TB, path, key string, names ...string) map[string]string {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	all, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	at := map[string]int{}
	for i, name := range all[0] {
		at[name] = i
	}
	out := map[string]string{}
	for _, row := range all[1:] {
		var b strings.Builder
		for _, n := range names {
			fmt.Fprintf(&b, "%s ", row[at[n]])
		}
		out[row[at[key]]] = b.String()
	}
	return out
}
