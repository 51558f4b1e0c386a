package features

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/bits"
	"unsafe"

	"github.com/cespare/xxhash/v2"
)

// Dictionary maps values to codes 1 … Len; 0 is for all others. It is
// immutable, and safe for concurrent use.
//
// A look-up is one probe of an open-addressing table whose entries hold
// values of up to eight bytes themselves (all of Avazu's are), so that the
// usual case reads one cache line and compares one integer. Longer values are
// found by their xxhash and compared in full.
type Dictionary struct {
	bytes   []byte   // all values, by code
	offsets []uint64 // value of code c is bytes[offsets[c-1]:offsets[c]]
	table   []dictEntry
	shift   uint
}

// dictEntry is 16 bytes, four to a cache line.
type dictEntry struct {
	key  uint64 // the value's bytes, little endian, or its xxhash
	code uint32 // 0 = empty
	size uint32 // length of the value
}

// maxDictionary bounds the number of values: codes are uint32 and 0 is taken.
const maxDictionary = math.MaxUint32 - 1

// NewDictionary makes a Dictionary of the values bytes[offsets[i]:offsets[i+1]],
// the first of which gets code 1. It takes the slices over. It reports offsets
// that fall or leave bytes, and values that come twice.
func NewDictionary(bytes []byte, offsets []uint64) (*Dictionary, error) {
	if len(offsets) == 0 || offsets[0] != 0 || offsets[len(offsets)-1] != uint64(len(bytes)) {
		return nil, fmt.Errorf("dictionary: offsets: want 0 … %d", len(bytes))
	}
	n := len(offsets) - 1
	if uint64(n) > maxDictionary {
		return nil, fmt.Errorf("dictionary: %d values: want at most %d", n, uint64(maxDictionary))
	}
	size := tableSize(n)
	d := &Dictionary{bytes: bytes, offsets: offsets, table: make([]dictEntry, size), shift: tableShift(size)}
	for i := range n {
		lo, hi := offsets[i], offsets[i+1]
		if lo > hi || hi > uint64(len(bytes)) || hi-lo > math.MaxUint32 {
			return nil, fmt.Errorf("dictionary: offsets %d … %d of value %d: want a rise within %d", lo, hi, i+1, len(bytes))
		}
		v := bytes[lo:hi]
		key := keyOf(v)
		at := d.find(key, v)
		if d.table[at].code != 0 {
			return nil, fmt.Errorf("dictionary: value %q twice", v[:min(len(v), maxShown)])
		}
		d.table[at] = dictEntry{key: key, code: uint32(i + 1), size: uint32(len(v))}
	}
	return d, nil
}

// Len gives the number of values.
func (d *Dictionary) Len() int { return len(d.offsets) - 1 }

// Value gives the value of code, 1 … Len. The caller must not change it.
func (d *Dictionary) Value(code uint32) []byte {
	return d.bytes[d.offsets[code-1]:d.offsets[code]:d.offsets[code]]
}

// Tensors gives what NewDictionary takes. The caller must not change it.
func (d *Dictionary) Tensors() (bytes []byte, offsets []uint64) { return d.bytes, d.offsets }

// Code gives the code of v, 0 where the dictionary has not got it.
func (d *Dictionary) Code(v []byte) uint32 {
	return d.table[d.find(keyOf(v), v)].code
}

// codeAt gives the code of data[s:e]. It is Code without the copy of a short
// value where eight bytes can be loaded at s.
func (d *Dictionary) codeAt(data []byte, s, e uint32) uint32 {
	size := e - s
	if size > 8 || uint64(s)+8 > uint64(len(data)) {
		return d.Code(data[s:e])
	}
	key := binary.LittleEndian.Uint64(data[s:]) & lowBytes[size]
	for i := hashKey(key, size) >> (d.shift & 63); ; i++ {
		if i >= uint64(len(d.table)) {
			i = 0
		}
		t := &d.table[i]
		if t.key == key && t.size == size || t.code == 0 {
			return t.code
		}
	}
}

// find gives the place of v in the table: where it is, or the empty entry
// where it would go.
func (d *Dictionary) find(key uint64, v []byte) uint64 {
	size := uint32(len(v))
	for i := hashKey(key, size) >> (d.shift & 63); ; i++ {
		if i >= uint64(len(d.table)) {
			i = 0
		}
		t := &d.table[i]
		if t.code == 0 || t.key == key && t.size == size && (size <= 8 || string(d.Value(t.code)) == string(v)) {
			return i
		}
	}
}

// lowBytes masks the first n bytes of a little-endian load.
var lowBytes = [9]uint64{0, 1<<8 - 1, 1<<16 - 1, 1<<24 - 1, 1<<32 - 1, 1<<40 - 1, 1<<48 - 1, 1<<56 - 1, 1<<64 - 1}

// keyOf gives the key of a value: itself up to eight bytes, else its xxhash.
func keyOf(v []byte) uint64 {
	if len(v) > 8 {
		return xxhash.Sum64(v)
	}
	var b [8]byte
	copy(b[:], v)
	return binary.LittleEndian.Uint64(b[:])
}

// hashKey spreads a key over 64 bits; the upper ones index the table.
func hashKey(key uint64, size uint32) uint64 {
	hi, lo := bits.Mul64(key^0x9E3779B97F4A7C15, 0xD6E8FEB86659FD93+uint64(size)<<1)
	return hi ^ lo
}

// tableSize is a power of two at least twice n.
func tableSize(n int) uint64 { return 1 << max(bits.Len64(uint64(2*n)), 3) }

func tableShift(size uint64) uint { return uint(64 - bits.TrailingZeros64(size)) }

// TableBytes gives the bytes that a Dictionary of n values holds beside what
// NewDictionary takes over.
func TableBytes(n int) int64 {
	return int64(tableSize(n)) * int64(unsafe.Sizeof(dictEntry{}))
}
