package spark

import (
	"archive/tar"
	"archive/zip"
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"

	"ctr/features/columnar"
)

// Limits of what is read. What is held at a time is at most memoryFactor times
// what the input unpacks to, or memoryFloor where that is more: the smallest of
// models needs some. A folder, file or archive counts with at most packRatio
// times its size on the disk, so that it can't claim what it has not got: labels
// differ, and so take room however they are packed.
const (
	memoryFactor = 10
	packRatio    = 10
	memoryFloor  = 4 << 20
	unpackFactor = 50       // an archive may unpack to so many times its size, on the disk
	unpackFloor  = 16 << 20 // or to this much
	maxFiles     = 200_000  // of a folder or archive
	maxMetadata  = 16 << 20 // bytes of one stage's parameters
	maxDepth     = 8        // of pipelines within pipelines
)

// files are those of a saved model. Nothing outside its folder is ever opened:
// os.Root follows no link that leaves it.
type files struct {
	root  *os.Root
	allow *columnar.Allowance
	temp  string // where an archive was unpacked; "" for a folder
}

// open opens a folder, or an archive of one: tar, tar.gz or zip.
func open(name string) (f *files, err error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, err
	}
	f = &files{}
	size := info.Size()
	folder := name
	if !info.IsDir() {
		if f.temp, err = os.MkdirTemp("", "ctr-import-*"); err != nil {
			return nil, err
		}
		folder = f.temp
		if err := unpackFile(name, size, f.temp); err != nil {
			f.close()
			return nil, err
		}
	}
	if f.root, err = os.OpenRoot(folder); err != nil {
		f.close()
		return nil, err
	}
	inside, err := f.walk()
	if err != nil {
		f.close()
		return nil, err
	}
	if info.IsDir() {
		size = inside
	}
	f.allow = columnar.AllowanceFor(size, memoryFactor, packRatio, memoryFloor)
	f.allow.Unpacked(size, inside)
	return f, nil
}

func (f *files) close() {
	if f.root != nil {
		f.root.Close()
	}
	if f.temp != "" {
		os.RemoveAll(f.temp) //nolint:errcheck // a temporary folder: nothing depends on it
	}
}

// walk gives the bytes of all files.
func (f *files) walk() (size int64, err error) {
	n := 0
	err = fs.WalkDir(f.root.FS(), ".", func(_ string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if n++; n > maxFiles {
			return fmt.Errorf("more than %d files: want the folder of one saved model", maxFiles)
		}
		if info, err := d.Info(); err == nil && info.Mode().IsRegular() {
			size += info.Size()
		}
		return nil
	})
	return size, err
}

// list gives the names in a folder that are not hidden, ascending; none where
// there is no such folder.
func (f *files) list(dir string) (names []string, err error) {
	d, err := f.root.Open(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	defer d.Close()
	all, err := d.Readdirnames(-1)
	if err != nil {
		return nil, err
	}
	for _, n := range all {
		if !strings.HasPrefix(n, ".") && !strings.HasPrefix(n, "_") {
			names = append(names, n)
		}
	}
	slices.Sort(names)
	return names, nil
}

// parts gives the paths of a data set's files.
func (f *files) parts(dir string) (paths []string, err error) {
	names, err := f.list(dir)
	if err != nil {
		return nil, err
	}
	for _, n := range names {
		if strings.HasPrefix(n, "part-") {
			paths = append(paths, path.Join(dir, n))
		}
	}
	if len(paths) == 0 {
		return nil, fmt.Errorf("%s: no part of a data set: want files named part-…", dir)
	}
	return paths, nil
}

// find gives the folder of the model: the highest that has metadata, where an
// archive has folders around it.
func (f *files) find() (dir string, err error) {
	for level := []string{"."}; len(level) > 0; {
		var next []string
		for _, dir := range level {
			names, err := f.list(dir)
			if err != nil {
				continue // a file
			}
			if slices.Contains(names, "metadata") {
				return dir, nil
			}
			for _, n := range names {
				next = append(next, path.Join(dir, n))
			}
		}
		if strings.Count(next0(next), "/") > maxDepth {
			break
		}
		level = next
	}
	return "", errors.New("no folder named metadata: want what Spark's save wrote")
}

func next0(names []string) string {
	if len(names) == 0 {
		return ""
	}
	return names[0]
}

// firstLine reads the first line of a data set of text.
func (f *files) firstLine(dir string) ([]byte, error) {
	parts, err := f.parts(dir)
	if err != nil {
		return nil, err
	}
	for _, p := range parts {
		file, err := f.root.Open(p)
		if err != nil {
			return nil, err
		}
		line, err := bufio.NewReader(io.LimitReader(file, maxMetadata+1)).ReadBytes('\n')
		file.Close()
		switch {
		case err != nil && !errors.Is(err, io.EOF):
			return nil, fmt.Errorf("%s: %w", p, err)
		case len(line) > maxMetadata:
			return nil, fmt.Errorf("%s: want a line of at most %d bytes", p, maxMetadata)
		}
		if line = bytes.TrimSpace(line); len(line) > 0 { // Spark may leave empty parts
			return line, f.allow.Take(4 * int64(len(line)))
		}
	}
	return nil, fmt.Errorf("%s: empty", dir)
}

// unpackFile unpacks the archive name, of so many bytes, into the folder to.
func unpackFile(name string, size int64, to string) error {
	in, err := os.Open(name)
	if err != nil {
		return err
	}
	defer in.Close()
	root, err := os.OpenRoot(to)
	if err != nil {
		return err
	}
	defer root.Close()
	u := unpacker{root: root, left: max(unpackFactor*size, unpackFloor)}
	var head [262]byte
	n, err := io.ReadFull(in, head[:])
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
		return err
	}
	if _, err := in.Seek(0, io.SeekStart); err != nil {
		return err
	}
	switch magic := head[:n]; {
	case bytes.HasPrefix(magic, []byte("PK")):
		return u.zip(in, size)
	case bytes.HasPrefix(magic, []byte{0x1f, 0x8b}):
		z, err := gzip.NewReader(in)
		if err != nil {
			return err
		}
		return u.tar(z)
	case n == len(head) && string(magic[257:262]) == "ustar":
		return u.tar(in)
	}
	return errors.New("neither a folder nor an archive: want what Spark's save wrote, or a tar, tar.gz or zip of it")
}

// unpacker writes the regular files of an archive into a folder. Links, devices
// and hidden files are left out, and names are taken as below the folder.
type unpacker struct {
	root  *os.Root
	left  int64 // bytes that may still be written
	count int
}

func (u *unpacker) tar(in io.Reader) error {
	// What is skipped is unpacked as well: the limit is of all that is read.
	limited := &io.LimitedReader{R: in, N: u.left}
	for r := tar.NewReader(limited); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if limited.N <= 0 {
			return errBomb
		}
		if err != nil {
			return err
		}
		if h.Typeflag != tar.TypeReg {
			continue
		}
		if err := u.file(h.Name, r); err != nil {
			if limited.N <= 0 {
				return errBomb
			}
			return err
		}
	}
}

func (u *unpacker) zip(in io.ReaderAt, size int64) error {
	r, err := zip.NewReader(in, size)
	if err != nil {
		return err
	}
	for _, f := range r.File {
		if !f.Mode().IsRegular() || strings.HasSuffix(f.Name, "/") {
			continue
		}
		body, err := f.Open()
		if err != nil {
			return fmt.Errorf("%s: %w", f.Name, err)
		}
		err = u.file(f.Name, body)
		body.Close()
		if err != nil {
			return err
		}
	}
	return nil
}

var errBomb = fmt.Errorf("archive %w: want at most %d times its size", columnar.ErrTooLarge, unpackFactor)

// file writes one file.
func (u *unpacker) file(name string, body io.Reader) error {
	name = strings.TrimPrefix(path.Clean("/"+strings.ReplaceAll(name, "\\", "/")), "/")
	if base := path.Base(name); strings.HasPrefix(base, ".") || strings.HasPrefix(base, "_") || name == "" {
		return nil
	}
	if u.count++; u.count > maxFiles {
		return fmt.Errorf("more than %d files: want an archive of one saved model", maxFiles)
	}
	if err := u.root.MkdirAll(path.Dir(name), 0o700); err != nil {
		return err
	}
	out, err := u.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	n, err := io.Copy(out, io.LimitReader(body, u.left+1))
	if u.left -= n; u.left < 0 && err == nil {
		err = errBomb
	}
	return errors.Join(err, out.Close())
}
