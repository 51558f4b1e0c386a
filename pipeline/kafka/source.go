package kafka

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/IBM/sarama"

	"ctr/features"
	"ctr/pipeline"
)

// From says where reading begins.
type From string

// The places where reading begins.
const (
	// Committed is the group's last commit, and the earliest message where
	// it has committed nothing.
	Committed From = "committed"
	// Earliest is the oldest message that the topic still has.
	Earliest From = "earliest"
	// Latest is the end of the topic: only what is produced from now on.
	Latest From = "latest"
)

// SourceOptions are the settings of a Source.
type SourceOptions struct {
	Options
	// Topic is what to read. It must be set.
	Topic string
	// Group is the consumer group. The default is "ctr-score".
	Group string
	// From is where reading begins. The default is Committed. Earliest and
	// Latest hold for the partitions that the first joining of the group
	// brings; after a rebalance the commits count.
	From From
	// UntilEnd stops at the messages that there were when the Source was
	// made. With several members in the group each stops when the partitions
	// that it has been given are done.
	UntilEnd bool
	// Patience is how long a cluster that was there may be unreachable before
	// Run gives up. The default is 1 minute.
	Patience time.Duration
	// Note, where not nil, is told of what a person should know: records
	// that are gone, connections lost. It may be called from several
	// goroutines at a time.
	Note func(text string)
}

// Validate reports the first fault of o.
func (o *SourceOptions) Validate() error {
	if o.Topic == "" {
		return errors.New("topic: want a name")
	}
	switch o.From {
	case "", Committed, Earliest, Latest:
		return nil
	}
	return fmt.Errorf("from %q: want committed, earliest or latest", o.From)
}

// Source reads a topic as a member of a consumer group. It implements
// pipeline.Source.
type Source struct {
	o      SourceOptions
	client sarama.Client // for fetching and membership
	// control has connections of its own: a broker answers the requests of
	// one connection in turn, and a commit must not wait behind a fetch that
	// waits for messages.
	control sarama.Client
	ends    map[int32]int64 // UntilEnd: the offset to stop before
	first   bool            // no session has begun yet

	mu   sync.Mutex
	stop context.CancelFunc // ends Run
	err  error              // why
}

// NewSource connects to the cluster and looks at the topic; it does not join
// the group yet. The error wraps ErrNoBroker or ErrNoTopic where that is so.
func NewSource(o SourceOptions) (*Source, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	o.Options = o.withDefaults()
	if o.Group == "" {
		o.Group = "ctr-score"
	}
	if o.From == "" {
		o.From = Committed
	}
	if o.Patience == 0 {
		o.Patience = time.Minute
	}
	c, err := o.consumerConfig()
	if err != nil {
		return nil, err
	}
	s := &Source{o: o, first: true}
	if s.client, err = o.connect(c); err != nil {
		return nil, err
	}
	if s.control, err = sarama.NewClient(o.Brokers, c); err != nil {
		return nil, errors.Join(err, s.client.Close())
	}
	if err := s.lookAround(); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// consumerConfig gives the settings of the consumer group.
func (o *SourceOptions) consumerConfig() (*sarama.Config, error) {
	c, err := o.config()
	if err != nil {
		return nil, err
	}
	c.Consumer.Return.Errors = true
	c.Consumer.Offsets.AutoCommit.Enable = false
	c.Consumer.Offsets.Initial = sarama.OffsetOldest
	// What a transaction has not committed was never said.
	c.Consumer.IsolationLevel = sarama.ReadCommitted
	c.Consumer.Group.Rebalance.GroupStrategies = []sarama.BalanceStrategy{sarama.NewBalanceStrategyRange()}
	// A channel of 256 messages and fetches of 1 MiB leave sarama waiting for
	// its own goroutines: these give a third more rows a second.
	c.ChannelBufferSize = 4096
	c.Consumer.Fetch.Default = 4 << 20
	// The longest wait of a fetch for messages is also what leaving the
	// group waits for.
	c.Consumer.MaxWaitTime = 200 * time.Millisecond
	return c, nil
}

// lookAround finds the topic and, for UntilEnd, where it ends.
func (s *Source) lookAround() error {
	ids, err := s.o.partitions(s.control, s.o.Topic)
	if err != nil || !s.o.UntilEnd {
		return err
	}
	s.ends = make(map[int32]int64, len(ids))
	for _, p := range ids {
		if s.ends[p], err = s.control.GetOffset(s.o.Topic, p, sarama.OffsetNewest); err != nil {
			return fmt.Errorf("topic %s: partition %d: end offset: %w", s.o.Topic, p, err)
		}
	}
	return nil
}

// Close closes the connections. Run must have returned.
func (s *Source) Close() error {
	return errors.Join(s.client.Close(), s.control.Close())
}

// Run implements pipeline.Source.
func (s *Source) Run(ctx context.Context, feed *pipeline.Feed) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	s.mu.Lock()
	s.stop, s.err = cancel, nil
	s.mu.Unlock()

	group, err := sarama.NewConsumerGroupFromClient(s.o.Group, s.client)
	if err != nil {
		return fmt.Errorf("group %s: %w", s.o.Group, err)
	}
	var noting sync.WaitGroup
	noting.Go(func() {
		for err := range group.Errors() {
			s.note(err.Error())
		}
	})
	err = s.consume(ctx, group, feed)
	leave := group.Close()
	noting.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.err != nil:
		return s.err
	case err != nil:
		return err
	case leave != nil && !gone(leave):
		return fmt.Errorf("group %s: leaving: %w", s.o.Group, leave)
	}
	return nil
}

// gone reports errors that mean that the group has forgotten us already.
func gone(err error) bool {
	return errors.Is(err, sarama.ErrUnknownMemberId) || errors.Is(err, sarama.ErrIllegalGeneration) ||
		errors.Is(err, sarama.ErrRebalanceInProgress)
}

// consume joins the group again after every rebalance, until ctx ends.
func (s *Source) consume(ctx context.Context, group sarama.ConsumerGroup, feed *pipeline.Feed) error {
	var since time.Time // of the first of the failures in a row
	for {
		h := &session{source: s, feed: feed}
		err := group.Consume(ctx, []string{s.o.Topic}, h)
		switch {
		case ctx.Err() != nil:
			return nil //nolint:nilerr // an end that was asked for is no failure
		case err == nil || h.began:
			since = time.Time{}
			continue
		case since.IsZero():
			since = time.Now()
			s.note(fmt.Sprintf("group %s: %v: will try again", s.o.Group, err))
		case time.Since(since) > s.o.Patience:
			return fmt.Errorf("group %s: %w", s.o.Group, err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(500 * time.Millisecond):
		}
	}
}

// end makes Run return err; nil is a graceful stop.
func (s *Source) end(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err == nil {
		s.err = err
	}
	s.stop()
}

func (s *Source) note(text string) {
	if s.o.Note != nil {
		s.o.Note(text)
	}
}

// start gives where to read a partition from: what the group committed, or
// the oldest or newest message. A commit outside of what the topic has is told.
func (s *Source) start(partition int32, committed int64) (int64, error) {
	oldest, err := s.control.GetOffset(s.o.Topic, partition, sarama.OffsetOldest)
	if err != nil {
		return 0, fmt.Errorf("topic %s: partition %d: first offset: %w", s.o.Topic, partition, err)
	}
	newest, err := s.control.GetOffset(s.o.Topic, partition, sarama.OffsetNewest)
	if err != nil {
		return 0, fmt.Errorf("topic %s: partition %d: end offset: %w", s.o.Topic, partition, err)
	}
	switch {
	case s.first && s.o.From == Latest:
		return newest, nil
	case s.first && s.o.From == Earliest, committed < 0:
		return oldest, nil
	case committed < oldest:
		s.note(fmt.Sprintf("%s/%d: %d records were deleted by the topic's retention before they were read",
			s.o.Topic, partition, oldest-committed))
		return oldest, nil
	case committed > newest:
		s.note(fmt.Sprintf("%s/%d: the group committed offset %d but the topic ends at %d: it was made anew; reading it from the start",
			s.o.Topic, partition, committed, newest))
		return oldest, nil
	}
	return committed, nil
}

// groupError explains a commit or look-up that the group's coordinator refused.
func (s *Source) groupError(err error) error {
	if errors.Is(err, sarama.ErrGroupAuthorizationFailed) {
		return features.WithHint(fmt.Errorf("group %s: %w", s.o.Group, err),
			"--group names another one")
	}
	return fmt.Errorf("group %s: %w", s.o.Group, err)
}
