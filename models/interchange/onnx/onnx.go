// Package onnx writes models as ONNX (https://onnx.ai), from the text and
// numbers of a row's columns to the probability, for onnxruntime 1.23 or newer.
//
// Each column that the model reads is an input of shape [N]: a category or the
// time is a string, a number a double, NaN where it is missing. The outputs are
// "probability", a double, and "prediction", an int64, of shape [N]. A row whose
// time or number ctr would refuse has probability NaN.
package onnx

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"

	"ctr/features"
	"ctr/models"
	"ctr/models/factor"
	"ctr/models/interchange"
	"ctr/models/linear"
	"ctr/models/stack"
	"ctr/models/trees"
)

// The versions that a model asks for. StringConcat, StringSplit and
// RegexFullMatch came with version 20 of ONNX's own operations, TreeEnsemble
// with version 5 of ai.onnx.ml, and all of these are in ONNX 1.16.
const (
	irVersion = 10
	opset     = 21
	opsetML   = 5
	opsetMS   = 1
)

// The domains of operations beside ONNX's own.
const (
	domainML = "ai.onnx.ml"
	domainMS = "com.microsoft"
)

// Exporter is the format for ctr export.
func Exporter() interchange.Exporter {
	return interchange.Exporter{
		Name: "onnx", Title: "ONNX, for onnxruntime 1.23 or newer: columns in, probabilities out", Ext: ".onnx",
		Export: Export,
	}
}

// known are the properties of a field that a graph follows; see
// interchange.Beyond.
var known = []string{"name", "from", "part", "type", "seed", "cap", "min_count", "bounds", "mean", "scale", "values", "cast"}

// Export writes a to path, and to path.data what a protobuf message can't hold,
// if the model takes more than 2 GB.
func Export(ctx context.Context, a *models.Artifact, path string) (notes []string, err error) {
	faults := append(interchange.Stateful(a.Spec), interchange.Beyond(a.Spec, known...)...)
	if err := interchange.Refuse("ONNX", faults); err != nil {
		return nil, err
	}
	m, err := build(a)
	if err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	outside, err := m.write(path, maxMessage)
	if err != nil {
		return nil, err
	}
	for _, d := range m.domains {
		if d.name == domainMS {
			notes = append(notes, "hashed columns use onnxruntime's own MurmurHash3, which other runtimes may not have")
		}
	}
	if outside != "" {
		notes = append(notes, fmt.Sprintf("weights are in %s: keep it beside the model", outside))
	}
	return notes, nil
}

// build gives the model of a.
func build(a *models.Artifact) (*model, error) {
	b := newBuilder(a.Spec)
	var p string
	switch m := a.Model.(type) {
	case *linear.Model:
		b.declare(b.all())
		p = b.sigmoid(b.linear(m))
	case *trees.Model:
		list := m.Trees()
		b.declare(b.looksAt(list))
		sum := b.ensemble(list)
		p = b.op("Div", "mean", sum, b.double("trees", float64(len(list))))
	case *trees.Boosted:
		list := m.Trees()
		b.declare(b.looksAt(list))
		p = b.sigmoid(b.op("Add", "log_odds", b.ensemble(list), b.double("base", m.Base())))
	case *stack.Model:
		lr, leaves := m.Parts()
		b.declare(b.all())
		b.byCode = true
		p = b.sigmoid(b.op("Add", "log_odds", b.linear(lr), b.ensemble(leaves.Trees())))
	case *factor.Model:
		b.declare(b.all())
		p = b.sigmoid(b.factor(m))
	default:
		return nil, fmt.Errorf("algorithm %s: not known to the ONNX format", a.Model.Algo())
	}
	b.finish(p, a.Threshold)
	columns, err := json.Marshal(b.columns)
	if err != nil {
		return nil, err
	}
	b.graph.name = "ctr-" + a.Model.Algo()
	return &model{
		version: a.Version,
		doc:     fmt.Sprintf("P(click) by ctr's model %s (%s); a click is predicted above %v.", a.Hash, a.Model.Algo(), a.Threshold),
		graph:   b.graph, domains: b.domains(),
		metadata: [][2]string{
			{"algo", a.Model.Algo()},
			{"columns", string(columns)},
			{"ctr_version", a.Version},
			{"model", a.Hash},
			{"threshold", strconv.FormatFloat(a.Threshold, 'g', -1, 64)},
		},
	}, nil
}

// finish makes the outputs of the probabilities p.
func (b *builder) finish(p string, threshold float64) {
	for i, ok := range b.checks {
		if i > 0 {
			ok = b.op("And", "valid", b.checks[0], ok)
		}
		b.checks[0] = ok
	}
	probability, prediction := b.name("probability"), b.name("prediction")
	if len(b.checks) > 0 {
		b.add(&node{op: "Where", inputs: []string{b.checks[0], p, b.double("nan", nan)}, outputs: []string{probability}})
	} else {
		b.add(&node{op: "Identity", inputs: []string{p}, outputs: []string{probability}})
	}
	click := b.op("Greater", "click", probability, b.double("threshold", threshold))
	b.add(&node{op: "Cast", inputs: []string{click}, outputs: []string{prediction}, attributes: []attribute{{"to", int64(typeInt64)}}})
	b.graph.outputs = []*value{
		{name: probability, kind: typeDouble, doc: "P(click)"},
		{name: prediction, kind: typeInt64, doc: "1 where the probability is above the threshold"},
	}
}

// all says that every field is looked at.
func (b *builder) all() []bool {
	used := make([]bool, len(b.spec.Fields))
	for f := range used {
		used[f] = true
	}
	return used
}

// looksAt says which fields the trees look at; the first one where they look
// at none, so that there is something that tells the number of rows.
func (b *builder) looksAt(list [][]trees.Node) []bool {
	used := make([]bool, len(b.spec.Fields))
	any := false
	for _, t := range list {
		for i := range t {
			if !t[i].Leaf() {
				used[t[i].Field], any = true, true
			}
		}
	}
	used[0] = used[0] || !any
	return used
}

// column is what the metadata say of an input.
type column struct {
	Name string `json:"name"`
	Kind string `json:"kind"` // of the schema
	Type string `json:"type"` // "string" or "double"
}

// declare makes inputs of the columns that the used fields are made of, in the
// order of the schema. A column that is only looked at as a number is a
// double, any other a string.
func (b *builder) declare(used []bool) {
	asText, asNumber := map[string]bool{}, map[string]bool{}
	for f, fd := range b.spec.Fields {
		for _, name := range fd.From {
			switch {
			case !used[f]:
			case fd.Type == features.Num || fd.Cast == features.CastBin:
				asNumber[name] = true
			case len(fd.From) > 1 && b.spec.Schema.PartOf(name) != features.Whole:
				asText[b.spec.Schema.Find(features.Time)] = true
			default:
				asText[name] = true
			}
		}
	}
	add := func(name string) {
		if b.taken[name] || !asText[name] && !asNumber[name] {
			return
		}
		b.taken[name] = true
		c := column{Name: name, Kind: b.spec.Schema.Kind(name).String(), Type: "double"}
		v := &value{name: name, kind: typeDouble, doc: "a number, NaN where it is missing"}
		if asText[name] {
			c.Type, v.kind = "string", typeString
			v.doc = "the text of the data, empty where there is none"
			b.texts[name] = true
		}
		if b.spec.Schema.Kind(name) == features.Time {
			v.doc = "the time, UTC: YYMMDDHH, YYYY-MM-DD or YYYY-MM-DD HH:MM:SS"
		}
		b.columns = append(b.columns, c)
		b.graph.inputs = append(b.graph.inputs, v)
	}
	for _, c := range b.spec.Schema.Columns {
		add(c.Name)
	}
	for _, fd := range b.spec.Fields {
		for _, name := range fd.From {
			add(name)
		}
	}
}
