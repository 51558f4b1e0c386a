package kafka

import (
	"errors"
	"fmt"
	"strconv"

	"github.com/IBM/sarama"
	"github.com/twmb/franz-go/pkg/kerr"

	"ctr/features"
)

// What a topic takes is measured in batches of records: one that is larger
// than its max.message.bytes is refused whole, and the client would not divide
// it. So the setting is asked for, and no batch made larger.

// defaultLimit is max.message.bytes where it is not known: Kafka's default.
const defaultLimit = 1_048_588

// largestLimit is the largest batch that we make: requests have limits too.
const largestLimit = 64 << 20

// batchSlack is how much smaller than its topic takes a batch stays: the client
// (franz-go 1.22.2) was once seen to make one a byte larger than it is told, and
// all in it would be refused. The client itself counts up to 4 bytes that
// are around a batch and not in it.
const batchSlack = 4

// recordOverhead is the most that a batch of one record without headers has
// beside its key and value: 61 bytes of its own, 19 of the record, the slack, and
// what the client counts too much.
const recordOverhead = 61 + 19 + batchSlack + 4

// maxMessageBytes is the name of the setting.
const maxMessageBytes = "max.message.bytes"

// batchLimit asks for a topic's max.message.bytes, in bytes. Who is not
// allowed to ask gets Kafka's default.
func batchLimit(client sarama.Client, topic string) int {
	broker := client.LeastLoadedBroker()
	if broker == nil {
		return defaultLimit
	}
	answer, err := broker.DescribeConfigs(&sarama.DescribeConfigsRequest{
		Version:   2,
		Resources: []*sarama.ConfigResource{{Type: sarama.TopicResource, Name: topic, ConfigNames: []string{maxMessageBytes}}},
	})
	if err != nil {
		return defaultLimit
	}
	for _, r := range answer.Resources {
		for _, e := range r.Configs {
			if n, err := strconv.Atoi(e.Value); err == nil && e.Name == maxMessageBytes && n > 0 {
				return min(n, largestLimit)
			}
		}
	}
	return defaultLimit
}

// recordError explains the error that a record met on its way to a topic.
func recordError(topic string, err error) error {
	err = fmt.Errorf("topic %s: %w", topic, err)
	if errors.Is(err, kerr.MessageTooLarge) {
		return features.WithHint(err, "the topic's "+maxMessageBytes+" says how large a batch it takes; once that is larger, scoring goes on where it stopped")
	}
	return err
}
