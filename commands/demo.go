package commands

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/urfave/cli/v2"

	"ctr/pipeline"
	"ctr/pipeline/broker"
	"ctr/pipeline/kafka"
	"ctr/pipeline/synth"
)

// demoOptions are the settings of ctr demo.
type demoOptions struct {
	dir     string
	rows    int64
	seed    uint64
	threads int
	rate    float64 // rows a second that are replayed; +Inf = as fast as it goes
}

// demoResult is the JSON of ctr demo.
type demoResult struct {
	Dir         string                   `json:"dir"`
	Train       *pipeline.TrainResult    `json:"train"`
	Compare     []pipeline.CompareResult `json:"compare"`
	Evaluate    *pipeline.EvaluateResult `json:"evaluate"`
	Replayed    int64                    `json:"replayed"`
	Scored      int64                    `json:"scored"`
	Equal       int64                    `json:"equal"`
	Distinct    int                      `json:"distinct"`
	Predictions string                   `json:"predictions"`
	Seconds     float64                  `json:"seconds"`
}

func demoCommand(s *stdio) *cli.Command {
	var c common
	o := demoOptions{dir: "ctr-demo", rows: 200_000, seed: 1, rate: 10_000}
	return &cli.Command{
		Name: "demo", Usage: "everything in one command, on an embedded broker and synthetic rows",
		UsageText: `ctr demo
			ctr demo --rows 1000000 --dir /tmp/big-demo
			ctr demo --rate max`,
		Description: "It makes synthetic rows, trains a model, compares it with others, judges it, starts a broker inside this process, replays the held-out rows to a topic, scores them live, and checks that each live probability is the offline one. Its files stay in --dir, predictions.csv among them; those of an earlier demo there are replaced.",
		Flags: flags(
			group("Demo",
				stringFlag(&o.dir, "dir", "the `DIRECTORY` for its files"),
				wholeFlag(&o.rows, 1000, "rows", "make `N` rows; the last 30 % of the hours are held out"),
				rateFlag(&o.rate, "rate", "replay `N` rows a second, or max for as fast as it goes; 10000 by default"),
				wholeFlag(&o.seed, 0, "seed", "`N` that all drawing of random numbers begins with"),
				threadsFlag(&o.threads),
			),
			c.flags(), logFlag(s)),
		Action: func(cc *cli.Context) error {
			out := s.out
			if c.json {
				out = io.Discard
			}
			r, err := runDemo(cc.Context, o, s, out, &c)
			if err == nil && c.json {
				return printJSON(s.out, r)
			}
			return err
		},
	}
}

// demo is one run: the options, where it shows what it does, and the result
// so far.
type demo struct {
	demoOptions
	s    *stdio
	out  io.Writer // for the person who watches
	p    *progress
	r    demoResult
	step int
}

func runDemo(ctx context.Context, o demoOptions, s *stdio, out io.Writer, c *common) (*demoResult, error) {
	d := &demo{demoOptions: o, s: &stdio{in: s.in, out: out, err: s.err, logFormat: s.logFormat}, out: out, p: newProgress(s, c.quiet)}
	defer d.p.close()
	start := time.Now()
	d.r.Dir, d.r.Predictions = o.dir, d.path("predictions.csv")
	if err := os.MkdirAll(o.dir, 0o777); err != nil {
		return nil, err
	}
	fmt.Fprintf(out, "ctr demo: from ad impressions to live click probabilities. Files go to %s.\n", o.dir)
	for _, step := range []func(context.Context) error{d.makeRows, d.train, d.compare, d.evaluate, d.live, d.check} {
		if err := step(ctx); err != nil {
			return nil, err
		}
	}
	d.r.Seconds = time.Since(start).Seconds()
	fmt.Fprintf(out, `
Done in %s. The predictions are in %s.

Next, with rows of your own (Avazu's or Criteo's columns, or any with --schema FILE):
  ctr train rows.csv --algo lr
  ctr evaluate
and live, in three terminals:
  ctr broker
  ctr replay rows.csv --rate 1000
  ctr score --topic cte_queue
`, seconds(d.r.Seconds), d.r.Predictions)
	return &d.r, nil
}

func (d *demo) path(name string) string { return filepath.Join(d.dir, name) }

// heading begins a step: what it does, and the command that does it alone.
func (d *demo) heading(what, command string) {
	d.step++
	d.p.close()
	fmt.Fprintf(d.out, "\n[%d/6] %s\n", d.step, what)
	if command != "" {
		fmt.Fprintf(d.out, "      $ %s\n", command)
	}
	fmt.Fprintln(d.out)
}

func (d *demo) makeRows(ctx context.Context) error {
	path := d.path("rows.csv")
	d.heading("Make rows shaped like Avazu's ad impressions, with clicks drawn from a known truth",
		fmt.Sprintf("ctr synth --rows %d --seed %d --out %s", d.rows, d.seed, path))
	start := time.Now()
	err := writeFile(path, true, nil, func(w io.Writer) error {
		return synth.Write(ctx, w, synth.Options{Rows: d.rows, Seed: d.seed, Threads: d.threads}, rowProgress(d.p, "rows"))
	})
	if err != nil {
		return err
	}
	fmt.Fprintf(d.out, "%s over ten days in %s.\n", count(d.rows, "row"), elapsed(time.Since(start)))
	return nil
}

// trainOptions are those of train and compare.
func (d *demo) trainOptions(algo string) pipeline.TrainOptions {
	return pipeline.TrainOptions{
		Input: pipeline.Input{Files: []string{d.path("rows.csv")}, Threads: d.threads, Seed: d.seed},
		Algo:  algo,
	}
}

func (d *demo) train(ctx context.Context) (err error) {
	d.heading("Train logistic regression on the first 70 % of the hours",
		fmt.Sprintf("ctr train %s --algo lr --out %s", d.path("rows.csv"), d.path("model.ctr")))
	o := d.trainOptions("lr")
	o.Out = d.path("model.ctr")
	if d.r.Train, err = pipeline.Train(ctx, o, d.p); err != nil {
		return err
	}
	d.p.close()
	printTrain(d.s, &o, d.r.Train)
	return nil
}

func (d *demo) compare(ctx context.Context) (err error) {
	d.heading("Compare it with a decision tree and a random forest, on the same hours",
		fmt.Sprintf("ctr compare %s --algo lr,dt,rf", d.path("rows.csv")))
	if d.r.Compare, err = pipeline.Compare(ctx, []string{"lr", "dt", "rf"}, "", d.trainOptions(""), d.p); err != nil {
		return err
	}
	d.p.close()
	printCompare(d.s, d.r.Compare)
	fmt.Fprintln(d.out, "\nGuessing \"no click\" for every row has a fine accuracy and helps nobody: look at\nF1, AUC and log loss.")
	return nil
}

func (d *demo) evaluate(ctx context.Context) (err error) {
	d.heading("Judge the model again, from its file, and keep each held-out row's probability",
		fmt.Sprintf("ctr evaluate --model %s --predictions %s", d.path("model.ctr"), d.path("evaluated.csv")))
	o := pipeline.EvaluateOptions{
		Input: pipeline.Input{Threads: d.threads},
		Model: d.path("model.ctr"), Predictions: d.path("evaluated.csv"), Overwrite: true,
	}
	if d.r.Evaluate, err = pipeline.Evaluate(ctx, o, d.p); err != nil {
		return err
	}
	d.p.close()
	printEvaluate(d.s, &o, d.r.Evaluate)
	return nil
}

// live replays the held-out rows to a topic of a broker inside this process,
// and scores them as they come.
func (d *demo) live(ctx context.Context) (err error) {
	d.heading("Go live: replay the held-out rows to the topic cte_queue, and score them as they come",
		fmt.Sprintf("ctr broker & ctr replay held-out.csv & ctr score --topic cte_queue --model %s", d.path("model.ctr")))
	held := d.path("held-out.csv")
	n, err := keepLast(d.path("rows.csv"), held, d.r.Train.Rows.Test)
	if err != nil {
		return err
	}
	b, err := broker.Start(broker.Options{Listen: "127.0.0.1:0"})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.Close()) }()
	fmt.Fprintf(d.out, "Embedded broker on %s, %s to replay. Some of them as they are scored:\n\n  id y prediction probability timestamp\n", b.Addr(), count(n, "row"))
	return d.stream(ctx, []string{b.Addr()}, held)
}

// stream replays and scores at the same time, until all that was replayed is
// scored.
func (d *demo) stream(ctx context.Context, brokers []string, held string) error {
	if _, err := kafka.CreateTopic(kafka.Options{Brokers: brokers}, defaultTopic, 4, 1); err != nil {
		return err
	}
	o := scoreOptions{
		model: d.path("model.ctr"), outputs: []string{d.r.Predictions}, overwrite: true,
		deadLetters: d.path("predictions.dead.jsonl"), cluster: clusterOptions{brokers: brokers}, topic: defaultTopic,
		from: string(kafka.Earliest), printRate: 10, statsEvery: 2 * time.Second, session: 10 * time.Second,
	}
	o.Threads = d.threads
	var scored atomic.Int64
	o.seen = func(rows int) { scored.Add(int64(rows)) }
	scoring, stop := context.WithCancel(ctx)
	defer stop()
	type outcome struct {
		sum pipeline.Summary
		err error
	}
	done := make(chan outcome, 1)
	go func() {
		sum, err := o.scoreTopic(scoring, d.s, &common{}, d.p)
		done <- outcome{sum, err}
	}()
	replay := replayOptions{cluster: clusterOptions{brokers: brokers}, topic: defaultTopic}
	replay.Files, replay.Rate = []string{held}, d.rate
	sent, err := replay.replay(ctx, quietly{})
	acked := int64(-1)
	if sent != nil {
		acked = sent.Acknowledged
	}
	d.r.Replayed = acked
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for err == nil && scored.Load() < acked {
		select {
		case r := <-done: // before its time
			return errors.Join(r.err, ctx.Err(), errors.New("scoring ended before all rows were scored"))
		case <-tick.C:
		case <-ctx.Done():
			err = ctx.Err()
		}
	}
	stop()
	r := <-done
	if err = errors.Join(err, r.err); err != nil {
		return err
	}
	d.r.Scored = r.sum.Rows
	fmt.Fprintf(d.out, "\n%s replayed and acknowledged, %s.\n", thousands(acked), o.summary(&r.sum))
	return nil
}

// quietly is an Observer that says nothing: the bar of the replay would stand
// between the lines of the rows.
type quietly struct{}

// Progress does nothing.
func (quietly) Progress(pipeline.Stage, int64, int64, string) {}

// Note does nothing.
func (quietly) Note(string) {}
