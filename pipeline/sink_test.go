package pipeline

import (
	"encoding/csv"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// scored gives a batch of records with the given ids, from offset first on.
func scored(first int64, ids ...string) *Batch {
	b := &Batch{Assignment: &Assignment{Topic: "t", Partition: 7}, Scored: time.UnixMilli(1_400_000_000_123)}
	for i, id := range ids {
		b.Records = append(b.Records, Record{Offset: first + int64(i), Millis: -1, Value: []byte(id)})
	}
	b.Begin(0.22)
	for i, id := range ids {
		b.IDs[i], b.P[i] = []byte(id), 0.125*float64(i+1)
		b.Done(i)
	}
	return b
}

func TestCSVLines(t *testing.T) {
	path := filepath.Join(t.TempDir(), "p.csv")
	s, err := OpenFileSink(FileOptions{Path: path, Model: "0123456789ab"})
	if err != nil {
		t.Fatal(err)
	}
	b := scored(41, `plain`, `a,"b"`, "two\nlines", "bad")
	b.Assignment.Topic = "a,b"
	b.Y[0], b.Y[1] = 1, 0
	b.P[2] = 1e-7
	b.Fail(3, errors.New("no"))
	if err := errors.Join(s.Write(b), s.Close()); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	want := CSVHeader +
		`plain,1,0,0.125,2014-05-13T16:53:20.123Z,"a,b",7,41,0123456789ab` + "\n" +
		`"a,""b""",0,1,0.25,2014-05-13T16:53:20.123Z,"a,b",7,42,0123456789ab` + "\n" +
		"\"two\nlines\"" + `,,0,1e-07,2014-05-13T16:53:20.123Z,"a,b",7,43,0123456789ab` + "\n"
	if string(got) != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	if all, err := csv.NewReader(strings.NewReader(string(got))).ReadAll(); err != nil || len(all) != 4 {
		t.Errorf("encoding/csv reads %d lines, %v; want 4", len(all), err)
	}
}

// A file that ends anywhere in a row is continued after its last whole row.
func TestTornTailIsCut(t *testing.T) {
	path := filepath.Join(t.TempDir(), "p.csv")
	commits := []Position{{Metadata: OutputName(path)}}
	write := func(b *Batch) {
		t.Helper()
		s, err := OpenFileSink(FileOptions{Path: path, Model: "0123456789ab", Commits: commits})
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(s.Write(b), s.Close()); err != nil {
			t.Fatal(err)
		}
	}
	write(scored(0, "a", "b\n1,2,c"))
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	rows := []int{0, len(CSVHeader), strings.Index(string(whole), "\"b"), len(whole)}
	for cut := range len(whole) + 1 {
		if err := os.WriteFile(path, whole[:cut], 0o644); err != nil {
			t.Fatal(err)
		}
		write(scored(9, "z"))
		got, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		keep := 0
		for _, end := range rows {
			if end <= cut {
				keep = end
			}
		}
		prefix := whole[:keep]
		if keep == 0 {
			prefix = []byte(CSVHeader)
		}
		tail, ok := strings.CutPrefix(string(got), string(prefix))
		if !ok || strings.Count(tail, "\n") != 1 || !strings.HasPrefix(tail, "z,,0,0.125,") {
			t.Fatalf("cut at %d: got\n%s", cut, got)
		}
	}
}

func TestOpenFileSinkRefuses(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "p.csv")
	f := func(content string, o FileOptions, want string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
		o.Path = path
		s, err := OpenFileSink(o)
		if err == nil {
			s.Close()
		}
		if got := errorText(err); got != want {
			t.Errorf("error %q, want %q", got, want)
		}
		if _, err := os.Stat(path + ".lock"); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("lock file left behind (%v)", err)
		}
		if after, err := os.ReadFile(path); want != "" && (err != nil || string(after) != content) {
			t.Errorf("the file was changed to %q (%v)", after, err)
		}
	}
	row := CSVHeader + "a,,0,0.1,2026-01-01T00:00:00.000Z,t,0,0,0123456789ab\n"
	exists := path + ": exists, and the group's commits do not name it"
	known := []Position{{Metadata: OutputName(path)}}
	f("", FileOptions{}, "")
	f(CSVHeader, FileOptions{}, "")
	f(row, FileOptions{}, exists)
	f(row, FileOptions{Commits: []Position{{Metadata: OutputName(dir + "/other/p.csv")}}}, exists)
	f(row, FileOptions{Commits: known}, "")
	f(row, FileOptions{Append: true}, "")
	f(row, FileOptions{Overwrite: true}, "")
	f("something else\n", FileOptions{}, exists)
	f("something else\n", FileOptions{Overwrite: true}, "")
	f("something else\n", FileOptions{Append: true},
		path+`: line 1: "something else\n": want `+strings.TrimSpace(CSVHeader))
	f(row, FileOptions{Append: true, Overwrite: true}, "append, overwrite: want at most one of them")
	if _, err := OpenFileSink(FileOptions{Path: dir}); errorText(err) != dir+": a folder: want a file" {
		t.Errorf("a directory: error %v", err)
	}
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// TestMain lets the tests start a second process that holds a lock, or one
// that writes segments.
func TestMain(m *testing.M) {
	if path := os.Getenv("CTR_TEST_LOCK"); path != "" {
		if _, err := OpenFileSink(FileOptions{Path: path, Append: true}); err != nil {
			os.Stdout.WriteString(err.Error() + "\n")
			os.Exit(1)
		}
		os.Stdout.WriteString("locked\n")
		time.Sleep(time.Minute)
		os.Exit(0)
	}
	if dir := os.Getenv("CTR_TEST_SEGMENTS"); dir != "" {
		if err := segmentChild(dir, os.Stdin, os.Stdout); err != nil {
			os.Stderr.WriteString(err.Error() + "\n")
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// A second process is told who writes the file; once that one is killed, its
// lock holds nobody up.
func TestLockBetweenProcesses(t *testing.T) {
	path := filepath.Join(t.TempDir(), "p.csv")
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "CTR_TEST_LOCK="+path)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	said := make([]byte, 7)
	if _, err := out.Read(said); err != nil || string(said) != "locked\n" {
		t.Fatalf("the other process said %q (%v)", said, err)
	}
	_, err = OpenFileSink(FileOptions{Path: path})
	if want := path + ": process " + strconv.Itoa(cmd.Process.Pid) + " is writing it"; errorText(err) != want {
		t.Errorf("error %v, want %s", err, want)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // it was killed
	s, err := OpenFileSink(FileOptions{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestDiskFull(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("/dev/full is Linux's")
	}
	_, err := OpenFileSink(FileOptions{Path: "/dev/full"})
	if !errors.Is(err, syscall.ENOSPC) || err.Error() != "write /dev/full: no space left on device" {
		t.Errorf("error %v, want no space", err)
	}
	d := NewDeadLetters("/dev/full")
	b := scored(0, "x")
	b.Fail(0, errors.New("no"))
	if err := d.Write(b); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("dead letters: error %v, want no space", err)
	}
	d.Close()
}

func TestConsole(t *testing.T) {
	var out strings.Builder
	c := NewConsole(&out, 20)
	b := scored(0, "a", "b c\x1b", "d", "e")
	b.Y[0] = 1
	b.IDs[2] = nil
	b.Fail(0, errors.New("no"))
	for range 3 {
		if err := c.Write(b); err != nil {
			t.Fatal(err)
		}
	}
	want := `"b c\x1b" - 1 0.25 2014-05-13T16:53:20.123Z` + "\n" + "- - 1 0.375 2014-05-13T16:53:20.123Z\n"
	if out.String() != want {
		t.Errorf("got\n%swant\n%s", out.String(), want)
	}
}

// Writing a batch allocates a small number of times, however many rows it has.
func TestCSVAllocations(t *testing.T) {
	s, err := OpenFileSink(FileOptions{Path: filepath.Join(t.TempDir(), "p.csv"), Model: "m"})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	b := scored(0, make([]string, 1000)...)
	if n := testing.AllocsPerRun(50, func() {
		if err := s.Write(b); err != nil {
			t.Fatal(err)
		}
	}); n > 3 {
		t.Errorf("%v allocations for 1,000 rows, want 3 at most", n)
	}
}
