package columnar

import (
	"encoding/binary"

	"github.com/parquet-go/parquet-go/encoding/thrift"
)

// What follows checks encoded data before a library decodes it, which takes
// the sizes that stand in it on trust: a file of a hundred bytes may ask for
// gigabytes.

const (
	maxDepth    = 24      // of structs in a footer; Parquet's own have 7
	maxElements = 4 << 20 // of lists in a footer: 500 row groups of 1,000 columns have 2.5 M
)

// checkThrift walks the struct of Thrift's compact protocol that b begins with
// and gives its length. It fails with thrift's io.ErrUnexpectedEOF where b ends
// before it does.
func checkThrift(b []byte) (int, error) {
	var p thrift.CompactProtocol
	w := thriftWalk{r: p.NewReaderFromBytes(b)}
	err := w.structure(0)
	return w.r.BytesRead(), err
}

type thriftWalk struct {
	r        thrift.BytesReader
	elements int
}

func (w *thriftWalk) structure(depth int) error {
	if depth > maxDepth {
		return damaged("structs nested more than %d deep", maxDepth)
	}
	for {
		f, err := w.r.ReadField()
		if err != nil {
			return err
		}
		if f.Type == thrift.STOP {
			return nil
		}
		if f.Type == thrift.TRUE || f.Type == thrift.FALSE {
			continue // the value is in the type
		}
		if err := w.value(f.Type, depth); err != nil {
			return err
		}
	}
}

func (w *thriftWalk) value(t thrift.Type, depth int) (err error) {
	switch t {
	case thrift.TRUE, thrift.FALSE, thrift.I8:
		_, err = w.r.ReadInt8()
	case thrift.I16, thrift.I32, thrift.I64:
		_, err = w.r.ReadInt64()
	case thrift.DOUBLE:
		_, err = w.r.ReadFloat64()
	case thrift.BINARY:
		_, err = w.r.ReadBytes()
	case thrift.LIST, thrift.SET:
		var l thrift.List
		if l, err = w.r.ReadList(); err == nil {
			err = w.items(int(l.Size), depth, l.Type)
		}
	case thrift.MAP:
		var m thrift.Map
		if m, err = w.r.ReadMap(); err == nil {
			err = w.items(int(m.Size), depth, m.Key, m.Value)
		}
	case thrift.STRUCT:
		err = w.structure(depth + 1)
	default:
		err = damaged("thrift type %d", t)
	}
	return err
}

// items walks n items, each of the given types.
func (w *thriftWalk) items(n, depth int, types ...thrift.Type) error {
	if w.elements += n; n < 0 || w.elements > maxElements {
		return damaged("more than %d list items", maxElements)
	}
	if depth > maxDepth {
		return damaged("lists nested more than %d deep", maxDepth)
	}
	for range n {
		for _, t := range types {
			if err := w.value(t, depth+1); err != nil {
				return err
			}
		}
	}
	return nil
}

// checkRuns checks data of the RLE / bit-packing hybrid of that many bits a
// value: that it is whole, and holds at least n values and not a run more.
func checkRuns(data []byte, bits, n int) error {
	if bits > 32 {
		return damaged("%d bits a value", bits)
	}
	for at, have := 0, 0; at < len(data); {
		u, size := binary.Uvarint(data[at:])
		if size <= 0 || u>>1 > 1<<31 {
			return damaged("the length of a run")
		}
		if have >= n && u > 1 {
			return damaged("more than %d values", n)
		}
		at += size
		if count := int(u >> 1); u&1 == 0 {
			if have += count; have > n {
				return damaged("a run of %d values: want %d in all", count, n)
			}
			if count > 0 {
				at += (bits + 7) / 8
			}
		} else {
			if have += 8 * count; have > n+7 && have-n >= 8*count {
				return damaged("more than %d values", n)
			}
			at += count * bits
		}
		if at > len(data) {
			return damaged("a run cut short")
		}
	}
	return nil
}

// checkDelta checks the DELTA_BINARY_PACKED values that data begins with: that
// they are whole, n of them and of at most so many bits. It gives their length.
func checkDelta(data []byte, n, bits int) (length int, err error) {
	var head [3]uint64 // block size, miniblocks a block, number of values
	at := 0
	for i := range head {
		u, size := binary.Uvarint(data[at:])
		if size <= 0 || u > 1<<31 {
			return 0, damaged("the head of delta-coded values")
		}
		head[i] = u
		at += size
	}
	block, minis, count := int(head[0]), int(head[1]), int(head[2])
	_, size := binary.Varint(data[at:])
	at += size
	switch {
	case size <= 0 || minis == 0 || block == 0 || block > 1<<16 || block%128 != 0 || block%minis != 0 || block/minis%32 != 0:
		return 0, damaged("the head of delta-coded values")
	case count != n:
		return 0, damaged("%d delta-coded values: want %d", count, n)
	}
	mini := block / minis
	for left := count - 1; left > 0; {
		_, size := binary.Varint(data[at:])
		if size <= 0 || at+size+minis > len(data) {
			return 0, damaged("delta-coded values cut short")
		}
		at += size
		widths := data[at : at+minis]
		at += minis
		for _, w := range widths {
			if left <= 0 {
				break
			}
			if int(w) > bits {
				return 0, damaged("%d bits a delta: want %d at most", w, bits)
			}
			at += mini / 8 * int(w)
			left -= mini
		}
	}
	if at > len(data) {
		return 0, damaged("delta-coded values cut short")
	}
	return at, nil
}
