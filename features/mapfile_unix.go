//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package features

import (
	"errors"
	"os"
	"syscall"
)

// mapFile maps a file into memory, to be read.
func mapFile(path string) (data []byte, unmap func() error, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close() // the mapping stays
	info, err := f.Stat()
	if err != nil {
		return nil, nil, err
	}
	size := info.Size()
	switch {
	case !info.Mode().IsRegular():
		return nil, nil, errors.New("want a file")
	case size == 0: // can't be mapped
		return nil, func() error { return nil }, nil
	case int64(int(size)) != size:
		return nil, nil, errors.New("too large for this machine's addresses")
	}
	data, err = syscall.Mmap(int(f.Fd()), 0, int(size), syscall.PROT_READ, syscall.MAP_SHARED)
	if err != nil {
		return nil, nil, os.NewSyscallError("mmap", err)
	}
	return data, func() error { return syscall.Munmap(data) }, nil
}
