package sparkjob

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"ctr/features"
)

// DefaultMaster runs Spark in one process with all cores of this machine.
const DefaultMaster = "local[*]"

// defaultDriverMemory is what the driver gets unless Launch.Conf says
// otherwise. Spark's own default, 1 GB, holds no model of a million values.
const defaultDriverMemory = "4g"

// Launch says how to start the program.
type Launch struct {
	// Submit is the path of spark-submit; "" = bin/spark-submit of Home where
	// that is set, else the one on the PATH.
	Submit string
	Home   string
	// Master is the cluster's URL; "" means DefaultMaster.
	Master string
	// Conf are Spark's own settings, KEY=VALUE.
	Conf []string
	// Temp is where a folder for the program, its log and its model is made;
	// "" = the system's.
	Temp string
}

const installHint = `pip install "pyspark[ml]" has spark-submit, and it needs Java 17; or name it: --spark-submit PATH`

// Find gives the path of spark-submit.
func (l *Launch) Find() (string, error) {
	name := "spark-submit"
	switch {
	case l.Submit != "":
		name = l.Submit
	case l.Home != "":
		name = filepath.Join(l.Home, "bin", name)
	}
	path, err := exec.LookPath(name)
	switch {
	case err == nil:
		return path, nil
	case l.Submit != "":
		return "", features.WithHint(fmt.Errorf("spark-submit %s: no such program", l.Submit), installHint)
	case l.Home != "":
		return "", features.WithHint(fmt.Errorf("SPARK_HOME %s: no bin/spark-submit there", l.Home), "unset SPARK_HOME to use the spark-submit on the PATH, or name it: --spark-submit PATH")
	}
	return "", features.WithHint(fmt.Errorf("spark-submit: not found in SPARK_HOME or on the PATH"), installHint)
}

// Validate reports every fault of the settings.
func (l *Launch) Validate() (faults []string) {
	for _, c := range l.Conf {
		key, _, ok := strings.Cut(c, "=")
		switch {
		case !ok || key == "":
			faults = append(faults, fmt.Sprintf("spark-conf %q: want KEY=VALUE", c))
		case key == "spark.master":
			faults = append(faults, "spark-conf spark.master: want --master")
		case key == "spark.submit.deployMode":
			faults = append(faults, "spark-conf spark.submit.deployMode: the driver runs here, beside ctr")
		}
	}
	return faults
}

// args are spark-submit's, for the program in the folder dir.
func (l *Launch) args(t *Task, dir string) []string {
	master := l.Master
	if master == "" {
		master = DefaultMaster
	}
	if t.Do == DoLook {
		master = "local[1]" // one list of files and one row
	}
	args := []string{"--master", master, "--deploy-mode", "client", "--name", "ctr " + t.Do}
	if !slices.ContainsFunc(l.Conf, func(c string) bool { return strings.HasPrefix(c, "spark.driver.memory=") }) {
		args = append(args, "--conf", "spark.driver.memory="+defaultDriverMemory)
	}
	for _, c := range l.Conf {
		args = append(args, "--conf", c)
	}
	return append(args, filepath.Join(dir, "job.py"), filepath.Join(dir, "task.json"))
}
