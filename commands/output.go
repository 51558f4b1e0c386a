package commands

import (
	"bufio"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"ctr/features"
)

// outFile is a file that comes to be under its name only once it is complete:
// it is written beside it, synced and renamed. A name that ends in .gz is
// compressed. A pipe or a device is written as it comes.
type outFile struct {
	path, temp string
	f          *os.File
	buf        *bufio.Writer
	zip        *gzip.Writer // nil where not compressed
}

// createFile begins a file. One that exists is an error unless overwrite.
func createFile(path string, overwrite bool) (*outFile, error) {
	if strings.HasSuffix(path, ".zst") {
		return nil, usagef("%s: .zst: want .gz or no compression", path)
	}
	o := &outFile{path: path}
	info, err := os.Lstat(path)
	switch {
	case err == nil && info.IsDir():
		return nil, fmt.Errorf("%s: a folder: want a file", path)
	case err == nil && info.Mode()&(fs.ModeDevice|fs.ModeNamedPipe|fs.ModeSocket) != 0:
		o.f, err = os.OpenFile(path, os.O_WRONLY, 0)
	case err == nil && !overwrite:
		return nil, features.WithHint(fmt.Errorf("%s: exists", path), "use --overwrite to replace it, or another name")
	default:
		dir, name := filepath.Split(path)
		temp := filepath.Join(dir, fmt.Sprintf(".%s.%d.tmp", name, os.Getpid()))
		if o.f, err = os.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o666); err == nil {
			o.temp = temp
		}
	}
	if err != nil {
		var perr *fs.PathError
		if errors.As(err, &perr) { // it names the temporary file
			err = perr.Err
		}
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	o.buf = bufio.NewWriterSize(o.f, 1<<18)
	if strings.HasSuffix(path, ".gz") {
		o.zip = gzip.NewWriter(o.buf)
	}
	return o, nil
}

// Write adds to the file.
func (o *outFile) Write(p []byte) (int, error) {
	var w io.Writer = o.buf
	if o.zip != nil {
		w = o.zip
	}
	n, err := w.Write(p)
	return n, o.named(err)
}

// finish gives the file its name if err is nil, and else removes it.
func (o *outFile) finish(err error) error {
	if err == nil && o.zip != nil {
		err = o.named(o.zip.Close())
	}
	if err == nil {
		err = o.named(o.buf.Flush())
	}
	if err == nil && o.temp != "" {
		err = o.named(o.f.Sync())
	}
	if closed := o.f.Close(); err == nil {
		err = o.named(closed)
	}
	switch {
	case o.temp == "":
		return err
	case err == nil:
		return o.named(os.Rename(o.temp, o.path))
	}
	_ = os.Remove(o.temp) // the error to tell of is err
	return err
}

// named says an error of the file under the name that it will have.
func (o *outFile) named(err error) error {
	if err == nil {
		return nil
	}
	var perr *fs.PathError
	var lerr *os.LinkError
	switch {
	case errors.As(err, &perr):
		err = perr.Err
	case errors.As(err, &lerr):
		err = lerr.Err
	default:
		return err // named already
	}
	return fmt.Errorf("%s: %w", o.path, err)
}
