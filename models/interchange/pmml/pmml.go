// Package pmml writes models as PMML 4.4: logistic regression, trees, forests,
// boosted trees, and a logistic regression on the leaves of boosted trees, from
// the columns as they are read to the probability.
//
// Every field becomes derived fields: "code(…)", the code that trees look at,
// by a table of values; "number(…)"; and "weight(…)", what the field adds to the
// log-odds of a logistic regression. So values stand in the document once,
// whatever the number of trees. They are local to the whole model: JPMML lets
// models inside it see them there, worked out once a row, and not where they
// stand in the document's TransformationDictionary.
package pmml

import (
	"context"
	"fmt"
	"slices"

	"ctr/features"
	"ctr/models"
	"ctr/models/interchange"
	"ctr/models/linear"
	"ctr/models/stack"
	"ctr/models/trees"
)

// Exporter is the format as ctr export knows it.
func Exporter() interchange.Exporter {
	return interchange.Exporter{
		Name: "pmml", Ext: ".pmml", Export: Export,
		Title: "PMML 4.4, of lr, dt, rf, gbdt and gbdt-lr whose columns have dictionaries (not --bits)",
	}
}

// known are the properties of a field that are written.
var known = []string{"name", "from", "part", "type", "cap", "min_count", "bounds", "mean", "scale", "values", "cast"}

// Export writes a to path. It refuses, by their names, columns that are hashed,
// that depend on earlier rows, or that have values XML can't hold; and
// factorisation machines.
func Export(ctx context.Context, a *models.Artifact, path string) (notes []string, err error) {
	e := &export{ctx: ctx, a: a, spec: a.Spec}
	if err := interchange.Refuse("pmml", e.faults()); err != nil {
		return nil, err
	}
	return nil, interchange.WriteFile(path, func(w *interchange.Writer) error {
		e.document = &document{Writer: w}
		return e.write()
	})
}

// export is one model on its way.
type export struct {
	*document
	ctx  context.Context
	a    *models.Artifact
	spec *features.Spec

	lr     *linear.Model  // nil where there is none
	trees  [][]trees.Node // likewise
	taken  map[string]bool
	text   map[string]bool   // columns that are read as text
	number map[string]bool   // columns that are read as numbers
	parts  map[string]string // the derived field of a part of the time
	index  map[string]column // of a cross's column: its values, numbered
	named  map[string]string // the derived field of what was written already

	probability, prediction, leaves, target string
}

// faults take the model apart and say what stands in the way.
func (e *export) faults() (faults []string) {
	switch m := e.a.Model.(type) {
	case *linear.Model:
		e.lr = m
	case *trees.Model:
		e.trees = m.Trees()
	case *trees.Boosted:
		e.trees = m.Trees()
	case *stack.Model:
		lr, leaves := m.Parts()
		e.lr, e.trees = lr, leaves.Trees()
	default:
		faults = append(faults, fmt.Sprintf("algorithm %s: want lr, dt, rf, gbdt or gbdt-lr", m.Algo()))
	}
	faults = append(faults, interchange.Hashed(e.spec)...)
	faults = append(faults, interchange.Stateful(e.spec)...)
	// A hashed field's seed is told by what refuses hashed fields.
	faults = append(faults, interchange.Beyond(e.spec, append(slices.Clone(known), "seed")...)...)
	for i := range e.spec.Fields {
		faults = append(faults, textFaults(&e.spec.Fields[i])...)
	}
	return faults
}

// textFaults are the names and values of a field that XML can't hold.
func textFaults(f *features.Field) (faults []string) {
	for _, name := range append([]string{f.Name}, f.From...) {
		if !holds([]byte(name)) {
			return []string{fmt.Sprintf("column %q: XML can't hold its name", name)}
		}
	}
	if f.Dict == nil {
		return nil
	}
	for c := range f.Dict.Len() {
		v := f.Dict.Value(uint32(c + 1))
		values, ok := split(f, v)
		if !ok {
			return []string{fmt.Sprintf("column %s: value %q: has 0x1F, which joins the values of a cross", f.Name, v[:min(len(v), 40)])}
		}
		for _, part := range values {
			if !holds([]byte(part)) {
				return []string{fmt.Sprintf("column %s: value %q: XML can't hold it", f.Name, v[:min(len(v), 40)])}
			}
		}
	}
	return nil
}

// write writes the document.
func (e *export) write() error {
	e.plan()
	e.Text(`<?xml version="1.0" encoding="UTF-8"?>`)
	e.open("PMML", "xmlns", "http://www.dmg.org/PMML-4_4", "version", "4.4")
	e.open("Header", "description", fmt.Sprintf("%s, model %s, threshold %s", e.a.Model.Algo(), e.a.Hash, number(e.a.Threshold)))
	e.empty("Application", "name", "ctr", "version", e.a.Version)
	e.close(1)
	e.dataDictionary()
	if err := e.model(); err != nil {
		return err
	}
	e.close(1)
	e.Byte('\n')
	return nil
}

// plan finds out which columns are read, and as what.
func (e *export) plan() {
	e.text, e.number, e.taken = map[string]bool{}, map[string]bool{}, map[string]bool{}
	e.parts, e.index, e.named = map[string]string{}, map[string]column{}, map[string]string{}
	for i := range e.spec.Fields {
		f := &e.spec.Fields[i]
		for _, name := range f.From {
			switch {
			case f.Type == features.Num || f.Cast == features.CastBin:
				e.number[name] = true
			case e.part(f, name) != features.Whole:
				e.text[e.spec.Schema.Find(features.Time)] = true
			default:
				e.text[name] = true
			}
			e.taken[name] = true
		}
		if len(f.From) > 1 && f.Type == features.Dict {
			e.collect(f)
		}
	}
	for name := range e.text {
		e.taken[name] = true
	}
	e.target = e.spec.Schema.Find(features.Label)
	if e.target == "" || e.text[e.target] || e.number[e.target] {
		e.target = e.free("click")
	}
	e.taken[e.target] = true
	e.probability, e.prediction, e.leaves = e.free("probability"), e.free("prediction"), e.free("trees")
}

// free gives name, with underscores after it where it is taken, and takes it.
func (e *export) free(name string) string {
	for e.taken[name] {
		name += "_"
	}
	e.taken[name] = true
	return name
}

// columns gives the columns that are read, in the order of the schema and then
// of the fields.
func (e *export) columns() (names []string) {
	add := func(name string) {
		if (e.text[name] || e.number[name]) && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	for _, c := range e.spec.Schema.Columns {
		add(c.Name)
	}
	for i := range e.spec.Fields {
		for _, name := range e.spec.Fields[i].From {
			add(name)
		}
	}
	return names
}

func (e *export) dataDictionary() {
	e.open("DataDictionary")
	for _, name := range e.columns() {
		if e.text[name] {
			e.empty("DataField", "name", name, "optype", "categorical", "dataType", "string")
			continue
		}
		e.open("DataField", "name", name, "optype", "continuous", "dataType", "double")
		e.empty("Value", "value", "", "property", "missing")
		e.close(1)
	}
	e.empty("DataField", "name", e.target, "optype", "continuous", "dataType", "double")
	e.close(1)
}

// miningSchema names what the whole model reads. No text is as good as empty
// text, which is a value like others.
func (e *export) miningSchema() {
	e.open("MiningSchema")
	e.empty("MiningField", "name", e.target, "usageType", "target")
	for _, name := range e.columns() {
		if e.text[name] {
			e.empty("MiningField", "name", name, "missingValueReplacement", "", "missingValueTreatment", "asValue")
		} else {
			e.empty("MiningField", "name", name)
		}
	}
	e.close(1)
}

// whole writes what stands before the content of the whole model.
func (e *export) whole() error {
	e.miningSchema()
	e.output()
	e.open("LocalTransformations")
	if err := e.derive(); err != nil {
		return err
	}
	e.close(1)
	return nil
}

// output names what the whole model says.
func (e *export) output() {
	e.open("Output")
	e.empty("OutputField", "name", e.probability, "optype", "continuous", "dataType", "double", "feature", "predictedValue")
	e.open("OutputField", "name", e.prediction, "optype", "categorical", "dataType", "integer", "feature", "transformedValue")
	e.open("Apply", "function", "if")
	e.open("Apply", "function", "greaterThan")
	e.empty("FieldRef", "field", e.probability)
	e.leaf("Constant", number(e.a.Threshold), "dataType", "double")
	e.close(1)
	e.leaf("Constant", "1", "dataType", "integer")
	e.leaf("Constant", "0", "dataType", "integer")
	e.close(3)
}
