package commands

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"ctr/pipeline"
)

// clock is a time that moves by hand.
type clock struct{ t time.Time }

func (c *clock) now() time.Time { return c.t }

func testProgress(terminal, quiet bool) (*progress, *bytes.Buffer, *clock) {
	var b bytes.Buffer
	c := &clock{time.Unix(1_000_000, 0)}
	p := newProgress(&stdio{err: &b, terminal: terminal}, quiet)
	p.now, p.said = c.now, c.t
	return p, &b, c
}

func TestProgressInALog(t *testing.T) {
	p, b, c := testProgress(false, false)
	for s := range 31 {
		p.Progress(pipeline.StageRead, int64(s)*10_000_000, 310_000_000, "")
		c.t = c.t.Add(time.Second)
	}
	p.Progress(pipeline.StageFit, 12, 0, "iteration 12: log loss 0.3951")
	c.t = c.t.Add(10 * time.Second)
	p.Progress(pipeline.StageFit, 13, 0, "iteration 13: log loss 0.3950")
	p.Note("a note")
	p.close()
	want := `read: 32 %, 100 of 310 MB
read: 64 %, 200 of 310 MB
read: 96 %, 300 of 310 MB
fit: 13, iteration 13: log loss 0.3950
a note
`
	if b.String() != want {
		t.Errorf("got\n%swant\n%s", b.String(), want)
	}
}

func TestProgressOnATerminal(t *testing.T) {
	p, b, _ := testProgress(true, false)
	for _, done := range []int64{10, 50, 70} {
		p.Progress(pipeline.StageRead, done, 100, "")
		time.Sleep(110 * time.Millisecond) // the bar is drawn at most ten times a second
	}
	p.Note("split at random")
	p.Progress(pipeline.StageFit, 1, 0, "iteration 1")
	p.close()
	got := b.String()
	for _, want := range []string{"read", "50%", "70%", "\rsplit at random\n", "fit: iteration 1"} {
		if !strings.Contains(got, want) {
			t.Errorf("%q: want %q in it", got, want)
		}
	}
	if tail := got[strings.LastIndexByte(got, '\r'):]; tail != "\r" {
		t.Errorf("left behind: %q", tail)
	}
}

func TestProgressQuiet(t *testing.T) {
	for _, terminal := range []bool{true, false} {
		p, b, c := testProgress(terminal, true)
		c.t = c.t.Add(time.Hour)
		p.Progress(pipeline.StageRead, 1, 2, "")
		p.Note("a note")
		p.close()
		if b.Len() > 0 {
			t.Errorf("terminal %v: %q", terminal, b.String())
		}
	}
}

// TestSpinnerOwnsNoGoroutine: a bar of unknown length would, by the library's
// default, and leave it behind.
func TestSpinnerOwnsNoGoroutine(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	p, _, _ := testProgress(true, false)
	p.Progress(pipeline.StageFit, 1, 0, "iteration 1")
	p.Progress(pipeline.StageFit, 2, 0, "iteration 2")
}

// TestProgressPastTheEnd: a file that grows while it is read is no error.
func TestProgressPastTheEnd(t *testing.T) {
	p, _, _ := testProgress(true, false)
	p.Progress(pipeline.StageRead, 150, 100, "")
	p.Progress(pipeline.StageRead, 160, 100, "")
	p.close()
}
