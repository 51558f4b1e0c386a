package commands

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"ctr/features"
)

// value is the one flag.Value behind every flag that takes a value: set reads
// a text given on the command line, in the environment or in the config file;
// text gives the default for the help.
type value struct {
	set  func(string) error
	text func() string
}

// Set reads text.
func (v *value) Set(text string) error { return v.set(text) }

// String gives the present value, "" where there is none to show.
func (v *value) String() string {
	if v == nil || v.text == nil { // the flag package asks a zero value
		return ""
	}
	return v.text()
}

// flagOf makes a flag whose value parse reads into p. What p holds already is
// the default; show gives its text for the help.
func flagOf[T any](p *T, name, usage string, parse func(string) (T, error), show func(T) string) cli.Flag {
	return &cli.GenericFlag{Name: name, Usage: usage, Value: &value{
		set: func(text string) error {
			x, err := parse(text)
			if err == nil {
				*p = x
			}
			return err
		},
		text: func() string { return show(*p) },
	}}
}

func stringFlag(p *string, name, usage string) cli.Flag {
	return flagOf(p, name, usage,
		func(s string) (string, error) { return s, nil },
		func(s string) string { return s })
}

// choiceFlag takes one of a closed set of words.
func choiceFlag(p *string, name, usage string, choices ...string) cli.Flag {
	return flagOf(p, name, usage, func(s string) (string, error) {
		if !slices.Contains(choices, s) {
			return "", fmt.Errorf("want %s", orList(choices))
		}
		return s, nil
	}, func(s string) string { return s })
}

func boolFlag(p *bool, name, usage string) cli.Flag {
	return &cli.BoolFlag{Name: name, Usage: usage, Destination: p, Value: *p}
}

type integer interface{ ~int | ~int64 | ~uint64 }

// wholeFlag takes a whole number of at least least.
func wholeFlag[T integer](p *T, least T, name, usage string) cli.Flag {
	return flagOf(p, name, usage, func(s string) (T, error) {
		n, err := strconv.ParseInt(strings.ReplaceAll(s, "_", ""), 10, 64)
		if err != nil || n < int64(least) || int64(T(n)) != n {
			return 0, fmt.Errorf("want a whole number from %d", least)
		}
		return T(n), nil
	}, func(n T) string {
		if n == 0 {
			return ""
		}
		return strconv.FormatInt(int64(n), 10)
	})
}

// rangeFlag takes a whole number from low to high, or 0 for the default.
func rangeFlag(p *int, low, high int, name, usage string) cli.Flag {
	return flagOf(p, name, usage, func(s string) (int, error) {
		n, err := strconv.Atoi(s)
		if err != nil || n != 0 && (n < low || n > high) {
			return 0, fmt.Errorf("want a whole number from %d to %d", low, high)
		}
		return n, nil
	}, func(int) string { return "" })
}

// shareFlag takes a number above 0 and at most 1, and knows whether it was
// given.
func shareFlag(p **float64, name, usage string) cli.Flag {
	return flagOf(p, name, usage, func(s string) (*float64, error) {
		x, err := parseFloat(s)
		if err != nil || x <= 0 || x > 1 {
			return nil, errors.New("want a number above 0 and at most 1")
		}
		return &x, nil
	}, func(*float64) string { return "" })
}

// parseFloat reads a finite number.
func parseFloat(s string) (float64, error) {
	x, err := strconv.ParseFloat(s, 64)
	if err != nil || x-x != 0 {
		return 0, errors.New("want a number")
	}
	return x, nil
}

// floatFlag takes a number from low to high.
func floatFlag(p *float64, low, high float64, name, usage string) cli.Flag {
	return flagOf(p, name, usage, parseRange(low, high), func(x float64) string {
		if x == 0 {
			return ""
		}
		return strconv.FormatFloat(x, 'g', -1, 64)
	})
}

func parseRange(low, high float64) func(string) (float64, error) {
	return func(s string) (float64, error) {
		x, err := parseFloat(s)
		switch {
		case err == nil && low <= x && x <= high:
			return x, nil
		case high < 1e300:
			return 0, fmt.Errorf("want a number from %v to %v", low, high)
		}
		return 0, fmt.Errorf("want a number from %v", low)
	}
}

// optionalFloatFlag is a floatFlag that knows whether it was given.
func optionalFloatFlag(p **float64, low, high float64, name, usage string) cli.Flag {
	parse := parseRange(low, high)
	return flagOf(p, name, usage, func(s string) (*float64, error) {
		x, err := parse(s)
		return &x, err
	}, func(*float64) string { return "" })
}

// optionalWholeFlag takes a whole number from 0 and knows whether it was given.
func optionalWholeFlag(p **int64, name, usage string) cli.Flag {
	return flagOf(p, name, usage, func(s string) (*int64, error) {
		n, err := strconv.ParseInt(s, 10, 64)
		if err != nil || n < 0 {
			return nil, errors.New("want a whole number from 0")
		}
		return &n, nil
	}, func(*int64) string { return "" })
}

// optionalBoolFlag takes true or false and knows whether it was given.
func optionalBoolFlag(p **bool, name, usage string) cli.Flag {
	return flagOf(p, name, usage, func(s string) (*bool, error) {
		b, err := strconv.ParseBool(s)
		if err != nil {
			return nil, errors.New("want true or false")
		}
		return &b, nil
	}, func(*bool) string { return "" })
}

func durationFlag(p *time.Duration, name, usage string) cli.Flag {
	return flagOf(p, name, usage, func(s string) (time.Duration, error) {
		d, err := time.ParseDuration(s)
		if err != nil || d < 0 {
			return 0, errors.New("want a time such as 500ms, 5s or 2m")
		}
		return d, nil
	}, func(d time.Duration) string {
		if d == 0 {
			return "" // "default 0s" says nothing: the usage says what none means
		}
		return d.String()
	})
}

// listFlag takes names separated by commas and may be repeated. The first use
// replaces the default.
func listFlag(p *[]string, name, usage string) cli.Flag {
	fresh := true
	return flagOf(p, name, usage, func(s string) ([]string, error) {
		names, err := splitList(s)
		if err != nil {
			return nil, err
		}
		if fresh {
			*p, fresh = nil, false
		}
		return append(*p, names...), nil
	}, func(l []string) string { return strings.Join(l, ",") })
}

// crossFlag takes two or more columns separated by commas, several such
// crosses separated by spaces; each use adds to those before.
func crossFlag(p *[][]string, name, usage string) cli.Flag {
	return flagOf(p, name, usage, func(s string) ([][]string, error) {
		var crosses [][]string
		for _, word := range strings.Fields(s) {
			names, err := splitList(word)
			if err != nil || len(names) < 2 {
				return nil, errors.New("want two or more columns, such as site_id,app_id")
			}
			crosses = append(crosses, names)
		}
		return append(*p, crosses...), nil
	}, func([][]string) string { return "" })
}

// pairsFlag is a crossFlag of lists to be paired, each two or more columns or
// the word all.
func pairsFlag(p *[][]string, name, usage string) cli.Flag {
	return flagOf(p, name, usage, func(s string) ([][]string, error) {
		var lists [][]string
		for _, word := range strings.Fields(s) {
			names, err := splitList(word)
			if err != nil || len(names) < 2 && names[0] != features.AllColumns {
				return nil, errors.New("want two or more columns, such as site_id,app_id,C14, or all")
			}
			lists = append(lists, names)
		}
		return append(*p, lists...), nil
	}, func([][]string) string { return "" })
}

func splitList(s string) ([]string, error) {
	names := strings.Split(s, ",")
	for i, n := range names {
		if names[i] = strings.TrimSpace(n); names[i] == "" {
			return nil, errors.New("want names separated by commas")
		}
	}
	return names, nil
}

// orList gives "a, b or c".
func orList(words []string) string {
	n := len(words)
	if n < 2 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:n-1], ", ") + " or " + words[n-1]
}

// group gives flags the heading that the help lists them under.
func group(heading string, flags ...cli.Flag) []cli.Flag {
	for _, f := range flags {
		switch f := f.(type) {
		case *cli.GenericFlag:
			f.Category = heading
		case *cli.BoolFlag:
			f.Category = heading
		}
	}
	return flags
}

// flagName gives the name of a flag; ours have just one.
func flagName(f cli.Flag) string { return f.Names()[0] }

// isBool reports whether a flag stands alone, without a value.
func isBool(f cli.Flag) bool {
	_, ok := f.(*cli.BoolFlag)
	return ok
}

func findFlag(flags []cli.Flag, name string) cli.Flag {
	for _, f := range flags {
		if flagName(f) == name {
			return f
		}
	}
	return nil
}

// common are the flags of every command.
type common struct {
	config string
	quiet  bool
	json   bool
}

func (o *common) flags() []cli.Flag { return o.quietFlags("no progress and no notes") }

// quietFlags are the same, where --quiet means something else.
func (o *common) quietFlags(quiet string) []cli.Flag {
	return group("Common",
		boolFlag(&o.json, "json", "print the result as one JSON document"),
		boolFlag(&o.quiet, "quiet", quiet),
		stringFlag(&o.config, "config", "read flags from a YAML `FILE`; see ctr help config"),
	)
}
