package broker_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"go.uber.org/goleak"

	"ctr/pipeline/broker"
	"ctr/pipeline/kafka"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m,
		// One for the life of the process, started by sarama's metrics.
		goleak.IgnoreTopFunction("github.com/rcrowley/go-metrics.(*meterArbiter).tick"),
	)
}

func start(t *testing.T, o broker.Options) *broker.Broker {
	t.Helper()
	if o.Listen == "" {
		o.Listen = "127.0.0.1:0"
	}
	b, err := broker.Start(o)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func send(t *testing.T, addr, topic string, n, size int) {
	t.Helper()
	p, err := kafka.NewProducer(kafka.ProducerOptions{Options: kafka.Options{Brokers: []string{addr}}, Topic: topic})
	if err != nil {
		t.Fatal(err)
	}
	for range n {
		if err := p.Send(nil, bytes.Repeat([]byte("x"), size)); err != nil {
			t.Fatal(err)
		}
	}
	if err := p.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
}

func total(t *testing.T, addr, topic string) (partitions int, messages int64) {
	t.Helper()
	ends, err := kafka.EndOffsets(kafka.Options{Brokers: []string{addr}}, topic)
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range ends {
		messages += n
	}
	return len(ends), messages
}

// oldest gives the first offset that partition 0 of topic t still has.
func oldest(t *testing.T, addr string) int64 {
	t.Helper()
	c, err := sarama.NewClient([]string{addr}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	n, err := c.GetOffset("t", 0, sarama.OffsetOldest)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// Topics are made by their first use, and are there again after a restart.
func TestKeepsMessages(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	b := start(t, broker.Options{Dir: dir, Partitions: 3})
	send(t, b.Addr(), "t", 100, 10)
	if p, n := total(t, b.Addr(), "t"); p != 3 || n != 100 {
		t.Errorf("%d messages in %d partitions, want 100 in 3", n, p)
	}
	_, err := broker.Start(broker.Options{Listen: "127.0.0.1:0", Dir: dir})
	if err == nil || err.Error() != dir+": another broker keeps its data there" {
		t.Errorf("second broker on the directory: error %v", err)
	}
	b.Close()
	b = start(t, broker.Options{Dir: dir})
	defer b.Close()
	if p, n := total(t, b.Addr(), "t"); p != 3 || n != 100 {
		t.Errorf("after a restart %d messages in %d partitions, want 100 in 3", n, p)
	}
}

// What a killed broker leaves, here a copy of a running one's directory, has
// all that was acknowledged, and the topics that their first use made.
func TestKilled(t *testing.T) {
	t.Parallel()
	dir, left := t.TempDir(), t.TempDir()
	b := start(t, broker.Options{Dir: dir, Partitions: 3})
	defer b.Close()
	send(t, b.Addr(), "t", 100, 10)
	if err := os.CopyFS(left, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	after := start(t, broker.Options{Dir: left})
	defer after.Close()
	if p, n := total(t, after.Addr(), "t"); p != 3 || n != 100 {
		t.Errorf("after a kill %d messages in %d partitions, want 100 in 3", n, p)
	}
}

func TestPortInUse(t *testing.T) {
	t.Parallel()
	b := start(t, broker.Options{})
	defer b.Close()
	_, err := broker.Start(broker.Options{Listen: b.Addr()})
	if err == nil || err.Error() != "listen "+b.Addr()+": another program is listening there, perhaps another broker" {
		t.Fatalf("error %v, want one that says who has the port", err)
	}
	var h interface{ Hint() string }
	if !errors.As(err, &h) || !strings.Contains(h.Hint(), "--listen") {
		t.Errorf("hint of %v: want one that names --listen", err)
	}
}

// A partition does not grow without bound.
func TestRetention(t *testing.T) {
	t.Parallel()
	b := start(t, broker.Options{Partitions: 1, RetentionBytes: 1 << 20, RetentionEvery: 10 * time.Millisecond})
	defer b.Close()
	send(t, b.Addr(), "t", 4000, 1000)
	deadline := time.Now().Add(5 * time.Second)
	for oldest(t, b.Addr()) < 2000 {
		if time.Now().After(deadline) {
			t.Fatalf("oldest offset %d after 5 s, want 2,000 or more", oldest(t, b.Addr()))
		}
		time.Sleep(10 * time.Millisecond)
	}
	if _, n := total(t, b.Addr(), "t"); n != 4000 {
		t.Errorf("end offset %d, want 4,000", n)
	}
}

func TestBadOptions(t *testing.T) {
	t.Parallel()
	f := func(o broker.Options, want string) {
		t.Helper()
		b, err := broker.Start(o)
		if err == nil {
			b.Close()
		}
		if err == nil || err.Error() != want {
			t.Errorf("error %v, want %s", err, want)
		}
	}
	f(broker.Options{Listen: "nowhere"}, `listen "nowhere": want HOST:PORT`)
	f(broker.Options{Listen: "localhost:http"}, `listen "localhost:http": port "http": want 0..65535`)
	f(broker.Options{Partitions: -1}, "partitions -1: want 1 or more")
	f(broker.Options{RetentionBytes: -2}, "retention -2: want -1 (everything) or a number of bytes")
}
