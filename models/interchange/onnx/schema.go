package onnx

import (
	"encoding/binary"
	"math"
)

// The part of onnx.proto (ONNX 1.16, IR version 10) that a model of ours has.
// Each type below is the message of the same name less "Proto", and its fields
// have the numbers that stand in encode.

// Element types (TensorProto.DataType).
const (
	typeFloat  = 1
	typeUint8  = 2
	typeInt64  = 7
	typeString = 8
	typeBool   = 9
	typeDouble = 11
	typeUint32 = 12
)

// Attribute types (AttributeProto.AttributeType).
const (
	attributeInt    = 2
	attributeString = 3
	attributeTensor = 4
	attributeInts   = 7
)

// tensor is an array. Its elements are texts, or raw: little endian, row by row.
type tensor struct {
	name  string
	kind  int64
	dims  []int64
	raw   []byte
	texts [][]byte
	// file and offset, where file is not "", say where raw lies instead.
	file   string
	offset int64
}

// element is what a tensor may hold, beside texts.
type element interface {
	float32 | float64 | int64 | uint32 | uint8
}

// array gives the tensor of data; without dims it is a scalar.
func array[T element](name string, data []T, dims ...int) *tensor {
	t := &tensor{name: name, dims: sizes(dims)}
	switch any(data).(type) {
	case []float32:
		t.kind = typeFloat
	case []float64:
		t.kind = typeDouble
	case []int64:
		t.kind = typeInt64
	case []uint32:
		t.kind = typeUint32
	default:
		t.kind = typeUint8
	}
	t.raw = littleEndian(data)
	return t
}

func littleEndian[T element](data []T) []byte {
	b := make([]byte, 0, binary.Size(data))
	switch data := any(data).(type) {
	case []float32:
		for _, v := range data {
			b = binary.LittleEndian.AppendUint32(b, math.Float32bits(v))
		}
	case []float64:
		for _, v := range data {
			b = binary.LittleEndian.AppendUint64(b, math.Float64bits(v))
		}
	case []int64:
		for _, v := range data {
			b = binary.LittleEndian.AppendUint64(b, uint64(v))
		}
	case []uint32:
		for _, v := range data {
			b = binary.LittleEndian.AppendUint32(b, v)
		}
	case []uint8:
		b = append(b, data...)
	}
	return b
}

// words gives a tensor of texts.
func words(name string, texts [][]byte, dims ...int) *tensor {
	return &tensor{name: name, kind: typeString, dims: sizes(dims), texts: texts}
}

func sizes(dims []int) []int64 {
	out := make([]int64, len(dims))
	for i, d := range dims {
		out[i] = int64(d)
	}
	return out
}

func (t *tensor) encode() *message {
	m := new(message)
	for _, d := range t.dims {
		m.number(1, d)
	}
	m.number(2, t.kind)
	for _, s := range t.texts {
		m.bytes(6, s)
	}
	if t.name != "" {
		m.text(8, t.name)
	}
	switch {
	case t.file != "":
		for _, e := range [][2]string{{"location", t.file}, {"offset", decimal(t.offset)}, {"length", decimal(int64(len(t.raw)))}} {
			m.message(13, entry(e[0], e[1]))
		}
		m.number(14, 1) // EXTERNAL
	case t.kind != typeString:
		m.bytes(9, t.raw)
	}
	return m
}

// entry is a StringStringEntryProto.
func entry(key, value string) *message {
	m := new(message)
	m.text(1, key)
	m.text(2, value)
	return m
}

// attribute is one setting of a node: value is an int64, a string, a *tensor or
// an []int64.
type attribute struct {
	name  string
	value any
}

func (a attribute) encode() *message {
	m := new(message)
	m.text(1, a.name)
	kind := int64(0)
	switch v := a.value.(type) {
	case int64:
		kind = attributeInt
		m.number(3, v)
	case string:
		kind = attributeString
		m.text(4, v)
	case *tensor:
		kind = attributeTensor
		m.message(5, v.encode())
	case []int64:
		kind = attributeInts
		m.numbers(8, v)
	}
	m.number(20, kind)
	return m
}

// node is one operation.
type node struct {
	op, domain      string
	inputs, outputs []string
	attributes      []attribute
}

func (n *node) encode() *message {
	m := new(message)
	for _, s := range n.inputs {
		m.text(1, s)
	}
	for _, s := range n.outputs {
		m.text(2, s)
	}
	m.text(3, n.outputs[0]) // the node's name: that of what it makes
	m.text(4, n.op)
	for _, a := range n.attributes {
		m.message(5, a.encode())
	}
	if n.domain != "" {
		m.text(7, n.domain)
	}
	return m
}

// value is a ValueInfo: an input or output of the graph, or what is inside and
// needs a word, of one dimension, the rows.
type value struct {
	name, doc string
	kind      int64
}

// rows is the name of the one dimension.
const rows = "N"

func (v *value) encode() *message {
	var dim, shape, array, kind, m message
	dim.text(2, rows)
	shape.message(1, &dim)
	array.number(1, v.kind)
	array.message(2, &shape)
	kind.message(1, &array)
	m.text(1, v.name)
	m.message(2, &kind)
	if v.doc != "" {
		m.text(3, v.doc)
	}
	return &m
}

// graph is what a model does.
type graph struct {
	name                    string
	nodes                   []*node
	constants               []*tensor
	inputs, outputs, inside []*value
}

func (g *graph) encode() *message {
	m := new(message)
	for _, n := range g.nodes {
		m.message(1, n.encode())
	}
	m.text(2, g.name)
	for _, t := range g.constants {
		m.message(5, t.encode())
	}
	for _, v := range g.inputs {
		m.message(11, v.encode())
	}
	for _, v := range g.outputs {
		m.message(12, v.encode())
	}
	for _, v := range g.inside {
		m.message(13, v.encode())
	}
	return m
}

// domain is a set of operations and its version.
type domain struct {
	name    string
	version int64
}

// model is the whole.
type model struct {
	version  string // of ctr
	doc      string
	graph    graph
	domains  []domain
	metadata [][2]string
}

func (p *model) encode() *message {
	m := new(message)
	m.number(1, irVersion)
	m.text(2, "ctr")
	m.text(3, p.version)
	m.text(6, p.doc)
	m.message(7, p.graph.encode())
	for _, d := range p.domains {
		var id message
		id.text(1, d.name)
		id.number(2, d.version)
		m.message(8, &id)
	}
	for _, e := range p.metadata {
		m.message(14, entry(e[0], e[1]))
	}
	return m
}
