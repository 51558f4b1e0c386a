package infer

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"ctr/features"
	"ctr/pipeline"
)

// fault is an answer that is no prediction.
type fault struct {
	status int
	text   string
	row    int    // from 1; 0 where no row is at fault
	column string // "" where no column is
	retry  int    // seconds after which to try again; 0 = not said
	close  bool   // the connection, since it can't be read on
}

func (f *fault) Error() string { return f.text }

func badRequest(format string, a ...any) *fault {
	return &fault{status: http.StatusBadRequest, text: fmt.Sprintf(format, a...)}
}

// busy asks to try again later.
func busy(why string) *fault {
	return &fault{status: http.StatusTooManyRequests, text: why, retry: 1}
}

func (s *Server) tooLarge() *fault {
	return &fault{status: http.StatusRequestEntityTooLarge, text: fmt.Sprintf("body too large: want %d bytes at most", s.o.MaxBody), close: true}
}

func (s *Server) tooMany() *fault {
	return &fault{status: http.StatusRequestEntityTooLarge, text: fmt.Sprintf("too many rows: want %d at most", s.o.MaxRows)}
}

// rowFault says what is wrong with a row.
func rowFault(err error) *fault {
	f := badRequest("%v", err)
	var at *pipeline.RequestError
	var why *features.RowError
	if errors.As(err, &at) {
		f.row = at.Row + 1
	}
	if errors.As(err, &why) {
		f.column = why.Column
	}
	return f
}

// write answers with f, as JSON.
func (f *fault) write(w http.ResponseWriter) {
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	if f.retry > 0 {
		h.Set("Retry-After", strconv.Itoa(f.retry))
	}
	if f.close {
		h.Set("Connection", "close")
	}
	body := append([]byte(`{"error":`), quoted(f.text)...)
	if f.row > 0 {
		body = strconv.AppendInt(append(body, `,"row":`...), int64(f.row), 10)
	}
	if f.column != "" {
		body = append(append(body, `,"column":`...), quoted(f.column)...)
	}
	body = append(body, "}\n"...)
	w.WriteHeader(f.status)
	_, _ = w.Write(body) // an error means that who asked has gone
}

// quoted gives s as a JSON string. What is not UTF-8 becomes U+FFFD, as no lone
// surrogate is for people to read.
func quoted(s string) []byte { return features.AppendJSONString(nil, strings.ToValidUTF8(s, "\ufffd")) }
