package kafka

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"ctr/features"
	"ctr/pipeline"
)

// TopicSinkOptions are the settings of a TopicSink.
type TopicSinkOptions struct {
	Options
	// Topic is where predictions go; "" = nowhere.
	Topic string
	// DeadLetters is the topic for records that can't be scored; "" = none.
	DeadLetters string
	// Text is the form of the predictions.
	Text pipeline.PredictionText
	// Compression is one of Compressions. The default is NoCompression.
	Compression string
	// ExactlyOnce, where not nil, is the Source whose commits ride in
	// transactions together with the predictions. Otherwise they are
	// delivered at least once.
	ExactlyOnce *Source
	// Patience is how long brokers may be away. The default is 1 minute.
	Patience time.Duration
	// Note, where not nil, is told of what a person should know. It may be
	// called from several goroutines at a time.
	Note func(text string)
}

// TopicSink writes predictions to a topic, with the keys and headers of the
// records that they are of. A key decides the partition as in Kafka's Java
// client; records without one go to the partition of the same number (modulo
// how many there are), so that they stay in order.
//
// Bad records go to the topic for dead letters as they were produced, with the
// headers ctr.reason, ctr.topic, ctr.partition, ctr.offset and ctr.timestamp
// (RFC 3339, when it was produced).
type TopicSink struct {
	o      TopicSinkOptions
	codec  kgo.CompressionCodec
	limits map[string]int32 // of the batches of each topic, bytes
	p      *producer
	buf    []byte // of the values and keys of a batch
	cuts   []int  // where each value and each key in it ends
	// now is when the records are sent: how long a record may take is counted
	// from its timestamp, so that one of another time would never be sent.
	now time.Time

	// What follows is for transactions.
	id      string // of transactions
	pending []sent // in the transaction that is open
}

// sent are records and the assignment that they came from.
type sent struct {
	of      *pipeline.Assignment
	records []*kgo.Record
}

// producer is a client and the first error that a record met.
type producer struct {
	client *kgo.Client
	begun  bool // a transaction
	mu     sync.Mutex
	err    error
}

func (p *producer) promise(r *kgo.Record, err error) {
	if err != nil {
		p.mu.Lock()
		if p.err == nil {
			p.err = recordError(r.Topic, err)
		}
		p.mu.Unlock()
	}
}

func (p *producer) failure() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.err
}

// TopicOutput is how outputs and dead letters name a topic: "kafka:TOPIC".
const TopicOutput = "kafka:"

// NewTopicSink connects to the cluster and looks at the topics. The error
// wraps ErrNoBroker or ErrNoTopic where that is so.
func NewTopicSink(o TopicSinkOptions) (*TopicSink, error) {
	if o.Topic == "" && o.DeadLetters == "" {
		return nil, errors.New("topic: want a name")
	}
	o.Options = o.withDefaults()
	if o.Patience == 0 {
		o.Patience = time.Minute
	}
	k, err := codec(o.Compression)
	if err != nil {
		return nil, err
	}
	limits := map[string]int32{"": defaultLimit} // the client asks for that of no topic too
	for _, topic := range []string{o.Topic, o.DeadLetters} {
		if topic == "" {
			continue
		}
		limit, err := o.checkTopic(topic)
		if errors.Is(err, ErrNoTopic) {
			err = features.WithHint(err, "--create makes it, with the brokers' own number of partitions and replicas")
		}
		if err != nil {
			return nil, err
		}
		limits[topic] = int32(limit)
	}
	s := &TopicSink{o: o, codec: codecs[k].franz, limits: limits}
	if o.ExactlyOnce != nil {
		s.id = transactionalID(o.ExactlyOnce)
		return s, s.restart(context.Background())
	}
	s.p, err = s.connect()
	return s, err
}

// connect gives a client that sends.
func (s *TopicSink) connect(more ...kgo.Opt) (*producer, error) {
	opts, err := s.o.kgoOpts()
	if err != nil {
		return nil, err
	}
	opts = append(opts,
		kgo.RecordPartitioner(kgo.BasicConsistentPartitioner(func(string) func(*kgo.Record, int) int { return partitionOf })),
		kgo.ProducerBatchCompression(s.codec),
		kgo.ProducerBatchMaxBytesFn(func(topic string) int32 { return s.limits[topic] }),
		kgo.ProducerLinger(time.Millisecond),
		kgo.MaxBufferedRecords(50_000),
		kgo.RecordDeliveryTimeout(s.o.Patience),
	)
	client, err := kgo.NewClient(append(opts, more...)...)
	if err != nil {
		return nil, err
	}
	return &producer{client: client}, nil
}

// partitionOf chooses a partition of n. The record's own, until it is sent,
// is that of the record it was made of.
func partitionOf(r *kgo.Record, n int) int {
	if r.Key != nil {
		return int(keyPartition(r.Key, int32(n)))
	}
	return int(r.Partition) % n
}

// Resume does nothing.
func (s *TopicSink) Resume(*pipeline.Assignment) error { return nil }

// Write sends the results of b. It waits while too much is on its way.
func (s *TopicSink) Write(b *pipeline.Batch) error {
	records := s.records(b)
	if len(records) == 0 {
		return nil
	}
	if s.o.ExactlyOnce != nil {
		return s.writeTransaction(b.Assignment, records)
	}
	for _, r := range records {
		s.p.client.Produce(context.Background(), r, s.p.promise)
	}
	return s.p.failure()
}

// records makes what is sent of b. All its bytes are in one piece of memory
// that is given up when the last record has been acknowledged.
func (s *TopicSink) records(b *pipeline.Batch) []*kgo.Record {
	s.buf, s.cuts, s.now = s.buf[:0], s.cuts[:0], time.Now()
	slab := make([]kgo.Record, 0, b.Len())
	if s.o.Topic != "" {
		s.o.Text.Begin(b)
		b.Each(func(i int) {
			s.buf = s.o.Text.Append(s.buf, b, i)
			s.buf = s.buf[:len(s.buf)-1] // the line's end
			slab = append(slab, s.record(b, i, s.o.Topic))
		})
	}
	if s.o.DeadLetters != "" {
		for _, bad := range b.Bad {
			s.buf = append(s.buf, b.Records[bad.Index].Value...)
			r := s.record(b, bad.Index, s.o.DeadLetters)
			r.Headers = append(r.Headers, reason(b, bad)...)
			slab = append(slab, r)
		}
	}
	text, from := append(make([]byte, 0, len(s.buf)), s.buf...), 0 // never nil: empty is not null
	out := make([]*kgo.Record, len(slab))
	for i := range slab {
		value, key := s.cuts[2*i], s.cuts[2*i+1]
		if slab[i].Value != nil || value > from {
			slab[i].Value = text[from:value:value]
		}
		if slab[i].Key != nil {
			slab[i].Key = text[value:key:key]
		}
		out[i], from = &slab[i], key
	}
	return out
}

// record begins the record that is made of record i, whose value has been
// added to s.buf, and adds its key there.
func (s *TopicSink) record(b *pipeline.Batch, i int, topic string) kgo.Record {
	of := &b.Records[i]
	// Value and Key say for now whether there will be one.
	r := kgo.Record{Topic: topic, Partition: b.Assignment.Partition, Timestamp: s.now, Key: of.Key, Value: of.Value}
	s.cuts = append(s.cuts, len(s.buf), len(s.buf)+len(of.Key))
	s.buf = append(s.buf, of.Key...)
	for _, h := range of.Headers {
		r.Headers = append(r.Headers, kgo.RecordHeader{Key: string(h.Key), Value: bytes.Clone(h.Value)})
	}
	return r
}

// The headers that say why and from where a record is a dead letter.
const (
	headerReason    = "ctr.reason"
	headerTopic     = "ctr.topic"
	headerPartition = "ctr.partition"
	headerOffset    = "ctr.offset"
	headerTimestamp = "ctr.timestamp"
)

func reason(b *pipeline.Batch, bad pipeline.BadRecord) []kgo.RecordHeader {
	r, a := &b.Records[bad.Index], b.Assignment
	h := []kgo.RecordHeader{
		{Key: headerReason, Value: []byte(bad.Err.Error())},
		{Key: headerTopic, Value: []byte(a.Topic)},
		{Key: headerPartition, Value: strconv.AppendInt(nil, int64(a.Partition), 10)},
		{Key: headerOffset, Value: strconv.AppendInt(nil, r.Offset, 10)},
	}
	if r.Millis >= 0 {
		h = append(h, kgo.RecordHeader{Key: headerTimestamp, Value: []byte(time.UnixMilli(r.Millis).UTC().Format(pipeline.TimestampForm))})
	}
	return h
}

// Commit waits until the cluster has all that was written. Exactly once, it
// ends the transaction that holds it, with the offsets in it.
func (s *TopicSink) Commit(ctx context.Context, commits []pipeline.Commit) (owned bool, err error) {
	if s.o.Topic != "" {
		pipeline.NameOutput(commits, "ctr:"+TopicOutput+s.o.Topic)
	}
	if s.o.ExactlyOnce != nil {
		return s.commitTransaction(ctx, commits)
	}
	if err := s.p.client.Flush(ctx); err != nil {
		return false, cmp.Or(s.p.failure(), fmt.Errorf("topic %s: %w", cmp.Or(s.o.Topic, s.o.DeadLetters), err))
	}
	return false, s.p.failure()
}

// Close gives up what was not committed.
func (s *TopicSink) Close() error {
	if s.p == nil {
		return nil
	}
	if s.p.begun && len(s.pending) > 0 {
		s.abort()
	}
	s.p.client.Close()
	return nil
}
