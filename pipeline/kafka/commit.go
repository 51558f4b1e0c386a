package kafka

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/IBM/sarama"

	"ctr/pipeline"
)

// retryWait is the pause before a coordinator is asked again.
const retryWait = 200 * time.Millisecond

// Committed gives what the group has committed for the topic, by partition.
// Partitions without a commit are left out. It gives up after 15 s.
func (s *Source) Committed(ctx context.Context) ([]pipeline.Position, error) {
	ctx, cancel := context.WithTimeout(ctx, 15*time.Second)
	defer cancel()
	ids, err := s.o.partitions(s.control, s.o.Topic)
	if err != nil {
		return nil, err
	}
	all, err := s.committed(ctx, ids)
	if err != nil {
		return nil, err
	}
	var found []pipeline.Position
	for _, p := range all {
		if p.Offset >= 0 {
			found = append(found, p)
		}
	}
	slices.SortFunc(found, func(a, b pipeline.Position) int { return int(a.Partition - b.Partition) })
	return found, nil
}

// committed gives the group's commits for the partitions; Offset is -1 where
// there is none.
func (s *Source) committed(ctx context.Context, ids []int32) (map[int32]pipeline.Position, error) {
	found := make(map[int32]pipeline.Position, len(ids))
	if len(ids) == 0 {
		return found, nil
	}
	err := s.ask(ctx, func(b *sarama.Broker) error {
		req := sarama.NewOffsetFetchRequest(s.control.Config().Version, s.o.Group,
			map[string][]int32{s.o.Topic: ids})
		resp, err := b.FetchOffset(req)
		if err != nil {
			return err
		}
		if resp.Err == sarama.ErrGroupIDNotFound {
			for _, p := range ids {
				found[p] = pipeline.Position{Topic: s.o.Topic, Partition: p, Offset: -1}
			}
			return nil
		}
		if resp.Err != sarama.ErrNoError {
			return resp.Err
		}
		for _, p := range ids {
			block := resp.GetBlock(s.o.Topic, p)
			if block == nil {
				return sarama.ErrIncompleteResponse
			}
			if block.Err != sarama.ErrNoError {
				return block.Err
			}
			found[p] = pipeline.Position{
				Topic: s.o.Topic, Partition: p, Offset: block.Offset, Metadata: block.Metadata,
			}
		}
		return nil
	})
	if err != nil {
		return nil, s.groupError(err)
	}
	return found, nil
}

// Commit implements pipeline.Source. It asks the coordinator itself, instead
// of leaving it to sarama's session, so that a refusal is known before anyone
// counts on the commit, and so that it carries the generation in which the
// rows were read.
func (s *Source) Commit(ctx context.Context, commits []pipeline.Commit) error {
	for len(commits) > 0 {
		// One request a generation: those of a stale one are refused whole.
		a := commits[0].Assignment
		n := 1
		for n < len(commits) && commits[n].Assignment.Generation == a.Generation {
			n++
		}
		err := s.ask(ctx, func(b *sarama.Broker) error { return s.commit(b, commits[:n]) })
		if gone(err) {
			return fmt.Errorf("%w (%v)", pipeline.ErrNotOwner, err) //nolint:errorlint // why is for reading: callers branch on ErrNotOwner alone
		}
		if err != nil {
			return s.groupError(err)
		}
		commits = commits[n:]
	}
	return nil
}

func (s *Source) commit(b *sarama.Broker, commits []pipeline.Commit) error {
	a := commits[0].Assignment
	req := sarama.NewOffsetCommitRequest(s.control.Config(), a.Group)
	req.ConsumerGroupGeneration = a.Generation
	req.ConsumerID = a.Member
	if id := s.control.Config().Consumer.Group.InstanceId; id != "" {
		req.GroupInstanceId = &id
	}
	for _, c := range commits {
		req.AddBlockWithLeaderEpoch(c.Assignment.Topic, c.Assignment.Partition, c.Offset, -1, 0, c.Metadata)
	}
	resp, err := b.CommitOffset(req)
	if err != nil {
		return err
	}
	for _, partitions := range resp.Errors {
		for _, code := range partitions {
			if code != sarama.ErrNoError {
				return code
			}
		}
	}
	return nil
}

// ask puts a question to the group's coordinator, and again to whoever it is
// then, while that may help and ctx lasts.
func (s *Source) ask(ctx context.Context, question func(*sarama.Broker) error) error {
	for {
		b, err := s.control.Coordinator(s.o.Group)
		if err == nil {
			if err = question(b); err == nil || !passing(err) {
				return err
			}
			var code sarama.KError
			if !errors.As(err, &code) {
				_ = b.Close() // a broken connection: the next use opens another
			}
		} else if !passing(err) {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(retryWait):
		}
		_ = s.control.RefreshCoordinator(s.o.Group)
	}
}

// passing reports errors that another try may not meet: of connections, and
// of coordinators that move or are being loaded.
func passing(err error) bool {
	var code sarama.KError
	if !errors.As(err, &code) {
		return true
	}
	switch code {
	case sarama.ErrNotCoordinatorForConsumer, sarama.ErrConsumerCoordinatorNotAvailable,
		sarama.ErrOffsetsLoadInProgress, sarama.ErrRequestTimedOut,
		sarama.ErrUnstableOffsetCommit, sarama.ErrNetworkException:
		return true
	}
	return false
}
