package pipeline

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
)

// share is the work on a large request, in pieces that the goroutine of the
// request does one after another; where a core is idle a helper takes some of
// them. Nobody waits for a helper that has not begun: where all cores are busy,
// the goroutine does all of the pieces before a helper is ever run.
type share struct {
	pieces int64
	next   atomic.Int64 // the piece that is taken next
	// gate is held for reading by each helper that works, and for good by the
	// owner, once all pieces are taken.
	gate   sync.RWMutex
	failed atomic.Pointer[string] // the panic of a helper
}

// working counts the goroutines that do pieces of all requests. Helpers come only
// while these are fewer than there are cores: a request that comes while others
// are worked on has its own core's work alone, and pays nothing for helpers.
var working atomic.Int64

// shared calls work, which takes pieces until there is none (a negative one),
// in this goroutine and in helpers. Pieces are taken in ascending order. All
// have been done when shared returns, and no helper is at work any more. A
// panic in a helper goes on in this goroutine, so that it costs one request.
func shared(pieces int, work func(take func() int)) {
	s := &share{pieces: int64(pieces)}
	cores := runtime.GOMAXPROCS(0)
	working.Add(1)
	defer working.Add(-1)
	for range min(pieces, cores) - 1 {
		if working.Add(1) > int64(cores) {
			working.Add(-1)
			break
		}
		go s.help(work)
	}
	s.own(work)
	if p := s.failed.Load(); p != nil {
		panic(*p)
	}
}

// own does the part of the goroutine that shares; whatever becomes of that, it
// waits for the helpers, which use what is the caller's.
func (s *share) own(work func(take func() int)) {
	defer func() {
		s.stop()
		s.gate.Lock() // never unlocked: who comes late finds it closed
	}()
	work(s.take)
}

func (s *share) help(work func(take func() int)) {
	defer working.Add(-1)
	if !s.gate.TryRLock() {
		return
	}
	defer s.gate.RUnlock()
	defer func() {
		if p := recover(); p != nil {
			s.stop()
			text := fmt.Sprintf("%v\n%s", p, debug.Stack())
			s.failed.Store(&text)
		}
	}()
	work(s.take)
}

// take gives the next piece, a negative number where there is none.
func (s *share) take() int {
	if i := s.next.Add(1) - 1; i < s.pieces {
		return int(i)
	}
	return -1
}

// stop leaves the pieces that nobody has taken.
func (s *share) stop() { s.next.Store(s.pieces) }
