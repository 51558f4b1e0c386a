package models

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"syscall"

	"ctr/features"
)

// filesystem is what replaceFile asks of the operating system, so that tests
// can make each step fail.
type filesystem interface {
	// Create makes a new file; it is an error if there is one.
	Create(name string, mode fs.FileMode) (tempFile, error)
	Rename(from, to string) error
	Remove(name string) error
	// SyncDir makes a rename in the directory outlast a power cut.
	SyncDir(dir string) error
}

// tempFile is a file being written.
type tempFile interface {
	io.WriteCloser
	Sync() error
}

type osFS struct{}

func (osFS) Create(name string, mode fs.FileMode) (tempFile, error) {
	return os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
}
func (osFS) Rename(from, to string) error { return os.Rename(from, to) }
func (osFS) Remove(name string) error     { return os.Remove(name) }

// SyncDir does nothing on Windows, which has no such call, nor on file systems
// that refuse it.
func (osFS) SyncDir(dir string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	err = d.Sync()
	d.Close() // read only: nothing can be lost
	if errors.Is(err, syscall.EINVAL) || errors.Is(err, errors.ErrUnsupported) {
		return nil
	}
	return err
}

// replaceFile puts what write writes at path: all of it or, on an error,
// nothing (but for an error of the very last step, SyncDir, when the new file
// is there already). See Artifact.Write.
func replaceFile(sys filesystem, path string, write func(io.Writer) error) error {
	target, mode := path, fs.FileMode(0o666) // less the umask
	if real, err := filepath.EvalSymlinks(path); err == nil {
		target = real
	}
	if info, err := os.Stat(target); err == nil {
		switch {
		case info.IsDir():
			return fmt.Errorf("%s: a folder: want a file", path)
		case !info.Mode().IsRegular():
			return pathError(path, writeInPlace(target, write))
		}
		mode = info.Mode().Perm()
	}
	temp := filepath.Join(filepath.Dir(target), fmt.Sprintf(".%s.%08x.tmp", filepath.Base(target), rand.Uint32()))
	err := writeTemp(sys, temp, mode, write)
	if err == nil {
		if err = sys.Rename(temp, target); err != nil {
			err = withCleanup(sys, temp, err)
		}
	}
	if errors.Is(err, syscall.ENOSPC) {
		return features.WithHint(pathError(path, err), "the disk is full; what was at "+path+" before is unchanged")
	} else if err != nil {
		return pathError(path, err)
	}
	return pathError(path, sys.SyncDir(filepath.Dir(target)))
}

// writeTemp writes and flushes a new file, and removes it on an error.
func writeTemp(sys filesystem, name string, mode fs.FileMode, write func(io.Writer) error) error {
	f, err := sys.Create(name, mode)
	if err != nil {
		return err
	}
	b := bufio.NewWriterSize(f, 1<<16)
	if err = write(b); err == nil {
		err = b.Flush()
	}
	if err == nil {
		err = f.Sync()
	}
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return withCleanup(sys, name, err)
	}
	return nil
}

// withCleanup removes a temporary file after err. Where that fails too, the
// error names the file that stays.
func withCleanup(sys filesystem, name string, err error) error {
	if left := sys.Remove(name); left != nil {
		return fmt.Errorf("%w; %s is left behind: %w", bare(err), name, bare(left))
	}
	return err
}

// writeInPlace writes to a device or a pipe.
func writeInPlace(path string, write func(io.Writer) error) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	err = write(f)
	if closed := f.Close(); err == nil {
		err = closed
	}
	return err
}

// pathError puts path before err, in place of the name that the operating
// system's errors bring along: a temporary file's name helps nobody.
func pathError(path string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", path, bare(err))
}

// bare takes the operation and the path off an error of the operating system.
func bare(err error) error {
	var p *fs.PathError
	var l *os.LinkError
	switch {
	case errors.As(err, &p) && err == error(p): //nolint:errorlint // only where it is the outermost
		return p.Err
	case errors.As(err, &l) && err == error(l): //nolint:errorlint // as above
		return l.Err
	}
	return err
}
