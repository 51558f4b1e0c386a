package kafka

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"ctr/pipeline"
)

// ProducerOptions are the settings of a Producer. The zero value of each field
// but Topic means its default.
type ProducerOptions struct {
	Options
	// Topic is where messages go. It must exist or be created by the brokers.
	Topic string
	// InFlight is how many messages may wait for their acknowledgement before
	// Send waits. The default is 20,000.
	InFlight int
	// Compression is one of Compressions. The default is NoCompression.
	Compression string
	// Patience is how long messages may wait without any answer before the
	// Producer gives up. The default is 1 minute.
	Patience time.Duration
	// Note, where not nil, is told when brokers have stopped answering and
	// when they do again, and of the first message that is too large. It may
	// be called from several goroutines at a time.
	Note func(text string)
}

// Producer sends messages to a topic: idempotent, acknowledged by all
// replicas, in order within a partition. Connections that are cut and brokers
// that are away for less than its patience neither end it nor lose, repeat or
// reorder a message. A message with a key goes to the partition that Kafka's
// Java client would choose for it; those without stay with one partition for
// 16 KiB, or 64 where these come within 10 ms, and then go to the next.
type Producer struct {
	topic   string
	limit   int // of a batch, bytes
	note    func(text string)
	client  *kgo.Client
	flying  atomic.Int64
	acked   atomic.Int64
	refused atomic.Int64

	watching sync.WaitGroup
	unwatch  chan struct{} // closed when no more answers are waited for
	lost     lastError     // of connections

	largeOnce sync.Once // of saying that a message is too large

	failOnce sync.Once
	failed   chan struct{} // closed after err is set
	err      error
}

// spare are records with room for the bytes of a message, to be used again.
var spare = sync.Pool{New: func() any { return new(kgo.Record) }}

// NewProducer connects to the cluster and looks at the topic. The error wraps
// ErrNoBroker or ErrNoTopic where that is so.
func NewProducer(o ProducerOptions) (*Producer, error) {
	if o.Topic == "" {
		return nil, errors.New("topic: want a name")
	}
	o.Options = o.withDefaults()
	if o.InFlight == 0 {
		o.InFlight = 20_000
	}
	if o.Patience == 0 {
		o.Patience = time.Minute
	}
	k, err := codec(o.Compression)
	if err != nil {
		return nil, err
	}
	p := &Producer{topic: o.Topic, note: o.Note, failed: make(chan struct{}), unwatch: make(chan struct{})}
	if p.limit, err = o.checkTopic(o.Topic); err != nil {
		return nil, err
	}
	opts, err := o.kgoOpts(o.Note)
	if err != nil {
		return nil, err
	}
	p.client, err = kgo.NewClient(append(opts,
		kgo.DefaultProduceTopic(o.Topic),
		kgo.WithHooks(&p.lost),
		kgo.RecordPartitioner(kgo.BasicConsistentPartitioner(newPartitioner)),
		kgo.ProducerBatchCompression(k),
		kgo.ProducerBatchMaxBytes(int32(max(512, p.limit-batchSlack))),
		// Larger requests cost less a message. While earlier ones have no answer
		// messages gather by themselves: the wait is for slow rates, where it is
		// most of a message's latency.
		kgo.ProducerLinger(time.Millisecond),
		kgo.MaxBufferedRecords(o.InFlight),
		// A broker that has just come up may not know its topics yet, and the
		// client itself tries for ever: what ends it is its patience.
		kgo.UnknownTopicRetries(-1),
	)...)
	if err != nil {
		return nil, err
	}
	p.watching.Go(func() { p.watch(&o) })
	return p, nil
}

// Send takes a copy of a message and sends it; key may be nil. It waits while
// too many messages have no answer yet, and gives an error once the cluster
// does not take messages any more.
func (p *Producer) Send(key, value []byte) error { return p.SendWith(key, value, nil) }

// SendWith is Send with headers, whose bytes must stay as they are until the
// message has been acknowledged.
func (p *Producer) SendWith(key, value []byte, headers []pipeline.Header) error {
	select {
	case <-p.failed:
		return p.err
	default:
	}
	r := spare.Get().(*kgo.Record)
	*r = kgo.Record{Key: copied(r.Key, key), Value: copied(r.Value, value)}
	for _, h := range headers {
		r.Headers = append(r.Headers, kgo.RecordHeader{Key: string(h.Key), Value: h.Value})
	}
	p.flying.Add(1)
	p.client.Produce(context.Background(), r, p.answered)
	return nil
}

// copied gives a copy of b in the place of old. Nil, which is null to Kafka,
// stays nil, and what is empty does not become so.
func copied(old, b []byte) []byte {
	switch {
	case b == nil:
		return nil
	case len(b) == 0:
		return []byte{}
	}
	return append(old[:0], b...)
}

// tooLarge says once that a message is not taken.
func (p *Producer) tooLarge(r *kgo.Record) {
	p.largeOnce.Do(func() {
		if p.note != nil {
			p.note(fmt.Sprintf("topic %s: a message of %d bytes is not sent, nor any other that is larger than %s %d, with up to %d bytes around it",
				p.topic, len(r.Key)+len(r.Value), maxMessageBytes, p.limit, recordOverhead))
		}
	})
}

// answered takes the answer to a message.
func (p *Producer) answered(r *kgo.Record, err error) {
	if err == nil {
		p.acked.Add(1)
	} else {
		p.refused.Add(1)
		// One message that is too large is its own fault; any other error
		// would meet the next message too.
		switch {
		case errors.Is(err, kgo.ErrClientClosed):
		case errors.Is(err, kerr.MessageTooLarge):
			p.tooLarge(r)
		default:
			p.fail(fmt.Errorf("topic %s: %w", p.topic, err))
		}
	}
	p.flying.Add(-1)
	spare.Put(r)
}

// fail makes Send give an error from now on; only the first counts.
func (p *Producer) fail(err error) {
	p.failOnce.Do(func() {
		p.err = err
		close(p.failed)
	})
}

// Acknowledged gives how many messages all replicas have.
func (p *Producer) Acknowledged() int64 { return p.acked.Load() }

// Failed gives how many messages were refused or given up.
func (p *Producer) Failed() int64 { return p.refused.Load() }

// Close sends what is still waiting, waits for the answers, and disconnects.
// Where ctx ends first, the messages without an answer count as failed, and
// the error is ctx's. Otherwise it is the first that a message met which was
// not its own fault.
func (p *Producer) Close(ctx context.Context) error {
	err := p.client.Flush(ctx)
	waiting := p.flying.Load()
	close(p.unwatch)
	p.watching.Wait()
	p.client.Close() // what is left fails
	if err != nil {
		return fmt.Errorf("topic %s: %d messages without an answer: %w", p.topic, waiting, context.Cause(ctx))
	}
	select {
	case <-p.failed:
		return p.err
	default:
		return nil
	}
}

// stickyBytes is how much without keys goes to one partition before the next
// has its turn: the batch size of Kafka's Java client. What comes so quickly that
// a turn is over within stickyFor has turns of stickyFast: larger requests cost a
// quarter less a message, and no partition waits long.
const (
	stickyBytes = 16 << 10
	stickyFast  = 4 * stickyBytes
	stickyFor   = 10 * time.Millisecond
)

// newPartitioner chooses partitions as described at Producer. It begins with
// any: many short replays would otherwise all fill the first.
func newPartitioner(string) func(*kgo.Record, int) int {
	current, bytes, began := rand.IntN(1<<16), 0, time.Time{}
	return func(r *kgo.Record, n int) int {
		if r.Key != nil {
			return int(keyPartition(r.Key, int32(n)))
		}
		if bytes >= stickyFast || bytes >= stickyBytes && time.Since(began) > stickyFor {
			bytes = 0
			current = (current + 1) & (1<<16 - 1)
		}
		if bytes == 0 {
			began = time.Now()
		}
		bytes += len(r.Value)
		return current % n
	}
}
