package commands

import (
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// letters is an endless line.
type letters struct{}

func (letters) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'x'
	}
	return len(p), nil
}

// TestOneLine: 1 GB without a line end is an error, soon or at the end, and
// takes no memory to speak of.
func TestOneLine(t *testing.T) {
	const size = 1 << 30
	t.Chdir(t.TempDir())
	sparse, err := os.Create("zeros.csv")
	if err != nil {
		t.Fatal(err)
	}
	if err := sparse.Truncate(size); err != nil {
		t.Fatal(err)
	}
	if err := sparse.Close(); err != nil {
		t.Fatal(err)
	}
	f := func(name string, in io.Reader, want string) {
		t.Helper()
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		var out, errs bytes.Buffer
		s := &stdio{in: in, out: &out, err: &errs, getenv: func(string) string { return "" }}
		code := run(context.Background(), []string{"ctr", "train", name}, s)
		runtime.ReadMemStats(&after)
		if code != exitFailed || errs.String() != want || out.Len() > 0 {
			t.Errorf("%s: code %d, %q, want %d, %q", name, code, errs.String(), exitFailed, want)
		}
		if used := after.TotalAlloc - before.TotalAlloc; used > 256<<20 {
			t.Errorf("%s: %d MB allocated, want at most 256", name, used>>20)
		}
	}
	f("zeros.csv", nil, "ctr: zeros.csv:1: row too long: want 1048576 bytes at most\n")
	f("-", io.LimitReader(letters{}, size), "ctr: stdin:1: row too long: want 1048576 bytes at most\n")
	if left, _ := filepath.Glob("*"); strings.Join(left, " ") != "zeros.csv" {
		t.Errorf("left behind: %s", left)
	}
}
