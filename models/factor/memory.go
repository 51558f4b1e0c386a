package factor

import (
	"unsafe"

	"ctr/features"
)

// aligned gives n float32, the first at the beginning of a cache line.
func aligned(n int) []float32 {
	const cacheLine = 64
	a := features.Huge[float32](n + cacheLine/4)
	skip := int(-uintptr(unsafe.Pointer(unsafe.SliceData(a)))&(cacheLine-1)) / 4
	return a[skip:][:n:n]
}
