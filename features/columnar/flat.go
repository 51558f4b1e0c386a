package columnar

import "encoding/binary"

// The metadata of Arrow's messages are FlatBuffers, whose readers take the
// length of a vector on trust. checkMessage walks those parts of a message
// that arrow-go makes lists of (format/Message.fbs and Schema.fbs of Apache
// Arrow: the numbers below are the fields' places there) before it does.

const (
	maxFlatDepth  = 64
	maxFlatTables = 1 << 20 // tables may be shared, so that 100 bytes may stand for 2^30 of them
)

// The kinds of header that a message may have.
const (
	flatSchema          = 1
	flatDictionaryBatch = 2
	flatRecordBatch     = 3
)

// flat is a FlatBuffer. What points out of it panics; guarded makes an error
// of that.
type flat struct {
	b      []byte
	tables int
}

// checkMessage checks the metadata of a message.
func checkMessage(meta []byte) error {
	f := &flat{b: meta}
	return guarded(func() error {
		message := f.indirect(0)
		at := f.field(message, 1)
		header := f.field(message, 2)
		if at == 0 || header == 0 {
			return damaged("message without a header")
		}
		f.pairs(message, 4)
		header = f.indirect(header)
		switch f.b[at] {
		case flatSchema:
			f.vector(header, 3, 8)
			f.pairs(header, 2)
			f.fields(header, 1, 0)
		case flatDictionaryBatch:
			if data := f.field(header, 1); data > 0 {
				f.batch(f.indirect(data))
			}
		case flatRecordBatch:
			f.batch(header)
		}
		return nil
	})
}

func (f *flat) u32(at int) int { return int(binary.LittleEndian.Uint32(f.b[at:])) }

// indirect gives the place that the offset at p leads to.
func (f *flat) indirect(p int) int {
	to := p + f.u32(p)
	_ = f.b[to]
	return to
}

// field gives the place of field number id of a table, 0 where it has none.
func (f *flat) field(table, id int) int {
	if f.tables++; f.tables > maxFlatTables {
		panic("too many tables")
	}
	layout := table - int(int32(f.u32(table)))
	size := int(binary.LittleEndian.Uint16(f.b[layout:]))
	if 4+2*id+2 > size {
		return 0
	}
	at := int(binary.LittleEndian.Uint16(f.b[layout+4+2*id:]))
	if at == 0 {
		return 0
	}
	_ = f.b[table+at]
	return table + at
}

// vector gives the first of a field's n elements, all of which are there.
func (f *flat) vector(table, id, size int) (first, n int) {
	at := f.field(table, id)
	if at == 0 {
		return 0, 0
	}
	at = f.indirect(at)
	n = f.u32(at)
	if n > (len(f.b)-at-4)/size {
		panic("a vector longer than its message")
	}
	return at + 4, n
}

// pairs checks custom metadata: keys with values.
func (f *flat) pairs(table, id int) {
	first, n := f.vector(table, id, 4)
	for i := range n {
		pair := f.indirect(first + 4*i)
		f.vector(pair, 0, 1)
		f.vector(pair, 1, 1)
	}
}

// fields checks a vector of Fields, and the children of each.
func (f *flat) fields(table, id, depth int) {
	if depth > maxFlatDepth {
		panic("fields nested too deep")
	}
	first, n := f.vector(table, id, 4)
	for i := range n {
		field := f.indirect(first + 4*i)
		f.vector(field, 0, 1)
		f.pairs(field, 6)
		if t := f.field(field, 3); t > 0 {
			// These two types have a vector; the others have numbers alone.
			if kind := f.field(field, 2); kind > 0 {
				switch f.b[kind] {
				case 10: // timestamp
					f.vector(f.indirect(t), 1, 1)
				case 14: // union
					f.vector(f.indirect(t), 1, 4)
				}
			}
		}
		f.fields(field, 5, depth+1)
	}
}

// batch checks a RecordBatch.
func (f *flat) batch(table int) {
	const node, buffer, count = 16, 16, 8
	f.vector(table, 1, node)
	f.vector(table, 2, buffer)
	f.vector(table, 4, count)
}
