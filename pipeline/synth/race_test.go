//go:build race

package synth

// raceEnabled shortens tests of statistics, which the race detector slows down
// and has nothing to say about.
const raceEnabled = true
