package kafka

import (
	"errors"
	"fmt"
	"strings"

	"github.com/IBM/sarama"
)

// CreateTopic makes a topic. partitions and replication may be -1, which
// leaves them to the brokers. It is no error if the topic exists; made says
// whether it was made now.
func CreateTopic(o Options, topic string, partitions int32, replication int16) (made bool, err error) {
	return CreateTopicWith(o, topic, partitions, replication, nil)
}

// CreateTopicWith is CreateTopic with settings of the topic's own, such as
// retention.ms.
func CreateTopicWith(o Options, topic string, partitions int32, replication int16, configs map[string]string) (made bool, err error) {
	o = o.withDefaults()
	_, admin, err := o.admin()
	if err != nil {
		return false, err
	}
	detail := &sarama.TopicDetail{NumPartitions: partitions, ReplicationFactor: replication, ConfigEntries: map[string]*string{}}
	for name, text := range configs {
		detail.ConfigEntries[name] = &text
	}
	err = admin.CreateTopic(topic, detail, false)
	var refused *sarama.TopicError
	switch {
	case errors.Is(err, sarama.ErrTopicAlreadyExists):
		return false, admin.Close()
	case errors.As(err, &refused) && refused.ErrMsg != nil:
		err = fmt.Errorf("topic %s: %s", topic, strings.ToLower(*refused.ErrMsg))
	case err != nil:
		err = fmt.Errorf("topic %s: %w", topic, err)
	}
	return err == nil, errors.Join(err, admin.Close())
}

// checkTopic looks whether there is a cluster and a topic, with a client of its
// own that does not wait long for either, and gives the largest batch of
// records that the topic takes, in bytes.
func (o *Options) checkTopic(topic string) (limit int, err error) {
	c, err := o.config()
	if err != nil {
		return 0, err
	}
	client, err := o.connect(c)
	if err != nil {
		return 0, err
	}
	if _, err = o.partitions(client, topic); err == nil {
		limit = batchLimit(client, topic)
	}
	return limit, errors.Join(err, client.Close())
}

// EndOffsets gives the offset after the last message of each partition.
func EndOffsets(o Options, topic string) (map[int32]int64, error) {
	o = o.withDefaults()
	c, err := o.config()
	if err != nil {
		return nil, err
	}
	client, err := o.connect(c)
	if err != nil {
		return nil, err
	}
	defer client.Close()
	ids, err := o.partitions(client, topic)
	if err != nil {
		return nil, err
	}
	ends := make(map[int32]int64, len(ids))
	for _, p := range ids {
		if ends[p], err = client.GetOffset(topic, p, sarama.OffsetNewest); err != nil {
			return nil, fmt.Errorf("topic %s: partition %d: end offset: %w", topic, p, err)
		}
	}
	return ends, nil
}
