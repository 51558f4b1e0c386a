//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package pipeline

import (
	"errors"
	"os"
	"syscall"
)

// fileLock is the right to write a file. The kernel gives it up when the
// process ends, however it ends.
type fileLock struct{ f *os.File }

// lockFile takes the right to write path, or says who has it.
func lockFile(path string) (*fileLock, error) {
	name := lockName(path)
	for {
		f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o644)
		if err != nil {
			return nil, err
		}
		err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if errors.Is(err, syscall.EWOULDBLOCK) {
			pid := lockHolder(f)
			f.Close()
			return nil, &LockedError{path, pid}
		}
		if err != nil {
			f.Close()
			return nil, &os.PathError{Op: "lock", Path: name, Err: err}
		}
		// Whoever had it may have removed the file after we opened it: then
		// what we locked is no longer what others will find.
		mine, err1 := f.Stat()
		found, err2 := os.Stat(name)
		if err1 != nil || err2 != nil || !os.SameFile(mine, found) {
			f.Close()
			continue
		}
		if err := signLock(f); err != nil {
			f.Close()
			return nil, err
		}
		return &fileLock{f}, nil
	}
}

// release gives the right up. Removing before closing keeps it ours until the
// name is gone.
func (l *fileLock) release() error {
	return errors.Join(os.Remove(l.f.Name()), l.f.Close())
}
