package pipeline

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"ctr/features"
	"ctr/features/race"
	"ctr/models"
	"ctr/models/linear"
	"ctr/models/metrics"
	"ctr/pipeline/synth"
)

// tiredRows are synthetic rows whose users click less the more they have seen.
func tiredRows(t testing.TB, rows int64) string {
	t.Helper()
	var b bytes.Buffer
	if err := synth.Write(context.Background(), &b, synth.Options{Rows: rows, Seed: 1, Fatigue: true}, nil); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "rows.csv")
	if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// few are columns that are quick to fit.
var few = []string{"banner_pos", "device_conn_type", "C1", "C15", "C18", "C19"}

// History finds the fatigue that the rows have, beyond the luck of the rows
// held out.
func TestHistoryFindsFatigue(t *testing.T) {
	if testing.Short() || race.Enabled {
		t.Skip("200,000 rows")
	}
	dir := t.TempDir()
	var held [2][]float64
	var results [2]*TrainResult
	var y []uint8
	rows := tiredRows(t, 200_000)
	for i, history := range [][]string{nil, {"auto"}} {
		o := TrainOptions{Algo: "lr", Out: filepath.Join(dir, "m.ctr"), Include: few, History: history}
		o.Files = []string{rows}
		results[i] = train(t, o)
		predictions := filepath.Join(dir, "p.csv")
		e, err := Evaluate(context.Background(), EvaluateOptions{Model: o.Out, Predictions: predictions, Overwrite: true}, nil)
		if err != nil {
			t.Fatal(err)
		}
		same(t, "evaluate and train", &e.Metrics, results[i].Test)
		y, held[i] = readPredictions(t, predictions)
	}
	d, err := metrics.BootstrapDiff(y, held[1], held[0], 200, 1)
	if err != nil {
		t.Fatal(err)
	}
	without, with := results[0].Test.AUC, results[1].Test.AUC
	t.Logf("AUC %.4f without history, %.4f with; log loss %+.5f (%.5f … %.5f)", without, with, d.Mean, d.Low, d.High)
	if !(with > without) || !(d.High < 0) {
		t.Error("want a gain beyond the luck of the rows")
	}
}

func readPredictions(t testing.TB, path string) (y []uint8, p []float64) {
	t.Helper()
	for _, rec := range records(t, path) {
		y = append(y, rec.y)
		p = append(p, rec.p)
	}
	return y, p
}

// The model with its State is the same at any number of threads.
func TestHistoryIsDeterministic(t *testing.T) {
	rows := tiredRows(t, 6000)
	var first []byte
	for _, threads := range []int{1, 2, 5} {
		o := TrainOptions{Algo: "dt", Out: filepath.Join(filepath.Dir(rows), "m.ctr"), History: []string{"auto", "C14"}, HistoryBits: 10}
		o.Files, o.Threads = []string{rows}, threads
		train(t, o)
		b, err := os.ReadFile(o.Out)
		if err != nil {
			t.Fatal(err)
		}
		if first == nil {
			first = b
		} else if !bytes.Equal(first, b) {
			t.Errorf("%d threads: another file than one thread gives", threads)
		}
	}
}

// Scoring goes on where training ended: the rows of a second file get what
// they would have got behind those of the first.
func TestScoringGoesOnFromTraining(t *testing.T) {
	rows := tiredRows(t, 9000)
	text, err := os.ReadFile(rows)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.SplitAfter(string(text), "\n")
	dir := filepath.Dir(rows)
	file := func(name string, of ...[]string) string {
		var b strings.Builder
		for _, l := range of {
			b.WriteString(strings.Join(l, ""))
		}
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	first, second := file("first.csv", lines[:6001]), file("second.csv", lines[:1], lines[6001:])
	o := TrainOptions{Algo: "lr", Split: "none", Out: filepath.Join(dir, "m.ctr"), Include: few, History: []string{"device_id", "device_ip+device_model"}}
	o.Files, o.Threads = []string{first}, 2
	r := train(t, o)
	if r.Artifact.State == nil || r.Artifact.State.Head[1] != 6000 {
		t.Fatalf("state of the model: %+v, want one of 6,000 rows", r.Artifact.State)
	}
	score := func(change func(*models.Artifact), files ...string) []scoredLine {
		t.Helper()
		a, err := models.Open(o.Out)
		if err != nil {
			t.Fatal(err)
		}
		change(a)
		path := filepath.Join(dir, "p.csv")
		out, err := createOutput(path, true, nil)
		if err != nil {
			t.Fatal(err)
		}
		s := &scoring{art: a, format: formatCSV, out: out}
		in := Input{Files: files, Threads: 3}
		sources, err := in.sources()
		if err == nil {
			err = s.run(context.Background(), &in, sources, nil, func(*job) error { return nil })
		}
		if err == nil {
			err = out.finish()
		}
		if err != nil {
			t.Fatal(err)
		}
		return records(t, path)
	}
	on := score(func(*models.Artifact) {}, second)
	whole := score(func(a *models.Artifact) { a.State = nil }, first, second)
	anew := score(func(a *models.Artifact) { a.State = nil }, second)
	others := 0
	for i := range on {
		if on[i] != whole[6000+i] {
			t.Fatalf("row %d: %v from the state, %v behind the first file", i, on[i], whole[6000+i])
		}
		if on[i] != anew[i] {
			others++
		}
	}
	if len(on) != 3000 || others == 0 {
		t.Errorf("%d rows, %d of which the state matters to: want 3000 and some", len(on), others)
	}
}

// Rows that training did not keep are counted as well: those of a sample have
// the history they have among all.
func TestSampledRowsHaveAllHistory(t *testing.T) {
	rows := tiredRows(t, 9000)
	o := TrainOptions{Algo: "dt", Out: filepath.Join(filepath.Dir(rows), "m.ctr"), History: []string{"C14"}}
	o.Files, o.Rows, o.Since = []string{rows}, 1000, "14102200"
	r := train(t, o)
	if n := r.Artifact.State.Head[1]; n != 9000 {
		t.Errorf("%d rows counted, want 9,000", n)
	}
	e, err := Evaluate(context.Background(), EvaluateOptions{Model: o.Out}, nil)
	if err != nil {
		t.Fatal(err)
	}
	same(t, "evaluate and train", &e.Metrics, r.Test)
}

// Online learning has history as well: it is judged as Evaluate judges it.
func TestOnlineLearningHasHistory(t *testing.T) {
	rows := tiredRows(t, 9000)
	o := TrainOptions{Algo: "lr", Out: filepath.Join(filepath.Dir(rows), "m.ctr"), History: []string{"device_id", "C14"}, Bits: 12}
	o.Files, o.Model.Solver, o.Model.Passes = []string{rows}, linear.SolverFTRL, 2
	r := train(t, o)
	if n := r.Artifact.State.Head[1]; n != 9000 {
		t.Errorf("%d rows counted, want 9,000", n)
	}
	e, err := Evaluate(context.Background(), EvaluateOptions{Model: o.Out}, nil)
	if err != nil {
		t.Fatal(err)
	}
	same(t, "evaluate and train", &e.Metrics, r.Test)
}

func TestHistoryFaults(t *testing.T) {
	dir := t.TempDir()
	f := func(want string, text string, history ...string) {
		t.Helper()
		path := filepath.Join(dir, "rows.csv")
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		o := TrainOptions{Algo: "dt", Out: filepath.Join(dir, "m.ctr"), History: history}
		o.Files = []string{path}
		_, err := Train(context.Background(), o, nil)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
	const head = "id,click,hour,device_id\n"
	f(`rows.csv:4: column hour: "14102100": an earlier hour`, head+"1,0,14102100,a\n2,1,14102101,a\n3,1,14102100,b\n4,1,14102100,b\n", "device_id")
	f("columns [device]: want some of", head+"1,0,14102100,a\n", "device")
	f(`history "device_id+": want columns joined by +`, head+"1,0,14102100,a\n", "device_id+")
	f("history: no time column", "id,click,device_id\n1,0,a\n", "device_id")
	f("columns [device_ip device_model]", head+"1,0,14102100,a\n", features.HistoryAuto)
}

// scoredLine is a line of predictions.
type scoredLine struct {
	id string
	y  uint8
	p  float64
}

// records reads id,y,probability,prediction.
func records(t testing.TB, path string) (out []scoredLine) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		f := strings.Split(line, ",")
		if p, err := strconv.ParseFloat(f[2], 64); err == nil {
			out = append(out, scoredLine{f[0], f[1][0] - '0', p})
		}
	}
	return out
}
