package pmml

import (
	"strconv"

	"ctr/features"
)

// numberWeight writes what the number f adds to the log-odds.
func (e *export) numberWeight(i int, f *features.Field) {
	offsets, _ := e.spec.Offsets()
	w := e.lr.Weights()[offsets[i]:][:e.spec.Size(i)]
	from := e.named[codeKey(i)]
	e.named[weightKey(i)] = e.free("weight(" + f.Name + ")")
	e.open("DerivedField", "name", e.named[weightKey(i)], "optype", "continuous", "dataType", "double")
	switch {
	case f.Values:
		e.ifMissing(from, "double", w[0], func() { e.standardised(from, f, w[1]) })
	default:
		e.bins(from, "double", f.Bounds, w)
	}
	e.close(1)
}

// binField writes the code and the weight of f, whose values are the bins of a
// number.
func (e *export) binField(i int, f *features.Field, used bool) {
	from := e.numberField(f)
	write := func(name, optype, dataType string, at func(code uint32) float64) string {
		w := make([]float64, len(f.Bounds)+2)
		for bin := range w {
			w[bin] = at(f.Dict.Code(strconv.AppendInt(nil, int64(bin), 10)))
		}
		name = e.free(name + "(" + f.Name + ")")
		e.open("DerivedField", "name", name, "optype", optype, "dataType", dataType)
		e.bins(from, dataType, f.Bounds, w)
		e.close(1)
		return name
	}
	if used {
		e.named[codeKey(i)] = write("code", "categorical", "integer", func(code uint32) float64 { return float64(code) })
	}
	if e.lr != nil {
		offsets, _ := e.spec.Offsets()
		w := e.lr.Weights()[offsets[i]:]
		e.named[weightKey(i)] = write("weight", "continuous", "double", func(code uint32) float64 { return w[code] })
	}
}

// ifMissing writes x where a number is missing, else what other writes.
func (e *export) ifMissing(from, dataType string, x float64, other func()) {
	e.open("Apply", "function", "if")
	e.open("Apply", "function", "isMissing")
	e.empty("FieldRef", "field", from)
	e.close(1)
	e.leaf("Constant", number(x), "dataType", dataType)
	other()
	e.close(1)
}

// standardised writes weight·((v - mean) / scale), the quotient kept within
// ±1e100 as linear models do.
func (e *export) standardised(from string, f *features.Field, weight float64) {
	scale := f.Scale
	if scale == 0 {
		scale = 1
	}
	constant := func(x float64) { e.leaf("Constant", number(x), "dataType", "double") }
	e.open("Apply", "function", "*")
	constant(weight)
	e.open("Apply", "function", "max")
	constant(-1e100)
	e.open("Apply", "function", "min")
	constant(1e100)
	e.open("Apply", "function", "/")
	e.open("Apply", "function", "-")
	e.empty("FieldRef", "field", from)
	constant(f.Mean)
	e.close(1)
	constant(scale)
	e.close(4)
}

// bins writes what w has for a number's bin; w[0] is for a missing one.
func (e *export) bins(from, dataType string, bounds, w []float64) {
	if len(bounds) == 0 {
		e.ifMissing(from, dataType, w[0], func() { e.leaf("Constant", number(w[1]), "dataType", dataType) })
		return
	}
	e.open("Discretize", "field", from, "dataType", dataType, "mapMissingTo", number(w[0]), "defaultValue", number(w[0]))
	for b := range len(bounds) + 1 {
		e.open("DiscretizeBin", "binValue", number(w[b+1]))
		margins := []string{"closure", "openClosed"}
		if b > 0 {
			margins = append(margins, "leftMargin", number(bounds[b-1]))
		}
		if b < len(bounds) {
			margins = append(margins, "rightMargin", number(bounds[b]))
		}
		e.empty("Interval", margins...)
		e.close(1)
	}
	e.close(1)
}

// timePart gives the field that holds a part of the time, as decimal text, and
// writes it and the numbers that it is made of.
func (e *export) timePart(p features.Part) string {
	return e.once("part "+string(p), string(p)+"("+e.time()+")", func(derived string) {
		value := e.timeNumber(p)
		e.open("DerivedField", "name", derived, "optype", "categorical", "dataType", "string")
		e.empty("FieldRef", "field", value)
		e.close(1)
	})
}

func (e *export) time() string { return e.spec.Schema.Find(features.Time) }

// timeNumber gives the field that holds a part of the time as an integer.
func (e *export) timeNumber(p features.Part) string {
	write := func(expression func()) func(string) {
		return func(derived string) {
			e.open("DerivedField", "name", derived, "optype", "continuous", "dataType", "integer")
			expression()
			e.close(1)
		}
	}
	named := func(what string, expression func()) string {
		return e.once("time "+what, what+"("+e.time()+")", write(expression))
	}
	digits := func(what string, short, long int) string {
		return named(what, func() {
			e.ifLength(8, func() { e.substring(short, 2) }, func() { e.substring(long, 2) })
		})
	}
	switch p {
	case features.Day:
		return digits("day of the month", 5, 9)
	case features.Month:
		return digits("month of the year", 3, 6)
	case features.HourTime:
		return named("hour of the day", func() {
			e.ifLength(8, func() { e.substring(7, 2) }, func() {
				e.ifLength(10, func() { e.leaf("Constant", "0", "dataType", "string") }, func() { e.substring(12, 2) })
			})
		})
	}
	year := named("year", func() {
		e.ifLength(8, func() {
			e.open("Apply", "function", "concat")
			e.leaf("Constant", "20", "dataType", "string")
			e.substring(1, 2)
			e.close(1)
		}, func() { e.substring(1, 4) })
	})
	month, day := e.timeNumber(features.Month), e.timeNumber(features.Day)
	// The year that ends with February (Sakamoto 1993, comp.lang.c FAQ 20.31).
	begun := named("year from March", func() {
		e.open("Apply", "function", "if")
		e.apply("lessThan", month, "3")
		e.apply("-", year, "1")
		e.empty("FieldRef", "field", year)
		e.close(1)
	})
	shift := e.once("time shift", "shift of the month("+e.time()+")", func(derived string) {
		e.table(derived, "integer", month, "0", func(yield func(in, out string) bool) {
			for i, s := range []string{"0", "3", "2", "5", "0", "3", "5", "1", "4", "6", "2", "4"} {
				if !yield(number(float64(i+1)), s) {
					return
				}
			}
		})
	})
	return named("day of the week", func() { e.weekday(begun, shift, day) })
}

// weekday writes 1 + (y + ⌊y/4⌋ - ⌊y/100⌋ + ⌊y/400⌋ + shift + day) mod 7.
func (e *export) weekday(year, shift, day string) {
	floor := func(by string) {
		e.open("Apply", "function", "floor")
		e.apply("/", year, by)
		e.close(1)
	}
	integer := func(x string) { e.leaf("Constant", x, "dataType", "integer") }
	sum := func(terms ...func()) {
		for range len(terms) - 1 {
			e.open("Apply", "function", "+")
		}
		terms[0]()
		for _, t := range terms[1:] {
			t()
			e.close(1)
		}
	}
	field := func(name string) func() { return func() { e.empty("FieldRef", "field", name) } }
	e.open("Apply", "function", "+")
	e.open("Apply", "function", "modulo")
	sum(field(year), func() { floor("4") }, func() {
		e.open("Apply", "function", "-")
		floor("400")
		floor("100")
		e.close(1)
	}, field(shift), field(day))
	integer("7")
	e.close(1)
	integer("1")
	e.close(1)
}

// apply writes a function of a field and an integer.
func (e *export) apply(function, field, x string) {
	e.open("Apply", "function", function)
	e.empty("FieldRef", "field", field)
	e.leaf("Constant", x, "dataType", "integer")
	e.close(1)
}

// ifLength writes then where the time has so many characters, else other.
func (e *export) ifLength(n int, then, other func()) {
	e.open("Apply", "function", "if")
	e.open("Apply", "function", "equal")
	e.open("Apply", "function", "stringLength")
	e.empty("FieldRef", "field", e.time())
	e.close(1)
	e.leaf("Constant", number(float64(n)), "dataType", "integer")
	e.close(1)
	then()
	other()
	e.close(1)
}

// substring writes so many characters of the time from the first, 1, on.
func (e *export) substring(from, length int) {
	e.open("Apply", "function", "substring")
	e.empty("FieldRef", "field", e.time())
	e.leaf("Constant", number(float64(from)), "dataType", "integer")
	e.leaf("Constant", number(float64(length)), "dataType", "integer")
	e.close(1)
}
