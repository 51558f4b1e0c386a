"""MurmurHash3_x86_32, written from Appleby's reference (2011)."""

MASK = 0xFFFFFFFF


def rotate(x, r):
    return (x << r | x >> (32 - r)) & MASK


def murmur3(value, seed):
    """The unsigned 32-bit hash of bytes."""
    h = seed
    tail = len(value) & ~3
    for i in range(0, tail, 4):
        k = int.from_bytes(value[i:i + 4], "little") * 0xCC9E2D51 & MASK
        h ^= rotate(k, 15) * 0x1B873593 & MASK
        h = (rotate(h, 13) * 5 + 0xE6546B64) & MASK
    if tail < len(value):
        k = int.from_bytes(value[tail:], "little") * 0xCC9E2D51 & MASK
        h ^= rotate(k, 15) * 0x1B873593 & MASK
    h ^= len(value)
    h = (h ^ h >> 16) * 0x85EBCA6B & MASK
    h = (h ^ h >> 13) * 0xC2B2AE35 & MASK
    return h ^ h >> 16
