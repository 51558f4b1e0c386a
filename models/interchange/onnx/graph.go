package onnx

import (
	"fmt"
	"math"
	"strconv"

	"ctr/features"
)

var nan = math.NaN()

// builder puts a graph together. What an operation makes is known by the name
// that the builder's methods give, and has shape [N], one for each row, unless
// they say otherwise.
type builder struct {
	spec    *features.Spec
	graph   graph
	columns []column
	texts   map[string]bool   // inputs that are strings
	taken   map[string]bool   // names
	made    map[string]string // what was made once for all, by what it is
	checks  []string          // bools: where one is false, the row is none
	clock   *clock            // the time, once it was asked for
	table   *table            // the weights of hashed fields, once they were asked for
	// byCode has look-ups of a dictionary's values go by way of the code: for
	// models that look a code up more than once.
	byCode bool
}

func newBuilder(spec *features.Spec) *builder {
	return &builder{spec: spec, texts: map[string]bool{}, taken: map[string]bool{}, made: map[string]string{}}
}

// name gives want, or something like it that is not taken yet.
func (b *builder) name(want string) string {
	name := want
	for i := 2; b.taken[name]; i++ {
		name = fmt.Sprintf("%s_%d", want, i)
	}
	b.taken[name] = true
	return name
}

func (b *builder) add(n *node) { b.graph.nodes = append(b.graph.nodes, n) }

// op adds one of ONNX's own operations without attributes and gives what it
// makes.
func (b *builder) op(op, name string, inputs ...string) string {
	return b.with(node{op: op}, name, inputs...)
}

// with adds n, to which it gives inputs and an output.
func (b *builder) with(n node, name string, inputs ...string) string {
	n.inputs, n.outputs = inputs, []string{b.name(name)}
	b.add(&n)
	return n.outputs[0]
}

// once gives what was made of key before, or else what making gives.
func (b *builder) once(key string, making func() string) string {
	if b.made[key] == "" {
		b.made[key] = making()
	}
	return b.made[key]
}

// constant adds a tensor, under its name or one like it.
func (b *builder) constant(t *tensor) string {
	t.name = b.name(t.name)
	b.graph.constants = append(b.graph.constants, t)
	return t.name
}

// double gives a scalar.
func (b *builder) double(name string, v float64) string {
	return b.once("double "+strconv.FormatUint(math.Float64bits(v), 16), func() string {
		return b.constant(array(name, []float64{v}))
	})
}

// integer gives a scalar.
func (b *builder) integer(v int64) string {
	return b.once("integer "+decimal(v), func() string { return b.constant(array("int/"+decimal(v), []int64{v})) })
}

// second gives the number of the axis after that of the rows, as a list.
func (b *builder) second() string {
	return b.once("axis", func() string { return b.constant(array("axis/1", []int64{1}, 1)) })
}

// text gives a scalar.
func (b *builder) text(name, v string) string {
	return b.once("text "+v, func() string { return b.constant(words(name, [][]byte{[]byte(v)})) })
}

func (b *builder) cast(to int64, name, x string) string {
	return b.with(node{op: "Cast", attributes: []attribute{{"to", to}}}, name, x)
}

func (b *builder) matches(pattern, name, x string) string {
	return b.with(node{op: "RegexFullMatch", attributes: []attribute{{"pattern", pattern}}}, name, x)
}

// gather gives the elements of axis of table at index.
func (b *builder) gather(axis int64, name, table, index string) string {
	return b.with(node{op: "Gather", attributes: []attribute{{"axis", axis}}}, name, table, index)
}

// encode gives, for each element of x, the value of that key, otherwise of none
// of them.
func (b *builder) encode(name, x string, keys, values, otherwise *tensor) string {
	return b.with(node{op: "LabelEncoder", domain: domainML, attributes: []attribute{
		{"keys_tensor", keys}, {"values_tensor", values}, {"default_tensor", otherwise},
	}}, name, x)
}

// columnsOf gives the columns side by side: [N, len(list)].
func (b *builder) columnsOf(name string, list []string) string {
	upright := make([]string, len(list))
	for i, x := range list {
		upright[i] = b.op("Unsqueeze", x+"/column", x, b.second())
	}
	return b.with(node{op: "Concat", attributes: []attribute{{"axis", int64(1)}}}, name, upright...)
}

// sigmoid gives 1/(1+exp(-x)) as ctr works it out, without overflow and with
// all its digits at both ends.
func (b *builder) sigmoid(x string) string {
	one := b.double("one", 1)
	e := b.op("Exp", "exp", b.op("Neg", "minus", b.op("Abs", "abs", x)))
	top := b.op("Where", "numerator", b.op("GreaterOrEqual", "positive", x, b.double("zero", 0)), one, e)
	return b.op("Div", "sigmoid", top, b.op("Add", "denominator", e, one))
}

// domains gives the sets of operations that the graph uses.
func (b *builder) domains() []domain {
	list := []domain{{"", opset}, {domainML, opsetML}}
	for _, n := range b.graph.nodes {
		if n.domain == domainMS {
			return append(list, domain{domainMS, opsetMS})
		}
	}
	return list
}

func decimal(v int64) string { return strconv.FormatInt(v, 10) }
