package spark

import (
	"fmt"
	"math"
	"slices"

	"ctr/features"
	"ctr/models/interchange"
)

// plan walks the stages of a pipeline and keeps what each column holds.
type plan struct {
	files   *files
	schema  *features.Schema
	trees   bool // the model is one of trees: bins are categories
	asRead  bool // columns were indexed as they are read
	columns map[string]vector
	vectors map[string]bool // which of columns are vectors
	raw     map[string]*source
	derived map[string]derived // by SQLTransformers that ctr export wrote
	sources []*source
	codes   []uint32 // see allCodes
	notes   []string
}

// note adds a note once.
func (p *plan) note(format string, a ...any) {
	if n := fmt.Sprintf(format, a...); !slices.Contains(p.notes, n) {
		p.notes = append(p.notes, n)
	}
}

// newSource adds a field in the making.
func (p *plan) newSource(f features.Field, numbers *numbering) *source {
	s := &source{field: f, numbers: numbers}
	p.sources = append(p.sources, s)
	return s
}

// fieldOf gives what reads a column of the data, or one that ctr's SQL makes.
func (p *plan) fieldOf(column string) features.Field {
	if d, ok := p.derived[column]; ok {
		return d.field()
	}
	if part := partOf(p.schema, column); part != features.Whole {
		return features.Field{Name: column, From: []string{p.schema.Find(features.Time)}, Part: part}
	}
	return features.Field{Name: column, From: []string{column}}
}

// partOf gives the part of the time that a column is called by, where the
// schema has a time and no column of that name.
func partOf(s *features.Schema, column string) features.Part {
	for _, p := range []features.Part{features.HourTime, features.Day, features.DayOfWeek, features.Month} {
		if column == string(p) && s.Find(features.Time) != "" && s.Kind(column) == features.Ignore {
			return p
		}
	}
	return features.Whole
}

// partRange gives the numbers that a part of the time may be.
func partRange(p features.Part) (from, to int) {
	switch p {
	case features.HourTime:
		return 0, 23
	case features.Day:
		return 1, 31
	case features.DayOfWeek:
		return 1, 7
	default:
		return 1, 12
	}
}

// column gives the slots of a column that a stage reads: one that an earlier
// stage made, or a number of the data.
func (p *plan) column(s *stage, name string) (vector, error) {
	if v, ok := p.columns[name]; ok {
		return v, nil
	}
	src := p.raw[name]
	if src == nil {
		var err error
		if src, err = p.number(s, name); err != nil {
			return nil, err
		}
		p.raw[name] = src
	}
	v := slot{src: src, hot: theNumber, missing: math.NaN()}
	if d, ok := p.derived[name]; ok {
		v.missing = d.missing()
		if d.What == whatMissing {
			v.hot = theMissing
		}
	}
	return lone(v), nil
}

// number makes a source of a column of the data that is read as a number.
func (p *plan) number(s *stage, name string) (*source, error) {
	f := p.fieldOf(name)
	if d, ok := p.derived[name]; ok {
		if !d.isNumber() {
			return nil, s.fail("column %s: a text: want a number", name)
		}
		// Several columns of our SQL may be of one number.
		for _, other := range p.sources {
			if !other.category() && other.field.Name == f.Name {
				return other, nil
			}
		}
	}
	if f.Part == features.Whole {
		f.Type, f.Values = features.Num, true
		if f.Scale == 0 {
			f.Scale = 1
		}
		return p.newSource(f, nil), nil
	}
	// A part of the time is one of a few numbers: a category of them all.
	from, to := partRange(f.Part)
	var all []float64
	for x := from; x <= to; x++ {
		all = append(all, float64(x))
	}
	d, err := few(all, p.files.allow, whole)
	if err != nil {
		return nil, s.fail("%w", err)
	}
	f.Type, f.Dict = features.Dict, d
	// No row has code 0: every time has its parts.
	return p.newSource(f, &numbering{n: len(all), first: from, unseen: 1 << 20}), nil
}

// lone gives a column of numbers.
func lone(s slot) vector { return vector{{slot: s, n: 1}} }

// indexed makes the category of a column by the labels of a StringIndexer. A
// value that has none stands for the number after the last label's, as "keep"
// has it; the null of an empty value is such a one.
//
// The dictionary keeps the texts of l's leaf: shared reports that nothing of
// them was written anew.
func (p *plan) indexed(s *stage, column, out string, l labels, keep bool) (v slot, shared bool, err error) {
	if _, made := p.columns[column]; made {
		return slot{}, false, s.fail("column %s: made by another stage: want one of the data", column)
	}
	f := p.fieldOf(column)
	if d, ok := p.derived[column]; ok && d.isNumber() {
		return slot{}, false, s.fail("column %s: a number: want a text", column)
	}
	var write func(dst, label []byte) []byte
	switch {
	case f.Part != features.Whole:
		write = wholeNumber
	case p.derived[column].Empty != "":
		write = func(dst, label []byte) []byte {
			if string(label) == p.derived[column].Empty {
				return dst
			}
			return append(dst, label...)
		}
	// What ctr exported says itself what it casts.
	case !p.asRead && p.derived[column].Column == "" && len(f.From) == 1 && f.Cap == nil && f.Cast == features.AsRead:
		if f.Cast = cast(l.len(), l.at); f.Cast == features.CastDouble {
			write = inJava
		}
	}
	var d *features.Dictionary
	if write == nil {
		d, err = l.dictionary(p.files.allow)
	} else {
		d, err = l.written(p.files.allow, write)
	}
	if err != nil {
		return slot{}, false, s.fail("column %s: %w", column, err)
	}
	f.Type, f.Dict = features.Dict, d
	for _, other := range p.sources {
		if other.field.Name == f.Name {
			f.Name = out
		}
	}
	src := p.newSource(f, &numbering{n: l.len(), unseen: l.len()})
	if src.known = l.len(); keep {
		src.known++
	}
	return slot{src: src, hot: theNumber}, write == nil, nil
}

// binned makes the category of a number's bucket.
func (p *plan) binned(s *stage, column, out string, splits []number) (slot, error) {
	if _, made := p.columns[column]; made {
		return slot{}, s.fail("column %s: made by another stage: want one of the data", column)
	}
	f := p.fieldOf(column)
	if f.Part != features.Whole {
		return slot{}, s.fail("column %s: a part of the time: want a number of the data", column)
	}
	if len(splits) < 3 {
		return slot{}, s.fail("column %s: %d splits: want 3 or more", column, len(splits))
	}
	for i, x := range splits {
		if i > 0 && !(x > splits[i-1]) || math.IsNaN(float64(x)) {
			return slot{}, s.fail("column %s: split %v: want them to rise", column, float64(x))
		}
		if i > 0 && i < len(splits)-1 {
			// A bucket begins at its split, a bin ends at its bound.
			f.Bounds = append(f.Bounds, math.Nextafter(float64(x), math.Inf(-1)))
		}
	}
	if !math.IsInf(float64(splits[0]), -1) || !math.IsInf(float64(splits[len(splits)-1]), 1) {
		p.note("%s: Spark fails where %s is outside %v … %v; here it falls into the first or the last bucket", s, column, float64(splits[0]), float64(splits[len(splits)-1]))
	}
	n := len(splits) - 1
	f.Type, f.Scale, f.Mean, f.Values = features.Num, 1, 0, false
	if p.trees {
		bins := make([]float64, n)
		for i := range bins {
			bins[i] = float64(i + 1)
		}
		d, err := few(bins, p.files.allow, whole)
		if err != nil {
			return slot{}, s.fail("column %s: %w", column, err)
		}
		f.Type, f.Cast, f.Dict, f.Scale = features.Dict, features.CastBin, d, 0
	}
	for _, other := range p.sources {
		if other.field.Name == f.Name {
			f.Name = out
		}
	}
	src := p.newSource(f, &numbering{n: n, unseen: n})
	src.known = n
	return slot{src: src, hot: theNumber}, nil
}

// hot makes the vector of a category's one-hot slots, size of them, all 0 for
// numbers from size on. Numbers outside 0 … known-1 stand for "invalid": known
// where keep says so.
func hot(s *stage, column string, in slot, known, size int) (vector, error) {
	src := in.src
	if !src.category() || in.hot != theNumber || in.chain != nil || src.numbers.list != nil {
		return nil, s.fail("column %s: want one that a StringIndexer or a Bucketizer made", column)
	}
	if size < 0 || size > 1<<30 {
		return nil, s.fail("column %s: %d slots: want them within 2^30", column, size)
	}
	r := run{slot: slot{src: src, hot: nobody}, n: size, hotCode: true, zero: min(src.numbers.unseen, known)}
	if r.zero < 0 || r.zero >= size {
		r.zero = -1
	} else if r.zero == known && src.numbers.first+src.numbers.n > known { // several codes in one slot: only what is invalid
		return nil, s.fail("column %s: %d categories for %d values: want one for each", column, known, src.numbers.n+1)
	}
	if size == 0 {
		return vector{}, nil
	}
	return vector{r}, nil
}

// settle gives the Spec of the sources that slots use, in the order of the
// slots. Slots from on to before end are used where used says so.
func (p *plan) settle(v vector, used func(from, end int) bool) (*features.Spec, error) {
	spec := &features.Spec{Schema: *p.schema}
	for i := range v {
		src := v[i].src
		if src.used || !used(v[i].at, v[i].at+v[i].n) {
			continue
		}
		src.used, src.place = true, len(spec.Fields)
		spec.Fields = append(spec.Fields, src.field)
	}
	if len(spec.Fields) == 0 && len(v) > 0 { // a model of no column at all
		v[0].src.used = true
		spec.Fields = append(spec.Fields, v[0].src.field)
	}
	return spec, spec.Validate()
}

// schemaFor finds the schema of the columns of the data.
func schemaFor(o interchange.ImportOptions, columns []features.Column) (*features.Schema, error) {
	if o.Schema == nil {
		for _, s := range features.Presets() {
			if _, err := pick(s, o, columns); err == nil {
				return s, nil
			}
		}
		return interchange.SchemaFor(o, columns)
	}
	return pick(o.Schema, o, columns)
}

// pick takes s, if it has the columns or can make them of its time.
func pick(s *features.Schema, o interchange.ImportOptions, columns []features.Column) (*features.Schema, error) {
	o.Schema = s
	var own []features.Column
	for _, c := range columns {
		if partOf(s, c.Name) == features.Whole {
			own = append(own, c)
		}
	}
	return interchange.SchemaFor(o, own)
}
