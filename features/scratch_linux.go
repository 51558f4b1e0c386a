package features

import (
	"errors"
	"os"
	"syscall"
)

// reserve makes f size bytes long.
func reserve(f *os.File, size int64) error {
	for {
		err := syscall.Fallocate(int(f.Fd()), 0, 0, size)
		switch {
		case errors.Is(err, syscall.EINTR):
			continue
		case errors.Is(err, syscall.EOPNOTSUPP), errors.Is(err, syscall.ENOSYS):
			return writeZeros(f, size) // a file system that can't
		}
		return err
	}
}
