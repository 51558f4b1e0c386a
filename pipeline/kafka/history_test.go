package kafka_test

import (
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"ctr/models"
	"ctr/pipeline"
	"ctr/pipeline/kafka"
	"ctr/pipeline/synth"
)

// tired is a model with history, rows of after its training, and what
// evaluation says of them.
type tired struct {
	art  *models.Artifact
	rows string // a file
	n    int
	want map[string]string // id → probability
}

// newTired trains on the first of n synthetic rows with fatigue, and keeps the
// rest.
func newTired(t *testing.T, n int, history ...string) *tired {
	t.Helper()
	dir := t.TempDir()
	var b strings.Builder
	if err := synth.Write(t.Context(), &b, synth.Options{Rows: int64(2 * n), Seed: 4, Fatigue: true}, nil); err != nil {
		t.Fatal(err)
	}
	lines := strings.SplitAfter(b.String(), "\n")
	file := func(name string, of []string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(lines[0]+strings.Join(of, "")), 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	x := &tired{rows: file("later.csv", lines[1+n:]), n: n, want: map[string]string{}}
	o := pipeline.TrainOptions{
		Algo: "lr", Out: filepath.Join(dir, "m.ctr"), Split: "none", History: history, HistoryBits: 20, // nothing is evicted
		Include: []string{"banner_pos", "C18", "device_conn_type"},
	}
	o.Files = []string{file("first.csv", lines[1:1+n])}
	if _, err := pipeline.Train(t.Context(), o, nil); err != nil {
		t.Fatal(err)
	}
	predictions := filepath.Join(dir, "p.csv")
	e := pipeline.EvaluateOptions{Model: o.Out, Predictions: predictions}
	e.Files = []string{x.rows}
	if _, err := pipeline.Evaluate(t.Context(), e, nil); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(predictions)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		f := strings.Split(line, ",")
		x.want[f[0]] = f[2]
	}
	delete(x.want, "id")
	if len(x.want) != n {
		t.Fatalf("%d predictions, want %d", len(x.want), n)
	}
	if x.art, err = models.Open(o.Out); err != nil {
		t.Fatal(err)
	}
	return x
}

// replay sends the rows to a topic.
func (x *tired) replay(t *testing.T, c kafka.Options, topic string, o pipeline.ReplayOptions) {
	t.Helper()
	p, err := kafka.NewProducer(kafka.ProducerOptions{Options: c, Topic: topic})
	if err != nil {
		t.Fatal(err)
	}
	o.Files, o.Rate = []string{x.rows}, math.Inf(1)
	if _, err := pipeline.Replay(t.Context(), o, p, nil); err != nil {
		t.Fatal(err)
	}
}

// notes keeps what is told.
type notes struct {
	mu   sync.Mutex
	text string
}

func (n *notes) Progress(pipeline.Stage, int64, int64, string) {}

func (n *notes) Note(text string) {
	n.mu.Lock()
	n.text += text + "\n"
	n.mu.Unlock()
}

func (n *notes) read() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.text
}

// score scores the topic until its end, or until after gives an error.
func (x *tired) score(t *testing.T, c kafka.Options, topic, output string, after func() error) (told string, err error) {
	t.Helper()
	src, err := kafka.NewSource(kafka.SourceOptions{Options: c, Topic: topic, Group: topic, UntilEnd: true})
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	commits, err := src.Committed(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	csv, err := pipeline.OpenFileSink(pipeline.FileOptions{Path: output, Model: x.art.Hash, Commits: commits})
	if err != nil {
		t.Fatal(err)
	}
	defer csv.Close()
	scorers, err := pipeline.ModelScorers(x.art, pipeline.ScorerOptions{})
	if err != nil {
		t.Fatal(err)
	}
	history, err := pipeline.NewHistory(x.art, pipeline.ScorerOptions{}, pipeline.HistoryOptions{
		Dir: pipeline.StateDir(output), Every: time.Nanosecond,
	})
	if err != nil {
		t.Fatal(err)
	}
	if after == nil {
		after = func() error { return nil }
	}
	n := &notes{}
	_, err = pipeline.Score(t.Context(), pipeline.ScoreOptions{
		Scorers: scorers, History: history, Threads: 3, BatchRows: 100, CommitEvery: 3 * time.Millisecond,
	}, src, failing{csv, after}, n)
	return n.text, err
}

// check compares the probabilities in the file with those of evaluation, digit
// for digit, however often a row stands there.
func (x *tired) check(t *testing.T, output string) {
	t.Helper()
	text, err := os.ReadFile(output)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]bool{}
	for line := range strings.Lines(strings.TrimPrefix(string(text), pipeline.CSVHeader)) {
		f := strings.Split(line, ",")
		if want := x.want[f[0]]; f[3] != want {
			t.Fatalf("partition %s offset %s id %s: probability %s, evaluation gives %s", f[6], f[7], f[0], f[3], want)
		}
		got[f[0]] = true
	}
	if len(got) != x.n {
		t.Errorf("%d rows, want %d", len(got), x.n)
	}
}

// One partition has the rows in the order of the file: every probability is
// the offline one, bit for bit, whatever the history is of.
func TestLiveHistoryIsTheOfflineOne(t *testing.T) {
	t.Parallel()
	c := cluster(t)
	x := newTired(t, 3000, "device_id", "device_ip+device_model", "C14")
	topic := newTopic(t, c, 1)
	x.replay(t, c, topic, pipeline.ReplayOptions{})
	out := output(t)
	told, err := x.score(t, c, topic, out, nil)
	if err != nil || told != "" {
		t.Fatalf("%v, %s", err, told)
	}
	x.check(t, out)
}

// With several partitions that holds for keys that decide the partition.
func TestPartitionsByUserHaveTheUsersHistory(t *testing.T) {
	t.Parallel()
	c := cluster(t)
	f := func(key string, history ...string) {
		t.Helper()
		x := newTired(t, 3000, history...)
		topic := newTopic(t, c, 3)
		x.replay(t, c, topic, pipeline.ReplayOptions{Key: key, JSON: true})
		out := output(t)
		if _, err := x.score(t, c, topic, out, nil); err != nil {
			t.Fatal(err)
		}
		x.check(t, out)
		seen := map[int]int{}
		for _, p := range predictions(t, out) {
			seen[p.partition]++
		}
		if len(seen) != 3 {
			t.Errorf("rows by partition %v, want three", seen)
		}
	}
	f("device_ip", "device_ip", "device_ip+device_model")
	f("device_ip+device_model", "device_ip+device_model", "device_model+device_ip+C14")
}

// A process that is killed and started again, twice, gives what one that was
// never killed gives.
func TestHistorySurvivesCrashes(t *testing.T) {
	t.Parallel()
	c := cluster(t)
	x := newTired(t, 3000, "device_ip", "C14")
	topic := newTopic(t, c, 2)
	// All of an advertisement's rows in one partition, and so are not an
	// address's: its history is of the partition.
	x.replay(t, c, topic, pipeline.ReplayOptions{Key: "C14"})
	whole := output(t)
	if _, err := x.score(t, c, topic, whole, nil); err != nil {
		t.Fatal(err)
	}
	x.want = byID(t, whole)

	again := newTopic(t, c, 2)
	x.replay(t, c, again, pipeline.ReplayOptions{Key: "C14"})
	out := output(t)
	killed, reread := errors.New("killed"), 0
	for range 2 {
		batches := 0
		told, err := x.score(t, c, again, out, func() error {
			time.Sleep(time.Millisecond) // for commits to come between batches
			if batches++; batches == 8 {
				return killed
			}
			return nil
		})
		if !errors.Is(err, killed) {
			t.Fatalf("error %v, want killed", err)
		}
		reread += strings.Count(told, "read again")
	}
	told, err := x.score(t, c, again, out, nil)
	if err != nil {
		t.Fatal(err)
	}
	reread += strings.Count(told, "read again")
	x.check(t, out)
	if strings.Contains(told, "begins from the model's") {
		t.Errorf("told: %s", told)
	}
	t.Logf("%d times records were read again; %s", reread, told)
}

// byID gives the probabilities in a file of predictions.
func byID(t *testing.T, path string) map[string]string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	p := map[string]string{}
	for line := range strings.Lines(strings.TrimPrefix(string(text), pipeline.CSVHeader)) {
		f := strings.Split(line, ",")
		p[f[0]] = f[3]
	}
	return p
}

// Records between the saved offset and the committed one are counted again;
// what can't be gone on from is told, and the model's state is.
func TestHistoryIsRereadFromTheSavedOffset(t *testing.T) {
	t.Parallel()
	c := cluster(t)
	x := newTired(t, 1500, "C14")
	f := func(want string, same bool, harm func(path string)) {
		t.Helper()
		topic, out := newTopic(t, c, 1), output(t)
		text, err := os.ReadFile(x.rows)
		if err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(strings.TrimSpace(string(text)), "\n")[1:]
		send(t, c, topic, lines[:1000])
		if _, err := x.score(t, c, topic, out, nil); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(pipeline.StateDir(out), topic+"-0.state")
		if s, err := models.OpenState(path, x.art.Spec); err != nil || s.Offset != 1000 || s.Model != x.art.Hash {
			t.Fatalf("saved %+v, %v: want offset 1000", s, err)
		}
		harm(path)
		send(t, c, topic, lines[1000:])
		told, err := x.score(t, c, topic, out, nil)
		if err != nil || !strings.Contains(told, want) || want == "" && told != "" {
			t.Fatalf("told %q, %v: want %q", told, err, want)
		}
		if same {
			x.check(t, out)
			return
		}
		if n := len(predictions(t, out)); n != 1500 {
			t.Errorf("%d rows, want 1500", n)
		}
	}
	rewrite := func(change func(s *models.StateFile)) func(string) {
		return func(path string) {
			s, err := models.OpenState(path, x.art.Spec)
			if err != nil {
				t.Fatal(err)
			}
			change(s)
			if err := s.Write(path); err != nil {
				t.Fatal(err)
			}
		}
	}
	f("", true, func(string) {})
	f("1000 records from offset 0 on read again", true, rewrite(func(s *models.StateFile) { s.Offset, s.State = 0, nil }))
	f("there is no ", false, func(path string) { os.Remove(path) })
	f("damaged", false, func(path string) {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		b[len(b)-1] ^= 1
		if err := os.WriteFile(path, b, 0o644); err != nil {
			t.Fatal(err)
		}
	})
	f("of another model", false, rewrite(func(s *models.StateFile) { s.Model = "abc" }))
	f("of another partition", false, rewrite(func(s *models.StateFile) { s.Partition = 1 }))
	f("saved at offset 1001, after the rows to come", false, rewrite(func(s *models.StateFile) { s.Offset = 1001 }))
}

// A record of another form than the rest of its batch is counted in its place.
func TestOddRecordsAreCounted(t *testing.T) {
	t.Parallel()
	c := cluster(t)
	x := newTired(t, 600, "C14", "device_ip")
	text, err := os.ReadFile(x.rows)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	names := strings.Split(lines[0], ",")
	var values []string
	for i, line := range lines[1:] {
		switch i % 3 {
		case 1: // with an index before, as a stream has it
			line = strconv.Itoa(i) + "," + line
		case 2:
			var b strings.Builder
			for k, v := range strings.Split(line, ",") {
				fmt.Fprintf(&b, ",%q:%q", names[k], v)
			}
			line = "{" + b.String()[1:] + "}"
		}
		values = append(values, line)
	}
	topic, out := newTopic(t, c, 1), output(t)
	send(t, c, topic, values)
	if _, err := x.score(t, c, topic, out, nil); err != nil {
		t.Fatal(err)
	}
	x.check(t, out)
}
