package commands

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"ctr/pipeline"
	"ctr/pipeline/kafka"
)

// exactlyOnce is the other value of --delivery.
const exactlyOnce = "exactly-once"

// topicOf gives the topic of "kafka:TOPIC".
func topicOf(output string) (topic string, ok bool) {
	return strings.CutPrefix(output, kafka.TopicOutput)
}

// firstFile gives the first output that is a file, predictions.csv where none
// is: what else is written beside the outputs is named after it. none says that
// nothing that is written stays, as in /dev/null.
func (o *scoreOptions) firstFile() (path string, none bool) {
	none = true
	for _, output := range o.outputs {
		if _, ok := topicOf(output); ok {
			none = false
		} else if info, err := os.Stat(output); err != nil || info.Mode().IsRegular() {
			return output, false
		}
	}
	return defaultOutput, none
}

// checkOutputs checks and completes the options about what is written.
func (o *scoreOptions) checkOutputs() error {
	if len(o.outputs) == 0 {
		if o.delivery == exactlyOnce {
			return usagef("--delivery exactly-once: want an --output kafka:TOPIC").
				withHint("predictions.csv is at least once: after a crash some rows may stand in it twice")
		}
		o.outputs = []string{defaultOutput}
		if o.format == "json" {
			o.outputs[0] = strings.TrimSuffix(defaultOutput, ".csv") + ".jsonl"
		}
	}
	for i, output := range o.outputs {
		topic, ok := topicOf(output)
		switch {
		case output == "-":
			return usagef("--output -: want a file name or kafka:TOPIC").withHint("the console shows the rows as they come; ctr score FILE writes to standard output")
		case ok && topic == "":
			return usagef("--output kafka: want the name of a topic after it")
		case ok && topic == o.topic:
			return usagef("--output %s: the topic that is scored: want another", output)
		case slices.Contains(o.outputs[:i], output):
			return usagef("--output %s: twice", output)
		}
	}
	if o.format == "kaggle" {
		return usagef("--format kaggle of a topic: want csv or json")
	}
	if o.delivery == exactlyOnce {
		return o.checkExactlyOnce()
	}
	if o.deadLetters == "" {
		path, _ := o.firstFile()
		o.deadLetters = pipeline.DeadLetterPath(path)
	}
	return nil
}

// checkExactlyOnce checks that all that is written belongs to one transaction.
func (o *scoreOptions) checkExactlyOnce() error {
	topic, ok := topicOf(o.outputs[0])
	switch {
	case len(o.outputs) > 1:
		return usagef("--delivery exactly-once, --output %s: want one output", strings.Join(o.outputs, ",")).
			withHint("several can't be written in one step; a second group, --group NAME, may write the other")
	case !ok:
		return usagef("--delivery exactly-once, --output %s: want kafka:TOPIC", o.outputs[0])
	case o.deadLetters == "":
		o.deadLetters = kafka.TopicOutput + topic + ".dead"
	}
	if _, ok := topicOf(o.deadLetters); !ok {
		return usagef("--delivery exactly-once, --dead-letter %s: want kafka:TOPIC", o.deadLetters).
			withHint("dead letters belong to the transaction that has the predictions")
	}
	return nil
}

// asJSON reports whether predictions in an output are JSON.
func (o *scoreOptions) asJSON(output string) bool {
	if o.format != "" {
		return o.format == "json"
	}
	_, ok := topicOf(output)
	return ok || slices.Contains([]string{".jsonl", ".ndjson", ".json"}, filepath.Ext(output))
}

// createTopics makes the topics that are written to, where --create says so.
func (o *scoreOptions) createTopics(note func(string)) error {
	if !o.create {
		return nil
	}
	for _, output := range append(slices.Clone(o.outputs), o.deadLetters) {
		topic, ok := topicOf(output)
		if !ok {
			continue
		}
		made, err := kafka.CreateTopic(o.cluster.options(), topic, -1, -1)
		if err != nil {
			return err
		}
		if made {
			note("topic " + topic + " created")
		}
	}
	return nil
}

// sinks opens all that is written to, in the order in which it is committed.
func (o *scoreOptions) sinks(ctx context.Context, hash string, src *kafka.Source, note func(string)) (sinks []pipeline.Sink, err error) {
	defer func() {
		if err != nil {
			for _, s := range sinks {
				_ = s.Close() // nothing was written
			}
		}
	}()
	var commits []pipeline.Position
	if o.from == string(kafka.Committed) {
		if commits, err = src.Committed(ctx); err != nil {
			return nil, err
		}
	}
	if err := o.createTopics(note); err != nil {
		return nil, err
	}
	to := kafka.TopicSinkOptions{Options: o.cluster.options(), Note: note}
	dead, deadTopic := topicOf(o.deadLetters)
	switch {
	case o.delivery == exactlyOnce:
		to.ExactlyOnce, to.DeadLetters = src, dead
	case deadTopic:
		letters := to
		letters.DeadLetters = dead
		s, err := kafka.NewTopicSink(letters)
		if err != nil {
			return sinks, err
		}
		sinks = append(sinks, s)
	default:
		sinks = append(sinks, pipeline.NewDeadLetters(o.deadLetters))
	}
	for _, output := range o.outputs {
		var s pipeline.Sink
		if topic, ok := topicOf(output); ok {
			to.Topic, to.Text = topic, pipeline.PredictionText{Model: hash, JSON: o.asJSON(output)}
			s, err = kafka.NewTopicSink(to)
		} else {
			s, err = pipeline.OpenFileSink(pipeline.FileOptions{
				Path: output, Model: hash, JSON: o.asJSON(output),
				Append: o.appendTo, Overwrite: o.overwrite, Commits: commits,
			})
		}
		if err != nil {
			return sinks, err
		}
		sinks = append(sinks, s)
	}
	return sinks, nil
}

// What a transaction holds: about as much as makes its cost small, and no
// more than a reader of the topic should wait for.
const (
	transactionRows = 20_000
	transactionTime = 100 * time.Millisecond
)
