package infer

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"runtime/debug"
	"strings"
	"time"
)

// Ready gives nil where requests can be answered, else why not.
func (s *Server) Ready() error {
	if s.draining.Load() {
		return errors.New("stopping")
	}
	return nil
}

// ready says whether requests can be answered.
func (s *Server) ready(w http.ResponseWriter, _ *http.Request) {
	if err := s.Ready(); err != nil {
		w.WriteHeader(http.StatusServiceUnavailable)
		_, _ = io.WriteString(w, err.Error()+"\n")
		return
	}
	_, _ = io.WriteString(w, "ok\n")
}

// ModelInfo is a model in the JSON of /v1/models.
type ModelInfo struct {
	Name      string    `json:"name"`
	Version   string    `json:"version"`
	Hash      string    `json:"hash"`
	Algo      string    `json:"algo"`
	Threshold float64   `json:"threshold"`
	Default   bool      `json:"default"`
	Columns   []string  `json:"columns"` // that a row must have
	Loaded    time.Time `json:"loaded"`
	Refused   string    `json:"refused,omitempty"` // why the newest file is not served
}

func (s *Server) models(w http.ResponseWriter, _ *http.Request) *fault {
	list := []ModelInfo{}
	for i, m := range s.o.Registry.Models() {
		info := ModelInfo{
			Name: m.Name, Version: m.Version, Hash: m.Hash, Algo: m.Artifact().Model.Algo(),
			Threshold: m.Threshold(), Default: i == 0, Columns: []string{}, Loaded: m.Loaded.UTC(),
		}
		for c, need := range m.Needs() {
			if need {
				info.Columns = append(info.Columns, m.Layout()[c])
			}
		}
		if err := s.o.Registry.Refused(m); err != nil {
			info.Refused = err.Error()
		}
		list = append(list, info)
	}
	return writeJSON(w, map[string]any{"models": list})
}

func (s *Server) compared(w http.ResponseWriter, _ *http.Request) *fault {
	if s.challenge == nil {
		return &fault{status: http.StatusNotFound, text: "no challenger: want --challenger"}
	}
	return writeJSON(w, s.challenge.comparison())
}

func writeJSON(w http.ResponseWriter, v any) *fault {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	_ = e.Encode(v) // an error means that who asked has gone
	return nil
}

// elsewhere answers requests that mux has no page for: by 405 where another
// method would do, and else by 404.
func elsewhere(mux *http.ServeMux) handler {
	return func(w http.ResponseWriter, q *http.Request) *fault {
		var allowed []string
		for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete} {
			if _, pattern := mux.Handler(&http.Request{Method: method, URL: q.URL, Host: q.Host}); pattern != "/" {
				allowed = append(allowed, method)
			}
		}
		if len(allowed) == 0 {
			return &fault{status: http.StatusNotFound, text: q.URL.Path + ": no such page; GET /openapi.json describes those that are"}
		}
		list := strings.Join(allowed, ", ")
		w.Header().Set("Allow", list)
		return &fault{status: http.StatusMethodNotAllowed, text: q.Method + " " + q.URL.Path + ": want " + list}
	}
}

// panicked answers a request whose handler has panicked, and tells of it.
func (s *Server) panicked(q *http.Request, p any) *fault {
	if p == http.ErrAbortHandler { //nolint:errorlint // net/http compares so
		panic(p)
	}
	s.o.Note(fmt.Sprintf("a bug: %s %s: panic: %v\n%s", q.Method, q.URL.Path, p, debug.Stack()))
	return &fault{status: http.StatusInternalServerError, text: "internal error: what is behind it has been logged", close: true}
}

// serverLog takes what net/http logs. What clients do wrong is answered, and
// counted; what keeps them from coming is told.
type serverLog struct{ note func(string) }

func (l serverLog) Write(line []byte) (int, error) {
	if text := strings.TrimSpace(string(line)); strings.Contains(text, "Accept error") {
		l.note(text)
	}
	return len(line), nil
}
