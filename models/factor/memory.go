package factor

import "unsafe"

// aligned gives n float32, the first at the beginning of a cache line.
func aligned(n int) []float32 {
	const cacheLine = 64
	a := make([]float32, n+cacheLine/4)
	skip := int(-uintptr(unsafe.Pointer(unsafe.SliceData(a)))&(cacheLine-1)) / 4
	huge(a)
	return a[skip:][:n:n]
}
