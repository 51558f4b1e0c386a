package kafka

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"ctr/pipeline"
)

// member is one stay in the group, from joining to leaving. One goroutine polls;
// partitions come and go in callbacks of the client, on another.
type member struct {
	source *Source
	feed   *pipeline.Feed
	client *kgo.Client
	ctx    context.Context // ends with the stay
	cancel context.CancelFunc
	first  bool // no partitions have come yet

	// calls is held (for reading) while the client's goroutines are in a
	// callback, and taken by who joins, until all is in its place, and by who
	// leaves: after that, left is true and the feed is not touched any more.
	calls sync.RWMutex
	left  bool

	mu     sync.Mutex
	claims map[int32]*claim

	forgotten atomic.Bool // the group has, while partitions were being taken up

	asked time.Time // when the poller last asked how far the group is
	// given is whether all that the group has given this member, be it nothing,
	// is among the claims.
	given atomic.Bool
}

// claim is a partition for as long as this member has it.
type claim struct {
	a *pipeline.Assignment
	// mu is held while a batch is filled and submitted, and while gone
	// changes: after that, nothing more of the partition is submitted.
	mu   sync.Mutex
	gone bool

	next    atomic.Int64 // the offset after the last record submitted
	bounded bool         // reading stops before end
	end     int64
	moved   time.Time // when next last changed; the poller's own
}

// join makes the client that is a member of the group. first says that no
// other was before it.
func (s *Source) join(ctx context.Context, feed *pipeline.Feed, first bool) (*member, error) {
	opts, err := s.o.kgoOpts(s.note)
	if err != nil {
		return nil, err
	}
	m := &member{source: s, feed: feed, first: first, claims: map[int32]*claim{}}
	m.calls.Lock() // no callback before all is in its place
	defer m.calls.Unlock()
	m.ctx, m.cancel = context.WithCancel(ctx)
	opts = append(opts,
		kgo.WithHooks(&s.watch),

		kgo.ConsumerGroup(s.o.Group),
		kgo.ConsumeTopics(s.o.Topic),
		kgo.Balancers(kgo.CooperativeStickyBalancer()),
		kgo.SessionTimeout(s.o.SessionTimeout),
		kgo.HeartbeatInterval(s.o.heartbeat()),
		kgo.DisableAutoCommit(),
		kgo.BlockRebalanceOnPoll(),
		kgo.OnPartitionsAssigned(m.assigned),
		kgo.OnPartitionsRevoked(func(_ context.Context, _ *kgo.Client, p map[string][]int32) { m.revoked(p, false) }),
		kgo.OnPartitionsLost(func(_ context.Context, _ *kgo.Client, p map[string][]int32) { m.revoked(p, true) }),
		kgo.AdjustFetchOffsetsFn(m.starts),

		// What a transaction has not committed was never said.
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.KeepControlRecords(), // commits go past them: a topic that ends in one has no lag
		kgo.FetchMaxBytes(fetchBytes),
		kgo.FetchMaxPartitionBytes(fetchBytes/2),
	)
	if s.o.InstanceID != "" {
		opts = append(opts, kgo.InstanceID(s.o.InstanceID))
	}
	if m.client, err = kgo.NewClient(opts...); err != nil {
		m.cancel()
		return nil, fmt.Errorf("group %s: %w", s.o.Group, err)
	}
	s.member.Store(m)
	return m, nil
}

// fetchBytes is the most that a broker sends at a time. One such answer is
// worked on and one waits for each broker: so much memory reading takes, and
// as much again for what the records are unpacked into.
const fetchBytes = 8 << 20

// assigned takes up new partitions: it finds out where they begin and tells
// the loop. The client fetches nothing of them before it returns.
func (m *member) assigned(ctx context.Context, client *kgo.Client, added map[string][]int32) {
	m.calls.RLock()
	defer m.calls.RUnlock()
	if m.left {
		return
	}
	m.given.Store(false)
	err := m.take(ctx, client, added[m.source.o.Topic])
	m.given.Store(err == nil)
	switch {
	case err != nil && m.ctx.Err() == nil:
		m.source.end(err)
	case err == nil && m.source.o.Joined != nil:
		m.source.o.Joined()
	}
}

// take is given the client: the group may assign partitions before NewClient
// has returned it.
func (m *member) take(ctx context.Context, client *kgo.Client, ids []int32) error {
	s := m.source
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(m.ctx, cancel)()
	name, generation := client.GroupMetadata()
	committed, err := s.committed(ctx, ids, true)
	if err == nil && len(ids) > 0 {
		// The answer may have come so late that these are a later owner's
		// commits, whose output is not to be taken over.
		err = s.belongs(ctx, name, generation)
	}
	if errors.Is(err, pipeline.ErrNotOwner) {
		m.forgotten.Store(true)
		return nil
	}
	if err != nil {
		return err
	}
	for _, p := range ids {
		a := &pipeline.Assignment{
			Topic: s.o.Topic, Partition: p, Group: s.o.Group, Generation: generation, Member: name,
			Committed: committed[p].Offset, Metadata: committed[p].Metadata,
		}
		err := s.patiently(ctx, "topic "+s.o.Topic, func() (err error) {
			a.Start, err = s.start(p, a.Committed, m.first)
			return err
		})
		if err != nil {
			return err
		}
		c := &claim{a: a}
		c.next.Store(a.Start)
		m.bound(c)
		m.mu.Lock()
		m.claims[p] = c
		m.mu.Unlock()
		s.own(a)
		if err := m.feed.Assigned(a); err != nil {
			return err
		}
	}
	if len(ids) > 0 {
		m.first = false
	}
	return nil
}

// starts tells the client where to begin, in place of what it found itself.
func (m *member) starts(_ context.Context, found map[string]map[int32]kgo.Offset) (map[string]map[int32]kgo.Offset, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for p := range found[m.source.o.Topic] {
		if c := m.claims[p]; c != nil {
			found[m.source.o.Topic][p] = kgo.NewOffset().At(c.next.Load())
		}
	}
	return found, nil
}

// revoked gives partitions up: nothing more of them is submitted, and what was
// is written and, unless they are lost already, committed before it returns.
func (m *member) revoked(partitions map[string][]int32, lost bool) {
	m.calls.RLock()
	defer m.calls.RUnlock()
	if m.left {
		return
	}
	for _, p := range partitions[m.source.o.Topic] {
		m.mu.Lock()
		c := m.claims[p]
		delete(m.claims, p)
		m.mu.Unlock()
		if c != nil {
			m.release(c, lost)
		}
	}
}

func (m *member) release(c *claim, lost bool) {
	if lost {
		m.source.disown(c.a)
	}
	c.mu.Lock()
	c.gone = true
	c.mu.Unlock()
	err := m.feed.Revoked(c.a)
	m.source.disown(c.a)
	if err != nil {
		m.source.end(err)
	}
}

// list gives the claims by partition.
func (m *member) list() []*claim {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.SortedFunc(maps.Values(m.claims), func(a, b *claim) int { return int(a.a.Partition - b.a.Partition) })
}

// poll hands on what comes until ctx ends.
func (m *member) poll(ctx context.Context) error {
	var work []taken
	for ctx.Err() == nil {
		if m.forgotten.Load() || m.renamed() {
			return errForgotten
		}
		if end, err := m.atEnd(ctx); end || err != nil {
			return err
		}
		wait, cancel := context.WithTimeout(ctx, m.source.tick())
		fetches := m.client.PollFetches(wait)
		cancel()
		// Whose the records are is decided while no partition can come or go;
		// handing them on may take longer than a rebalance waits.
		work = m.sort(work[:0], fetches)
		m.client.AllowRebalance()
		if err := m.failed(fetches); err != nil {
			return err
		}
		for _, t := range work {
			if err := m.submit(t); err != nil {
				return err
			}
		}
		if len(work) > 0 {
			m.source.began.Store(true)
		}
		if err := m.skipEmpty(); err != nil {
			return err
		}
		m.source.o.Security.refusals.tellOver(m.source.note)
		if err := m.source.o.Security.refusals.patience(m.source.o.Patience); err != nil {
			return err
		}
		if err := m.source.watch.patience(m.source.o.Patience); err != nil {
			return err
		}
	}
	return nil
}

// errForgotten ends a stay in the group after which another begins.
var errForgotten = errors.New("the group has forgotten this member")

// renamed reports whether the client has joined anew under another name: it
// does so without a word where the group has forgotten it, and goes on with
// partitions that others may have had in between.
func (m *member) renamed() bool {
	name, _ := m.client.GroupMetadata()
	for _, c := range m.list() {
		if c.a.Member != name {
			return true
		}
	}
	return false
}

// failed gives the first error that trying again won't mend; others are told.
func (m *member) failed(fetches kgo.Fetches) error {
	for _, e := range fetches.Errors() {
		var group *kgo.ErrGroupSession
		var gone *kgo.ErrDataLoss
		switch {
		case errors.Is(e.Err, context.DeadlineExceeded), errors.Is(e.Err, context.Canceled), errors.Is(e.Err, kgo.ErrClientClosed):
		case errors.As(e.Err, &group):
			// The client joins again by itself, if that may help.
			if !m.source.refuse("group "+m.source.o.Group, group.Err) && hopeless(group.Err) {
				return m.source.groupError(group.Err)
			}
		case errors.As(e.Err, &gone):
			m.source.note(fmt.Sprintf("%s/%d: records up to offset %d were lost by the brokers; reading on from %d",
				gone.Topic, gone.Partition, gone.ConsumedTo, gone.ResetTo))
		case m.source.refuse("topic "+e.Topic, e.Err):
		case hopeless(e.Err):
			return m.source.o.explain(fmt.Sprintf("topic %s: partition %d", e.Topic, e.Partition), e.Err)
		default:
			m.source.note(fmt.Sprintf("topic %s: partition %d: %v: trying again", e.Topic, e.Partition, e.Err))
		}
	}
	return nil
}

// hopeless reports answers of brokers that trying again won't change. That a
// member is not known any more, or a connection broken, is none of them.
func hopeless(err error) bool {
	var code *kerr.Error
	// A broker refuses a token that comes too soon after the last one, and
	// takes it on a new connection.
	return errors.As(err, &code) && !code.Retriable && !waits(err) && !errors.Is(err, kerr.IllegalSaslState)
}

// leave gives all partitions up and leaves the group. That it can't tell the
// group is no failure: what was written is committed, and the group gives the
// partitions to others after the session timeout.
func (m *member) leave() {
	m.cancel() // of what may be waiting in assigned
	ctx, cancel := context.WithTimeout(context.Background(), leavePatience)
	defer cancel()
	err := m.client.LeaveGroupContext(ctx)
	m.calls.Lock() // once the last callback has returned
	m.left = true
	m.calls.Unlock()
	// Where the brokers are away, or the client never came to it.
	for _, c := range m.list() {
		m.release(c, true)
	}
	m.client.CloseAllowingRebalance()
	if err != nil {
		m.source.note(fmt.Sprintf("group %s: leaving: %v", m.source.o.Group, err))
	}
}

// leavePatience is how long leaving the group may take, the last commit
// included.
const leavePatience = 20 * time.Second
