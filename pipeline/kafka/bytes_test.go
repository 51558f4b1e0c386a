package kafka_test

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/IBM/sarama"

	"ctr/pipeline"
	"ctr/pipeline/kafka"
)

// bytesForm shows null and empty bytes as two things.
func bytesForm(b []byte) string {
	if b == nil {
		return "null"
	}
	return fmt.Sprintf("%q", b)
}

// messageForm shows a message, without the headers of a dead letter.
func messageForm(m *sarama.ConsumerMessage) string {
	text := fmt.Sprintf("key %s, value %s, headers", bytesForm(m.Key), bytesForm(m.Value))
	for _, h := range m.Headers {
		if !strings.HasPrefix(string(h.Key), "ctr.") {
			text += fmt.Sprintf(" %q=%s", h.Key, bytesForm(h.Value))
		}
	}
	return text
}

// Null and empty are two things, in keys, values and headers alike: a dead
// letter keeps them apart, and so does one that is sent again, by a file or a
// topic.
func TestNullAndEmpty(t *testing.T) {
	t.Parallel()
	c := cluster(t)
	null, empty, text := []byte(nil), []byte{}, []byte("x")
	for _, value := range [][]byte{null, empty, text} {
		for _, key := range [][]byte{null, empty, text} {
			t.Run("key "+bytesForm(key)+" value "+bytesForm(value), func(t *testing.T) {
				t.Parallel()
				nullAndEmpty(t, c, key, value)
			})
		}
	}
}

func nullAndEmpty(t *testing.T, c kafka.Options, key, value []byte) {
	check := func(what, topic string) {
		t.Helper()
		want := fmt.Sprintf(`key %s, value %s, headers "n"=null "e"="" ""="x"`, bytesForm(key), bytesForm(value))
		if got := messageForm(first(t, c, topic)); got != want {
			t.Errorf("%s: %s, want %s", what, got, want)
		}
	}
	topic := newTopic(t, c, 1)
	p, err := kafka.NewProducer(kafka.ProducerOptions{Options: c, Topic: topic})
	if err != nil {
		t.Fatal(err)
	}
	headers := []pipeline.Header{{Key: []byte("n")}, {Key: []byte("e"), Value: []byte{}}, {Key: []byte{}, Value: []byte("x")}}
	if err := p.SendWith(key, value, headers); err != nil {
		t.Fatal(err)
	}
	if err := p.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	check("as sent", topic)
	file := filepath.Join(t.TempDir(), "p.csv")
	if _, err := (run{cluster: c, topic: topic, group: topic, output: file}).score(t.Context()); err != nil {
		t.Fatal(err)
	}
	letters := map[string]pipeline.DeadLetterReader{"again, by a file": pipeline.DeadLetterFile(pipeline.DeadLetterPath(file))}
	for what, once := range map[string]bool{"at least once": false, "exactly once": true} {
		dead := newTopic(t, c, 1)
		if _, err := (toTopic{cluster: c, topic: topic, dead: dead, group: dead, once: once}).score(t.Context()); err != nil {
			t.Fatal(err)
		}
		check(what, dead)
		letters["again, by a topic, "+what] = kafka.DeadLetters(c, dead)
	}
	for what, read := range letters {
		again := newTopic(t, c, 1)
		_, err := pipeline.ReplayDeadLetters(t.Context(), read, again, func(topic string) (pipeline.HeaderProducer, error) {
			return kafka.NewProducer(kafka.ProducerOptions{Options: c, Topic: topic})
		})
		if err != nil {
			t.Fatal(err)
		}
		check(what, again)
	}
}

// first gives the first message of a topic's partition 0.
func first(t testing.TB, o kafka.Options, topic string) *sarama.ConsumerMessage {
	t.Helper()
	config := sarama.NewConfig()
	config.Version = sarama.V2_5_0_0
	consumer, err := sarama.NewConsumer(o.Brokers, config)
	if err != nil {
		t.Fatal(err)
	}
	defer consumer.Close()
	pc, err := consumer.ConsumePartition(topic, 0, sarama.OffsetOldest)
	if err != nil {
		t.Fatal(err)
	}
	defer pc.Close()
	select {
	case m := <-pc.Messages():
		return m
	case <-time.After(10 * time.Second):
		t.Fatalf("topic %s: no message", topic)
		return nil
	}
}

// Each codec is what the topic has, and its records are what was sent.
func TestCompression(t *testing.T) {
	t.Parallel()
	c := cluster(t)
	for i, name := range kafka.Compressions() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			compressed(t, c, name, i)
		})
	}
	const fault = `compression "brotli": want one of none, gzip, snappy, lz4, zstd`
	_, err := kafka.NewProducer(kafka.ProducerOptions{Options: c, Topic: "t", Compression: "brotli"})
	if err == nil || err.Error() != fault {
		t.Errorf("error %v, want %s", err, fault)
	}
	_, err = kafka.NewTopicSink(kafka.TopicSinkOptions{Options: c, Topic: "t", Compression: "brotli"})
	if err == nil || err.Error() != fault {
		t.Errorf("error %v, want %s", err, fault)
	}
}

func compressed(t *testing.T, c kafka.Options, name string, number int) {
	topic, out, once := newTopic(t, c, 1), newTopic(t, c, 1), newTopic(t, c, 1)
	p, err := kafka.NewProducer(kafka.ProducerOptions{Options: c, Topic: topic, Compression: name})
	if err != nil {
		t.Fatal(err)
	}
	values := rows(0, 2000)
	for _, v := range values {
		if err := p.Send([]byte(v[:3]), []byte(v)); err != nil {
			t.Fatal(err)
		}
	}
	if err := p.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	for _, to := range []string{out, once} {
		r := toTopic{cluster: c, topic: topic, out: to, group: to, once: to == once, compression: name}
		if sum, err := r.score(t.Context()); err != nil || sum.Rows != 2000 {
			t.Fatalf("%d rows, %v: want 2,000", sum.Rows, err)
		}
		want(t, ids(t, read(t, c, to)), 0, 2000, 1, 1)
	}
	for _, topic := range []string{topic, out, once} {
		if got := codecOf(t, c, topic); got != number {
			t.Errorf("codec %d, want %d", got, number)
		}
	}
	for k, m := range read(t, c, topic) {
		if string(m.Value) != values[k] || string(m.Key) != values[k][:3] {
			t.Fatalf("record %d: %s, want %s", k, m.Value, values[k])
		}
	}
}

// codecOf gives the codec of the first batch of a topic's partition 0.
func codecOf(t testing.TB, o kafka.Options, topic string) int {
	t.Helper()
	config := sarama.NewConfig()
	config.Version = sarama.V2_5_0_0
	client, err := sarama.NewClient(o.Brokers, config)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	leader, err := client.Leader(topic, 0)
	if err != nil {
		t.Fatal(err)
	}
	req := &sarama.FetchRequest{Version: 11, MaxWaitTime: 1000, MinBytes: 1, MaxBytes: 1 << 20}
	req.AddBlock(topic, 0, 0, 1<<20, -1)
	resp, err := leader.Fetch(req)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range resp.GetBlock(topic, 0).RecordsSet {
		if r.RecordBatch != nil {
			return int(r.RecordBatch.Codec)
		}
	}
	t.Fatalf("%s: no batch", topic)
	return -1
}
