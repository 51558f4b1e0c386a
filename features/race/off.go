//go:build !race

// Package race tells tests whether the race detector is on. It makes them many
// times slower, and has nothing to say about statistics and the work of one
// goroutine; and under it sync.Pool forgets at random.
package race

// Enabled is whether the race detector is on.
const Enabled = false
