package onnx

import (
	"bufio"

	"google.golang.org/protobuf/encoding/protowire"
)

// message is a protobuf message in the making. What is long is held and not
// copied, so that a model of gigabytes is in memory once, however deep it
// lies; the caller must not change it afterwards.
type message struct {
	parts [][]byte
	tail  []byte // what follows parts
	size  int64  // of both
}

// held is the length from which bytes are held.
const held = 1 << 12

// grow appends what add appends to the tail.
func (m *message) grow(add func(tail []byte) []byte) {
	n := len(m.tail)
	m.tail = add(m.tail)
	m.size += int64(len(m.tail) - n)
}

// hold puts b behind all that is there.
func (m *message) hold(b []byte) {
	if len(m.tail) > 0 {
		m.parts, m.tail = append(m.parts, m.tail), nil
	}
	m.parts = append(m.parts, b)
	m.size += int64(len(b))
}

// number adds a field of type int64, an enum or a bool.
func (m *message) number(field protowire.Number, v int64) {
	m.grow(func(b []byte) []byte {
		return protowire.AppendVarint(protowire.AppendTag(b, field, protowire.VarintType), uint64(v))
	})
}

// numbers adds a field of type repeated int64, packed.
func (m *message) numbers(field protowire.Number, list []int64) {
	var packed []byte
	for _, v := range list {
		packed = protowire.AppendVarint(packed, uint64(v))
	}
	m.bytes(field, packed)
}

// text adds a field of type string.
func (m *message) text(field protowire.Number, s string) {
	m.grow(func(b []byte) []byte {
		return protowire.AppendString(protowire.AppendTag(b, field, protowire.BytesType), s)
	})
}

// begin adds the tag of a field of so many bytes.
func (m *message) begin(field protowire.Number, size int64) {
	m.grow(func(b []byte) []byte {
		return protowire.AppendVarint(protowire.AppendTag(b, field, protowire.BytesType), uint64(size))
	})
}

// bytes adds a field of type bytes.
func (m *message) bytes(field protowire.Number, v []byte) {
	m.begin(field, int64(len(v)))
	if len(v) < held {
		m.grow(func(b []byte) []byte { return append(b, v...) })
		return
	}
	m.hold(v)
}

// message adds a field of a message's type. Nothing may be added to sub any
// more.
func (m *message) message(field protowire.Number, sub *message) {
	m.begin(field, sub.size)
	for _, p := range append(sub.parts, sub.tail) {
		if len(p) < held {
			m.grow(func(b []byte) []byte { return append(b, p...) })
		} else {
			m.hold(p)
		}
	}
}

// write writes the message to w.
func (m *message) write(w *bufio.Writer) error {
	for _, p := range append(m.parts, m.tail) {
		if _, err := w.Write(p); err != nil {
			return err
		}
	}
	return nil
}
