package kafka

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/IBM/sarama"

	"ctr/pipeline"
)

// ProducerOptions are the settings of a Producer.
type ProducerOptions struct {
	Options
	// Topic is where messages go. It must exist or be created by the brokers.
	Topic string
	// InFlight is how many messages may wait for their acknowledgement before
	// Send waits. The default is 20,000.
	InFlight int
	// Compression is one of Compressions. The default is NoCompression.
	Compression string
	// Note, where not nil, is told when brokers have stopped answering and
	// when they do again, and of the first message that is too large. It may
	// be called from several goroutines at a time.
	Note func(text string)
}

// Producer sends messages to a topic: idempotent, acknowledged by all
// replicas, in order within a partition. A message with a key goes to the
// partition that Kafka's Java client would choose for it; those without stay
// with one partition for 16 KiB and then go to the next.
type Producer struct {
	topic   string
	limit   int // of a batch, bytes
	note    func(text string)
	client  sarama.Client
	async   sarama.AsyncProducer
	free    chan *message
	acks    sync.WaitGroup // the goroutines that take answers
	flying  atomic.Int64
	acked   atomic.Int64
	refused atomic.Int64

	watching sync.WaitGroup
	unwatch  chan struct{} // closed when all answers are in

	largeOnce sync.Once // of saying that a message is too large

	failOnce sync.Once
	failed   chan struct{} // closed after err is set
	err      error
}

// message is a sarama message and the bytes it points to, made once and used
// again and again.
type message struct {
	sarama.ProducerMessage
	key, value bytesEncoder
}

// bytesEncoder is a sarama.Encoder that costs no allocation to pass on.
type bytesEncoder struct{ b []byte }

func (e *bytesEncoder) Encode() ([]byte, error) { return e.b, nil }
func (e *bytesEncoder) Length() int             { return len(e.b) }

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
	c, err := o.producerConfig()
	if err != nil {
		return nil, err
	}
	p := &Producer{topic: o.Topic, note: o.Note, free: make(chan *message, o.InFlight), failed: make(chan struct{}), unwatch: make(chan struct{})}
	if p.limit, err = o.checkTopic(o.Topic); err != nil {
		return nil, err
	}
	c.Producer.MaxMessageBytes = max(1, p.limit-batchOverhead)
	if p.client, err = sarama.NewClient(o.Brokers, c); err != nil {
		return nil, err
	}
	if p.async, err = sarama.NewAsyncProducerFromClient(p.client); err != nil {
		return nil, errors.Join(err, p.client.Close())
	}
	for range o.InFlight {
		p.free <- nil // made when first needed
	}
	p.acks.Go(p.successes)
	p.acks.Go(p.errors)
	if o.Note != nil {
		p.watching.Go(func() { p.watch(o.Note) })
	}
	return p, nil
}

func (o *ProducerOptions) producerConfig() (*sarama.Config, error) {
	k, err := codec(o.Compression)
	if err != nil {
		return nil, err
	}
	c, err := o.config()
	if err != nil {
		return nil, err
	}
	c.Producer.Compression = codecs[k].sarama
	c.Producer.Idempotent = true
	c.Producer.RequiredAcks = sarama.WaitForAll
	c.Net.MaxOpenRequests = 1 // sarama's idempotence needs it
	c.Producer.Return.Successes = true
	c.Producer.Return.Errors = true
	c.Producer.Partitioner = newPartitioner
	// Larger requests cost less a message; 5 ms is the longest they are waited for.
	c.Producer.Flush.Bytes = 500_000
	c.Producer.Flush.Frequency = 5 * time.Millisecond
	// About half a minute, long enough for a broker to be started again. A
	// message whose partition has no leader to be found meanwhile waits as
	// long as the metadata is asked for.
	c.Producer.Retry.Max = 120
	c.Producer.Retry.Backoff = 250 * time.Millisecond
	c.Metadata.Retry.Max = 120
	c.Metadata.Retry.Backoff = 250 * time.Millisecond
	c.ChannelBufferSize = 4096
	return c, nil
}

// Send takes a copy of a message and sends it; key may be nil. It waits while
// too many messages have no answer yet, and gives an error once the cluster
// does not take messages any more.
func (p *Producer) Send(key, value []byte) error { return p.SendWith(key, value, nil) }

// SendWith is Send with headers, whose bytes must stay as they are until the
// message has been acknowledged.
func (p *Producer) SendWith(key, value []byte, headers []pipeline.Header) error {
	var m *message
	select {
	case m = <-p.free:
	case <-p.failed:
		return p.err
	}
	if m == nil {
		// Bytes of no length are sent as such, not as null, only where there
		// is an array to them.
		m = &message{key: bytesEncoder{[]byte{}}, value: bytesEncoder{[]byte{}}}
	}
	m.value.b = append(m.value.b[:0], value...)
	m.ProducerMessage = sarama.ProducerMessage{Topic: p.topic, Metadata: m}
	if value != nil {
		m.Value = &m.value
	}
	if key != nil {
		m.key.b = append(m.key.b[:0], key...)
		m.Key = &m.key
	}
	for _, h := range headers {
		m.Headers = append(m.Headers, sarama.RecordHeader{Key: h.Key, Value: h.Value})
	}
	if size := m.ByteSize(2) + batchOverhead; size > p.limit {
		p.refused.Add(1)
		p.tooLarge(size)
		p.free <- m
		return nil
	}
	p.flying.Add(1)
	p.async.Input() <- &m.ProducerMessage
	return nil
}

// tooLarge says once that a message of so many bytes is not taken.
func (p *Producer) tooLarge(size int) {
	p.largeOnce.Do(func() {
		if p.note != nil {
			p.note(fmt.Sprintf("topic %s: a message of %d bytes: not sent, and no other that is larger than %s %d",
				p.topic, size, maxMessageBytes, p.limit))
		}
	})
}

func (p *Producer) successes() {
	for m := range p.async.Successes() {
		p.acked.Add(1)
		p.answered(m)
	}
}

func (p *Producer) errors() {
	for e := range p.async.Errors() {
		p.refused.Add(1)
		// One message that is too large is its own fault; any other error
		// would meet the next message too.
		if errors.Is(e.Err, sarama.ErrMessageSizeTooLarge) {
			p.tooLarge(e.Msg.ByteSize(2) + batchOverhead)
		} else {
			p.failOnce.Do(func() {
				p.err = fmt.Errorf("topic %s: %w", p.topic, e.Err)
				close(p.failed)
			})
		}
		p.answered(e.Msg)
	}
}

func (p *Producer) answered(m *sarama.ProducerMessage) {
	p.flying.Add(-1)
	p.free <- m.Metadata.(*message)
}

// Acknowledged gives how many messages all replicas have.
func (p *Producer) Acknowledged() int64 { return p.acked.Load() }

// Failed gives how many messages were refused or given up.
func (p *Producer) Failed() int64 { return p.refused.Load() }

// Close sends what is still waiting, waits for the answers, and disconnects.
// Where ctx ends first, it returns ctx's error and leaves the rest to fail in
// the background. The error is the first that a message met which was not
// its own fault.
func (p *Producer) Close(ctx context.Context) error {
	// Once it is closing, sarama gives up messages that need another try: so
	// it is closed when all messages are back.
	for back := 0; back < cap(p.free); {
		select {
		case <-p.free:
			back++
		case <-ctx.Done():
			back = cap(p.free)
		}
	}
	waiting := p.flying.Load()
	p.async.AsyncClose()
	done := make(chan error, 1)
	go func() {
		p.acks.Wait()
		close(p.unwatch)
		p.watching.Wait()
		done <- p.client.Close()
	}()
	select {
	case err := <-done:
		select {
		case <-p.failed:
			return p.err
		default:
			return err
		}
	case <-ctx.Done():
		return fmt.Errorf("topic %s: %d messages without an answer: %w", p.topic, waiting, ctx.Err())
	}
}

// partitioner chooses partitions as described at Producer.
type partitioner struct {
	current int32
	bytes   int
}

// stickyBytes is how much goes to one partition before the next has its turn:
// the batch size of Kafka's Java client.
const stickyBytes = 16 << 10

// newPartitioner begins with any partition: many short replays would
// otherwise all fill the first.
func newPartitioner(string) sarama.Partitioner {
	return &partitioner{current: rand.Int32N(1 << 16)}
}

// RequiresConsistency implements sarama.Partitioner: partitions that cannot
// be written to at the moment count too, so that a key keeps its partition.
func (p *partitioner) RequiresConsistency() bool { return true }

// Partition implements sarama.Partitioner.
func (p *partitioner) Partition(m *sarama.ProducerMessage, n int32) (int32, error) {
	if m.Key != nil {
		key, err := m.Key.Encode()
		if err != nil {
			return 0, err
		}
		return keyPartition(key, n), nil
	}
	if p.bytes >= stickyBytes {
		p.bytes = 0
		p.current = (p.current + 1) & (1<<16 - 1)
	}
	if m.Value != nil {
		p.bytes += m.Value.Length()
	}
	return p.current % n, nil
}
