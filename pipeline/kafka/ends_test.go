package kafka

import (
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
)

// What a fetch holds for a reader of committed messages, by the kind of its
// batches: each has one record, at offset 10 and on.
func TestNothingIn(t *testing.T) {
	const data, plain, mark = 'd', 'p', 'm'
	f := func(kinds string, aborted []int64, next, wantAfter int64, wantEmpty bool) {
		t.Helper()
		block := &sarama.FetchResponseBlock{LastStableOffset: 10 + int64(len(kinds))}
		for _, at := range aborted {
			block.AbortedTransactions = append(block.AbortedTransactions, &sarama.AbortedTransaction{ProducerID: 7, FirstOffset: at})
		}
		for i, kind := range kinds {
			block.RecordsSet = append(block.RecordsSet, &sarama.Records{RecordBatch: &sarama.RecordBatch{
				FirstOffset: 10 + int64(i), ProducerID: 7, IsTransactional: kind != plain, Control: kind == mark,
				Records: []*sarama.Record{{}},
			}})
		}
		if after, empty := nothingIn(block, next); empty != wantEmpty || empty && after != wantAfter {
			t.Errorf("%s, aborted from %v: after %d, empty %v; want %d, %v", kinds, aborted, after, empty, wantAfter, wantEmpty)
		}
	}
	f("p", nil, 10, 0, false)
	f("p", nil, 11, 0, false) // nothing from there on yet
	f("dm", nil, 10, 0, false)
	f("m", nil, 10, 11, true)
	f("ddm", []int64{10}, 10, 13, true)
	f("ddmdm", []int64{10}, 10, 0, false)     // aborted, then committed, by the same producer
	f("ddmdm", []int64{10, 13}, 10, 15, true) // both aborted
	f("dmddm", []int64{12}, 12, 15, true)     // committed before next, then aborted
	f("ddmp", []int64{10}, 10, 0, false)      // a plain one after it
	f("", nil, 10, 10, false)                 // an open transaction
}

// A member of the group that has not yet taken up its partitions is not at the
// end, though the group is: on a busy machine, reading from the earliest offset
// what the group had committed before ended without a row.
func TestNotAtTheEndBeforePartitionsAreTaken(t *testing.T) {
	fake, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(1, "in"))
	if err != nil {
		t.Fatal(err)
	}
	defer fake.Close()
	src, err := NewSource(SourceOptions{Options: Options{Brokers: fake.ListenAddrs()}, Topic: "in", Group: "g", UntilEnd: true})
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	client, err := kgo.NewClient(kgo.SeedBrokers(fake.ListenAddrs()...), kgo.ConsumerGroup("g"), kgo.ConsumeTopics("in"), kgo.DisableClientMetrics())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	for began := time.Now(); ; time.Sleep(10 * time.Millisecond) {
		if _, generation := client.GroupMetadata(); generation >= 0 {
			break
		}
		if time.Since(began) > 30*time.Second {
			t.Fatal("not in the group within 30 s")
		}
	}
	m := &member{source: src, client: client, claims: map[int32]*claim{}}
	if end, err := m.atEnd(t.Context()); end || err != nil {
		t.Errorf("before partitions are taken: at the end %v, %v: want false", end, err)
	}
	m.given.Store(true)
	m.asked = time.Time{}
	if end, err := m.atEnd(t.Context()); !end || err != nil {
		t.Errorf("a member without partitions of a group at its end: at the end %v, %v: want true", end, err)
	}
}
