package factor

import (
	"sync"
	"sync/atomic"
)

// gate is where threads wait for each other, thousands of times a second. The
// others are mostly there or nearly so, so that a thread first looks for them
// without sleeping. Where it has looked for long, another thread may need the
// very processor it looks from: then it sleeps.
type gate struct {
	arrived  atomic.Int64
	sleepers atomic.Int64
	mu       sync.Mutex
	wake     sync.Cond // on mu
}

// spins is how often a thread looks before it sleeps: some 10 µs.
const spins = 5000

// wait counts the caller in and returns when so many calls have been counted.
func (g *gate) wait(want int64) {
	if g.arrived.Add(1) >= want {
		if g.sleepers.Load() > 0 {
			g.mu.Lock()
			g.wake.Broadcast()
			g.mu.Unlock()
		}
		return
	}
	for range spins {
		if g.arrived.Load() >= want {
			return
		}
	}
	g.sleepers.Add(1)
	g.mu.Lock()
	for g.arrived.Load() < want {
		g.wake.Wait()
	}
	g.mu.Unlock()
	g.sleepers.Add(-1)
}
