package pipeline

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"ctr/features"
	"ctr/models"
	"ctr/pipeline/sparkjob"
)

// taskFor gives the task for some rows of Avazu's columns.
func taskFor(t *testing.T, o TrainOptions) *sparkjob.Task {
	t.Helper()
	path := filepath.Join(t.TempDir(), "rows.csv")
	if err := os.WriteFile(path, []byte("id,click,hour,C1,site_id,C16\n1,0,14102100,1,a,50\n2,1,14102101,1,b,250\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	o.Files = []string{path}
	caps, err := o.applyPreset()
	if err != nil {
		t.Fatal(err)
	}
	s := &sparkTraining{o: &o}
	if err := s.prepare(t.Context(), caps); err != nil {
		t.Fatal(err)
	}
	return &s.task
}

// TestSparkTask: the job is told of the columns as ctr's own plan has them.
func TestSparkTask(t *testing.T) {
	f := func(o TrainOptions, want string) {
		t.Helper()
		task := taskFor(t, o)
		text, err := json.Marshal(task.Fields)
		if err != nil {
			t.Fatal(err)
		}
		if string(text) != want {
			t.Errorf("%s: want %s", text, want)
		}
		if task.Label != 1 || task.Time != 2 || task.Weight != -1 || !task.Header || task.Comma != "," || task.Format != sparkjob.CSV {
			t.Errorf("task %+v", task)
		}
	}
	f(TrainOptions{Algo: "lr"}, `[{"from":["hour_time"],"min_count":1,"cap":false},{"from":[3],"min_count":1,"cap":false},{"from":[4],"min_count":1,"cap":false},{"from":[5],"min_count":1,"cap":false}]`)
	f(TrainOptions{Algo: "lr", Include: []string{"day", "hour", "site_id"}, Exclude: []string{"day"}, MinCount: 3, Crosses: [][]string{{"site_id", "dayofweek", "hour"}}},
		`[{"from":[2],"min_count":3,"cap":false},{"from":[4],"min_count":3,"cap":false},{"from":[4,"dayofweek",2],"min_count":3,"cap":false}]`)
	f(TrainOptions{Algo: "lr", Preset: PresetReplacedLR, Include: []string{"C16", "site_id"}},
		`[{"from":[5],"min_count":1,"cap":true},{"from":[4],"min_count":1,"cap":false}]`)
}

// TestSparkJudge: Spark is asked to judge only what ctr can't.
func TestSparkJudge(t *testing.T) {
	for split, want := range map[string]bool{"": false, "time": false, "none": false, "random": true} {
		if task := taskFor(t, TrainOptions{Algo: "lr", Split: split}); task.Judge != want || task.Split != split {
			t.Errorf("split %q: judge %v: want %v", split, task.Judge, want)
		}
	}
	task := taskFor(t, TrainOptions{Algo: "lr", Threshold: "0.3"})
	if task.Threshold == nil || *task.Threshold != .3 {
		t.Errorf("threshold %v: want .3", task.Threshold)
	}
	task = taskFor(t, TrainOptions{Algo: "lr", Input: Input{Since: "14102101"}})
	want, _ := features.ParseHour([]byte("14102101"))
	if task.Since == nil || *task.Since != int32(want) || task.Until != nil {
		t.Errorf("since %v, until %v: want %d, none", task.Since, task.Until, want)
	}
}

func TestSparkSettings(t *testing.T) {
	lr := sparkSettings("lr", &models.Options{L1: ptr(2.0), MaxIter: 7})
	if lr.L1 != 2 || lr.L2 != 10 || lr.MaxIter != 7 || lr.MeanLoss || lr.Standardize {
		t.Errorf("lr: %+v", lr)
	}
	rf := sparkSettings("rf", &models.Options{RowShare: ptr(.5), MinLeaf: 3})
	if rf.Trees != 100 || rf.RowShare != .5 || rf.Bootstrap || rf.MinLeaf != 3 || rf.Smooth != 5 {
		t.Errorf("rf: %+v", rf)
	}
	if dt := sparkSettings("dt", &models.Options{Depth: 9}); dt.Depth != 9 || dt.Smooth != 50 {
		t.Errorf("dt: %+v", dt)
	}
}

// TestUnmarked: values lose the mark that the job gives them, so that Spark,
// whose one-hot encoder takes no empty value, can have them all.
func TestUnmarked(t *testing.T) {
	dict := func(values ...string) *features.Dictionary {
		offsets := []uint64{0}
		for _, v := range values {
			offsets = append(offsets, offsets[len(offsets)-1]+uint64(len(v)))
		}
		d, err := features.NewDictionary([]byte(strings.Join(values, "")), offsets)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	d, err := unmarked(dict("=a", "=", "==", "=\x1f"))
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{"a", "", "=", "\x1f"} {
		if got := string(d.Value(uint32(i + 1))); got != want || d.Code([]byte(want)) != uint32(i+1) {
			t.Errorf("value %d is %q: want %q", i+1, got, want)
		}
	}
	for _, bad := range []string{"a", ""} {
		if _, err := unmarked(dict("=x", bad)); err == nil || !strings.Contains(err.Error(), "want '=' before it") {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func TestSparkParts(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"b.csv", "a.csv", "_SUCCESS", ".a.csv.crc", "day=1/c.csv", "_temporary/d.csv"} {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	f := func(path string, want ...string) {
		t.Helper()
		got, err := sparkParts(path)
		if err != nil {
			t.Fatal(err)
		}
		for i := range got {
			got[i], _ = filepath.Rel(dir, got[i])
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: %v: want %v", path, got, want)
		}
	}
	f(dir, "a.csv", "b.csv", filepath.FromSlash("day=1/c.csv"))
	f(filepath.Join(dir, "*.csv"), "a.csv", "b.csv")
	f(filepath.Join(dir, "b.csv"), "b.csv")
	in := Input{Files: []string{filepath.Join(dir, "b.csv"), "file://" + filepath.Join(dir, "a.csv")}}
	d, err := in.sparkPaths()
	if err != nil || len(d.files) != 2 || !strings.HasPrefix(d.paths[0], "file:///") || !strings.HasSuffix(d.paths[1], "/a.csv") {
		t.Errorf("%+v, %v", d, err)
	}
	in = Input{Files: []string{"hdfs://nn/x", "s3a://b/y"}}
	if d, err := in.sparkPaths(); err != nil || d.local() || !slices.Equal(d.paths, in.Files) {
		t.Errorf("%+v, %v", d, err)
	}
	for _, name := range []string{"x.csv.zst"} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		in = Input{Files: []string{path}}
		if _, err := in.sparkPaths(); err == nil || !strings.Contains(err.Error(), "Spark can't read this") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestHeldBySpark: rows that Spark alone knows are not taken for others.
func TestHeldBySpark(t *testing.T) {
	d := Data{Engine: engineSpark, JudgedBy: engineSpark, Files: []string{"rows.csv"}, Rows: RowCounts{Train: 7, Test: 3}, Holdout: features.Holdout{Kind: "random", Fraction: .3}}
	_, _, _, err := d.held("m.ctr", Input{})
	if err == nil || err.Error() != "m.ctr: its held-out rows are known to Spark alone" {
		t.Error(err)
	}
}
