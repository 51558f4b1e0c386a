package kafka

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/IBM/sarama"

	"ctr/pipeline"
)

// Where reading until the end ends: topics may end in what no reader sees.

// lookAround finds the topic and, for UntilEnd, where it ends.
func (s *Source) lookAround() error {
	ids, err := s.o.partitions(s.control, s.o.Topic)
	if err != nil || !s.o.UntilEnd {
		return err
	}
	// A broker that has just come up leads nothing yet.
	return s.patiently(context.Background(), "topic "+s.o.Topic, func() (err error) {
		s.ends, err = endOffsets(s.control, s.o.Topic, ids)
		return err
	})
}

// bound gives a claim its end. A partition that came after the ends were
// taken has none: all of it is new, and nothing of it is waited for.
func (m *member) bound(c *claim) {
	if m.source.ends != nil {
		c.bounded, c.end = true, m.source.ends[c.a.Partition]
		c.moved = time.Now()
	}
}

// atEnd reports whether all claims have come to their ends. A member without
// partitions is there when the group is: until then one of another member's
// may come to it. While partitions are taken up it is not there: they have to
// be read, from the earliest offset, say, whatever the group has committed.
func (m *member) atEnd(ctx context.Context) (bool, error) {
	if m.source.ends == nil || !m.given.Load() {
		return false, nil
	}
	if claims := m.list(); len(claims) > 0 {
		return !slices.ContainsFunc(claims, func(c *claim) bool { return !c.done() }), nil
	}
	if _, generation := m.client.GroupMetadata(); generation < 0 || time.Since(m.asked) < askEvery {
		return false, nil
	}
	m.asked = time.Now()
	return m.source.groupAtEnd(ctx)
}

// askEvery is how often a member without partitions asks how far the group is.
const askEvery = 500 * time.Millisecond

// groupAtEnd reports whether the group has committed all partitions up to their
// ends, or nothing is there before them.
func (s *Source) groupAtEnd(ctx context.Context) (bool, error) {
	at, err := s.committed(ctx, slices.Collect(maps.Keys(s.ends)), false)
	if err != nil && ctx.Err() == nil {
		return false, err
	}
	if err != nil {
		return false, nil //nolint:nilerr // stopped while it was asked: no failure
	}
	for p, end := range s.ends {
		next := at[p].Offset
		if next < 0 {
			if next, err = s.control.GetOffset(s.o.Topic, p, sarama.OffsetOldest); err != nil {
				s.note(fmt.Sprintf("topic %s: partition %d: first offset: %v", s.o.Topic, p, err))
				return false, nil // the next look may know
			}
		}
		if next < end && !s.nothingBefore(&pipeline.Assignment{Topic: s.o.Topic, Partition: p}, next, end) {
			return false, nil
		}
	}
	return true, nil
}

// done reports whether nothing before the end is left to come.
func (c *claim) done() bool { return c.bounded && c.next.Load() >= c.end }

// skipEmpty looks at partitions that have given no records for a while: what
// lies before their ends may hold none, such as the marks of transactions.
func (m *member) skipEmpty() error {
	for _, c := range m.list() {
		if c.bounded && !c.done() && time.Since(c.moved) > time.Second {
			if m.source.nothingBefore(c.a, c.next.Load(), c.end) {
				if err := m.pass(c); err != nil {
					return err
				}
			}
			c.moved = time.Now()
		}
	}
	return nil
}

// pass ends a claim whose end nothing more comes before, and has it committed.
func (m *member) pass(c *claim) error {
	b, err := m.feed.Batch(c.a)
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.gone {
		m.feed.GiveBack(b)
		return nil
	}
	c.next.Store(c.end)
	b.After = c.end
	m.feed.Submit(b)
	return nil
}

// nothingBefore reports whether a partition has no message from next up to
// end, only marks of transactions, aborted messages or gaps.
func (s *Source) nothingBefore(a *pipeline.Assignment, next, end int64) bool {
	for next < end {
		after, empty, err := s.skip(a, next)
		if err != nil {
			s.note(fmt.Sprintf("%s: offset %d: %v", a, next, err))
			return false
		}
		if !empty {
			return false
		}
		if after <= next { // nothing at all is stored from next on
			return true
		}
		next = after
	}
	return true
}

// skip fetches from next on and gives the offset after the batches of records
// that came, and whether none of them holds a message for a reader.
func (s *Source) skip(a *pipeline.Assignment, next int64) (after int64, empty bool, err error) {
	broker, err := s.control.Leader(a.Topic, a.Partition)
	if err != nil {
		return 0, false, err
	}
	req := &sarama.FetchRequest{
		Version: 11, MaxWaitTime: 100, MinBytes: 1, MaxBytes: 1 << 20,
		Isolation: sarama.ReadCommitted,
	}
	req.AddBlock(a.Topic, a.Partition, next, 1<<20, -1)
	resp, err := broker.Fetch(req)
	if err != nil {
		return 0, false, err
	}
	block := resp.GetBlock(a.Topic, a.Partition)
	if block == nil {
		return 0, false, sarama.ErrIncompleteResponse
	}
	if block.Err != sarama.ErrNoError {
		return 0, false, block.Err
	}
	after, empty = nothingIn(block, next)
	return after, empty, nil
}

// nothingIn gives the offset after the batches of records of a fetch, and
// whether none of them holds a message, from next on, for a reader of committed
// ones.
func nothingIn(block *sarama.FetchResponseBlock, next int64) (after int64, empty bool) {
	after = next
	ahead := slices.SortedFunc(slices.Values(block.AbortedTransactions), func(a, b *sarama.AbortedTransaction) int {
		return cmp.Compare(a.FirstOffset, b.FirstOffset)
	})
	// A producer's transaction is aborted from its first offset up to its mark:
	// after that the same producer may commit another.
	aborted := map[int64]bool{}
	for _, set := range block.RecordsSet {
		rb := set.RecordBatch
		if rb == nil {
			return 0, false
		}
		for len(ahead) > 0 && ahead[0].FirstOffset <= rb.LastOffset() {
			aborted[ahead[0].ProducerID] = true
			ahead = ahead[1:]
		}
		switch {
		case rb.Control:
			delete(aborted, rb.ProducerID)
		case len(rb.Records) > 0 && rb.LastOffset() >= next && !(rb.IsTransactional && aborted[rb.ProducerID]):
			return 0, false
		}
		after = max(after, rb.LastOffset()+1)
	}
	// Where nothing at all came a transaction may still be open.
	return after, after > next || block.LastStableOffset > next
}
