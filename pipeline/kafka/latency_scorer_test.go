//go:build unix

package kafka_test

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"ctr/pipeline/kafka"
)

// Settings of BenchmarkScorerLatency: how long rows are sent that don't count, once the first prediction is there (a Java program gets faster
// for some seconds), how long those that do, and how long a program may take to
// its first prediction, and to its last one after the last row.
const (
	scorerWarm    = 10 * time.Second
	scorerLasting = 30 * time.Second
	scorerStarts  = 2 * time.Minute
	scorerEnds    = 30 * time.Second
)

// BenchmarkScorerLatency measures a program that scores a topic into another
// one, from Send to a reader of the second. CTR_BENCH_SCORER is its command, for
// a shell, with BROKERS, IN and OUT in its environment; it is killed at the end.
// CTR_BENCH_FILE has the rows: CSV with a header, an id first, in whose place
// they say when they were sent. CTR_BENCH_RATE is how many are sent a second
// (100). Predictions are JSON with that id as a string.
func BenchmarkScorerLatency(b *testing.B) {
	command, file := os.Getenv("CTR_BENCH_SCORER"), os.Getenv("CTR_BENCH_FILE")
	if command == "" || file == "" {
		b.Skip("CTR_BENCH_SCORER and CTR_BENCH_FILE: want a command and a file of rows")
	}
	c := cluster(b)
	rate, err := strconv.Atoi(cmp.Or(os.Getenv("CTR_BENCH_RATE"), "100"))
	if err != nil || rate < 1 {
		b.Fatalf("CTR_BENCH_RATE: %q: want a number of at least 1", os.Getenv("CTR_BENCH_RATE"))
	}
	m := &measured{rate: rate, in: newTopic(b, c, 1), out: newTopic(b, c, 1), cluster: c, rows: withoutIDs(b, file)}
	ctx, cancel := context.WithTimeout(b.Context(), scorerStarts+scorerWarm+scorerLasting+scorerEnds)
	defer cancel()
	ctx, stop := m.start(b, ctx, command)
	defer stop()
	errs := together(
		func() error {
			err := m.send(ctx)
			if err != nil {
				cancel()
			}
			return err
		},
		func() error { defer cancel(); return m.receive(ctx) })
	if err := errors.Join(errs...); err != nil {
		b.Fatal(err)
	}
	reportQuantiles(b, m.got)
}

// measured is one program under measurement.
type measured struct {
	cluster kafka.Options
	in, out string
	rate    int
	rows    [][]byte

	first atomic.Bool  // there is a prediction
	since atomic.Int64 // rows sent from then on count; 0 = not yet known
	sent  atomic.Int64 // how many of them there are; 0 = not yet known
	got   []time.Duration
}

// withoutIDs gives the rows of a file from the first comma on.
func withoutIDs(b *testing.B, file string) (rows [][]byte) {
	b.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		b.Fatal(err)
	}
	lines := bufio.NewScanner(bytes.NewReader(text))
	for lines.Scan() {
		if i := bytes.IndexByte(lines.Bytes(), ','); i >= 0 {
			rows = append(rows, bytes.Clone(lines.Bytes()[i:]))
		}
	}
	if err := lines.Err(); err != nil || len(rows) < 2 {
		b.Fatalf("%s: %d lines, %v: want a header and rows", file, len(rows), err)
	}
	return rows[1:]
}

// start runs the program in a process group of its own, which stop kills. The
// context ends when the program does.
func (m *measured) start(b *testing.B, ctx context.Context, command string) (running context.Context, stop func()) {
	b.Helper()
	program := exec.CommandContext(b.Context(), "sh", "-c", command)
	program.Env = append(os.Environ(), "BROKERS="+m.cluster.Brokers[0], "IN="+m.in, "OUT="+m.out)
	program.Stdout, program.Stderr = os.Stderr, os.Stderr
	program.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := program.Start(); err != nil {
		b.Fatal(err)
	}
	running, ended := context.WithCancelCause(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		ended(fmt.Errorf("%s: ended: %w", command, cmp.Or(program.Wait(), errors.New("exit status 0"))))
	}()
	return running, func() {
		if err := syscall.Kill(-program.Process.Pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
			b.Error(err)
		}
		<-done
	}
}

// send sends rows until those that count are sent.
func (m *measured) send(ctx context.Context) error {
	p, err := kafka.NewProducer(kafka.ProducerOptions{Options: m.cluster, Topic: m.in})
	if err != nil {
		return err
	}
	var warm, end time.Time
	counted := int64(0)
	for i := range paced(1<<31-1, m.rate) {
		now := time.Now()
		switch {
		case ctx.Err() != nil:
			return p.Close(context.Background()) // receive says why
		case !end.IsZero() && now.After(end):
			m.sent.Store(counted)
			return p.Close(context.Background())
		case !end.IsZero():
			counted++
		case warm.IsZero() && m.first.Load():
			warm = now.Add(scorerWarm)
		case !warm.IsZero() && now.After(warm):
			m.since.Store(now.UnixNano())
			end, counted = now.Add(scorerLasting), 1
		}
		row := append(strconv.AppendInt(nil, now.UnixNano(), 10), m.rows[i%len(m.rows)]...)
		if err := p.Send(nil, row); err != nil {
			return err
		}
	}
	return nil
}

// receive reads predictions until it has all that count.
func (m *measured) receive(ctx context.Context) error {
	client, err := kgo.NewClient(kgo.SeedBrokers(m.cluster.Brokers...), kgo.ConsumeTopics(m.out), kgo.DisableClientMetrics(),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		return err
	}
	defer client.Close()
	for {
		// Not for ever: the last prediction may be there before sent is.
		poll, cancel := context.WithTimeout(ctx, 100*time.Millisecond)
		fetches := client.PollFetches(poll)
		now := time.Now().UnixNano()
		cancel()
		if ctx.Err() != nil {
			return fmt.Errorf("%d of %d predictions: %w", len(m.got), m.sent.Load(), context.Cause(ctx))
		}
		for r := range fetches.RecordsAll() {
			var p struct{ ID string }
			if err := json.Unmarshal(r.Value, &p); err != nil {
				return fmt.Errorf("%s: %w", r.Value, err)
			}
			at, err := strconv.ParseInt(p.ID, 10, 64)
			if err != nil {
				return err
			}
			m.first.Store(true)
			if since := m.since.Load(); since != 0 && at >= since {
				m.got = append(m.got, time.Duration(now-at))
			}
		}
		if n := m.sent.Load(); n > 0 && len(m.got) >= int(n) {
			return nil
		}
	}
}
