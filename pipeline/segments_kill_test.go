//go:build unix

package pipeline

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"testing"
	"time"
)

// segGroup is the other end of a segmentChild.
type segGroup struct {
	mu         sync.Mutex
	generation int
	offset     int64
	metadata   string
	commits    int
	stop       bool
}

func (g *segGroup) serve(in io.Reader, out io.Writer) {
	for lines := bufio.NewScanner(in); lines.Scan(); {
		g.mu.Lock()
		var generation int
		var offset int64
		var metadata string
		answer := "no"
		if lines.Text() == "resume" {
			g.generation++
			answer = fmt.Sprintf("%d %d %q", g.generation, g.offset, g.metadata)
		} else if _, err := fmt.Sscanf(lines.Text(), "commit %d %d %q", &generation, &offset, &metadata); err == nil && generation == g.generation {
			g.offset, g.metadata, answer = offset, metadata, "yes"
			g.commits++
			if g.stop {
				answer = "stop"
			}
		}
		g.mu.Unlock()
		if _, err := fmt.Fprintln(out, answer); err != nil {
			return
		}
	}
}

// Processes that are killed, and others that are stopped, lose the partition,
// and go on, leave each row in the final files once.
func TestSegmentsKill(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	rng := rand.New(rand.NewPCG(seed, 0))
	t.Logf("seed %d", seed)
	dir := memoryDir(t)
	g := &segGroup{offset: -1}
	var serving sync.WaitGroup
	start := func() *exec.Cmd {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), "CTR_TEST_SEGMENTS="+dir)
		cmd.Stderr = os.Stderr
		in, err1 := cmd.StdinPipe()
		out, err2 := cmd.StdoutPipe()
		if err := errors.Join(err1, err2, cmd.Start()); err != nil {
			t.Fatal(err)
		}
		serving.Go(func() { g.serve(out, in) })
		return cmd
	}
	const rounds = 40
	killed, stopped := 0, 0
	for range rounds {
		cmd := start()
		time.Sleep(time.Duration(5+rng.IntN(40)) * time.Millisecond)
		if rng.IntN(3) > 0 {
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
			_ = cmd.Wait() // it was killed
			killed++
			continue
		}
		if err := cmd.Process.Signal(syscall.SIGSTOP); err != nil {
			t.Fatal(err)
		}
		next := start()
		time.Sleep(time.Duration(5+rng.IntN(40)) * time.Millisecond)
		if err := cmd.Process.Signal(syscall.SIGCONT); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Duration(rng.IntN(10)) * time.Millisecond)
		_ = next.Process.Kill()
		_ = next.Wait() // it was killed
		_ = cmd.Process.Kill()
		_ = cmd.Wait() // it may have ended by itself
		stopped++
	}
	g.mu.Lock()
	g.stop = true
	g.mu.Unlock()
	if err := start().Wait(); err != nil {
		t.Fatal(err)
	}
	serving.Wait()
	w := newSegWorld(dir, 1)
	w.partitions[0].offset, w.partitions[0].metadata, w.generation = g.offset, g.metadata, int32(g.generation)
	if err := w.restart(); err != nil {
		t.Fatal(err)
	}
	if err := w.check(); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d killed, %d stopped and overtaken; %d commits, %d rows", killed, stopped, g.commits, g.offset)
	if g.commits < rounds {
		t.Errorf("%d commits: want %d or more", g.commits, rounds)
	}
}
