package kafka

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/IBM/sarama"

	"ctr/pipeline"
)

// session is one generation of the group: from the assignment of partitions
// to the next rebalance. It implements sarama.ConsumerGroupHandler.
type session struct {
	source *Source
	feed   *pipeline.Feed
	began  bool
	claims map[int32]*pipeline.Assignment
	open   atomic.Int32 // UntilEnd: partitions not at their end yet
}

// Setup finds where each partition begins.
func (h *session) Setup(sess sarama.ConsumerGroupSession) error {
	s := h.source
	ids := sess.Claims()[s.o.Topic]
	committed, err := s.committed(sess.Context(), ids)
	if err != nil {
		return err
	}
	h.claims = make(map[int32]*pipeline.Assignment, len(ids))
	for _, p := range ids {
		a := &pipeline.Assignment{
			Topic: s.o.Topic, Partition: p,
			Group: s.o.Group, Generation: sess.GenerationID(), Member: sess.MemberID(),
			Committed: committed[p].Offset, Metadata: committed[p].Metadata,
		}
		if a.Start, err = s.start(p, a.Committed); err != nil {
			return err
		}
		// One of the two moves the session to Start, wherever it stands.
		// sarama commits neither, since automatic commits are off.
		sess.MarkOffset(a.Topic, p, a.Start, "")
		sess.ResetOffset(a.Topic, p, a.Start, "")
		h.claims[p] = a
	}
	s.first = false
	h.began = true
	h.open.Store(int32(len(ids)))
	if s.ends != nil && len(ids) == 0 {
		s.end(nil)
	}
	return nil
}

// Cleanup has nothing to do: every claim has committed for itself.
func (h *session) Cleanup(sarama.ConsumerGroupSession) error { return nil }

// ConsumeClaim reads one partition until the session ends. Returning earlier
// would end the session for all partitions.
func (h *session) ConsumeClaim(sess sarama.ConsumerGroupSession, claim sarama.ConsumerGroupClaim) error {
	a := h.claims[claim.Partition()]
	if err := h.feed.Assigned(a); err != nil {
		h.source.end(err)
		return nil
	}
	err := h.read(sess.Context(), a, claim)
	if err2 := h.feed.Revoked(a); err == nil {
		err = err2
	}
	if err != nil {
		h.source.end(err)
	}
	return nil
}

// read fills batches with whatever messages are there, without waiting for
// more: a batch is small where messages are few, and full where they are not.
func (h *session) read(ctx context.Context, a *pipeline.Assignment, claim sarama.ConsumerGroupClaim) error {
	// A partition that came after the ends were taken has none: all of it is
	// new, and nothing of it is waited for.
	end, bounded := h.source.ends[a.Partition], h.source.ends != nil
	idle := time.NewTicker(time.Second)
	defer idle.Stop()
	if !bounded {
		idle.Stop()
	}
	next, waited := a.Start, false
	for !bounded || next < end {
		var m *sarama.ConsumerMessage
		select {
		case m = <-claim.Messages():
			if m == nil {
				return nil
			}
			waited = false
		case <-ctx.Done():
			return nil
		case <-idle.C:
			// What lies before the end may hold no messages, such as the
			// marks of transactions: then nothing more will come.
			if waited && h.source.nothingBefore(a, next, end) {
				next = end
			}
			waited = true
			continue
		}
		b, err := h.feed.Batch(a)
		if err != nil {
			return err
		}
		next = fill(b, m, claim.Messages(), end, bounded)
		b.HighWater = claim.HighWaterMarkOffset()
		h.feed.Submit(b)
		if ctx.Err() != nil {
			return nil
		}
	}
	if h.open.Add(-1) == 0 {
		h.source.end(nil)
	}
	<-ctx.Done()
	return nil
}

// fill puts m and the messages that wait behind it into b, until b is full or
// the end is reached, and gives the offset after the last.
func fill(b *pipeline.Batch, m *sarama.ConsumerMessage, more <-chan *sarama.ConsumerMessage, end int64, bounded bool) int64 {
	for {
		if bounded && m.Offset >= end {
			return end
		}
		b.Records = append(b.Records, record(m))
		if len(b.Records) == cap(b.Records) {
			return m.Offset + 1
		}
		next := m.Offset + 1
		select {
		case m = <-more:
			if m == nil {
				return next
			}
		default:
			return next
		}
	}
}

func record(m *sarama.ConsumerMessage) pipeline.Record {
	r := pipeline.Record{Key: m.Key, Value: m.Value, Offset: m.Offset, Millis: -1}
	if !m.Timestamp.IsZero() {
		r.Millis = m.Timestamp.UnixMilli()
	}
	if len(m.Headers) > 0 {
		r.Headers = make([]pipeline.Header, len(m.Headers))
		for i, h := range m.Headers {
			r.Headers[i] = pipeline.Header{Key: h.Key, Value: h.Value}
		}
	}
	return r
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
	after = next
	for _, set := range block.RecordsSet {
		rb := set.RecordBatch
		if rb == nil {
			return 0, false, nil
		}
		if !rb.Control && len(rb.Records) > 0 && rb.LastOffset() >= next && !aborted(block, rb) {
			return 0, false, nil
		}
		after = max(after, rb.LastOffset()+1)
	}
	if after == next && block.LastStableOffset <= next {
		return 0, false, nil // a transaction is still open
	}
	return after, true, nil
}

// aborted reports whether rb belongs to a transaction that was aborted.
func aborted(block *sarama.FetchResponseBlock, rb *sarama.RecordBatch) bool {
	for _, t := range block.AbortedTransactions {
		if rb.IsTransactional && t.ProducerID == rb.ProducerID && t.FirstOffset <= rb.FirstOffset {
			return true
		}
	}
	return false
}
