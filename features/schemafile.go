package features

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"gopkg.in/yaml.v3"
)

// maxSchemaFile is the largest schema file, in bytes.
const maxSchemaFile = 1 << 20

// ReadSchema reads a schema from YAML. The name, a path, is for messages.
//
//	name: shop               # for messages; the default is the file's
//	delimiter: tab           # "," (the default) or "tab"
//	columns:
//	  - label: bought        # the kind, then one name
//	  - time: hour
//	  - category: [site, app, device]   # or several
//	  - {name: price, kind: number}     # or name and kind
//	layouts:                 # orders of columns of files without a header;
//	  - [hour, bought, site, app, device, price]  # the default is the columns' own
//	  - [hour, site, app, device, price]
//
// The kinds are those of Kind. A layout's columns must be among the columns
// (ignore: NAME is for those that no model shall see), or "" for one to be
// read past. The error has every fault, one a line, each with its line.
func ReadSchema(r io.Reader, name string) (*Schema, error) {
	text, err := io.ReadAll(io.LimitReader(r, maxSchemaFile+1))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if len(text) > maxSchemaFile {
		return nil, fmt.Errorf("%s: more than %d bytes: want a schema", name, maxSchemaFile)
	}
	dec := yaml.NewDecoder(bytes.NewReader(text))
	var doc, more yaml.Node
	switch err := dec.Decode(&doc); {
	case errors.Is(err, io.EOF):
		return nil, fmt.Errorf("%s: empty file: want a schema", name)
	case err != nil:
		return nil, yamlError(name, err)
	}
	switch err := dec.Decode(&more); {
	case err == nil:
		return nil, fmt.Errorf("%s:%d: second document: want one", name, more.Line)
	case !errors.Is(err, io.EOF):
		return nil, yamlError(name, err)
	}
	p := schemaParser{file: name, s: &Schema{Comma: ','}}
	if doc.Kind != yaml.DocumentNode || len(doc.Content) == 0 {
		return nil, fmt.Errorf("%s: empty file: want a schema", name)
	}
	p.document(doc.Content[0])
	if len(p.faults) > 0 {
		return nil, errors.Join(p.faults...)
	}
	return p.s, nil
}

// yamlError puts the file's name before yaml's "yaml: line 3: …".
func yamlError(name string, err error) error {
	text := strings.TrimPrefix(err.Error(), "yaml: ")
	if rest, ok := strings.CutPrefix(text, "line "); ok {
		return fmt.Errorf("%s:%s", name, rest)
	}
	return fmt.Errorf("%s: %s", name, text)
}

// schemaParser walks the nodes of a schema file by hand, for the short forms
// and the lines of faults.
type schemaParser struct {
	file   string
	s      *Schema
	faults []error
}

func (p *schemaParser) fault(n *yaml.Node, format string, a ...any) {
	p.faults = append(p.faults, fmt.Errorf("%s:%d: %s", p.file, n.Line, fmt.Sprintf(format, a...)))
}

func (p *schemaParser) document(n *yaml.Node) {
	if n.Kind != yaml.MappingNode {
		p.fault(n, "no schema: want name, delimiter, columns and layouts")
		return
	}
	keys := map[string]*yaml.Node{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		switch key.Value {
		case "name", "delimiter", "columns", "layouts":
			if keys[key.Value] != nil {
				p.fault(key, "key %s: twice", key.Value)
				continue
			}
			keys[key.Value] = value
		default:
			p.fault(key, "key %q: want name, delimiter, columns or layouts", key.Value)
		}
	}
	p.s.Name = schemaName(p.file)
	if v := keys["name"]; v != nil {
		p.s.Name, _ = p.text(v, "name")
	}
	if v := keys["delimiter"]; v != nil {
		p.delimiter(v)
	}
	p.columns(n, keys["columns"])
	p.layouts(keys["layouts"])
}

// schemaName is the name of a schema that has none: its file's, without the
// folder and what follows the first dot.
func schemaName(file string) string {
	base := file[strings.LastIndexAny(file, `/\`)+1:]
	base, _, _ = strings.Cut(base, ".")
	if printable(base) {
		return base
	}
	return "schema"
}

// printable reports whether s can be a name: not empty, UTF-8, no control
// characters, no white space at its ends.
func printable(s string) bool {
	return s != "" && utf8.ValidString(s) && strings.TrimSpace(s) == s &&
		strings.IndexFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) < 0
}

// text gives the text of a scalar, in quotes or not.
func (p *schemaParser) text(n *yaml.Node, what string) (string, bool) {
	if n.Kind != yaml.ScalarNode || n.Tag == "!!null" || n.Tag == "!!binary" || !printable(n.Value) {
		p.fault(n, "%s: want a name of printable characters", what)
		return "", false
	}
	return n.Value, true
}

func (p *schemaParser) delimiter(n *yaml.Node) {
	switch {
	case n.Kind == yaml.ScalarNode && n.Value == ",":
	case n.Kind == yaml.ScalarNode && (n.Value == "tab" || n.Value == "\t"):
		p.s.Comma = '\t'
	default:
		p.fault(n, `delimiter %q: want "," or "tab"`, n.Value)
	}
}

func (p *schemaParser) columns(top, n *yaml.Node) {
	if n == nil || n.Kind == yaml.SequenceNode && len(n.Content) == 0 {
		p.fault(top, "no columns: want one at least")
		return
	}
	if n.Kind != yaml.SequenceNode {
		p.fault(n, "columns: want a list")
		return
	}
	lines := map[string]int{}
	single := map[Kind]string{}
	for _, item := range n.Content {
		for _, c := range p.item(item) {
			if line, twice := lines[c.Name]; twice {
				p.fault(item, "column %s: named before, in line %d", c.Name, line)
				continue
			}
			lines[c.Name] = item.Line
			if before := single[c.Kind]; before != "" {
				p.fault(item, "column %s: a second %s after %s: want one at most", c.Name, c.Kind, before)
				continue
			}
			switch c.Kind {
			case Label, Time, ID, Weight:
				single[c.Kind] = c.Name
			default:
			}
			p.s.Columns = append(p.s.Columns, c)
		}
	}
}

// item reads one entry of the list of columns.
func (p *schemaParser) item(n *yaml.Node) []Column {
	const want = "want `- KIND: NAME`, `- KIND: [NAME, …]` or `- {name: NAME, kind: KIND}`"
	if n.Kind != yaml.MappingNode {
		p.fault(n, "column: "+want)
		return nil
	}
	if len(n.Content) == 4 {
		if a, b := n.Content[0].Value, n.Content[2].Value; a == "name" && b == "kind" {
			return p.pair(n.Content[3], n.Content[1])
		} else if a == "kind" && b == "name" {
			return p.pair(n.Content[1], n.Content[3])
		}
	}
	if len(n.Content) != 2 {
		p.fault(n, "column: "+want)
		return nil
	}
	if n.Content[0].Value == "name" {
		p.fault(n, "column %s: no kind: %s", n.Content[1].Value, want)
		return nil
	}
	return p.pair(n.Content[0], n.Content[1])
}

// pair reads a kind and a name, or a list of names.
func (p *schemaParser) pair(kind, names *yaml.Node) []Column {
	var k Kind
	if err := k.UnmarshalText([]byte(kind.Value)); err != nil || kind.Kind != yaml.ScalarNode {
		p.fault(kind, "kind %q: want one of %s", kind.Value, strings.Join(kindNames[:], ", "))
		return nil
	}
	list := []*yaml.Node{names}
	if names.Kind == yaml.SequenceNode {
		list = names.Content
	}
	var out []Column
	for _, n := range list {
		if name, ok := p.text(n, k.String()); ok {
			out = append(out, Column{Name: name, Kind: k})
		}
	}
	return out
}

func (p *schemaParser) layouts(n *yaml.Node) {
	if n == nil {
		var l Layout
		for _, c := range p.s.Columns {
			l = append(l, c.Name)
		}
		p.s.Layouts = []Layout{l}
		return
	}
	if n.Kind != yaml.SequenceNode {
		p.fault(n, "layouts: want a list of lists of column names")
		return
	}
	lines := map[int]int{}
	for _, item := range n.Content {
		l := p.layout(item)
		if line := lines[len(l)]; line > 0 && len(l) > 0 {
			p.fault(item, "layout of %s: as many as the one in line %d: want each count once", countColumns(len(l)), line)
		}
		lines[len(l)] = item.Line
		p.s.Layouts = append(p.s.Layouts, l)
	}
}

func (p *schemaParser) layout(n *yaml.Node) (l Layout) {
	if n.Kind != yaml.SequenceNode || len(n.Content) == 0 {
		p.fault(n, "layout: want a list of column names")
		return nil
	}
	for _, item := range n.Content {
		name := item.Value
		known := slices.ContainsFunc(p.s.Columns, func(c Column) bool { return c.Name == name })
		if item.Kind != yaml.ScalarNode || !known && (name != "" || item.Tag == "!!null") {
			p.fault(item, "layout: column %q: want one of the columns, or \"\"", name)
			continue
		}
		l = append(l, name)
	}
	if name, twice := l.duplicate(); twice {
		p.fault(n, "layout: column %s: named twice", name)
	}
	return l
}

// WriteSchema writes s as YAML that ReadSchema reads back as the same schema.
func WriteSchema(w io.Writer, s *Schema) error {
	delimiter := ","
	if s.Comma == '\t' {
		delimiter = "tab"
	}
	columns := &yaml.Node{Kind: yaml.SequenceNode}
	for _, c := range s.Columns {
		columns.Content = append(columns.Content, &yaml.Node{
			Kind: yaml.MappingNode, Content: []*yaml.Node{scalar(c.Kind.String()), quoted(c.Name)},
		})
	}
	layouts := &yaml.Node{Kind: yaml.SequenceNode}
	for _, l := range s.Layouts {
		n := &yaml.Node{Kind: yaml.SequenceNode, Style: yaml.FlowStyle}
		for _, name := range l {
			n.Content = append(n.Content, quoted(name))
		}
		layouts.Content = append(layouts.Content, n)
	}
	enc := yaml.NewEncoder(w)
	err := enc.Encode(&yaml.Node{Kind: yaml.MappingNode, Content: []*yaml.Node{
		scalar("name"), quoted(s.Name), scalar("delimiter"), quoted(delimiter),
		scalar("columns"), columns, scalar("layouts"), layouts,
	}})
	return errors.Join(err, enc.Close())
}

func scalar(s string) *yaml.Node { return &yaml.Node{Kind: yaml.ScalarNode, Value: s} }

func quoted(s string) *yaml.Node {
	return &yaml.Node{Kind: yaml.ScalarNode, Style: yaml.DoubleQuotedStyle, Value: s}
}
