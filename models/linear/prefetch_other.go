//go:build !amd64

package linear

// prefetch does nothing: there is no portable way to ask for memory ahead.
func prefetch([]slot, []uint32) {}
