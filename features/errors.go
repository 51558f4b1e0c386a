package features

import (
	"fmt"
	"strconv"
)

// RowError is a fault of one row: where it stands and what is wrong with it.
// Its text is "FILE:LINE: column NAME: VALUE: want WANT" with the parts that
// are known; in a columnar file, which has no lines, "FILE: row ROW: …".
type RowError struct {
	File   string // file or topic; "" where unknown
	Line   int64  // from 1; 0 where unknown
	Row    int64  // in a columnar file, from 1; else 0
	Column string // "" where the fault is of the row as a whole
	Value  []byte // the value as read; nil where there is none to show
	Msg    string // "want 0 or 1", or for a whole row: "23 fields: want 24"
}

// maxShown is how much of a value an error shows.
const maxShown = 40

// Error gives the text described at RowError. Values are quoted and cut to 40
// bytes.
func (e *RowError) Error() string {
	var b []byte
	if e.File != "" {
		b = append(b, e.File...)
		if e.Line > 0 {
			b = append(b, ':')
			b = strconv.AppendInt(b, e.Line, 10)
		}
		b = append(b, ": "...)
	} else if e.Line > 0 {
		b = fmt.Appendf(b, "line %d: ", e.Line)
	}
	if e.Row > 0 {
		b = fmt.Appendf(b, "row %d: ", e.Row)
	}
	if e.Column != "" {
		b = fmt.Appendf(b, "column %s: ", e.Column)
	}
	if e.Value != nil {
		v := e.Value
		if len(v) > maxShown {
			v = v[:maxShown]
		}
		b = strconv.AppendQuote(b, string(v))
		if len(e.Value) > maxShown {
			b = append(b, "..."...)
		}
		b = append(b, ": "...)
	}
	return string(append(b, e.Msg...))
}

// hinted is an error with advice for the person who sees it.
type hinted struct {
	error
	hint string
}

func (h *hinted) Hint() string  { return h.hint }
func (h *hinted) Unwrap() error { return h.error }

// WithHint adds to err one line of advice, without changing its text. Whoever
// prints the error finds it with errors.As and interface{ Hint() string }.
func WithHint(err error, hint string) error { return &hinted{err, hint} }

// TooManyBad is returned where more rows were bad than allowed. It unwraps to
// the first of them.
type TooManyBad struct {
	Max   int   // the allowance
	First error // the first bad row
}

// Error gives the first bad row's text, and the allowance where there was one.
func (e *TooManyBad) Error() string {
	if e.Max == 0 {
		return e.First.Error()
	}
	return fmt.Sprintf("more than %d bad rows; the first: %v", e.Max, e.First)
}

// Unwrap gives the first bad row's error.
func (e *TooManyBad) Unwrap() error { return e.First }
