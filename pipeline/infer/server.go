package infer

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"google.golang.org/grpc"

	"ctr/features"
)

// Server answers requests. Its methods may be called from any goroutine.
type Server struct {
	o         Options
	http      *http.Server
	listen    net.Listener
	grpc      *grpc.Server // nil without Options.GRPC
	rpcListen net.Listener
	began     time.Time
	memory    budget
	unpacking chan struct{} // holds one for each body that is being decompressed
	open      atomic.Int64
	aside     atomic.Int64 // of Options.Aside
	draining  atomic.Bool
	challenge *challenge
	tokens    map[[32]byte]bool
	patterns  []string // of the pages
	served    chan error
}

// ID gives NAME@VERSION.
func (m *Model) ID() string { return m.Name + "@" + m.Version }

// Listen begins to answer. The error says so where the port is taken.
func Listen(o Options) (*Server, error) {
	s, err := newServer(o)
	if err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp", o.Listen)
	if err != nil && s.challenge != nil {
		s.challenge.close()
	}
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, features.WithHint(fmt.Errorf("http %s: another program is listening there", o.Listen),
			"--listen HOST:PORT chooses another address")
	}
	if err != nil {
		return nil, fmt.Errorf("http %s: %w", o.Listen, err)
	}
	s.listen = l
	if s.o.GRPC != "" {
		if err := s.listenGRPC(); err != nil {
			l.Close()
			if s.challenge != nil {
				s.challenge.close()
			}
			return nil, err
		}
	}
	go func() {
		if s.o.TLS != nil {
			s.served <- s.http.ServeTLS(l, "", "")
			return
		}
		s.served <- s.http.Serve(l)
	}()
	return s, nil
}

func newServer(o Options) (*Server, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	s := &Server{
		o: o.withDefaults(), began: time.Now(), served: make(chan error, 2),
		unpacking: make(chan struct{}, runtime.GOMAXPROCS(0)),
	}
	if s.o.Note == nil {
		s.o.Note = func(string) {}
	}
	s.memory.left.Store(s.o.MaxMemory)
	if len(o.Tokens) > 0 {
		s.tokens = map[[32]byte]bool{}
		for _, t := range o.Tokens {
			s.tokens[sha256.Sum256([]byte(t))] = true
		}
	}
	if o.Challenge != nil {
		var err error
		if s.challenge, err = newChallenge(*o.Challenge, o.Registry, s.o.Note); err != nil {
			return nil, err
		}
	}
	s.http = &http.Server{
		Handler: s.routes(), TLSConfig: o.TLS,
		ReadHeaderTimeout: min(5*time.Second, s.o.MaxWait), ReadTimeout: s.o.MaxWait,
		WriteTimeout: s.o.MaxWait + 20*time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 32 << 10,
		ErrorLog: log.New(serverLog{s.o.Note}, "", 0), //nolint:forbidigo // what net/http logs goes to Note
	}
	return s, nil
}

// routes has the pages and what guards them.
func (s *Server) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /livez", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok\n") })
	mux.HandleFunc("GET /readyz", s.ready)
	s.handle(mux, "POST /v1/score", s.score)
	s.handle(mux, "POST /v1/models/{name}/score", s.score)
	s.handle(mux, "POST /v1/models/{name}/versions/{version}/score", s.score)
	s.handleV2(mux)
	s.handle(mux, "GET /v1/models", s.models)
	s.handle(mux, "GET /v1/challenge", s.compared)
	s.handle(mux, "GET /openapi.json", s.openAPI)
	for pattern, h := range s.o.Public {
		mux.Handle(pattern, h)
	}
	for pattern, h := range s.o.more {
		s.handle(mux, pattern, page(h))
	}
	for pattern, h := range s.o.Aside {
		s.handleWith(mux, pattern, &s.aside, mostAside, page(h))
	}
	s.handle(mux, "/", elsewhere(mux))
	if s.o.Wrap != nil {
		return s.o.Wrap(mux)
	}
	return mux
}

// handler answers by itself or gives what is wrong.
type handler func(w http.ResponseWriter, q *http.Request) *fault

// page makes a handler of one that finds no fault.
func page(h http.Handler) handler {
	return func(w http.ResponseWriter, q *http.Request) *fault { h.ServeHTTP(w, q); return nil }
}

// handle adds a page. It is guarded by the tokens and the number of open
// requests, and told to the Observer.
func (s *Server) handle(mux *http.ServeMux, pattern string, h handler) {
	s.handleWith(mux, pattern, &s.open, int64(s.o.MaxOpen), h)
}

// mostAside is how many requests for pages of Options.Aside are answered at a
// time: more than may listen to events, so that these leave room for metrics.
const mostAside = 128

// handleWith adds a page whose requests are counted by open, up to most.
func (s *Server) handleWith(mux *http.ServeMux, pattern string, open *atomic.Int64, most int64, h handler) {
	route := pattern[strings.IndexByte(pattern, ' ')+1:]
	s.patterns = append(s.patterns, pattern)
	mux.HandleFunc(pattern, func(w http.ResponseWriter, q *http.Request) {
		began := time.Now()
		if s.draining.Load() { // so that the client's next request goes elsewhere
			w.Header().Set("Connection", "close")
		}
		f := s.guarded(w, q, open, most, h)
		status := http.StatusOK
		if f != nil {
			f.write(w)
			status = f.status
		}
		if s.o.Observer != nil {
			s.o.Observer.Answered(route, status, time.Since(began))
			s.refused(route, f)
		}
	})
}

func (s *Server) guarded(w http.ResponseWriter, q *http.Request, open *atomic.Int64, most int64, h handler) (f *fault) {
	if s.tokens != nil && !s.knows(q.Header.Get("Authorization")) {
		w.Header().Set("WWW-Authenticate", `Bearer realm="ctr"`)
		return &fault{status: http.StatusUnauthorized, text: "want Authorization: Bearer with a token that this server knows"}
	}
	defer open.Add(-1)
	if open.Add(1) > most {
		return busy(fmt.Sprintf("%d requests are being answered", most))
	}
	defer func() {
		if p := recover(); p != nil {
			f = s.panicked(q, p)
		}
	}()
	return h(w, q)
}

// knows reports whether an Authorization carries a token. Hashes are looked up,
// so that the time it takes says nothing of the tokens.
func (s *Server) knows(header string) bool {
	scheme, token, _ := strings.Cut(header, " ")
	return strings.EqualFold(scheme, "Bearer") && s.tokens[sha256.Sum256([]byte(strings.TrimSpace(token)))]
}

// model finds the model that a request names; named says that it names one.
func (s *Server) model(q *http.Request) (m *Model, named bool, f *fault) {
	name, version := q.PathValue("name"), q.PathValue("version")
	if name == "" {
		return s.o.Registry.Default(), false, nil
	}
	if m = s.o.Registry.Find(name, version); m == nil {
		if version != "" {
			name += "@" + version
		}
		return nil, true, &fault{status: http.StatusNotFound, text: fmt.Sprintf("model %s: not served here; GET /v1/models lists those that are", name)}
	}
	return m, true, nil
}

// Addr gives the address that is served, HOST:PORT.
func (s *Server) Addr() string { return s.listen.Addr().String() }

// Comparison says how the challenger stands; nil where there is none.
func (s *Server) Comparison() *Comparison {
	if s.challenge == nil {
		return nil
	}
	return s.challenge.comparison()
}

// Drain tells that the server is about to stop: /readyz says so, while requests
// are answered as before.
func (s *Server) Drain() { s.draining.Store(true) }

// Failed gives the error of a server that has stopped by itself.
func (s *Server) Failed() <-chan error { return s.served }

// Close takes no more connections, and waits for the answers that are under way
// until ctx ends.
func (s *Server) Close(ctx context.Context) error {
	s.Drain()
	calls := make(chan error, 1)
	go func() { calls <- s.closeGRPC(ctx) }()
	err := s.http.Shutdown(ctx)
	if err != nil {
		err = errors.Join(fmt.Errorf("answers were under way: %w", err), s.http.Close())
	}
	err = errors.Join(err, <-calls)
	if s.challenge != nil {
		s.challenge.close()
	}
	return err
}
