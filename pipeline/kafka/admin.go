package kafka

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/IBM/sarama"
)

// TopicSummary is one line of a list of topics.
type TopicSummary struct {
	Name        string `json:"name"`
	Partitions  int    `json:"partitions"`
	Replication int    `json:"replication"`
}

// TopicInfo says what a topic is like.
type TopicInfo struct {
	Name       string          `json:"name"`
	Partitions []PartitionInfo `json:"partitions"`
	// Configs are those set for the topic itself.
	Configs map[string]string `json:"configs"`
}

// PartitionInfo says where a partition is and which records it has.
type PartitionInfo struct {
	Partition int32 `json:"partition"`
	// Leader is the number of the broker that leads, -1 where none does.
	Leader   int32   `json:"leader"`
	Replicas []int32 `json:"replicas"`
	InSync   []int32 `json:"in_sync"`
	// First is the offset of the oldest record, End the one after the last;
	// both are -1 where there is no leader to ask.
	First int64 `json:"first"`
	End   int64 `json:"end"`
}

// PartitionLag says how far a group is with a partition.
type PartitionLag struct {
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
	// Committed is -1 where the group has committed nothing.
	Committed int64 `json:"committed"`
	End       int64 `json:"end"`
	// Lag counts the offsets from Committed, or from the oldest record where
	// nothing is committed, to End.
	Lag int64 `json:"lag"`
	// Member and Host name who reads the partition now; "" = nobody.
	Member string `json:"member"`
	Host   string `json:"host"`
	// Metadata is what rides in the commit: ctr score names its output there.
	Metadata string `json:"metadata"`
}

// admin gives a client that knows all topics, and what asks the cluster
// through it. Closing admin closes both.
func (o *Options) admin() (sarama.Client, sarama.ClusterAdmin, error) {
	c, err := o.config()
	if err != nil {
		return nil, nil, err
	}
	c.Metadata.Full = true // sarama finds the controller no other way
	client, err := o.connect(c)
	if err != nil {
		return nil, nil, err
	}
	admin, err := sarama.NewClusterAdminFromClient(client)
	if err != nil {
		return nil, nil, errors.Join(err, client.Close())
	}
	return client, admin, nil
}

// Topics lists the topics of a cluster by name, without Kafka's own.
func Topics(o Options) (list []TopicSummary, err error) {
	o = o.withDefaults()
	_, admin, err := o.admin()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, admin.Close()) }()
	all, err := admin.DescribeTopics(nil)
	if err != nil {
		return nil, fmt.Errorf("topics: %w", err)
	}
	for _, t := range all {
		if t.IsInternal || t.Err != sarama.ErrNoError {
			continue
		}
		s := TopicSummary{Name: t.Name, Partitions: len(t.Partitions)}
		for _, p := range t.Partitions {
			s.Replication = max(s.Replication, len(p.Replicas))
		}
		list = append(list, s)
	}
	slices.SortFunc(list, func(a, b TopicSummary) int { return cmp.Compare(a.Name, b.Name) })
	return list, nil
}

// DescribeTopic gives what a topic is like. The error wraps ErrNoTopic where
// there is none.
func DescribeTopic(o Options, topic string) (info *TopicInfo, err error) {
	o = o.withDefaults()
	// A client that looks first makes no topic by asking for it.
	client, admin, err := o.admin()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, admin.Close()) }()
	if err := o.exists(client, topic); err != nil {
		return nil, err
	}
	found, err := admin.DescribeTopics([]string{topic})
	if err != nil {
		return nil, fmt.Errorf("topic %s: %w", topic, err)
	}
	info = &TopicInfo{Name: topic, Configs: map[string]string{}}
	for _, p := range found[0].Partitions {
		i := PartitionInfo{Partition: p.ID, Leader: p.Leader, Replicas: p.Replicas, InSync: p.Isr, First: -1, End: -1}
		if p.Leader >= 0 {
			if i.First, i.End, err = offsets(client, topic, p.ID); err != nil {
				return nil, err
			}
		}
		info.Partitions = append(info.Partitions, i)
	}
	slices.SortFunc(info.Partitions, func(a, b PartitionInfo) int { return cmp.Compare(a.Partition, b.Partition) })
	settings, err := admin.DescribeConfigs(
		[]*sarama.ConfigResource{{Type: sarama.TopicResource, Name: topic}}, sarama.DescribeConfigsOptions{})
	if err != nil {
		return nil, fmt.Errorf("topic %s: settings: %w", topic, err)
	}
	for _, r := range settings {
		for _, e := range r.Configs {
			if e.Source == sarama.SourceTopic {
				info.Configs[e.Name] = e.Value
			}
		}
	}
	return info, nil
}

// exists gives an error that wraps ErrNoTopic where topic is not among those
// of the cluster. Asking for it by name could make it.
func (o *Options) exists(client sarama.Client, topic string) error {
	names, err := client.Topics()
	if err != nil {
		return fmt.Errorf("topics: %w", err)
	}
	if !slices.Contains(names, topic) {
		return o.noTopic(topic)
	}
	return nil
}

// offsets gives the oldest offset of a partition and the one after the last.
func offsets(client sarama.Client, topic string, partition int32) (first, end int64, err error) {
	if first, err = client.GetOffset(topic, partition, sarama.OffsetOldest); err == nil {
		end, err = client.GetOffset(topic, partition, sarama.OffsetNewest)
	}
	if err != nil {
		return -1, -1, fmt.Errorf("topic %s: partition %d: offsets: %w", topic, partition, err)
	}
	return first, end, nil
}

// GroupLag gives how far a group is with the partitions of a topic, or, where
// topic is "", of every topic that it has committed offsets of or reads.
func GroupLag(o Options, group, topic string) (lags []PartitionLag, err error) {
	o = o.withDefaults()
	client, admin, err := o.admin()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, admin.Close()) }()
	if topic != "" {
		if err := o.exists(client, topic); err != nil {
			return nil, err
		}
	}
	readers, err := groupReaders(admin, group)
	if err != nil {
		return nil, err
	}
	commits, err := admin.ListConsumerGroupOffsets(group, nil)
	if err == nil && commits.Err != sarama.ErrNoError {
		err = commits.Err
	}
	if errors.Is(err, sarama.ErrGroupIDNotFound) { // a group that has done nothing yet
		commits, err = &sarama.OffsetFetchResponse{}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("group %s: %w", group, err)
	}
	topics := map[string]bool{}
	if topic != "" {
		topics[topic] = true
	} else {
		for t := range commits.Blocks {
			topics[t] = true
		}
		for at := range readers {
			topics[at.topic] = true
		}
	}
	for _, t := range slices.Sorted(maps.Keys(topics)) {
		ids, err := o.partitions(client, t)
		if err != nil {
			return nil, err
		}
		slices.Sort(ids)
		for _, id := range ids {
			first, end, err := offsets(client, t, id)
			if err != nil {
				return nil, err
			}
			l := PartitionLag{Topic: t, Partition: id, Committed: -1, End: end}
			if b := commits.GetBlock(t, id); b != nil && b.Offset >= 0 {
				l.Committed, l.Metadata = b.Offset, b.Metadata
			}
			r := readers[topicPartition{t, id}]
			l.Member, l.Host = r.member, r.host
			l.Lag = max(0, end-max(first, l.Committed))
			lags = append(lags, l)
		}
	}
	return lags, nil
}

type topicPartition struct {
	topic string
	id    int32
}

type reader struct{ member, host string }

// groupReaders gives who reads which partition in a group.
func groupReaders(admin sarama.ClusterAdmin, group string) (map[topicPartition]reader, error) {
	described, err := admin.DescribeConsumerGroups([]string{group})
	if err != nil {
		return nil, fmt.Errorf("group %s: %w", group, err)
	}
	readers := map[topicPartition]reader{}
	for _, g := range described {
		for id, m := range g.Members {
			a, err := m.GetMemberAssignment()
			if err != nil || a == nil {
				continue // another client's format: the lag is worth showing without the name
			}
			for t, ids := range a.Topics {
				for _, p := range ids {
					readers[topicPartition{t, p}] = reader{id, m.ClientHost}
				}
			}
		}
	}
	return readers, nil
}

// Ping says whether any of the brokers answers; the error wraps ErrNoBroker.
func Ping(o Options) error {
	o = o.withDefaults()
	c, err := o.config()
	if err != nil {
		return err
	}
	return o.probe(c)
}
