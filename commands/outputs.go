package commands

import (
	"cmp"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"ctr/pipeline"
	"ctr/pipeline/kafka"
)

// exactlyOnce is the other value of --delivery.
const exactlyOnce = "exactly-once"

// topicOf gives the topic of "kafka:TOPIC".
func topicOf(output string) (topic string, ok bool) {
	return strings.CutPrefix(output, kafka.TopicOutput)
}

// folderOf reports whether an output is a folder: one that exists, or a name
// that ends in a slash.
func folderOf(output string) bool {
	if _, ok := topicOf(output); ok || output == "" {
		return false
	}
	if os.IsPathSeparator(output[len(output)-1]) {
		return true
	}
	info, err := os.Stat(output)
	return err == nil && info.IsDir()
}

// folder reports whether the output is a folder, and so the only one.
func (o *scoreOptions) folder() bool { return len(o.outputs) == 1 && folderOf(o.outputs[0]) }

// keepsState gives the folder for the state files of models with history; ""
// where what is written does not stay, as in /dev/null.
func (o *scoreOptions) keepsState() string {
	if o.folder() {
		return pipeline.SegmentStateDir(o.outputs[0])
	}
	if path, none := o.firstFile(); !none {
		return pipeline.StateDir(path)
	}
	return ""
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
		switch {
		case o.delivery == exactlyOnce:
			o.outputs = []string{defaultFolder}
		case o.format == "json":
			o.outputs = []string{strings.TrimSuffix(defaultOutput, ".csv") + ".jsonl"}
		default:
			o.outputs = []string{defaultOutput}
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
	if o.rotateSize < 0 {
		return usagef("--rotate-size %d: want a size such as 500M or 2G", o.rotateSize)
	}
	if (o.rotateSize != 0 || o.rotateEvery != 0) && !o.folder() {
		return usagef("--rotate-size, --rotate-every of %s: want --output FOLDER/", strings.Join(o.outputs, ","))
	}
	if _, dead := topicOf(o.deadLetters); !dead && cmp.Or(o.compression, kafka.NoCompression) != kafka.NoCompression &&
		!slices.ContainsFunc(o.outputs, func(output string) bool { _, ok := topicOf(output); return ok }) {
		return usagef("--compression %s of %s: want --output kafka:TOPIC, or --dead-letter", o.compression, strings.Join(o.outputs, ","))
	}
	if o.delivery == exactlyOnce {
		return o.checkExactlyOnce()
	}
	if i := slices.IndexFunc(o.outputs, folderOf); i >= 0 {
		return usagef("--output %s: a folder: want a file, or --delivery exactly-once", o.outputs[i])
	}
	if o.deadLetters == "" {
		path, _ := o.firstFile()
		o.deadLetters = pipeline.DeadLetterPath(path)
	}
	return nil
}

// checkExactlyOnce checks that all that is written belongs to one commit.
func (o *scoreOptions) checkExactlyOnce() error {
	topic, toTopic := topicOf(o.outputs[0])
	_, deadTopic := topicOf(o.deadLetters)
	switch {
	case len(o.outputs) > 1:
		return usagef("--delivery exactly-once, --output %s: want one output", strings.Join(o.outputs, ",")).
			withHint("several can't be written in one step; a second group, --group NAME, may write the other")
	case toTopic && o.deadLetters == "":
		o.deadLetters = kafka.TopicOutput + topic + ".dead"
	case toTopic && !deadTopic:
		return usagef("--delivery exactly-once, --dead-letter %s: want kafka:TOPIC", o.deadLetters).
			withHint("dead letters belong to the transaction that has the predictions")
	case toTopic:
	case !o.folder():
		return usagef("--delivery exactly-once, --output %s: want FOLDER/ or kafka:TOPIC", o.outputs[0]).
			withHint("a file is at least once: after a crash some rows may stand in it twice; a name that ends in / is a folder's")
	case o.deadLetters != "":
		return usagef("--delivery exactly-once, --dead-letter %s: want none", o.deadLetters).
			withHint("dead letters belong to the commit that has the predictions: they are in the same folder, as .dead.jsonl")
	case o.overwrite:
		return usagef("--overwrite of a folder: want another folder, or --append")
	default:
		o.deadLetters = filepath.Join(o.outputs[0], "*.dead.jsonl") // for the summary
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
	to := kafka.TopicSinkOptions{Options: o.cluster.options(), Compression: o.compression, Note: note}
	dead, deadTopic := topicOf(o.deadLetters)
	switch {
	case o.folder():
		s, err := pipeline.OpenSegments(pipeline.SegmentOptions{
			Dir: o.outputs[0], Group: o.group, Text: pipeline.PredictionText{Model: hash, JSON: o.format == "json"},
			RotateSize: o.rotateSize, RotateEvery: o.rotateEvery, Append: o.appendTo, Note: note,
		})
		if err != nil {
			return nil, err
		}
		return []pipeline.Sink{s}, nil
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

// rotateEveryFlag is a durationFlag of more than nothing.
func rotateEveryFlag(p *time.Duration) cli.Flag {
	return flagOf(p, "rotate-every", "begin a new file of a partition in a folder after `TIME`, 1h by default", func(s string) (time.Duration, error) {
		d, err := time.ParseDuration(s)
		if err != nil || d <= 0 {
			return 0, errors.New("want a time such as 30s, 5m or 1h")
		}
		return d, nil
	}, func(time.Duration) string { return "" })
}
