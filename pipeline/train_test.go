package pipeline

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ctr/features"
	"ctr/features/race"
	"ctr/models"
	"ctr/models/metrics"
	"ctr/pipeline/synth"
)

// synthetic writes rows to a file of a test's own folder.
func synthetic(t testing.TB, dir, name string, rows int64, seed uint64) string {
	t.Helper()
	var b bytes.Buffer
	if err := synth.Write(context.Background(), &b, synth.Options{Rows: rows, Seed: seed, Threads: 2}, nil); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// briefly stops a logistic regression early under the race detector, where an
// iteration takes 60 times as long as without it: three have done all that any
// does.
func (o *TrainOptions) briefly() {
	if race.Enabled && (o.Algo == "lr" || o.Algo == "gbdt-lr") && o.Model.Solver == "" {
		o.Model.MaxIter = 3
	}
}

func train(t testing.TB, o TrainOptions) *TrainResult {
	t.Helper()
	r, err := Train(context.Background(), o, nil)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// same compares two sets of metrics as they are printed.
func same(t *testing.T, what string, a, b *metrics.Metrics) {
	t.Helper()
	if x, y := fmt.Sprintf("%+v", *a), fmt.Sprintf("%+v", *b); x != y {
		t.Errorf("%s:\n%s\n%s", what, x, y)
	}
}

// Evaluate alone judges the rows that training held out, however they were
// chosen, and finds what training found.
func TestEvaluateFindsTheHeldOutRows(t *testing.T) {
	f := func(name string, change func(o *TrainOptions)) {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			o := TrainOptions{Algo: "dt", Out: filepath.Join(dir, "m.ctr")}
			o.Files = []string{synthetic(t, dir, "rows.csv", 3000, 5)}
			o.Seed = 11
			change(&o)
			r := train(t, o)
			if r.Test == nil || r.Rows.Test == 0 || r.Rows.Test != r.Test.Rows {
				t.Fatalf("rows %+v", r.Rows)
			}
			if r.Train.Rows != r.Rows.Train || r.Train.LogLoss == r.Test.LogLoss {
				t.Errorf("the training part's metrics are of %d rows, want %d", r.Train.Rows, r.Rows.Train)
			}
			predictions := filepath.Join(dir, "p.csv")
			e, err := Evaluate(context.Background(), EvaluateOptions{Model: o.Out, Predictions: predictions}, nil)
			if err != nil {
				t.Fatal(err)
			}
			if !e.Held {
				t.Error("not the held-out rows")
			}
			same(t, "evaluate and train", &e.Metrics, r.Test)
			text, err := os.ReadFile(predictions)
			if err != nil {
				t.Fatal(err)
			}
			if n := bytes.Count(text, []byte("\n")); n != r.Rows.Test+1 {
				t.Errorf("%d lines of predictions, want %d", n, r.Rows.Test+1)
			}
		})
	}
	f("by time", func(*TrainOptions) {})
	f("at random", func(o *TrainOptions) { o.Split, o.TestFraction = "random", 0.2 })
	f("of a sample", func(o *TrainOptions) { o.Rows = 1000 })
	f("of a sample at random", func(o *TrainOptions) { o.Rows, o.Split = 700, "random" })
	f("of some days", func(o *TrainOptions) { o.Since, o.Until = "14102200", "2014-10-28 05:00:00" })
	f("of two files", func(o *TrainOptions) {
		o.Files = append(o.Files, synthetic(t, filepath.Dir(o.Out), "more.csv", 500, 6))
	})
	f("of a compressed file", func(o *TrainOptions) {
		text, err := os.ReadFile(o.Files[0])
		if err != nil {
			t.Fatal(err)
		}
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		if _, err := z.Write(text); err != nil || z.Close() != nil {
			t.Fatal(err)
		}
		o.Files[0] += ".gz"
		if err := os.WriteFile(o.Files[0], b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	})
	f("hashed", func(o *TrainOptions) { o.Bits = 12 })
	f("of built-in rows", func(o *TrainOptions) { o.Files, o.Rows = nil, 2000 })
}

// The model file is the same at any number of threads, and from any folder.
func TestTrainIsDeterministic(t *testing.T) {
	for _, algo := range []string{"lr", "dt", "rf"} {
		var first []byte
		for _, threads := range []int{1, 2, 5} {
			dir := t.TempDir()
			o := TrainOptions{Algo: algo, Out: filepath.Join(dir, "m.ctr")}
			o.Files = []string{synthetic(t, dir, "rows.csv", 2500, 5)}
			o.Threads, o.Rows = threads, 2000
			o.Model.Trees = 7
			o.settle()
			train(t, o)
			text, err := os.ReadFile(o.Out)
			if err != nil {
				t.Fatal(err)
			}
			if first == nil {
				first = text
			} else if !bytes.Equal(first, text) {
				t.Errorf("%s: %d threads make another file", algo, threads)
			}
		}
	}
}

// A model stays with its data when both are moved; changed data is said to
// have changed.
func TestEvaluateSeesChangedData(t *testing.T) {
	dir := t.TempDir()
	old := filepath.Join(dir, "old")
	if err := os.MkdirAll(filepath.Join(old, "data"), 0o755); err != nil {
		t.Fatal(err)
	}
	rows := synthetic(t, filepath.Join(old, "data"), "rows.csv", 1000, 5)
	r := train(t, TrainOptions{Algo: "dt", Out: filepath.Join(old, "m.ctr"), Input: Input{Files: []string{rows}}})
	moved := filepath.Join(dir, "new")
	if err := os.Rename(old, moved); err != nil {
		t.Fatal(err)
	}
	model := filepath.Join(moved, "m.ctr")
	e, err := Evaluate(context.Background(), EvaluateOptions{Model: model}, nil)
	if err != nil {
		t.Fatal(err)
	}
	same(t, "moved", &e.Metrics, r.Test)

	file := filepath.Join(moved, "data", "rows.csv")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	at := bytes.LastIndex(text[:len(text)-1], []byte("\n")) + 1
	text[at] ^= 1 // one digit of the last row's id
	if err := os.WriteFile(file, text, 0o644); err != nil {
		t.Fatal(err)
	}
	predictions := filepath.Join(dir, "p.csv")
	_, err = Evaluate(context.Background(), EvaluateOptions{Model: model, Predictions: predictions}, nil)
	if err == nil || !strings.Contains(err.Error(), "the data has changed since training") {
		t.Errorf("error %v, want that the data has changed", err)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "*p.csv*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	if _, err = Evaluate(context.Background(), EvaluateOptions{Model: model}, nil); err == nil || !strings.Contains(err.Error(), "no such file") {
		t.Errorf("error %v, want no such file", err)
	}
}

func TestTrainRefuses(t *testing.T) {
	dir := t.TempDir()
	const header = "id,click,hour,site_id\n"
	f := func(name, text, want string, change func(o *TrainOptions)) {
		t.Helper()
		path := filepath.Join(dir, "rows.csv")
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		o := TrainOptions{Algo: "dt", Out: filepath.Join(dir, "m.ctr")}
		o.Files, o.Schema = []string{path}, "avazu"
		if change != nil {
			change(&o)
		}
		_, err := Train(context.Background(), o, nil)
		if err == nil || !strings.Contains(strings.ReplaceAll(err.Error(), dir+string(filepath.Separator), ""), want) {
			t.Errorf("%s: error %v, want %q", name, err, want)
		}
		if _, err := os.Stat(o.Out); err == nil {
			t.Errorf("%s: a model was written", name)
		}
	}
	two := header + "a,0,14102100,x\nb,1,14102101,y\n"
	f("header only", header, "rows.csv: no rows", nil)
	f("no label column", "id,hour,site_id\na,14102100,x\n", "rows.csv: no column click", nil)
	f("label", header+"a,yes,14102100,x\n", `rows.csv:2: column click: "yes": want 0 or 1`, nil)
	f("empty label", header+"a,,14102100,x\n", `rows.csv:2: column click: "": want 0 or 1`, nil)
	f("hour", header+"a,1,14102124,x\n", `rows.csv:2: column hour: "14102124": want an hour`, nil)
	f("short row", header+"a,1,14102100\n", "rows.csv:2: 3 fields: want 4", nil)
	f("one class", header+"a,0,14102100,x\nb,0,14102101,y\n", "rows.csv: column click: all 1 training rows have 0: want both 0 and 1", nil)
	f("one row", header+"a,1,14102100,x\n", "want both 0 and 1", nil)
	f("one hour by time", header+"a,1,14102100,x\nb,0,14102100,x\n", "split by time: 1 hours in the rows: want 2 or more", func(o *TrainOptions) { o.Split = "time" })
	f("no such column", two, "columns [C99]: want some of [hour hour_time", func(o *TrainOptions) { o.Include = []string{"C99", "site_id"} })
	f("nothing left", two, "no columns are left", func(o *TrainOptions) { o.Include, o.Exclude = []string{"site_id"}, []string{"site_id"} })
	f("no such weight", two, "no column price to weigh rows by", func(o *TrainOptions) { o.Weight = "price" })
	f("no rows in range", two, "no rows between since and until", func(o *TrainOptions) { o.Since = "15010100" })
	f("since", two, `since "yesterday": want an hour`, func(o *TrainOptions) { o.Since = "yesterday" })
	f("all options at once", two, `threads -1: want 1 or more, or 0 for all cores; split "x": want time, random or none; algorithm "x"`,
		func(o *TrainOptions) { o.Threads, o.Split, o.Algo = -1, "x", "x" })
	f("no such file", two, "gone.csv: no such file", func(o *TrainOptions) { o.Files = []string{filepath.Join(dir, "gone.csv")} })
	f("no match", two, "*.tsv: no such file", func(o *TrainOptions) { o.Files = []string{filepath.Join(dir, "*.tsv")} })
	f("a folder", two, "a folder: want a file", func(o *TrainOptions) { o.Files = []string{dir} })
}

func TestMaxBad(t *testing.T) {
	dir := t.TempDir()
	path := synthetic(t, dir, "rows.csv", 2000, 5)
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.SplitAfter(string(text), "\n")
	lines[7] = "too,short\n"
	lines[1500] = strings.Replace(lines[1500], ",14103", ",99999", 1)
	lines[1500] = strings.Replace(lines[1500], ",14102", ",99999", 1)
	if err := os.WriteFile(path, []byte(strings.Join(lines, "")), 0o644); err != nil {
		t.Fatal(err)
	}
	o := TrainOptions{Algo: "dt", Out: filepath.Join(dir, "m.ctr")}
	o.Files = []string{path}
	for _, allowed := range []int{0, 1} {
		o.MaxBad = allowed
		_, err := Train(context.Background(), o, nil)
		var many *features.TooManyBad
		if !errors.As(err, &many) || !strings.Contains(err.Error(), "rows.csv:8: 2 fields: want 24") {
			t.Fatalf("max-bad %d: error %v", allowed, err)
		}
	}
	o.MaxBad = 2
	r := train(t, o)
	if r.Rows.Bad != 2 || r.Rows.Train+r.Rows.Test != 1998 {
		t.Errorf("rows %+v, want 1998 good and 2 bad", r.Rows)
	}
	e, err := Evaluate(context.Background(), EvaluateOptions{Model: o.Out}, nil)
	if err != nil {
		t.Fatal(err)
	}
	same(t, "with bad rows", &e.Metrics, r.Test)
}

// A file's own label and weight columns, a threshold of least cost and one
// given, reading from standard input.
func TestTrainOptionsReachTheModel(t *testing.T) {
	dir := t.TempDir()
	text, err := os.ReadFile(synthetic(t, dir, "rows.csv", 2000, 5))
	if err != nil {
		t.Fatal(err)
	}
	o := TrainOptions{Algo: "dt", Out: filepath.Join(dir, "m.ctr"), Threshold: "0.22"}
	o.Files, o.Stdin = []string{"-"}, bytes.NewReader(text)
	if r := train(t, o); r.Artifact.Threshold != 0.22 || r.Test.Threshold != 0.22 {
		t.Errorf("threshold %v, want 0.22", r.Artifact.Threshold)
	}
	if _, err := Evaluate(context.Background(), EvaluateOptions{Model: o.Out}, nil); err == nil || !strings.Contains(err.Error(), "standard input, which is gone") {
		t.Errorf("error %v, want that standard input is gone", err)
	}
	o.Stdin, o.Threshold, o.CostFP, o.CostFN = bytes.NewReader(text), "auto", 1, 1e-9
	if r := train(t, o); r.Train.Confusion.FP > r.Train.Confusion.TN/100 {
		t.Errorf("false positives cost all, and there are %v", r.Train.Confusion)
	}
	o.Stdin, o.Split = bytes.NewReader(text), "none"
	if r := train(t, o); r.Test != nil || r.Rows.Test != 0 || r.Rows.Train != 2000 {
		t.Errorf("split none: %+v", r.Rows)
	}
	if _, err := Evaluate(context.Background(), EvaluateOptions{Model: o.Out}, nil); !errors.Is(err, errNothingHeld) {
		t.Errorf("error %v, want that nothing was held out", err)
	}
}

// A weight of 2 is a row that stands twice.
func TestWeightIsRepetition(t *testing.T) {
	dir := t.TempDir()
	const n = 600
	var weighted, repeated strings.Builder
	weighted.WriteString("id,click,hour,site_id,C1,w\n")
	repeated.WriteString("id,click,hour,site_id,C1\n")
	for i := range n {
		row := fmt.Sprintf("%d,%d,14102100,s%d,%d", i, i*7%5/4, i%4, i%3)
		fmt.Fprintf(&weighted, "%s,%d\n", row, 1+i%2)
		for range 1 + i%2 {
			fmt.Fprintf(&repeated, "%s\n", row)
		}
	}
	p := map[string][]float64{}
	for name, text := range map[string]string{"weighted": weighted.String(), "repeated": repeated.String()} {
		o := TrainOptions{Algo: "lr", Split: "none", Out: filepath.Join(dir, name+".ctr")}
		o.Schema = "avazu"
		if name == "weighted" {
			o.Weight = "w"
		}
		o.Files = []string{filepath.Join(dir, name+".csv")}
		if err := os.WriteFile(o.Files[0], []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		o.Model.Tol = 1e-12
		r := train(t, o)
		enc, err := r.Artifact.Spec.Encoder(features.Layout{"id", "click", "hour", "site_id", "C1"})
		if err != nil {
			t.Fatal(err)
		}
		var b features.Block
		b.Reset(features.Layout{"id", "click", "hour", "site_id", "C1"}, "test")
		for i := range 12 {
			b.AppendCSV(fmt.Appendf(nil, "x,0,14102100,s%d,%d", i%4, i/4), ',')
		}
		ex := enc.NewExample()
		for i := range b.Len() {
			row := b.Row(i)
			if err := enc.Encode(&row, ex); err != nil {
				t.Fatal(err)
			}
			p[name] = append(p[name], r.Artifact.Model.Probability(ex))
		}
		if name == "weighted" && r.Train.Rows != n {
			t.Errorf("%d rows", r.Train.Rows)
		}
	}
	for i := range p["weighted"] {
		if d := p["weighted"][i] - p["repeated"][i]; d > 1e-7 || d < -1e-7 {
			t.Errorf("row %d: %v weighted, %v repeated", i, p["weighted"][i], p["repeated"][i])
		}
	}
}

// The presets have the replaced system's columns and settings.
func TestReplacedPresets(t *testing.T) {
	dir := t.TempDir()
	rows := synthetic(t, dir, "rows.csv", 3000, 5)
	for _, preset := range Presets() {
		o := TrainOptions{Preset: preset, Out: filepath.Join(dir, "m.ctr")}
		o.Files = []string{rows}
		r := train(t, o)
		if r.Artifact.Threshold != 0.22 {
			t.Errorf("%s: threshold %v", preset, r.Artifact.Threshold)
		}
		want := map[string]int{PresetReplacedLR: 16, PresetReplacedDT: 8}[preset]
		if len(r.Artifact.Spec.Fields) != want {
			t.Errorf("%s: %d fields, want %d", preset, len(r.Artifact.Spec.Fields), want)
		}
		a, err := models.Open(o.Out)
		if err != nil {
			t.Fatal(err)
		}
		if preset == PresetReplacedLR && (!a.Options.Standardize || !a.Options.MeanLoss || *a.Options.L2 != 0.001 || a.Options.MaxIter != 100) {
			t.Errorf("%s: options %+v", preset, a.Options)
		}
	}
}
