package pipeline

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"strings"
	"testing"

	"ctr/models"
	"ctr/models/linear"
)

// What a model file says of its data is not trusted: whoever wrote it gets an
// error, never a panic.
func TestEvaluateDistrustsTheModelsData(t *testing.T) {
	d := newFolder(t)
	d.model(d.write("rows.csv", fewHeader+fewRows(200)))
	a, err := models.Open(d.path("m.ctr"))
	if err != nil {
		t.Fatal(err)
	}
	was := a.Data
	f := func(data, want string) {
		t.Helper()
		a.Data = json.RawMessage(data)
		if err := a.Write(d.path("m.ctr")); err != nil {
			t.Fatal(err)
		}
		_, err := d.evaluate(EvaluateOptions{})
		d.wants(data, err, want)
	}
	change := func(key, value string) string {
		var m map[string]json.RawMessage
		if err := json.Unmarshal(was, &m); err != nil {
			t.Fatal(err)
		}
		m[key] = json.RawMessage(value)
		text, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	f(`{}`, "m.ctr: no rows were held out in training")
	f(`null`, "m.ctr: no rows were held out in training")
	f(`[]`, "m.ctr: data: ")
	f(`{"rows":{"test":3}}`, "m.ctr: data: no files")
	f(change("files", `[]`), "m.ctr: data: no files")
	f(change("files", `["gone.csv"]`), "gone.csv: no such file (m.ctr was trained on it)")
	f(change("files", `[""]`), "a folder: want a file")
	f(change("max_bad", `-1`), "m.ctr: data: max-bad -1: want 0 or more")
	f(change("comma", `"\""`), "want a byte that is no quote")
	f(change("columns", `["click","click"]`), "column click: named twice")
	f(change("since", `"soon"`), `since "soon": want an hour`)
	f(change("sample_last", `"many"`), `m.ctr: sample "many": want 16 hexadecimal digits`)
	f(change("holdout", `{"kind":"moon"}`), "rows.csv: no rows")
	f(change("synth", `{"rows":-1}`), "rows -1: want")
	f(change("marks", `[{"bytes":1,"xxh64":"0"}]`), "rows.csv (")
	f(change("marks", `[]`), "the data has changed since training")

	a.Data = nil // as of a model made by another tool
	if err := a.Write(d.path("m.ctr")); err != nil {
		t.Fatal(err)
	}
	if _, err := d.evaluate(EvaluateOptions{}); !errors.Is(err, errNothingHeld) {
		t.Errorf("error %v, want that nothing was held out", err)
	}
}

// Compare gives the figures that Train gives, on the same split.
func TestCompareIsTrain(t *testing.T) {
	d := newFolder(t)
	o := TrainOptions{Input: Input{Files: []string{synthetic(t, d.dir, "rows.csv", 1200, 5)}, Seed: 4}}
	o.Model.Trees = 5
	table, err := Compare(context.Background(), []string{"rf", "lr"}, BaselineGolearn, o, nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(table) != 3 || table[2].Algo != BaselineGolearn || table[2].Warning == "" || table[2].Test.Rows != table[0].Test.Rows {
		t.Fatalf("table %+v, want rf, lr and golearn with a warning", table)
	}
	for i, algo := range []string{"rf", "lr"} {
		one := o
		one.Algo = algo
		one.settle()
		r := train(t, one)
		if table[i].Algo != algo {
			t.Errorf("row %d: %s, want %s", i, table[i].Algo, algo)
		}
		same(t, algo+" train", &table[i].Train, &r.Train)
		same(t, algo+" test", table[i].Test, r.Test)
	}
	o.Split, o.Model.Trees = "none", 0
	table, err = Compare(context.Background(), []string{"dt"}, BaselineGolearn, o, nil)
	if err != nil || table[0].Test != nil || table[1].Test != nil {
		t.Errorf("%v: %+v, want no test figures", err, table)
	}
}

func TestCompareRefuses(t *testing.T) {
	f := func(want string, o TrainOptions, baseline string, algos ...string) {
		t.Helper()
		_, err := Compare(context.Background(), algos, baseline, o, nil)
		var wrong *OptionError
		if !errors.As(err, &wrong) || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
	f(`algorithm "x"`, TrainOptions{}, "", "lr", "x")
	f(`baseline "y": want golearn`, TrainOptions{}, "y", "lr")
	f("max-bad -1: want 0 or more", TrainOptions{Input: Input{MaxBad: -1}}, "")
	f("keep-negatives: want one algorithm", TrainOptions{KeepNegatives: ptr(0.5), Model: models.Options{Solver: linear.SolverFTRL}}, "", "lr")
	f("window: want one algorithm", TrainOptions{Window: 5, Model: models.Options{Solver: linear.SolverFTRL}}, "", "lr")
	f("warm-start: want one algorithm", TrainOptions{WarmStart: "m.ctr", Model: models.Options{Solver: linear.SolverFTRL}}, "", "lr")
	f("test-fraction", TrainOptions{TestFraction: math.Inf(1)}, BaselineGolearn)
}

// settle takes away the settings of o.Model that mean nothing to its
// algorithm, for tests that go over several.
func (o *TrainOptions) settle() {
	if o.Algo != "rf" {
		o.Model.Trees = 0
	}
}
