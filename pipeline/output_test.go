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
	"strconv"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

func (f folder) evaluate(o EvaluateOptions, files ...string) (*EvaluateResult, error) {
	f.t.Helper()
	o.Model, o.Files = f.path("m.ctr"), files
	return Evaluate(context.Background(), o, nil)
}

func (f folder) score(o ScoreFileOptions, files ...string) (string, *ScoreFileResult, error) {
	f.t.Helper()
	o.Model, o.Files = f.path("m.ctr"), files
	if o.Output == "" {
		o.Output = "-"
	}
	var b bytes.Buffer
	r, err := ScoreFiles(context.Background(), o, &b, nil)
	return b.String(), r, err
}

// The three forms of scored rows say the same, with whatever ids.
func TestOutputFormats(t *testing.T) {
	d := newFolder(t)
	d.model(d.write("rows.csv", fewHeader+fewRows(200)))
	ids := []string{"1", `a "b", c`, "tab\there", "<é>", ""}
	var text bytes.Buffer
	w := csv.NewWriter(&text)
	w.WriteAll([][]string{{"site_id", "hour", "id", "click"}, // to memory
		{"s1", "14102100", ids[0], "1"}, {"s2", "2014-10-21", ids[1], "0"}, {"s3", "14102105", ids[2], ""}, {"s9", "14102119", ids[3], ""}, {"", "14102119", ids[4], "1"}})
	rows := d.write("ids.csv", text.String())
	got, r, err := d.score(ScoreFileOptions{}, rows)
	if err != nil {
		t.Fatal(err)
	}
	table, err := csv.NewReader(strings.NewReader(got)).ReadAll()
	if err != nil || len(table) != len(ids)+1 || strings.Join(table[0], ",") != "id,y,probability,prediction" {
		t.Fatalf("%v: %q", err, got)
	}
	if r.Rows != len(ids) || r.Metrics != nil {
		t.Errorf("result %+v, want %d rows and no metrics: not all have labels", r, len(ids))
	}
	kaggle, _, err := d.score(ScoreFileOptions{Format: "kaggle"}, rows)
	if err != nil {
		t.Fatal(err)
	}
	asJSON, _, err := d.score(ScoreFileOptions{Format: "json"}, rows)
	if err != nil {
		t.Fatal(err)
	}
	short, err := csv.NewReader(strings.NewReader(kaggle)).ReadAll()
	if err != nil || len(short) != len(table) || strings.Join(short[0], ",") != "id,click" {
		t.Fatalf("%v: %q", err, kaggle)
	}
	sum := 0.0
	dec := json.NewDecoder(strings.NewReader(asJSON))
	for i, row := range table[1:] {
		var o struct {
			ID          string
			Y           *int
			Probability float64
			Prediction  int
		}
		if err := dec.Decode(&o); err != nil {
			t.Fatal(err)
		}
		y := ""
		if o.Y != nil {
			y = strconv.Itoa(*o.Y)
		}
		again := []string{o.ID, y, strconv.FormatFloat(o.Probability, 'g', -1, 64), strconv.Itoa(o.Prediction)}
		if fmt.Sprint(again) != fmt.Sprint(row) || row[0] != ids[i] || row[1] != []string{"1", "0", "", "", "1"}[i] {
			t.Errorf("row %d: csv %q, json %q, id %q", i, row, again, ids[i])
		}
		if short[i+1][0] != row[0] || short[i+1][1] != row[2] {
			t.Errorf("row %d: csv %q, kaggle %q", i, row, short[i+1])
		}
		sum += o.Probability
	}
	if mean := sum / float64(len(ids)); mean != r.Mean {
		t.Errorf("mean %v, want %v", r.Mean, mean)
	}
	_, _, err = d.score(ScoreFileOptions{Format: "xml"}, rows)
	d.wants("format", err, `format "xml": want one of csv, json, kaggle`)
}

// What is scored and what is judged are the same numbers.
func TestScoreFilesIsEvaluate(t *testing.T) {
	d := newFolder(t)
	rows := d.write("rows.csv", fewHeader+fewRows(200))
	d.model(rows)
	for _, threshold := range []string{"", "0", "0.2", "1"} {
		e, err := d.evaluate(EvaluateOptions{Threshold: threshold, Predictions: d.path("p.csv"), Overwrite: true}, rows)
		if err != nil {
			t.Fatal(err)
		}
		got, r, err := d.score(ScoreFileOptions{Threshold: threshold}, rows)
		if err != nil {
			t.Fatal(err)
		}
		d.holds(d.path("p.csv"), got)
		same(t, "score and evaluate", r.Metrics, &e.Metrics)
	}
	_, err := d.evaluate(EvaluateOptions{Threshold: "1.5"}, rows)
	d.wants("threshold", err, `threshold "1.5": want auto or a number from 0 to 1`)
}

// An output that would destroy what is read, or that can't be written, is
// refused before anything is done.
func TestOutputRefuses(t *testing.T) {
	d := newFolder(t)
	text := fewHeader + fewRows(200)
	rows := d.write("rows.csv", text)
	model, err := os.ReadFile(d.model(rows))
	if err != nil {
		t.Fatal(err)
	}
	link := d.path("link.csv")
	if err := os.Symlink(rows, link); err != nil {
		t.Skip(err)
	}
	if err := os.Mkdir(d.path("folder"), 0o755); err != nil {
		t.Fatal(err)
	}
	f := func(output string, overwrite bool, want string) {
		t.Helper()
		_, err := d.evaluate(EvaluateOptions{Predictions: output, Overwrite: overwrite}, rows)
		d.wants("evaluate", err, want)
		_, err = d.evaluate(EvaluateOptions{Predictions: output, Overwrite: overwrite})
		d.wants("evaluate held-out rows", err, want)
		_, _, err = d.score(ScoreFileOptions{Output: output, Overwrite: overwrite}, rows)
		d.wants("score", err, want)
		d.holds(rows, text)
		d.holds(d.path("m.ctr"), string(model))
		left, err := filepath.Glob(d.path(".*"))
		if err != nil || len(left) > 0 {
			t.Errorf("left behind: %v", left)
		}
	}
	f(rows, false, "rows.csv: ")
	f(rows, true, "rows.csv: read as data: want another name for the output")
	f(link, true, "link.csv: read as data: want another name for the output")
	f(d.path("m.ctr"), true, "m.ctr: the model: want another name for the output")
	f(d.path("folder"), true, "folder: a folder: want a file")
	f(d.path("none/p.csv"), true, "none/p.csv: no such file or directory")

	_, err = Train(context.Background(), TrainOptions{Algo: "dt", Out: link, Input: Input{Files: []string{rows}}}, nil)
	d.wants("train", err, "link.csv: read as data: want another name for the output")
	d.holds(rows, text)
}

// Rows that are not there are said to be so.
func TestEvaluateWithoutRows(t *testing.T) {
	d := newFolder(t)
	rows := d.write("rows.csv", fewHeader+fewRows(200))
	d.model(rows)
	in := Input{Since: "15010100"}
	_, err := d.evaluate(EvaluateOptions{Input: in}, rows)
	d.wants("since", err, "rows.csv: no rows between since and until")
	_, err = d.evaluate(EvaluateOptions{Input: in})
	d.wants("since of held-out rows", err, `since "15010100": want it where files are named: the held-out rows are those of training`)
	_, err = d.evaluate(EvaluateOptions{}, d.write("none.csv", fewHeader))
	d.wants("header only", err, "none.csv: no rows")
	_, err = d.evaluate(EvaluateOptions{}, d.write("unlabelled.csv", "id,hour,site_id\n1,14102100,x\n"))
	d.wants("no labels", err, "unlabelled.csv: no column click: want the label, 0 or 1")
	_, err = d.evaluate(EvaluateOptions{}, d.write("unlabelled.csv", "id,click,hour,site_id\n1,,14102100,x\n"))
	d.wants("no label", err, `unlabelled.csv:2: column click: "": want 0 or 1`)
	_, err = d.evaluate(EvaluateOptions{Input: in}, d.write("untimed.csv", "id,click,site_id\n1,1,x\n"))
	d.wants("no time", err, "untimed.csv: columns [hour]: the model needs them")

	train(t, TrainOptions{Algo: "dt", Split: "random", TestFraction: 1e-12, Out: d.path("m.ctr"), Input: Input{Files: []string{rows}}})
	if _, err = d.evaluate(EvaluateOptions{}); !errors.Is(err, errNothingHeld) {
		t.Errorf("error %v, want that nothing was held out", err)
	}
}

// Weights are for judging: rows without any can be scored.
func TestWeightsOfFiles(t *testing.T) {
	d := newFolder(t)
	o := TrainOptions{Algo: "dt", Out: d.path("m.ctr")}
	o.Schema = d.write("w.yaml", "columns:\n  - label: y\n  - category: [a, b]\n  - weight: w\n")
	o.Files = []string{d.write("w.csv", "y,a,b,w\n"+strings.Repeat("1,x,y,1\n0,y,y,2\n1,x,z,3\n0,z,z,1\n", 10))}
	train(t, o)
	e, err := d.evaluate(EvaluateOptions{}, o.Files[0])
	if err != nil || e.Confusion.TP+e.Confusion.FP+e.Confusion.TN+e.Confusion.FN != 70 {
		t.Errorf("%v: confusion %+v, want weights of 70 in all", err, e)
	}
	bare := d.write("bare.csv", "y,a,b\n1,x,y\n0,y,y\n")
	_, err = d.evaluate(EvaluateOptions{}, o.Files[0], bare)
	d.wants("mixed", err, "bare.csv: no column w: want weights in all files or none")
	_, err = d.evaluate(EvaluateOptions{}, bare, o.Files[0])
	d.wants("mixed", err, "w.csv: column w: want weights in all files or none")
	got, _, err := d.score(ScoreFileOptions{}, d.write("empty.csv", "y,a,b,w\n1,x,y,\n,y,y,2\n"))
	if err != nil || strings.Count(got, "\n") != 3 {
		t.Errorf("%v: scored %q", err, got)
	}
}

// brokenPipe fails once so many bytes have been written.
type brokenPipe struct{ room int }

func (b *brokenPipe) Write(p []byte) (int, error) {
	if b.room -= len(p); b.room < 0 {
		return 0, io.ErrClosedPipe
	}
	return len(p), nil
}

// However reading ends, no goroutine is left and no block goes missing.
func TestReadingEndsWell(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	d := newFolder(t)
	many := synthetic(t, d.dir, "many.csv", 6000, 3)
	d.model(many)
	text, err := os.ReadFile(many)
	if err != nil {
		t.Fatal(err)
	}
	header, rest, _ := strings.Cut(string(text), "\n")
	bad := d.write("bad.csv", strings.Replace(string(text), ",1,14103", ",x,14103", 1))
	for _, threads := range []int{1, 2, 7} {
		in := Input{Threads: threads, Files: []string{many, many}}
		o := ScoreFileOptions{Input: in, Model: d.path("m.ctr"), Output: "-"}
		if _, err := ScoreFiles(context.Background(), o, &brokenPipe{room: 200_000}, nil); !errors.Is(err, io.ErrClosedPipe) {
			t.Errorf("error %v, want a closed pipe", err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		o.Files, o.Stdin = []string{"-"}, io.MultiReader(strings.NewReader(header+"\n"), &endless{text: rest})
		if _, err := ScoreFiles(ctx, o, writerFunc(cancel), nil); !errors.Is(err, context.Canceled) {
			t.Errorf("error %v, want canceled", err)
		}
		o.Files = []string{bad, many}
		_, err := ScoreFiles(context.Background(), o, io.Discard, nil)
		d.wants("bad row", err, "column click: \"x\": want 0 or 1")
		o.Files = []string{many, d.write("other.csv", "a,b\n1,2\n")}
		_, err = ScoreFiles(context.Background(), o, io.Discard, nil)
		d.wants("another file", err, "other.csv: ")
		o.Files = []string{many, d.path("gone.csv.gz")}
		cut := append([]byte{0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff}, text[:100]...)
		if err := os.WriteFile(d.path("gone.csv.gz"), cut, 0o644); err != nil {
			t.Fatal(err)
		}
		_, err = ScoreFiles(context.Background(), o, io.Discard, nil)
		d.wants("damaged", err, "gone.csv.gz: gzip data damaged")
	}
}

// endless gives its text again and again.
type endless struct {
	text string
	at   int
}

func (e *endless) Read(p []byte) (int, error) {
	n := copy(p, e.text[e.at:])
	e.at = (e.at + n) % len(e.text)
	return n, nil
}

// writerFunc calls a function whenever it is written to.
type writerFunc func()

func (f writerFunc) Write(p []byte) (int, error) { f(); return len(p), nil }
