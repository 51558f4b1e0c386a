package commands

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"ctr/features"
	"ctr/models"
	"ctr/models/metrics"
	"ctr/pipeline"
	"ctr/pipeline/kafka"
)

// Where topics are, unless one says otherwise.
const (
	defaultBroker = "localhost:9092"
	defaultTopic  = "cte_queue"
	defaultOutput = "predictions.csv"
	defaultFolder = "predictions/" // exactly once
)

// scoredTopic is the JSON of ctr score --topic.
type scoredTopic struct {
	Rows      int64           `json:"rows"`
	Bad       int64           `json:"bad"`
	Seconds   float64         `json:"seconds"`
	Topic     string          `json:"topic"`
	Output    string          `json:"output"`
	Mean      *float64        `json:"mean_prediction"`
	Labelled  int             `json:"labelled"`
	Accuracy  *float64        `json:"accuracy,omitempty"`
	F1        *float64        `json:"f1,omitempty"`
	LogLoss   *float64        `json:"log_loss,omitempty"`
	Committed []committedView `json:"committed"`
}

type committedView struct {
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
	Offset    int64  `json:"offset"`
}

// runScoreTopic is ctr score without files.
func runScoreTopic(ctx context.Context, o scoreOptions, s *stdio, c *common) error {
	if err := o.checkTopic(); err != nil {
		return err
	}
	if err := o.cluster.check(s.getenv); err != nil {
		return err
	}
	p := newProgress(s, false) // --quiet is for the lines of rows; see --stats-every
	defer p.close()
	stopped := context.AfterFunc(ctx, func() { p.Note("stopping: finishing what was read") })
	defer stopped()
	o.started = func() {
		p.Note(fmt.Sprintf("scoring topic %s with %s into %s; Ctrl-C stops", o.topic, o.model, strings.Join(o.outputs, ",")))
	}
	sum, err := o.scoreTopic(ctx, s, c, p)
	if err != nil {
		return err
	}
	if c.json {
		return printJSON(s.out, o.scored(&sum))
	}
	s.say(o.summary(&sum), "topic", o.topic, "output", strings.Join(o.outputs, ","), "rows", sum.Rows, "bad", sum.Bad, "seconds", sum.Seconds)
	return nil
}

// scoreTopic scores until ctx ends, which is the normal end, or the end of
// the topic with untilEnd.
func (o *scoreOptions) scoreTopic(ctx context.Context, s *stdio, c *common, p *progress) (sum pipeline.Summary, err error) {
	a, err := models.Open(o.model)
	if err != nil {
		return sum, err
	}
	scorers, history, err := o.scorers(a)
	if err != nil {
		return sum, err
	}
	o.history = history
	server, err := o.serve(a)
	if err != nil {
		return sum, err
	}
	if server != nil {
		defer func() { err = errors.Join(err, server.Close()) }()
		defer context.AfterFunc(ctx, server.Drain)()
		p.Note("health and status at http://" + server.Addr())
	}
	src, err := kafka.NewSource(kafka.SourceOptions{
		Options: o.cluster.options(), Topic: o.topic, Group: o.group,
		From: kafka.From(o.from), UntilEnd: o.untilEnd, Note: server.noting(p.Note),
		SessionTimeout: o.session, InstanceID: o.instance,
	})
	if err != nil {
		return sum, err
	}
	sum, err = o.stream(ctx, a, scorers, src, server, s, c, p)
	if err != nil && server != nil {
		server.Fail(err)
	}
	return sum, errors.Join(err, src.Close())
}

// checkTopic checks and completes the options about topics.
func (o *scoreOptions) checkTopic() error {
	switch {
	case o.topic == "":
		return usagef("--topic: want the name of a topic")
	case o.appendTo && o.overwrite:
		return usagef("--append and --overwrite: want one of them")
	}
	return o.checkOutputs()
}

// scorers gives what scores records with a model, and what it remembers of
// them.
func (o *scoreOptions) scorers(a *models.Artifact) (func() (pipeline.Scorer, error), *pipeline.History, error) {
	options := pipeline.ScorerOptions{Columns: features.Layout(o.Columns), Comma: o.Comma, Redact: o.redact}
	if o.threshold != "" && o.threshold != "auto" {
		t, err := parseFloat(o.threshold)
		if err != nil {
			return nil, nil, err
		}
		options.Threshold = &t
	}
	scorers, err := pipeline.ModelScorers(a, options)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", o.model, err)
	}
	schema := &a.Spec.Schema
	o.hideID, o.hideLabel = options.Redacts(schema.Find(features.ID)), options.Redacts(schema.Find(features.Label))
	keep := pipeline.HistoryOptions{Dir: o.stateDir}
	if keep.Dir == "" {
		keep.Dir = o.keepsState()
	}
	history, err := pipeline.NewHistory(a, options, keep)
	return scorers, history, err
}

// stream joins source, scorers and sinks.
func (o *scoreOptions) stream(ctx context.Context, a *models.Artifact, scorers func() (pipeline.Scorer, error),
	src *kafka.Source, server *watched, s *stdio, c *common, p *progress,
) (sum pipeline.Summary, err error) {
	sinks, err := o.sinks(ctx, a.Hash, src, p.Note)
	if err != nil {
		return sum, err
	}
	// The console comes first: what stands there may never get into the output,
	// but what is committed is in the output.
	if !c.quiet && !c.json && o.printRate > 0 {
		console := pipeline.NewConsole(s.out, o.printRate)
		console.HideID, console.HideLabel = o.hideID, o.hideLabel
		sinks = append([]pipeline.Sink{console}, sinks...)
	}
	if o.seen != nil {
		sinks = append(sinks, seenSink(o.seen))
	}
	sink := pipeline.Sinks(sinks...)
	defer func() { err = errors.Join(err, sink.Close()) }()

	options := pipeline.ScoreOptions{
		Scorers: scorers, History: o.history, Threads: o.Threads, MaxBad: o.maxBad,
	}
	if o.delivery == exactlyOnce && !o.folder() {
		options.CommitRows, options.CommitEvery = transactionRows, transactionTime
	}
	options.Stats, options.StatsEvery = o.tell(p, server)
	if server != nil {
		options.Watch = server.monitor.Watch(a)
	}
	tracer, err := traced(o.otlp, p.Note)
	if err != nil {
		return sum, err
	}
	if tracer != nil {
		options.Watch = tracer.Watch(options.Watch)
		defer closeTracer(tracer)
	}
	if server != nil {
		server.Started()
	}
	if o.started != nil {
		o.started()
	}
	return pipeline.Score(ctx, options, src, sink, p)
}

// seenSink is told how many records, good and bad, were written.
type seenSink func(rows int)

// Resume does nothing.
func (seenSink) Resume(*pipeline.Assignment) error { return nil }

// Write counts.
func (f seenSink) Write(b *pipeline.Batch) error {
	f(b.Len())
	return nil
}

// Commit does nothing.
func (seenSink) Commit(context.Context, []pipeline.Commit) (owned bool, err error) { return false, nil }

// Close does nothing.
func (seenSink) Close() error { return nil }

// sayStats says how things stand, as long as there is something new.
func sayStats(p *progress, topic string) func(pipeline.Stats) {
	var last pipeline.Stats
	return func(st pipeline.Stats) {
		if st.Rows != last.Rows || st.Bad != last.Bad || st.Lag != last.Lag {
			p.say(statsLine(&st), statsFields(topic, &st)...)
		}
		last = st
	}
}

// statsLine is what is said every few seconds.
func statsLine(st *pipeline.Stats) string {
	line := fmt.Sprintf("%s, %s rows/s, lag %s", count(st.Rows, "row"), thousands(int64(st.RowsPerSecond)), thousands(st.Lag))
	if len(st.Partitions) > 1 && st.Lag > 0 {
		line += " (" + partitionLags(st.Partitions) + ")"
	}
	if st.Bad > 0 {
		line += ", " + thousands(st.Bad) + " bad"
	}
	return line + runningText(&st.Running)
}

// partitionLags gives "0: 600, 1: 603".
func partitionLags(all []pipeline.PartitionStats) string {
	words := make([]string, len(all))
	for i, p := range all {
		words[i] = fmt.Sprintf("%d: %s", p.Partition, thousands(p.Lag))
	}
	return strings.Join(words, ", ")
}

func runningText(r *metrics.Summary) string {
	if r.Rows == 0 {
		return ""
	}
	line := ", mean prediction " + metrics.Text(r.MeanPrediction, 4)
	if r.Labelled > 0 {
		line += fmt.Sprintf(", accuracy %s, F1 %s, log loss %s",
			metrics.Text(r.Accuracy, 4), metrics.Text(r.F1, 4), metrics.Text(r.LogLoss, 4))
	}
	return line
}

// summary is the last line.
func (o *scoreOptions) summary(sum *pipeline.Summary) string {
	line := fmt.Sprintf("%s scored in %s%s; written to %s", count(sum.Rows, "row"), seconds(sum.Seconds), runningText(&sum.Running), strings.Join(o.outputs, ","))
	if sum.Bad > 0 {
		line += fmt.Sprintf("; %s in %s", count(sum.Bad, "bad record"), o.deadLetters)
	}
	return line
}

func (o *scoreOptions) scored(sum *pipeline.Summary) scoredTopic {
	r := scoredTopic{
		Rows: sum.Rows, Bad: sum.Bad, Seconds: sum.Seconds, Topic: o.topic, Output: strings.Join(o.outputs, ","),
		Labelled: sum.Running.Labelled, Committed: []committedView{},
	}
	if sum.Running.Rows > 0 {
		r.Mean = &sum.Running.MeanPrediction
	}
	if r.Labelled > 0 {
		r.Accuracy, r.F1, r.LogLoss = &sum.Running.Accuracy, &sum.Running.F1, &sum.Running.LogLoss
	}
	for _, c := range sum.Committed {
		r.Committed = append(r.Committed, committedView{c.Topic, c.Partition, c.Offset})
	}
	return r
}
