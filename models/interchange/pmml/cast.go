package pmml

import (
	"ctr/features"
	"ctr/models/interchange"
)

// castText gives the field that holds what f, which casts numbers, looks up.
func (e *export) castText(f *features.Field) string {
	column, form := f.From[0], decimal
	if f.Cast == features.CastInt {
		form = "^(?:" + interchange.Integer() + ")$"
	}
	// Forms stand between ^ and $ already, which NewRecast puts around them.
	r := interchange.NewRecast(f, form)
	text := ""
	if f.Cast == features.CastInt {
		text = e.integerText(column)
	} else {
		text = e.doubleText(f, r)
	}
	derived := e.free("cast(" + f.Name + ")")
	e.open("DerivedField", "name", derived, "optype", "categorical", "dataType", "string")
	e.open("Apply", "function", "if")
	if len(r.Odd) > 0 {
		e.open("Apply", "function", "and")
		e.open("Apply", "function", "isNotIn")
		e.empty("FieldRef", "field", column)
		for _, v := range r.Odd {
			e.leaf("Constant", string(v), "dataType", "string")
		}
		e.close(1)
	}
	e.matches(column, form)
	if len(r.Odd) > 0 {
		e.close(1)
	}
	e.empty("FieldRef", "field", text)
	e.empty("FieldRef", "field", column)
	e.close(2)
	return derived
}

func (e *export) matches(column, form string) {
	e.open("Apply", "function", "matches")
	e.empty("FieldRef", "field", column)
	e.leaf("Constant", form, "dataType", "string")
	e.close(1)
}

// integerText writes the shortest text of an integer: without a plus and zeros
// before it, and 0 without a sign.
func (e *export) integerText(column string) string {
	return e.once("integer "+column, "integer("+column+")", func(derived string) {
		e.open("DerivedField", "name", derived, "optype", "categorical", "dataType", "string")
		steps := [][2]string{{`^[-+]?0+$`, "0"}, {`^-0*([1-9][0-9]*)$`, "-$1"}, {`^[+]?0*([1-9][0-9]*)$`, "$1"}}
		for range steps {
			e.open("Apply", "function", "replace")
		}
		e.empty("FieldRef", "field", column)
		for _, s := range steps {
			e.leaf("Constant", s[0], "dataType", "string")
			e.leaf("Constant", s[1], "dataType", "string")
			e.close(1)
		}
		e.close(1)
	})
}

// doubleText writes the text that the dictionary of f has for a number.
func (e *export) doubleText(f *features.Field, r *interchange.Recast) string {
	value, column := e.value(f.From[0]), f.From[0]
	table := e.free("number(" + f.Name + ")")
	e.table(table, "string", value, r.Unseen, func(yield func(in, out string) bool) {
		for i, x := range r.Numbers {
			if !yield(number(x), string(r.Texts[i])) {
				return
			}
		}
	})
	derived := e.free("signed(" + f.Name + ")")
	e.open("DerivedField", "name", derived, "optype", "categorical", "dataType", "string")
	e.open("Apply", "function", "if")
	e.matches(column, "^(?:"+interchange.NegativeZero+")$")
	e.leaf("Constant", "-0.0", "dataType", "string")
	e.empty("FieldRef", "field", table)
	e.close(2)
	return derived
}
