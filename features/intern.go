package features

import "encoding/binary"

// interner gives values codes in the order of their coming: 0, 1, 2 … It
// belongs to one goroutine. It is the growing twin of Dictionary.
type interner struct {
	bytes   []byte
	offsets []uint64 // value i is bytes[offsets[i]:offsets[i+1]]
	table   []dictEntry
	shift   uint
}

func newInterner() *interner { return newInternerFor(32) }

// newInternerFor gives one with room for n values.
func newInternerFor(n int) *interner {
	size := tableSize(n)
	offsets := make([]uint64, 1, n+1)
	return &interner{offsets: offsets, table: Huge[dictEntry](int(size)), shift: tableShift(size)}
}

func (n *interner) len() int { return len(n.offsets) - 1 }

func (n *interner) value(id uint32) []byte { return n.bytes[n.offsets[id]:n.offsets[id+1]] }

// append appends value id.
func (n *interner) append(dst []byte, id uint32) []byte { return append(dst, n.value(id)...) }

// idAt interns data[s:e].
func (n *interner) idAt(data []byte, s, e uint32) uint32 {
	size := e - s
	if size > 8 || uint64(s)+8 > uint64(len(data)) {
		return n.id(data[s:e])
	}
	key := binary.LittleEndian.Uint64(data[s:]) & lowBytes[size]
	for i := hashKey(key, size) >> (n.shift & 63); ; i++ {
		if i >= uint64(len(n.table)) {
			i = 0
		}
		t := &n.table[i]
		if t.key == key && t.size == size && t.code != 0 {
			return t.code - 1
		}
		if t.code == 0 {
			return n.add(i, key, data[s:e])
		}
	}
}

// id interns v.
func (n *interner) id(v []byte) uint32 {
	key, size := keyOf(v), uint32(len(v))
	for i := hashKey(key, size) >> (n.shift & 63); ; i++ {
		if i >= uint64(len(n.table)) {
			i = 0
		}
		t := &n.table[i]
		if t.code == 0 {
			return n.add(i, key, v)
		}
		if t.key == key && t.size == size && (size <= 8 || string(n.value(t.code-1)) == string(v)) {
			return t.code - 1
		}
	}
}

// add puts v, which the table has not got, at entry i.
func (n *interner) add(i, key uint64, v []byte) uint32 {
	id := uint32(n.len())
	n.bytes = append(n.bytes, v...)
	n.offsets = append(n.offsets, uint64(len(n.bytes)))
	n.table[i] = dictEntry{key: key, code: id + 1, size: uint32(len(v))}
	if 2*n.len() > len(n.table) {
		n.grow()
	}
	return id
}

// growsFast is the size up to which a table grows fourfold: what it costs to
// fill tables again and again is more than what it costs to have them empty.
const growsFast = 1 << 15

func (n *interner) grow() {
	old := n.table
	size := uint64(2 * len(old))
	if size <= growsFast {
		size *= 2
	}
	n.table, n.shift = Huge[dictEntry](int(size)), tableShift(size)
	for _, t := range old {
		if t.code == 0 {
			continue
		}
		i := hashKey(t.key, t.size) >> (n.shift & 63)
		for n.table[i].code != 0 {
			if i++; i == size {
				i = 0
			}
		}
		n.table[i] = t
	}
}
