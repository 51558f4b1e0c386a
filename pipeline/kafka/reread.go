package kafka

import (
	"context"
	"fmt"
	"time"

	"github.com/IBM/sarama"

	"ctr/pipeline"
)

// rereadRows is the most records that Reread gives at a time.
const rereadRows = 1024

// Reread implements pipeline.Rereader. It reads beside the group: nothing is
// committed.
func (s *Source) Reread(ctx context.Context, a *pipeline.Assignment, from int64, each func([]pipeline.Record) error) (first int64, err error) {
	oldest, err := s.control.GetOffset(a.Topic, a.Partition, sarama.OffsetOldest)
	if err != nil {
		return from, fmt.Errorf("%s: first offset: %w", a, err)
	}
	first = max(from, oldest)
	if first >= a.Start {
		return min(first, a.Start), nil
	}
	consumer, err := sarama.NewConsumerFromClient(s.control)
	if err != nil {
		return first, err
	}
	defer consumer.Close() // what was read is read
	claim, err := consumer.ConsumePartition(a.Topic, a.Partition, first)
	if err != nil {
		return first, fmt.Errorf("%s: offset %d: %w", a, first, err)
	}
	defer claim.Close() // as above
	go func() {
		for err := range claim.Errors() {
			s.note(err.Error())
		}
	}()
	return first, s.reread(ctx, a, first, claim, each)
}

func (s *Source) reread(ctx context.Context, a *pipeline.Assignment, next int64, claim sarama.PartitionConsumer, each func([]pipeline.Record) error) error {
	idle := time.NewTicker(time.Second)
	defer idle.Stop()
	b := pipeline.Batch{Records: make([]pipeline.Record, 0, rereadRows)}
	for waited := false; next < a.Start; {
		select {
		case m := <-claim.Messages():
			if m == nil {
				return fmt.Errorf("%s: offset %d: the broker ended the reading", a, next)
			}
			b.Records = b.Records[:0]
			next = fill(&b, m, claim.Messages(), a.Start)
			if err := each(b.Records); err != nil {
				return err
			}
			waited = false
		case <-ctx.Done():
			return ctx.Err()
		case <-idle.C:
			if waited && s.nothingBefore(a, next, a.Start) {
				return nil
			}
			waited = true
		}
	}
	return nil
}

// fill puts m and the messages that wait behind it into b, until b is full or
// the end is reached, and gives the offset after the last.
func fill(b *pipeline.Batch, m *sarama.ConsumerMessage, more <-chan *sarama.ConsumerMessage, end int64) int64 {
	for {
		if m.Offset >= end {
			return end
		}
		// History is read from values: nothing else matters here.
		b.Records = append(b.Records, pipeline.Record{Value: m.Value, Offset: m.Offset, Millis: -1})
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
