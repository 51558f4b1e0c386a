//go:build !linux

package features

// Huge gives n zeros; the size of their pages is the system's choice.
func Huge[T any](n int) []T { return make([]T, n) }
