//go:build !failpoints

// Package failpoint lets the chaos test (scripts/chaos) end a process between
// two steps, and switch on bugs that it must find. It is empty unless built
// with -tags failpoints.
package failpoint

// Point is a place between two steps.
func Point(string) {}

// Bug reports whether a bug is switched on.
func Bug(string) bool { return false }
