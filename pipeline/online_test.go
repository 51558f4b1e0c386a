package pipeline

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"ctr/features/race"
	"ctr/models"
	"ctr/models/linear"
)

// onlineOptions are those of a small table.
func onlineOptions(path string) TrainOptions {
	o := TrainOptions{Algo: "lr", Bits: 16, Input: Input{Files: []string{path}, Seed: 3}}
	o.Model.Solver = linear.SolverFTRL
	return o
}

func weightsOf(t testing.TB, m models.Model) []float64 {
	t.Helper()
	l, ok := m.(*linear.Model)
	if !ok {
		t.Fatalf("a %T, want a linear model", m)
	}
	return append(slices.Clone(l.Weights()), l.Bias())
}

// Learning while reading gives the model of learning from a table, at any
// number of threads, and its file is the same.
func TestOnlineIsTable(t *testing.T) {
	dir := t.TempDir()
	path := synthetic(t, dir, "rows.csv", 9000, 5)
	f := func(name string, change func(o *TrainOptions)) {
		t.Helper()
		o := onlineOptions(path)
		change(&o)
		o.Out = filepath.Join(dir, "m.ctr")
		var file []byte
		var r *TrainResult
		for _, o.Threads = range []int{1, 2, 5} {
			r = train(t, o)
			text, err := os.ReadFile(o.Out)
			if err != nil {
				t.Fatal(err)
			}
			if file != nil && !bytes.Equal(file, text) {
				t.Errorf("%s: %d threads make another file", name, o.Threads)
			}
			file = text
		}
		sampled := o
		sampled.Rows = 1 << 40 // all of them, in a table
		table := train(t, sampled)
		if !slices.Equal(weightsOf(t, r.Artifact.Model), weightsOf(t, table.Artifact.Model)) {
			t.Errorf("%s: a table gives another model", name)
		}
		if r.Rows != table.Rows {
			t.Errorf("%s: rows %+v, of a table %+v", name, r.Rows, table.Rows)
		}
		if table.Test == nil {
			if r.Test != nil {
				t.Errorf("%s: %+v judged without held-out rows", name, r.Test)
			}
			return
		}
		if d := math.Abs(r.Test.LogLoss - table.Test.LogLoss); !(d < 1e-12) {
			t.Errorf("%s: test log loss %v, of a table %v", name, r.Test.LogLoss, table.Test.LogLoss)
		}
	}
	f("none", func(o *TrainOptions) { o.Split = "none" })
	f("time", func(o *TrainOptions) {})
	f("random, crosses", func(o *TrainOptions) {
		o.Split, o.Crosses = "random", [][]string{{"site_id", "app_id"}, {"C14", "hour_time"}}
	})
	f("weights, admission, passes", func(o *TrainOptions) {
		o.Split, o.Weight, o.MinCount, o.Model.Passes = "none", "C16", 3, 2
	})
	f("since", func(o *TrainOptions) { o.Since, o.Split = "14102203", "none" })
}

// ctr evaluate finds the held-out rows of an online model and gives its figures.
func TestOnlineEvaluates(t *testing.T) {
	dir := t.TempDir()
	o := onlineOptions(synthetic(t, dir, "rows.csv", 6000, 2))
	o.Out = filepath.Join(dir, "m.ctr")
	r := train(t, o)
	e, err := Evaluate(context.Background(), EvaluateOptions{Model: o.Out}, nil)
	if err != nil {
		t.Fatal(err)
	}
	same(t, "test", &e.Metrics, r.Test)
	if last := r.Progressive[len(r.Progressive)-1]; last.Rows != r.Rows.Train || math.Abs(last.LogLoss-r.Train.LogLoss) > 1e-12 {
		t.Errorf("progressive %+v, want all rows and the log loss %v", last, r.Train.LogLoss)
	}
	if !(r.Test.LogLoss < r.Test.Majority.LogLoss && r.Train.AUC > 0.6) {
		t.Errorf("test log loss %v, train AUC %v: want better than a constant", r.Test.LogLoss, r.Train.AUC)
	}
}

// Going on from a model gives the model of all rows.
func TestOnlineWarmStart(t *testing.T) {
	dir := t.TempDir()
	all := synthetic(t, dir, "all.csv", 8000, 5)
	text, err := os.ReadFile(all)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.SplitAfter(string(text), "\n")
	part := func(name string, lines []string) string {
		p := filepath.Join(dir, name)
		if err := os.WriteFile(p, []byte(strings.Join(lines, "")), 0o644); err != nil {
			t.Fatal(err)
		}
		return p
	}
	first := part("first.csv", lines[:5001])
	second := part("second.csv", append([]string{lines[0]}, lines[5001:]...))
	run := func(path, out, warm string) *TrainResult {
		o := onlineOptions(path)
		o.Split, o.Out, o.WarmStart = "none", filepath.Join(dir, out), warm
		if warm != "" {
			o.Bits = 0
		}
		return train(t, o)
	}
	want := run(all, "all.ctr", "")
	run(first, "first.ctr", "")
	got := run(second, "second.ctr", filepath.Join(dir, "first.ctr"))
	if !slices.Equal(weightsOf(t, got.Artifact.Model), weightsOf(t, want.Artifact.Model)) {
		t.Error("a warm start ends elsewhere")
	}
	f := func(want string, change func(o *TrainOptions)) {
		t.Helper()
		o := onlineOptions(second)
		o.WarmStart, o.Bits = filepath.Join(dir, "first.ctr"), 0
		change(&o)
		if _, err := Train(context.Background(), o, nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	f("want --solver ftrl", func(o *TrainOptions) { o.Model.Solver = "" })
	f("the features are those of the model", func(o *TrainOptions) { o.Crosses = [][]string{{"C14", "C15"}} })
	f("the features are those of the model", func(o *TrainOptions) { o.History = []string{"device_id"} })
	f("the features are those of the model", func(o *TrainOptions) { o.NumbersAsValues = true })
	f("weight C15: the model was trained without weights", func(o *TrainOptions) { o.Weight = "C15" })
	f("bits 12: the model has 16", func(o *TrainOptions) { o.Bits = 12 })
	f("without --rows", func(o *TrainOptions) { o.Rows = 5 })
	f("no such file", func(o *TrainOptions) { o.WarmStart = "none.ctr" })
}

// A model of one share of the rows without a click goes on with another share
// at the right level: fewer of them make the odds that it learns larger, not
// those that it predicts.
func TestOnlineWarmStartKeeps(t *testing.T) {
	dir := t.TempDir()
	path := synthetic(t, dir, "rows.csv", 8000, 5)
	begin := func(was, keep float64) float64 {
		o := onlineOptions(path)
		o.Split, o.Out, o.KeepNegatives = "none", filepath.Join(dir, "m.ctr"), &was
		train(t, o)
		o.WarmStart, o.Bits, o.KeepNegatives, o.Out = o.Out, 0, &keep, ""
		o.Files = []string{synthetic(t, dir, "few.csv", 300, 6)}
		return train(t, o).Train.CalibrationRatio
	}
	f := func(was, keep float64) {
		t.Helper()
		if c := begin(was, keep); !(c > 0.75 && c < 1.3) {
			t.Errorf("from %v to %v: predictions begin at %v of the clicks", was, keep, c)
		}
	}
	f(1, 0.1)
	f(0.1, 1)
	f(0.1, 0.1)
}

// Probabilities stay true where most rows without a click were left out.
func TestOnlineKeepNegatives(t *testing.T) {
	dir := t.TempDir()
	o := onlineOptions(synthetic(t, dir, "rows.csv", 30_000, 5))
	whole := train(t, o)
	o.KeepNegatives = ptr(0.25)
	r := train(t, o)
	if n := r.Rows.Train; float64(n) > 0.5*float64(whole.Rows.Train) {
		t.Errorf("%d rows learned from, of %d: want less than half", n, whole.Rows.Train)
	}
	if c := r.Test.CalibrationRatio; !(c > 0.85 && c < 1.15) {
		t.Errorf("calibration ratio %v, want near 1", c)
	}
	if d := r.Test.LogLoss - whole.Test.LogLoss; !(d < 0.01) {
		t.Errorf("log loss %v, with all rows %v", r.Test.LogLoss, whole.Test.LogLoss)
	}
	if d := math.Abs(r.Train.LogLoss - whole.Train.LogLoss); !(d < 0.02) {
		t.Errorf("progressive log loss %v, with all rows %v: want it over all rows", r.Train.LogLoss, whole.Train.LogLoss)
	}
}

// Threads that share the table unguarded learn as well, if not the same.
func TestOnlineLockFree(t *testing.T) {
	if race.Enabled {
		t.Skip("unguarded on purpose")
	}
	dir := t.TempDir()
	o := onlineOptions(synthetic(t, dir, "rows.csv", 30_000, 5))
	want := train(t, o)
	o.Model.LockFree, o.Threads = true, 3
	got := train(t, o)
	if got.Rows != want.Rows || math.Abs(got.Test.LogLoss-want.Test.LogLoss) > 0.01 {
		t.Errorf("%+v, log loss %v: want %+v, %v", got.Rows, got.Test.LogLoss, want.Rows, want.Test.LogLoss)
	}
	if d := math.Abs(got.Train.LogLoss - want.Train.LogLoss); !(d < 0.02) {
		t.Errorf("progressive log loss %v, want about %v", got.Train.LogLoss, want.Train.LogLoss)
	}
}

// Standard input is copied where it must be read twice, and not otherwise; the
// copy is gone afterwards.
func TestOnlineStdin(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	path := synthetic(t, dir, "rows.csv", 3000, 5)
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	f := func(split string) {
		t.Helper()
		o := onlineOptions(path)
		o.Split = split
		want := train(t, o)
		o.Files, o.Stdin = []string{"-"}, io.MultiReader(bytes.NewReader(text[:777]), bytes.NewReader(text[777:]))
		got := train(t, o)
		if !slices.Equal(weightsOf(t, got.Artifact.Model), weightsOf(t, want.Artifact.Model)) || got.Rows != want.Rows {
			t.Errorf("split %s: standard input gives another model", split)
		}
		if left, _ := filepath.Glob(filepath.Join(dir, "ctr-stdin-*")); len(left) > 0 {
			t.Errorf("%v are left", left)
		}
	}
	f("none")
	f("time")
}

// Columns of numbers get their bins from a first look at the rows.
func TestOnlineNumbers(t *testing.T) {
	var b strings.Builder
	for i := range 4000 {
		x := (i * 7919) % 100
		y := 0
		if x > 60 && i%3 > 0 {
			y = 1
		}
		fmt.Fprintf(&b, "%d\t%d", y, x)
		b.WriteString(strings.Repeat("\t1", 12))
		b.WriteString(strings.Repeat("\tabcdef01", 26) + "\n")
	}
	path := filepath.Join(t.TempDir(), "rows.tsv")
	if err := os.WriteFile(path, []byte(b.String()), 0o644); err != nil {
		t.Fatal(err)
	}
	r := train(t, onlineOptions(path))
	if !(r.Test.AUC > 0.9) {
		t.Errorf("AUC %v: want the number to tell", r.Test.AUC)
	}
}

func TestOnlineRefuses(t *testing.T) {
	dir := t.TempDir()
	path := synthetic(t, dir, "rows.csv", 500, 5)
	f := func(want string, change func(o *TrainOptions)) {
		t.Helper()
		o := onlineOptions(path)
		change(&o)
		if _, err := Train(context.Background(), o, nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	f("keep-negatives: want a share", func(o *TrainOptions) { o.KeepNegatives = ptr(1.5) })
	f("keep-negatives: want --solver ftrl", func(o *TrainOptions) { o.KeepNegatives, o.Model.Solver = ptr(0.5), "" })
	f("window: want --solver ftrl", func(o *TrainOptions) { o.Window, o.Model.Solver = 5, "" })
	f("keep-negatives: want all rows, without --rows", func(o *TrainOptions) { o.KeepNegatives, o.Rows = ptr(0.5), 100 })
	f("window: want all rows, without --rows", func(o *TrainOptions) { o.Window, o.Rows = 5, 100 })
	f("lock-free: want all rows, without --rows", func(o *TrainOptions) { o.Model.LockFree, o.Rows = true, 100 })
	f("solver ftrl: want newton or lbfgs", func(o *TrainOptions) { o.Algo = "gbdt-lr" })
	f("want 2 or more", func(o *TrainOptions) { o.Since, o.Until, o.Split = "14102100", "14102101", "time" })
	f("no rows between since and until", func(o *TrainOptions) { o.Since, o.Split = "20010100", "none" })
	f("columns [nope]", func(o *TrainOptions) { o.Include = []string{"nope"} })
	f("no column nope", func(o *TrainOptions) { o.Weight = "nope" })
}

// The bins of numbers come from the first rows of all files together: how the
// rows are divided into files does not show.
func TestOnlineBinsOfFiles(t *testing.T) {
	dir := t.TempDir()
	all := synthetic(t, dir, "all.csv", 6000, 5)
	text, err := os.ReadFile(all)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.SplitAfter(string(text), "\n")
	var parts []string
	for i, cut := range [][2]int{{1, 40}, {40, 2000}, {2000, len(lines)}} {
		p := filepath.Join(dir, fmt.Sprintf("part%d.csv", i))
		if err := os.WriteFile(p, []byte(lines[0]+strings.Join(lines[cut[0]:cut[1]], "")), 0o644); err != nil {
			t.Fatal(err)
		}
		parts = append(parts, p)
	}
	run := func(files ...string) []float64 {
		o := onlineOptions("")
		o.Files, o.Split, o.History = files, "none", []string{"device_id", "device_ip+device_model"}
		return weightsOf(t, train(t, o).Artifact.Model)
	}
	if !slices.Equal(run(all), run(parts...)) {
		t.Error("the same rows in three files give another model")
	}
}
