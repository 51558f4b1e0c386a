package commands

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"ctr/pipeline"
	"ctr/pipeline/sparkjob"
)

// The engines of ctr train.
const (
	engineOwn   = "ctr"
	engineSpark = "spark"
)

// sparkFlags are the flags of training on a Spark cluster.
func sparkFlags(l *sparkjob.Launch) []cli.Flag {
	return group("Spark (--engine spark)",
		stringFlag(&l.Master, "master", "the cluster's `URL`, such as spark://HOST:7077, yarn or k8s://…; "+sparkjob.DefaultMaster+" by default: this machine"),
		stringFlag(&l.Submit, "spark-submit", "the `PATH` of spark-submit; by default that of SPARK_HOME, else the one on the PATH"),
		settingFlag(&l.Conf, "spark-conf", "a setting of Spark's, `KEY=VALUE`, such as spark.executor.memory=8g; repeatable"),
	)
}

// settingFlag takes one KEY=VALUE at each use and adds it to those before.
func settingFlag(p *[]string, name, usage string) cli.Flag {
	return flagOf(p, name, usage, func(s string) ([]string, error) {
		if key, _, ok := strings.Cut(s, "="); !ok || strings.TrimSpace(key) == "" {
			return nil, errors.New("want KEY=VALUE")
		}
		return append(slices.Clip(*p), strings.TrimSpace(s)), nil
	}, func([]string) string { return "" })
}

// fitBy trains with the engine asked for.
func fitBy(ctx context.Context, engine string, l sparkjob.Launch, o pipeline.TrainOptions, s *stdio, p *progress) (*pipeline.TrainResult, error) {
	if engine == engineSpark {
		l.Home = s.getenv("SPARK_HOME")
		return pipeline.TrainSpark(ctx, o, l, p)
	}
	for _, f := range []struct {
		name string
		set  bool
	}{{"master", l.Master != ""}, {"spark-submit", l.Submit != ""}, {"spark-conf", len(l.Conf) > 0}} {
		if f.set {
			return nil, usagef("--%s: want --engine spark", f.name)
		}
	}
	return pipeline.Train(ctx, o, p)
}

// printEngine says, below the table, who fitted and judged the model where it
// was not ctr.
func printEngine(s *stdio, r *pipeline.TrainResult) {
	if r.JudgedBy == engineSpark {
		fmt.Fprintln(s.out, "The figures are Spark's own: ctr can't read these rows, or not know which were held out.")
	}
}
