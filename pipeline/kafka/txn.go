package kafka

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"

	"ctr/features"
	"ctr/pipeline"
	"ctr/pipeline/failpoint"
)

// Exactly once to a topic: predictions and the offsets of what they were made of
// are committed in one transaction (KIP-98, KIP-447).
//
// What is in the open transaction is kept in memory until it has been
// committed. After any error whose outcome is not sure the producer is set up
// anew: its first request (InitProducerID with the same transactional id) ends
// whatever the one before left open, and fences what of it may still be on its
// way; only then is the group asked whether the offsets were committed. If they
// were, so was all the rest; if not, it is sent again.
//
// A transactional id is a process's own, since the group's member and
// generation fence one that has lost its partitions. What a killed process left
// open ends with its timeout, which is the group's session timeout: the time
// after which others are given its partitions.

// transactionalID gives the id of this process's transactions. A static member
// has the same each time, so that a restart ends at once what was left open.
func transactionalID(s *Source) string {
	if s.o.InstanceID != "" {
		return fmt.Sprintf("ctr-%s-%s-%s", s.o.Group, s.o.Topic, s.o.InstanceID)
	}
	return fmt.Sprintf("ctr-%s-%s-%016x", s.o.Group, s.o.Topic, rand.Uint64())
}

// retryPause is the wait before a request or a producer is tried again.
const retryPause = 50 * time.Millisecond

// restart sets the producer up anew: whatever a transaction of the one before
// holds is committed already or never will be.
func (s *TopicSink) restart(ctx context.Context) error {
	if s.p != nil {
		s.p.client.Close()
		s.p = nil
	}
	ctx, cancel := context.WithTimeout(ctx, s.o.Patience)
	defer cancel()
	// Up to version 4 a commit of offsets needs AddOffsetsToTxn before it,
	// which is asked for anyhow; from 5 on it must not be sent to clusters
	// that have not been switched to the second kind of transactions.
	versions := kversion.Stable()
	versions.SetMaxKeyVersion(kmsg.TxnOffsetCommit.Int16(), 4)
	p, err := s.connect(
		kgo.TransactionalID(s.id),
		kgo.TransactionTimeout(s.o.ExactlyOnce.o.SessionTimeout),
		kgo.MaxVersions(versions),
	)
	if err != nil {
		return err
	}
	for {
		if _, _, err = p.client.ProducerID(ctx); err == nil {
			s.p = p
			return nil
		}
		select {
		case <-ctx.Done():
			p.client.Close()
			return fmt.Errorf("transactions of %s: %w", s.id, err)
		case <-time.After(retryPause):
		}
	}
}

// writeTransaction sends records in the open transaction.
func (s *TopicSink) writeTransaction(of *pipeline.Assignment, records []*kgo.Record) error {
	if err := s.begin(); err != nil {
		return err
	}
	s.pending = append(s.pending, sent{of, records})
	s.produce(sent{of, records})
	return nil // what fails is seen, and mended, by the commit
}

// begin begins a transaction where none is open.
func (s *TopicSink) begin() error {
	if s.p.begun {
		return nil
	}
	if err := s.p.client.BeginTransaction(); err != nil {
		if err := s.restart(context.Background()); err != nil {
			return err
		}
		if err := s.p.client.BeginTransaction(); err != nil {
			return fmt.Errorf("transactions of %s: %w", s.id, err)
		}
	}
	s.p.begun = true
	return nil
}

func (s *TopicSink) produce(t sent) {
	for _, r := range t.records {
		s.p.client.Produce(context.Background(), r, s.p.promise)
	}
}

// resend sends all that is pending again, in a new transaction.
func (s *TopicSink) resend(ctx context.Context) error {
	if err := s.restart(ctx); err != nil || len(s.pending) == 0 {
		return err
	}
	if err := s.begin(); err != nil {
		return err
	}
	// Sent anew they are as old as this: with their first timestamps, those that
	// have taken longer than the Patience would never be sent again.
	now := time.Now()
	for k, t := range s.pending {
		again := make([]*kgo.Record, len(t.records))
		for i, r := range t.records {
			again[i] = &kgo.Record{
				Topic: r.Topic, Partition: t.of.Partition, Timestamp: now,
				Key: r.Key, Value: r.Value, Headers: r.Headers,
			}
		}
		s.pending[k].records = again
		s.produce(s.pending[k])
	}
	return nil
}

// commitTransaction commits what is pending together with the offsets.
func (s *TopicSink) commitTransaction(ctx context.Context, commits []pipeline.Commit) (owned bool, err error) {
	if len(s.pending) == 0 {
		return false, nil // no output: the Source commits the offsets
	}
	for {
		done, err := s.tryCommit(ctx, commits)
		switch {
		case done:
			s.pending, s.p.begun = s.pending[:0], false
			return true, nil
		case errors.As(err, new(*fatalError)):
			return false, err
		case errors.Is(err, pipeline.ErrNotOwner):
			// The new owner reads what it has not got from the last commit on.
			s.forget(func(a *pipeline.Assignment) bool { return !s.o.ExactlyOnce.owns(a) })
			if err := s.resend(context.WithoutCancel(ctx)); err != nil {
				return false, err
			}
			return false, err
		}
		if s.o.Note != nil {
			s.o.Note(fmt.Sprintf("transaction: %v: sending its %d batches again", err, len(s.pending)))
		}
		if err := s.resend(context.WithoutCancel(ctx)); err != nil {
			return false, err
		}
		if ctx.Err() != nil {
			return false, fmt.Errorf("topic %s: %w: %w", s.o.Topic, err, pipeline.ErrTryAgain)
		}
	}
}

// fatalError is the error of a commit after which nothing may be sent again:
// a new process begins where the group says.
type fatalError struct{ error }

func (e *fatalError) Unwrap() error { return e.error }

// tryCommit tries once. done says that the transaction has been committed;
// otherwise it surely has not, nor ever will be, and the producer is of no use
// any more, unless the error is a fatalError, after which one or the other may
// be. pipeline.ErrNotOwner says that a partition has been lost.
func (s *TopicSink) tryCommit(ctx context.Context, commits []pipeline.Commit) (done bool, err error) {
	if err := s.p.client.Flush(ctx); err != nil {
		return false, err
	}
	if err := s.p.failure(); err != nil {
		if unwelcome(err) {
			return false, &fatalError{err}
		}
		return false, err
	}
	failpoint.Point("flushed")
	if err := s.addOffsets(ctx, commits); err != nil {
		return false, err
	}
	failpoint.Point("offsets added")
	err = s.p.client.EndTransaction(ctx, kgo.TryCommit)
	failpoint.Point("transaction ended")
	switch {
	case err == nil:
		return true, nil
	case errors.Is(err, kerr.OperationNotAttempted), errors.Is(err, kerr.TransactionAbortable):
		return false, err
	}
	// The outcome is not known. The new producer settles it, and then the
	// group knows.
	after := context.WithoutCancel(ctx)
	if err := s.restart(after); err != nil {
		return false, &fatalError{fmt.Errorf("whether a transaction was committed is not known: %w", err)}
	}
	committed, err2 := s.wasCommitted(after, commits)
	if err2 != nil && !errors.Is(err2, pipeline.ErrNotOwner) {
		return false, &fatalError{fmt.Errorf("whether a transaction was committed is not known: %w", err2)}
	}
	if err2 != nil {
		return false, err2
	}
	if committed {
		return true, nil
	}
	return false, fmt.Errorf("ending a transaction: %w", err)
}

// wasCommitted asks the group for the offsets that a transaction carried.
func (s *TopicSink) wasCommitted(ctx context.Context, commits []pipeline.Commit) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, s.o.Patience)
	defer cancel()
	for _, c := range commits {
		// Nobody else commits for what is still ours, and what had output
		// moved its offset.
		if !s.o.ExactlyOnce.owns(c.Assignment) || !slices.ContainsFunc(s.pending, func(t sent) bool { return t.of == c.Assignment }) {
			continue
		}
		at, err := s.o.ExactlyOnce.committed(ctx, []int32{c.Assignment.Partition}, true)
		if err != nil {
			return false, err
		}
		return at[c.Assignment.Partition].Offset == c.Offset, nil
	}
	return false, pipeline.ErrNotOwner // of none of them
}

// addOffsets puts offsets into the open transaction, as long as the partitions
// are this member's.
func (s *TopicSink) addOffsets(ctx context.Context, commits []pipeline.Commit) error {
	for {
		err := s.addOffsetsOnce(ctx, commits)
		if errors.Is(err, kerr.FencedInstanceID) {
			return &fatalError{features.WithHint(
				fmt.Errorf("instance %s: another process has taken its place: %w", s.o.ExactlyOnce.o.InstanceID, err),
				"each member needs an --instance-id of its own")}
		}
		if err == nil || errors.Is(err, pipeline.ErrNotOwner) || !waits(err) {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(retryPause):
		}
	}
}

// waits reports answers of a group between two generations, and of a
// coordinator that is busy: the same request may do later.
func waits(err error) bool {
	for _, e := range []error{
		kerr.IllegalGeneration, kerr.UnknownMemberID, kerr.RebalanceInProgress,
		kerr.CoordinatorNotAvailable, kerr.CoordinatorLoadInProgress, kerr.NotCoordinator, kerr.ConcurrentTransactions,
	} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

func (s *TopicSink) addOffsetsOnce(ctx context.Context, commits []pipeline.Commit) error {
	group, member, generation, instance, err := s.o.ExactlyOnce.GroupMetadata(commits)
	if err != nil {
		return err
	}
	id, epoch, err := s.p.client.ProducerID(ctx)
	if err != nil {
		return err
	}
	add := kmsg.NewPtrAddOffsetsToTxnRequest()
	add.TransactionalID, add.ProducerID, add.ProducerEpoch, add.Group = s.id, id, epoch, group
	added, err := add.RequestWith(ctx, s.p.client)
	if err == nil {
		err = kerr.ErrorForCode(added.ErrorCode)
	}
	if err != nil {
		return err
	}
	req := kmsg.NewPtrTxnOffsetCommitRequest()
	req.TransactionalID, req.Group, req.ProducerID, req.ProducerEpoch = s.id, group, id, epoch
	req.Generation, req.MemberID, req.InstanceID = generation, member, instance
	byTopic := map[string]int{}
	for _, c := range commits {
		at, ok := byTopic[c.Assignment.Topic]
		if !ok {
			at = len(req.Topics)
			byTopic[c.Assignment.Topic] = at
			t := kmsg.NewTxnOffsetCommitRequestTopic()
			t.Topic = c.Assignment.Topic
			req.Topics = append(req.Topics, t)
		}
		p := kmsg.NewTxnOffsetCommitRequestTopicPartition()
		p.Partition, p.Offset = c.Assignment.Partition, c.Offset
		p.Metadata = kmsg.StringPtr(c.Metadata)
		req.Topics[at].Partitions = append(req.Topics[at].Partitions, p)
	}
	resp, err := req.RequestWith(ctx, s.p.client)
	if err != nil {
		return err
	}
	for _, t := range resp.Topics {
		for _, p := range t.Partitions {
			if err := kerr.ErrorForCode(p.ErrorCode); err != nil {
				return fmt.Errorf("group %s: %w", group, err)
			}
		}
	}
	return nil
}

// abort ends the open transaction, so that readers of the topic need not wait
// for its timeout. That it can't does no harm but this.
func (s *TopicSink) abort() {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	if s.p.client.AbortBufferedRecords(ctx) == nil {
		_ = s.p.client.EndTransaction(ctx, kgo.TryAbort) // or else its timeout does
	}
}

// forget drops what is pending of some assignments.
func (s *TopicSink) forget(gone func(*pipeline.Assignment) bool) (some bool) {
	n := len(s.pending)
	s.pending = slices.DeleteFunc(s.pending, func(t sent) bool { return gone(t.of) })
	return len(s.pending) < n
}

// Settled does nothing.
func (s *TopicSink) Settled([]pipeline.Commit) error { return nil }

// Released drops what was not committed of a: whoever has it now sends it.
func (s *TopicSink) Released(a *pipeline.Assignment, settled bool) error {
	if settled || s.o.ExactlyOnce == nil || s.p == nil || !s.forget(func(of *pipeline.Assignment) bool { return of == a }) {
		return nil
	}
	return s.resend(context.Background())
}
