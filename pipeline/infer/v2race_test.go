//go:build race

package infer

// raceOn: sync.Pool forgets at random under the race detector.
const raceOn = true
