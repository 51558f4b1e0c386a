package commands

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"ctr/models/metrics"
	"ctr/pipeline"
	"ctr/pipeline/kafka"
)

// scoreOptions are the settings of ctr score.
type scoreOptions struct {
	pipeline.Input        // of files; Columns, NoHeader, Comma and Threads of topics too
	model, threshold      string
	outputs               []string // none = the default
	create                bool     // topics that are written to
	appendTo, overwrite   bool
	format                string // of files
	rotateSize            int64  // of the files in a folder, bytes; 0 = the default
	rotateEvery           time.Duration
	cluster               clusterOptions
	topic, group, from    string
	untilEnd              bool
	delivery, deadLetters string
	compression           string // of topics that are written to
	maxBad                *int64 // nil = 0 for files, no limit for topics
	printRate             int
	redact                []string
	hideID, hideLabel     bool // of the console
	statsEvery            time.Duration
	session               time.Duration
	instance              string

	http     string // HOST:PORT of health and status, "" = none
	otlp     string // URL that traces are sent to, "" = none
	stateDir string
	history  *pipeline.History // nil where the model has none

	started func()         // called once all is open, nil = not
	seen    func(rows int) // told of records that were written, nil = not
}

func scoreCommand(s *stdio) *cli.Command {
	var c common
	o := scoreOptions{
		cluster: newCluster(), topic: defaultTopic, group: "ctr-score",
		from: string(kafka.Committed), compression: kafka.NoCompression, delivery: "at-least-once", printRate: 10, statsEvery: 5 * time.Second,
		session: 10 * time.Second,
	}
	topicFlags := group("Topics",
		stringFlag(&o.topic, "topic", "the `TOPIC` to score"),
		stringFlag(&o.group, "group", "`NAME` of the consumer group to be a member of"),
		choiceFlag(&o.from, "from", "`WHERE` to begin: committed (what the group has committed, the earliest where nothing), earliest or latest", "committed", "earliest", "latest"),
		durationFlag(&o.session, "session-timeout", "`TIME` without a sign of life after which the group gives this member's partitions to others"),
		stringFlag(&o.instance, "instance-id", "`NAME` of a static member, of each another: it may stop and come back within the session timeout, and keeps its partitions"),
		boolFlag(&o.untilEnd, "until-end", "stop at what is in the topic now"),
		choiceFlag(&o.delivery, "delivery", "`HOW` rows are kept safe: at-least-once loses none, and may write some again after a crash; exactly-once (to a folder or a topic) does not do that either", "at-least-once", "exactly-once"),
		stringFlag(&o.deadLetters, "dead-letter", "the `FILE` or kafka:TOPIC for records that cannot be scored; OUTPUT.dead.jsonl by default, and exactly once kafka:TOPIC.dead or, of a folder, files in it"),
		sizeFlag(&o.rotateSize, "rotate-size", "begin a new file of a partition in a folder at about `SIZE`, 128M by default"),
		rotateEveryFlag(&o.rotateEvery),
		boolFlag(&o.create, "create", "create topics that are written to if they are not there"),
		compressionFlag(&o.compression),
		stringFlag(&o.stateDir, "state", "the `FOLDER` that keeps what a model with history has seen, shared by members of the group that are to take over from each other; OUTPUT.state by default, FOLDER/.ctr/state of a folder"),
		boolFlag(&o.appendTo, "append", "add to an existing output"),
		wholeFlag(&o.printRate, 0, "print-rate", "print at most `N` lines a second to the console"),
		listFlag(&o.redact, "redact", "`COLUMNS`, separated by commas, or all: their values do not appear on the console and in the reasons of dead letters; outputs and dead letters themselves have them"),
		durationFlag(&o.statsEvery, "stats-every", "`TIME` between lines about rows/s, lag and metrics; 0s for none"),
		httpFlag(&o.http, "http", "serve /livez, /readyz, /status, /metrics and /api/live at `ADDRESS`, PORT or HOST:PORT; without a host, to this machine alone"),
		otlpFlag(&o.otlp),
	)
	topicFlags = append(clusterFlags(&o.cluster), topicFlags...)
	data := group("Files and rows",
		choiceFlag(&o.format, "format", "`NAME` of the form of predictions: csv, json (lines) or, of scored files, kaggle (id,click); by default csv, and json in topics and files named .jsonl", "csv", "json", "kaggle"),
		listFlag(&o.Columns, "columns", "`NAMES` of the columns of rows without a header, separated by commas"),
		boolFlag(&o.NoHeader, "no-header", "the first row of a file is data, whatever it looks like"),
		delimiterFlag(&o.Comma, "delimiter", "what separates columns, comma or tab, by `NAME`; found from the data by default"),
		stringFlag(&o.Since, "since", "of files, only rows from this `HOUR` on: 14102100 or 2014-10-21 00:00:00, UTC"),
		stringFlag(&o.Until, "until", "of files, only rows before this `HOUR`"),
		optionalWholeFlag(&o.maxBad, "max-bad", "stop after more than `N` bad rows; by default 0 for files and no limit for topics"),
		threadsFlag(&o.Threads),
	)
	return &cli.Command{
		Name: "score", Usage: "scores a topic as rows come, or files",
		ArgsUsage: "[FILE…]", Args: true,
		UsageText: `ctr score --topic cte_queue
			ctr score --topic cte_queue --until-end --quiet --output out.csv
			ctr score --topic cte_queue --output predictions.jsonl,kafka:scored --create
			ctr score --delivery exactly-once --output predictions/
			ctr score --output kafka:scored --delivery exactly-once --create
			ctr score rows.csv --output scored.csv
			ctr score test.csv --format kaggle --output submission.csv
			cat rows.csv | ctr score -`,
		Description: "Without FILE, ctr joins a consumer group and scores the rows of a topic, CSV or JSON, until it is interrupted; what was read is then finished and committed. It prints lines of id, y, prediction, probability and time to the console, writes all rows to predictions.csv (id,y,prediction,probability,timestamp,topic,partition,offset,model), and every few seconds a line of rows/s, lag and, where rows carry labels, metrics to standard error. Restarted, it goes on where it stopped, in the same file. Records that cannot be scored go to the dead letters.\n\nExactly once to a folder, each partition has files TOPIC-PARTITION-FIRSTOFFSET.csv, which never change once they have that name; those that end in .part are being written. All members of the group need the same folder. A program that takes files away leaves each partition's newest.\n\nWith FILE (CSV, TSV, Parquet, Arrow or Feather), it scores files without a broker and prints id,y,probability,prediction in the order of the rows, or writes them to --output.",
		Flags: flags(
			group("Model",
				modelFlag(&o.model),
				thresholdFlag(&o.threshold, "predict a click above `X`; auto, the default, is the model's own"),
			),
			group("Output",
				listFlag(&o.outputs, "output", "the `FILE` or kafka:TOPIC for predictions of a topic, predictions.csv by default; several separated by commas. Exactly once a FOLDER/, predictions/ by default, or kafka:TOPIC. Of files, a FILE, standard output by default"),
				boolFlag(&o.overwrite, "overwrite", "replace an existing output"),
			),
			topicFlags, data, c.quietFlags("of a topic, no line for each row; of files, no progress and no notes"), logFlag(s)),
		Action: func(cc *cli.Context) error {
			o.Files, o.Stdin = cc.Args().Slice(), s.in
			if len(o.Files) > 0 {
				for _, f := range topicFlags {
					if onCommandLine(cc, flagName(f)) {
						return usagef("--%s with a file: want a topic or files", flagName(f))
					}
				}
				return scoreFiles(cc.Context, o, s, &c)
			}
			for _, name := range []string{"since", "until", "no-header"} {
				if onCommandLine(cc, name) {
					return usagef("--%s without a file: want FILE, - for standard input", name)
				}
			}
			return runScoreTopic(cc.Context, o, s, &c)
		},
	}
}

// scoredFiles is the JSON of ctr score FILE….
type scoredFiles struct {
	Rows    int              `json:"rows"`
	Bad     int              `json:"bad"`
	Seconds float64          `json:"seconds"`
	Mean    float64          `json:"mean_probability"`
	Output  string           `json:"output"`
	Metrics *metrics.Metrics `json:"metrics,omitempty"`
}

func scoreFiles(ctx context.Context, o scoreOptions, s *stdio, c *common) error {
	output := "-"
	switch len(o.outputs) {
	case 0:
	case 1:
		output = o.outputs[0]
	default:
		return usagef("--output %s: want one, of files", strings.Join(o.outputs, ","))
	}
	if c.json && output == "-" {
		return usagef("--json: the predictions go to standard output").
			withHint("--output FILE writes them to a file; --format json makes them JSON lines")
	}
	if o.maxBad != nil {
		o.MaxBad = int(*o.maxBad)
	}
	p := newProgress(s, c.quiet)
	defer p.close()
	r, err := pipeline.ScoreFiles(ctx, pipeline.ScoreFileOptions{
		Input: o.Input, Model: o.model, Threshold: o.threshold,
		Output: output, Format: cmp.Or(o.format, "csv"), Overwrite: o.overwrite,
	}, s.out, p)
	if err != nil {
		return err
	}
	if c.json {
		return printJSON(s.out, scoredFiles{r.Rows, r.Bad, r.Seconds, r.Mean, output, r.Metrics})
	}
	p.Note(fmt.Sprintf("%s scored in %s, mean probability %.4f%s", count(r.Rows, "row"), seconds(r.Seconds), r.Mean, labelled(r.Metrics)))
	return nil
}

func labelled(m *metrics.Metrics) string {
	if m == nil {
		return ""
	}
	return fmt.Sprintf(", accuracy %s, F1 %s, AUC %s, log loss %s",
		metrics.Text(m.Accuracy, 4), metrics.Text(m.F1, 4), metrics.Text(m.AUC, 4), metrics.Text(m.LogLoss, 4))
}
