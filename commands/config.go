package commands

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"
	"gopkg.in/yaml.v3"

	"ctr/features"
)

// configHelp is what "ctr help config" shows.
const configHelp = `Settings

Every flag can be given in three places; the first that has it wins:

  1. on the command line:        ctr replay rows.csv --rate 500
  2. in the environment:         CTR_RATE=500 ctr replay rows.csv
  3. in a YAML file:             ctr replay rows.csv --config ctr.yaml

The variable of a flag is CTR_ and its name in capitals with _ for -: that of
--until-end is CTR_UNTIL_END. An empty variable counts as not set. CTR_CONFIG
names the file. In the environment, several --cross are separated by spaces.

The keys of the file are names of flags. At the top level they hold for every
command that has such a flag; under the name of a command, for it alone:

  brokers: kafka1:9092,kafka2:9092
  threads: 4
  train:
    algo: rf
    trees: 200
    cross: ["site_id,app_id", "C15,C16"]

A key that is no flag is an error. Secrets are never flags: CTR_SASL_PASSWORD
has the password of --sasl-user (or --sasl-password-file names a file with it),
CTR_OAUTH_CLIENT_SECRET the secret of --oauth-client-id.
`

// envName gives the environment variable of a flag.
func envName(flag string) string {
	return "CTR_" + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// resolve gives each flag of command what was given for it: on the command
// line, else in the environment, else in the config file.
func resolve(c *cli.Context, command *cli.Command, all []*cli.Command, given []setting, getenv func(string) string) error {
	path := getenv(envName("config"))
	for _, g := range given {
		if g.name == "config" {
			path = g.text
		}
	}
	file, err := readConfig(path, command, all)
	if err != nil {
		return err
	}
	for _, f := range command.Flags {
		for _, g := range source(flagName(f), given, file, getenv) {
			if err := c.Set(g.name, g.text); err != nil {
				if isBool(f) { // the flag package says "parse error"
					err = errors.New("want true or false")
				}
				return usagef("%s %q: %v", g.place, g.text, err)
			}
		}
	}
	return nil
}

// source gives what was given for a flag in the first place that has it.
func source(flag string, given, file []setting, getenv func(string) string) []setting {
	of := func(all []setting) []setting {
		return slices.DeleteFunc(slices.Clone(all), func(g setting) bool { return g.name != flag })
	}
	if g := of(given); len(g) > 0 {
		return g
	}
	if text := getenv(envName(flag)); text != "" {
		return []setting{{flag, text, envName(flag)}}
	}
	return of(file)
}

// readConfig gives the settings that the YAML file at path has for command,
// in the order of the file: those of the command's own section in place of
// those of the top level. An empty path gives none.
func readConfig(path string, command *cli.Command, all []*cli.Command) ([]setting, error) {
	if path == "" {
		return nil, nil
	}
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		err = fmt.Errorf("%s: no such file", path)
	}
	if err != nil {
		return nil, features.WithHint(err, "--config or CTR_CONFIG names this file")
	}
	var doc yaml.Node
	if err := yaml.Unmarshal(text, &doc); err != nil {
		return nil, usagef("%s: %s", path, strings.TrimPrefix(err.Error(), "yaml: "))
	}
	if doc.Kind == 0 { // an empty file
		return nil, nil
	}
	r := configReader{path: path, command: command, all: all}
	if err := r.section(doc.Content[0], nil); err != nil {
		return nil, err
	}
	top := slices.DeleteFunc(r.top, func(g setting) bool {
		return slices.ContainsFunc(r.own, func(o setting) bool { return o.name == g.name })
	})
	return append(top, r.own...), nil
}

// configReader checks a whole config file, the sections of other commands
// too, and keeps what concerns one command.
type configReader struct {
	path     string
	command  *cli.Command
	all      []*cli.Command
	top, own []setting
}

func (r *configReader) errorf(n *yaml.Node, format string, a ...any) *usageError {
	return usagef("%s:%d: %s", r.path, n.Line, fmt.Sprintf(format, a...))
}

// section reads the top level, where of is nil, or the section of a command.
func (r *configReader) section(n *yaml.Node, of *cli.Command) error {
	if n.Kind != yaml.MappingNode {
		return r.errorf(n, "want keys with values, such as \"threads: 4\"")
	}
	seen := map[string]bool{}
	for i := 0; i < len(n.Content); i += 2 {
		key, v := n.Content[i], n.Content[i+1]
		if seen[key.Value] {
			return r.errorf(key, "key %q: given twice", key.Value)
		}
		seen[key.Value] = true
		if sub := findCommand(r.all, key.Value); sub != nil && of == nil {
			if err := r.section(v, sub); err != nil {
				return err
			}
			continue
		}
		if err := r.key(key, v, of); err != nil {
			return err
		}
	}
	return nil
}

func (r *configReader) key(key, v *yaml.Node, of *cli.Command) error {
	name := key.Value
	var known []string
	if of != nil {
		known = flagNames(of.Flags)
	} else {
		for _, c := range r.all {
			known = append(append(known, c.Name), flagNames(c.Flags)...)
		}
	}
	if !slices.Contains(known, name) || name == "config" {
		if hint := secretKeys[name]; hint != "" {
			return r.errorf(key, "key %q: a secret: want none in this file", name).withHint("%s", hint)
		}
		e := r.errorf(key, "key %q: no such flag%s", name, ofCommand(of))
		if near := nearest(name, known); near != "" && near != "config" {
			return e.withHint("did you mean %s?", near)
		}
		return e.withHint("ctr help config")
	}
	values, err := r.values(key, v)
	if err != nil {
		return err
	}
	switch {
	case of == nil && findFlag(r.command.Flags, name) != nil:
		r.top = append(r.top, values...)
	case of == r.command:
		r.own = append(r.own, values...)
	}
	return nil
}

func ofCommand(c *cli.Command) string {
	if c == nil {
		return ""
	}
	return " of ctr " + c.Name
}

// values gives one setting for a scalar and one for each item of a list.
func (r *configReader) values(key, v *yaml.Node) ([]setting, error) {
	items := []*yaml.Node{v}
	if v.Kind == yaml.SequenceNode {
		items = v.Content
	}
	var values []setting
	for _, item := range items {
		if item.Kind == yaml.AliasNode {
			item = item.Alias
		}
		if item.Kind != yaml.ScalarNode || item.Tag == "!!null" {
			return nil, r.errorf(key, "key %q: want a value or a list of values", key.Value)
		}
		place := fmt.Sprintf("%s:%d: %s", r.path, item.Line, key.Value)
		values = append(values, setting{key.Value, item.Value, place})
	}
	return values, nil
}
