package monitor

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"ctr/features"
	"ctr/pipeline"
	"ctr/pipeline/infer"
	"ctr/pipeline/synth"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		if f, err := fixtures(); err == nil {
			os.RemoveAll(f.dir)
		}
		os.Exit(code)
	}))
}

// fixture is rows, with and without what training held out, and models of them.
type fixture struct {
	dir    string
	header []byte
	lines  [][]byte
	lr, dt string // paths of models
}

// testRows is how many rows there are; the last 30 % by time are held out.
const testRows = 30_000

var fixtures = sync.OnceValues(func() (*fixture, error) {
	dir, err := os.MkdirTemp("", "monitor")
	if err != nil {
		return nil, err
	}
	var rows bytes.Buffer
	if err := synth.Write(context.Background(), &rows, synth.Options{Rows: testRows, Seed: 5}, nil); err != nil {
		return nil, err
	}
	f := &fixture{dir: dir, lr: filepath.Join(dir, "lr.ctr"), dt: filepath.Join(dir, "dt.ctr")}
	path := filepath.Join(dir, "rows.csv")
	if err := os.WriteFile(path, rows.Bytes(), 0o600); err != nil {
		return nil, err
	}
	all := bytes.SplitAfter(rows.Bytes(), []byte("\n"))
	f.header, f.lines = all[0], all[1:testRows+1]
	for algo, out := range map[string]string{"lr": f.lr, "dt": f.dt} {
		o := pipeline.TrainOptions{Algo: algo, Out: out}
		o.Files = []string{path}
		if _, err := pipeline.Train(context.Background(), o, nil); err != nil {
			return nil, err
		}
	}
	return f, nil
})

func fixtureOf(t testing.TB) *fixture {
	t.Helper()
	f, err := fixtures()
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// clock is a time of day that tests move.
type clock struct{ nanos atomic.Int64 }

func newClock() *clock {
	c := new(clock)
	c.nanos.Store(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC).UnixNano())
	return c
}
func (c *clock) now() time.Time       { return time.Unix(0, c.nanos.Load()) }
func (c *clock) pass(d time.Duration) { c.nanos.Add(int64(d)) }

// registry serves one model.
func registryOf(t testing.TB, path string, redact ...string) *infer.Registry {
	t.Helper()
	r, err := infer.OpenModels(infer.RegistryOptions{
		Files: []infer.ModelFile{{Name: "m", Path: path}}, Scorers: pipeline.ScorerOptions{Redact: redact},
	})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// serving is a Monitor of requests without a clock of its own.
func serving(r *infer.Registry, c *clock, redact ...string) *Monitor {
	return newMonitor(Options{Source: "serve", Version: "test", Models: ServedModels(r), Redact: redact}, c.now)
}

// ask scores rows as a request does.
func ask(t testing.TB, m *Monitor, model *infer.Model, rows ...[]byte) {
	t.Helper()
	r := model.Get()
	defer model.Put(r)
	text := append(bytes.Clone(fixtureOf(t).header), bytes.Join(rows, nil)...)
	if err := r.CSV(text, 0, testRows); err != nil {
		t.Error(err)
		return
	}
	if err := r.Score(); err != nil {
		t.Error(err)
		return
	}
	m.Scored(model, r, time.Millisecond)
	m.Answered("/v1/score", 200, 2*time.Millisecond)
}

// Whatever goroutines do at a time, and however often somebody looks, every row
// is counted once.
func TestAllRowsAreCounted(t *testing.T) {
	f := fixtureOf(t)
	reg := registryOf(t, f.lr)
	m := New(Options{Source: "serve", Models: ServedModels(reg)})
	defer m.Close()
	const workers, each = 4, 30
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			for i := range each {
				at := (w*each + i) * 100
				ask(t, m, reg.Default(), f.lines[at:at+100]...)
			}
		})
	}
	wg.Go(func() {
		for range 20 {
			m.Live()
			time.Sleep(time.Millisecond)
		}
	})
	wg.Wait()
	v := m.Live()
	const n = workers * each * 100
	if v.Totals.Predictions != n || v.Totals.Rows != n || v.Totals.Labelled != n || v.Totals.Requests != workers*each {
		t.Errorf("totals %+v: want %d rows", v.Totals, n)
	}
	one := v.Models[0]
	rows, clicks := int64(0), int64(0)
	for _, b := range one.Scores {
		rows += b.Rows
		clicks += b.Clicks
	}
	if rows != n || clicks != one.Total.Clicks || one.Predictions != n {
		t.Errorf("histogram of %d rows and %d clicks, %d predictions: want %d rows and %d clicks", rows, clicks, one.Predictions, n, one.Total.Clicks)
	}
	if v.Latency[0].Name != "request" || v.Latency[0].Count != workers*each || *v.Latency[0].Max != 0.002 {
		t.Errorf("latency %+v", v.Latency[0])
	}
}

// The figures are those of the rows.
func TestFiguresAreTheRows(t *testing.T) {
	f := fixtureOf(t)
	reg, c := registryOf(t, f.lr), newClock()
	m := serving(reg, c)
	model := reg.Default()
	lines := f.lines[testRows-6000:]
	r := model.Get()
	text := append(bytes.Clone(f.header), bytes.Join(lines, nil)...)
	if err := errors.Join(r.CSV(text, 0, testRows), r.Score()); err != nil {
		t.Fatal(err)
	}
	m.Scored(model, r, time.Millisecond)
	var clicks, predicted, right int64
	sum := 0.0
	for i, p := range r.P {
		clicks += int64(r.Y[i])
		predicted += int64(r.Prediction(i))
		if r.Prediction(i) == int(r.Y[i]) {
			right++
		}
		sum += p
	}
	v := m.Live().Models[0]
	n := float64(len(r.P))
	near := func(name string, got *float64, want float64) {
		t.Helper()
		if got == nil || math.Abs(*got-want) > 1e-9 {
			t.Errorf("%s: %v: want %v", name, got, want)
		}
	}
	near("mean score", v.MeanScore, sum/n)
	near("accuracy", v.Total.Accuracy, float64(right)/n)
	near("observed", v.Total.Observed, float64(clicks)/n)
	near("calibration", v.Total.Calibration, sum/float64(clicks))
	if v.Clicks != predicted || v.Total.Rows != int64(n) || *v.Total.AUC < 0.6 {
		t.Errorf("clicks %d of %d rows, AUC %v: want %d of %v", v.Clicks, v.Total.Rows, *v.Total.AUC, predicted, n)
	}
	if v.Recent == nil || v.Recent.Rows != v.Total.Rows {
		t.Errorf("recent %+v: want all", v.Recent)
	}
	c.pass(20 * time.Minute)
	if v := m.Live().Models[0]; v.Recent != nil || v.Total == nil {
		t.Errorf("after 20 minutes: recent %+v, total %+v: want none and all", v.Recent, v.Total)
	}
}

func TestRatesAndPoints(t *testing.T) {
	f := fixtureOf(t)
	reg, c := registryOf(t, f.lr), newClock()
	m := serving(reg, c)
	for range 20 {
		ask(t, m, reg.Default(), f.lines[:50]...)
		m.Refused("/v1/score", 400, 3, "row 3: bad")
		m.Answered("/v1/score", 400, time.Millisecond)
		m.Answered("/api/live", 200, time.Millisecond) // the page looks on: that is no traffic
		m.Answered("/metrics", 401, time.Millisecond)
		c.pass(time.Second)
		m.tick()
	}
	v := m.Live()
	if v.RowsPerSecond != 51 || v.RequestsPerSecond != 2 {
		t.Errorf("%v rows and %v requests a second: want 51 and 2", v.RowsPerSecond, v.RequestsPerSecond)
	}
	points := v.Models[0].Seconds
	if len(points) != 20 {
		t.Fatalf("%d seconds: want 20", len(points))
	}
	for _, p := range points {
		if p.Predictions != 50 || p.Bad != 1 || p.Observed == nil || p.Predicted == nil {
			t.Errorf("point %+v: want 50 predictions and a bad row", p)
		}
	}
	if got := v.Problems; len(got) != 1 || got[0].Count != 20 || got[0].Status != 400 {
		t.Errorf("problems %+v: want one, 20 times", got)
	}
	if v.Totals.Bad != 20 || v.Totals.Errors != 20 || v.Totals.Requests != 40 || v.Totals.Rows != 20*51 {
		t.Errorf("totals %+v", v.Totals)
	}
	c.pass(5 * time.Minute)
	m.tick()
	v = m.Live()
	if v.RowsPerSecond != 0 || len(v.Models[0].Minutes) != 5 || len(v.Models[0].Seconds) != secondsKept {
		t.Errorf("later: %v rows a second, %d minutes, %d seconds: want 0, 5, %d", v.RowsPerSecond, len(v.Models[0].Minutes), len(v.Models[0].Seconds), secondsKept)
	}
	if v.Models[0].Minutes[0].Predictions != 1000 {
		t.Errorf("first minute %+v: want all 1,000", v.Models[0].Minutes[0])
	}
	if len(v.Predictions) != 20 { // one a second
		t.Errorf("%d predictions looked at: want 20", len(v.Predictions))
	}
}

func TestRedactedValuesAreNowhere(t *testing.T) {
	f := fixtureOf(t)
	cells := strings.Split(strings.TrimSpace(string(f.lines[0])), ",")
	id, site := cells[0], cells[5]
	see := func(redact ...string) string {
		reg := registryOf(t, f.lr, redact...)
		m := serving(reg, newClock(), redact...)
		ask(t, m, reg.Default(), f.lines[0])
		doc := string(m.document())
		if !strings.Contains(doc, `"contribution"`) {
			t.Fatalf("no reasons in %s", doc)
		}
		return doc
	}
	if doc := see(); !strings.Contains(doc, id) {
		t.Errorf("id %s is not shown in %s", id, doc)
	}
	doc := see(features.AllColumns)
	for _, secret := range []string{id, site} {
		if strings.Contains(doc, secret) {
			t.Errorf("%s is shown though all is redacted", secret)
		}
	}
	if strings.Contains(doc, `"value":"`) {
		t.Errorf("a value is shown though all is redacted: %s", doc)
	}
	if doc := see("id", "site_id"); strings.Contains(doc, id) || strings.Contains(doc, site) {
		t.Error("id or site_id is shown though it is redacted")
	}
}

// A model that is replaced begins anew; what the old one did stays in the
// totals. One that is refused raises an alarm.
func TestReplacedModel(t *testing.T) {
	f := fixtureOf(t)
	path := filepath.Join(t.TempDir(), "m.ctr")
	put := func(from string) {
		t.Helper()
		b, err := os.ReadFile(from)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	put(f.lr)
	reg, c := registryOf(t, path), newClock()
	m := serving(reg, c)
	old := reg.Default()
	ask(t, m, old, f.lines[:100]...)
	put(f.dt)
	if n, err := reg.Reload(true); n != 1 || err != nil {
		t.Fatalf("%d models replaced, %v", n, err)
	}
	c.pass(time.Second)
	m.tick()
	ask(t, m, reg.Default(), f.lines[:50]...)
	ask(t, m, old, f.lines[:7]...) // was under way
	c.pass(time.Second)
	m.tick()
	v := m.Live()
	if len(v.Models) != 1 || v.Models[0].Algo != "dt" || v.Models[0].Predictions != 50 || v.Totals.Predictions != 157 {
		t.Errorf("models %d, predictions %d of %d: want the new one's 50 of 157", len(v.Models), v.Models[0].Predictions, v.Totals.Predictions)
	}
	for _, s := range m.shards {
		if len(s.deltas) > 1 {
			t.Errorf("%d models are kept in a shard: want the one that is served", len(s.deltas))
		}
	}
	if err := os.WriteFile(path, []byte("no model"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := reg.Reload(true); err == nil {
		t.Fatal("a broken file was taken")
	}
	v = m.Live()
	if v.Models[0].Refused == "" || len(v.Alarms) == 0 || v.Alarms[0].Kind != "model" {
		t.Errorf("refused %q, alarms %+v: want one of kind model", v.Models[0].Refused, v.Alarms)
	}
}

func TestDocumentHasNoNullLists(t *testing.T) {
	reg := registryOf(t, fixtureOf(t).lr)
	var v map[string]json.RawMessage
	if err := json.Unmarshal(serving(reg, newClock()).document(), &v); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"latency", "lag", "routes", "models", "alarms", "predictions", "problems", "events"} {
		if len(v[name]) == 0 || v[name][0] != '[' {
			t.Errorf("%s: %s: want a list", name, v[name])
		}
	}
}
