package onnx

import (
	"math"
	"strconv"

	"ctr/features"
)

// number is the form of numbers that may be capped, or read from text: those
// that ctr reads, but for absurdly long ones, which onnxruntime could not read.
const number = `[-+]?(?:[0-9]{1,200}\.?[0-9]{0,100}|\.[0-9]{1,100})(?:[eE][-+]?[0-9]{1,2})?`

// textOf gives the text of a field with a category's value.
func (b *builder) textOf(f int) string {
	fd := &b.spec.Fields[f]
	return b.once("text of "+fd.Name, func() string {
		if len(fd.From) == 1 {
			return b.recast(fd, b.capped(fd))
		}
		var joined string
		for i, name := range fd.From {
			x := name
			if p := b.spec.Schema.PartOf(name); p != features.Whole {
				x = b.partText(p)
			}
			if i > 0 {
				x = b.op("StringConcat", fd.Name+"/joined", b.op("StringConcat", fd.Name+"/left", joined, b.text("join", features.CrossJoin)), x)
			}
			joined = x
		}
		return joined
	})
}

// capped gives the text of a field's column, or its cap's where that is a
// greater number.
func (b *builder) capped(fd *features.Field) string {
	x := fd.From[0]
	if fd.Cap == nil {
		return x
	}
	is, v := b.parsed(x)
	over := b.op("And", fd.Name+"/over", is, b.op("Greater", fd.Name+"/greater", v, b.double(fd.Name+"/cap", *fd.Cap)))
	return b.op("Where", fd.Name+"/capped", over, b.text(fd.Name+"/cap_text", fd.CapText()), x)
}

// parsed gives whether a column's text is a number, and the number, NaN where
// it is none.
func (b *builder) parsed(column string) (is, v string) {
	is = b.isNumber(column)
	v = b.once("number "+column, func() string {
		return b.cast(typeDouble, column+"/number", b.op("Where", column+"/digits", is, column, b.text("nan_text", "nan")))
	})
	return is, v
}

// isNumber gives whether a column's text is a number.
func (b *builder) isNumber(column string) string {
	return b.once("is number "+column, func() string { return b.matches(number, column+"/is_number", column) })
}

// numberOf gives the value of a field that reads a number: a double, NaN where it is missing.
func (b *builder) numberOf(f int) string {
	fd := &b.spec.Fields[f]
	return b.once("value of "+fd.Name, func() string {
		x := fd.From[0]
		if b.texts[x] {
			is, v := b.parsed(x)
			b.once("check "+x, func() string {
				b.checks = append(b.checks, b.op("Or", x+"/valid", is, b.op("Equal", x+"/empty", x, b.text("empty", ""))))
				return x
			})
			x = v
		}
		if fd.Cap != nil {
			x = b.op("Min", fd.Name+"/capped", x, b.double(fd.Name+"/cap", *fd.Cap))
		}
		return x
	})
}

// code gives the code of a field: an int64.
func (b *builder) code(f int) string {
	fd := &b.spec.Fields[f]
	return b.once("code of "+fd.Name, func() string {
		switch {
		case fd.Type == features.Num:
			return b.bin(f)
		case fd.Type == features.Hash && fd.Part == features.Whole:
			return b.hash(f, 1<<b.spec.Bits-1)
		}
		return lookup(b, f, "code", func(code uint32) int64 { return int64(code) })
	})
}

// hash gives the bits of mask of a hashed field's hash.
func (b *builder) hash(f int, mask uint32) string {
	fd := &b.spec.Fields[f]
	h := b.with(node{op: "MurmurHash3", domain: domainMS, attributes: []attribute{
		{"seed", int64(fd.Seed)}, {"positive", int64(1)},
	}}, fd.Name+"/hash", b.textOf(f))
	b.graph.inside = append(b.graph.inside, &value{name: h, kind: typeUint32})
	bits := b.once("mask "+decimal(int64(mask)), func() string { return b.constant(array("mask", []uint32{mask})) })
	return b.cast(typeInt64, fd.Name+"/code", b.op("BitwiseAnd", fd.Name+"/bits", h, bits))
}

// bin gives the bin of a number, that of a Num field or of a cast: 0 where it is missing, else 1 and the
// number of bounds below the value.
func (b *builder) bin(f int) string {
	fd := &b.spec.Fields[f]
	x := b.numberOf(f)
	one := b.integer(1)
	if len(fd.Bounds) > 0 {
		bounds := b.constant(array(fd.Name+"/bounds", fd.Bounds, 1, len(fd.Bounds)))
		below := b.op("Less", fd.Name+"/below", bounds, b.op("Unsqueeze", fd.Name+"/column", x, b.second()))
		count := b.with(node{op: "ReduceSum", attributes: []attribute{{"keepdims", int64(0)}}}, fd.Name+"/count",
			b.cast(typeInt64, fd.Name+"/ones", below), b.second())
		one = b.op("Add", fd.Name+"/bin", count, one)
	}
	return b.op("Where", fd.Name+"/code", b.op("IsNaN", fd.Name+"/missing", x), b.integer(0), one)
}

// codeOf gives the code that a field gives a text.
func (b *builder) codeOf(fd *features.Field, text string) uint32 {
	if fd.Type == features.Dict {
		return fd.Dict.Code([]byte(text))
	}
	return features.Murmur3([]byte(text), fd.Seed) & (1<<b.spec.Bits - 1)
}

// lookup gives at of the code of a field, but for one that is hashed and no
// part of the time. A dictionary's values are looked up at once, without a
// code between; those that are like a value never seen are left out of it.
func lookup[T float64 | int64](b *builder, f int, what string, at func(code uint32) T) string {
	fd := &b.spec.Fields[f]
	name := fd.Name + "/" + what
	if fd.Cast == features.CastBin {
		table := make([]T, len(fd.Bounds)+2)
		for i := range table {
			table[i] = at(b.codeOf(fd, strconv.Itoa(i)))
		}
		return b.gather(0, name, b.constant(array(name+"s", table, len(table))), b.bin(f))
	}
	if fd.Part != features.Whole {
		table := make([]T, partSizes[fd.Part])
		for i := range table {
			table[i] = at(b.codeOf(fd, strconv.Itoa(i)))
		}
		return b.gather(0, name, b.constant(array(name+"s", table, len(table))), b.part(fd.Part))
	}
	if fd.Type == features.Dict && (what == "code" || !b.byCode) {
		var keys [][]byte
		var values []T
		other := at(0)
		for code := uint32(1); code <= uint32(fd.Dict.Len()); code++ {
			if v := at(code); v != other {
				keys, values = append(keys, fd.Dict.Value(code)), append(values, v)
			}
		}
		if len(keys) == 0 { // there must be one
			keys, values = [][]byte{nil}, []T{other}
		}
		return b.encode(name, b.textOf(f), words("", keys, len(keys)), array("", values, len(values)), array("", []T{other}, 1))
	}
	table := make([]T, b.spec.Size(f))
	for code := range table {
		table[code] = at(uint32(code))
	}
	return b.gather(0, name, b.constant(array(name+"s", table, len(table))), b.code(f))
}

// weights gives a table of doubles, and a function that makes doubles of what
// is gathered from it: the table holds floats where nothing is lost by it.
func (b *builder) weights(name string, w []float64) (table string, doubles func(name, x string) string) {
	short := make([]float32, len(w))
	for i, v := range w {
		short[i] = float32(v)
		if float64(short[i]) != v || math.Signbit(float64(short[i])) != math.Signbit(v) {
			return b.constant(array(name, w, len(w))), func(_, x string) string { return x }
		}
	}
	return b.constant(array(name, short, len(short))), func(name, x string) string { return b.cast(typeDouble, name, x) }
}
