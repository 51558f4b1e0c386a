//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package features

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// ScratchFiles says whether this system has files mapped into memory.
const ScratchFiles = true

// mapScratch maps size zeros of a new file without a name. Their place on the
// disk is theirs from the start: a full disk is an error here, and not a
// signal when they are written.
func mapScratch(dir string, size int64) ([]byte, error) {
	f, err := os.CreateTemp(dir, "ctr-scratch-*")
	if err != nil {
		return nil, err
	}
	defer f.Close() // the mapping stays
	if err := os.Remove(f.Name()); err != nil {
		return nil, err
	}
	if int64(int(size)) != size {
		return nil, fmt.Errorf("%d bytes: too large for this machine's addresses", size)
	}
	if err := reserve(f, size); err != nil {
		return nil, fmt.Errorf("%d MiB of scratch in %s: %w", size>>20, filepath.Dir(f.Name()), bareError(err))
	}
	m, err := syscall.Mmap(int(f.Fd()), 0, int(size), syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_SHARED)
	if err != nil {
		return nil, os.NewSyscallError("mmap", err)
	}
	return m, nil
}

func unmapScratch(m []byte) { _ = syscall.Munmap(m) } // no one could do anything about an error

// writeZeros fills a file, so that its blocks are there.
func writeZeros(f *os.File, size int64) error {
	zeros := make([]byte, min(size, 1<<20))
	for at := int64(0); at < size; at += int64(len(zeros)) {
		if _, err := f.WriteAt(zeros[:min(int64(len(zeros)), size-at)], at); err != nil {
			return err
		}
	}
	return nil
}
