package kafka

import (
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"ctr/pipeline"
)

// taken are records of a claim that wait to be submitted.
type taken struct {
	claim     *claim
	records   []*kgo.Record
	highWater int64
}

// sort finds the claims of the records that came.
func (m *member) sort(work []taken, fetches kgo.Fetches) []taken {
	m.mu.Lock()
	defer m.mu.Unlock()
	fetches.EachPartition(func(p kgo.FetchTopicPartition) {
		if c := m.claims[p.Partition]; c != nil && p.Topic == m.source.o.Topic && len(p.Records) > 0 {
			work = append(work, taken{c, p.Records, p.HighWatermark})
		}
	})
	return work
}

// submit puts records into batches: a batch is small where records are few,
// and full where they are not.
func (m *member) submit(t taken) error {
	c := t.claim
	for len(t.records) > 0 && m.ctx.Err() == nil { // what is left is read again
		b, err := m.feed.Batch(c.a)
		if err != nil {
			return err
		}
		c.mu.Lock()
		if c.gone || c.done() {
			c.mu.Unlock()
			m.feed.GiveBack(b)
			return nil
		}
		n := min(len(t.records), cap(b.Records))
		for _, r := range t.records[:n] {
			if c.bounded && r.Offset >= c.end {
				c.next.Store(c.end)
				break
			}
			if !r.Attrs.IsControl() {
				b.Records = append(b.Records, record(r))
			}
			c.next.Store(r.Offset + 1)
		}
		t.records = t.records[n:]
		b.HighWater, b.After = t.highWater, c.next.Load()
		m.feed.Submit(b)
		c.mu.Unlock()
	}
	c.moved = time.Now()
	return nil
}

func record(r *kgo.Record) pipeline.Record {
	out := pipeline.Record{Key: r.Key, Value: r.Value, Offset: r.Offset, Millis: -1}
	if !r.Timestamp.IsZero() {
		out.Millis = r.Timestamp.UnixMilli()
	}
	if len(r.Headers) > 0 {
		out.Headers = make([]pipeline.Header, len(r.Headers))
		for i, h := range r.Headers {
			out.Headers[i] = pipeline.Header{Key: []byte(h.Key), Value: h.Value}
		}
	}
	return out
}
