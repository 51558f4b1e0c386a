package pipeline

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"ctr/features/race"
	"ctr/models/crosses"
)

// fewColumns are those of three planted pairs and two others, which keep tests
// quick.
var fewColumns = []string{"banner_pos", "device_model", "site_category", "C14", "C20", "C21", "C1", "hour_time"}

// autoOptions are the options of a search on the synthetic rows at path.
func autoOptions(path string) TrainOptions {
	o := TrainOptions{Algo: "lr", Include: fewColumns, AutoCross: 4}
	o.Model.Tol = 1e-3
	o.Files = []string{path}
	return o
}

func found(r *TrainResult) string {
	var pairs []string
	for _, c := range r.Crosses {
		pairs = append(pairs, strings.Join(c.Columns, "*"))
	}
	slices.Sort(pairs)
	return strings.Join(pairs, " ")
}

// What is found is used as if it had been named, and said.
func TestAutoCrossIsCross(t *testing.T) {
	path := synthetic(t, t.TempDir(), "rows.csv", 40_000, 5)
	f := func(change func(o *TrainOptions)) {
		t.Helper()
		o := autoOptions(path)
		change(&o)
		o.briefly()
		r := train(t, o)
		if got := found(r); got != "C20*C21 banner_pos*device_model site_category*C14" {
			t.Errorf("found %q, want the three planted pairs", got)
		}
		named := o
		named.AutoCross = 0
		for _, c := range r.Crosses {
			named.Crosses = append(named.Crosses, c.Columns)
		}
		want := train(t, named)
		same(t, "test part with pairs found and named", r.Test, want.Test)
		if race.Enabled { // its fits are too short to be compared
			return
		}
		named.Crosses = nil
		if without := train(t, named); without.Test.LogLoss < r.Test.LogLoss+0.002 {
			t.Errorf("log loss %v with pairs, %v without", r.Test.LogLoss, without.Test.LogLoss)
		}
	}
	f(func(o *TrainOptions) { o.Bits = 20; o.Split = "random"; o.Threads = 3 })
	if race.Enabled {
		return
	}
	f(func(*TrainOptions) {})
}

// The labels of the test part change nothing: not what is chosen, nor what is
// learned.
func TestAutoCrossDoesNotLookAtTheTestPart(t *testing.T) {
	dir := t.TempDir()
	path := synthetic(t, dir, "rows.csv", 30_000, 6)
	o := autoOptions(path)
	first := train(t, o)
	data, err := DataOf(first.Artifact)
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(bytes.NewReader(text)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	var turned bytes.Buffer
	w := csv.NewWriter(&turned)
	changed := 0
	for i, row := range rows {
		if i > 0 && row[2] >= data.Boundary {
			row[1] = string('0' + '1' - row[1][0])
			changed++
		}
		if err := w.Write(row); err != nil {
			t.Fatal(err)
		}
	}
	w.Flush()
	if changed != first.Rows.Test {
		t.Fatalf("%d labels changed, want those of %d test rows", changed, first.Rows.Test)
	}
	other := filepath.Join(dir, "turned.csv")
	if err := os.WriteFile(other, turned.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	o.Files = []string{other}
	second := train(t, o)
	if a, b := fmt.Sprint(first.Crosses), fmt.Sprint(second.Crosses); a != b || a == "[]" {
		t.Errorf("found %s, then %s", a, b)
	}
	same(t, "training part", &first.Train, &second.Train)
	if first.Test.LogLoss == second.Test.LogLoss {
		t.Error("the test part is the same")
	}
}

// Pairs are the same at any number of threads, and from standard input, which
// can be read but once.
func TestAutoCrossSame(t *testing.T) {
	path := synthetic(t, t.TempDir(), "rows.csv", 30_000, 7)
	o := autoOptions(path)
	o.Threads = 1
	want, err := json.Marshal(train(t, o).Crosses)
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, threads := range []int{2, 7} {
		o.Threads, o.Files, o.Stdin = threads, []string{"-"}, io.MultiReader(bytes.NewReader(text)) // no Seek
		got, err := json.Marshal(train(t, o).Crosses)
		if err != nil || !bytes.Equal(got, want) || len(got) < 10 {
			t.Errorf("%d threads: %s, want %s (%v)", threads, got, want, err)
		}
	}
}

// A search reads no more than it is told to keep, and knows the same test part.
func TestAutoCrossSample(t *testing.T) {
	path := synthetic(t, t.TempDir(), "rows.csv", 20_000, 8)
	o := autoOptions(path)
	whole, err := o.prepare(context.Background(), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	o.keep = 3000
	some, err := o.prepare(context.Background(), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if some.Holdout != whole.Holdout || some.Train.Rows+some.Test.Rows != 3000 {
		t.Errorf("%d rows, held out %+v, want 3000 and %+v", some.Train.Rows+some.Test.Rows, some.Holdout, whole.Holdout)
	}
}

func TestAutoCrossNotes(t *testing.T) {
	path := synthetic(t, t.TempDir(), "rows.csv", 6000, 9)
	o := autoOptions(path)
	o.Include = []string{"C1", "C15", "C16"}
	obs := &noted{}
	if _, err := Train(context.Background(), o, obs); err != nil {
		t.Fatal(err)
	}
	if len(obs.notes) != 2 || !strings.HasPrefix(obs.notes[0], "auto-cross: none of 3 pairs gains for certain, judged on ") ||
		!strings.HasPrefix(obs.notes[1], "  not taken: C1") {
		t.Errorf("notes %q", obs.notes)
	}
	if !obs.stages[StageCross] {
		t.Errorf("stages %v, want %s", obs.stages, StageCross)
	}
}

type noted struct {
	notes  []string
	stages map[Stage]bool
}

func (n *noted) Note(text string) { n.notes = append(n.notes, text) }

func (n *noted) Progress(stage Stage, _, _ int64, _ string) {
	if n.stages == nil {
		n.stages = map[Stage]bool{}
	}
	n.stages[stage] = true
}

func TestAutoCrossErrors(t *testing.T) {
	path := synthetic(t, t.TempDir(), "rows.csv", 2000, 10)
	f := func(want string, change func(o *TrainOptions)) {
		t.Helper()
		o := autoOptions(path)
		change(&o)
		_, err := Train(context.Background(), o, nil)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
	f("auto-cross -1: want 1 to 100, or 0 for none", func(o *TrainOptions) { o.AutoCross = -1 })
	f(fmt.Sprintf("auto-cross %d: want", crosses.MaxPairs+1), func(o *TrainOptions) { o.AutoCross = crosses.MaxPairs + 1 })
	f("columns [nope]: want some of", func(o *TrainOptions) { o.Include = append([]string{"nope"}, o.Include...) })
	f("no such file", func(o *TrainOptions) { o.Files = []string{"nowhere.csv"} })
	f("stream broke", func(o *TrainOptions) { o.Files, o.Stdin = []string{"-"}, brokenStream{} })
	f("reads rows twice: want a file", func(o *TrainOptions) { o.Files = []string{os.DevNull} })
}

// brokenStream fails after a header.
type brokenStream struct{}

func (brokenStream) Read([]byte) (int, error) { return 0, errors.New("stream broke") }

func TestAutoCrossInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	o := autoOptions(synthetic(t, t.TempDir(), "rows.csv", 2000, 11))
	if _, err := Train(ctx, o, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}
