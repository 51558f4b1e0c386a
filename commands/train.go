package commands

import (
	"context"
	"fmt"
	"os"
	"slices"

	"github.com/urfave/cli/v2"

	"ctr/features"
	"ctr/models"
	"ctr/pipeline"
	"ctr/pipeline/sparkjob"
)

// trainFlags are the flags of training that train and compare share.
func trainFlags(o *pipeline.TrainOptions) []cli.Flag {
	o.TestFraction = 0.3
	m := &o.Model
	return flags(
		group("Held-out rows",
			choiceFlag(&o.Split, "split", "`HOW` to hold rows out: time (the last hours; the default where there is a time column), random or none", "time", "random", "none"),
			floatFlag(&o.TestFraction, 0, 1, "test-fraction", "`SHARE` of the rows that is held out"),
		),
		group("Features",
			choiceFlag(&o.Preset, "preset", "columns and settings by `NAME`: replaced-lr or replaced-dt, those of the PySpark system that ctr replaces", "replaced-lr", "replaced-dt"),
			listFlag(&o.Include, "include", "use only these `COLUMNS` (hour_time, day, dayofweek and month are parts of the time)"),
			listFlag(&o.Exclude, "exclude", "leave these `COLUMNS` out"),
			crossFlag(&o.Crosses, "cross", "add the combination of `COLUMNS`, such as site_id,app_id; repeatable"),
			pairsFlag(&o.CrossPairs, "cross-pairs", "cross all pairs of these `COLUMNS`, or of all in use: site_id,app_id,C14 or all; repeatable"),
			wholeFlag(&o.AutoCross, 1, "auto-cross", "find and cross the `K` pairs of columns, or fewer, that help most"),
			wholeFlag(&o.MinCount, 0, "min-count", "a value needs `N` training rows to count as known (default 1)"),
			rangeFlag(&o.Bits, 1, features.MaxBits, "bits", "hash values into 2^`N` codes instead of keeping dictionaries (ftrl always does; default 22)"),
			listFlag(&o.Redact, "redact", "keep the values of these `COLUMNS` out of the model, and out of what is said of rows, now and whenever the model is used: they, and crosses with them, are hashed, into 2^20 codes or 2^N of --bits; numbers too, as categories"),
			rangeFlag(&o.Bins, 2, features.MaxBins, "bins", "`N` bins for a column of numbers (by default one for 500 rows, 16 to 64)"),
			listFlag(&o.History, "history", "add how often and when rows with the same `KEYS` came before: columns, joined by + where it takes several, such as device_id,device_ip+device_model; or auto"),
			rangeFlag(&o.HistoryBits, features.MinHistoryBits, features.MaxHistoryBits, "history-bits", "remember 2^`N` keys of history; 20 by default"),
			boolFlag(&o.NumbersAsValues, "numbers-as-values", "lr weighs numbers themselves, not their bins"),
			stringFlag(&o.Weight, "weight", "the `COLUMN` of row weights"),
		),
		group("Threshold",
			thresholdFlag(&o.Threshold, "`X` or auto, the default: the best F1 on the training rows, or the least cost where costs are given"),
			floatFlag(&o.CostFP, 0, 1e308, "cost-fp", "`COST` of predicting a click that does not come"),
			floatFlag(&o.CostFN, 0, 1e308, "cost-fn", "`COST` of missing a click"),
		),
		group("Logistic regression (lr)",
			optionalFloatFlag(&m.L2, 0, 1e308, "l2", "`WEIGHT` of ½‖w‖² beside the sum of losses, 1/C of scikit-learn (default 10; gbdt-lr 30; ftrl 1); of leaves (gbdt, default 5); of a row's weights (fm 2e-4, ffm 5e-5)"),
			optionalFloatFlag(&m.L1, 0, 1e308, "l1", "`WEIGHT` of ‖w‖₁ beside the sum of losses (default 0)"),
			boolFlag(&m.MeanLoss, "mean-loss", "l1 and l2 stand beside the mean of losses instead"),
			boolFlag(&m.Standardize, "standardize", "penalise weights in units of each column's standard deviation, as Spark does"),
			choiceFlag(&m.Solver, "solver", "`NAME` of the way to the minimum: newton or lbfgs, the faster by default, or ftrl, which learns online while it reads", "newton", "lbfgs", "ftrl"),
			wholeFlag(&m.MaxIter, 0, "max-iter", "at most `N` iterations (default 200)"),
			floatFlag(&m.Tol, 0, 1, "tol", "stop where the relative change is below `X` (default 1e-6; of few rows 1e-12)"),
		),
		group("Online (lr --solver ftrl)",
			optionalFloatFlag(&m.Alpha, 1e-9, 1e15, "alpha", "the step `SIZE` of a weight (default 0.1)"),
			optionalFloatFlag(&m.Beta, 1e-9, 1e15, "beta", "`X` that the step is slowed down by from the start (default 0.3)"),
			shareFlag(&o.KeepNegatives, "keep-negatives", "learn from this `SHARE` of the rows without a click; probabilities are corrected"),
			wholeFlag(&o.Window, 0, "window", "print the progressive log loss about every `N` rows; by default at 1,000, 2,000, 4,000 …"),
			stringFlag(&o.WarmStart, "warm-start", "go on from the `MODEL` that was learned online before"),
		),
		group("Trees (dt, rf, gbdt)",
			wholeFlag(&m.Trees, 0, "trees", "`N` trees of a forest or of boosting (default 100; gbdt-lr: 30 for each third of the rows)"),
			wholeFlag(&m.Depth, 0, "depth", "at most `N` levels of splits (dt, rf: 16 by default)"),
			wholeFlag(&m.Leaves, 0, "leaves", "at most `N` leaves a tree (gbdt: 63 by default, gbdt-lr: 31)"),
			wholeFlag(&m.MinLeaf, 0, "min-leaf", "at least `N` training rows a leaf (default 20)"),
			shareFlag(&m.RowShare, "row-share", "`SHARE` of the rows that a tree of rf or gbdt sees (default 1)"),
			shareFlag(&m.ColShare, "column-share", "`SHARE` of the columns that a split (rf, default 0.2) or a tree (gbdt, default 1) looks at"),
			optionalBoolFlag(&m.Bootstrap, "bootstrap", "`BOOL`: draw a tree's rows with replacement, true (the default where --row-share is 1) or false (rf)"),
			optionalFloatFlag(&m.CatSmooth, 0, 1e308, "cat-smooth", "a category's gradient is smoothed by `N` average rows (gbdt; default 10)"),
		),
		group("Boosting and factorisation machines (gbdt, fm, ffm)",
			optionalFloatFlag(&m.LearnRate, 0, 1e308, "learning-rate", "`X`: the share of a tree that is added (gbdt, default 0.1), AdaGrad's step (fm 0.2, ffm 0.3)"),
			optionalWholeFlag(&m.EarlyStop, "early-stop", "stop after `N` trees or passes without a gain on the last rows by time; 0 = never (gbdt 0 by default; fm, ffm 2)"),
			shareFlag(&m.ValidShare, "valid-share", "`SHARE` of the training rows, the last by time, that early stopping looks at (gbdt 0.1 by default; fm, ffm 0.2)"),
			wholeFlag(&m.Factors, 0, "factors", "vectors of `K` numbers (fm, ffm; default 4)"),
			rangeFlag(&m.SlotBits, 1, features.MaxBits, "slot-bits", "at most 2^`N` slots in a field's table (fm, ffm; default 18)"),
			wholeFlag(&m.Passes, 0, "passes", "go through the rows `N` times at most (ftrl 1 by default; fm, ffm 20, or 5 without early stopping)"),
			boolFlag(&m.LockFree, "lock-free", "threads share weights unguarded (ftrl, fm, ffm): faster, and never the same model twice"),
		),
	)
}

// prepareTrain checks what flags alone cannot and hands the seed and the
// threads down to the algorithm.
func prepareTrain(o *pipeline.TrainOptions) error {
	if o.ScratchDir != "" {
		if info, err := os.Stat(o.ScratchDir); err != nil || !info.IsDir() {
			return usagef("--scratch %q: want a folder", o.ScratchDir)
		}
	}
	if o.Split == "none" || o.TestFraction > 0 && o.TestFraction < 1 {
		o.Model.Seed, o.Model.Threads = o.Seed, o.Threads
		return nil
	}
	return usagef("--test-fraction %v: want a number between 0 and 1", o.TestFraction).
		withHint("--split none trains on all rows")
}

func checkAlgo(flag, name string) error {
	names := models.Names()
	if slices.Contains(names, name) {
		return nil
	}
	e := usagef("%s %q: want %s", flag, name, orList(names))
	if near := nearest(name, names); near != "" {
		return e.withHint("did you mean %s?", near)
	}
	return e
}

func trainCommand(s *stdio) *cli.Command {
	var c common
	o := pipeline.TrainOptions{Out: "model.ctr"}
	var spark sparkjob.Launch
	engine := engineOwn
	return &cli.Command{
		Name: "train", Usage: "fits a model, writes model.ctr, prints how good it is",
		ArgsUsage: "[DATA…]", Args: true,
		UsageText: `ctr train train.csv --algo lr
			ctr train --algo rf --trees 200 part-*.csv.gz
			ctr train train.csv --cross site_id,app_id --out pairs.ctr
			ctr train train.csv --solver ftrl --lock-free   (one pass, while reading)
			ctr train friday.csv --solver ftrl --warm-start thursday.ctr
			ctr train train.csv --algo ffm --history auto --cache
			ctr train hdfs://nn/logs --engine spark --master spark://nn:7077
			zcat logs.csv.gz | ctr train - --json
			ctr train                      (on built-in synthetic rows)`,
		Description: "DATA is CSV or TSV, with or without a header, plain, .gz or .zst, or Parquet, Arrow or Feather; several files, globs, or - for standard input. Without DATA, ctr trains on built-in synthetic rows.\n\nThe last 30 % of the hours are held out, and the model is judged on them. The model file records which rows these are, so that ctr evaluate alone judges the same. The same data, flags and seed give the same file, byte for byte. An existing model is replaced once the new one is complete.",
		Flags: flags(
			group("Model",
				stringFlag(&o.Algo, "algo", "`NAME` of the algorithm: lr (logistic regression, the default), dt (decision tree), rf (random forest), gbdt (gradient boosted trees), gbdt-lr (lr on the leaves of such trees), fm or ffm (factorisation machines, plain and field-aware)"),
				stringFlag(&o.Out, "out", "the model `FILE` to write"),
				choiceFlag(&engine, "engine", "`NAME` of what fits the model: ctr, or spark for data that outgrows one machine (lr, dt, rf)", engineOwn, engineSpark),
			),
			trainFlags(&o), learnFlags(&o.Input), memoryFlags(&o), sparkFlags(&spark), c.flags()),
		Action: func(cc *cli.Context) error {
			o.Files, o.Stdin = cc.Args().Slice(), s.in
			r, err := runTrain(cc.Context, o, engine, spark, s, &c)
			if err != nil || !c.json {
				if err == nil {
					printTrain(s, &o, r)
				}
				return err
			}
			return printJSON(s.out, r)
		},
	}
}

func runTrain(ctx context.Context, o pipeline.TrainOptions, engine string, spark sparkjob.Launch, s *stdio, c *common) (*pipeline.TrainResult, error) {
	if o.Algo == "" && o.Preset == "" { // a preset has an algorithm of its own
		o.Algo = "lr"
	}
	if o.Algo != "" {
		if err := checkAlgo("--algo", o.Algo); err != nil {
			return nil, err
		}
	}
	if err := prepareTrain(&o); err != nil {
		return nil, err
	}
	if o.Out == "" {
		return nil, usagef("--out: want a file name")
	}
	limitMemory(o.Memory)
	p := newProgress(s, c.quiet)
	defer p.close()
	if engine == engineOwn {
		noteBuiltin(p, o.Files)
	}
	return fitBy(ctx, engine, spark, o, s, p)
}

// builtin says what rows there are where no DATA is given.
var builtin = fmt.Sprintf("built-in synthetic rows (%s)", thousands(pipeline.BuiltinRows))

// noteBuiltin says, first of all, that built-in rows are used, if so.
func noteBuiltin(p *progress, files []string) {
	if len(files) == 0 {
		p.Note("No DATA given: using " + builtin + ".")
	}
}

// trainedOn says how many rows the model learned from, and of how many.
func trainedOn(o *pipeline.TrainOptions, r *pipeline.TrainResult) string {
	n, what := thousands(r.Rows.Train), "rows"
	if len(o.Files) == 0 {
		what = "built-in synthetic rows"
	}
	if r.Rows.Test > 0 {
		n += " of " + thousands(r.Rows.Train+r.Rows.Test)
	}
	return n + " " + what
}

func printTrain(s *stdio, o *pipeline.TrainOptions, r *pipeline.TrainResult) {
	fmt.Fprintf(s.out, "%s, trained on %s in %s\n\n", algoTitle(r.Algo), trainedOn(o, r), seconds(r.Seconds))
	parts := []judged{{"train", r.Train}}
	if r.Progressive != nil {
		parts[0].heading = "progressive" // each row predicted before it was learned from
	}
	if r.Test != nil {
		parts = append(parts, judged{"test", *r.Test})
	}
	printMetrics(s.out, parts...)
	printEngine(s, r)
	fmt.Fprintf(s.out, "\n%s written; a row is predicted a click above %.4g.\n", r.ModelPath, r.Train.Threshold)
	if r.Rows.Bad > 0 {
		fmt.Fprintf(s.out, "%s passed over.\n", count(r.Rows.Bad, "bad row"))
	}
}

// algoTitle gives "Logistic regression (lr)".
func algoTitle(name string) string {
	a, err := models.Lookup(name)
	if err != nil || a.Title == "" {
		return name
	}
	return capital(a.Title) + " (" + name + ")"
}
