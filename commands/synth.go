package commands

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/urfave/cli/v2"

	"ctr/pipeline"
	"ctr/pipeline/synth"
)

// synthOptions are the settings of ctr synth.
type synthOptions struct {
	synth.Options
	out, truth string // "-" = standard output; truth "" = none
	overwrite  bool
}

// synthResult is the JSON of ctr synth.
type synthResult struct {
	Rows    int64   `json:"rows"`
	Seed    uint64  `json:"seed"`
	Out     string  `json:"out"`
	Truth   string  `json:"truth,omitempty"`
	Seconds float64 `json:"seconds"`
}

func synthCommand(s *stdio) *cli.Command {
	var c common
	o := synthOptions{Options: synth.Options{Rows: synth.DefaultRows}, out: "-"}
	return &cli.Command{
		Name: "synth", Usage: "writes Avazu-shaped rows whose true click probability is known",
		UsageText: `ctr synth --rows 1000000 --out train.csv
			ctr synth --rows 100000 --seed 7 --out rows.csv.gz --truth truth.csv
			ctr synth --rows 1000 --no-click | ctr score -`,
		Description: "The rows have Avazu's columns, its numbers of values and their heavy tails, ten days of hours, and clicks drawn from a known truth. The same rows and seed give the same bytes on every machine. --truth writes id and true probability in the order of the rows.",
		Flags: flags(
			group("Rows",
				wholeFlag(&o.Rows, 1, "rows", "`N` rows"),
				wholeFlag(&o.Seed, 0, "seed", "`N` that the drawing begins with; 0 by default"),
				boolFlag(&o.NoClick, "no-click", "leave the column click out, as in rows to be scored"),
				boolFlag(&o.Fatigue, "fatigue", "users click less the more impressions they have had, in all and in the hour"),
				threadsFlag(&o.Threads),
			),
			group("Output",
				stringFlag(&o.out, "out", "the `FILE` to write; compressed where it ends in .gz; - is standard output"),
				stringFlag(&o.truth, "truth", "write the true probabilities to `FILE`"),
				boolFlag(&o.overwrite, "overwrite", "replace existing files"),
			),
			c.flags()),
		Action: func(cc *cli.Context) error {
			r, err := runSynth(cc.Context, o, s, &c)
			if err != nil {
				return err
			}
			if c.json {
				return printJSON(s.out, r)
			}
			if o.out != "-" && !c.quiet {
				fmt.Fprintf(s.err, "%s: %s in %s\n", o.out, count(r.Rows, "row"), seconds(r.Seconds))
			}
			return nil
		},
	}
}

func runSynth(ctx context.Context, o synthOptions, s *stdio, c *common) (*synthResult, error) {
	switch {
	case c.json && (o.out == "-" || o.truth == "-"):
		return nil, usagef("--json: the rows go to standard output").withHint("--out FILE writes them to a file")
	case o.truth == "-":
		return nil, usagef("--truth -: want a file name")
	case o.truth == o.out:
		return nil, usagef("--truth %s: want another file than --out", o.truth)
	}
	start := time.Now()
	p := newProgress(s, c.quiet)
	defer p.close()
	err := writeFile(o.out, o.overwrite, s.out, func(w io.Writer) error {
		if o.truth == "" {
			return synth.Write(ctx, w, o.Options, rowProgress(p, "rows"))
		}
		return writeFile(o.truth, o.overwrite, s.out, func(truth io.Writer) error {
			o.Truth = truth
			return synth.Write(ctx, w, o.Options, rowProgress(p, "rows"))
		})
	})
	if err != nil {
		return nil, err
	}
	return &synthResult{o.Rows, o.Seed, o.out, o.truth, time.Since(start).Seconds()}, nil
}

// rowProgress shows rows that are done.
func rowProgress(p *progress, stage pipeline.Stage) func(done, total int64) {
	return func(done, total int64) { p.Progress(stage, done, total, "") }
}

// writeFile has write fill the file at path, or stdout where path is "-". The
// file comes to be only if write succeeds.
func writeFile(path string, overwrite bool, stdout io.Writer, write func(io.Writer) error) error {
	if path == "" {
		return errors.New("output: want a file name, or - for standard output")
	}
	if path == "-" {
		return write(stdout)
	}
	f, err := createFile(path, overwrite)
	if err != nil {
		return err
	}
	return f.finish(write(f))
}
