//go:build !(darwin || dragonfly || freebsd || linux || netbsd || openbsd)

package pipeline

import (
	"errors"
	"os"
)

// fileLock is the right to write a file: here, having created its lock file.
type fileLock struct{ f *os.File }

// lockFile takes the right to write path, or says who has it. Where a file
// can't be locked, one that a killed process left behind is recognised by its
// process being gone.
func lockFile(path string) (*fileLock, error) {
	name := lockName(path)
	for {
		f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o644)
		if err == nil {
			return &fileLock{f}, signLock(f)
		}
		if !errors.Is(err, os.ErrExist) {
			return nil, err
		}
		old, err := os.Open(name)
		if err != nil {
			return nil, err
		}
		pid := lockHolder(old)
		old.Close()
		if p, err := os.FindProcess(pid); pid == 0 || err == nil {
			if p != nil {
				p.Release()
			}
			return nil, &LockedError{path, pid}
		}
		if err := os.Remove(name); err != nil {
			return nil, err
		}
	}
}

// release gives the right up.
func (l *fileLock) release() error {
	return errors.Join(l.f.Close(), os.Remove(l.f.Name()))
}
