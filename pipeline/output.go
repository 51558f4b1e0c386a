package pipeline

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"

	"ctr/features"
)

// output is where the predictions for files go: nowhere, a writer, or a file
// that has its name only once it is whole.
type output struct {
	w    *bufio.Writer
	file *os.File // the temporary one
	path string
	// shown is what messages call the file; "" for a writer.
	shown string
}

// createOutput makes the output for path: "" is nowhere, "-" is stdout.
func createOutput(path string, overwrite bool, stdout io.Writer) (*output, error) {
	switch {
	case path == "":
		return &output{}, nil
	case path == "-" && stdout != nil:
		return &output{w: bufio.NewWriterSize(stdout, 1<<16)}, nil
	}
	info, err := os.Stat(path)
	if err == nil && !info.Mode().IsRegular() && !info.IsDir() {
		// A device or a pipe is written to as it is.
		f, err := os.OpenFile(path, os.O_WRONLY, 0)
		if err != nil {
			return nil, named(path, err)
		}
		return &output{w: bufio.NewWriterSize(f, 1<<16), file: f, shown: path}, nil
	}
	if err == nil && info.IsDir() {
		return nil, fmt.Errorf("%s: a folder: want a file", path)
	}
	if err == nil && !overwrite {
		return nil, features.WithHint(fmt.Errorf("%s: exists", path), "use --overwrite to replace it, or another name")
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, named(path, err)
	}
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return nil, named(path, err)
	}
	return &output{w: bufio.NewWriterSize(f, 1<<16), file: f, path: path, shown: path}, nil
}

// named says an error of the operating system under the name that was asked
// for: that of a temporary file helps nobody.
func named(path string, err error) error {
	var p *fs.PathError
	var l *os.LinkError
	switch {
	case err == nil || path == "":
		return err
	case errors.As(err, &p):
		err = p.Err
	case errors.As(err, &l):
		err = l.Err
	}
	return fmt.Errorf("%s: %w", path, err)
}

func (o *output) wanted() bool { return o.w != nil }

// Write implements io.Writer.
func (o *output) Write(p []byte) (int, error) {
	if o.w == nil {
		return len(p), nil
	}
	n, err := o.w.Write(p)
	return n, named(o.shown, err)
}

func (o *output) header(format string) error {
	line := ""
	switch format {
	case formatCSV:
		line = "id,y,probability,prediction\n"
	case formatKaggle:
		line = "id,click\n"
	}
	_, err := o.Write([]byte(line))
	return err
}

// finish makes what was written last, under its name.
func (o *output) finish() error {
	if o.w == nil {
		return nil
	}
	if err := o.w.Flush(); err != nil {
		return named(o.shown, err)
	}
	if o.file == nil {
		return nil
	}
	if o.path == "" {
		return named(o.shown, o.file.Close())
	}
	err := o.file.Sync()
	if err = errors.Join(err, o.file.Chmod(0o644), o.file.Close()); err != nil {
		return named(o.shown, err)
	}
	if err := os.Rename(o.file.Name(), o.path); err != nil {
		return named(o.shown, err)
	}
	o.file = nil
	return nil
}

// abandon leaves nothing behind; after finish it does nothing.
func (o *output) abandon() {
	if o.file != nil {
		o.file.Close() // given up
		if o.path != "" {
			_ = os.Remove(o.file.Name()) // given up
		}
		o.file = nil
	}
}

// appendPrediction appends one line in a format. y is -1 where there is none.
func appendPrediction(dst []byte, format string, id []byte, y int, p float64, click bool) []byte {
	prediction := byte('0')
	if click {
		prediction = '1'
	}
	switch format {
	case formatJSON:
		name, _ := json.Marshal(string(id)) // a string always marshals
		dst = append(append(dst, `{"id":`...), name...)
		if y >= 0 {
			dst = append(dst, `,"y":`...)
			dst = append(dst, byte('0'+y))
		}
		dst = append(dst, `,"probability":`...)
		dst = strconv.AppendFloat(dst, p, 'g', -1, 64)
		dst = append(dst, `,"prediction":`...)
		return append(dst, prediction, '}', '\n')
	case formatKaggle:
		dst = append(appendCSV(dst, id), ',')
		return append(strconv.AppendFloat(dst, p, 'g', -1, 64), '\n')
	default:
		dst = append(appendCSV(dst, id), ',')
		if y >= 0 {
			dst = append(dst, byte('0'+y))
		}
		dst = append(dst, ',')
		dst = strconv.AppendFloat(dst, p, 'g', -1, 64)
		return append(dst, ',', prediction, '\n')
	}
}
