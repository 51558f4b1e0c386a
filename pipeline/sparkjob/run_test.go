//go:build unix

package sparkjob

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// launch gives a Launch of the stand-in, told by the master what to do.
func launch(t *testing.T, master string) Launch {
	t.Helper()
	submit, err := filepath.Abs("testdata/spark-submit")
	if err != nil {
		t.Fatal(err)
	}
	return Launch{Submit: submit, Master: master, Temp: t.TempDir()}
}

func left(t *testing.T, dir string) []string {
	t.Helper()
	list, err := filepath.Glob(filepath.Join(dir, "*", "*"))
	if err != nil {
		t.Fatal(err)
	}
	for i := range list {
		list[i] = filepath.Base(list[i])
	}
	return list
}

func TestRun(t *testing.T) {
	l := launch(t, "ok")
	var told []Event
	r, err := Run(t.Context(), l, Task{Do: DoTrain, Algo: "lr", Fields: []Field{{From: []any{3, "day"}, MinCount: 2}}}, func(e Event) { told = append(told, e) })
	if err != nil {
		t.Fatal(err)
	}
	d := r.Done
	if d.Split.Kind != "time" || d.Split.Boundary != 392000 || d.Sizes.Test.Rows != 3 || d.Caps[4] != 320 || !slices.Equal(d.Fields, []int{0, 2}) {
		t.Errorf("done: %+v", d)
	}
	seen := map[string]bool{}
	for _, e := range told {
		switch {
		case e.Application != nil && e.Application.ID == "app-1" && e.Application.UI == "http://127.0.0.1:4040":
			seen["application"] = true
		case e.Step == "fit":
			seen["step"] = true
		case e.Progress != nil && *e.Progress == Progress{Stage: 7, Done: 3, Total: 8}:
			seen["progress"] = true
		case e.Waiting:
			seen["waiting"] = true
		}
	}
	if len(seen) != 4 {
		t.Errorf("told %v: want application, step, progress, waiting", seen)
	}
	if info, err := os.Stat(r.Model); err != nil || !info.IsDir() {
		t.Errorf("model %s: %v", r.Model, err)
	}
	var task map[string]any
	text, err := os.ReadFile(filepath.Join(filepath.Dir(r.Model), "task.json"))
	if err := errors.Join(err, json.Unmarshal(text, &task)); err != nil {
		t.Fatal(err)
	}
	if task["out"] != r.Model || task["parent"] != float64(os.Getpid()) || task["threshold"] != nil || task["do"] != "train" {
		t.Errorf("task: %s", text)
	}
	if err := r.Close(); err != nil || len(left(t, l.Temp)) > 0 {
		t.Errorf("after Close: %v, %v", left(t, l.Temp), err)
	}
}

func TestRunLook(t *testing.T) {
	r, err := Run(t.Context(), launch(t, "spark://elsewhere:7077"), Task{Do: DoLook, Paths: []string{"hdfs://x"}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if r.Look == nil || r.Look.First != "id,click,hour" || r.Done != nil {
		t.Errorf("%+v", r)
	}
}

// TestRunFails: an error is one line, and its hint has the place of the log,
// which alone is left.
func TestRunFails(t *testing.T) {
	f := func(master, want, hint string) {
		t.Helper()
		l := launch(t, master)
		_, err := Run(t.Context(), l, Task{Do: DoTrain}, nil)
		if err == nil || err.Error() != want {
			t.Errorf("%s: %v: want %s", master, err, want)
			return
		}
		got, log, _ := strings.Cut(hintOf(err), "log: ")
		if got != hint {
			t.Errorf("%s: hint %q: want %q", master, got, hint)
		}
		text, err := os.ReadFile(log)
		if err != nil || !strings.Contains(string(text), "Running Spark version") || strings.Contains(string(text), "@ctr") {
			t.Errorf("%s: log %q, %v", master, text, err)
		}
		if files := left(t, l.Temp); !slices.Equal(files, []string{"spark.log"}) {
			t.Errorf("%s: left %v: want the log", master, files)
		}
	}
	f("fault", `column click: 2 rows, such as "yes": want 0 or 1`, "Spark's ")
	f("error", "spark: org.apache.spark.SparkException: a long story", "the ")
	f("nobody", "spark: no Spark master answers at nobody", "start one, or give its address as its own page shows it: --master spark://HOST:7077; the ")
	f("module", "spark: Spark's Python lacks a package 'numpy'", `pip install "pyspark[ml]" has all that is needed; PYSPARK_PYTHON names the Python that has it; the `)
	f("crash", `spark: Exception in thread "main" java.lang.NoSuchMethodError: oh`, "the ")
	f("silent", "spark: exit status 5", "the ")
	f("nothing", "spark: the job ended without a result", "the ")
}

func TestRunCannotStart(t *testing.T) {
	dir := t.TempDir()
	bad := filepath.Join(dir, "spark-submit")
	if err := os.WriteFile(bad, []byte("#!/no/such/shell\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	_, err := Run(t.Context(), Launch{Submit: bad, Temp: dir}, Task{Do: DoTrain}, nil)
	if err == nil || !strings.HasPrefix(err.Error(), bad+": ") || !strings.Contains(hintOf(err), "pip install") {
		t.Errorf("%v, hint %q", err, hintOf(err))
	}
}

// TestInterrupted: the end of the context is the job's end, that of all its
// processes, and nothing of it is left.
func TestInterrupted(t *testing.T) {
	l := launch(t, "hang")
	told := filepath.Join(t.TempDir(), "told")
	t.Setenv("TOLD", told)
	ctx, cancel := context.WithCancel(t.Context())
	child := 0
	began := time.Now()
	_, err := Run(ctx, l, Task{Do: DoTrain}, func(e Event) {
		if e.Step != "fit" {
			return
		}
		list, _ := filepath.Glob(filepath.Join(l.Temp, "*", "child"))
		if len(list) == 1 {
			text, _ := os.ReadFile(list[0])
			child, _ = strconv.Atoi(strings.TrimSpace(string(text)))
		}
		cancel()
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("%v: want %v", err, context.Canceled)
	}
	if d := time.Since(began); d > patience {
		t.Errorf("it took %v", d)
	}
	if text, err := os.ReadFile(told); err != nil || string(text) != "told\n" {
		t.Errorf("spark-submit was told %q, %v", text, err)
	}
	if child == 0 {
		t.Fatal("no child was started")
	}
	for deadline := time.Now().Add(5 * time.Second); syscall.Kill(child, 0) == nil; time.Sleep(10 * time.Millisecond) {
		if running(child) && time.Now().After(deadline) {
			t.Fatalf("process %d still runs", child)
		} else if !running(child) {
			break
		}
	}
	if list, _ := filepath.Glob(filepath.Join(l.Temp, "*")); len(list) > 0 {
		t.Errorf("left %v", list)
	}
}

// running reports whether a process runs: one that has ended may still be
// listed where nobody has asked for its status.
func running(pid int) bool {
	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return syscall.Kill(pid, 0) == nil && !os.IsNotExist(err)
	}
	_, state, _ := strings.Cut(string(text), ") ")
	return !strings.HasPrefix(state, "Z")
}

// TestStubborn: a job that does not end when told to is ended.
func TestStubborn(t *testing.T) {
	old := patience
	patience = 2 * time.Second
	defer func() { patience = old }()
	l := launch(t, "stubborn")
	ctx, cancel := context.WithCancel(t.Context())
	began := time.Now()
	_, err := Run(ctx, l, Task{Do: DoTrain}, func(e Event) {
		if e.Step == "fit" {
			cancel()
		}
	})
	if d := time.Since(began); !errors.Is(err, context.Canceled) || d < patience || d > 5*patience {
		t.Errorf("%v after %v: want %v after %v", err, d, context.Canceled, patience)
	}
}
