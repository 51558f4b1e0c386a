package kafka_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/IBM/sarama"

	"ctr/pipeline"
	"ctr/pipeline/kafka"
)

// transactions fills a topic with 10 committed rows, 10 aborted ones and a
// transaction without any, so that it ends in their marks.
func transactions(t *testing.T, c kafka.Options, topic string) {
	t.Helper()
	config := sarama.NewConfig()
	config.Version = sarama.V2_5_0_0
	config.Producer.Idempotent = true
	config.Producer.RequiredAcks = sarama.WaitForAll
	config.Producer.Transaction.ID = topic
	config.Producer.Return.Successes = true
	config.Net.MaxOpenRequests = 1
	p, err := sarama.NewSyncProducer(c.Brokers, config)
	if err != nil {
		t.Fatal(err)
	}
	for i, end := range []func() error{p.CommitTxn, p.AbortTxn, p.CommitTxn} {
		if err := p.BeginTxn(); err != nil {
			t.Fatal(err)
		}
		if i < 2 { // the last transaction is empty
			for _, r := range rows(10*i, 10) {
				m := &sarama.ProducerMessage{Topic: topic, Value: sarama.StringEncoder(r)}
				if _, _, err := p.SendMessage(m); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := end(); err != nil {
			t.Fatal(err)
		}
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
}

// A topic that ends in the marks of transactions, and holds an aborted one,
// has an end all the same, and its lag is none once its rows are scored.
func TestUntilEndPastTransactions(t *testing.T) {
	t.Parallel()
	c := cluster(t)
	topic := newTopic(t, c, 1)
	transactions(t, c, topic)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	r := run{cluster: c, topic: topic, group: topic, output: output(t)}
	sum, err := r.score(ctx)
	if err != nil || sum.Rows != 10 || ctx.Err() != nil {
		t.Fatalf("%d rows, %v, %v: want the 10 that were committed", sum.Rows, err, ctx.Err())
	}
	want(t, count(t, r.output), 0, 10, 1, 1)
	if n := lagOf(t, c, topic); n != 0 {
		t.Errorf("lag %d at the end, want 0", n)
	}
}

// A scorer that waits for more commits past the marks too: monitoring, and
// scaling by lag, would otherwise never see a topic that is read to its end.
func TestLagPastTransactions(t *testing.T) {
	t.Parallel()
	for _, once := range []bool{false, true} {
		c := cluster(t)
		topic, out := newTopic(t, c, 1), newTopic(t, c, 1)
		transactions(t, c, topic)
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		r := toTopic{cluster: c, topic: topic, out: out, group: topic, once: once, forever: true}
		var done sync.WaitGroup
		var sum pipeline.Summary
		var err error
		done.Go(func() { sum, err = r.score(ctx) })
		for lagOf(t, c, topic) > 0 && ctx.Err() == nil {
			time.Sleep(50 * time.Millisecond)
		}
		if ctx.Err() != nil {
			t.Errorf("exactly once %v: lag %d, want 0 in the end", once, lagOf(t, c, topic))
		}
		cancel()
		done.Wait()
		if err != nil || sum.Rows != 10 || len(sum.Partitions) != 1 || sum.Partitions[0].Lag != 0 {
			t.Errorf("exactly once %v: %d rows, %v, partitions %+v: want 10 and no lag", once, sum.Rows, err, sum.Partitions)
		}
		want(t, ids(t, read(t, c, out)), 0, 10, 1, 1)
	}
}

// lagOf gives how many offsets a topic has that the group of the same name has
// not committed.
func lagOf(t *testing.T, c kafka.Options, topic string) (n int64) {
	t.Helper()
	lags, err := kafka.GroupLag(c, topic, topic)
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range lags {
		n += l.Lag
	}
	return n
}
