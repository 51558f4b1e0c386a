package commands

import (
	"fmt"
	"strings"

	"github.com/urfave/cli/v2"
)

// helpWidth is the width that help is set in.
const helpWidth = 80

// mainHelp is what ctr alone shows.
func mainHelp(all []*cli.Command) string {
	var b strings.Builder
	b.WriteString(`ctr predicts clicks: it trains on ad-impression logs, judges what it trained,
and scores rows live from a Kafka topic.

EXAMPLES
  ctr demo                                   everything at once, in a minute
  ctr train train.csv --algo lr              writes model.ctr
  ctr evaluate                               on the rows that training held out
  ctr broker                                 a small broker, for trying things
  ctr replay train.csv --rate 1000           sends rows to the topic cte_queue
  ctr score --topic cte_queue                scores them as they come

COMMANDS
`)
	for _, c := range all {
		fmt.Fprintf(&b, "  %-10s %s\n", c.Name, c.Usage)
	}
	b.WriteString(`
ctr help COMMAND shows a command's examples and flags; ctr help config, how to
give flags in the environment or a file; ctr help schema, how to describe rows
that are neither Avazu's nor Criteo's.

Results go to standard output, all else to standard error. Exit codes: 0 done,
1 failed, 2 wrong usage, 3 more bad rows than --max-bad, 130 interrupted.
`)
	return b.String()
}

// commandHelp is the help of one command: examples, usage, flags by heading.
func commandHelp(c *cli.Command) string {
	var b strings.Builder
	fmt.Fprintf(&b, "ctr %s: %s\n\nEXAMPLES\n", c.Name, c.Usage)
	for _, line := range strings.Split(strings.TrimSpace(c.UsageText), "\n") {
		fmt.Fprintf(&b, "  %s\n", strings.TrimSpace(line))
	}
	usage := "ctr " + c.Name
	if c.ArgsUsage != "" {
		usage += " " + c.ArgsUsage
	}
	fmt.Fprintf(&b, "\nUSAGE\n  %s [flags]\n", usage)
	for _, paragraph := range strings.Split(strings.TrimSpace(c.Description), "\n\n") {
		if paragraph != "" {
			b.WriteString("\n")
			wrap(&b, paragraph, 0, 0)
		}
	}
	heading := ""
	for _, f := range c.Flags {
		h := f.(cli.CategorizableFlag).GetCategory()
		if h != heading {
			fmt.Fprintf(&b, "\n%s\n", headline(h))
			heading = h
		}
		flagHelp(&b, f)
	}
	fmt.Fprintf(&b, "\nEvery flag is also an environment variable (--threads: CTR_THREADS) and a key\nof --config FILE: ctr help config.\n")
	return b.String()
}

// headline gives a heading in capitals, but for names in brackets, which stay
// as they are typed: "TREES (dt, rf)".
func headline(heading string) string {
	title, names, ok := strings.Cut(heading, " (")
	if !ok {
		return strings.ToUpper(title)
	}
	return strings.ToUpper(title) + " (" + names
}

// flagHelp writes one flag: its name and the kind of value it takes, what it
// is for, its default.
func flagHelp(b *strings.Builder, f cli.Flag) {
	const column = 26
	doc := f.(cli.DocGenerationFlag)
	usage, placeholder := doc.GetUsage(), ""
	if before, rest, ok := strings.Cut(usage, "`"); ok {
		name, after, _ := strings.Cut(rest, "`")
		usage, placeholder = before+name+after, " "+name
	} else if !isBool(f) {
		placeholder = " VALUE"
	}
	if d := doc.GetDefaultText(); d != "" && !isBool(f) {
		usage += " (default " + d + ")"
	}
	left := "  --" + flagName(f) + placeholder
	b.WriteString(left)
	if len(left) > column-2 {
		b.WriteString("\n")
		left = ""
	}
	wrap(b, usage, column-len(left), column)
}

// wrap writes text in lines of at most helpWidth: the first is preceded by
// first spaces, the others by indent. The first line begins at indent too, so
// that is what it is measured by.
func wrap(b *strings.Builder, text string, first, indent int) {
	b.WriteString(strings.Repeat(" ", first))
	width := indent
	for i, word := range strings.Fields(text) {
		n := len([]rune(word))
		switch {
		case i == 0:
		case width+1+n > helpWidth:
			b.WriteString("\n" + strings.Repeat(" ", indent))
			width = indent
		default:
			b.WriteString(" ")
			width++
		}
		b.WriteString(word)
		width += n
	}
	b.WriteString("\n")
}
