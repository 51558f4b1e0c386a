package pipeline

import (
	"ctr/features"
	"ctr/models/linear"
)

// codesOf gives what encodes rows of a cache, which it makes but once.
func (t *onlineTraining) codesOf(c *features.Cache) (*features.CacheEncoder, error) {
	if e := t.codes[c]; e != nil {
		return e, nil
	}
	e, err := c.Encoder(t.spec)
	if err == nil {
		if t.codes == nil {
			t.codes = map[*features.Cache]*features.CacheEncoder{}
		}
		t.codes[c] = e
	}
	return e, err
}

// encodeCached does what encode does for a block of a cache in which no row
// can be bad, without its text. It reports false for others.
func (e *rowEncoding) encodeCached(j *job) bool {
	t, l := e.t, &j.learn
	if j.open.codes == nil {
		return false
	}
	held := int64(0)
	var keep func(row int64, h features.Hour, y int) bool
	if t.c.since != nil || t.c.until != nil || t.holdout.Kind != "none" || t.keep < 1 {
		keep = func(row int64, h features.Hour, y int) bool {
			key := features.RowKey{File: j.file, Row: row}
			switch {
			case !inWindow(t.c, h):
				return false
			case t.holdout.Test(key, h):
				held++
				return false
			}
			return y != 0 || t.keep >= 1 || key.Drawn(t.o.Seed, t.keep)
		}
	}
	ok, err := j.open.codes.ReadBlock(&l.cached, &j.block, keep)
	if err != nil {
		j.err = err
		return true
	}
	if !ok {
		return false
	}
	t.held.Add(held)
	l.y, l.codes, l.w = l.cached.Y, l.cached.Codes, l.w[:0]
	for _, w := range l.cached.W {
		l.w = append(l.w, float32(w))
	}
	l.ready(len(j.open.codes.Spec().Fields))
	e.counted(l, j.open.codes.Spec())
	return true
}

// ready makes the Batch of what was encoded.
func (l *learnable) ready(width int) {
	n := len(l.y)
	if cap(l.p) < n {
		l.p = make([]float32, n+n/4)
	}
	l.p = l.p[:n]
	l.batch = linear.Batch{Fields: width, Codes: l.codes, Y: l.y, W: l.w, P: l.p}
}
