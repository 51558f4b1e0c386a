// Package kafka reads from and writes to Kafka topics for package pipeline:
// a Source that is a member of a consumer group, a producer for replaying
// rows, and what is needed to make and look at topics.
package kafka

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/IBM/sarama"

	"ctr/features"
)

// Options say how to reach a cluster. The zero value of each field means its
// default.
type Options struct {
	// Brokers are HOST:PORT addresses to begin with. The default is
	// localhost:9092.
	Brokers []string
	// ClientID names this program to the brokers. The default is "ctr".
	ClientID string
	// DialTimeout is the longest wait for a connection. The default is 3 s.
	DialTimeout time.Duration
	// Security, where not nil, protects connections and says who we are.
	Security *Security
	// Configure, where not nil, changes sarama's settings last of all.
	Configure func(*sarama.Config) error
}

// ErrNoBroker is wrapped by the error for a cluster that does not answer.
var ErrNoBroker = errors.New("no broker answers")

// ErrNoTopic is wrapped by the error for a topic that does not exist.
var ErrNoTopic = errors.New("no such topic")

func (o Options) withDefaults() Options {
	if len(o.Brokers) == 0 {
		o.Brokers = []string{"localhost:9092"}
	}
	if o.ClientID == "" {
		o.ClientID = "ctr"
	}
	if o.DialTimeout == 0 {
		o.DialTimeout = 3 * time.Second
	}
	if o.Security == nil {
		o.Security = &Security{}
	}
	return o
}

// config gives the settings that all clients share.
func (o *Options) config() (*sarama.Config, error) {
	c := sarama.NewConfig()
	c.ClientID = o.ClientID
	// 2.5 is the first protocol in which a commit with a lost generation is
	// refused by transactions too.
	c.Version = sarama.V2_5_0_0
	c.Net.DialTimeout = o.DialTimeout
	c.Net.ReadTimeout = 10 * time.Second
	c.Net.WriteTimeout = 10 * time.Second
	c.Metadata.Full = false
	if err := o.Security.saramaConfig(c); err != nil {
		return nil, err
	}
	if o.Configure != nil {
		if err := o.Configure(c); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// connect gives a client, and an error within a few seconds where there is
// no cluster.
func (o *Options) connect(c *sarama.Config) (sarama.Client, error) {
	if err := o.probe(c); err != nil {
		return nil, err
	}
	client, err := sarama.NewClient(o.Brokers, c)
	if err != nil {
		return nil, o.noBroker(err)
	}
	return client, nil
}

// probe connects to any one of the brokers. A client's own retries are for a
// cluster that was there before: a wrong address should be known at once.
func (o *Options) probe(c *sarama.Config) error {
	var errs []error
	for _, addr := range o.Brokers {
		if c.Net.TLS.Enable {
			if err := o.handshake(addr, c.Net.TLS.Config); err != nil {
				errs = append(errs, err)
				continue
			}
		}
		b := sarama.NewBroker(addr)
		if err := b.Open(c); err != nil {
			return err // of the settings, not of the cluster
		}
		ok, err := b.Connected()
		if ok {
			return b.Close()
		}
		errs = append(errs, err)
	}
	return o.noBroker(errors.Join(errs...))
}

// noBroker explains why there is no connection.
func (o *Options) noBroker(err error) error {
	if refused := o.refused(err); refused != nil {
		return refused
	}
	cause := strings.TrimPrefix(err.Error(), sarama.ErrOutOfBrokers.Error())
	cause = strings.Trim(strings.ReplaceAll(cause, "\n", "; "), ": ")
	if cause != "" {
		cause = ": " + cause
	}
	return features.WithHint(
		fmt.Errorf("%w at %s%s", ErrNoBroker, strings.Join(o.Brokers, ","), cause),
		"--brokers (CTR_BROKERS) says where Kafka is; ctr broker starts a small one on localhost:9092")
}

// partitions gives the partitions of a topic, or an error that names it.
func (o *Options) partitions(client sarama.Client, topic string) ([]int32, error) {
	ids, err := client.Partitions(topic)
	switch {
	case errors.Is(err, sarama.ErrUnknownTopicOrPartition):
		return nil, o.noTopic(topic)
	case err != nil:
		return nil, fmt.Errorf("topic %s: %w", topic, err)
	}
	return ids, nil
}

// noTopic says that there is no such topic, and how to make it.
func (o *Options) noTopic(topic string) error {
	return features.WithHint(
		fmt.Errorf("topic %s: %w at %s", topic, ErrNoTopic, strings.Join(o.Brokers, ",")),
		fmt.Sprintf("ctr topics create %s makes it, and so does ctr replay FILE --topic %s --create", topic, topic))
}
