package commands

import (
	"context"
	"fmt"
	"strings"

	"github.com/urfave/cli/v2"

	"ctr/pipeline"
)

func evaluateCommand(s *stdio) *cli.Command {
	var c common
	var o pipeline.EvaluateOptions
	return &cli.Command{
		Name: "evaluate", Usage: "judges a model on rows that it was not trained on",
		ArgsUsage: "[DATA…]", Args: true,
		UsageText: `ctr evaluate
			ctr evaluate --model pairs.ctr --predictions held-out.csv
			ctr evaluate next-day.csv
			ctr evaluate --threshold 0.22 --json`,
		Description: "Without DATA, the rows are those that training held out: ctr finds the data that the model file names, and says so if it has changed. With DATA, all of its rows are judged.",
		Flags: flags(
			group("Model",
				modelFlag(&o.Model),
				thresholdFlag(&o.Threshold, "predict a click above `X`; auto, the default, is the model's own"),
			),
			group("Output",
				stringFlag(&o.Predictions, "predictions", "write id,y,probability,prediction of every row to `FILE`"),
				boolFlag(&o.Overwrite, "overwrite", "replace an existing file"),
			),
			rowFlags(&o.Input), c.flags()),
		Action: func(cc *cli.Context) error {
			o.Files, o.Stdin = cc.Args().Slice(), s.in
			r, err := runEvaluate(cc.Context, o, s, &c)
			if err != nil {
				return err
			}
			if c.json {
				return printJSON(s.out, r)
			}
			printEvaluate(s, &o, r)
			return nil
		},
	}
}

func runEvaluate(ctx context.Context, o pipeline.EvaluateOptions, s *stdio, c *common) (*pipeline.EvaluateResult, error) {
	p := newProgress(s, c.quiet)
	defer p.close()
	return pipeline.Evaluate(ctx, o, p)
}

func printEvaluate(s *stdio, o *pipeline.EvaluateOptions, r *pipeline.EvaluateResult) {
	m := r.Metrics
	from := strings.Join(r.Files, ", ")
	switch {
	case r.Held && from == "":
		from = "the held-out part of the built-in synthetic rows"
	case r.Held:
		from = "the held-out part of " + from
	case from == "":
		from = "standard input"
	}
	fmt.Fprintf(s.out, "%s judged on %s\n\n", o.Model, from)
	printMetrics(s.out, judged{"model", m})
	fmt.Fprintf(s.out, "\nAbove %.4g a row is predicted a click: %s right and %s wrong, %s missed.\n", m.Threshold,
		thousands(int64(m.Confusion.TP)), thousands(int64(m.Confusion.FP)), thousands(int64(m.Confusion.FN)))
	if r.Bad > 0 {
		fmt.Fprintf(s.out, "%s passed over.\n", count(r.Bad, "bad row"))
	}
	if o.Predictions != "" {
		fmt.Fprintf(s.out, "%s written.\n", o.Predictions)
	}
}
