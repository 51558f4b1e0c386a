package monitor

import (
	"strings"
	"testing"
	"time"

	"ctr/models"
	"ctr/pipeline"
)

// topic is a Monitor of a stream, and what scores its batches.
func topic(t testing.TB, c *clock) (m *Monitor, scorer pipeline.Scorer, watch pipeline.Watcher) {
	t.Helper()
	a, err := models.Open(fixtureOf(t).lr)
	if err != nil {
		t.Fatal(err)
	}
	scorers, err := pipeline.ModelScorers(a, pipeline.ScorerOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if scorer, err = scorers(); err != nil {
		t.Fatal(err)
	}
	m = newMonitor(Options{
		Source: "stream", Topic: "clicks", Group: "g",
		Models: func() []Served { return []Served{{Artifact: a, Name: "m", Version: a.Hash, Threshold: a.Threshold}} },
	}, c.now)
	return m, scorer, m.Watch(a)()
}

// batchOf makes records of lines, produced so long before now.
func batchOf(lines [][]byte, produced time.Time) *pipeline.Batch {
	b := &pipeline.Batch{Assignment: &pipeline.Assignment{Topic: "clicks", Partition: 3}}
	for i, line := range lines {
		b.Records = append(b.Records, pipeline.Record{
			Value: []byte(strings.TrimSpace(string(line))), Offset: int64(100 + i), Millis: produced.UnixMilli() + int64(i/10),
		})
	}
	return b
}

func TestStreamIsCounted(t *testing.T) {
	f, c := fixtureOf(t), newClock()
	m, scorer, watch := topic(t, c)
	lines := append([][]byte{}, f.lines[:500]...)
	lines[7] = []byte("no,row")
	lines[499] = []byte("no,row,either")
	b := batchOf(lines, c.now().Add(-3*time.Second))
	scorer.Score(b)
	watch.Scored(b)
	m.Stats(pipeline.Stats{Partitions: []pipeline.PartitionStats{
		{Topic: "clicks", Partition: 3, Lag: 70, Next: 600, Committed: 550}, {Topic: "clicks", Partition: 1, Lag: 5},
	}})
	v := m.Live()
	if v.Totals.Rows != 500 || v.Totals.Predictions != 498 || v.Totals.DeadLetters != 2 || v.Totals.Labelled != 498 {
		t.Errorf("totals %+v: want 498 of 500 and two dead letters", v.Totals)
	}
	if len(v.Lag) != 2 || v.LagTotal != 75 || v.Lag[0].Partition != 1 || v.Lag[1].Committed != 550 {
		t.Errorf("lag %+v, in all %d", v.Lag, v.LagTotal)
	}
	if len(v.Problems) != 2 || v.Problems[0].Place != "clicks/3@599" || v.Problems[0].Kind != "dead letter" || v.Problems[1].Place != "clicks/3@107" {
		t.Errorf("problems %+v", v.Problems)
	}
	if len(v.Predictions) != 1 || v.Predictions[0].Place != "clicks/3@598" || len(v.Predictions[0].Why) != mostWhy {
		t.Errorf("predictions %+v: want the newest good row's", v.Predictions)
	}
	record := v.Latency[len(v.Latency)-1]
	if record.Name != "record" || record.Count != 500 || *record.P50 < 2.5 || *record.Max != 3 {
		t.Errorf("latency of records %+v: want 500 of about 3 s", record)
	}
	if got := v.Models[0]; got.Sampled != 498 || got.Predictions != 498 || got.Total.Rows != 498 {
		t.Errorf("%d rows looked at, %d predictions, %d judged: want 498", got.Sampled, got.Predictions, got.Total.Rows)
	}
}

// A backlog that takes more than a minute raises an alarm, and so do bad records.
func TestStreamAlarms(t *testing.T) {
	f, c := fixtureOf(t), newClock()
	m, scorer, watch := topic(t, c)
	for range 3 {
		b := batchOf(append([][]byte{[]byte("no"), []byte("no")}, f.lines[:20]...), c.now())
		scorer.Score(b)
		watch.Scored(b)
		c.pass(time.Second)
		m.tick()
	}
	m.Stats(pipeline.Stats{Partitions: []pipeline.PartitionStats{{Topic: "clicks", Lag: 50_000}}})
	v := m.Live()
	if len(v.Alarms) != 2 || v.Alarms[0].Kind != "errors" || v.Alarms[1].Kind != "lag" {
		t.Fatalf("alarms %+v: want errors and lag", v.Alarms)
	}
	since := v.Alarms[1].Since
	c.pass(time.Second)
	if v := m.Live(); !v.Alarms[1].Since.Equal(since) {
		t.Errorf("raised since %v: want %v still", v.Alarms[1].Since, since)
	}
	m.Stats(pipeline.Stats{})
	c.pass(2 * time.Minute)
	if v := m.Live(); len(v.Alarms) != 0 {
		t.Errorf("alarms %+v: want none any more", v.Alarms)
	}
}

// A batch is counted without allocating.
func TestWatchingAllocatesNothing(t *testing.T) {
	f, c := fixtureOf(t), newClock()
	m, scorer, watch := topic(t, c)
	b := batchOf(f.lines[:1000], c.now())
	scorer.Score(b)
	watch.Scored(b) // one is explained, once a second
	m.stride.Store(10)
	if n := testing.AllocsPerRun(50, func() { watch.Scored(b) }); n > 2 {
		t.Errorf("%v allocations a batch: want 2 at most", n)
	}
}

func BenchmarkWatch(b *testing.B) {
	f, c := fixtureOf(b), newClock()
	m, scorer, watch := topic(b, c)
	batch := batchOf(f.lines[:1024], c.now())
	scorer.Score(batch)
	watch.Scored(batch)
	m.stride.Store(500)
	b.SetBytes(0)
	b.ReportAllocs()
	for range b.N {
		watch.Scored(batch)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/1024, "ns/row")
	if v := m.Live(); v.Totals.Rows < int64(b.N)*1024 {
		b.Fatalf("%d rows", v.Totals.Rows)
	}
}
