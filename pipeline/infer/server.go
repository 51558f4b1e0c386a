package infer

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"ctr/features"
	"ctr/pipeline"
)

// Options are the settings of a Server. Zero means the defaults.
type Options struct {
	// Listen is the address, HOST:PORT. It must be set.
	Listen string
	// Registry holds the models. It must be set.
	Registry *Registry
	// Challenge, where not nil, sets a second model against the first.
	Challenge *Challenge
	// Observer, where not nil, is told of requests and rows.
	Observer Observer
	// More are further pages by their patterns, as http.ServeMux has them.
	More map[string]http.Handler

	MaxBody   int64         // most bytes of a body, decompressed; 8 MiB
	MaxRows   int           // most rows of a request; 10,000
	MaxRow    int           // most bytes of a row; 64 KiB
	MaxWait   time.Duration // for a request to come whole; 10 s
	MaxOpen   int           // requests at a time; 1,024
	MaxMemory int64         // bytes of all bodies at a time; 256 MiB

	// TLS, where not nil, has the certificate.
	TLS *tls.Config
	// Tokens, where there are any, are what a request must carry one of, as
	// "Authorization: Bearer TOKEN", but for /livez and /readyz.
	Tokens []string
	// Version is ctr's.
	Version string
}

// Observer is told of what a Server does. Its methods are called by the
// goroutines of requests, many at a time, and must be quick.
type Observer interface {
	// Answered tells of a request: its route as OpenAPI names it, the status of
	// its answer, and how long it took from its first byte on.
	Answered(route string, status int, took time.Duration)
	// Scored tells of rows that a model has scored, before they are answered.
	// The Request is valid until Scored returns.
	Scored(m *Model, r *pipeline.Request, took time.Duration)
}

// withDefaults fills in what is zero.
func (o Options) withDefaults() Options {
	fill(&o.MaxBody, 8<<20)
	fill(&o.MaxRows, 10_000)
	fill(&o.MaxRow, 64<<10)
	fill(&o.MaxWait, 10*time.Second)
	fill(&o.MaxOpen, 1024)
	fill(&o.MaxMemory, 256<<20)
	return o
}

func fill[T comparable](p *T, otherwise T) {
	var zero T
	if *p == zero {
		*p = otherwise
	}
}

// Server answers requests. Its methods may be called from any goroutine.
type Server struct {
	o         Options
	http      *http.Server
	listen    net.Listener
	began     time.Time
	memory    budget
	open      atomic.Int64
	draining  atomic.Bool
	challenge *challenge
	tokens    map[[32]byte]bool
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
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, features.WithHint(fmt.Errorf("http %s: another program is listening there", o.Listen),
			"--listen HOST:PORT chooses another address")
	}
	if err != nil {
		return nil, fmt.Errorf("http %s: %w", o.Listen, err)
	}
	s.listen = l
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
	s := &Server{o: o.withDefaults(), began: time.Now(), served: make(chan error, 1)}
	s.memory.left.Store(s.o.MaxMemory)
	if len(o.Tokens) > 0 {
		s.tokens = map[[32]byte]bool{}
		for _, t := range o.Tokens {
			s.tokens[sha256.Sum256([]byte(t))] = true
		}
	}
	if o.Challenge != nil {
		var err error
		if s.challenge, err = newChallenge(*o.Challenge, o.Registry); err != nil {
			return nil, err
		}
	}
	s.http = &http.Server{
		Handler: s.routes(), TLSConfig: o.TLS,
		ReadHeaderTimeout: min(5*time.Second, s.o.MaxWait), ReadTimeout: s.o.MaxWait,
		WriteTimeout: s.o.MaxWait + 20*time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 32 << 10,
		ErrorLog: discard(), // what clients do wrong is answered, and counted
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
	for pattern, h := range s.o.More {
		s.handle(mux, pattern, func(w http.ResponseWriter, q *http.Request) *fault { h.ServeHTTP(w, q); return nil })
	}
	return mux
}

// handler answers by itself or gives what is wrong.
type handler func(w http.ResponseWriter, q *http.Request) *fault

// handle adds a page. It is guarded by the tokens and the number of open
// requests, and told to the Observer.
func (s *Server) handle(mux *http.ServeMux, pattern string, h handler) {
	route := pattern[strings.IndexByte(pattern, ' ')+1:]
	mux.HandleFunc(pattern, func(w http.ResponseWriter, q *http.Request) {
		began := time.Now()
		f := s.guarded(w, q, h)
		status := http.StatusOK
		if f != nil {
			f.write(w)
			status = f.status
		}
		if s.o.Observer != nil {
			s.o.Observer.Answered(route, status, time.Since(began))
		}
	})
}

func (s *Server) guarded(w http.ResponseWriter, q *http.Request, h handler) *fault {
	if s.tokens != nil && !s.knows(q.Header.Get("Authorization")) {
		w.Header().Set("WWW-Authenticate", `Bearer realm="ctr"`)
		return &fault{status: http.StatusUnauthorized, text: "want Authorization: Bearer with a token that this server knows"}
	}
	defer s.open.Add(-1)
	if s.open.Add(1) > int64(s.o.MaxOpen) {
		return busy(fmt.Sprintf("%d requests are being answered", s.o.MaxOpen))
	}
	return h(w, q)
}

// knows reports whether an Authorization carries a token. Hashes are looked up,
// so that the time it takes says nothing of the tokens.
func (s *Server) knows(header string) bool {
	scheme, token, _ := strings.Cut(header, " ")
	return strings.EqualFold(scheme, "Bearer") && s.tokens[sha256.Sum256([]byte(strings.TrimSpace(token)))]
}

// score answers rows with their probabilities.
func (s *Server) score(w http.ResponseWriter, q *http.Request) *fault {
	m, named, f := s.model(q)
	if f != nil {
		return f
	}
	b := buffers.Get().(*buffer)
	defer b.free()
	took, f := s.body(q, b)
	if f != nil {
		return f
	}
	defer s.memory.give(took)
	rows, f := formOf(q, b.in)
	if f != nil {
		return f
	}
	withWhy := false
	if q.URL.RawQuery != "" {
		withWhy, _ = strconv.ParseBool(q.URL.Query().Get("explain"))
	}
	if withWhy && (rows == formCSV || rows == formTSV) {
		return badRequest("explain: rows as CSV have no place for it: want JSON")
	}
	return s.answer(w, m, named, rows, b, withWhy)
}

// answer scores the rows in b.in and writes what comes of them.
func (s *Server) answer(w http.ResponseWriter, m *Model, named bool, rows form, b *buffer, withWhy bool) *fault {
	r := m.Get()
	defer func() { m.Put(r) }()
	if f := s.run(m, r, rows, b.in); f != nil {
		return f
	}
	var shadow *Model
	if c := s.challenge; c != nil && !named {
		switch other := s.o.Registry.Find(c.Name, ""); {
		case c.Shadow:
			shadow = other
		case c.answers(r.IDs[0]):
			m.Put(r)
			m, r = other, other.Get()
			if f := s.run(m, r, rows, b.in); f != nil {
				return f
			}
			c.judge(&c.challenger, r, m.Threshold())
		default:
			c.judge(&c.champion, r, m.Threshold())
		}
	}
	var why *explanation
	if withWhy {
		var f *fault
		if why, f = explain(m); f != nil {
			return f
		}
	}
	var err error
	if b.out, err = appendAnswers(b.out[:0], rows, r, why); err != nil {
		return rowFault(err)
	}
	h := w.Header()
	h["Content-Type"] = []string{rows.contentType()}
	h["Content-Length"] = []string{strconv.Itoa(len(b.out))}
	h["Ctr-Model"] = []string{m.Name}
	h["Ctr-Model-Version"] = []string{m.Version}
	_, _ = w.Write(b.out) // an error means that who asked has gone
	if shadow != nil {
		s.inShadow(w, m, shadow, r, rows, b.in)
	}
	return nil
}

// run fills r with the rows of a body and scores them.
func (s *Server) run(m *Model, r *pipeline.Request, rows form, body []byte) *fault {
	if f := s.fill(r, rows, body); f != nil {
		return f
	}
	return s.scored(m, r)
}

// scored scores the rows that r has been filled with.
func (s *Server) scored(m *Model, r *pipeline.Request) *fault {
	began := time.Now()
	if err := r.Score(); err != nil {
		return rowFault(err)
	}
	if len(r.P) == 0 {
		return badRequest("no rows")
	}
	if s.o.Observer != nil {
		s.o.Observer.Scored(m, r, time.Since(began))
	}
	return nil
}

// inShadow scores rows that have been answered with the challenger too. The
// answer goes out first.
func (s *Server) inShadow(w http.ResponseWriter, m, shadow *Model, r *pipeline.Request, rows form, body []byte) {
	_ = http.NewResponseController(w).Flush() // an error means that who asked has gone
	c := s.challenge
	c.judge(&c.champion, r, m.Threshold())
	other := shadow.Get()
	defer shadow.Put(other)
	if s.run(shadow, other, rows, body) != nil {
		return // columns that only the challenger reads: the champion has answered
	}
	c.judge(&c.challenger, other, shadow.Threshold())
	c.compare(r, other)
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

// ready says whether requests can be answered.
func (s *Server) ready(w http.ResponseWriter, _ *http.Request) {
	if s.draining.Load() {
		w.WriteHeader(http.StatusServiceUnavailable)
		_, _ = io.WriteString(w, "stopping\n")
		return
	}
	_, _ = io.WriteString(w, "ok\n")
}

// Addr gives the address that is served, HOST:PORT.
func (s *Server) Addr() string { return s.listen.Addr().String() }

// Comparison says how the challenger stands; nil where there is none.
func (s *Server) Comparison() *Comparison {
	if s.challenge == nil {
		return nil
	}
	return s.challenge.comparison(s.o.Registry)
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
	err := s.http.Shutdown(ctx)
	if err != nil {
		err = errors.Join(fmt.Errorf("answers were under way: %w", err), s.http.Close())
	}
	if s.challenge != nil {
		s.challenge.close()
	}
	return err
}
