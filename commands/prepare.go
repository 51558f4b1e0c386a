package commands

import (
	"context"
	"fmt"

	"github.com/urfave/cli/v2"

	"ctr/pipeline"
)

func prepareCommand(s *stdio) *cli.Command {
	var c common
	var o pipeline.PrepareOptions
	return &cli.Command{
		Name: "prepare", Usage: "writes a cache of rows, to be read without parsing",
		ArgsUsage: "DATA…", Args: true,
		UsageText: `ctr prepare train.csv
			ctr prepare day-*.csv.gz --out days.ctrd
			ctr train days.ctrd --algo rf`,
		Description: "DATA is what ctr train reads. The cache holds all rows and columns; ctr train, compare, evaluate and score take it in the place of the files it was made of, and give the same results, byte for byte. Without --out it stands beside the data, as train.csv.ctrd, where ctr train --cache train.csv finds it.\n\nA cache takes about a third of plain text, and more than compressed text. A later version of ctr may want it made anew: keep the data.",
		Flags: flags(
			group("Cache",
				stringFlag(&o.Out, "out", "the `FILE` to write; an existing one is replaced once the new one is complete"),
			),
			prepareFlags(&o.Input), c.flags()),
		Action: func(cc *cli.Context) error {
			o.Files, o.Stdin = cc.Args().Slice(), s.in
			r, err := runPrepare(cc.Context, o, s, &c)
			if err != nil {
				return err
			}
			if c.json {
				return printJSON(s.out, r)
			}
			fmt.Fprintf(s.out, "%s written: %s rows in %s, %.1f bytes a row.\n",
				r.Cache, thousands(r.Rows), seconds(r.Seconds), float64(r.Bytes)/float64(r.Rows))
			return nil
		},
	}
}

func runPrepare(ctx context.Context, o pipeline.PrepareOptions, s *stdio, c *common) (*pipeline.PrepareResult, error) {
	if len(o.Files) == 0 {
		return nil, usagef("prepare: want files to read").withHint("ctr prepare train.csv")
	}
	p := newProgress(s, c.quiet)
	defer p.close()
	return pipeline.Prepare(ctx, o, p)
}
