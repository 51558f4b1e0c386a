package commands

import (
	"errors"

	"github.com/urfave/cli/v2"

	"ctr/pipeline"
)

// textFlags are the flags about how text is read.
func textFlags(o *pipeline.Input) []cli.Flag {
	return group("Data",
		listFlag(&o.Columns, "columns", "`NAMES` of the columns of files without a header, separated by commas"),
		boolFlag(&o.NoHeader, "no-header", "the first row is data, whatever it looks like"),
		delimiterFlag(&o.Comma, "delimiter", "what separates columns, comma or tab, by `NAME`; found from the data by default"),
	)
}

// prepareFlags are the flags of a command that reads all rows as they are.
func prepareFlags(o *pipeline.Input) []cli.Flag {
	return append(textFlags(o), group("Data",
		schemaFlag(o),
		wholeFlag(&o.MaxBad, 0, "max-bad", "keep `N` rows that can't be split before giving up; 0 by default"),
		threadsFlag(&o.Threads),
	)...)
}

func schemaFlag(o *pipeline.Input) cli.Flag {
	return stringFlag(&o.Schema, "schema", "what the columns are: avazu, criteo or a YAML `FILE` (ctr help schema); found from the data by default")
}

// rowFlags are the flags about what rows to read.
func rowFlags(o *pipeline.Input) []cli.Flag {
	return append(textFlags(o), group("Data",
		stringFlag(&o.Since, "since", "only rows from this `HOUR` on: 14102100 or 2014-10-21 00:00:00, UTC"),
		stringFlag(&o.Until, "until", "only rows before this `HOUR`"),
		wholeFlag(&o.MaxBad, 0, "max-bad", "pass over `N` bad rows before giving up; 0 by default"),
		threadsFlag(&o.Threads),
	)...)
}

// learnFlags are the further flags of commands that learn from the rows. What
// they say is in the model file afterwards.
func learnFlags(o *pipeline.Input) []cli.Flag {
	return append(rowFlags(o), group("Data",
		schemaFlag(o),
		boolFlag(&o.Cache, "cache", "read each file from its cache, FILE.ctrd beside it, which is made where it is missing or out of date"),
		wholeFlag(&o.Rows, 0, "rows", "take a random sample of `N` rows"),
		wholeFlag(&o.Seed, 0, "seed", "`N` that all drawing of random numbers begins with; 0 by default"),
	)...)
}

func threadsFlag(p *int) cli.Flag {
	return wholeFlag(p, 0, "threads", "`N` threads; all cores by default; never changes a result")
}

// delimiterFlag takes a separator by name or as it is.
func delimiterFlag(p *byte, name, usage string) cli.Flag {
	return flagOf(p, name, usage, func(s string) (byte, error) {
		switch s {
		case "comma", ",":
			return ',', nil
		case "tab", "\t", `\t`:
			return '\t', nil
		}
		return 0, errors.New("want comma or tab")
	}, func(byte) string { return "" })
}

// thresholdFlag takes "auto" or a number from 0 to 1.
func thresholdFlag(p *string, usage string) cli.Flag {
	return flagOf(p, "threshold", usage, func(s string) (string, error) {
		if s == "auto" {
			return s, nil
		}
		if _, err := parseRange(0, 1)(s); err != nil {
			return "", errors.New("want auto or a number from 0 to 1")
		}
		return s, nil
	}, func(s string) string { return s })
}

// modelFlag takes the model's file.
func modelFlag(p *string) cli.Flag {
	*p = "model.ctr"
	return stringFlag(p, "model", "the model `FILE`")
}

// flags joins groups of flags.
func flags(groups ...[]cli.Flag) []cli.Flag {
	var all []cli.Flag
	for _, g := range groups {
		all = append(all, g...)
	}
	return all
}
