//go:build !(darwin || dragonfly || freebsd || linux || netbsd || openbsd)

package features

import "errors"

// ScratchFiles says whether this system has files mapped into memory.
const ScratchFiles = false

func mapScratch(string, int64) ([]byte, error) {
	return nil, errors.New("no files mapped into memory on this system")
}

func unmapScratch([]byte) {}
