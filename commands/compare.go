package commands

import (
	"context"
	"fmt"

	"github.com/urfave/cli/v2"

	"ctr/models/metrics"
	"ctr/pipeline"
)

// compareOptions are the settings of ctr compare.
type compareOptions struct {
	train    pipeline.TrainOptions
	algos    []string
	baseline string
}

// comparison is the JSON of ctr compare.
type comparison struct {
	Models []pipeline.CompareResult `json:"models"`
}

func compareCommand(s *stdio) *cli.Command {
	var c common
	o := compareOptions{algos: []string{"lr", "dt", "rf"}}
	return &cli.Command{
		Name: "compare", Usage: "trains several models on one split and prints the evaluation table",
		ArgsUsage: "[DATA…]", Args: true,
		UsageText: `ctr compare train.csv
			ctr compare train.csv --algo lr,rf --trees 200
			ctr compare train.csv --baseline golearn
			ctr compare --json`,
		Description: "Each model sees the same training rows and is judged on the same held-out rows. No model file is written. Without DATA, the rows are built-in synthetic ones. Seconds are those of fitting and judging, not of reading, which is done once.",
		Flags: flags(
			group("Models",
				listFlag(&o.algos, "algo", "`NAMES` of algorithms, separated by commas"),
				choiceFlag(&o.baseline, "baseline", "another library to compare with, by `NAME`: golearn, whose tree is trained on fewer rows", "golearn"),
			),
			trainFlags(&o.train), learnFlags(&o.train.Input), memoryFlags(&o.train), c.flags()),
		Action: func(cc *cli.Context) error {
			o.train.Files, o.train.Stdin = cc.Args().Slice(), s.in
			r, err := runCompare(cc.Context, o, s, &c)
			if err != nil {
				return err
			}
			if c.json {
				return printJSON(s.out, comparison{r})
			}
			printCompare(s, r)
			return nil
		},
	}
}

func runCompare(ctx context.Context, o compareOptions, s *stdio, c *common) ([]pipeline.CompareResult, error) {
	for _, name := range o.algos {
		if err := checkAlgo("--algo", name); err != nil {
			return nil, err
		}
	}
	if err := prepareTrain(&o.train); err != nil {
		return nil, err
	}
	limitMemory(o.train.Memory)
	p := newProgress(s, c.quiet)
	defer p.close()
	noteBuiltin(p, o.train.Files)
	return pipeline.Compare(ctx, o.algos, o.baseline, o.train, p)
}

// printCompare prints the evaluation table: one row a model and one for the
// majority guess.
func printCompare(s *stdio, results []pipeline.CompareResult) {
	var t table
	t.add("", "train", "", "test", "", "", "", "")
	t.add("model", "accuracy", "F1", "accuracy", "F1", "AUC", "log loss", "seconds")
	four := func(v float64) string { return metrics.Text(v, 4) }
	for i := range results {
		r := &results[i]
		row := []string{r.Algo, four(r.Train.Accuracy), four(r.Train.F1), "", "", "", ""}
		if m := r.Test; m != nil {
			row = []string{r.Algo, four(r.Train.Accuracy), four(r.Train.F1), four(m.Accuracy), four(m.F1), four(m.AUC), four(m.LogLoss)}
		}
		t.add(append(row, metrics.Text(r.Seconds, 2))...)
	}
	if len(results) > 0 {
		train, m := &results[0].Train, results[0].Test
		row := []string{"majority guess", four(train.Majority.Accuracy), majorityF1(train), "", "", "", "", ""}
		if m != nil {
			row = []string{
				"majority guess", four(train.Majority.Accuracy), majorityF1(train),
				four(m.Majority.Accuracy), majorityF1(m), "0.5000", four(m.Majority.LogLoss), "",
			}
		}
		t.add(row...)
	}
	t.print(s.out)
	for i := range results {
		if w := results[i].Warning; w != "" {
			fmt.Fprintf(s.out, "\n%s\n", capital(w))
		}
	}
}
