package commands

import (
	"strings"

	"github.com/urfave/cli/v2"
)

// setting is one value for one flag and where it was given.
type setting struct {
	name  string
	text  string
	place string // how a message names the flag: "--rows", "CTR_ROWS", "ctr.yaml:3: rows"
}

// splitArgs parts a command's arguments into flags with their values and the
// rest, in any order; everything after "--" is of the rest. It is done here
// because urfave/cli ignores, in silence, a flag that follows a file name.
func splitArgs(command string, flags []cli.Flag, args []string) (given []setting, names []string, err error) {
	for i := 0; i < len(args); i++ {
		arg := args[i]
		if arg == "--" {
			return given, append(names, args[i+1:]...), nil
		}
		if len(arg) < 2 || arg[0] != '-' {
			names = append(names, arg)
			continue
		}
		name, text, joined := strings.Cut(strings.TrimPrefix(arg[1:], "-"), "=")
		f := findFlag(flags, name)
		switch {
		case f == nil:
			return nil, nil, unknownFlag(command, flags, arg, name)
		case joined:
		case isBool(f):
			text = "true"
		case i+1 == len(args):
			return nil, nil, usagef("--%s: want a value", name).withHint("ctr help %s", command)
		default:
			i++
			text = args[i]
		}
		given = append(given, setting{name, text, "--" + name})
	}
	return given, names, nil
}

func unknownFlag(command string, flags []cli.Flag, arg, name string) error {
	arg, _, _ = strings.Cut(arg, "=")
	if hint := secretKeys[name]; hint != "" {
		return usagef("%s: a secret: no flag has it, since everybody on the machine sees a command line", arg).withHint("%s", hint)
	}
	e := usagef("%s: no such flag of ctr %s", arg, command)
	if near := nearest(name, flagNames(flags)); near != "" {
		return e.withHint("did you mean --%s?", near)
	}
	return e.withHint("ctr help %s lists the flags", command)
}

func flagNames(flags []cli.Flag) []string {
	names := make([]string, len(flags))
	for i, f := range flags {
		names[i] = flagName(f)
	}
	return names
}

// nearest gives the known word most like word, or "" where none is near: at
// most two edits, or one for every three letters, or word is the beginning of
// one.
func nearest(word string, known []string) string {
	word = strings.ToLower(word)
	best, found := min(max(2, len(word)/3), len(word)-1)+1, ""
	for _, k := range known {
		d := editDistance(word, k)
		if len(word) > 2 && strings.HasPrefix(k, word) {
			d = 1
		}
		if d < best {
			best, found = d, k
		}
	}
	return found
}

// editDistance is the number of insertions, deletions, substitutions and
// swaps of neighbours that lead from a to b (Damerau 1964, restricted).
func editDistance(a, b string) int {
	d := make([][]int, len(a)+1)
	for i := range d {
		d[i] = make([]int, len(b)+1)
		d[i][0] = i
	}
	for j := range d[0] {
		d[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			d[i][j] = min(d[i-1][j]+1, d[i][j-1]+1, d[i-1][j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				d[i][j] = min(d[i][j], d[i-2][j-2]+1)
			}
		}
	}
	return d[len(a)][len(b)]
}
