package onnx

import (
	"ctr/features"
	"ctr/models/interchange"
)

// recast gives the text that field fd, which reads x, looks up: of a number, what
// it is cast to.
func (b *builder) recast(fd *features.Field, x string) string {
	switch fd.Cast {
	case features.CastInt:
		r := interchange.NewRecast(fd, interchange.Integer())
		is := b.once("is integer "+x, func() string { return b.matches(interchange.Integer(), x+"/is_integer", x) })
		text := b.once("integer text "+x, func() string {
			n := b.cast(typeInt64, x+"/integer", b.op("Where", x+"/integer_digits", is, x, b.text("zero_text", "0")))
			return b.cast(typeString, x+"/integer_text", n)
		})
		return b.op("Where", fd.Name+"/cast", b.even(fd, r, is, x), text, x)
	case features.CastDouble:
		r := interchange.NewRecast(fd, number)
		is, text := b.isNumber(x), ""
		if n := len(r.Numbers); n == 0 {
			text = b.text(fd.Name+"/unseen", r.Unseen)
		} else {
			_, v := b.parsed(x)
			text = b.encode(fd.Name+"/double_text", v, array("", r.Numbers, n), words("", r.Texts, n), words("", [][]byte{[]byte(r.Unseen)}, 1))
		}
		zero := b.once("is -0 "+x, func() string { return b.matches(interchange.NegativeZero, x+"/is_negative_zero", x) })
		text = b.op("Where", fd.Name+"/signed", zero, b.text("negative_zero", "-0.0"), text)
		return b.op("Where", fd.Name+"/cast", b.even(fd, r, is, x), text, x)
	}
	return x
}

// even gives whether a text is a number, by is, and no odd one.
func (b *builder) even(fd *features.Field, r *interchange.Recast, is, x string) string {
	if len(r.Odd) == 0 {
		return is
	}
	zeros := make([]int64, len(r.Odd))
	even := b.encode(fd.Name+"/even", x, words("", r.Odd, len(r.Odd)), array("", zeros, len(zeros)), array("", []int64{1}, 1))
	return b.op("And", fd.Name+"/even_number", is, b.cast(typeBool, fd.Name+"/is_even", even))
}
