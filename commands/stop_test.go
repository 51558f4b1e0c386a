package commands

import (
	"bytes"
	"io"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"ctr/pipeline"
	"ctr/pipeline/broker"
	"ctr/pipeline/kafka"
)

// A scorer that is interrupted ends soon, with exit code 0, whether it waits for
// records or is in the middle of many. Without the race detector it takes some
// 0.1 s; the bound is generous.
func TestInterruptedScorer(t *testing.T) {
	dir := t.TempDir()
	b, err := broker.Start(broker.Options{Listen: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	ctr := func(args ...string) *exec.Cmd {
		c := exec.Command("ctr", args...)
		c.Env = append(os.Environ(), "GORACE="+raceOptions, "CTR_BROKERS="+b.Addr())
		c.Dir = dir
		return c
	}
	for _, args := range [][]string{
		{"synth", "--rows", "20000", "--out", "rows.csv"},
		{"train", "rows.csv", "--quiet"},
		{"topics", "create", "idle", "--partitions", "2"},
		{"topics", "create", "busy", "--partitions", "2"},
	} {
		if out, err := ctr(args...).CombinedOutput(); err != nil {
			t.Fatalf("%v: %v\n%s", args, err, out)
		}
	}
	for _, topic := range []string{"idle", "busy"} {
		p, err := kafka.NewProducer(kafka.ProducerOptions{Options: kafka.Options{Brokers: []string{b.Addr()}}, Topic: topic})
		if err != nil {
			t.Fatal(err)
		}
		o := pipeline.ReplayOptions{Rate: math.Inf(1), Limit: 100}
		o.Files = []string{filepath.Join(dir, "rows.csv")}
		if topic == "busy" {
			o.Loop, o.Limit = true, 500_000
		}
		if _, err := pipeline.Replay(t.Context(), o, p, nil); err != nil {
			t.Fatal(err)
		}
		output := filepath.Join(dir, topic+".csv")
		c := ctr("score", "--topic", topic, "--output", output, "--quiet", "--stats-every", "0s")
		var said lockedBuffer
		c.Stderr = &said
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		late := time.AfterFunc(60*time.Second, func() { _ = c.Process.Kill() })
		for end := time.Now().Add(50 * time.Second); written(output) < 1000 && time.Now().Before(end); {
			time.Sleep(5 * time.Millisecond)
		}
		if topic == "idle" {
			time.Sleep(500 * time.Millisecond)
		}
		began := time.Now()
		if err := c.Process.Signal(os.Interrupt); err != nil {
			t.Fatal(err)
		}
		err = c.Wait()
		took := time.Since(began)
		late.Stop()
		t.Logf("%s: %v from the signal to the end", topic, took.Round(time.Millisecond))
		if err != nil || took > 2*time.Second || !said.has("stopping: finishing what was read") {
			t.Errorf("%s: %v after %v, want the end within 2 s; it said\n%s", topic, err, took, said.String())
		}
	}
}

// written gives the size of a file, 0 where there is none.
func written(path string) int64 {
	info, err := os.Stat(path)
	if err != nil {
		return 0
	}
	return info.Size()
}

// lockedBuffer may be read while a process writes to it.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

var _ io.Writer = (*lockedBuffer)(nil)

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func (l *lockedBuffer) has(part string) bool { return strings.Contains(l.String(), part) }
