package pipeline

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// folder is a test's own folder of input files.
type folder struct {
	t   *testing.T
	dir string
}

func newFolder(t *testing.T) folder { return folder{t, t.TempDir()} }

func (f folder) path(name string) string { return filepath.Join(f.dir, name) }

// write makes a file and gives its path.
func (f folder) write(name, text string) string {
	f.t.Helper()
	if err := os.WriteFile(f.path(name), []byte(text), 0o644); err != nil {
		f.t.Fatal(err)
	}
	return f.path(name)
}

// wants checks that err says want, with the folder's paths left out.
func (f folder) wants(what string, err error, want string) {
	f.t.Helper()
	if err == nil || !strings.Contains(strings.ReplaceAll(err.Error(), f.dir+string(filepath.Separator), ""), want) {
		f.t.Errorf("%s: error %v, want %q", what, err, want)
	}
}

// holds checks that a file still has the text that it had.
func (f folder) holds(path, text string) {
	f.t.Helper()
	if b, err := os.ReadFile(path); err != nil || string(b) != text {
		f.t.Errorf("%s: %v, now begins %q", path, err, b[:min(len(b), 40)])
	}
}

// fewRows is n rows of Avazu's kind over 20 hours, without a header.
func fewRows(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "%d,%d,141021%02d,s%d\n", i, i*7%5/4, i*20/n, i%4)
	}
	return b.String()
}

const fewHeader = "id,click,hour,site_id\n"

// told remembers what an Observer is told.
type told []string

func (n *told) Progress(Stage, int64, int64, string) {}
func (n *told) Note(text string)                     { *n = append(*n, text) }

func TestTrainOnOddInput(t *testing.T) {
	d := newFolder(t)
	rows := d.write("rows.csv", fewHeader+fewRows(200))
	if err := os.Mkdir(d.path("folder"), 0o755); err != nil {
		t.Fatal(err)
	}
	f := func(what, want string, o TrainOptions, files ...string) {
		t.Helper()
		o.Algo, o.Files = "dt", files
		_, err := Train(context.Background(), o, nil)
		d.wants(what, err, want)
	}
	f("columns of no known schema", "plain.csv: columns [a b c]: want those of a known schema",
		TrainOptions{Input: Input{Columns: []string{"a", "b", "c"}}}, d.write("plain.csv", "1,0,x\n2,1,y\n"))
	f("standard input twice", "-: named twice: standard input can be read once",
		TrainOptions{Input: Input{Stdin: strings.NewReader(fewHeader + fewRows(20))}}, "-", "-")
	f("all rows bad", "bad.csv: no good rows: 2 bad ones; the first: bad.csv:2: column click",
		TrainOptions{Input: Input{MaxBad: 5}}, d.write("bad.csv", fewHeader+"1,yes,14102100,x\n2,,14102100,x\n"))
	f("an empty file among others", "empty.csv: empty file", TrainOptions{}, rows, d.write("empty.csv", ""))
	f("another header", "columns [id click site_id hour]: want those of the first file, [id click hour site_id]",
		TrainOptions{}, rows, d.write("other.csv", "id,click,site_id,hour\n1,1,x,14102100\n"))
	f("no number", "test-fraction NaN: want", TrainOptions{TestFraction: math.NaN()}, rows)
	f("no cost", "costs NaN and 0: want 0 or more", TrainOptions{CostFP: math.NaN()}, rows)
	f("no folder", "none/m.ctr: no such file or directory", TrainOptions{Out: d.path("none/m.ctr")}, d.path("bad.csv"))
	f("a folder", "folder: a folder: want a file", TrainOptions{Out: d.path("folder")}, d.path("bad.csv"))
	f("a model", "m.ctr:1: ", TrainOptions{}, d.model(rows))
}

// model trains a model on rows.
func (f folder) model(rows ...string) string {
	f.t.Helper()
	train(f.t, TrainOptions{Algo: "dt", Out: f.path("m.ctr"), Input: Input{Files: rows}})
	return f.path("m.ctr")
}

// An unnamed column, such as the index that pandas writes, is no time column.
func TestUnnamedColumnIsNoTime(t *testing.T) {
	d := newFolder(t)
	o := TrainOptions{Algo: "dt"}
	o.Schema = d.write("s.yaml", "columns:\n  - label: y\n  - category: [a, b]\n")
	o.Files = []string{d.write("rows.csv", ",y,a,b\n"+strings.Repeat("0,1,x,y\n1,0,y,y\n2,1,x,z\n3,0,z,z\n", 5))}
	var said told
	if _, err := Train(context.Background(), o, &said); err != nil {
		t.Fatal(err)
	}
	if len(said) != 1 || said[0] != "split at random: there is no time column" {
		t.Errorf("told %q", said)
	}
	o.Since = "14102100"
	_, err := Train(context.Background(), o, nil)
	d.wants("since", err, "rows.csv: no time column")
	o.Since, o.Split = "", "time"
	_, err = Train(context.Background(), o, nil)
	d.wants("split", err, "rows.csv: no time column")
}

// Files, globs and standard input are one set of rows, in the order given.
func TestGlobsAndFilesAreOneInput(t *testing.T) {
	d := newFolder(t)
	text := fewRows(300)
	third := strings.SplitAfterN(text, "\n", 101)
	one, rest := strings.Join(third[:100], ""), third[100]
	d.write("part-2.csv", fewHeader+rest)
	d.write("part-1.csv", fewHeader+one)
	d.write(".part-0.csv", "hidden,from,globs\n")
	whole := d.write("whole.csv", fewHeader+text)
	r := train(t, TrainOptions{Algo: "dt", Split: "time", Input: Input{Files: []string{d.path("*art-*.csv"), d.write("none.csv", fewHeader)}}})
	w := train(t, TrainOptions{Algo: "dt", Split: "time", Input: Input{Files: []string{whole}}})
	same(t, "train", &r.Train, &w.Train)
	same(t, "test", r.Test, w.Test)

	model := d.model(whole)
	score := func(in io.Reader, files ...string) string {
		t.Helper()
		var b bytes.Buffer
		_, err := ScoreFiles(context.Background(), ScoreFileOptions{Model: model, Output: "-", Input: Input{Files: files, Stdin: in}}, &b, nil)
		if err != nil {
			t.Fatal(err)
		}
		return b.String()
	}
	want := score(nil, whole)
	if n := strings.Count(want, "\n"); n != 301 {
		t.Errorf("%d lines, want 301", n)
	}
	if got := score(nil, d.path("part-?.csv")); got != want {
		t.Error("the glob's rows are scored otherwise than the whole")
	}
	if got := score(strings.NewReader(fewHeader+rest), d.path("part-1.csv"), "-"); got != want {
		t.Error("a file and standard input are scored otherwise than the whole")
	}
}
