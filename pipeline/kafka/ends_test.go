package kafka

import (
	"testing"

	"github.com/IBM/sarama"
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
