package commands

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// names lists a directory.
func names(t *testing.T, dir string) string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, e := range entries {
		all = append(all, e.Name())
	}
	return strings.Join(all, " ")
}

func write(text string, err error) func(io.Writer) error {
	return func(w io.Writer) error {
		_, werr := io.WriteString(w, text)
		return errors.Join(werr, err)
	}
}

func TestWriteFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a.csv")
	if err := writeFile(path, false, nil, write("one", nil)); err != nil {
		t.Fatal(err)
	}
	err := writeFile(path, false, nil, write("two", nil))
	if err == nil || err.Error() != path+": exists" {
		t.Errorf("existing file: %v", err)
	}
	broken := errors.New("broken")
	if err := writeFile(path, true, nil, write("half", broken)); !errors.Is(err, broken) {
		t.Errorf("a writer that fails: %v", err)
	}
	if text, _ := os.ReadFile(path); string(text) != "one" {
		t.Errorf("%q, want the old text after an error", text)
	}
	if err := writeFile(path, true, nil, write("three", nil)); err != nil {
		t.Fatal(err)
	}
	if text, _ := os.ReadFile(path); string(text) != "three" || names(t, dir) != "a.csv" {
		t.Errorf("%q, files %s", text, names(t, dir))
	}
	if err := writeFile(dir, true, nil, write("", nil)); err == nil || !strings.HasSuffix(err.Error(), ": a folder: want a file") {
		t.Errorf("a folder: %v", err)
	}
	if err := writeFile(filepath.Join(dir, "none", "a"), true, nil, write("", nil)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no such folder: %v", err)
	}
	var out bytes.Buffer
	if err := writeFile("-", false, &out, write("x", nil)); err != nil || out.String() != "x" {
		t.Errorf("standard output: %q, %v", out.String(), err)
	}
}

func TestWriteFileCompressed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.csv.gz")
	if err := writeFile(path, false, nil, write("rows", nil)); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	if text, err := io.ReadAll(z); err != nil || string(text) != "rows" {
		t.Errorf("%q, %v", text, err)
	}
}

// TestFullDisk writes to a file system of 64 KiB, where the machine lets it
// make one.
func TestFullDisk(t *testing.T) {
	dir := smallDisk(t)
	path := filepath.Join(dir, "a.csv")
	err := writeFile(path, false, nil, write(strings.Repeat("x", 1<<20), nil))
	if !errors.Is(err, syscall.ENOSPC) || err.Error() != path+": no space left on device" {
		t.Errorf("error %v", err)
	}
	if got := names(t, dir); got != "" {
		t.Errorf("left behind: %s", got)
	}
}
