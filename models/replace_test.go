package models

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
)

// steps are what replaceFile asks of the operating system, in order; "half"
// is in the middle of the writing.
var steps = []string{"create", "write", "half", "sync", "close", "rename", "syncdir"}

// stepFS is osFS, but at one step something happens instead: at says what.
type stepFS struct {
	osFS
	at func(step string) error
}

type stepFile struct {
	tempFile
	at func(step string) error
}

func (s stepFS) Create(name string, mode fs.FileMode) (tempFile, error) {
	if err := s.at("create"); err != nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: err}
	}
	f, err := s.osFS.Create(name, mode)
	return stepFile{f, s.at}, err
}

func (s stepFS) Rename(from, to string) error {
	if err := s.at("rename"); err != nil {
		return &os.LinkError{Op: "rename", Old: from, New: to, Err: err}
	}
	return s.osFS.Rename(from, to)
}

func (s stepFS) Remove(name string) error {
	if err := s.at("remove"); err != nil {
		return &fs.PathError{Op: "remove", Path: name, Err: err}
	}
	return s.osFS.Remove(name)
}

func (s stepFS) SyncDir(dir string) error {
	if err := s.at("syncdir"); err != nil {
		return err
	}
	return s.osFS.SyncDir(dir)
}

func (f stepFile) Write(b []byte) (int, error) {
	if err := f.at("write"); err != nil {
		return 0, &fs.PathError{Op: "write", Path: "temporary", Err: err}
	}
	n, err := f.tempFile.Write(b[:len(b)/2])
	if err != nil {
		return n, err
	}
	if err := f.at("half"); err != nil {
		return n, &fs.PathError{Op: "write", Path: "temporary", Err: err}
	}
	m, err := f.tempFile.Write(b[len(b)/2:])
	return n + m, err
}

func (f stepFile) Sync() error {
	if err := f.at("sync"); err != nil {
		return err
	}
	return f.tempFile.Sync()
}

func (f stepFile) Close() error {
	err := f.tempFile.Close()
	if stop := f.at("close"); stop != nil {
		return stop
	}
	return err
}

// twoModels writes a model to a new directory and gives its path and bytes,
// and another model's bytes.
func twoModels(t *testing.T) (path string, before, after []byte) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "model.ctr")
	a := sample(t)
	if err := a.Write(path); err != nil {
		t.Fatal(err)
	}
	before = encoded(t, a)
	a.Threshold = 0.5
	return path, before, encoded(t, a)
}

// leftOver lists the files beside path.
func leftOver(t *testing.T, path string) []string {
	t.Helper()
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		if e.Name() != filepath.Base(path) {
			names = append(names, e.Name())
		}
	}
	return names
}

func writeAll(b []byte) func(io.Writer) error {
	return func(w io.Writer) error { _, err := w.Write(b); return err }
}

// TestReplaceFails makes each step fail: the old model survives, whole, and no
// temporary file is left.
func TestReplaceFails(t *testing.T) {
	for _, failing := range steps {
		path, before, after := twoModels(t)
		sys := stepFS{at: func(step string) error {
			if step == failing {
				return syscall.ENOSPC
			}
			return nil
		}}
		err := replaceFile(sys, path, writeAll(after))
		if !errors.Is(err, syscall.ENOSPC) || err.Error() != path+": no space left on device" {
			t.Errorf("%s fails: error %v", failing, err)
		}
		want, hint := before, "the disk is full; what was at "+path+" before is unchanged"
		if failing == "syncdir" { // too late to go back
			want, hint = after, ""
		}
		if hintOf(err) != hint {
			t.Errorf("%s fails: hint %q: want %q", failing, hintOf(err), hint)
		}
		if got, err := os.ReadFile(path); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s fails: another model at the path, %v", failing, err)
		}
		if names := leftOver(t, path); names != nil {
			t.Errorf("%s fails: left behind: %v", failing, names)
		}
	}
}

// TestReplaceCannotClean: the error names the file that stays.
func TestReplaceCannotClean(t *testing.T) {
	path, before, after := twoModels(t)
	sys := stepFS{at: func(step string) error {
		switch step {
		case "sync":
			return syscall.EIO
		case "remove":
			return syscall.EPERM
		}
		return nil
	}}
	err := replaceFile(sys, path, writeAll(after))
	names := leftOver(t, path)
	if len(names) != 1 {
		t.Fatalf("left behind: %v: want one file", names)
	}
	left := filepath.Join(filepath.Dir(path), names[0])
	want := fmt.Sprintf("%s: input/output error; %s is left behind: operation not permitted", path, left)
	if err == nil || err.Error() != want || !errors.Is(err, syscall.EIO) {
		t.Errorf("error %v: want %s", err, want)
	}
	if got, err := os.ReadFile(path); err != nil || !bytes.Equal(got, before) {
		t.Errorf("another model at the path, %v", err)
	}
}

// TestReplaceKilled kills a process of its own at each step, as kill -9 or the
// system's want of memory would: what is at the path is the old model, or the
// new one once it was renamed.
func TestReplaceKilled(t *testing.T) {
	if step := os.Getenv("CTR_TEST_KILL_AT"); step != "" {
		replaceAndDie(t, step, os.Getenv("CTR_TEST_KILL_PATH"))
		return
	}
	for _, step := range steps {
		path, before, after := twoModels(t)
		if err := os.WriteFile(path+".new", after, 0o600); err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command(os.Args[0], "-test.run=^TestReplaceKilled$")
		cmd.Env = append(os.Environ(), "CTR_TEST_KILL_AT="+step, "CTR_TEST_KILL_PATH="+path)
		out, err := cmd.CombinedOutput()
		if err == nil || strings.Contains(string(out), "FAIL") {
			t.Fatalf("%s: the process was not killed: %v\n%s", step, err, out)
		}
		want := before
		if step == "syncdir" {
			want = after
		}
		if got, err := os.ReadFile(path); err != nil || !bytes.Equal(got, want) {
			t.Errorf("killed at %s: another model at the path, %v", step, err)
		}
		if _, err := Open(path); err != nil {
			t.Errorf("killed at %s: %v", step, err)
		}
		// What is left behind does not stand in the way of the next.
		if err := replaceFile(osFS{}, path, writeAll(after)); err != nil {
			t.Errorf("after a kill at %s: %v", step, err)
		}
	}
}

// replaceAndDie is what the killed process does.
func replaceAndDie(t *testing.T, at, path string) {
	b, err := os.ReadFile(path + ".new")
	if err != nil {
		t.Fatal(err)
	}
	sys := stepFS{at: func(step string) error {
		if step == at {
			if self, err := os.FindProcess(os.Getpid()); err == nil {
				self.Kill()
			}
			select {} // the signal is on its way
		}
		return nil
	}}
	t.Fatalf("alive after %v", replaceFile(sys, path, writeAll(b)))
}

func TestWriteToPlaces(t *testing.T) {
	a := sample(t)
	want := encoded(t, a)
	dir := t.TempDir()
	path := filepath.Join(dir, "real.ctr")
	if err := os.WriteFile(path, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(dir, "link.ctr")
	if err := os.Symlink("real.ctr", link); err != nil {
		t.Skip("no symbolic links here:", err)
	}
	if err := a.Write(link); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(path); err != nil || !bytes.Equal(got, want) {
		t.Errorf("through a link: %v", err)
	}
	if info, err := os.Lstat(link); err != nil || info.Mode()&fs.ModeSymlink == 0 {
		t.Errorf("the link: %v, %v: want it to stay", info, err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 && runtime.GOOS != "windows" {
		t.Errorf("the file's mode: %v, %v: want it to stay", info.Mode(), err)
	}
	if err := a.Write(dir); err == nil || err.Error() != dir+": a folder: want a file" {
		t.Errorf("a directory: error %v", err)
	}
	none := filepath.Join(dir, "none", "model.ctr")
	if err := a.Write(none); err == nil || err.Error() != none+": no such file or directory" {
		t.Errorf("no directory: error %v", err)
	}
	if names := leftOver(t, path); len(names) != 1 {
		t.Errorf("left behind: %v: want link.ctr", names)
	}
}

// TestWriteToDevices writes to what cannot be renamed over.
func TestWriteToDevices(t *testing.T) {
	if _, err := os.Stat("/dev/full"); err != nil {
		t.Skip("no /dev/full here")
	}
	a := sample(t)
	if err := a.Write(os.DevNull); err != nil || a.Hash == "" {
		t.Errorf("%s: %v", os.DevNull, err)
	}
	a.Hash = ""
	if err := a.Write("/dev/full"); err == nil || err.Error() != "/dev/full: no space left on device" || a.Hash != "" {
		t.Errorf("/dev/full: error %v, hash %q", err, a.Hash)
	}
	if _, err := Open(os.DevNull); err == nil || err.Error() != "/dev/null: not a ctr model: the file is empty" {
		t.Errorf("%s: %v", os.DevNull, err)
	}
}
