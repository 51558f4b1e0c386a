package linear

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// hugeSlots gives n zero slots in huge pages where the system has them: slots
// are hit anywhere in the table, and with pages of 4 KiB most hits also miss
// the processor's cache of page addresses.
func hugeSlots(n int) []slot {
	s := make([]slot, n)
	const page = 2 << 20
	if size := n * int(unsafe.Sizeof(slot{})); size >= 2*page {
		b := unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(s))), size)
		skip := int(-uintptr(unsafe.Pointer(&b[0])) & (page - 1))
		_ = unix.Madvise(b[skip:skip+(size-skip)&^(page-1)], unix.MADV_HUGEPAGE) // a wish, no need
	}
	return s
}
