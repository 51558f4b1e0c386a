package pmml

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"ctr/features"
)

// part says which part of the time field f takes of name, Whole where it is a
// column's value as it stands.
func (e *export) part(f *features.Field, name string) features.Part {
	if f.Part != features.Whole {
		return f.Part
	}
	parts := []features.Part{features.HourTime, features.Day, features.DayOfWeek, features.Month}
	if p := features.Part(name); len(f.From) > 1 && slices.Contains(parts, p) && e.spec.Schema.Kind(name) == features.Ignore {
		return p
	}
	return features.Whole
}

// split gives the values of a dictionary's entry: several of a cross's.
func split(f *features.Field, v []byte) (values []string, ok bool) {
	if len(f.From) == 1 {
		return []string{string(v)}, true
	}
	for _, part := range bytes.Split(v, []byte{0x1F}) {
		values = append(values, string(part))
	}
	return values, len(values) == len(f.From)
}

// column are the values of a column that crosses are made of, numbered from 1.
type column map[string]int

// collect numbers the values that the cross f has of its columns.
func (e *export) collect(f *features.Field) {
	for c := range f.Dict.Len() {
		values, _ := split(f, f.Dict.Value(uint32(c+1)))
		for i, name := range f.From {
			if e.index[name] == nil {
				e.index[name] = column{}
			}
			if e.index[name][values[i]] == 0 {
				e.index[name][values[i]] = len(e.index[name]) + 1
			}
		}
	}
}

// derive writes the derived fields.
func (e *export) derive() error {
	used := make([]bool, len(e.spec.Fields))
	for _, nodes := range e.trees {
		for i := range nodes {
			if !nodes[i].Leaf() {
				used[nodes[i].Field] = true
			}
		}
	}
	for i := range e.spec.Fields {
		f := &e.spec.Fields[i]
		if e.lr == nil && !used[i] {
			continue
		}
		if f.Cast == features.CastBin {
			e.binField(i, f, used[i])
			continue
		}
		if f.Type == features.Num {
			e.named[codeKey(i)] = e.numberField(f)
			if e.lr != nil {
				e.numberWeight(i, f)
			}
			continue
		}
		text := e.textField(f)
		if used[i] {
			e.named[codeKey(i)] = e.free("code(" + f.Name + ")")
			e.table(e.named[codeKey(i)], "integer", text, "0", e.rows(f, func(c int) (string, bool) { return strconv.Itoa(c), true }))
		}
		if e.lr != nil {
			e.weight(i, f, text)
		}
		if err := e.ctx.Err(); err != nil {
			return err
		}
	}
	return nil
}

// weight writes what the category f adds to the log-odds.
func (e *export) weight(i int, f *features.Field, text string) {
	offsets, _ := e.spec.Offsets()
	w := e.lr.Weights()[offsets[i]:][:e.spec.Size(i)]
	e.named[weightKey(i)] = e.free("weight(" + f.Name + ")")
	e.table(e.named[weightKey(i)], "double", text, number(w[0]), e.rows(f, func(c int) (string, bool) {
		return number(w[c]), w[c] != w[0]
	}))
}

// rows gives the values of f that of gives something for, and that.
func (e *export) rows(f *features.Field, of func(code int) (string, bool)) func(yield func(in, out string) bool) {
	return func(yield func(in, out string) bool) {
		for c := 1; c <= f.Dict.Len(); c++ {
			out, ok := of(c)
			if !ok {
				continue
			}
			values, _ := split(f, f.Dict.Value(uint32(c)))
			in := values[0]
			if len(values) > 1 {
				for k, name := range f.From {
					values[k] = strconv.Itoa(e.index[name][values[k]])
				}
				in = strings.Join(values, ":")
			}
			if !yield(in, out) {
				return
			}
		}
	}
}

// table writes the derived field name: what rows say of the text in another
// field, other for all else.
func (e *export) table(name, dataType, from, other string, rows func(yield func(in, out string) bool)) {
	optype := map[bool]string{true: "continuous", false: "categorical"}[dataType == "double"]
	e.open("DerivedField", "name", name, "optype", optype, "dataType", dataType)
	some := false
	for in, out := range rows {
		if !some {
			e.open("MapValues", "outputColumn", "out", "dataType", dataType, "defaultValue", other, "mapMissingTo", other)
			e.empty("FieldColumnPair", "field", from, "column", "in")
			e.open("InlineTable")
			some = true
		}
		e.open("row")
		e.leaf("in", in)
		e.leaf("out", out)
		e.close(1)
	}
	if some {
		e.close(2)
	} else { // an empty table has no columns, and nothing could be looked for
		e.leaf("Constant", other, "dataType", dataType)
	}
	e.close(1)
}

// textField gives the field that holds the text which f looks up, and writes
// what it is derived from.
func (e *export) textField(f *features.Field) string {
	if len(f.From) > 1 {
		return e.cross(f)
	}
	if p := e.part(f, f.From[0]); p != features.Whole {
		return e.timePart(p)
	}
	if f.Cap != nil {
		return e.cappedText(f)
	}
	if f.Cast != features.AsRead {
		return e.castText(f)
	}
	return f.From[0]
}

// cross writes the numbers of a cross's values, joined. A value that no cross
// has is 0, which is in no table.
func (e *export) cross(f *features.Field) string {
	names := make([]string, len(f.From))
	for i, name := range f.From {
		from := name
		if p := e.part(f, name); p != features.Whole {
			from = e.timePart(p)
		}
		names[i] = e.once("index "+name, "index("+name+")", func(derived string) {
			values := e.index[name]
			e.table(derived, "string", from, "0", func(yield func(in, out string) bool) {
				for _, v := range byNumber(values) {
					if !yield(v, strconv.Itoa(values[v])) {
						return
					}
				}
			})
		})
	}
	return e.once("cross "+f.Name, "values("+f.Name+")", func(derived string) {
		e.open("DerivedField", "name", derived, "optype", "categorical", "dataType", "string")
		e.open("Apply", "function", "concat")
		for i, name := range names {
			if i > 0 {
				e.leaf("Constant", ":", "dataType", "string")
			}
			e.empty("FieldRef", "field", name)
		}
		e.close(2)
	})
}

// byNumber gives the values of a column in the order of their numbers.
func byNumber(c column) []string {
	list := make([]string, len(c))
	for v, n := range c {
		list[n-1] = v
	}
	return list
}

// once gives the name of the derived field that key stands for: the first time
// it is made, by write, under a name like the one given.
func (e *export) once(key, name string, write func(derived string)) string {
	if e.named[key] == "" {
		derived := e.free(name)
		write(derived)
		e.named[key] = derived
	}
	return e.named[key]
}

// decimal is the form of what ctr reads as a number.
const decimal = `^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$`

// cappedText writes the text of a category whose greater numbers are replaced.
func (e *export) cappedText(f *features.Field) string {
	column := f.From[0]
	value := e.value(column)
	return e.once(fmt.Sprintf("capped %s %v", column, *f.Cap), "capped("+column+")", func(derived string) {
		e.open("DerivedField", "name", derived, "optype", "categorical", "dataType", "string")
		e.open("Apply", "function", "if")
		// The value is a number only where the text has that form.
		e.open("Apply", "function", "if")
		e.open("Apply", "function", "matches")
		e.empty("FieldRef", "field", column)
		e.leaf("Constant", decimal, "dataType", "string")
		e.close(1)
		e.open("Apply", "function", "greaterThan")
		e.empty("FieldRef", "field", value)
		e.leaf("Constant", number(*f.Cap), "dataType", "double")
		e.close(1)
		e.leaf("Constant", "false", "dataType", "boolean")
		e.close(1)
		e.leaf("Constant", f.CapText(), "dataType", "string")
		e.empty("FieldRef", "field", column)
		e.close(2)
	})
}

// value gives the field that holds the number which a column's text is.
func (e *export) value(column string) string {
	return e.once("value "+column, "value("+column+")", func(derived string) {
		e.open("DerivedField", "name", derived, "optype", "continuous", "dataType", "double")
		e.empty("FieldRef", "field", column)
		e.close(1)
	})
}

// numberField gives the field that holds the number of f, missing where there
// is none, and writes it.
func (e *export) numberField(f *features.Field) string {
	column := f.From[0]
	if e.text[column] { // another field reads it as text
		column = e.once("number "+column, "parsed("+column+")", func(derived string) {
			e.open("DerivedField", "name", derived, "optype", "continuous", "dataType", "double")
			e.open("Apply", "function", "if")
			e.open("Apply", "function", "notEqual")
			e.empty("FieldRef", "field", f.From[0])
			e.leaf("Constant", "", "dataType", "string")
			e.close(1)
			e.empty("FieldRef", "field", f.From[0])
			e.close(2)
		})
	}
	if f.Cap == nil {
		return column
	}
	return e.once(fmt.Sprintf("number %s %v", column, *f.Cap), "number("+f.From[0]+")", func(derived string) {
		e.open("DerivedField", "name", derived, "optype", "continuous", "dataType", "double")
		e.open("Apply", "function", "if")
		e.open("Apply", "function", "greaterThan")
		e.empty("FieldRef", "field", column)
		e.leaf("Constant", number(*f.Cap), "dataType", "double")
		e.close(1)
		e.leaf("Constant", number(*f.Cap), "dataType", "double")
		e.empty("FieldRef", "field", column)
		e.close(2)
	})
}
