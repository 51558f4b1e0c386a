// Package jsonmodel writes a model of any family as one JSON document that
// says all that scoring needs: fields with their dictionaries, bounds, caps and
// seeds, and weights, trees or factors. docs/formats.md describes it, and
// scripts/crosscheck/json_score.py scores by it alone.
package jsonmodel

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"math"
	"strconv"
	"unicode/utf8"

	"ctr/features"
	"ctr/models"
	"ctr/models/factor"
	"ctr/models/interchange"
	"ctr/models/linear"
	"ctr/models/stack"
	"ctr/models/trees"
)

// Version is that of the form: it rises when a reader of the form before would
// give other probabilities.
const Version = 1

// Exporter is the format as ctr export knows it.
func Exporter() interchange.Exporter {
	return interchange.Exporter{
		Name: "json", Ext: ".json", Export: Export,
		Title: "every family, as one JSON document from which rows can be scored in any language (docs/formats.md)",
	}
}

// known are the properties of a field that the form describes.
var known = []string{"name", "from", "part", "type", "seed", "cap", "min_count", "bounds", "mean", "scale", "values", "cast"}

// Export writes a to path. It refuses fields that depend on earlier rows.
func Export(ctx context.Context, a *models.Artifact, path string) (notes []string, err error) {
	faults := append(interchange.Stateful(a.Spec), interchange.Beyond(a.Spec, known...)...)
	if err := interchange.Refuse("json", faults); err != nil {
		return nil, err
	}
	return nil, interchange.WriteFile(path, func(out *interchange.Writer) error {
		w := &writer{Writer: out, ctx: ctx, spec: a.Spec}
		return w.artifact(a)
	})
}

// head is what stands before the fields.
type head struct {
	Format    string          `json:"format"`
	Version   int             `json:"version"`
	Algo      string          `json:"algo"`
	Threshold float64         `json:"threshold"`
	Hash      string          `json:"model"`
	CTR       string          `json:"ctr_version"`
	Label     string          `json:"label,omitempty"`
	ID        string          `json:"id,omitempty"`
	Time      string          `json:"time,omitempty"`
	Bits      int             `json:"bits,omitempty"`
	Schema    features.Schema `json:"schema"`
}

// writer writes a model.
type writer struct {
	*interchange.Writer
	ctx     context.Context
	spec    *features.Spec
	scratch []byte
}

func (w *writer) artifact(a *models.Artifact) error {
	s := &a.Spec.Schema
	text, err := json.Marshal(head{
		Format: "ctr-json", Version: Version, Algo: a.Model.Algo(), Threshold: a.Threshold, Hash: a.Hash, CTR: a.Version,
		Label: s.Find(features.Label), ID: s.Find(features.ID), Time: s.Find(features.Time), Bits: a.Spec.Bits, Schema: *s,
	})
	if err != nil {
		return err
	}
	w.Bytes(text[:len(text)-1])
	w.Text(",\n\"fields\":[")
	for i := range a.Spec.Fields {
		if i > 0 {
			w.Byte(',')
		}
		w.Byte('\n')
		if err := w.field(&a.Spec.Fields[i]); err != nil {
			return err
		}
	}
	w.Text("]")
	switch m := a.Model.(type) {
	case *linear.Model:
		w.linear(m)
	case *trees.Model:
		err = w.trees(0, m.Trees())
	case *trees.Boosted:
		err = w.trees(m.Base(), m.Trees())
	case *stack.Model:
		lr, leaves := m.Parts()
		w.linear(lr)
		err = w.trees(0, leaves.Trees())
	case *factor.Model:
		w.factor(m)
	default:
		return interchange.Refuse("json", []string{"algorithm " + m.Algo() + " is not known"})
	}
	w.Text("}\n")
	return err
}

// field writes a field as the model file has it, and its dictionary.
func (w *writer) field(f *features.Field) error {
	text, err := json.Marshal(f)
	if err != nil {
		return err
	}
	if f.Dict == nil {
		w.Bytes(text)
		return nil
	}
	w.Bytes(text[:len(text)-1])
	w.Text(",\"dictionary\":[")
	for c := range f.Dict.Len() {
		w.comma(c)
		if err := w.value(f.Dict.Value(uint32(c + 1))); err != nil {
			return err
		}
	}
	w.Text("]}")
	return w.ctx.Err()
}

// value writes a value as a string, or as {"base64": …} where its bytes are no
// text that a JSON string can hold.
func (w *writer) value(v []byte) error {
	var text []byte
	var err error
	if utf8.Valid(v) {
		text, err = json.Marshal(string(v))
	} else {
		text, err = json.Marshal(map[string]string{"base64": base64.StdEncoding.EncodeToString(v)})
	}
	w.Bytes(text)
	return err
}

// linear writes a logistic regression.
func (w *writer) linear(m *linear.Model) {
	w.Text(",\n\"lr\":{\"bias\":")
	w.number(m.Bias(), 64)
	offsets, _ := w.spec.Offsets()
	w.Text(",\"offsets\":")
	list(w, offsets, w.int)
	w.Text(",\n\"weights\":")
	list(w, m.Weights(), func(x float64) { w.number(x, 64) })
	w.Byte('}')
}

// trees writes trees, node by node.
func (w *writer) trees(base float64, all [][]trees.Node) error {
	w.Text(",\n\"base\":")
	w.number(base, 64)
	w.Text(",\n\"trees\":[")
	for t, nodes := range all {
		w.comma(t)
		w.Text("\n[")
		for i := range nodes {
			w.comma(i)
			w.node(&nodes[i])
		}
		w.Byte(']')
		if err := w.ctx.Err(); err != nil {
			return err
		}
	}
	w.Byte(']')
	return nil
}

func (w *writer) node(n *trees.Node) {
	if n.Leaf() {
		w.Text("{\"leaf\":")
		w.number(n.Value, 64)
	} else {
		w.Printf("{\"field\":%d,", n.Field)
		w.test(n)
		w.Printf(",\"left\":%d,\"right\":%d", n.Left, n.Right)
	}
	if n.Rows > 0 {
		w.Printf(",\"rows\":%d", n.Rows)
	}
	w.Byte('}')
}

// test writes what a node asks of its field.
func (w *writer) test(n *trees.Node) {
	if w.spec.Fields[n.Field].Type == features.Num {
		w.Text("\"le\":")
		w.number(n.Value, 64)
		w.Printf(",\"missing\":%q", map[bool]string{true: "left", false: "right"}[n.MissingLeft])
		return
	}
	w.Text("\"in\":")
	list(w, n.Codes, func(c uint32) { w.int(int(c)) })
}

// factor writes a factorisation machine.
func (w *writer) factor(m *factor.Model) {
	linear, scale := m.Constants()
	w.Printf(",\n\"factors\":%d,\"bias\":", m.Factors())
	w.number(m.Bias(), 64)
	w.Text(",\"linear_scale\":")
	w.number(linear, 64)
	w.Text(",\"scale\":")
	w.number(scale, 64)
	w.Text(",\n\"slots\":")
	list(w, m.Slots(), func(s factor.Slots) {
		w.Printf("{\"first\":%d,\"size\":%d", s.First, s.Size)
		if s.Hashed {
			w.Printf(",\"mask\":%d,\"codes\":", s.Mask)
			list(w, s.Codes, func(c uint32) { w.int(int(c)) })
		}
		w.Byte('}')
	})
	vectors, weights := m.Weights()
	single := func(x float32) { w.number(float64(x), 32) }
	w.Text(",\n\"linear\":")
	list(w, weights, single)
	w.Text(",\n\"vectors\":")
	list(w, vectors, single)
}

func list[T any](w *writer, of []T, write func(T)) {
	w.Byte('[')
	for i, x := range of {
		w.comma(i)
		write(x)
	}
	w.Byte(']')
}

// comma writes one before every item but the first.
func (w *writer) comma(i int) {
	if i > 0 {
		w.Byte(',')
	}
}

func (w *writer) int(n int) {
	w.scratch = strconv.AppendInt(w.scratch[:0], int64(n), 10)
	w.Bytes(w.scratch)
}

// number writes x in the shortest form that reads back as the same number of so
// many bits; infinities, which only a threshold may be, as strings.
func (w *writer) number(x float64, bits int) {
	if math.IsInf(x, 0) {
		w.Text(map[bool]string{true: `"inf"`, false: `"-inf"`}[x > 0])
		return
	}
	w.scratch = strconv.AppendFloat(w.scratch[:0], x, 'g', -1, bits)
	w.Bytes(w.scratch)
}
