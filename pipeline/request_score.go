package pipeline

import (
	"slices"
	"sync"

	"ctr/features"
)

// Requests of many rows are scored and written in pieces, so that a core that
// has nothing to do can help (share.go). A piece is rows enough for what it
// costs to hand it over, about a microsecond, to be nothing beside them.
const (
	sharedRows = 256 // of the smallest request that is shared
	pieceRows  = 2 * scoredTogether
)

// part is what one goroutine needs to score rows of a Request.
type part struct {
	of   *Request
	rows *rowScorer
	bad  *RequestError // the first of its rows that is bad
}

func (p *Predictor) newPart() *part {
	t := &part{rows: newRowScorer(p.art.Model, p.art.Spec)}
	t.rows.done = t.done
	t.rows.fail = t.fail
	return t
}

// Score scores all rows. The error is a *RequestError of the first row that is
// bad; then nothing is known of the others. History counts no row of a request
// of which one could not be split; a value that is bad for its column is found
// after that. Many rows are scored by several goroutines where cores are idle;
// what comes of them is the same.
func (r *Request) Score() error {
	r.Rows.Split()
	n := r.Rows.Len()
	r.P, r.Y, r.IDs = r.P[:0], r.Y[:0], r.IDs[:0]
	if r.Rows.Bad() {
		for i := range n {
			if err := r.Rows.Err(i); err != nil {
				return &RequestError{i, r.of.scorer.keep(err)}
			}
		}
	}
	r.history()
	r.P, r.Y, r.IDs = sized(r.P, n), sized(r.Y, n), sized(r.IDs, n)
	var bad *RequestError
	if n < sharedRows {
		r.own.begin()
		r.own.score(0, n)
		bad = r.own.bad
	} else {
		bad = r.scoreShared(n)
	}
	if bad != nil {
		r.P, r.Y, r.IDs = r.P[:0], r.Y[:0], r.IDs[:0]
		return bad
	}
	return nil
}

// scoreShared scores n rows in pieces and gives the first that is bad.
func (r *Request) scoreShared(n int) (bad *RequestError) {
	var mu sync.Mutex // of bad and first
	first := true     // whoever comes first has the Request's own part
	shared((n+pieceRows-1)/pieceRows, func(take func() int) {
		mu.Lock()
		t := r.own
		if !first {
			t = r.of.parts.Get().(*part)
			defer func() { t.of = nil; r.of.parts.Put(t) }()
		}
		first = false
		mu.Unlock()
		t.of = r
		t.begin()
		// Pieces come in ascending order: a bad row in one that is taken later
		// can't be the first.
		for k := take(); k >= 0 && t.bad == nil; k = take() {
			t.score(k*pieceRows, min((k+1)*pieceRows, n))
		}
		if t.bad == nil {
			return
		}
		mu.Lock()
		defer mu.Unlock()
		if bad == nil || t.bad.Row < bad.Row {
			bad = t.bad
		}
	})
	return bad
}

// sized gives s the length n; what it holds is left as it was.
func sized[T any](s []T, n int) []T { return slices.Grow(s[:0], n)[:n] }

// begin makes t ready for rows of its Request.
func (t *part) begin() {
	t.bad = nil
	t.rows.enc = t.of.with.enc
	t.rows.rows = t.rows.rows[:0] // where a panic left some
}

// score scores rows lo to hi, up to the first that is bad.
func (t *part) score(lo, hi int) {
	b := &t.of.Rows
	for i := lo; i < hi && t.bad == nil; i++ {
		t.rows.add(b, i)
	}
	t.rows.flush(b)
}

// history tells each row what was seen before it.
func (r *Request) history() {
	p := r.of
	if p.state == nil {
		return
	}
	r.with.enc.ReadKeys(&r.Rows)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.state.Count(&r.Rows)
}

func (t *part) done(row *features.Row, i int, p float64) {
	if t.bad != nil {
		return
	}
	r := t.of
	y, err := r.with.enc.Label(row)
	if err != nil {
		t.fail(i, err)
		return
	}
	r.P[i], r.Y[i], r.IDs[i] = p, int8(y), r.with.enc.ID(row)
}

func (t *part) fail(i int, err error) {
	if t.bad == nil {
		t.bad = &RequestError{i, t.of.of.scorer.keep(err)}
	}
}
