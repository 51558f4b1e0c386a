package pipeline

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// With little memory the models are the same, and no file is left.
func TestTrainWithLittleMemory(t *testing.T) {
	dir, scratch := t.TempDir(), t.TempDir()
	rows := synthetic(t, dir, "rows.csv", 6000, 5)
	f := func(change func(o *TrainOptions)) {
		t.Helper()
		var want []byte
		for _, memory := range []int64{0, 4} {
			o := TrainOptions{Algo: "lr", Out: filepath.Join(dir, "m.ctr")}
			o.Files, o.Memory, o.ScratchDir = []string{rows}, memory, scratch
			change(&o)
			train(t, o)
			got := readFile(t, o.Out)
			if want == nil {
				want = got
			}
			if !bytes.Equal(got, want) {
				t.Errorf("%s: another model with little memory", o.Algo)
			}
		}
	}
	f(func(*TrainOptions) {})
	f(func(o *TrainOptions) { o.Model.Solver = "lbfgs" })
	f(func(o *TrainOptions) { o.Algo, o.Crosses = "dt", [][]string{{"site_id", "app_id"}} })
	f(func(o *TrainOptions) { o.Algo, o.Model.Trees, o.Split = "rf", 3, "random" })
	f(func(o *TrainOptions) { o.Algo, o.Model.Trees = "gbdt", 3 })
	f(func(o *TrainOptions) { o.Algo, o.Model.Passes = "ffm", 1 })
	o := TrainOptions{Memory: 1, ScratchDir: scratch}
	o.Files = []string{rows}
	if r, err := Compare(context.Background(), []string{"dt", "lr"}, "", o, nil); err != nil || len(r) != 2 {
		t.Errorf("compare: %v, %v", r, err)
	}
	if left, err := os.ReadDir(scratch); err != nil || len(left) != 0 {
		t.Errorf("left %v, %v: want nothing", left, err)
	}
	o = TrainOptions{Algo: "dt", Memory: 1, ScratchDir: filepath.Join(dir, "none")}
	o.Files = []string{rows}
	var said notes
	if _, err := Train(context.Background(), o, &said); err != nil || !strings.Contains(strings.Join(said.text, ""), "memory: more than was allowed") {
		t.Errorf("no place for files: %v, said %q", err, said.text)
	}
	o.Memory = -1
	if _, err := Train(context.Background(), o, nil); err == nil || !strings.Contains(err.Error(), "memory -1") {
		t.Errorf("memory -1: error %v", err)
	}
}
