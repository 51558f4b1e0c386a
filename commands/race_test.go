//go:build race

package commands

// raceDetector is whether the race detector is on.
const raceDetector = true
