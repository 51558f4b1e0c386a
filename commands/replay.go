package commands

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"

	"ctr/pipeline"
	"ctr/pipeline/kafka"
)

// replayOptions are the settings of ctr replay.
type replayOptions struct {
	pipeline.ReplayOptions
	cluster     clusterOptions
	topic       string
	format      string
	dead        string // dead letters to send again
	create      bool
	compression string
	partitions  int // 0 = as the brokers have it
	replication int
}

// replayResult is the JSON of ctr replay.
type replayResult struct {
	Topic        string  `json:"topic"`
	Read         int64   `json:"read"`
	Sent         int64   `json:"sent"`
	Acknowledged int64   `json:"acknowledged"`
	Failed       int64   `json:"failed"`
	Seconds      float64 `json:"seconds"`
	Stopped      bool    `json:"stopped"`
}

func replayCommand(s *stdio) *cli.Command {
	var c common
	o := replayOptions{cluster: newCluster(), topic: defaultTopic, format: "csv", compression: kafka.NoCompression}
	return &cli.Command{
		Name: "replay", Usage: "sends rows to a Kafka topic as a live stream",
		ArgsUsage: "FILE…", Args: true,
		UsageText: `ctr replay dataset.csv
			ctr replay dataset.csv --topic cte_queue --rate 5000 --create --partitions 4
			ctr replay dataset.csv --speed 3600x --loop
			ctr replay dataset.csv --rate max --key device_ip --format json
			ctr replay --dead-letters predictions.dead.jsonl`,
		Description: "Every row of the files is sent, and counts once all replicas have it. Values are the rows as the file has them, without a header, or JSON objects. Rows go out at an even rate, or with --speed by the clock of their own time column, so many times as fast. Interrupted, it waits for what it has sent, and ends with a summary.",
		Flags: flags(
			clusterFlags(&o.cluster),
			group("Topic",
				stringFlag(&o.topic, "topic", "the `TOPIC` to send to"),
				stringFlag(&o.dead, "dead-letters", "instead of files, send the records in this `FILE` or kafka:TOPIC of dead letters again, as they were produced; to --topic where it is given, else each to where it came from"),
				boolFlag(&o.create, "create", "create the topic if it is not there"),
				wholeFlag(&o.partitions, 1, "partitions", "with --create, `N` partitions; the brokers' own number by default"),
				wholeFlag(&o.replication, 1, "replication", "with --create, `N` replicas; the brokers' own number by default"),
			),
			group("Stream",
				rateFlag(&o.Rate, "rate", "`N` rows a second, or max for as fast as it goes; 1000 by default"),
				speedFlag(&o.Speed, "speed", "by the data's own clock, `N` times as fast: 3600x makes an hour a second"),
				boolFlag(&o.Loop, "loop", "begin again after the last row, until interrupted"),
				wholeFlag(&o.Limit, 1, "limit", "stop after `N` rows"),
				stringFlag(&o.Key, "key", "the `COLUMN` that is the key of the messages, and so decides the partition; several joined by +, such as device_ip+device_model"),
				compressionFlag(&o.compression),
				choiceFlag(&o.format, "format", "`NAME` of the form of the values: csv, as the file has them, or json", "csv", "json"),
			),
			group("Data",
				stringFlag(&o.Schema, "schema", "what the columns are: avazu, criteo or a YAML `FILE` (ctr help schema); found from the data by default"),
				listFlag(&o.Columns, "columns", "`NAMES` of the columns of files without a header, separated by commas"),
				boolFlag(&o.NoHeader, "no-header", "the first row is data, whatever it looks like"),
				delimiterFlag(&o.Comma, "delimiter", "what separates columns, comma or tab, by `NAME`; found from the data by default"),
			),
			c.flags(), logFlag(s)),
		Action: func(cc *cli.Context) error {
			o.Files, o.Stdin = cc.Args().Slice(), s.in
			if o.dead != "" {
				if len(o.Files) > 0 {
					return usagef("--dead-letters with a file: want one of them")
				}
				if !onCommandLine(cc, "topic") {
					o.topic = ""
				}
			}
			r, err := runReplay(cc.Context, o, s, &c)
			if r != nil && c.json {
				return errors.Join(err, printJSON(s.out, r))
			}
			if r != nil && err == nil {
				printReplay(s, r)
			}
			return err
		},
	}
}

// runReplay replays until the rows or ctx end; both are a normal end. The
// result is nil where nothing was begun.
func runReplay(ctx context.Context, o replayOptions, s *stdio, c *common) (*replayResult, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	if err := o.cluster.check(s.getenv); err != nil {
		return nil, err
	}
	p := newProgress(s, c.quiet)
	defer p.close()
	p.bytes[pipeline.StageReplay] = o.Limit == 0 && !o.Loop
	stopped := context.AfterFunc(ctx, func() { p.Note("stopping: waiting for what was sent") })
	defer stopped()
	r, err := o.replay(ctx, p)
	if r == nil {
		return nil, err
	}
	return &replayResult{o.topic, r.Read, r.Sent, r.Acknowledged, r.Failed, r.Seconds, r.Stopped}, err
}

// replay creates the topic where that is wanted, and sends.
func (o *replayOptions) replay(ctx context.Context, obs pipeline.Observer) (*pipeline.ReplaySummary, error) {
	cluster := o.cluster.options()
	if o.dead != "" {
		return o.replayDead(ctx, cluster, obs)
	}
	if o.create {
		made, err := kafka.CreateTopic(cluster, o.topic, orBrokers(o.partitions), int16(orBrokers(o.replication)))
		if err != nil {
			return nil, err
		}
		if made {
			obs.Note("topic " + o.topic + " created")
		}
	}
	producer, err := kafka.NewProducer(kafka.ProducerOptions{Options: cluster, Topic: o.topic, Compression: o.compression, Note: obs.Note})
	if err != nil {
		return nil, err
	}
	r, err := pipeline.Replay(ctx, o.ReplayOptions, producer, obs)
	return &r, err
}

// replayDead sends dead letters again.
func (o *replayOptions) replayDead(ctx context.Context, cluster kafka.Options, obs pipeline.Observer) (*pipeline.ReplaySummary, error) {
	read := pipeline.DeadLetterFile(o.dead)
	if topic, ok := topicOf(o.dead); ok {
		read = kafka.DeadLetters(cluster, topic)
	}
	r, err := pipeline.ReplayDeadLetters(ctx, read, o.topic, func(topic string) (pipeline.HeaderProducer, error) {
		return kafka.NewProducer(kafka.ProducerOptions{Options: cluster, Topic: topic, Compression: o.compression, Note: obs.Note})
	})
	return &r, err
}

// orBrokers gives -1, which leaves a number to the brokers, for 0.
func orBrokers(n int) int32 {
	if n == 0 {
		return -1
	}
	return int32(n)
}

// check checks and completes the options before a broker is asked.
func (o *replayOptions) check() error {
	switch {
	case o.dead != "":
		return nil
	case len(o.Files) == 0:
		return usagef("want a file to replay").withHint("ctr replay rows.csv; ctr synth --out rows.csv makes one")
	case o.topic == "":
		return usagef("--topic: want the name of a topic")
	case o.Rate != 0 && o.Speed != 0:
		return usagef("--rate and --speed: want one of them")
	case !o.create && (o.partitions != 0 || o.replication != 0):
		return usagef("--partitions, --replication: want --create with them")
	case o.partitions > math.MaxInt32 || o.replication > math.MaxInt16:
		return usagef("--partitions %d, --replication %d: want fewer", o.partitions, o.replication)
	}
	o.JSON = o.format == "json"
	for _, path := range o.Files {
		if path == "-" {
			if o.Loop {
				return usagef("--loop: standard input can be read only once")
			}
			continue
		}
		_, err := os.Stat(path)
		if found, _ := filepath.Glob(path); errors.Is(err, fs.ErrNotExist) && len(found) == 0 {
			return fmt.Errorf("%s: no such file", path)
		}
	}
	return nil
}

func printReplay(s *stdio, r *replayResult) {
	rate := ""
	if r.Seconds > 0 {
		rate = fmt.Sprintf(", %s rows/s", thousands(int64(float64(r.Acknowledged)/r.Seconds)))
	}
	line := fmt.Sprintf("%s: %s of %s acknowledged in %s%s", cmp.Or(r.Topic, "dead letters"),
		thousands(r.Acknowledged), count(r.Read, "row"), seconds(r.Seconds), rate)
	if r.Stopped {
		line += "; stopped before the end"
	}
	fmt.Fprintln(s.out, line)
}

// rateFlag takes rows a second, or max.
func rateFlag(p *float64, name, usage string) cli.Flag {
	return flagOf(p, name, usage, func(s string) (float64, error) {
		if s == "max" {
			return math.Inf(1), nil
		}
		return positive(s, "want a number of rows a second above 0, or max")
	}, func(float64) string { return "" })
}

// speedFlag takes a factor such as 3600x.
func speedFlag(p *float64, name, usage string) cli.Flag {
	return flagOf(p, name, usage, func(s string) (float64, error) {
		return positive(strings.TrimSuffix(s, "x"), "want a number above 0, such as 3600x")
	}, func(float64) string { return "" })
}

func positive(s, want string) (float64, error) {
	x, err := strconv.ParseFloat(s, 64)
	if err != nil || !(x > 0) || math.IsInf(x, 1) {
		return 0, errors.New(want)
	}
	return x, nil
}
