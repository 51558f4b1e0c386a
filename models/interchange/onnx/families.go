package onnx

import (
	"slices"

	"ctr/features"
	"ctr/models/factor"
	"ctr/models/linear"
)

// linear gives the log-odds of a logistic regression: the bias and a term for
// each field, added in the order in which ctr adds them.
func (b *builder) linear(m *linear.Model) string {
	offsets, _ := b.spec.Offsets()
	terms := []string{b.double("bias", m.Bias())}
	for f := range b.spec.Fields {
		fd := &b.spec.Fields[f]
		w := m.Weights()[offsets[f]:][:b.spec.Size(f)]
		switch {
		case fd.Type == features.Num && fd.Values:
			terms = append(terms, b.weighed(f, w[linear.MissingWeight], w[linear.ValueWeight]))
		case fd.Type == features.Hash && fd.Part == features.Whole:
			terms = append(terms, b.hashed(f, w))
		default:
			terms = append(terms, lookup(b, f, "weight", func(code uint32) float64 { return w[code] }))
		}
	}
	return b.op("Sum", "linear", terms...)
}

// weighed gives the term of a number that is weighed itself.
func (b *builder) weighed(f int, missing, weight float64) string {
	fd := &b.spec.Fields[f]
	x := b.numberOf(f)
	scale := fd.Scale
	if scale == 0 {
		scale = 1
	}
	z := b.op("Div", fd.Name+"/standard", b.op("Sub", fd.Name+"/centred", x, b.double(fd.Name+"/mean", fd.Mean)), b.double(fd.Name+"/scale", scale))
	z = b.op("Clip", fd.Name+"/clipped", z, b.double("low", -linear.MaxStandard), b.double("high", linear.MaxStandard))
	return b.op("Where", fd.Name+"/weight", b.op("IsNaN", fd.Name+"/missing", x), b.double(fd.Name+"/weight_missing", missing),
		b.op("Mul", fd.Name+"/product", z, b.double(fd.Name+"/weight_value", weight)))
}

// hashed gives the weight of a hashed field, whose table all of them share.
func (b *builder) hashed(f int, w []float64) string {
	if b.table == nil {
		b.table = new(table)
		b.table.name, b.table.doubles = b.weights("hashed_weights", w)
	}
	name := b.spec.Fields[f].Name + "/weight"
	return b.table.doubles(name+"_double", b.gather(0, name, b.table.name, b.code(f)))
}

// table is the weights of hashed fields.
type table struct {
	name    string
	doubles func(name, x string) string
}

// slots gives the number of each field's slot among those of all fields.
func (b *builder) slots(m *factor.Model) []string {
	list := make([]string, len(b.spec.Fields))
	for f, s := range m.Slots() {
		fd := &b.spec.Fields[f]
		if !s.Hashed {
			list[f] = lookup(b, f, "slot", func(code uint32) int64 {
				if int(code) >= s.Size {
					code = 0
				}
				return int64(s.First) + int64(code)
			})
			continue
		}
		if fd.Part != features.Whole {
			list[f] = lookup(b, f, "slot", func(code uint32) int64 {
				at, _ := slices.BinarySearch(s.Codes, code&s.Mask)
				if at == len(s.Codes) || s.Codes[at] != code&s.Mask {
					return int64(s.First)
				}
				return int64(s.First) + 1 + int64(at)
			})
			continue
		}
		keys := make([]int64, len(s.Codes))
		for i, c := range s.Codes {
			keys[i] = int64(c)
		}
		values := upTo(len(keys), int64(s.First)+1)
		if len(keys) == 0 { // there must be one
			keys, values = []int64{0}, []int64{int64(s.First)}
		}
		code := b.hash(f, s.Mask)
		list[f] = b.encode(fd.Name+"/slot", code, array("", keys, len(keys)), array("", values, len(values)), array("", []int64{int64(s.First)}, 1))
	}
	return list
}

// factor gives the log-odds of a factorisation machine. Sums that ctr takes in
// floats, field by field, are taken so here where the operations allow it.
func (b *builder) factor(m *factor.Model) string {
	slots := b.slots(m)
	vectors, linear := m.Weights()
	weight, scale := m.Constants()
	table := b.constant(array("linear_weights", linear, len(linear)))
	each := make([]string, len(slots))
	var sum string
	if m.Algo() == factor.FieldAware {
		sum = b.pairs(m.Factors(), slots, vectors, len(linear))
	} else {
		sum = b.squares(m.Factors(), slots, vectors, len(linear))
	}
	for f, s := range slots {
		each[f] = b.gather(0, b.spec.Fields[f].Name+"/linear_weight", table, s)
	}
	first := b.op("Mul", "linear", b.cast(typeDouble, "linear_sum_double", b.op("Sum", "linear_sum", each...)), b.double("linear_scale", weight))
	if sum != "" {
		first = b.op("Add", "sum", sum, first)
	}
	return b.op("Add", "log_odds", b.op("Mul", "scaled", first, b.double("scale", scale)), b.double("bias", m.Bias()))
}

// squares gives the products of all pairs of vectors by their sum's square and
// their squares' sum (Rendle 2010, lemma 3.1).
func (b *builder) squares(factors int, slots []string, vectors []float32, n int) string {
	table := b.constant(array("vectors", vectors, n, factors))
	v, squared := make([]string, len(slots)), make([]string, len(slots))
	for f, s := range slots {
		name := b.spec.Fields[f].Name
		v[f] = b.gather(0, name+"/vector", table, s)
		squared[f] = b.op("Mul", name+"/squares", v[f], v[f])
	}
	sum := b.cast(typeDouble, "vectors_sum_double", b.op("Sum", "vectors_sum", v...))
	of := b.cast(typeDouble, "squares_sum_double", b.op("Sum", "squares_sum", squared...))
	twice := b.with(node{op: "ReduceSum", attributes: []attribute{{"keepdims", int64(0)}}}, "products_twice",
		b.op("Sub", "products_of_factors", b.op("Mul", "sum_squared", sum, sum), of), b.second())
	return b.op("Mul", "products", twice, b.double("half", .5))
}

// pairs gives the sum over all pairs of fields of the product of their vectors
// towards each other; "" where there is one field.
func (b *builder) pairs(factors int, slots []string, vectors []float32, n int) string {
	fields := len(slots)
	var left, right []int64
	for f := range fields {
		for g := f + 1; g < fields; g++ {
			left, right = append(left, int64(f*fields+g)), append(right, int64(g*fields+f))
		}
	}
	if len(left) == 0 {
		return ""
	}
	table := b.constant(array("vectors", vectors, n, fields, factors))
	all := b.gather(0, "vectors_of_row", table, b.columnsOf("slots", slots)) // [N, fields, fields, factors]
	shape := b.constant(array("pairs_shape", []int64{-1, int64(fields * fields), int64(factors)}, 3))
	all = b.op("Reshape", "vectors_by_pair", all, shape)
	product := b.op("Mul", "product",
		b.gather(1, "towards", all, b.constant(array("left", left, len(left)))),
		b.gather(1, "back", all, b.constant(array("right", right, len(right)))))
	return b.with(node{op: "ReduceSum", attributes: []attribute{{"keepdims", int64(0)}}}, "products",
		b.cast(typeDouble, "product_double", product), b.constant(array("pairs_axes", []int64{1, 2}, 2)))
}
