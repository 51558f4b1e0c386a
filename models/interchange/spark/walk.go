package spark

import (
	"fmt"
	"slices"

	"ctr/features"
	"ctr/models/interchange"
)

// flow is what a stage reads and writes.
type flow struct {
	stage   *stage
	in, out []string
}

// flows finds what the stages before the model read and write, and keeps those
// that the model's features depend on. The columns are those of the data.
func flows(stages []*stage, features_ string, derived map[string]derived) (list []flow, columns []features.Column, err error) {
	for _, s := range stages {
		f := flow{stage: s}
		switch s.class {
		case "SQLTransformer":
			mine, err := readSQL(s)
			if err != nil {
				return nil, nil, err
			}
			for _, d := range mine {
				derived[d.Column] = d
				f.out = append(f.out, d.Column)
			}
		case "VectorAssembler":
			f.in, f.out = s.texts("inputCols"), []string{s.text("outputCol")}
		default:
			if f.in, f.out, err = s.inOut(); err != nil {
				return nil, nil, err
			}
		}
		if s.err != nil {
			return nil, nil, s.err
		}
		list = append(list, f)
	}
	needed := map[string]bool{features_: true}
	for i, f := range slices.Backward(list) {
		if !slices.ContainsFunc(f.out, func(c string) bool { return needed[c] }) {
			list = slices.Delete(list, i, i+1)
			continue
		}
		for _, c := range f.in {
			needed[c] = true
		}
	}
	return list, rawColumns(list, derived), nil
}

// rawColumns gives the columns that no stage writes.
func rawColumns(list []flow, derived map[string]derived) (columns []features.Column) {
	made := map[string]bool{}
	add := func(name string, kind features.Kind) {
		if made[name] || slices.ContainsFunc(columns, func(c features.Column) bool { return c.Name == name }) {
			return
		}
		columns = append(columns, features.Column{Name: name, Kind: kind})
	}
	for _, f := range list {
		for _, name := range f.in {
			kind := features.Number
			if f.stage.class == "StringIndexerModel" {
				kind = features.Category
			}
			d, ok := derived[name]
			switch {
			case !ok:
				add(name, kind)
			case d.Time != "":
				add(d.Time, features.Time)
				fallthrough
			default:
				for _, from := range d.From {
					if d.Time == "" || partOf(timed(d.Time), from) == features.Whole {
						add(from, kind)
					}
				}
			}
		}
		for _, name := range f.out {
			made[name] = true
		}
	}
	return columns
}

// timed is a schema of a time alone.
func timed(column string) *features.Schema {
	return &features.Schema{Columns: []features.Column{{Name: column, Kind: features.Time}}}
}

// walk takes the stages one after another.
func (p *plan) walk(list []flow) error {
	for _, f := range list {
		var err error
		switch f.stage.class {
		case "SQLTransformer", "IndexToString":
		case "StringIndexerModel":
			err = p.stringIndexer(f)
		case "OneHotEncoder", "OneHotEncoderModel":
			err = p.oneHot(f)
		case "VectorAssembler":
			err = p.assemble(f)
		case "MinMaxScalerModel", "StandardScalerModel":
			err = p.scale(f)
		case "Bucketizer":
			err = p.bucketize(f)
		case "VectorIndexerModel":
			err = p.vectorIndex(f)
		default:
			err = f.stage.fail("in the place of a transformer")
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (p *plan) stringIndexer(f flow) error {
	s := f.stage
	invalid, err := s.invalid()
	if err != nil {
		return err
	}
	all, err := p.files.labels(s)
	if err != nil {
		return err
	}
	if len(all) != len(f.in) {
		return s.fail("labels of %d columns: want %d", len(all), len(f.in))
	}
	kept := false
	for i, in := range f.in {
		v, shared, err := p.indexed(s, in, f.out[i], all[i], invalid == "keep")
		if err != nil {
			return err
		}
		if invalid != "keep" {
			p.note("%s: a value of %s that it has not seen Spark would %s; here it counts as the index after the last", s, in, refused[invalid])
		}
		p.columns[f.out[i]], kept = lone(v), kept || shared
	}
	// Dictionaries hold texts of the leaf, or all have their own.
	leaf := all[0].leaf
	if leaf.Forget(p.files.allow); !kept {
		leaf.Drop(p.files.allow)
	} else if len(all) > 1 {
		leaf.DropOffsets(p.files.allow)
	}
	return nil
}

// refused says what Spark does with a row that handleInvalid is about.
var refused = map[string]string{"error": "fail at", "skip": "leave out with its row"}

// labels reads the labels of a StringIndexerModel, column by column.
func (f *files) labels(s *stage) ([]labels, error) {
	t, err := f.data(s, "data", "labels", "labelsArray")
	if err != nil {
		return nil, err
	}
	l, depth := t.one("labelsArray"), 1
	if l == nil {
		l, depth = t.one("labels"), 0
	}
	if l == nil || !l.IsText() && l.Len() > 0 || l.Lists != depth+1 {
		return nil, s.fail("data: no labels")
	}
	if err := f.allow.Take(64 * int64(l.Rows(depth)+1)); err != nil {
		return nil, s.fail("data: %w", err)
	}
	cuts := l.Cuts(depth)
	all := make([]labels, 0, len(cuts)-1)
	for i := range len(cuts) - 1 {
		all = append(all, labels{leaf: l, from: cuts[i], end: cuts[i+1], alone: len(cuts) == 2})
	}
	return all, nil
}

func (p *plan) oneHot(f flow) error {
	s := f.stage
	invalid, err := s.invalid()
	if err != nil {
		return err
	}
	drop := s.flag("dropLast", true)
	var sizes []float64
	if s.class == "OneHotEncoderModel" {
		t, err := p.files.data(s, "data", "categorySizes")
		if err != nil {
			return err
		}
		if sizes, err = t.numbers("categorySizes"); err != nil {
			return err
		}
		if len(sizes) != len(f.in) {
			return s.fail("sizes of %d columns: want %d", len(sizes), len(f.in))
		}
	}
	if s.err != nil {
		return s.err
	}
	for i, in := range f.in {
		v, err := p.column(s, in)
		if err != nil {
			return err
		}
		if len(v) != 1 || p.vectors[in] {
			return s.fail("column %s: a vector: want an index", in)
		}
		known := v[0].src.known
		if sizes != nil {
			known = int(sizes[i])
		}
		// See getConfigedCategorySizes of Spark's OneHotEncoderModel.
		size := known
		switch {
		case drop && invalid != "keep":
			size--
		case !drop && invalid == "keep":
			size++
		}
		slots, err := hot(s, in, v[0].slot, known, size)
		if err != nil {
			return err
		}
		p.columns[f.out[i]], p.vectors[f.out[i]] = slots, true
	}
	return nil
}

func (p *plan) assemble(f flow) error {
	s := f.stage
	invalid, err := s.invalid()
	if err != nil {
		return err
	}
	var all vector
	for _, in := range f.in {
		v, err := p.column(s, in)
		if err != nil {
			return err
		}
		all = joined(all, v)
		if src := v0(v); src != nil && !src.category() && p.derived[in].Column == "" {
			p.missing(s, in, invalid)
		}
	}
	p.columns[f.out[0]], p.vectors[f.out[0]] = all, true
	return nil
}

func v0(v vector) *source {
	if len(v) == 0 {
		return nil
	}
	return v[0].src
}

// missing notes what becomes of a row whose number is missing.
func (p *plan) missing(s *stage, column, invalid string) {
	switch {
	case invalid == "keep" && p.trees: // goes right, there and here
	case invalid == "keep":
		p.note("%s: where %s is missing Spark's probability is no number; here %s adds nothing", s, column, column)
	default:
		way := "adds nothing"
		if p.trees {
			way = "goes right"
		}
		p.note("%s: a row without %s Spark would %s; here %s %s", s, column, refused[invalid], column, way)
	}
}

func (p *plan) bucketize(f flow) error {
	s := f.stage
	invalid, err := s.invalid()
	if err != nil {
		return err
	}
	var splits [][]number
	if s.has("splitsArray") && len(f.in) > 1 || !s.has("splits") {
		s.param("splitsArray", &splits)
	} else {
		splits = make([][]number, 1)
		s.param("splits", &splits[0])
	}
	if s.err != nil {
		return s.err
	}
	if len(splits) != len(f.in) {
		return s.fail("splits of %d columns: want %d", len(splits), len(f.in))
	}
	for i, in := range f.in {
		v, err := p.binned(s, in, f.out[i], splits[i])
		if err != nil {
			return err
		}
		if _, ours := p.derived[in]; !ours || invalid != "keep" {
			way := refused[invalid]
			if invalid == "keep" {
				way = "fail at, unless the assembler keeps it"
			}
			p.note("%s: a row without %s Spark would %s; here it has a bucket after the last", s, in, way)
		}
		p.columns[f.out[i]] = lone(v)
	}
	return nil
}

func (p *plan) scale(f flow) error {
	s := f.stage
	v, err := p.column(s, f.in[0])
	if err != nil {
		return err
	}
	if !p.vectors[f.in[0]] {
		return s.fail("column %s: want a vector", f.in[0])
	}
	names := []string{"originalMin", "originalMax"}
	if s.class == "StandardScalerModel" {
		names = []string{"mean", "std"}
	}
	t, err := p.files.data(s, "data", names...)
	if err != nil {
		return err
	}
	var both [2]vec
	for i, name := range names {
		if both[i], err = t.vector(name); err != nil {
			return err
		}
		if both[i].size != v.size() {
			return s.fail("%s of %d columns: %s has %d", name, both[i].size, f.in[0], v.size())
		}
	}
	if s.class == "StandardScalerModel" {
		for _, x := range both[1].values {
			if x < 0 {
				return s.fail("std %v: want 0 or more", x)
			}
		}
		v = scaled(v, &standard{mean: both[0], std: both[1], center: s.flag("withMean", false), divide: s.flag("withStd", true)})
	} else {
		m := &minMax{min: both[0], max: both[1], lo: s.number("min", 0), hi: s.number("max", 1), old: s.major < 3}
		if !(m.lo < m.hi) {
			return s.fail("min %v, max %v: want the first below the second", m.lo, m.hi)
		}
		for i := range v.size() {
			if m.max.at(i) < m.min.at(i) {
				return s.fail("column %d: from %v to %v: want a range", i, m.min.at(i), m.max.at(i))
			}
		}
		v = scaled(v, m)
	}
	p.columns[f.out[0]], p.vectors[f.out[0]] = v, true
	return s.err
}

// schema settles what the columns of the data are.
func (p *plan) settleSchema(o interchange.ImportOptions, columns []features.Column) (err error) {
	p.schema, err = schemaFor(o, columns)
	if err == nil && len(columns) == 0 {
		err = fmt.Errorf("the model reads no column of the data")
	}
	return err
}
