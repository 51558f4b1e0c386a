//go:build !race

package factor

// underRace is whether the race detector is on, which makes tests many times slower.
const underRace = false
