package pipeline

import (
	"context"
	"io"
	"strconv"
	"time"
)

// Console writes "id y prediction probability timestamp" lines for a person
// to watch: at most so many a second, the first of each tenth of a second. An
// unknown id or label is "-".
type Console struct {
	// HideID and HideLabel put "*" in the place of ids and labels.
	HideID, HideLabel bool

	w      io.Writer
	tenth  int       // lines for each tenth of a second
	until  time.Time // when the present tenth ends
	budget int
	buf    []byte
}

// NewConsole gives a Console that writes at most perSecond lines a second to
// w, rounded up to a multiple of 10.
func NewConsole(w io.Writer, perSecond int) *Console {
	return &Console{w: w, tenth: (perSecond + 9) / 10}
}

// Resume does nothing.
func (c *Console) Resume(*Assignment) error { return nil }

// Write shows some of the rows of b.
func (c *Console) Write(b *Batch) error {
	if now := time.Now(); !now.Before(c.until) {
		c.until = now.Add(time.Second / 10)
		c.budget = c.tenth
	}
	c.buf = c.buf[:0]
	bad := b.Bad
	for i := range b.Records {
		if c.budget <= 0 {
			break
		}
		if len(bad) > 0 && bad[0].Index == i {
			bad = bad[1:]
			continue
		}
		c.budget--
		c.buf = c.line(c.buf, b, i)
	}
	if len(c.buf) == 0 {
		return nil
	}
	_, err := c.w.Write(c.buf)
	return err
}

// line adds the line of record i.
func (c *Console) line(dst []byte, b *Batch, i int) []byte {
	if id := b.IDs[i]; c.HideID {
		dst = append(dst, '*')
	} else if len(id) > 0 {
		start := len(dst)
		dst = strconv.AppendQuote(dst, string(id))
		if len(dst)-start == len(id)+2 { // nothing to escape: no quotes needed
			dst = append(dst[:start], id...)
		}
	} else {
		dst = append(dst, '-')
	}
	dst = append(dst, ' ')
	if y := b.Y[i]; c.HideLabel {
		dst = append(dst, '*')
	} else if y >= 0 {
		dst = append(dst, '0'+byte(y))
	} else {
		dst = append(dst, '-')
	}
	dst = append(dst, ' ', '0'+byte(b.Prediction(i)), ' ')
	dst = strconv.AppendFloat(dst, b.P[i], 'g', -1, 64)
	dst = append(dst, ' ')
	dst = b.Scored.UTC().AppendFormat(dst, TimestampForm)
	return append(dst, '\n')
}

// Commit does nothing.
func (c *Console) Commit(context.Context, []Commit) (owned bool, err error) { return false, nil }

// Close does nothing; the writer is the caller's.
func (c *Console) Close() error { return nil }
