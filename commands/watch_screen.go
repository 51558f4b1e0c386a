package commands

import (
	"context"
	"io"
	"strings"
	"time"

	"ctr/pipeline/monitor"
)

// The sequences of ECMA-48 and xterm that a screen is drawn with. Lines that are
// too long are cut by the terminal too, since some characters are two wide.
const (
	screenEnter = "\x1b[?1049h\x1b[?25l\x1b[?7l" // the alternative screen, no cursor, no wrapping
	screenLeave = "\x1b[0m\x1b[?7h\x1b[?25h\x1b[?1049l"
	screenHome  = "\x1b[H"
	lineStart   = "\x1b[K" // the old line goes, before: after a full line its last character would go too
	lineEnd     = "\x1b[0m"
	screenEnd   = "\r\n\x1b[J" // what is below the last line goes
)

// styles are how the lines are set off.
var styles = map[style]string{
	plain: "", strong: "\x1b[1m", faint: "\x1b[2m", alarm: "\x1b[1;31m",
}

// sizeEvery is how often the terminal's size is looked at. There is a signal for
// it, but not on every system.
const sizeEvery = 100 * time.Millisecond

// screen draws the figures on a terminal until it is told to stop.
type screen struct {
	out   io.Writer
	every time.Duration
	color bool
	model string
	size  func() (width, height int)
	get   func(context.Context) (*monitor.Live, error)
}

// answer is what came of asking.
type watchAnswer struct {
	live *monitor.Live
	err  error
}

// run begins with the figures that are at hand and draws until ctx ends, which
// is no error, or writing fails.
func (w *screen) run(ctx context.Context, live *monitor.Live) (err error) {
	if _, err := io.WriteString(w.out, screenEnter); err != nil {
		return err
	}
	defer func() {
		if _, e := io.WriteString(w.out, screenLeave); err == nil {
			err = e
		}
	}()
	answers := make(chan watchAnswer, 1)
	sizes, ask := time.NewTicker(sizeEvery), time.NewTimer(w.every)
	defer sizes.Stop()
	defer ask.Stop()
	lost := ""
	for width, height := w.size(); ; {
		if err := w.draw(live, lost, width, height); err != nil {
			return err
		}
		for waiting := true; waiting; {
			select {
			case <-ctx.Done():
				return nil
			case <-ask.C:
				go func() { // an answer may take seconds; the size may change meanwhile
					l, err := w.get(ctx)
					answers <- watchAnswer{l, err}
				}()
			case a := <-answers:
				ask.Reset(w.every)
				if lost = ""; a.err != nil {
					lost = a.err.Error()
				} else {
					live = a.live
				}
				waiting = false
			case <-sizes.C:
				if x, y := w.size(); x != width || y != height {
					width, height, waiting = x, y, false
				}
			}
		}
	}
}

// draw writes one picture, in one piece so that nothing flickers.
func (w *screen) draw(live *monitor.Live, lost string, width, height int) error {
	v := view{width: width, height: height, model: w.model}
	var b strings.Builder
	b.WriteString(screenHome)
	lines := v.lines(live, lost)
	for i, l := range lines {
		if i > 0 {
			b.WriteString("\r\n")
		}
		b.WriteString(lineStart)
		if w.color {
			b.WriteString(styles[l.style])
		}
		b.WriteString(l.text + lineEnd)
	}
	if len(lines) < height {
		b.WriteString(screenEnd)
	}
	_, err := io.WriteString(w.out, b.String())
	return err
}
