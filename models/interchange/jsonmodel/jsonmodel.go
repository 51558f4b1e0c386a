// Package jsonmodel writes a model of any family as one JSON document that
// says all that scoring needs: fields with their dictionaries, bounds, caps and
// seeds, and weights, trees or factors. docs/formats.md describes it, and
// scripts/crosscheck/json_score.py scores by it alone.
package jsonmodel

import (
	"bufio"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math"
	"os"
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
var known = []string{"name", "from", "part", "type", "seed", "cap", "min_count", "bounds", "mean", "scale", "values"}

// Export writes a to path. It refuses fields that depend on earlier rows.
func Export(ctx context.Context, a *models.Artifact, path string) (notes []string, err error) {
	faults := append(interchange.Stateful(a.Spec), interchange.Beyond(a.Spec, known...)...)
	if err := interchange.Refuse("json", faults); err != nil {
		return nil, err
	}
	f, err := os.Create(path)
	if err != nil {
		return nil, err
	}
	w := &writer{Writer: bufio.NewWriterSize(f, 1<<20), ctx: ctx, spec: a.Spec}
	err = w.artifact(a)
	if err == nil {
		err = w.Flush()
	}
	if e := f.Close(); err == nil {
		err = e
	}
	return nil, err
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

// writer writes a model. A bufio.Writer keeps its first error until Flush.
type writer struct {
	*bufio.Writer
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
	w.Write(text[:len(text)-1])
	w.WriteString(",\n\"fields\":[")
	for i := range a.Spec.Fields {
		if i > 0 {
			w.WriteByte(',')
		}
		w.WriteByte('\n')
		if err := w.field(&a.Spec.Fields[i]); err != nil {
			return err
		}
	}
	w.WriteString("]")
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
	w.WriteString("}\n")
	return err
}

// field writes a field as the model file has it, and its dictionary.
func (w *writer) field(f *features.Field) error {
	text, err := json.Marshal(f)
	if err != nil {
		return err
	}
	if f.Dict == nil {
		w.Write(text)
		return nil
	}
	w.Write(text[:len(text)-1])
	w.WriteString(",\"dictionary\":[")
	for c := range f.Dict.Len() {
		w.comma(c)
		if err := w.value(f.Dict.Value(uint32(c + 1))); err != nil {
			return err
		}
	}
	w.WriteString("]}")
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
	w.Write(text)
	return err
}

// linear writes a logistic regression.
func (w *writer) linear(m *linear.Model) {
	w.WriteString(",\n\"lr\":{\"bias\":")
	w.number(m.Bias(), 64)
	offsets, _ := w.spec.Offsets()
	w.WriteString(",\"offsets\":")
	list(w, offsets, w.int)
	w.WriteString(",\n\"weights\":")
	list(w, m.Weights(), func(x float64) { w.number(x, 64) })
	w.WriteByte('}')
}

// trees writes trees, node by node.
func (w *writer) trees(base float64, all [][]trees.Node) error {
	w.WriteString(",\n\"base\":")
	w.number(base, 64)
	w.WriteString(",\n\"trees\":[")
	for t, nodes := range all {
		w.comma(t)
		w.WriteString("\n[")
		for i := range nodes {
			w.comma(i)
			w.node(&nodes[i])
		}
		w.WriteByte(']')
		if err := w.ctx.Err(); err != nil {
			return err
		}
	}
	w.WriteByte(']')
	return nil
}

func (w *writer) node(n *trees.Node) {
	if n.Leaf() {
		w.WriteString("{\"leaf\":")
		w.number(n.Value, 64)
	} else {
		fmt.Fprintf(w, "{\"field\":%d,", n.Field)
		w.test(n)
		fmt.Fprintf(w, ",\"left\":%d,\"right\":%d", n.Left, n.Right)
	}
	if n.Rows > 0 {
		fmt.Fprintf(w, ",\"rows\":%d", n.Rows)
	}
	w.WriteByte('}')
}

// test writes what a node asks of its field.
func (w *writer) test(n *trees.Node) {
	if w.spec.Fields[n.Field].Type == features.Num {
		w.WriteString("\"le\":")
		w.number(n.Value, 64)
		fmt.Fprintf(w, ",\"missing\":%q", map[bool]string{true: "left", false: "right"}[n.MissingLeft])
		return
	}
	w.WriteString("\"in\":")
	list(w, n.Codes, func(c uint32) { w.int(int(c)) })
}

// factor writes a factorisation machine.
func (w *writer) factor(m *factor.Model) {
	linear, scale := m.Constants()
	fmt.Fprintf(w, ",\n\"factors\":%d,\"bias\":", m.Factors())
	w.number(m.Bias(), 64)
	w.WriteString(",\"linear_scale\":")
	w.number(linear, 64)
	w.WriteString(",\"scale\":")
	w.number(scale, 64)
	w.WriteString(",\n\"slots\":")
	list(w, m.Slots(), func(s factor.Slots) {
		fmt.Fprintf(w, "{\"first\":%d,\"size\":%d", s.First, s.Size)
		if s.Hashed {
			fmt.Fprintf(w, ",\"mask\":%d,\"codes\":", s.Mask)
			list(w, s.Codes, func(c uint32) { w.int(int(c)) })
		}
		w.WriteByte('}')
	})
	vectors, weights := m.Weights()
	single := func(x float32) { w.number(float64(x), 32) }
	w.WriteString(",\n\"linear\":")
	list(w, weights, single)
	w.WriteString(",\n\"vectors\":")
	list(w, vectors, single)
}

func list[T any](w *writer, of []T, write func(T)) {
	w.WriteByte('[')
	for i, x := range of {
		w.comma(i)
		write(x)
	}
	w.WriteByte(']')
}

// comma writes one before every item but the first.
func (w *writer) comma(i int) {
	if i > 0 {
		w.WriteByte(',')
	}
}

func (w *writer) int(n int) {
	w.scratch = strconv.AppendInt(w.scratch[:0], int64(n), 10)
	w.Write(w.scratch)
}

// number writes x in the shortest form that reads back as the same number of so
// many bits; infinities, which only a threshold may be, as strings.
func (w *writer) number(x float64, bits int) {
	if math.IsInf(x, 0) {
		w.WriteString(map[bool]string{true: `"inf"`, false: `"-inf"`}[x > 0])
		return
	}
	w.scratch = strconv.AppendFloat(w.scratch[:0], x, 'g', -1, bits)
	w.Write(w.scratch)
}
