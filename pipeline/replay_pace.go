package pipeline

import (
	"context"
	"maps"
	"slices"
	"time"

	"ctr/features"
)

// pacer says when rows are due.
type pacer interface {
	// due gives when the next row, whose hour field is given, is to be sent,
	// from the start of the replay on. It never goes back.
	due(hour []byte) time.Duration
}

// slack is how early a row may be sent: sleeping for less is not worth while,
// and at a high rate rows go in small groups.
const slack = time.Millisecond

// sleepUntil waits for t, or for ctx to end.
func sleepUntil(ctx context.Context, t time.Time) error {
	wait := time.Until(t)
	if wait <= slack {
		// ctx is looked at even where a stream that can't keep up never waits.
		return ctx.Err()
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// evenPace sends so many rows a second.
type evenPace struct {
	rate float64
	rows int64
}

func (p *evenPace) due([]byte) time.Duration {
	d := time.Duration(float64(p.rows) / p.rate * float64(time.Second))
	p.rows++
	return d
}

// dataClock sends rows when their hour says so, at a multiple of its speed.
type dataClock struct {
	speed float64
	rows  map[features.Hour]int64 // how many each hour has; nil = not known

	began bool
	base  features.Hour           // where the clock began
	seen  map[features.Hour]int64 // rows of each hour so far
	lap   float64                 // hours of the laps before
	now   float64                 // hours since base, laps included
}

// begin sets the clock to the first hour there is.
func (c *dataClock) begin(first features.Hour) {
	c.began, c.base = true, first
	c.seen = map[features.Hour]int64{}
	if len(c.rows) > 0 {
		c.base = slices.Min(slices.Collect(maps.Keys(c.rows)))
	}
}

// again starts another lap, an hour after the start of the last hour.
func (c *dataClock) again() {
	clear(c.seen)
	if len(c.rows) > 0 {
		c.lap += float64(slices.Max(slices.Collect(maps.Keys(c.rows)))-c.base) + 1
		c.now = c.lap
	}
}

// due implements pacer. A row without a time is due at once.
func (c *dataClock) due(hour []byte) time.Duration {
	if h, ok := features.ParseHour(hour); ok {
		if !c.began {
			c.begin(h)
		}
		at := c.lap + float64(h-c.base)
		if n := c.rows[h]; n > 0 {
			at += float64(c.seen[h]) / float64(n)
			c.seen[h]++
		}
		c.now = max(c.now, at)
	}
	return time.Duration(c.now / c.speed * float64(time.Hour))
}
