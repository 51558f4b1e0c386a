//go:build !(darwin || dragonfly || freebsd || linux || netbsd || openbsd)

package broker

import (
	"errors"
	"os"
)

var errLocked = errors.New("locked")

// lockFile creates a file. Where files can't be locked, a second broker is
// only noticed by its port.
func lockFile(name string) (*os.File, error) {
	return os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o644)
}
