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
// than its max.message.bytes is refused whole, and neither of our clients
// would divide it. So the setting is asked for, and no batch made larger.

// defaultLimit is max.message.bytes where it is not known: Kafka's default.
const defaultLimit = 1_048_588

// largestLimit is the largest batch that we make: requests have limits too.
const largestLimit = 64 << 20

// batchOverhead is what a batch of one record takes at most more than sarama's
// measure of the record: 61 bytes of the batch and at least 11 of the record,
// which sarama takes for 36.
const batchOverhead = 36

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

// unwelcome reports errors of a record that it would meet again by any producer.
func unwelcome(err error) bool {
	for _, e := range []error{
		kerr.MessageTooLarge, kerr.RecordListTooLarge, kerr.InvalidRecord, kerr.InvalidTimestamp,
		kerr.PolicyViolation, kerr.TopicAuthorizationFailed, kerr.UnsupportedCompressionType,
	} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}
