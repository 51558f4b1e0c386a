//go:build darwin || dragonfly || freebsd || netbsd || openbsd

package features

import "os"

// reserve makes f size bytes long.
func reserve(f *os.File, size int64) error { return writeZeros(f, size) }
