package kafka_test

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"ctr/pipeline/kafka"
)

// committedIDs counts the ids of predictions that a reader of committed
// records sees in a topic up to its end. A transaction that stays open is a
// failure.
func committedIDs(t *testing.T, c kafka.Options, topic string) map[string]int {
	t.Helper()
	ends, err := kafka.EndOffsets(c, topic)
	if err != nil {
		t.Fatal(err)
	}
	from := map[int32]kgo.Offset{}
	for p, end := range ends {
		if end == 0 {
			delete(ends, p)
			continue
		}
		from[p] = kgo.NewOffset().AtStart()
	}
	n := map[string]int{}
	if len(from) == 0 {
		return n
	}
	client, err := kgo.NewClient(kgo.SeedBrokers(c.Brokers...), kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: from}),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.KeepControlRecords(), kgo.DisableClientMetrics())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for len(ends) > 0 {
		fetches := client.PollFetches(ctx)
		if ctx.Err() != nil {
			t.Fatalf("topic %s: partitions %v: no end for 30 s: a transaction is open", topic, ends)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			if !r.Attrs.IsControl() {
				id, _, _ := strings.Cut(strings.TrimPrefix(string(r.Value), `{"id":"`), `"`)
				n[id]++
			}
			if r.Offset >= ends[r.Partition]-1 {
				delete(ends, r.Partition)
			}
		})
	}
	return n
}

// Whatever a broker answers to a step of a transaction, once or a few times, and
// however a connection breaks before or after the broker has done it: nothing
// is lost, nothing is there twice, and only what no further try mends ends the
// scorer, with the broker's own words.
func TestTransactionFaults(t *testing.T) {
	t.Parallel()
	coordinator := []*kerr.Error{
		kerr.CoordinatorNotAvailable, kerr.NotCoordinator, kerr.CoordinatorLoadInProgress, kerr.ConcurrentTransactions,
		kerr.InvalidProducerEpoch, kerr.ProducerFenced, kerr.InvalidTxnState, kerr.InvalidProducerIDMapping,
		kerr.TransactionAbortable, kerr.UnknownServerError,
	}
	steps := []struct {
		key    kmsg.Key
		mended []*kerr.Error
		fatal  []*kerr.Error
	}{
		{kmsg.Produce, []*kerr.Error{
			kerr.NotLeaderForPartition, kerr.LeaderNotAvailable, kerr.NotEnoughReplicas, kerr.NotEnoughReplicasAfterAppend, kerr.RequestTimedOut,
			kerr.OutOfOrderSequenceNumber, kerr.UnknownProducerID, kerr.InvalidProducerEpoch, kerr.InvalidTxnState,
			kerr.InvalidProducerIDMapping, kerr.ConcurrentTransactions, kerr.UnknownTopicOrPartition, kerr.KafkaStorageError, kerr.TransactionAbortable,
		}, []*kerr.Error{kerr.TopicAuthorizationFailed, kerr.MessageTooLarge}},
		{kmsg.AddPartitionsToTxn, coordinator, []*kerr.Error{kerr.TransactionalIDAuthorizationFailed, kerr.TopicAuthorizationFailed}},
		{kmsg.AddOffsetsToTxn, coordinator, []*kerr.Error{kerr.TransactionalIDAuthorizationFailed, kerr.GroupAuthorizationFailed}},
		{kmsg.TxnOffsetCommit, append([]*kerr.Error{
			kerr.RequestTimedOut, kerr.RebalanceInProgress, kerr.IllegalGeneration, kerr.UnknownMemberID, kerr.UnknownTopicOrPartition,
		}, coordinator...), []*kerr.Error{kerr.GroupAuthorizationFailed, kerr.FencedInstanceID, kerr.OffsetMetadataTooLarge}},
		{kmsg.EndTxn, coordinator, []*kerr.Error{kerr.TransactionalIDAuthorizationFailed}},
		{kmsg.InitProducerID, []*kerr.Error{
			kerr.CoordinatorNotAvailable, kerr.NotCoordinator, kerr.CoordinatorLoadInProgress, kerr.ConcurrentTransactions,
		}, []*kerr.Error{kerr.TransactionalIDAuthorizationFailed, kerr.InvalidTransactionTimeout}},
	}
	for _, s := range steps {
		name := kmsg.NameForKey(int16(s.key))
		for _, e := range s.mended {
			t.Run(name+"/"+e.Message, func(t *testing.T) { faulty{key: s.key, code: e}.run(t) })
		}
		for _, e := range s.fatal {
			t.Run(name+"/"+e.Message, func(t *testing.T) { faulty{key: s.key, code: e, always: true}.run(t) })
		}
		t.Run(name+"/unseen", func(t *testing.T) { faulty{key: s.key, fate: fate{unseen: true}}.run(t) })
		t.Run(name+"/mute", func(t *testing.T) { faulty{key: s.key, fate: fate{mute: true}}.run(t) })
		if s.key != kmsg.EndTxn && s.key != kmsg.AddOffsetsToTxn {
			continue
		}
		for _, e := range coordinator {
			t.Run(name+"/done, "+e.Message, func(t *testing.T) { faulty{key: s.key, fate: fate{code: e}}.run(t) })
		}
	}
}

// faulty is a scorer whose requests of a kind go wrong.
type faulty struct {
	key  kmsg.Key
	code *kerr.Error // answered in place of doing it, nil = never
	fate fate        // otherwise
	// always says that it is answered to all of them, and that this is the
	// scorer's end.
	always bool
}

func (f faulty) run(t *testing.T) {
	t.Parallel()
	const n = 600
	fake, w := wired(t, "127.0.0.1:0", kfake.SeedTopics(2, "in", "out"))
	defer fake.Close()
	c := kafka.Options{Brokers: fake.ListenAddrs()}
	send(t, c, "in", rows(0, n))
	var asked, met atomic.Int64
	var over atomic.Bool
	after := int64(3) // requests go well
	if f.key == kmsg.InitProducerID {
		after = 0
	}
	goes := func() bool { // wrong: two in a row, or all
		k := asked.Add(1)
		wrong := k > after && !over.Load() && (f.always || k <= after+2)
		if wrong {
			met.Add(1)
		}
		return wrong
	}
	if f.code != nil {
		fake.Fault(kfake.Fault{Keys: []kmsg.Key{f.key}, Err: f.code, Count: -1, When: transactional(goes)})
	} else {
		w.mu.Lock()
		w.meddle = func(key kmsg.Key) fate {
			if key == f.key && goes() {
				return f.fate
			}
			return fate{}
		}
		w.mu.Unlock()
	}
	ctx, cancel := context.WithTimeout(t.Context(), 120*time.Second)
	defer cancel()
	told := &notes{}
	r := toTopic{cluster: c, topic: "in", out: "out", group: "g", once: true, rows: 50, session: 30 * time.Second, patience: 20 * time.Second, note: told.Note}
	if f.always { // rights may come back: they are waited for
		r.patience = 2 * time.Second
	}
	began := time.Now()
	defer func() { t.Logf("%v; %d of %d wrong", time.Since(began), met.Load(), asked.Load()) }()
	sum, err := r.score(ctx)
	if met.Load() == 0 {
		t.Fatalf("%d requests, none of them went wrong", asked.Load())
	}
	words := ""
	if f.code != nil {
		words = f.code.Message
	}
	if strings.HasSuffix(words, "AUTHORIZATION_FAILED") {
		words = "this client may not use the "
	}
	switch {
	case f.always && (err == nil || !strings.Contains(err.Error(), words)):
		t.Errorf("error %v, want %s", err, words)
	case f.always && time.Since(began) > 30*time.Second:
		t.Errorf("it took %v to give up", time.Since(began))
	case !f.always && (err != nil || ctx.Err() != nil):
		t.Errorf("%v, %v: want none; told %q", err, ctx.Err(), told.read())
	case !f.always && sum.Rows != n:
		t.Errorf("%d rows, want %d; told %q", sum.Rows, n, told.read())
	}
	// Whoever is next finds what the group says, and nothing in the way.
	over.Store(true)
	if _, err := r.score(ctx); err != nil {
		t.Fatal(err)
	}
	got := committedIDs(t, c, "out")
	if want(t, got, 0, n, 1, 1); t.Failed() {
		t.Logf("%d of %d wrong; %v; told %q", met.Load(), asked.Load(), missing(got, n), told.read())
	}
}

// transactional asks goes about requests that are part of a transaction: the
// rows themselves are produced by another.
func transactional(goes func() bool) func(kmsg.Request) bool {
	return func(r kmsg.Request) bool {
		switch r := r.(type) {
		case *kmsg.ProduceRequest:
			return r.TransactionID != nil && goes()
		case *kmsg.InitProducerIDRequest:
			return r.TransactionalID != nil && goes()
		}
		return goes()
	}
}

// missing gives the ids that are not there once.
func missing(got map[string]int, n int) (out []string) {
	for i := range n {
		if id := fmt.Sprintf("id%d", i); got[id] != 1 {
			out = append(out, fmt.Sprintf("%s: %d", id, got[id]))
		}
	}
	return out[:min(len(out), 10)]
}
