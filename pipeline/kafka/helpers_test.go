package kafka_test

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"ctr/pipeline"
	"ctr/pipeline/broker"
	"ctr/pipeline/kafka"
)

// waiting is how many tests run at once. Most of what they do is to wait for
// sessions, patience and rebalances: as many as there are cores would leave
// the cores idle.
const waiting = "8"

func TestMain(m *testing.M) {
	flag.Parse()
	given := false
	flag.Visit(func(f *flag.Flag) { given = given || f.Name == "test.parallel" })
	if !given {
		if err := flag.Set("test.parallel", waiting); err != nil {
			panic(err)
		}
	}
	goleak.VerifyTestMain(m,
		// One for the life of the process, started by sarama's metrics.
		goleak.IgnoreTopFunction("github.com/rcrowley/go-metrics.(*meterArbiter).tick"),
	)
}

// fakeScorer reads records "ID,Y,P" and takes P for the probability.
type fakeScorer struct{}

func newFakeScorer() (pipeline.Scorer, error) { return fakeScorer{}, nil }

func (fakeScorer) Score(b *pipeline.Batch) {
	b.Begin(0.5)
	b.Scored = time.Now()
	for i := range b.Records {
		part := bytes.Split(b.Records[i].Value, []byte(","))
		if len(part) != 3 {
			b.Fail(i, fmt.Errorf("%d fields: want 3", len(part)))
			continue
		}
		p, err := strconv.ParseFloat(string(part[2]), 64)
		if err != nil {
			b.Fail(i, err)
			continue
		}
		b.IDs[i], b.P[i], b.Y[i] = part[0], p, int8(part[1][0]-'0')
		b.Done(i)
	}
}

// cluster is where the tests of this package run: an embedded broker for each
// test, or Apache Kafka where CTR_KAFKA=HOST:PORT says so.
func cluster(t testing.TB) kafka.Options {
	t.Helper()
	if addr := os.Getenv("CTR_KAFKA"); addr != "" {
		return kafka.Options{Brokers: []string{addr}}
	}
	b, err := broker.Start(broker.Options{Listen: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	return kafka.Options{Brokers: []string{b.Addr()}}
}

var topics atomic.Int64

func init() { topics.Store(time.Now().UnixNano()) }

// newTopic makes a topic of a name that no other test has.
func newTopic(t testing.TB, o kafka.Options, partitions int32) string {
	t.Helper()
	name := fmt.Sprintf("t%d", topics.Add(1))
	if made, err := kafka.CreateTopic(o, name, partitions, 1); err != nil || !made {
		t.Fatalf("create %s: made %v, %v", name, made, err)
	}
	return name
}

// send produces values and checks that all were acknowledged.
func send(t testing.TB, o kafka.Options, topic string, values []string) {
	t.Helper()
	p, err := kafka.NewProducer(kafka.ProducerOptions{Options: o, Topic: topic})
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range values {
		if err := p.Send(nil, []byte(v)); err != nil {
			t.Fatal(err)
		}
	}
	if err := p.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	if n := p.Acknowledged(); n != int64(len(values)) {
		t.Fatalf("%d acknowledged, want %d", n, len(values))
	}
}

// rows gives n records that fakeScorer reads, numbered from first.
func rows(first, n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = fmt.Sprintf("id%d,%d,%v", first+i, i%2, float64(i%100)/100)
	}
	return out
}

// run is one call of Score.
type run struct {
	cluster kafka.Options
	topic   string
	group   string
	from    kafka.From
	output  string
	append  bool
	forever bool // not until the end
	maxBad  *int64
	onRow   func() // after each batch is written
}

func (r run) score(ctx context.Context) (sum pipeline.Summary, err error) {
	src, err := kafka.NewSource(kafka.SourceOptions{
		Options: r.cluster, Topic: r.topic, Group: r.group, From: r.from, UntilEnd: !r.forever,
	})
	if err != nil {
		return sum, err
	}
	defer func() { err = errors.Join(err, src.Close()) }()
	commits, err := src.Committed(ctx)
	if err != nil {
		return sum, err
	}
	csv, err := pipeline.OpenFileSink(pipeline.FileOptions{
		Path: r.output, Model: "abcdef", Commits: commits, Append: r.append,
	})
	if err != nil {
		return sum, err
	}
	var sink pipeline.Sink = pipeline.Sinks(csv, pipeline.NewDeadLetters(pipeline.DeadLetterPath(r.output)))
	defer func() { err = errors.Join(err, sink.Close()) }()
	if r.onRow != nil {
		sink = hook{sink, r.onRow}
	}
	return pipeline.Score(ctx, pipeline.ScoreOptions{
		Scorers: newFakeScorer, CommitEvery: 50 * time.Millisecond, MaxBad: r.maxBad,
	}, src, sink, nil)
}

// hook calls a function after every Write.
type hook struct {
	pipeline.Sink
	after func()
}

func (h hook) Write(b *pipeline.Batch) error {
	err := h.Sink.Write(b)
	h.after()
	return err
}

// prediction is a line of a file of predictions.
type prediction struct {
	id        string
	partition int
	offset    int64
}

// predictions reads a file of predictions and checks its form.
func predictions(t testing.TB, path string) []prediction {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	body, ok := strings.CutPrefix(string(text), pipeline.CSVHeader)
	if !ok || strings.Contains(body, pipeline.CSVHeader) {
		t.Fatalf("%s: want one header, at the start", path)
	}
	var out []prediction
	for line := range strings.Lines(body) {
		f := strings.Split(strings.TrimSuffix(line, "\n"), ",")
		if len(f) != 9 || !strings.HasSuffix(line, "\n") {
			t.Fatalf("%s: line %q: want 9 fields", path, line)
		}
		partition, err1 := strconv.Atoi(f[6])
		offset, err2 := strconv.ParseInt(f[7], 10, 64)
		if err := errors.Join(err1, err2); err != nil {
			t.Fatal(err)
		}
		out = append(out, prediction{f[0], partition, offset})
	}
	return out
}

// count gives how often each id stands in the files.
func count(t testing.TB, paths ...string) map[string]int {
	t.Helper()
	n := map[string]int{}
	for _, p := range paths {
		for _, r := range predictions(t, p) {
			n[r.id]++
		}
	}
	return n
}

// want checks that the ids first … first+n-1 and no others are there, each
// between least and most times.
func want(t testing.TB, got map[string]int, first, n, least, most int) {
	t.Helper()
	if len(got) != n {
		t.Errorf("%d ids, want %d", len(got), n)
	}
	for i := first; i < first+n; i++ {
		if c := got[fmt.Sprintf("id%d", i)]; c < least || c > most {
			t.Errorf("id%d stands there %d times, want %d..%d", i, c, least, most)
			return
		}
	}
}

func output(t testing.TB) string { return filepath.Join(t.TempDir(), "predictions.csv") }

// together runs several calls at once and gives their results.
func together(calls ...func() error) []error {
	errs := make([]error, len(calls))
	var wg sync.WaitGroup
	for i, c := range calls {
		wg.Go(func() { errs[i] = c() })
	}
	wg.Wait()
	return errs
}
