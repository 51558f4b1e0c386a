package spark

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"

	"ctr/features"
	"ctr/models"
	"ctr/models/interchange"
	"ctr/models/linear"
	"ctr/models/trees"
)

// Exporter writes what Spark ML loads.
func Exporter() interchange.Exporter {
	return interchange.Exporter{
		Name: Name, Title: "a folder that PySpark's PipelineModel.load reads, of Spark 3.5 and 4.x: logistic regression, decision tree, random forest, boosted trees",
		Export: Export,
	}
}

// Export writes a model of logistic regression, a tree, a forest or boosted
// trees as the PipelineModel that gives its probabilities. It refuses hashed
// columns, those that depend on earlier rows and other algorithms. See
// interchange.ExportFunc.
func Export(_ context.Context, a *models.Artifact, path string) ([]string, error) {
	faults := slices.Concat(interchange.Hashed(a.Spec), interchange.Stateful(a.Spec))
	e := &exporter{spec: a.Spec, uid: a.Hash}
	if len(e.uid) == 0 {
		e.uid = "000000000000"
	}
	switch m := a.Model.(type) {
	case *linear.Model:
		e.linear = m
	case *trees.Model:
		e.trees = m.Trees()
	case *trees.Boosted:
		e.trees, e.base = m.Trees(), m.Base()
	default:
		faults = append(faults, fmt.Sprintf("algorithm %s: Spark ML has no such model: want lr, dt, rf or gbdt", a.Model.Algo()))
	}
	if err := interchange.Refuse("Spark", faults); err != nil {
		return nil, err
	}
	for i := range a.Spec.Fields {
		e.field(i, &a.Spec.Fields[i])
	}
	stages, err := e.stages(a)
	if err != nil {
		return nil, err
	}
	return []string{"read the data with columns of text (no inferSchema) to have values looked up as ctr does"}, write(path, e.uid, stages)
}

// exporter lays out a pipeline.
type exporter struct {
	spec   *features.Spec
	uid    string
	linear *linear.Model
	trees  [][]trees.Node
	base   float64

	derived []derived
	index   []columnPair // StringIndexer
	bucket  []columnPair // Bucketizer
	hot     []columnPair // OneHotEncoder of indexes, and of buckets
	hotBins []columnPair
	binned  []int // buckets of each of hotBins
	dicts   []*features.Dictionary
	bounds  [][]float64
	sizes   []int
	inputs  []string // VectorAssembler
	fields  []fieldSlots
	slots   int
}

type columnPair struct{ in, out string }

// fieldSlots says where a field's slots begin: of a linear model one for each
// code, of trees the number of the code, or of a number what goes right and
// left where it is missing; -1 where there is none.
type fieldSlots struct{ first, left int }

// name gives a column of the pipeline's own for field i.
func (e *exporter) name(i int, what string) string {
	clean := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' {
			return r
		}
		return '_'
	}, e.spec.Fields[i].Name)
	return fmt.Sprintf("ctr_%d_%s_%s", i, clean[:min(len(clean), 40)], what)
}

// derive adds a column made by SQL.
func (e *exporter) derive(i int, what string) string {
	f := &e.spec.Fields[i]
	d := derived{Column: e.name(i, what), What: what, Name: f.Name, From: f.From, Part: f.Part, Cast: f.Cast, Cap: f.Cap}
	if f.Cast == features.CastBin {
		d.Cast = features.AsRead
	}
	if what == whatValue || what == whatMissing {
		d.Mean, d.Scale = f.Mean, f.Scale
		if d.Scale == 0 {
			d.Scale = 1
		}
	}
	if time := e.spec.Schema.Find(features.Time); time != "" && (f.Part != features.Whole || len(f.From) > 1) {
		d.Time = time
	}
	e.derived = append(e.derived, d)
	return d.Column
}

// slot adds a column of n slots to the vector and gives the first.
func (e *exporter) slot(column string, n int) int {
	e.inputs = append(e.inputs, column)
	e.slots += n
	return e.slots - n
}

// field adds what field i needs.
func (e *exporter) field(i int, f *features.Field) {
	at := fieldSlots{first: -1, left: -1}
	switch {
	case f.Type == features.Num && e.linear != nil && f.Values:
		// Weight 0 is of a missing number, weight 1 of the number.
		at.first = e.slot(e.derive(i, whatMissing), 1)
		e.slot(e.derive(i, whatValue), 1)
	case f.Type == features.Num && e.linear == nil:
		right, left := e.sides(i)
		if right {
			at.first = e.slot(e.derive(i, whatRight), 1)
		}
		if left {
			at.left = e.slot(e.derive(i, whatLeft), 1)
		}
	default:
		at.first = e.category(i, f)
	}
	e.fields = append(e.fields, at)
}

// sides reports whether a node sends what is missing of field i right, or left.
func (e *exporter) sides(i int) (right, left bool) {
	for _, t := range e.trees {
		for k := range t {
			if n := &t[k]; !n.Leaf() && n.Field == i {
				right, left = right || !n.MissingLeft, left || n.MissingLeft
			}
		}
	}
	return right, left
}

// category adds the index of field i, or for a linear model a slot for each of
// its codes: that of code c > 0 is c-1, that of code 0 the last.
func (e *exporter) category(i int, f *features.Field) int {
	p := columnPair{out: e.name(i, "index")}
	if f.Type == features.Num || f.Cast == features.CastBin {
		p.in = e.derive(i, whatRight)
		e.bucket = append(e.bucket, p)
		e.bounds = append(e.bounds, boundsOf(f))
	} else {
		p.in = f.From[0]
		if len(f.From) > 1 || f.Part != features.Whole || f.Cap != nil || f.Cast != features.AsRead || !plain(p.in) || f.Dict.Code(nil) != 0 || numbers(f.Dict) {
			p.in = e.derive(i, whatText)
		}
		if f.Dict.Code(nil) != 0 {
			e.derived[len(e.derived)-1].Empty = nameOfEmpty(f.Dict)
		}
		e.index = append(e.index, p)
		e.dicts = append(e.dicts, f.Dict)
	}
	if e.linear == nil {
		return e.slot(p.out, 1)
	}
	h := columnPair{p.out, e.name(i, "hot")}
	if f.Type == features.Num || f.Cast == features.CastBin {
		// Spark's metadata does not count the bucket of what is missing.
		e.hotBins, e.binned = append(e.hotBins, h), append(e.binned, e.codes(i)-1)
	} else {
		e.hot, e.sizes = append(e.hot, h), append(e.sizes, e.codes(i))
	}
	return e.slot(h.out, e.codes(i))
}

// nameOfEmpty gives a label for the empty value that no other value has.
func nameOfEmpty(d *features.Dictionary) string {
	name := "(empty)"
	for d.Code([]byte(name)) != 0 {
		name += "_"
	}
	return name
}

// plain reports whether a column can be named in a stage: points and backticks
// mean something there.
func plain(name string) bool { return !strings.ContainsAny(name, ".`") }

// codes gives how many codes field i has, 0 included.
func (e *exporter) codes(i int) int {
	if f := &e.spec.Fields[i]; f.Cast == features.CastBin || f.Type == features.Num {
		return len(boundsOf(f)) + 2
	}
	return e.spec.Size(i)
}

// boundsOf gives the bounds of a field's bins. Spark wants one at least.
func boundsOf(f *features.Field) []float64 {
	if len(f.Bounds) == 0 {
		return []float64{0}
	}
	return f.Bounds
}

// coefficients gives those of the slots.
func (e *exporter) coefficients() []float64 {
	out := make([]float64, e.slots)
	offsets, _ := e.spec.Offsets()
	w := e.linear.Weights()
	for i, at := range e.fields {
		f := &e.spec.Fields[i]
		if f.Type == features.Num && f.Values {
			out[at.first], out[at.first+1] = w[offsets[i]], w[offsets[i]+1]
			continue
		}
		n := e.codes(i)
		for c := range n {
			// A bin's code is its number, or the place of that in a dictionary.
			code := min(c, e.spec.Size(i)-1)
			if f.Cast == features.CastBin {
				code = int(f.Dict.Code(fmt.Append(nil, c)))
			}
			out[at.first+place(c, n)] = w[offsets[i]+code]
		}
	}
	return out
}

// place gives the index of a code among n: that of code 0 is the last.
func place(code, n int) int { return (code + n - 1) % n }

// split gives a node's feature and what goes left.
func (e *exporter) split(n *trees.Node) (feature, categories int, values []float64) {
	f, at := &e.spec.Fields[n.Field], e.fields[n.Field]
	if f.Type == features.Num {
		if feature = at.first; n.MissingLeft {
			feature = at.left
		}
		return feature, -1, []float64{n.Value}
	}
	size := e.codes(n.Field)
	values = []float64{}
	for _, c := range n.Codes {
		code := int(c)
		if f.Cast == features.CastBin && c > 0 {
			if code = binOfCode(f, c); code < 0 {
				continue
			}
		}
		if code < size {
			values = append(values, float64(place(code, size)))
		}
	}
	slices.Sort(values)
	return at.first, size, values
}

// binOfCode gives the bin that a code of a CastBin field stands for, -1 where it
// is none.
func binOfCode(f *features.Field, code uint32) int {
	if int(code) > f.Dict.Len() {
		return -1
	}
	x, ok := features.ParseNumber(f.Dict.Value(code))
	if !ok || !(x >= 1 && x <= float64(len(boundsOf(f))+1)) {
		return -1
	}
	return int(x)
}

// splits gives Spark's splits of bins: a bin ends at its bound, a bucket begins
// at its split.
func splits(bounds []float64) []number {
	out := []number{number(math.Inf(-1))}
	for _, b := range bounds {
		out = append(out, number(math.Nextafter(b, math.Inf(1))))
	}
	return append(out, number(math.Inf(1)))
}
