// Package serve answers questions about a process that scores a topic over
// HTTP: whether it lives, whether it is ready, and how it stands.
package serve

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"syscall"
	"time"

	"ctr/features"
	"ctr/pipeline"
)

// Options are the settings of a Server. The zero value of each field but
// Listen means its default.
type Options struct {
	// Listen is the address, HOST:PORT. It must be set.
	Listen string
	// Stall is how long a partition with records waiting may stand still
	// before the process no longer counts as alive. The default is 60 s.
	Stall time.Duration
	// Ping says whether brokers can be reached; nil means always. Its answer
	// is kept for a second.
	Ping func() error
	// More are further pages by their patterns, as http.ServeMux has them.
	More map[string]http.Handler
	// Model is the model's hash; Version, Topic and Group are shown as they are.
	Model, Version, Topic, Group string
}

// Server serves /livez, /readyz and /status. Its methods may be called from
// any number of goroutines.
type Server struct {
	o      Options
	http   *http.Server
	listen net.Listener
	began  time.Time
	now    func() time.Time

	mu       sync.Mutex
	started  bool
	joined   bool
	draining bool
	failed   error
	stats    pipeline.Stats
	told     time.Time // of stats, zero before the first
	moved    map[partition]moved

	pinging sync.Mutex
	pinged  time.Time
	pingErr error
}

type partition struct {
	topic string
	id    int32
}

// moved is when a partition's next offset last changed, or nothing waited.
type moved struct {
	next int64
	at   time.Time
}

// Listen begins to serve. The error says so where the port is taken.
func Listen(o Options) (*Server, error) {
	l, err := net.Listen("tcp", o.Listen)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, features.WithHint(
			fmt.Errorf("http %s: another program is listening there", o.Listen),
			"--http HOST:PORT chooses another address")
	}
	if err != nil {
		return nil, fmt.Errorf("http %s: %w", o.Listen, err)
	}
	s := newServer(o)
	s.listen = l
	go s.http.Serve(l) //nolint:errcheck // it ends by Close alone
	return s, nil
}

func newServer(o Options) *Server {
	if o.Stall == 0 {
		o.Stall = time.Minute
	}
	s := &Server{o: o, began: time.Now(), now: time.Now, moved: map[partition]moved{}}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /livez", func(w http.ResponseWriter, _ *http.Request) { answer(w, s.Live()) })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) { answer(w, s.Ready()) })
	mux.HandleFunc("GET /status", s.status)
	for pattern, h := range o.More {
		mux.Handle(pattern, h)
	}
	s.http = &http.Server{
		Handler: mux, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second,
		WriteTimeout: 10 * time.Second, IdleTimeout: time.Minute, MaxHeaderBytes: 16 << 10,
	}
	return s
}

// Addr gives the address that is served, HOST:PORT.
func (s *Server) Addr() string { return s.listen.Addr().String() }

// Started tells that the model is loaded and the group is being joined.
func (s *Server) Started() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.started = true
}

// Joined tells that the group has given this member its partitions, of which
// there may be none: there may be more members than partitions.
func (s *Server) Joined() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.joined = true
}

// Drain tells that the process is about to stop: it is not ready any more.
func (s *Server) Drain() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.draining = true
}

// Fail tells that scoring has ended with err.
func (s *Server) Fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failed = err
}

// Stats takes how things stand. It is meant for pipeline.ScoreOptions.Stats,
// every second or so.
func (s *Server) Stats(st pipeline.Stats) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	s.stats, s.told = st, now
	seen := make(map[partition]moved, len(st.Partitions))
	for _, p := range st.Partitions {
		at := partition{p.Topic, p.Partition}
		before, known := s.moved[at]
		if known && before.next == p.Next && p.Lag > 0 {
			seen[at] = before
		} else {
			seen[at] = moved{p.Next, now}
		}
	}
	s.moved = seen
}

// Live gives nil where the process does what it should, else why not. A
// process that waits for brokers is alive: starting it anew would not help.
func (s *Server) Live() error {
	s.mu.Lock()
	failed, told, stuck := s.failed, s.told, error(nil)
	for _, p := range s.stats.Partitions {
		if still := s.now().Sub(s.moved[partition{p.Topic, p.Partition}].at); p.Lag > 0 && still > s.o.Stall {
			stuck = fmt.Errorf("%s/%d: %d records waiting, none written for %.0f s", p.Topic, p.Partition, p.Lag, still.Seconds())
		}
	}
	if silent := s.now().Sub(told); !told.IsZero() && silent > s.o.Stall {
		stuck = fmt.Errorf("the loop has stood still for %.0f s", silent.Seconds())
	}
	s.mu.Unlock()
	if failed != nil {
		return failed
	}
	if stuck != nil && s.ping() == nil {
		return stuck
	}
	return nil
}

// Ready gives nil where the process scores or could at once, else why not.
func (s *Server) Ready() error {
	s.mu.Lock()
	var err error
	switch {
	case s.failed != nil:
		err = s.failed
	case s.draining:
		err = errors.New("stopping")
	case !s.started:
		err = errors.New("starting")
	case !s.joined:
		err = fmt.Errorf("joining group %s", s.o.Group)
	}
	s.mu.Unlock()
	if err != nil {
		return err
	}
	return s.ping()
}

// ping asks whether brokers can be reached, at most once a second.
func (s *Server) ping() error {
	if s.o.Ping == nil {
		return nil
	}
	s.pinging.Lock()
	defer s.pinging.Unlock()
	if s.pinged.IsZero() || s.now().Sub(s.pinged) > time.Second {
		s.pingErr = s.o.Ping()
		s.pinged = s.now()
	}
	return s.pingErr
}

// Close stops serving; answers under way have a second.
func (s *Server) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if err := s.http.Shutdown(ctx); err != nil {
		return s.http.Close()
	}
	return nil
}

func answer(w http.ResponseWriter, err error) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	text := "ok"
	if err != nil {
		w.WriteHeader(http.StatusServiceUnavailable)
		text = err.Error()
	}
	_, _ = io.WriteString(w, text+"\n") // an error means that who asked has gone
}

// Status is the JSON of /status. Times are in seconds.
type Status struct {
	Model         string      `json:"model"`
	Version       string      `json:"version"`
	Topic         string      `json:"topic"`
	Group         string      `json:"group"`
	Uptime        float64     `json:"uptime_seconds"`
	Rows          int64       `json:"rows"`
	Bad           int64       `json:"bad"`
	RowsPerSecond float64     `json:"rows_per_second"`
	Lag           int64       `json:"lag"`
	Partitions    []Partition `json:"partitions"`
}

// Partition is one partition of a Status; Committed is -1 before the first
// commit.
type Partition struct {
	Topic         string  `json:"topic"`
	Partition     int32   `json:"partition"`
	Next          int64   `json:"next"`
	Committed     int64   `json:"committed"`
	Lag           int64   `json:"lag"`
	Rows          int64   `json:"rows"`
	RowsPerSecond float64 `json:"rows_per_second"`
}

// Partitions gives the JSON form of how partitions stand, never nil.
func Partitions(all []pipeline.PartitionStats) []Partition {
	out := []Partition{}
	for _, p := range all {
		out = append(out, Partition{p.Topic, p.Partition, p.Next, p.Committed, p.Lag, p.Rows, p.RowsPerSecond})
	}
	return out
}

func (s *Server) status(w http.ResponseWriter, _ *http.Request) {
	s.mu.Lock()
	st := s.stats
	v := Status{
		Model: s.o.Model, Version: s.o.Version, Topic: s.o.Topic, Group: s.o.Group,
		Uptime: s.now().Sub(s.began).Seconds(), Rows: st.Rows, Bad: st.Bad,
		RowsPerSecond: st.RowsPerSecond, Lag: st.Lag, Partitions: Partitions(st.Partitions),
	}
	s.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	_ = e.Encode(v) // an error means that who asked has gone
}
