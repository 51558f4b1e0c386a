package features

import (
	"encoding/binary"
	"math/bits"
)

// Murmur3 is MurmurHash3_x86_32 (Appleby 2011), the hash that hashed fields
// and onnxruntime's MurmurHash3 share. The result is its unsigned form
// (onnxruntime's positive = 1).
func Murmur3(v []byte, seed uint32) uint32 {
	const c1, c2 = 0xcc9e2d51, 0x1b873593
	h, n := seed, len(v)
	for ; len(v) >= 4; v = v[4:] {
		k := binary.LittleEndian.Uint32(v) * c1
		h ^= bits.RotateLeft32(k, 15) * c2
		h = bits.RotateLeft32(h, 13)*5 + 0xe6546b64
	}
	var k uint32
	switch len(v) {
	case 3:
		k = uint32(v[2]) << 16
		fallthrough
	case 2:
		k |= uint32(v[1]) << 8
		fallthrough
	case 1:
		k |= uint32(v[0])
		h ^= bits.RotateLeft32(k*c1, 15) * c2
	}
	h ^= uint32(n)
	h = (h ^ h>>16) * 0x85ebca6b
	h = (h ^ h>>13) * 0xc2b2ae35
	return h ^ h>>16
}
