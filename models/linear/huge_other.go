//go:build !linux

package linear

// hugeSlots gives n zero slots.
func hugeSlots(n int) []slot { return make([]slot, n) }
