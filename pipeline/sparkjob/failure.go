package sparkjob

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"strings"

	"ctr/features"
)

// known are lines of Spark's log that say more than the error that ends it:
// what to call them, and what to do about them.
var known = []struct{ mark, what, hint string }{
	{"All masters are unresponsive", "no Spark master answers at %s", "start one, or give its address as its own page shows it: --master spark://HOST:7077"},
	{"JAVA_HOME is not set", "spark-submit finds no Java", "install Java 17, or set JAVA_HOME"},
	{"Unable to locate a Java Runtime", "spark-submit finds no Java", "install Java 17, or set JAVA_HOME"},
	{"java: command not found", "spark-submit finds no Java", "install Java 17, or set JAVA_HOME"},
	{"UnsupportedClassVersionError", "this Java is too old for this Spark", "install Java 17, or set JAVA_HOME"},
	{"No module named", "Spark's Python lacks a package", `pip install "pyspark[ml]" has all that is needed; PYSPARK_PYTHON names the Python that has it`},
	{"java.lang.OutOfMemoryError", "Spark ran out of memory", "give it more: --spark-conf spark.driver.memory=8g, --spark-conf spark.executor.memory=8g; or leave rare values out: --min-count 5"},
	{"No space left on device", "Spark's disk is full", "--spark-conf spark.local.dir=FOLDER names another one"},
	{"No FileSystem for scheme", "Spark can't read this kind of address", "give it the library: --spark-conf spark.jars.packages=org.apache.hadoop:hadoop-aws:3.3.4"},
	{"Class org.apache.hadoop.fs.s3a.S3AFileSystem not found", "Spark can't read s3a:// yet", "give it the library: --spark-conf spark.jars.packages=org.apache.hadoop:hadoop-aws:3.3.4"},
}

// maxText is how much of an error of Spark's is shown.
const maxText = 300

// failure gives the error of a job that ended as err says. Its hint says where
// the log is.
func (j *job) failure(err error) error {
	if j.fault != "" {
		return features.WithHint(errors.New(j.fault), "Spark's log: "+j.log)
	}
	what, hint := j.inLog()
	switch {
	case what != "":
	case j.failed != "":
		what = j.failed
	case err != nil:
		what = err.Error()
	default:
		what = "the job ended without a result"
	}
	if r := []rune(what); len(r) > maxText {
		what = string(r[:maxText]) + "…"
	}
	if hint != "" {
		hint += "; "
	}
	return features.WithHint(fmt.Errorf("spark: %s", what), hint+"the log: "+j.log)
}

// inLog looks for a known line in the log; without one, and without an error
// that the program told, it gives the last line that names an exception or an
// error.
func (j *job) inLog() (what, hint string) {
	f, err := os.Open(j.log)
	if err != nil {
		return "", ""
	}
	defer f.Close()
	s := bufio.NewScanner(f)
	s.Buffer(nil, 1<<20)
	last := ""
	for s.Scan() {
		line := s.Text()
		for _, k := range known {
			if !strings.Contains(line, k.mark) {
				continue
			}
			what = k.what
			if strings.Contains(what, "%s") {
				what = fmt.Sprintf(what, j.launch.Master)
			}
			if k.mark == "No module named" {
				_, module, _ := strings.Cut(line, k.mark)
				what += strings.TrimRight(" "+strings.TrimSpace(module), " ")
			}
			return what, k.hint
		}
		if strings.Contains(line, "Exception") || strings.Contains(line, "Error") {
			last = strings.TrimSpace(line)
		}
	}
	if j.failed == "" {
		what = last
	}
	return what, ""
}
