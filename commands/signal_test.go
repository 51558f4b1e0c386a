package commands

import (
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// interrupt starts ctr in a directory of its own, sends it signals once ready
// says so, and gives its exit code, what it said, and the files that are left.
func interrupt(t *testing.T, stdin io.Reader, ready func(dir string) bool, signals int, args ...string) (code int, stderr, left string) {
	t.Helper()
	dir := t.TempDir()
	var errs bytes.Buffer
	c := exec.Command("ctr", args...)
	c.Env = append(os.Environ(), "GORACE="+raceOptions)
	c.Dir, c.Stdin, c.Stderr = dir, stdin, &errs
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	late := time.AfterFunc(30*time.Second, func() { _ = c.Process.Kill() })
	defer late.Stop()
	for !ready(dir) {
		time.Sleep(5 * time.Millisecond)
	}
	for range signals {
		if err := c.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		time.Sleep(20 * time.Millisecond)
	}
	_ = c.Wait() // its exit code is what we look at
	return c.ProcessState.ExitCode(), errs.String(), names(t, dir)
}

func hasFile(pattern string) func(string) bool {
	return func(dir string) bool {
		found, _ := filepath.Glob(filepath.Join(dir, pattern))
		return len(found) > 0
	}
}

// TestInterruptedFile: an interrupted batch command leaves no half of a file.
func TestInterruptedFile(t *testing.T) {
	code, stderr, left := interrupt(t, nil, hasFile(".rows.csv.*"), 1, "synth", "--rows", "1_000_000_000", "--out", "rows.csv")
	if code != exitInterrupted || stderr != "ctr: interrupted\n" || left != "" {
		t.Errorf("code %d, %q, left %q; want %d, interrupted, nothing", code, stderr, left, exitInterrupted)
	}
}

// TestInterruptedStdin: a standard input that says nothing does not hold up
// the end.
func TestInterruptedStdin(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	defer r.Close()
	started := time.Now().Add(300 * time.Millisecond)
	ready := func(string) bool { return time.Now().After(started) }
	code, stderr, left := interrupt(t, r, ready, 1, "train", "-")
	if code != exitInterrupted || stderr != "ctr: interrupted\n" || left != "" {
		t.Errorf("code %d, %q, left %q; want %d, interrupted, nothing", code, stderr, left, exitInterrupted)
	}
}

func TestPatientReader(t *testing.T) {
	text := strings.Repeat("all of it, in order. ", 100_000)
	r := &patientReader{ctx: t.Context(), r: strings.NewReader(text)}
	got, err := io.ReadAll(r)
	if err != nil || string(got) != text {
		t.Errorf("%d bytes, %v, want %d", len(got), err, len(text))
	}
	if n, err := r.Read(make([]byte, 1)); n != 0 || !errors.Is(err, io.EOF) {
		t.Errorf("after the end: %d, %v", n, err)
	}
}

// TestInterruptedPrepare: an interrupted cache leaves nothing behind.
func TestInterruptedPrepare(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	go func() {
		defer w.Close()
		_, _ = io.WriteString(w, "id,click,hour,C1\n")
		for i := 0; ; i++ {
			if _, err := io.WriteString(w, strings.Repeat("1,0,14102100,1005\n", 1000)); err != nil {
				return
			}
		}
	}()
	code, stderr, left := interrupt(t, r, hasFile(".rows.ctrd.*"), 1, "prepare", "-", "--out", "rows.ctrd")
	if code != exitInterrupted || stderr != "ctr: interrupted\n" || left != "" {
		t.Errorf("code %d, %q, left %q; want %d, interrupted, nothing", code, stderr, left, exitInterrupted)
	}
}
