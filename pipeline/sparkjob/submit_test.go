package sparkjob

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func hintOf(err error) string {
	var h interface{ Hint() string }
	if errors.As(err, &h) {
		return h.Hint()
	}
	return ""
}

func TestFind(t *testing.T) {
	home, path := t.TempDir(), t.TempDir()
	place := func(dir string) string {
		t.Helper()
		name := filepath.Join(dir, "spark-submit")
		if err := errors.Join(os.MkdirAll(dir, 0o700), os.WriteFile(name, []byte("#!/bin/sh\n"), 0o700)); err != nil {
			t.Fatal(err)
		}
		return name
	}
	inHome := place(filepath.Join(home, "bin"))
	inPath := place(path)
	empty := t.TempDir()

	found := func(l Launch, env, want string) {
		t.Helper()
		t.Setenv("PATH", env)
		if got, err := l.Find(); got != want || err != nil {
			t.Errorf("%+v, PATH %s: %q, %v: want %q", l, env, got, err, want)
		}
	}
	found(Launch{}, path, inPath)
	found(Launch{Home: home}, path, inHome)
	found(Launch{Home: home, Submit: inPath}, empty, inPath)
	found(Launch{Submit: "spark-submit"}, path, inPath)

	lost := func(l Launch, want, hint string) {
		t.Helper()
		t.Setenv("PATH", empty)
		if _, err := l.Find(); err == nil || err.Error() != want || !strings.Contains(hintOf(err), hint) {
			t.Errorf("%+v: %v, hint %q: want %q, %q", l, err, hintOf(err), want, hint)
		}
	}
	lost(Launch{}, "spark-submit: not found in SPARK_HOME or on the PATH", `pip install "pyspark[ml]"`)
	lost(Launch{Home: empty}, "SPARK_HOME "+empty+": no bin/spark-submit there", "unset SPARK_HOME")
	lost(Launch{Submit: "no-such-submit"}, "spark-submit no-such-submit: no such program", "--spark-submit PATH")
}

func TestArgs(t *testing.T) {
	f := func(l Launch, do, want string) {
		t.Helper()
		got := strings.Join(l.args(&Task{Do: do}, "/d"), " ")
		if got != want {
			t.Errorf("%+v: %s: want %s", l, got, want)
		}
	}
	f(Launch{}, DoTrain, "--master local[*] --deploy-mode client --name ctr train --conf spark.driver.memory=4g /d/job.py /d/task.json")
	f(Launch{Master: "spark://h:7077", Conf: []string{"spark.driver.memory=1g", "a=b c"}}, DoTrain,
		"--master spark://h:7077 --deploy-mode client --name ctr train --conf spark.driver.memory=1g --conf a=b c /d/job.py /d/task.json")
	f(Launch{Master: "yarn"}, DoLook, "--master local[1] --deploy-mode client --name ctr look --conf spark.driver.memory=4g /d/job.py /d/task.json")
}

func TestValidate(t *testing.T) {
	f := func(want string, conf ...string) {
		t.Helper()
		if got := strings.Join((&Launch{Conf: conf}).Validate(), "; "); got != want {
			t.Errorf("%q: %q: want %q", conf, got, want)
		}
	}
	f("", "spark.a=1", "spark.b=c=d")
	f(`spark-conf "spark.a": want KEY=VALUE`, "spark.a")
	f(`spark-conf "=1": want KEY=VALUE`, "=1")
	f("spark-conf spark.master: want --master; spark-conf spark.submit.deployMode: the driver runs here, beside ctr",
		"spark.master=yarn", "spark.submit.deployMode=cluster")
}

func TestEventOf(t *testing.T) {
	for _, line := range []string{"", "@ctr", "@ctr ", "@ctr {", "@ctr 7", ` @ctr {"step": "fit"}`, "26/11/24 INFO x"} {
		if e, ok := eventOf(line); ok {
			t.Errorf("%q: %+v: want no event", line, e)
		}
	}
	if e, ok := eventOf(`@ctr {"step": "fit", "more": 1}`); !ok || e.Step != "fit" {
		t.Errorf("%+v, %v: want step fit", e, ok)
	}
}

// TestProgramIsWhole: every module that the program imports from its own
// folder is in the binary.
func TestProgramIsWhole(t *testing.T) {
	list, err := filepath.Glob("*.py")
	if err != nil || len(list) == 0 {
		t.Fatal(list, err)
	}
	var names []string
	files, err := program.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		names = append(names, f.Name())
	}
	if !slices.Equal(names, list) {
		t.Errorf("embedded %v: want %v", names, list)
	}
}
