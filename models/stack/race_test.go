//go:build race

package stack

// underRace is whether the race detector is on, which makes tests many times slower.
const underRace = true
