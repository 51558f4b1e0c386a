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
	// What an open transaction is about to commit is of no interest here.
	all, err := s.committed(ctx, ids, false)
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
// there is none. Where stable is true it waits for a transaction that is about to
// commit further offsets.
func (s *Source) committed(ctx context.Context, ids []int32, stable bool) (map[int32]pipeline.Position, error) {
	found := make(map[int32]pipeline.Position, len(ids))
	if len(ids) == 0 {
		return found, nil
	}
	err := s.ask(ctx, func(b *sarama.Broker) error {
		req := sarama.NewOffsetFetchRequest(s.control.Config().Version, s.o.Group,
			map[string][]int32{s.o.Topic: ids})
		req.RequireStable = stable
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

// belongs asks the group whether it still has a member in a generation. While it
// has, no later generation has begun. Otherwise it gives pipeline.ErrNotOwner.
func (s *Source) belongs(ctx context.Context, name string, generation int32) error {
	req := &sarama.HeartbeatRequest{Version: 3, GroupId: s.o.Group, MemberId: name, GenerationId: generation}
	if s.o.InstanceID != "" {
		req.GroupInstanceId = &s.o.InstanceID
	}
	err := s.ask(ctx, func(b *sarama.Broker) error {
		resp, err := b.Heartbeat(req)
		if err != nil {
			return err
		}
		switch resp.Err {
		case sarama.ErrNoError, sarama.ErrRebalanceInProgress: // one that has yet to begin
			return nil
		case sarama.ErrUnknownMemberId, sarama.ErrIllegalGeneration:
			return fmt.Errorf("group %s: member %s of generation %d: %w", s.o.Group, name, generation, pipeline.ErrNotOwner)
		}
		return resp.Err
	})
	if err != nil && !errors.Is(err, pipeline.ErrNotOwner) {
		return s.groupError(err)
	}
	return err
}

// Commit implements pipeline.Source. It asks the coordinator itself, instead
// of leaving it to a client's session, so that a refusal is known before
// anyone counts on the commit.
func (s *Source) Commit(ctx context.Context, commits []pipeline.Commit) error {
	err := s.ask(ctx, func(b *sarama.Broker) error { return s.commit(b, commits) })
	switch {
	case errors.Is(err, pipeline.ErrNotOwner):
		return err
	case gone(err):
		return fmt.Errorf("%w (%v)", pipeline.ErrNotOwner, err) //nolint:errorlint // why is for reading: callers branch on ErrNotOwner alone
	case err != nil:
		if s.refuse("group "+s.o.Group, err) {
			return fmt.Errorf("%w: %w", s.groupError(err), pipeline.ErrTryAgain)
		}
		return s.groupError(err)
	}
	return nil
}

// GroupMetadata gives the group and, as what this process is in it at the
// moment, its member, generation and, where it is a static one, instance. A
// commit of an assignment must not carry those of a later stay in the group:
// it gives pipeline.ErrNotOwner once one of commits is not owned any more.
func (s *Source) GroupMetadata(commits []pipeline.Commit) (group, name string, generation int32, instance *string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := s.member.Load()
	if m == nil {
		return "", "", 0, nil, pipeline.ErrNotOwner
	}
	if s.o.InstanceID != "" {
		instance = &s.o.InstanceID
	}
	name, generation = m.client.GroupMetadata()
	for _, c := range commits {
		// A member that the group has forgotten joins anew under another name,
		// and others may have had its partitions in between: the poller sees
		// it too, and gives all of them up.
		if c.Assignment.Member != name {
			delete(s.owned, c.Assignment)
		}
		if !s.owned[c.Assignment] {
			return "", "", 0, nil, fmt.Errorf("%s: %w", c.Assignment, pipeline.ErrNotOwner)
		}
	}
	return s.o.Group, name, generation, instance, nil
}

func (s *Source) commit(b *sarama.Broker, commits []pipeline.Commit) error {
	group, name, generation, instance, err := s.GroupMetadata(commits)
	if err != nil {
		return err
	}
	req := sarama.NewOffsetCommitRequest(s.control.Config(), group)
	req.ConsumerGroupGeneration, req.ConsumerID, req.GroupInstanceId = generation, name, instance
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
// then, while that may help and ctx and patience last.
func (s *Source) ask(ctx context.Context, question func(*sarama.Broker) error) error {
	return s.patiently(ctx, "group "+s.o.Group, func() error {
		b, err := s.control.Coordinator(s.o.Group)
		if err == nil {
			err = question(b)
		}
		if err == nil {
			s.o.Security.refusals.yes()
			return nil
		}
		var code sarama.KError
		refused := s.refuse("group "+s.o.Group, err)
		if b != nil && (refused || passing(err) && !errors.As(err, &code)) {
			_ = b.Close() // a broken connection: the next use opens another
		}
		if refused || passing(err) {
			_ = s.control.RefreshCoordinator(s.o.Group)
		}
		return err
	})
}

// patiently tries until it is done or no further try will help, at most until
// ctx ends or what answers is away for longer than the Source's patience. That
// a transaction is about to commit is an answer: it ends by its own timeout.
// What is refused is tried again as long; where says what was asked for.
func (s *Source) patiently(ctx context.Context, where string, try func() error) error {
	since := time.Now()
	for {
		err := try()
		switch {
		case err == nil || !s.refuse(where, err) && !passing(err):
			return err
		case errors.Is(err, sarama.ErrUnstableOffsetCommit):
			since = time.Now()
		case time.Since(since) >= s.o.Patience:
			return fmt.Errorf("no answer for %v: %w", time.Since(since).Round(time.Second), err)
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(retryWait):
		}
	}
}

// passing reports errors that another try may not meet: of connections, of
// coordinators that move or are being loaded, and of a group that is between
// two generations, over which partitions may stay ours.
func passing(err error) bool {
	if errors.Is(err, pipeline.ErrNotOwner) {
		return false
	}
	var code sarama.KError
	if !errors.As(err, &code) {
		return true
	}
	switch code {
	case sarama.ErrNotCoordinatorForConsumer, sarama.ErrConsumerCoordinatorNotAvailable,
		sarama.ErrOffsetsLoadInProgress, sarama.ErrRequestTimedOut,
		sarama.ErrUnstableOffsetCommit, sarama.ErrNetworkException,
		sarama.ErrRebalanceInProgress, sarama.ErrIllegalGeneration,
		sarama.ErrLeaderNotAvailable, sarama.ErrNotLeaderForPartition, sarama.ErrBrokerNotAvailable,
		sarama.ErrReplicaNotAvailable, sarama.ErrKafkaStorageError, sarama.ErrOffsetNotAvailable, sarama.ErrFencedLeaderEpoch:
		return true
	}
	return false
}
