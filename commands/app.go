package commands

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"
)

// allCommands gives every command, in the order of the help. They are made
// anew for each call: urfave/cli's flags remember what was set.
func allCommands(s *stdio) []*cli.Command {
	return []*cli.Command{
		trainCommand(s),
		evaluateCommand(s),
		compareCommand(s),
		replayCommand(s),
		scoreCommand(s),
		serveCommand(s),
		inspectCommand(s),
		explainCommand(s),
		exportCommand(s),
		importCommand(s),
		prepareCommand(s),
		synthCommand(s),
		topicsCommand(s),
		brokerCommand(s),
		demoCommand(s),
		watchCommand(s),
		healthCommand(s),
		versionCommand(s),
	}
}

func findCommand(all []*cli.Command, name string) *cli.Command {
	i := slices.IndexFunc(all, func(c *cli.Command) bool { return c.Name == name })
	if i < 0 {
		return nil
	}
	return all[i]
}

// dispatch finds what args ask for and does it.
func dispatch(ctx context.Context, args []string, s *stdio) error {
	all := allCommands(s)
	args = args[min(1, len(args)):]
	if n := len(args); n > 0 && args[n-1] == "--generate-bash-completion" {
		complete(s, all, args[:n-1])
		return nil
	}
	if len(args) == 0 {
		fmt.Fprint(s.out, mainHelp(all))
		return nil
	}
	switch name, rest := args[0], args[1:]; {
	case name == "help" || isHelp(name):
		return help(s, all, rest)
	case name == "--version" || name == "-v":
		return dispatchCommand(ctx, findCommand(all, "version"), all, rest, s)
	case strings.HasPrefix(name, "-"):
		return usagef("%s: want a command first", name).withHint("flags follow the command: ctr train --json")
	default:
		c := findCommand(all, name)
		if c == nil {
			return unknownCommand(all, name)
		}
		return dispatchCommand(ctx, c, all, rest, s)
	}
}

func unknownCommand(all []*cli.Command, name string) error {
	e := usagef("%s: no such command", name)
	if near := nearest(name, commandNames(all)); near != "" {
		return e.withHint("did you mean ctr %s?", near)
	}
	return e.withHint("ctr help lists the commands")
}

func commandNames(all []*cli.Command) []string {
	var names []string
	for _, c := range all {
		names = append(names, c.Name)
	}
	return append(names, "help")
}

// dispatchCommand runs one command. urfave/cli is given the names of files
// alone: the flags were taken out by splitArgs, and are set, together with
// those of the environment and the config file, before the command's action.
func dispatchCommand(ctx context.Context, c *cli.Command, all []*cli.Command, args []string, s *stdio) error {
	flagsEnd := len(args)
	if i := slices.Index(args, "--"); i >= 0 {
		flagsEnd = i
	}
	if slices.ContainsFunc(args[:flagsEnd], isHelp) {
		fmt.Fprint(s.out, commandHelp(c))
		return nil
	}
	given, names, err := splitArgs(c.Name, c.Flags, args)
	if err != nil {
		return err
	}
	if !c.Args && len(names) > 0 {
		return usagef("%s: ctr %s takes flags only", names[0], c.Name).withHint("ctr help %s", c.Name)
	}
	c.Before = func(cc *cli.Context) error { return resolve(cc, c, all, given, s.getenv) }
	c.HideHelp = true
	asIs := func(_ *cli.Context, err error, _ bool) error { return usagef("%v", err) }
	c.OnUsageError = asIs
	app := &cli.App{
		Name: "ctr", Commands: []*cli.Command{c},
		HideHelp: true, HideVersion: true,
		Writer: s.out, ErrWriter: s.err,
		Metadata:       map[string]any{"given": given},
		OnUsageError:   asIs,
		ExitErrHandler: func(*cli.Context, error) {}, // the library's would exit
	}
	return app.RunContext(ctx, append([]string{"ctr", c.Name, "--"}, names...))
}

// onCommandLine reports whether a flag was given there, and not only in the
// environment or the config file, which other commands share.
func onCommandLine(c *cli.Context, name string) bool {
	given, _ := c.App.Metadata["given"].([]setting)
	return slices.ContainsFunc(given, func(g setting) bool { return g.name == name })
}

func isHelp(arg string) bool { return arg == "--help" || arg == "-help" || arg == "-h" }

// help shows the help of a command or a topic.
func help(s *stdio, all []*cli.Command, args []string) error {
	args = slices.DeleteFunc(slices.Clone(args), isHelp)
	if len(args) == 0 || args[0] == "help" {
		fmt.Fprint(s.out, mainHelp(all))
		return nil
	}
	switch args[0] {
	case "config":
		fmt.Fprint(s.out, configHelp)
		return nil
	case "schema":
		fmt.Fprint(s.out, schemaHelp)
		return nil
	}
	c := findCommand(all, args[0])
	if c == nil {
		return unknownCommand(all, args[0])
	}
	fmt.Fprint(s.out, commandHelp(c))
	return nil
}

// complete prints the words that the last one of words may become, one a
// line. A command is never run: with the stock completion script of
// urfave/cli, "ctr train --<TAB>" would.
func complete(s *stdio, all []*cli.Command, words []string) {
	last := ""
	if len(words) > 0 {
		last = words[len(words)-1]
	}
	candidates := commandNames(all)
	if len(words) > 0 {
		if c := findCommand(all, words[0]); c != nil {
			candidates = nil
			for _, name := range flagNames(c.Flags) {
				candidates = append(candidates, "--"+name)
			}
			if !strings.HasPrefix(last, "-") {
				last = ""
			}
		}
	}
	for _, word := range candidates {
		if strings.HasPrefix(word, last) {
			fmt.Fprintln(s.out, word)
		}
	}
}
