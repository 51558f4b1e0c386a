//go:build race

package linear

// underRace is whether the race detector is on, which makes tests many times slower.
const underRace = true
