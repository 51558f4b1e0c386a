package infer

import (
	"bytes"
	"encoding/binary"
	"math"
	"strconv"
	"strings"
	"testing"
)

func slowElement(kind string, r *bytes.Reader) (string, error) {
	size := map[string]int{"BOOL": 1, "BYTES": 4, "FP16": 2, "FP32": 4, "FP64": 8}[kind]
	if size == 0 {
		bits, _ := strconv.Atoi(strings.TrimLeft(kind, "UINT"))
		size = bits / 8
	}
	b, err := take(r, size)
	if err != nil {
		return "", err
	}
	x := number(b)
	shift := 64 - 8*size
	switch {
	case kind == "BYTES":
		b, err := take(r, int(x))
		return strconv.Quote(string(b)), err
	case kind == "BOOL":
		return strconv.Quote(strconv.FormatBool(x != 0)), nil
	case kind == "FP16":
		y := math.Ldexp(float64(x&1023), -24)
		if e := int(x >> 10 & 31); e == 31 {
			if y = math.Inf(1); x&1023 != 0 {
				y = math.NaN()
			}
		} else if e > 0 {
			y = math.Ldexp(1024+float64(x&1023), e-25)
		}
		if x>>15 == 1 {
			y = -y
		}
		return slowNumber(y, 32), nil
	case kind == "FP32":
		return slowNumber(float64(math.Float32frombits(uint32(x))), 32), nil
	case kind == "FP64":
		return slowNumber(math.Float64frombits(x), 64), nil
	case kind[0] == 'U':
		return strconv.Quote(strconv.FormatUint(x, 10)), nil
	}
	return strconv.Quote(strconv.FormatInt(int64(x<<shift)>>shift, 10)), nil
}

func slowNumber(x float64, bits int) string {
	s := strconv.FormatFloat(x, 'g', -1, bits)
	if x != x {
		s = ""
	} else if math.Abs(x) <= 1<<53 && !strings.Contains(strconv.FormatFloat(x, 'f', -1, 64), ".") {
		s = strings.TrimPrefix(strconv.FormatFloat(x, 'f', -1, 64), "-")
		if x < 0 {
			s = "-" + s
		}
	}
	return strconv.Quote(s)
}

// All binary16 numbers, and the edges of the other types, have the text that is
// written for them, and it reads back as the same number.
func TestBinaryNumbers(t *testing.T) {
	t.Parallel()
	f := func(d datatype, b []byte) {
		t.Helper()
		got := strconv.Quote(string(d.append(nil, b)))
		want, err := slowElement(datatypes[d].name, bytes.NewReader(b))
		if err != nil || got != want {
			t.Errorf("%s %x: %s, want %s", datatypes[d].name, b, got, want)
		}
	}
	for x := range 1 << 16 {
		f(typeFP16, binary.LittleEndian.AppendUint16(nil, uint16(x)))
	}
	var edges []uint64
	for i := range 64 {
		edges = append(edges, 1<<i, 1<<i-1, 1<<i+1, -(1 << i), ^uint64(0)<<i)
	}
	for _, x := range []float64{0, math.Copysign(0, -1), 0.1, -2.5, 1e15, 1 << 53, 1<<53 + 2, 1e300, math.Inf(1), math.Inf(-1), math.NaN(), math.MaxFloat32} {
		edges = append(edges, math.Float64bits(x), uint64(math.Float32bits(float32(x))))
	}
	for d := typeBool; d < typeBytes; d++ {
		for _, x := range edges {
			f(d, binary.LittleEndian.AppendUint64(nil, x)[:datatypes[d].size])
		}
	}
	for _, x := range []float64{0.1, 1e-7, 12345.678, 1 << 60} {
		text := typeFP64.append(nil, binary.LittleEndian.AppendUint64(nil, math.Float64bits(x)))
		if y, err := strconv.ParseFloat(string(text), 64); err != nil || y != x {
			t.Errorf("%v: %s", x, text)
		}
	}
	if got := string(typeFP32.append(nil, binary.LittleEndian.AppendUint32(nil, math.Float32bits(0.1)))); got != "0.1" {
		t.Errorf("FP32 0.1: %s", got)
	}
}
