package sparkjob

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"ctr/features"
)

// patience is how long a job that is told to stop has for it. Tests have less.
var patience = 10 * time.Second

// Result is what a job left. Close removes its files.
type Result struct {
	Look  *Look
	Done  *Done
	Model string // the folder of the PipelineModel, where Done is set
	dir   string
}

// Close removes the files of a job.
func (r *Result) Close() error { return os.RemoveAll(r.dir) }

// Run starts the program, tells of its events, and waits for its end. Where
// ctx ends, so does the job, on the cluster too, and ctx's error is returned.
// After a failure the log is left, and the error's hint names it.
func Run(ctx context.Context, l Launch, t Task, tell func(Event)) (*Result, error) {
	submit, err := l.Find()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp(l.Temp, "ctr-spark-")
	if err != nil {
		return nil, err
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return nil, err
	}
	r := &Result{dir: dir, Model: filepath.Join(dir, "model")}
	j := &job{ctx: ctx, dir: dir, log: filepath.Join(dir, "spark.log"), launch: &l, task: &t, tell: tell, result: r}
	if err = j.run(submit); err == nil {
		return r, nil
	}
	if ctx.Err() != nil {
		return nil, errors.Join(ctx.Err(), r.Close())
	}
	j.keepLog()
	return nil, err
}

// job is one run of the program.
type job struct {
	ctx    context.Context
	dir    string
	log    string // path
	launch *Launch
	task   *Task
	tell   func(Event)
	result *Result

	mu     sync.Mutex // of what follows: two streams are read
	fault  string
	failed string // as Spark said
	file   *os.File
}

func (j *job) run(submit string) error {
	if err := j.files(); err != nil {
		return err
	}
	file, err := os.Create(j.log)
	if err != nil {
		return err
	}
	defer file.Close()
	j.file = file
	cmd := exec.CommandContext(j.ctx, submit, j.launch.args(j.task, j.dir)...)
	cmd.Cancel = func() error { return terminate(cmd.Process) }
	cmd.WaitDelay = patience
	group(cmd)
	out, errs := j.follow(), j.follow()
	cmd.Stdout, cmd.Stderr = out, errs
	if err := cmd.Start(); err != nil {
		return features.WithHint(fmt.Errorf("%s: %w", submit, err), installHint)
	}
	err = cmd.Wait()
	kill(cmd.Process) // what it may have left behind
	out.end()
	errs.end()
	switch {
	case j.ctx.Err() != nil:
		return j.ctx.Err()
	case err != nil, j.fault != "", j.failed != "", j.result.Done == nil && j.result.Look == nil:
		return j.failure(err)
	}
	return nil
}

// files writes the program and its task into dir.
func (j *job) files() error {
	list, err := fs.Glob(program, "*.py")
	if err != nil {
		return err
	}
	for _, name := range list {
		text, err := program.ReadFile(name)
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(j.dir, name), text, 0o600); err != nil {
			return err
		}
	}
	j.task.Out, j.task.Parent = j.result.Model, os.Getpid()
	text, err := json.MarshalIndent(j.task, "", " ")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(j.dir, "task.json"), text, 0o600)
}

// follower cuts one stream of the program into lines.
type follower struct {
	*io.PipeWriter
	done chan struct{}
}

func (f *follower) end() {
	f.Close()
	<-f.done
}

func (j *job) follow() *follower {
	r, w := io.Pipe()
	f := &follower{PipeWriter: w, done: make(chan struct{})}
	go func() {
		defer close(f.done)
		in := bufio.NewReader(r)
		for {
			line, err := in.ReadString('\n')
			if line != "" {
				j.line(line)
			}
			if err != nil {
				return
			}
		}
	}()
	return f
}

// line takes one line: an event, or one for the log.
func (j *job) line(line string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	e, ok := eventOf(strings.TrimRight(line, "\r\n"))
	if !ok {
		_, _ = j.file.WriteString(line) // a full disk must not end the job
		e.Waiting = strings.Contains(line, "Initial job has not accepted any resources")
		if !e.Waiting {
			return
		}
	}
	switch {
	case e.Look != nil:
		j.result.Look = e.Look
	case e.Done != nil:
		j.result.Done = e.Done
	case e.Fault != "":
		j.fault = e.Fault
	case e.Error != "":
		j.failed = e.Error
	}
	if j.tell != nil {
		j.tell(e)
	}
}

// keepLog removes everything but the log.
func (j *job) keepLog() {
	list, _ := os.ReadDir(j.dir) // what can't be listed stays
	for _, e := range list {
		if path := filepath.Join(j.dir, e.Name()); path != j.log {
			_ = os.RemoveAll(path)
		}
	}
}
