// Package commands is ctr's command line. Each command is one file with three
// pieces: flags fill an options struct, run does the work, print shows what
// came of it. Results go to standard output, everything else to standard error.
package commands

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"golang.org/x/term"

	"ctr/features"
	"ctr/models"
	"ctr/pipeline"
)

// The exit codes.
const (
	exitDone        = 0
	exitFailed      = 1
	exitUsage       = 2
	exitTooManyBad  = 3   // more bad rows than --max-bad
	exitInterrupted = 130 // a batch command was interrupted, or a second signal came
)

// stdio is what a command reads and writes besides its files.
type stdio struct {
	in       io.Reader
	out      io.Writer // results, nothing else
	err      io.Writer // progress, notes and errors
	terminal bool      // err is a terminal
	getenv   func(string) string
	screen   *os.File // out, where it is a terminal; else nil

	logFormat string // of err: "json", else text
}

// Main runs the command line args, whose first word is the program's name,
// and gives the exit code: 0 done, 1 failed, 2 wrong usage, 3 more bad rows
// than allowed, 130 interrupted. The first SIGINT or SIGTERM asks the command
// to stop; with the second, Main returns at once, whatever still runs.
func Main(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	pipeline.Version = version
	s := &stdio{in: stdin, out: stdout, err: stderr, terminal: isTerminal(stderr), getenv: os.Getenv}
	if isTerminal(stdout) {
		s.screen, _ = stdout.(*os.File)
	}
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	defer signal.Stop(signals)
	return untilSecond(signals, func(ctx context.Context) int { return run(ctx, args, s) })
}

// untilSecond gives work's result, with work's context cancelled by the first
// signal; the second makes it return without waiting for work.
func untilSecond(signals <-chan os.Signal, work func(context.Context) int) int {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	done := make(chan int, 1)
	go func() { done <- work(ctx) }()
	for n := 0; ; {
		select {
		case code := <-done:
			return code
		case <-signals:
			if n++; n == 2 {
				return exitInterrupted
			}
			cancel()
		}
	}
}

// isTerminal reports whether w is a terminal.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// run runs one command line and reports its error.
func run(ctx context.Context, args []string, s *stdio) int {
	out := &checked{w: s.out}
	s.out = out
	if s.in != nil {
		s.in = &patientReader{ctx: ctx, r: s.in}
	}
	err := dispatch(ctx, args, s)
	if err == nil && out.err != nil {
		err = fmt.Errorf("standard output: %w", out.err)
	}
	if err != nil && ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		err = errInterrupted
	}
	if err == nil {
		return exitDone
	}
	if log := s.logger(); log != nil {
		reportJSON(log, err)
	} else {
		report(s.err, err)
	}
	return exitCode(err)
}

var errInterrupted = errors.New("interrupted")

// report prints an error and, where there is one, its hint.
func report(w io.Writer, err error) {
	fmt.Fprintf(w, "ctr: %v\n", err)
	var h interface{ Hint() string }
	if errors.As(err, &h) && h.Hint() != "" {
		fmt.Fprintf(w, "ctr: hint: %s\n", h.Hint())
	}
}

func exitCode(err error) int {
	var usage *usageError
	var option *pipeline.OptionError
	var setting *models.SettingError
	var bad *features.TooManyBad
	switch {
	case errors.Is(err, errInterrupted):
		return exitInterrupted
	case errors.As(err, &usage), errors.As(err, &option), errors.As(err, &setting):
		return exitUsage
	case errors.As(err, &bad):
		return exitTooManyBad
	}
	return exitFailed
}

// checked keeps the first error of a writer, so that results lost to a full
// disk or a closed pipe end in an error and not in exit code 0.
type checked struct {
	w   io.Writer
	err error
}

func (c *checked) Write(p []byte) (int, error) {
	if c.err != nil {
		return 0, c.err
	}
	n, err := c.w.Write(p)
	c.err = err
	return n, err
}

// usageError is a wrong call: exit code 2.
type usageError struct {
	msg, hint string
}

func (e *usageError) Error() string { return e.msg }
func (e *usageError) Hint() string  { return e.hint }

func usagef(format string, a ...any) *usageError {
	return &usageError{msg: fmt.Sprintf(format, a...)}
}

// withHint adds a hint to a usage error.
func (e *usageError) withHint(format string, a ...any) *usageError {
	e.hint = fmt.Sprintf(format, a...)
	return e
}
