package kafka

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/IBM/sarama"
	"github.com/twmb/franz-go/pkg/kerr"

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
	// SessionTimeout is how long the group waits for a sign of life before it
	// gives a member's partitions to others. The default is 10 s.
	SessionTimeout time.Duration
	// InstanceID, where not "", makes the member a static one: it may stop and
	// come back within the session timeout without a rebalance. Each member
	// needs another.
	InstanceID string
	// Patience is how long a cluster that was there may be unreachable before
	// Run gives up. The default is 1 minute.
	Patience time.Duration
	// Joined, where not nil, is called whenever the group has given this member
	// its partitions, of which there may be none, and they have been taken up.
	Joined func()
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

// heartbeat is the time between signs of life: members learn of a rebalance
// by the next one.
func (o *SourceOptions) heartbeat() time.Duration { return min(time.Second, o.SessionTimeout/4) }

// Source reads a topic as a member of a consumer group. It implements
// pipeline.Source.
//
// Partitions that stay with a member over a rebalance go on without a pause
// (cooperative-sticky assignment); one that moves is written and committed
// before it goes. Fetching is franz-go's: it costs half as much a record as
// sarama's, which has a channel of messages between fetching and reading.
type Source struct {
	o SourceOptions
	// control is for commits and for questions; members fetch by a client of
	// their own.
	control sarama.Client
	ends    map[int32]int64 // UntilEnd: the offset to stop before
	watch   watch
	member  atomic.Pointer[member] // nil unless Run runs
	// began says that records have come: what brokers refuse from then on they
	// once allowed, and may again.
	began atomic.Bool

	mu   sync.Mutex
	stop context.CancelFunc // ends Run
	err  error              // why
	// owned are the assignments that commits are taken for.
	owned map[*pipeline.Assignment]bool
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
	if o.SessionTimeout == 0 {
		o.SessionTimeout = 10 * time.Second
	}
	if o.Patience == 0 {
		o.Patience = time.Minute
	}
	c, err := o.config()
	if err != nil {
		return nil, err
	}
	// What a transaction has not committed was never said: not to Reread either.
	c.Consumer.IsolationLevel = sarama.ReadCommitted
	s := &Source{o: o, owned: map[*pipeline.Assignment]bool{}}
	s.watch.o, s.watch.note = &s.o.Options, s.note
	if s.control, err = o.connect(c); err != nil {
		return nil, err
	}
	if err := s.lookAround(); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// Close closes the connections. Run must have returned.
func (s *Source) Close() error { return s.control.Close() }

// own takes commits for a from now on; disown refuses them.
func (s *Source) own(a *pipeline.Assignment) {
	s.mu.Lock()
	s.owned[a] = true
	s.mu.Unlock()
}

func (s *Source) disown(a *pipeline.Assignment) {
	s.mu.Lock()
	delete(s.owned, a)
	s.mu.Unlock()
}

func (s *Source) owns(a *pipeline.Assignment) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.owned[a]
}

// tick is how often the poller looks up from waiting.
func (s *Source) tick() time.Duration {
	if s.ends != nil {
		return 100 * time.Millisecond
	}
	return time.Second
}

// Run implements pipeline.Source.
func (s *Source) Run(ctx context.Context, feed *pipeline.Feed) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	s.mu.Lock()
	s.stop, s.err = cancel, nil
	s.mu.Unlock()

	err := s.stay(ctx, feed, true)
	for errors.Is(err, errForgotten) {
		if ctx.Err() != nil {
			return nil
		}
		s.note(fmt.Sprintf("group %s: it has forgotten this member; joining again", s.o.Group))
		err = s.stay(ctx, feed, false)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return cmp.Or(s.err, err)
}

// stay is one stay in the group, from joining to leaving.
func (s *Source) stay(ctx context.Context, feed *pipeline.Feed, first bool) error {
	m, err := s.join(ctx, feed, first)
	if err != nil {
		return err
	}
	err = m.poll(ctx)
	if !errors.Is(err, errForgotten) {
		s.end(nil)
	}
	m.leave()
	s.member.Store(nil)
	return err
}

// gone reports errors that mean that the group has forgotten us already.
func gone(err error) bool {
	return errors.Is(err, sarama.ErrUnknownMemberId) || errors.Is(err, sarama.ErrIllegalGeneration) ||
		errors.Is(err, sarama.ErrRebalanceInProgress)
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
func (s *Source) start(partition int32, committed int64, first bool) (int64, error) {
	oldest, err := s.control.GetOffset(s.o.Topic, partition, sarama.OffsetOldest)
	if err != nil {
		return 0, fmt.Errorf("topic %s: partition %d: first offset: %w", s.o.Topic, partition, err)
	}
	newest, err := s.control.GetOffset(s.o.Topic, partition, sarama.OffsetNewest)
	if err != nil {
		return 0, fmt.Errorf("topic %s: partition %d: end offset: %w", s.o.Topic, partition, err)
	}
	switch {
	case first && s.o.From == Latest:
		return newest, nil
	case first && s.o.From == Earliest, committed < 0:
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

// refuse takes note of a refusal that may end again, and reports whether err
// is one: to be let in, as we once were, or to do what we were once allowed to.
func (s *Source) refuse(where string, err error) bool {
	return (s.began.Load() || s.o.Security.refusedRight(err) == "") && s.o.refuse(where, err, s.note)
}

// groupError explains a commit or look-up that the group's coordinator refused.
func (s *Source) groupError(err error) error {
	where := "group " + s.o.Group
	if errors.Is(err, sarama.ErrFencedInstancedId) || errors.Is(err, kerr.FencedInstanceID) {
		return features.WithHint(
			fmt.Errorf("%s: instance %s: another process has taken its place: %w", where, s.o.InstanceID, err),
			"each member needs an --instance-id of its own")
	}
	if errors.Is(err, sarama.ErrGroupAuthorizationFailed) || errors.Is(err, kerr.GroupAuthorizationFailed) {
		return features.WithHint(s.o.explain(where, err), "--group names another one, or ACLs of the cluster must allow this one")
	}
	return s.o.explain(where, err)
}
