package features

import (
	"syscall"
	"unsafe"
)

// Huge gives n zeros, in pages of 2 MiB where the system has them: tables of
// weights are hit anywhere, and with pages of 4 KiB most hits also miss the
// processor's cache of page addresses.
func Huge[T any](n int) []T {
	const page = 2 << 20
	a := make([]T, n)
	size := n * int(unsafe.Sizeof(*new(T)))
	if size < 2*page {
		return a
	}
	b := unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(a))), size)
	skip := int(-uintptr(unsafe.Pointer(&b[0])) & (page - 1))
	_ = syscall.Madvise(b[skip:skip+(size-skip)&^(page-1)], syscall.MADV_HUGEPAGE) // a wish, no need
	return a
}
