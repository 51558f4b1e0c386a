package kafka

import "encoding/binary"

// murmur2 is the hash by which Kafka's own clients choose the partition of a
// key: MurmurHash2 (Austin Appleby, 2008), 32 bits, seed 0x9747b28c, as in
// org.apache.kafka.common.utils.Utils.murmur2.
func murmur2(key []byte) uint32 {
	const (
		m = 0x5bd1e995
		r = 24
	)
	h := 0x9747b28c ^ uint32(len(key))
	for ; len(key) >= 4; key = key[4:] {
		k := binary.LittleEndian.Uint32(key)
		k *= m
		k ^= k >> r
		k *= m
		h *= m
		h ^= k
	}
	switch len(key) {
	case 3:
		h ^= uint32(key[2]) << 16
		fallthrough
	case 2:
		h ^= uint32(key[1]) << 8
		fallthrough
	case 1:
		h ^= uint32(key[0])
		h *= m
	}
	h ^= h >> 13
	h *= m
	h ^= h >> 15
	return h
}

// keyPartition gives the partition of a key among n, as Kafka's Java client
// does: toPositive(murmur2(key)) % n.
func keyPartition(key []byte, n int32) int32 {
	return int32(murmur2(key)&0x7fffffff) % n
}
