//go:build failpoints

// Package failpoint lets the chaos test (scripts/chaos) end a process between
// two steps, and switch on bugs that it must find.
//
//	CTR_FAILPOINTS=written:40,bug=commit-before-flush
//
// kills the process, as kill -9 does, when it comes to the point "written" for
// the 40th time, and switches on the bug. CTR_FAILPOINT_LOG names a file to
// which the name of the point is added before.
package failpoint

import (
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
)

var (
	mu   sync.Mutex
	left = map[string]int{}
	bugs = map[string]bool{}
)

func init() {
	for _, f := range strings.Split(os.Getenv("CTR_FAILPOINTS"), ",") { //nolint:forbidigo // only in builds for the chaos test
		if name, ok := strings.CutPrefix(f, "bug="); ok {
			bugs[name] = true
		} else if at := strings.LastIndexByte(f, ':'); at >= 0 { // names have colons, too
			n, err := strconv.Atoi(f[at+1:])
			if err != nil || n < 1 {
				// A kill that never comes would make a test that can't fail.
				panic("CTR_FAILPOINTS: " + f + ": want NAME:TIMES")
			}
			left[f[:at]] = n
		}
	}
}

// Point is a place between two steps.
func Point(name string) {
	mu.Lock()
	defer mu.Unlock()
	n, ok := left[name]
	if !ok {
		return
	}
	if left[name] = n - 1; n != 1 {
		return
	}
	if f, err := os.OpenFile(os.Getenv("CTR_FAILPOINT_LOG"), os.O_APPEND|os.O_WRONLY|os.O_CREATE, 0o644); err == nil { //nolint:forbidigo // as above
		_, _ = f.WriteString(name + "\n") // the process ends either way
	}
	_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
	select {}
}

// Bug reports whether a bug is switched on.
func Bug(name string) bool { return bugs[name] }
