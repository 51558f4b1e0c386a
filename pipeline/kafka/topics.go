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

// lookAt opens a client that does not wait long for a cluster, finds the
// partitions of a topic, and calls look with both.
func (o *Options) lookAt(topic string, look func(sarama.Client, []int32) error) error {
	c, err := o.config()
	if err != nil {
		return err
	}
	client, err := o.connect(c)
	if err != nil {
		return err
	}
	ids, err := o.partitions(client, topic)
	if err == nil {
		err = look(client, ids)
	}
	return errors.Join(err, client.Close())
}

// checkTopic looks whether there is a cluster and a topic, and gives the largest
// batch of records that the topic takes, in bytes.
func (o *Options) checkTopic(topic string) (limit int, err error) {
	err = o.lookAt(topic, func(client sarama.Client, _ []int32) error {
		limit = batchLimit(client, topic)
		return nil
	})
	return limit, err
}

// EndOffsets gives the offset after the last message of each partition.
func EndOffsets(o Options, topic string) (ends map[int32]int64, err error) {
	o = o.withDefaults()
	err = o.lookAt(topic, func(client sarama.Client, ids []int32) error {
		ends, err = endOffsets(client, topic, ids)
		return err
	})
	return ends, err
}

func endOffsets(client sarama.Client, topic string, ids []int32) (map[int32]int64, error) {
	ends := make(map[int32]int64, len(ids))
	for _, p := range ids {
		end, err := client.GetOffset(topic, p, sarama.OffsetNewest)
		if err != nil {
			return nil, fmt.Errorf("topic %s: partition %d: end offset: %w", topic, p, err)
		}
		ends[p] = end
	}
	return ends, nil
}
