package commands

import (
	"context"
	"fmt"
	"math"
	"strconv"

	"github.com/urfave/cli/v2"

	"ctr/models"
	"ctr/pipeline"
)

func explainCommand(s *stdio) *cli.Command {
	var c common
	var o pipeline.ExplainOptions
	var top int
	return &cli.Command{
		Name: "explain", Usage: "says why a row got its probability",
		ArgsUsage: "DATA…", Args: true,
		UsageText: `ctr explain rows.csv
			ctr explain rows.csv --rows 5 --top 3
			ctr explain rows.csv --id 10250924068252284938
			ctr explain rows.csv --global
			head -2 rows.csv | ctr explain -`,
		Description: "Each column's contribution is what it adds to the baseline, that of a row of which nothing is known; together they are the row's log-odds (lr, gbdt, gbdt-lr, fm, ffm) or its probability (dt, rf). Of linear models it is the column's term, of trees its SHAP value (Lundberg et al. 2018), of factorisation machines its own weight and half of its product with each other column.",
		Flags: flags(
			group("Explain",
				modelFlag(&o.Model),
				wholeFlag(&o.Rows, 1, "rows", "explain the first `N` rows (default 1)"),
				stringFlag(&o.ID, "id", "explain the row of this `ID`"),
				boolFlag(&o.Global, "global", "the mean size of each column's contribution over all rows"),
				wholeFlag(&top, 1, "top", "show the `N` largest contributions; all by default"),
				listFlag(&o.Hide, "redact", "`COLUMNS` whose values are not shown; all of them by all"),
			),
			rowFlags(&o.Input), c.flags()),
		Action: func(cc *cli.Context) error {
			o.Files, o.Stdin = cc.Args().Slice(), s.in
			if len(o.Files) == 0 {
				return usagef("explain: want rows to explain").withHint("ctr explain rows.csv")
			}
			if o.Global && (o.ID != "" || onCommandLine(cc, "rows")) {
				return usagef("--global: it is of all rows: want it without --id and --rows")
			}
			r, err := runExplain(cc.Context, o, s, &c)
			if err != nil {
				return err
			}
			for i := range r.Rows {
				r.Rows[i].Contributions = first(r.Rows[i].Contributions, top)
			}
			r.Mean = first(r.Mean, top)
			if c.json {
				return printJSON(s.out, r)
			}
			printExplain(s, r)
			return nil
		},
	}
}

// first gives the first n of a list, all where n is 0.
func first[T any](list []T, n int) []T {
	if n > 0 && n < len(list) {
		return list[:n]
	}
	return list
}

func runExplain(ctx context.Context, o pipeline.ExplainOptions, s *stdio, c *common) (*pipeline.ExplainResult, error) {
	p := newProgress(s, c.quiet)
	defer p.close()
	return pipeline.Explain(ctx, o, p)
}

func printExplain(s *stdio, r *pipeline.ExplainResult) {
	odds := r.Scale == models.LogOdds
	if r.Mean != nil {
		fmt.Fprintf(s.out, "%s (%s), %s rows: mean size of contributions, in %s\n\n", r.Model, r.Algo, thousands(r.Count), r.Scale)
		t := table{left: map[int]bool{0: true}}
		t.add("column", "mean")
		for _, m := range r.Mean {
			t.add(m.Field, fmt.Sprintf("%.4f", m.Contribution))
		}
		t.print(s.out)
		return
	}
	for i, row := range r.Rows {
		if i > 0 {
			fmt.Fprintln(s.out)
		}
		label := ""
		if row.Y != nil {
			label = ", label " + strconv.Itoa(*row.Y)
		}
		fmt.Fprintf(s.out, "%s: probability %.6g, prediction %d%s\n\n", row.ID, row.Probability, row.Prediction, label)
		t := table{left: map[int]bool{0: true, 1: true}}
		head := []string{"column", "value", string(r.Scale)}
		base := []string{"baseline", "", fmt.Sprintf("%+.4f", r.Baseline)}
		if odds {
			head, base = append(head, "odds"), append(base, "× "+fmt.Sprintf("%.3g", math.Exp(r.Baseline)))
		}
		t.add(head...)
		t.add(base...)
		for _, c := range row.Contributions {
			cells := []string{c.Field, c.Value, fmt.Sprintf("%+.4f", c.Contribution)}
			if odds {
				cells = append(cells, "× "+fmt.Sprintf("%.3g", math.Exp(c.Contribution)))
			}
			t.add(cells...)
		}
		t.print(s.out)
	}
}
