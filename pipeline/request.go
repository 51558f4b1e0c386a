package pipeline

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"sync"

	"ctr/features"
	"ctr/models"
)

// Predictor scores rows that come by themselves, those of a request. Any number
// of goroutines may use it, each with a Request of its own at a time.
//
// A model with history fields has one State for all requests, which begins as
// training left it: the rows of a request are looked up and counted together,
// in the order in which requests are scored.
type Predictor struct {
	art    *models.Artifact
	scorer *modelScorer
	pool   sync.Pool

	mu    sync.Mutex // of state
	state *features.State
}

// NewPredictor gives a Predictor of a model. Its errors are ModelScorers'.
func NewPredictor(a *models.Artifact, o ScorerOptions) (*Predictor, error) {
	s, err := newModelScorer(a, o)
	if err != nil {
		return nil, err
	}
	p := &Predictor{art: a, scorer: s}
	if a.State != nil {
		p.state = a.Spec.StateOf(a.State)
	}
	p.pool.New = func() any { return p.newRequest() }
	return p, nil
}

// Artifact gives the model. The caller must not change it.
func (p *Predictor) Artifact() *models.Artifact { return p.art }

// Threshold is what a probability must exceed for a prediction of 1.
func (p *Predictor) Threshold() float64 { return p.scorer.threshold }

// Layout names the columns of rows that come as JSON or as Columns: all of the
// schema. The caller must not change it.
func (p *Predictor) Layout() features.Layout { return p.scorer.json.layout }

// Needs says which columns of Layout a row must have.
func (p *Predictor) Needs() []bool { return p.scorer.json.need }

// Check scores a row without a value in any column, as a trial of a model that
// has just been loaded.
func (p *Predictor) Check() error {
	r := p.Get()
	defer p.Put(r)
	r.Columns(1, nothing{})
	if err := r.Score(); err != nil {
		return nil // the row is at fault: there are columns that can't be empty
	}
	if x := r.P[0]; math.IsNaN(x) || x < 0 || x > 1 {
		return fmt.Errorf("probability %v of an empty row: want 0..1", x)
	}
	return nil
}

// nothing leaves all fields empty.
type nothing struct{}

func (nothing) Fill(*features.Cells) {}

// Get gives a Request, to be filled by JSON, CSV or Columns and scored; Put
// takes it back, and all that it pointed to.
func (p *Predictor) Get() *Request { return p.pool.Get().(*Request) }

// Put takes a Request back.
func (p *Predictor) Put(r *Request) {
	if r.Rows.Len() > mostKept {
		return // rather than keep the memory of the largest for good
	}
	p.pool.Put(r)
}

// mostKept is the most rows of a Request that is kept for the next one.
const mostKept = 1 << 14

// Request is rows and what became of them. One goroutine uses it at a time.
type Request struct {
	// Rows are the rows, split into fields once they are scored.
	Rows features.Block
	// P is the probability of a click of each row, Y its label, 0 or 1, or -1
	// where it has none, and IDs its name, nil where it has none.
	P   []float64
	Y   []int8
	IDs [][]byte

	of   *Predictor
	with bound   // of Rows
	csv  []bound // layouts of CSV rows that came before
	text []byte  // memory of their Reader
	rows *rowScorer
	ex   *features.Example
	bad  *RequestError
}

// RequestError says what is wrong with a row of a Request.
type RequestError struct {
	Row int // from 0
	Err error
}

// Error gives "row N: …", N from 1.
func (e *RequestError) Error() string { return fmt.Sprintf("row %d: %v", e.Row+1, e.Err) }

// Unwrap gives what is wrong with the row.
func (e *RequestError) Unwrap() error { return e.Err }

func (p *Predictor) newRequest() *Request {
	r := &Request{of: p, rows: newRowScorer(p.art.Model, p.art.Spec), ex: p.art.Spec.NewExample(), csv: slices.Clone(p.scorer.csv)}
	r.rows.done = r.done
	r.rows.fail = r.fail
	return r
}

// JSON empties r for rows that come as JSON objects, one by one through
// Rows.AppendJSON.
func (r *Request) JSON() {
	r.with = r.of.scorer.json
	r.Rows.Reset(r.with.layout, "")
	r.Rows.Need(r.with.need)
}

// Columns gives r n rows whose fields, in the order of Layout, come from c.
func (r *Request) Columns(n int, c features.Columns) {
	r.with = r.of.scorer.json
	r.Rows.ResetColumns(r.with.layout, "", 0, 1, n, c)
}

// CSV gives r the rows of a text, which may begin with a header and otherwise
// has one of the schema's layouts. maxRow is the most bytes of a row; 0 is the
// default of features.ReaderOptions. The error is one of the text as a whole:
// ErrManyRows where it has more than maxRows.
func (r *Request) CSV(text []byte, maxRow, maxRows int) error {
	s := r.of.scorer
	o := features.ReaderOptions{Schema: &r.of.art.Spec.Schema, MaxRow: maxRow, NoSum: true}
	if err := r.count(text, o, maxRows); err != nil {
		return err
	}
	o.Chunk = len(text) + 1
	r.text = slices.Grow(r.text[:0], o.Chunk+features.ChunkPadding)
	o.Buffer = r.text
	read, err := features.NewReader(bytes.NewReader(text), csvName, o)
	if err != nil {
		return err
	}
	if r.with, err = r.bound(read.Layout()); err != nil {
		return err
	}
	if s.comma != read.Comma() && !s.sniff {
		return fmt.Errorf("separator %q: want %q", read.Comma(), s.comma)
	}
	err = read.Next(&r.Rows)
	r.text = read.Spare()
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if r.Rows.Len() > maxRows {
		return ErrManyRows
	}
	return nil
}

// ErrManyRows says that a text has more rows than a Request may have.
var ErrManyRows = errors.New("too many rows")

// csvName stands in messages for the file that CSV rows of a request have not.
const csvName = "CSV"

// count gives ErrManyRows where text has more than maxRows. Its lines are
// counted first; where those are too many, there may be fewer rows (some
// quoted fields have line ends, some lines are empty), and they are counted in
// pieces: a row takes more memory than the two bytes that it may have.
func (r *Request) count(text []byte, o features.ReaderOptions, maxRows int) error {
	if bytes.Count(text, []byte("\n")) <= maxRows+1 { // 1: the header
		return nil
	}
	read, err := features.NewReader(bytes.NewReader(text), csvName, o)
	for err == nil && read.Rows() <= int64(maxRows) {
		err = read.Next(&r.Rows)
	}
	switch {
	case errors.Is(err, io.EOF):
		return nil
	case err != nil:
		return err
	}
	return ErrManyRows
}

// bound gives the encoder of a layout of CSV rows; the last few are kept.
func (r *Request) bound(l features.Layout) (bound, error) {
	for _, b := range r.csv {
		if slices.Equal(b.layout, l) {
			return b, nil
		}
	}
	enc, err := r.of.art.Spec.Encoder(l)
	if err != nil {
		return bound{}, err
	}
	b := bound{layout: l, enc: enc}
	if n := len(r.of.scorer.csv); len(r.csv) >= n+4 {
		r.csv = slices.Delete(r.csv, n, n+1)
	}
	r.csv = append(r.csv, b)
	return b, nil
}

// Score scores all rows. The error is a *RequestError of the first row that is
// bad; then nothing is known of the others. History counts no row of a request
// of which one could not be split; a value that is bad for its column is found
// after that.
func (r *Request) Score() error {
	r.Rows.Split()
	n := r.Rows.Len()
	r.P, r.Y, r.IDs, r.bad = r.P[:0], r.Y[:0], r.IDs[:0], nil
	if r.Rows.Bad() {
		for i := range n {
			if err := r.Rows.Err(i); err != nil {
				return &RequestError{i, r.of.scorer.keep(err)}
			}
		}
	}
	r.history()
	r.rows.enc = r.with.enc
	r.rows.rows = r.rows.rows[:0] // where a panic left some
	for i := range n {
		r.rows.add(&r.Rows, i)
		if r.bad != nil {
			break
		}
	}
	r.rows.flush(&r.Rows)
	if r.bad != nil {
		return r.bad
	}
	return nil
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

func (r *Request) done(row *features.Row, i int, p float64) {
	if r.bad != nil {
		return
	}
	y, err := r.with.enc.Label(row)
	if err != nil {
		r.fail(i, err)
		return
	}
	r.P, r.Y, r.IDs = append(r.P, p), append(r.Y, int8(y)), append(r.IDs, r.with.enc.ID(row))
}

func (r *Request) fail(i int, err error) {
	if r.bad == nil {
		r.bad = &RequestError{i, r.of.scorer.keep(err)}
	}
}

// Prediction gives 1 where the probability of row i is above the threshold,
// else 0.
func (r *Request) Prediction(i int) int {
	if r.P[i] > r.of.scorer.threshold {
		return 1
	}
	return 0
}

// AppendCSV appends a header and a line for each row: id, probability in Go's
// shortest form that reads back exactly, prediction. sep stands between them.
func (r *Request) AppendCSV(dst []byte, sep byte) []byte {
	for i, name := range []string{"id", "probability", "prediction"} {
		if i > 0 {
			dst = append(dst, sep)
		}
		dst = append(dst, name...)
	}
	dst = append(dst, '\n')
	for i, p := range r.P {
		if id := r.IDs[i]; sep != ',' && bytes.IndexByte(id, sep) >= 0 {
			dst = append(append(append(dst, '"'), bytes.ReplaceAll(id, []byte(`"`), []byte(`""`))...), '"')
		} else {
			dst = appendCSV(dst, id)
		}
		dst = strconv.AppendFloat(append(dst, sep), p, 'g', -1, 64)
		dst = append(dst, sep, '0'+byte(r.Prediction(i)), '\n')
	}
	return dst
}

// Encoder gives what the rows, which were scored, were encoded by.
func (r *Request) Encoder() *features.Encoder { return r.with.enc }

// Example gives row i, which was scored, as the model sees it; it is valid
// until the next call.
func (r *Request) Example(i int) (*features.Example, error) {
	row := r.Rows.Row(i)
	if err := r.with.enc.Encode(&row, r.ex); err != nil {
		return nil, err
	}
	return r.ex, nil
}
