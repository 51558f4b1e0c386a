package pipeline

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"ctr/features"
)

func prepare(t testing.TB, out string, files ...string) *PrepareResult {
	t.Helper()
	o := PrepareOptions{Out: out}
	o.Files = files
	r, err := Prepare(context.Background(), o, nil)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func readFile(t testing.TB, path string) []byte {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func writeFile(t testing.TB, path string, text []byte) {
	t.Helper()
	if err := os.WriteFile(path, text, 0o644); err != nil {
		t.Fatal(err)
	}
}

// The same model, byte for byte, from the text, from a cache of it, and from
// the caches that training keeps beside it.
func TestTrainFromCache(t *testing.T) {
	dir := t.TempDir()
	one, two := synthetic(t, dir, "one.csv", 2500, 5), synthetic(t, dir, "two.csv", 1500, 6)
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	if _, err := z.Write(readFile(t, two)); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	gz := filepath.Join(dir, "three.csv.gz")
	writeFile(t, gz, packed.Bytes())
	files := []string{one, two, gz}
	cache := filepath.Join(dir, "all.ctrd")
	if r := prepare(t, cache, files...); r.Rows != 5500 || r.Bad != 0 || r.Bytes == 0 {
		t.Errorf("prepared %+v, want 5500 rows", r)
	}
	crosses := [][]string{{"site_id", "app_id"}, {"hour_time", "device_type", "C14"}}
	f := func(name string, change func(o *TrainOptions)) {
		t.Run(name, func(t *testing.T) {
			o := TrainOptions{Algo: "dt", Out: filepath.Join(dir, "m.ctr")}
			o.Seed = 3
			change(&o)
			o.briefly()
			var want []byte
			for i, input := range []Input{{Files: files}, {Files: []string{cache}}, {Files: files, Cache: true}, {Files: []string{cache}, Threads: 1}} {
				o.Files, o.Cache, o.Threads = input.Files, input.Cache, input.Threads
				train(t, o)
				got := readFile(t, o.Out)
				if want == nil {
					want = got
				}
				if !bytes.Equal(got, want) {
					t.Errorf("%d: another model from %v", i, input.Files)
				}
			}
			if o.Split == "none" {
				return
			}
			e := EvaluateOptions{Model: o.Out}
			held, err := Evaluate(context.Background(), e, nil)
			if err != nil || !held.Held || held.Rows == 0 {
				t.Errorf("held-out rows: %v, %v", held, err)
			}
		})
	}
	f("lr", func(o *TrainOptions) { o.Algo = "lr" })
	f("lr hashed", func(o *TrainOptions) { o.Algo, o.Bits, o.Crosses = "lr", 14, crosses })
	f("lr online", func(o *TrainOptions) { o.Algo, o.Model.Solver, o.Bits, o.Crosses = "lr", "ftrl", 14, crosses })
	f("lr online at random", func(o *TrainOptions) {
		o.Algo, o.Model.Solver, o.Split, o.Model.Passes = "lr", "ftrl", "random", 2
	})
	f("lr online of few", func(o *TrainOptions) {
		o.Algo, o.Model.Solver, o.Split, o.KeepNegatives, o.Since = "lr", "ftrl", "none", new(0.4), "14102212"
	})
	f("dt with crosses", func(o *TrainOptions) { o.Crosses, o.MinCount = crosses, 2 })
	f("a sample", func(o *TrainOptions) { o.Rows = 1000 })
	f("at random", func(o *TrainOptions) { o.Split = "random" })
	f("all rows", func(o *TrainOptions) { o.Split = "none" })
	f("some days", func(o *TrainOptions) { o.Since, o.Until = "14102200", "14102800" })
	f("as the replaced system", func(o *TrainOptions) { o.Algo, o.Preset = "lr", "replaced-lr" })
}

// History fields, which a State tells row by row, are the same from a cache;
// so are the quantiles of numbers, which online learning takes from the first
// rows, and rows that are bad in one column only.
func TestTrainFromCacheAsText(t *testing.T) {
	dir := t.TempDir()
	rows := synthetic(t, dir, "rows.csv", 2500, 5)
	few := filepath.Join(dir, "few.csv")
	var b strings.Builder
	b.WriteString("y,t,a,n,w\n")
	for i := range 3000 {
		fmt.Fprintf(&b, "%d,1410%02d%02d,%d,%d.5,%d\n", i*7%5/4, 1+i/200, i%24, i%13, i*i%977, 1+i%3)
	}
	b.WriteString("1,nothing,5,1,1\n2,14101000,5,1,1\n1,14101000,5,x,1\n1,14101000,5,1,0\n")
	writeFile(t, few, []byte(b.String()))
	schema := filepath.Join(dir, "few.yaml")
	writeFile(t, schema, []byte("columns:\n- label: y\n- time: t\n- category: a\n- number: n\n- weight: w\n"))
	f := func(file string, change func(o *TrainOptions)) {
		t.Helper()
		var want []byte
		for _, cache := range []bool{false, true} {
			o := TrainOptions{Algo: "lr", Out: filepath.Join(dir, "m.ctr")}
			o.Files, o.Cache = []string{file}, cache
			if change(&o); file == few {
				o.Schema, o.MaxBad = schema, 10
			}
			if r := train(t, o); file == few && r.Rows.Bad == 0 {
				t.Error("no bad row was found")
			}
			got := readFile(t, o.Out)
			if want == nil {
				want = got
			}
			if !bytes.Equal(got, want) {
				t.Errorf("%s: another model from the cache", file)
			}
		}
	}
	f(rows, func(o *TrainOptions) { o.Algo, o.History = "dt", []string{"auto"} })
	f(rows, func(o *TrainOptions) { o.Model.Solver, o.History = "ftrl", []string{"auto"} })
	f(few, func(o *TrainOptions) { o.Algo = "dt" })
	f(few, func(o *TrainOptions) { o.Bits, o.Split = 8, "random" })
	f(few, func(o *TrainOptions) { o.Model.Solver = "ftrl" })
	f(few, func(o *TrainOptions) { o.Model.Solver, o.Split = "ftrl", "none" })
	f(few, func(o *TrainOptions) { o.Model.Solver, o.Split, o.Exclude = "ftrl", "none", []string{"n", "hour_time"} })
}

// A cache of other rows is made anew, one of the same rows is not, and what
// was done is said.
func TestCacheBesideTheData(t *testing.T) {
	dir := t.TempDir()
	rows, out := synthetic(t, dir, "rows.csv", 300, 5), filepath.Join(dir, "m.ctr")
	do := func(want string, change func(o *TrainOptions)) {
		t.Helper()
		o := TrainOptions{Algo: "dt", Out: out}
		o.Files, o.Cache = []string{rows}, true
		if change != nil {
			change(&o)
		}
		var said notes
		if _, err := Train(context.Background(), o, &said); err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(said.text, "; "); want == "" && got != "" || !strings.Contains(got, want) {
			t.Errorf("said %q, want %q", got, want)
		}
	}
	do("rows.csv.ctrd: made (300 rows", nil)
	do("", nil)
	if err := os.Chtimes(rows, time.Time{}, time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	do("", nil) // a new time, the same text
	text := readFile(t, rows)
	text[len(text)-2] ^= 1
	writeFile(t, rows, text)
	do("made anew, as "+rows+" has changed", nil)
	do("", nil)
	do("read in another way", func(o *TrainOptions) { o.Schema = "avazu" })
	cache := readFile(t, rows+CacheSuffix)
	writeFile(t, rows+CacheSuffix, cache[:len(cache)-9])
	do("cut short", func(o *TrainOptions) { o.Schema = "avazu" })
	writeFile(t, rows+CacheSuffix, cache)
	do("", func(o *TrainOptions) { o.Schema = "avazu" })
	// A damaged column is found when it is used.
	cache[len(cache)/4] ^= 1
	writeFile(t, rows+CacheSuffix, cache)
	o := TrainOptions{Algo: "dt", Out: out}
	o.Files, o.Cache, o.Schema = []string{rows}, true, "avazu"
	if _, err := Train(context.Background(), o, nil); err == nil || !strings.Contains(err.Error(), "damaged") {
		t.Errorf("damaged: error %v", err)
	}
	left, err := os.ReadDir(dir)
	if err != nil || len(left) != 3 {
		t.Errorf("left %v, %v: want rows, cache and model", left, err)
	}
}

// Bad rows are in the cache and are counted as from the text.
func TestBadRowsInACache(t *testing.T) {
	dir := t.TempDir()
	rows := synthetic(t, dir, "rows.csv", 300, 5)
	text := string(readFile(t, rows))
	lines := strings.SplitAfter(text, "\n")
	lines = slices.Insert(lines, 9, "short,row\n")
	lines = slices.Insert(lines, 7, strings.Replace(lines[7], ",1410", ",9999", 1))
	writeFile(t, rows, []byte(strings.Join(lines, "")))
	cache := filepath.Join(dir, "rows.ctrd")
	o := PrepareOptions{Out: cache}
	o.Files = []string{rows}
	_, err := Prepare(context.Background(), o, nil)
	var bad *features.TooManyBad
	if !errors.As(err, &bad) {
		t.Errorf("error %v, want that of a bad row", err)
	}
	o.MaxBad = 1
	if r, err := Prepare(context.Background(), o, nil); err != nil || r.Bad != 1 || r.Rows != 302 {
		t.Fatalf("%+v, %v: want one bad row of 302", r, err)
	}
	f := func(maxBad int) (string, []byte) {
		t.Helper()
		var first string
		var model []byte
		for _, file := range []string{rows, cache} {
			o := TrainOptions{Algo: "dt", Out: filepath.Join(dir, "m.ctr")}
			o.Files, o.MaxBad = []string{file}, maxBad
			text := "trained"
			if r, err := Train(context.Background(), o, nil); err != nil {
				text = err.Error()
			} else if r.Rows.Bad != 2 {
				t.Errorf("%s: %d bad rows, want 2", file, r.Rows.Bad)
			}
			if first == "" {
				first = text
			}
			if text != first {
				t.Errorf("%s: %s, want %s", file, text, first)
			}
			if text == "trained" {
				now := readFile(t, o.Out)
				if model != nil && !bytes.Equal(model, now) {
					t.Error("another model from the cache")
				}
				model = now
			}
		}
		return first, model
	}
	if text, _ := f(0); !strings.Contains(text, "rows.csv:8: column hour") {
		t.Errorf("error %q, want that of line 8", text)
	}
	if text, _ := f(1); !strings.Contains(text, "more than 1 bad rows") {
		t.Errorf("error %q, want that of too many", text)
	}
	f(2)
}

// Where the text is gone, the model names the cache, and its held-out rows are
// found there.
func TestCacheOutlivesTheText(t *testing.T) {
	dir := t.TempDir()
	one, two := synthetic(t, dir, "one.csv", 1500, 5), synthetic(t, dir, "two.csv", 900, 6)
	cache := filepath.Join(dir, "all.ctrd")
	prepare(t, cache, one, two)
	if err := os.Remove(two); err != nil {
		t.Fatal(err)
	}
	o := TrainOptions{Algo: "dt", Split: "random", Out: filepath.Join(dir, "m.ctr")}
	o.Files = []string{cache}
	r := train(t, o)
	e, err := Evaluate(context.Background(), EvaluateOptions{Model: o.Out}, nil)
	if err != nil {
		t.Fatal(err)
	}
	same(t, "evaluate and train", &e.Metrics, r.Test)
	if !slices.Equal(e.Files, []string{cache}) {
		t.Errorf("judged on %v", e.Files)
	}
}

// Files are scored from a cache as from the text.
func TestScoreFromCache(t *testing.T) {
	dir := t.TempDir()
	rows := synthetic(t, dir, "rows.csv", 9000, 5)
	prepare(t, "", ""+rows)
	o := TrainOptions{Algo: "lr", Bits: 12, Out: filepath.Join(dir, "m.ctr")}
	o.Files = []string{rows}
	train(t, o)
	var texts []string
	for _, file := range []string{rows, rows + CacheSuffix, filepath.Join(dir, "rows.*")} {
		var out bytes.Buffer
		s := ScoreFileOptions{Model: o.Out, Output: "-"}
		s.Files = []string{file}
		if r, err := ScoreFiles(context.Background(), s, &out, nil); err != nil || r.Rows != 9000 {
			t.Fatalf("%s: %+v, %v", file, r, err)
		}
		texts = append(texts, out.String())
	}
	if texts[0] != texts[1] || texts[0] != texts[2] {
		t.Error("other predictions from the cache")
	}
}

func TestPrepareRefuses(t *testing.T) {
	dir := t.TempDir()
	rows := synthetic(t, dir, "rows.csv", 50, 5)
	cache := rows + CacheSuffix
	prepare(t, cache, rows)
	keep := readFile(t, cache)
	f := func(want string, o PrepareOptions, files ...string) {
		t.Helper()
		o.Files = files
		if _, err := Prepare(context.Background(), o, nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: error %v, want %q", files, err, want)
		}
	}
	f("read as data", PrepareOptions{Out: rows}, rows)
	f("read as data", PrepareOptions{Out: cache}, cache)
	f("out: want the name", PrepareOptions{}, rows, rows)
	f("out: want the name", PrepareOptions{}, cache)
	f("no such file", PrepareOptions{Out: cache}, filepath.Join(dir, "none"))
	f("no such file", PrepareOptions{Out: filepath.Join(dir, "none", "x")}, rows)
	f("settled when the cache was made", PrepareOptions{Out: filepath.Join(dir, "x"), Input: Input{NoHeader: true}}, cache)
	empty := filepath.Join(dir, "empty.csv")
	writeFile(t, empty, []byte("id,click,hour,C1\n"))
	in := Input{Files: []string{cache}}
	sources, err := in.sources()
	if err != nil {
		t.Fatal(err)
	}
	defer closeCaches(sources)
	if _, err := sources[0].open(t.Context(), 1); err == nil || !strings.Contains(err.Error(), "want the text") {
		t.Errorf("opened as text: error %v", err)
	}
	f("no rows", PrepareOptions{Out: cache}, empty)
	if !bytes.Equal(readFile(t, cache), keep) {
		t.Error("the cache has changed")
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	o := PrepareOptions{Out: cache}
	o.Files = []string{rows}
	if _, err := Prepare(ctx, o, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want that of the context", err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 3 {
		t.Errorf("left %v, %v: want three files", left, err)
	}
}

// Training gives up every cache that it opened, whether it ends well or not.
func TestTrainGivesCachesUp(t *testing.T) {
	mapped := func() (n int) {
		text, err := os.ReadFile("/proc/self/maps")
		if err != nil {
			t.Skip("this system has no list of mapped files")
		}
		return strings.Count(string(text), "rows.ctrd")
	}
	dir := t.TempDir()
	path := filepath.Join(dir, "rows.ctrd")
	if _, err := Prepare(context.Background(), PrepareOptions{Input: Input{Files: []string{synthetic(t, dir, "rows.csv", 3000, 5)}}, Out: path}, nil); err != nil {
		t.Fatal(err)
	}
	f := func(out string, files ...string) {
		t.Helper()
		o := TrainOptions{Algo: "dt", AutoCross: 1, Out: out, Input: Input{Files: files}}
		_, err := Train(context.Background(), o, nil)
		if n := mapped(); n > 0 {
			t.Errorf("%d mapped files left after %v", n, err)
		}
	}
	f(filepath.Join(dir, "m.ctr"), path)
	f(path, path)
	f(dir, path)
	f("", path, filepath.Join(dir, "none.csv"))
	f("", path, filepath.Join(dir, "none"), path)
}
