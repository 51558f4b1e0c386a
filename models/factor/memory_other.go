//go:build !linux

package factor

// huge would ask for large pages; here the system decides.
func huge([]float32) {}
