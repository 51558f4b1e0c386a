package kafka_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"ctr/pipeline/broker"
	"ctr/pipeline/kafka"
)

// A producer says once that brokers have gone and once that they are back,
// and loses nothing meanwhile.
func TestProducerTellsOfBrokersThatGo(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	b, err := broker.Start(broker.Options{Listen: "127.0.0.1:0", Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	addr := b.Addr()
	o := kafka.Options{Brokers: []string{addr}}
	topic := newTopic(t, o, 2)
	told := &notes{}
	p, err := kafka.NewProducer(kafka.ProducerOptions{Options: o, Topic: topic, Note: told.Note})
	if err != nil {
		t.Fatal(err)
	}
	produce := func(values []string) {
		t.Helper()
		for _, v := range values {
			if err := p.Send(nil, []byte(v)); err != nil {
				t.Fatal(err)
			}
		}
	}
	text := func() string {
		told.mu.Lock()
		defer told.mu.Unlock()
		return told.text
	}
	await := func(done func() bool) {
		t.Helper()
		for end := time.Now().Add(20 * time.Second); !done(); time.Sleep(10 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("waited 20 s; told %q", text())
			}
		}
	}
	produce(rows(0, 10))
	await(func() bool { return p.Acknowledged() == 10 })
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	produce(rows(10, 10))
	await(func() bool { return text() != "" })
	if d := time.Since(began); d > 3*time.Second {
		t.Errorf("told after %v, want 3 s or less", d)
	}
	if b, err = broker.Start(broker.Options{Listen: addr, Dir: dir}); err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	await(func() bool { return p.Acknowledged() == 20 && strings.Count(text(), "\n") >= 2 })
	if err := p.Close(context.Background()); err != nil || p.Failed() != 0 {
		t.Fatalf("%v, %d failed", err, p.Failed())
	}
	lines := strings.Split(strings.TrimSpace(text()), "\n")
	if len(lines) != 2 || !strings.Contains(lines[0], "no broker answers; ") || !strings.Contains(lines[1], "brokers answer again after ") {
		t.Errorf("told %q", lines)
	}
}
