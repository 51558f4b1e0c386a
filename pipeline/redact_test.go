package pipeline

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"ctr/features"
	"ctr/features/race"
	"ctr/models"
)

// privateRows writes rows whose columns device_ip, C20 and id have values that
// can be told anywhere: 42 addresses, 9 codes. Clicks depend on device_ip.
func privateRows(t testing.TB, dir string, extra ...string) string {
	t.Helper()
	var b strings.Builder
	b.WriteString("id,click,hour,C1,banner_pos,site_id,site_domain,site_category,app_id,app_domain,app_category,device_id,device_ip,device_model,device_type,device_conn_type,C14,C15,C16,C17,C18,C19,C20,C21\n")
	for i := range 3000 {
		ip := i * 7 % 42
		click := 0
		if ip%3 == 0 && i%4 != 0 {
			click = 1
		}
		fmt.Fprintf(&b, "name-%d,%d,141021%02d,1005,0,s%d,d,c,a%d,e,f,g,secret-ip-%02d,m%d,1,0,%d,320,50,1,0,35,c20v-%d,79\n",
			i, click, i/125, i%5, i%3, ip, i%4, i%9, i%9)
	}
	for _, line := range extra {
		b.WriteString(line + "\n")
	}
	path := filepath.Join(dir, "rows.csv")
	writeFile(t, path, []byte(b.String()))
	return path
}

// private are the marks of values that must not be found.
var private = []string{"secret-ip", "c20v-", "name-"}

func hides(t *testing.T, what string, text []byte) {
	t.Helper()
	for _, mark := range private {
		if at := bytes.Index(text, []byte(mark)); at >= 0 {
			t.Errorf("%s holds %q", what, text[max(at-20, 0):min(at+30, len(text))])
		}
	}
}

// No value of a redacted column is in a model file, whichever algorithm made
// it from whatever form of the rows; training and scoring read it alike.
func TestRedactedValuesAreNotInTheModel(t *testing.T) {
	f := func(name string, change func(o *TrainOptions)) {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			o := TrainOptions{Out: filepath.Join(dir, "m.ctr"), Algo: name}
			o.Files = []string{privateRows(t, dir)}
			o.Redact = []string{"device_ip", "C20", "id"}
			o.Crosses = [][]string{{"device_ip", "site_id"}, {"hour_time", "C20"}}
			o.Model.Trees = 0
			change(&o)
			o.briefly()
			r := train(t, o)
			file := readFile(t, o.Out)
			hides(t, "the model", file)
			if r.Test == nil || !(r.Test.AUC > 0.8) {
				t.Errorf("test %+v: want device_ip to tell clicks", r.Test)
			}
			a, err := models.Open(o.Out)
			if err != nil {
				t.Fatal(err)
			}
			if got := fmt.Sprint(a.Spec.Redacted); got != "[device_ip C20 id]" {
				t.Errorf("redacted %s", got)
			}
			e, err := Evaluate(context.Background(), EvaluateOptions{Model: o.Out}, nil)
			if err != nil {
				t.Fatal(err)
			}
			same(t, "evaluate and train", &e.Metrics, r.Test)
			o.Cache, o.Out = true, filepath.Join(dir, "c.ctr")
			train(t, o)
			if !bytes.Equal(readFile(t, o.Out), file) {
				t.Error("another model from the cache")
			}
			// Without it they are there, so that the test can fail.
			o.Cache, o.Redact, o.Bits = false, nil, 0
			if name != "online" && o.Model.Solver != "ftrl" {
				train(t, o)
				if !bytes.Contains(readFile(t, o.Out), []byte("secret-ip")) {
					t.Error("no value in a model without --redact")
				}
			}
		})
	}
	for _, name := range models.Names() {
		f(name, func(*TrainOptions) {})
	}
	f("online", func(o *TrainOptions) { o.Algo, o.Model.Solver = "lr", "ftrl" })
	f("bits", func(o *TrainOptions) { o.Algo, o.Bits = "lr", 12 })
	f("history", func(o *TrainOptions) { o.Algo, o.History = "gbdt", []string{"device_ip"} })
	if race.Enabled { // minutes of fits, which have their own tests
		return
	}
	f("pairs", func(o *TrainOptions) { o.Algo, o.AutoCross = "lr", 2 })
	f("preset", func(o *TrainOptions) {
		o.Preset, o.Algo = PresetReplacedLR, "lr"
		o.Include = []string{"site_id", "device_ip", "C20", "C16"}
	})
}

// What is wrong with rows is told without the values of redacted columns, in
// training, judging and scoring.
func TestRedactedValuesAreNotInErrors(t *testing.T) {
	bad := func(id, click, c20 string) string {
		return id + "," + click + ",14102107,1005,0,s1,d,c,a1,e,f,g,secret-ip-01,m1,1,0,1,320,50,1,0,35," + c20 + ",79"
	}
	dir := t.TempDir()
	o := TrainOptions{Out: filepath.Join(dir, "m.ctr"), Algo: "lr"}
	o.Files, o.Redact = []string{privateRows(t, dir, bad("name-x", "name-y", "c20v-1"))}, []string{"click", "device_ip", "C20", "id"}
	for _, cache := range []bool{false, true} {
		for _, solver := range []string{"", "ftrl"} {
			var notes told
			o.Cache, o.MaxBad, o.Model.Solver, o.Model.MaxIter = cache, 0, solver, 0
			o.briefly()
			_, err := Train(context.Background(), o, &notes)
			if err == nil || !strings.HasSuffix(err.Error(), "rows.csv:3002: column click: want 0 or 1") {
				t.Errorf("cache %v, %s: error %v", cache, solver, err)
			}
			o.MaxBad = 1
			if _, err := Train(context.Background(), o, &notes); err != nil {
				t.Fatal(err)
			}
			all := strings.Join(notes, "\n")
			if !strings.Contains(all, "rows.csv:3002: column click: want 0 or 1") {
				t.Errorf("cache %v, %s: notes %s", cache, solver, all)
			}
			hides(t, "a note", []byte(all))
		}
	}
	in := EvaluateOptions{Model: o.Out}
	in.Files = o.Files
	_, err := Evaluate(context.Background(), in, nil)
	if err == nil || !strings.HasSuffix(err.Error(), "rows.csv:3002: column click: want 0 or 1") {
		t.Errorf("evaluate: %v", err)
	}
	a, err := models.Open(o.Out)
	if err != nil {
		t.Fatal(err)
	}
	s, err := newModelScorer(a, ScorerOptions{})
	if err != nil {
		t.Fatal(err)
	}
	s = s.clone(a)
	b := &Batch{Records: []Record{{Value: []byte(bad("name-x", "name-y", "c20v-1"))}}}
	s.Score(b)
	if len(b.Bad) != 1 || b.Bad[0].Err.Error() != "column click: want 0 or 1" {
		t.Errorf("bad %v", b.Bad)
	}
}

func TestRedactRefuses(t *testing.T) {
	dir := t.TempDir()
	o := TrainOptions{Algo: "lr"}
	o.Files = []string{privateRows(t, dir)}
	f := func(want string, columns ...string) {
		t.Helper()
		o.Redact = columns
		_, err := Train(context.Background(), o, nil)
		if err == nil || !strings.HasSuffix(err.Error(), want) {
			t.Errorf("%v: %v, want %s", columns, err, want)
		}
	}
	f("redact: column hour: the time, whose hours every model holds: want another column", "device_ip", "hour")
	f("redact: column device_ipp: want a column of schema avazu", "device_ipp")
	f("redact: column all: want a column of schema avazu", features.AllColumns)

	o.Redact, o.Model.Solver, o.Out = []string{"device_ip"}, "ftrl", filepath.Join(dir, "m.ctr")
	train(t, o)
	o.WarmStart = o.Out
	train(t, o)
	o.Redact = []string{"id"}
	_, err := Train(context.Background(), o, nil)
	var fault *OptionError
	if !errors.As(err, &fault) || !strings.HasPrefix(err.Error(), "redact id: the model redacts device_ip") {
		t.Errorf("warm start: %v", err)
	}
}
