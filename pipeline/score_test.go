package pipeline

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"ctr/features"
	"ctr/models"
)

// memorySource gives records of some partitions, each read by a goroutine of
// its own.
type memorySource struct {
	partitions [][]Record
	size       int // of a batch

	mu        sync.Mutex
	committed map[int32]int64
	refuse    error // what Commit gives
}

func (s *memorySource) Run(ctx context.Context, feed *Feed) error {
	errs := make([]error, len(s.partitions))
	var wg sync.WaitGroup
	for p, records := range s.partitions {
		wg.Go(func() { errs[p] = s.read(ctx, feed, int32(p), records) })
	}
	wg.Wait()
	return errors.Join(errs...)
}

func (s *memorySource) read(ctx context.Context, feed *Feed, p int32, records []Record) error {
	a := &Assignment{Topic: "t", Partition: p, Committed: -1}
	if err := feed.Assigned(a); err != nil {
		return err
	}
	for len(records) > 0 && ctx.Err() == nil {
		b, err := feed.Batch(a)
		if err != nil {
			return errors.Join(err, feed.Revoked(a))
		}
		n := min(s.size, len(records))
		b.Records = append(b.Records, records[:n]...)
		b.HighWater = records[len(records)-1].Offset + 1
		records = records[n:]
		feed.Submit(b)
	}
	return feed.Revoked(a)
}

func (s *memorySource) Commit(_ context.Context, commits []Commit) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.refuse != nil {
		return s.refuse
	}
	for _, c := range commits {
		s.committed[c.Assignment.Partition] = c.Offset
	}
	return nil
}

// memory makes a source of n records in each of some partitions.
func memory(partitions, n, size int) *memorySource {
	s := &memorySource{size: size, committed: map[int32]int64{}}
	for range partitions {
		var records []Record
		for i := range n {
			records = append(records, Record{Offset: int64(i), Value: fmt.Appendf(nil, "%d", i)})
		}
		s.partitions = append(s.partitions, records)
	}
	return s
}

// jitter is a Scorer that takes its time with some batches, so that they are
// done out of order. Every record whose value ends in "13" is bad.
type jitter struct{}

func (jitter) Score(b *Batch) {
	b.Begin(0.5)
	time.Sleep(time.Duration(b.Records[0].Offset%7) * 50 * time.Microsecond)
	for i := range b.Records {
		if strings.HasSuffix(string(b.Records[i].Value), "13") {
			b.Fail(i, errors.New("unlucky"))
			continue
		}
		b.P[i] = 0.25
		b.Done(i)
	}
}

func jitters() (Scorer, error) { return jitter{}, nil }

// memorySink keeps the offsets that were written.
type memorySink struct {
	offsets map[int32][]int64
	durable map[int32]int // how many of them at the last Commit
	fail    func(b *Batch) error
	owns    bool
	commits int
}

func newMemorySink() *memorySink {
	return &memorySink{offsets: map[int32][]int64{}, durable: map[int32]int{}}
}

func (s *memorySink) Resume(a *Assignment) error {
	s.offsets[a.Partition] = nil
	return nil
}

func (s *memorySink) Write(b *Batch) error {
	if s.fail != nil {
		if err := s.fail(b); err != nil {
			return err
		}
	}
	p := b.Assignment.Partition
	for i := range b.Records {
		s.offsets[p] = append(s.offsets[p], b.Records[i].Offset)
	}
	return nil
}

func (s *memorySink) Commit(context.Context, []Commit) (owned bool, err error) {
	s.commits++
	for p, o := range s.offsets {
		s.durable[p] = len(o)
	}
	return s.owns, nil
}

func (s *memorySink) Close() error { return nil }

func TestBatchesLeaveInOrder(t *testing.T) {
	src, sink := memory(3, 5000, 37), newMemorySink()
	sum, err := Score(t.Context(), ScoreOptions{Scorers: jitters, Threads: 4, Batches: 6}, src, sink, nil)
	if err != nil {
		t.Fatal(err)
	}
	if sum.Rows != 3*4950 || sum.Bad != 3*50 || sum.Running.Rows != 3*4950 {
		t.Errorf("summary %+v: want 14,850 rows and 150 bad", sum)
	}
	for p := range int32(3) {
		if len(sink.offsets[p]) != 5000 || !slices.IsSorted(sink.offsets[p]) {
			t.Errorf("partition %d: %d records, in order %v", p, len(sink.offsets[p]), slices.IsSorted(sink.offsets[p]))
		}
		if src.committed[p] != 5000 || sum.Committed[p].Offset != 5000 {
			t.Errorf("partition %d: committed %d, summary says %v; want 5,000", p, src.committed[p], sum.Committed[p])
		}
	}
}

// Nothing is committed that the sink has not made durable, whenever it fails.
func TestNothingCommittedAfterAnError(t *testing.T) {
	full := errors.New("disk full")
	for failAt := range 8 {
		src, sink := memory(2, 300, 50), newMemorySink()
		n := 0
		sink.fail = func(*Batch) error {
			if n++; n > failAt {
				return full
			}
			return nil
		}
		_, err := Score(t.Context(), ScoreOptions{Scorers: jitters, CommitEvery: time.Millisecond}, src, sink, nil)
		if !errors.Is(err, full) {
			t.Fatalf("failing at %d: error %v, want disk full", failAt, err)
		}
		for p, c := range src.committed {
			if int(c) > sink.durable[p] {
				t.Errorf("failing at %d: partition %d: %d committed, %d durable", failAt, p, c, sink.durable[p])
			}
		}
	}
}

// A sink that stores the offsets itself is not doubled by the source.
func TestSinkOwnsTheCommit(t *testing.T) {
	src, sink := memory(2, 300, 50), newMemorySink()
	sink.owns = true
	sum, err := Score(t.Context(), ScoreOptions{Scorers: jitters}, src, sink, nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(src.committed) != 0 || sink.commits == 0 || len(sum.Committed) != 2 || sum.Committed[1].Offset != 300 {
		t.Errorf("source committed %v, sink %d times, summary %v", src.committed, sink.commits, sum.Committed)
	}
}

// notes keeps what an Observer is told.
type notes struct{ text []string }

func (n *notes) Progress(Stage, int64, int64, string) {}
func (n *notes) Note(text string)                     { n.text = append(n.text, text) }

func TestCommitErrors(t *testing.T) {
	f := func(refuse error, want string) {
		t.Helper()
		src, sink, obs := memory(1, 300, 50), newMemorySink(), new(notes)
		src.refuse = refuse
		sum, err := Score(t.Context(), ScoreOptions{Scorers: jitters, CommitEvery: time.Hour}, src, sink, obs)
		if errorText(err) != want || len(sum.Committed) != 0 {
			t.Errorf("error %q, committed %v; want %q", errorText(err), sum.Committed, want)
		}
		if len(obs.text) == 0 {
			t.Error("nobody was told")
		}
	}
	f(fmt.Errorf("%w (gone)", ErrNotOwner), "") // not ours any more: no error
	f(errors.New("no coordinator"), "no coordinator")
}

// At most Batches batches are in use, so a slow sink holds back the reading.
func TestBackPressure(t *testing.T) {
	src, sink := memory(1, 2000, 10), newMemorySink()
	var scored, written, most atomic.Int64
	sink.fail = func(*Batch) error {
		time.Sleep(20 * time.Microsecond)
		most.Store(max(most.Load(), scored.Load()-written.Add(1)+1))
		return nil
	}
	_, err := Score(t.Context(), ScoreOptions{Batches: 5, Threads: 3, Scorers: func() (Scorer, error) {
		return counting{&scored}, nil
	}}, src, sink, nil)
	if err != nil || written.Load() != 200 || most.Load() > 5 {
		t.Errorf("%d batches (%v), at most %d in use; want 200 and 5", written.Load(), err, most.Load())
	}
}

type counting struct{ n *atomic.Int64 }

func (c counting) Score(b *Batch) {
	b.Begin(0.5)
	c.n.Add(1)
}

func TestScoreOptionsFaults(t *testing.T) {
	bad := int64(-1)
	o := ScoreOptions{Threads: -1, BatchRows: -1, Batches: -1, CommitEvery: -1, MaxBad: &bad}
	_, err := Score(t.Context(), o, nil, nil, nil)
	want := "score: Scorers nil: want a function; Threads -1: want 0 (all cores) or more; " +
		"BatchRows -1: want 0 (1,024) or more; Batches -1: want 0 (by threads) or more; " +
		"CommitEvery, CommitRows, StatsEvery: want 0 or more; MaxBad -1: want nil (no limit), 0 or more"
	if errorText(err) != want {
		t.Errorf("error %q, want %q", errorText(err), want)
	}
}

// smallModel trains on a few synthetic rows, and gives those rows' lines.
func smallModel(t testing.TB) (*models.Artifact, []string) {
	t.Helper()
	path := synthetic(t, t.TempDir(), "rows.csv", 2000, 5)
	o := TrainOptions{Algo: "lr", Split: "none"}
	o.Files = []string{path}
	r := train(t, o)
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")[1:]
	return r.Artifact, lines
}

// fill puts records into a batch.
func fill(b *Batch, values ...string) {
	b.Records = b.Records[:0]
	for i, v := range values {
		b.Records = append(b.Records, Record{Offset: int64(i), Value: []byte(v)})
	}
}

// One topic may mix all layouts of the schema and JSON: each record has the
// probability of its row, and those that fit nothing are bad.
func TestMixedRecords(t *testing.T) {
	a, lines := smallModel(t)
	scorers, err := ModelScorers(a, ScorerOptions{})
	if err != nil {
		t.Fatal(err)
	}
	row := lines[3]
	f := strings.Split(row, ",")
	test := strings.Join(slices.Delete(slices.Clone(f), 1, 2), ",")
	var object strings.Builder
	for i, name := range features.Avazu().Layouts[0] {
		fmt.Fprintf(&object, ",%q:%q", name, f[i])
	}
	asJSON := "{" + object.String()[1:] + "}"
	wrongLabel := strings.Replace(row, ","+f[1]+",", ",yes,", 1)
	wrongHour := strings.Replace(row, ","+f[2]+",", ",14139900,", 1)

	type kind struct {
		record string
		y      int8   // -1 = no label
		err    string // "" = good
	}
	y := int8(f[1][0] - '0')
	kinds := []kind{
		{row, y, ""},
		{"123," + row, y, ""},
		{test, -1, ""},
		{asJSON, y, ""},
		{" " + asJSON + "\n", y, ""},
		{row + "\r\n", y, ""},
		{"hello", 0, "1 field: want 24"},
		{"", 0, "empty record"},
		{`{"id":1`, 0, `JSON byte 8: `},
		{"\x00\x00\x00\x00\x07" + row, 0, "looks like Avro or Protobuf in a schema registry's framing (a zero byte and schema id 7): want "},
		{wrongLabel, 0, `column click: "yes": want 0 or 1`},
		{wrongHour, 0, `column hour: "14139900": want `},
	}
	s, err := scorers()
	if err != nil {
		t.Fatal(err)
	}
	var want float64
	b := new(Batch)
	fill(b, row)
	s.Score(b)
	if want = b.P[0]; len(b.Bad) > 0 || want <= 0 || want >= 1 {
		t.Fatalf("probability %v, bad %v", want, b.Bad)
	}
	for _, first := range kinds {
		for _, second := range kinds {
			for _, third := range kinds {
				fill(b, first.record, second.record, third.record)
				s.Score(b)
				bad := b.Bad
				for i, k := range []kind{first, second, third} {
					if len(bad) > 0 && bad[0].Index == i {
						if k.err == "" || !strings.HasPrefix(bad[0].Err.Error(), strings.TrimSuffix(k.err, "24")) {
							t.Fatalf("%q: error %v, want %q", k.record, bad[0].Err, k.err)
						}
						bad = bad[1:]
						continue
					}
					if k.err != "" || b.P[i] != want || b.Y[i] != k.y || string(b.IDs[i]) != f[0] {
						t.Fatalf("%q: probability %v, label %d, id %s; want %v, %d, %s, error %q",
							k.record, b.P[i], b.Y[i], b.IDs[i], want, k.y, f[0], k.err)
					}
				}
			}
		}
	}
}

func TestModelScorersColumns(t *testing.T) {
	a, _ := smallModel(t)
	if _, err := ModelScorers(a, ScorerOptions{Columns: features.Layout{"id", "click"}}); err == nil ||
		!strings.Contains(err.Error(), "site_id") {
		t.Errorf("error %v, want one that names what is missing", err)
	}
}

// Scoring a batch allocates nothing a row.
func TestScoreAllocations(t *testing.T) {
	a, lines := smallModel(t)
	scorers, err := ModelScorers(a, ScorerOptions{})
	if err != nil {
		t.Fatal(err)
	}
	s, err := scorers()
	if err != nil {
		t.Fatal(err)
	}
	b := new(Batch)
	fill(b, lines[:1000]...)
	s.Score(b)
	if n := testing.AllocsPerRun(20, func() { s.Score(b) }); n != 0 {
		t.Errorf("%v allocations a batch, want 0", n)
	}
}

func BenchmarkModelScorer(bm *testing.B) {
	a, lines := smallModel(bm)
	scorers, err := ModelScorers(a, ScorerOptions{})
	if err != nil {
		bm.Fatal(err)
	}
	s, err := scorers()
	if err != nil {
		bm.Fatal(err)
	}
	b := new(Batch)
	fill(b, lines[:1000]...)
	bm.ReportAllocs()
	for bm.Loop() {
		s.Score(b)
	}
	bm.ReportMetric(float64(bm.Elapsed().Nanoseconds())/float64(bm.N)/1000, "ns/row")
}
