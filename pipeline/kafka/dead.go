package kafka

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"ctr/pipeline"
)

// DeadLetters reads a topic that a TopicSink has written dead letters to, up to
// where it ends now.
func DeadLetters(o Options, topic string) pipeline.DeadLetterReader {
	return func(ctx context.Context, each func(*pipeline.DeadLetter) error) error {
		info, err := DescribeTopic(o, topic)
		if err != nil {
			return err
		}
		o = o.withDefaults()
		offsets, left, err := deadPartitions(topic, info.Partitions)
		if err != nil || len(left) == 0 {
			return err
		}
		opts, err := o.kgoOpts(nil)
		if err != nil {
			return err
		}
		client, err := kgo.NewClient(append(opts,
			kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: offsets}),
			kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.KeepControlRecords(),
		)...)
		if err != nil {
			return err
		}
		defer client.Close()
		for len(left) > 0 {
			wait, cancel := context.WithTimeout(ctx, deadPatience)
			fetches := client.PollFetches(wait)
			cancel()
			if err := ctx.Err(); err != nil {
				return err
			}
			if fetches.NumRecords() == 0 && wait.Err() != nil {
				return fmt.Errorf("topic %s: nothing for %v, and %d partitions are not at their end", topic, deadPatience, len(left))
			}
			if err := deadOf(fetches, left, each); err != nil {
				return err
			}
		}
		return nil
	}
}

// deadPartitions gives where to begin in each partition that has records, and
// where to end. One without a leader is an error: its records would be left out
// without a word.
func deadPartitions(topic string, partitions []PartitionInfo) (map[int32]kgo.Offset, map[int32]int64, error) {
	offsets, left := map[int32]kgo.Offset{}, map[int32]int64{}
	for _, p := range partitions {
		switch {
		case p.Leader < 0 || p.End < 0:
			return nil, nil, fmt.Errorf("topic %s: partition %d: no leader: want all of the topic's partitions readable", topic, p.Partition)
		case p.First < p.End:
			offsets[p.Partition], left[p.Partition] = kgo.NewOffset().AtStart(), p.End
		}
	}
	return offsets, left, nil
}

// deadPatience is how long the next record is waited for: longer than a
// transaction that a killed process has left open.
const deadPatience = 30 * time.Second

// deadOf hands on the dead letters of fetches, and takes partitions that have
// come to their end out of left.
func deadOf(fetches kgo.Fetches, left map[int32]int64, each func(*pipeline.DeadLetter) error) error {
	for it := fetches.RecordIter(); !it.Done(); {
		r := it.Next()
		end, ok := left[r.Partition]
		if !ok {
			continue
		}
		if r.Offset >= end-1 {
			delete(left, r.Partition)
		}
		if r.Offset >= end || r.Attrs.IsControl() {
			continue
		}
		d := pipeline.DeadLetter{Key: r.Key, Value: r.Value}
		for _, h := range r.Headers {
			if h.Key == headerTopic {
				d.Topic = string(h.Value)
			}
			if !strings.HasPrefix(h.Key, "ctr.") {
				d.Headers = append(d.Headers, pipeline.Header{Key: []byte(h.Key), Value: h.Value})
			}
		}
		if d.Topic == "" {
			return fmt.Errorf("%s/%d: offset %d: no header %s: want dead letters of ctr score", r.Topic, r.Partition, r.Offset, headerTopic)
		}
		if err := each(&d); err != nil {
			return err
		}
	}
	for _, e := range fetches.Errors() {
		if !errors.Is(e.Err, context.DeadlineExceeded) && hopeless(e.Err) {
			return fmt.Errorf("topic %s: partition %d: %w", e.Topic, e.Partition, e.Err)
		}
	}
	return nil
}
