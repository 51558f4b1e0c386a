package pipeline

import (
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// withCores runs f as if the machine had n cores.
func withCores(n int, f func()) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(n))
	f()
}

// Each piece is done once, all are when shared returns, and helpers end.
func TestShared(t *testing.T) {
	withCores(4, func() {
		for n := range 300 {
			done := make([]atomic.Int32, n)
			shared(n, func(take func() int) {
				last := -1
				for k := take(); k >= 0; k = take() {
					if k <= last {
						t.Errorf("piece %d after %d", k, last)
					}
					last = k
					done[k].Add(1)
				}
			})
			for k := range done {
				if got := done[k].Load(); got != 1 {
					t.Fatalf("%d pieces: piece %d done %d times", n, k, got)
				}
			}
		}
		for end := time.Now().Add(10 * time.Second); working.Load() != 0; time.Sleep(time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("%d helpers are left", working.Load())
			}
		}
	})
}

// Pieces that wait for each other can only be done side by side; without a
// further core there is no helper at all.
func TestSharedHelps(t *testing.T) {
	withCores(2, func() {
		var met atomic.Int32
		shared(2, func(take func() int) {
			for k := take(); k >= 0; k = take() {
				met.Add(1)
				for end := time.Now().Add(10 * time.Second); met.Load() < 2 && time.Now().Before(end); {
					runtime.Gosched()
				}
				if met.Load() < 2 {
					t.Error("nobody helped")
				}
			}
		})
	})
	withCores(2, func() {
		shared(1, func(func() int) { // while others have the cores
			shared(1, func(func() int) {
				calls := 0 // the race detector sees a second goroutine
				shared(8, func(take func() int) {
					calls++
					for take() >= 0 {
						runtime.Gosched()
					}
				})
				if calls != 1 {
					t.Errorf("%d goroutines where other requests have all cores", calls)
				}
			})
		})
	})
	withCores(1, func() {
		calls := 0
		shared(8, func(take func() int) {
			calls++ // the race detector sees a second goroutine
			for take() >= 0 {
				runtime.Gosched()
			}
		})
		if calls != 1 {
			t.Errorf("%d goroutines on one core", calls)
		}
	})
}

// A helper's panic is its request's, once nobody is at work any more.
func TestSharedPanic(t *testing.T) {
	withCores(2, func() {
		var owner, atWork atomic.Int32
		defer func() {
			text, _ := recover().(string)
			if !strings.Contains(text, "no model") || !strings.Contains(text, "share_test.go") {
				t.Errorf("panic: %q", text)
			}
			if n := atWork.Load(); n != 0 {
				t.Errorf("%d are still at work", n)
			}
		}()
		shared(2, func(take func() int) {
			atWork.Add(1)
			defer atWork.Add(-1)
			helper := !owner.CompareAndSwap(0, 1)
			if helper {
				time.Sleep(10 * time.Millisecond)
				panic("no model")
			}
			for end := time.Now().Add(10 * time.Second); atWork.Load() < 2 && time.Now().Before(end); {
				runtime.Gosched()
			}
		})
		t.Error("no panic")
	})
}
