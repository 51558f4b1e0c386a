package commands

import (
	"fmt"
	"io"
	"log/slog"
	"sync"
	"time"

	"github.com/schollz/progressbar/v3"

	"ctr/pipeline"
)

// logEvery is how often progress is a line where there is no terminal.
const logEvery = 10 * time.Second

// progress shows how far a command is, on standard error: a bar on a
// terminal, else a line every ten seconds, the first after ten. It implements
// pipeline.Observer, and is safe for use from several goroutines.
type progress struct {
	out      io.Writer
	log      *slog.Logger // nil where out is text
	terminal bool
	quiet    bool
	now      func() time.Time
	bytes    map[pipeline.Stage]bool // stages whose units are bytes

	mu    sync.Mutex
	bar   *progressbar.ProgressBar
	text  string // beside the bar
	stage pipeline.Stage
	total int64
	done  int64
	said  time.Time // when the last line was written, or the start
}

var _ pipeline.Observer = (*progress)(nil)

func newProgress(s *stdio, quiet bool) *progress {
	return &progress{
		out: s.err, log: s.logger(), terminal: s.terminal && s.logFormat != "json", quiet: quiet, now: time.Now, said: time.Now(),
		bytes: map[pipeline.Stage]bool{pipeline.StageRead: true},
	}
}

// Progress shows that done of total (0 = unknown) units of a stage are done.
func (p *progress) Progress(stage pipeline.Stage, done, total int64, note string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.quiet:
	case p.terminal:
		p.show(stage, done, total, note)
	case p.now().Sub(p.said) >= logEvery:
		p.said = p.now()
		line := progressLine(stage, p.bytes[stage], done, total, note)
		if p.log != nil {
			p.log.Info(line, "stage", string(stage), "done", done, "total", total)
			return
		}
		fmt.Fprintln(p.out, line)
	}
}

// show moves the bar, or begins one where the work is another than before.
func (p *progress) show(stage pipeline.Stage, done, total int64, note string) {
	text := string(stage)
	if note != "" {
		text += ": " + cut(note, 40)
	}
	if p.bar == nil || stage != p.stage || total != p.total || done < p.done {
		p.clear()
		p.bar, p.text = newBar(p.out, text, total, p.bytes[stage]), text
	}
	p.stage, p.total, p.done = stage, total, done
	if total > 0 {
		done = min(done, total)
	}
	// The bar is drawn at most ten times a second, so what changes comes
	// first. An error could only say that the terminal is gone.
	_ = p.bar.Set64(done)
	if text != p.text {
		p.text = text
		p.bar.Describe(text)
	}
}

// newBar begins a bar, or a spinner where total is 0. The library checks for
// no terminal, so bars are made for terminals only; the zero interval keeps a
// spinner from owning a goroutine.
func newBar(w io.Writer, text string, total int64, bytes bool) *progressbar.ProgressBar {
	if total <= 0 {
		total = -1
	}
	return progressbar.NewOptions64(total,
		progressbar.OptionSetWriter(w),
		progressbar.OptionSetDescription(text),
		progressbar.OptionSetWidth(24),
		progressbar.OptionThrottle(100*time.Millisecond),
		progressbar.OptionSetSpinnerChangeInterval(0),
		progressbar.OptionShowBytes(bytes),
		progressbar.OptionShowCount(),
		progressbar.OptionSetElapsedTime(true),
		progressbar.OptionClearOnFinish(),
	)
}

// Note writes one line, above the bar where there is one.
func (p *progress) Note(text string) { p.say(text) }

// say is Note with fields, which are for logs in JSON alone.
func (p *progress) say(text string, fields ...any) {
	if p.quiet {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.log != nil {
		p.log.Info(text, fields...)
		return
	}
	if p.bar != nil && !p.bar.IsFinished() {
		_ = p.bar.Clear()
	}
	fmt.Fprintln(p.out, text)
}

// close takes the bar away.
func (p *progress) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.clear()
}

func (p *progress) clear() {
	if p.bar != nil {
		_ = p.bar.Finish()
		p.bar = nil
	}
}

// progressLine is what a log says of progress: "read: 45 %, 120 of 270 MB".
func progressLine(stage pipeline.Stage, bytes bool, done, total int64, note string) string {
	line := string(stage) + ": "
	if total > 0 {
		line += fmt.Sprintf("%d %%, ", 100*done/total)
	}
	unit, scale := "", int64(1)
	if bytes {
		unit, scale = " MB", 1_000_000
	}
	line += thousands(done / scale)
	if total > 0 {
		line += " of " + thousands(total/scale)
	}
	line += unit
	if note != "" {
		line += ", " + note
	}
	return line
}

// cut shortens s to n characters.
func cut(s string, n int) string {
	if r := []rune(s); len(r) > n {
		return string(r[:n-1]) + "…"
	}
	return s
}
