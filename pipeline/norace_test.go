//go:build !race

package pipeline

// raceDetector is whether the race detector is on.
const raceDetector = false
