package factor

import (
	"syscall"
	"unsafe"
)

// huge asks for pages of 2 MiB under a: tables of weights are read all over,
// and with pages of 4 KiB each read would need a walk of the page tables too.
// It is a hint: an error means nothing but lost speed.
func huge(a []float32) {
	const page = 1 << 21
	p := uintptr(unsafe.Pointer(unsafe.SliceData(a)))
	skip := int(-p & (page - 1))
	size := (len(a)*4 - skip) &^ (page - 1)
	if skip >= len(a)*4 || size <= 0 {
		return
	}
	b := unsafe.Slice((*byte)(unsafe.Pointer(&a[skip/4])), size)
	_ = syscall.Madvise(b, syscall.MADV_HUGEPAGE)
}
