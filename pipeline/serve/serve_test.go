package serve

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"ctr/pipeline"
)

// get gives the answer of a server to a path.
func get(t *testing.T, s *Server, path string) (code int, body string) {
	t.Helper()
	r, err := http.Get("http://" + s.Addr() + path)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	text, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return r.StatusCode, string(text)
}

func TestHealth(t *testing.T) {
	t.Parallel()
	now, away := time.Now(), error(nil)
	s, err := Listen(Options{Listen: "127.0.0.1:0", Group: "g", Topic: "t", Model: "abc", Ping: func() error { return away }})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	s.now = func() time.Time { return now }
	check := func(path string, code int, part string) {
		t.Helper()
		now = now.Add(2 * time.Second) // past the memory of the last ping
		if got, body := get(t, s, path); got != code || !strings.Contains(body, part) {
			t.Errorf("%s: %d %q, want %d %q", path, got, body, code, part)
		}
	}
	stats := func(next, lag int64) {
		s.Stats(pipeline.Stats{Rows: next, Lag: lag, Partitions: []pipeline.PartitionStats{{Topic: "t", Next: next, Lag: lag, Committed: -1}}})
	}
	check("/livez", 200, "ok")
	check("/readyz", 503, "starting")
	s.Started()
	check("/readyz", 503, "joining group g")
	s.Joined()
	check("/readyz", 200, "ok")
	stats(5, 3)
	check("/readyz", 200, "ok")
	away = errors.New("no broker answers")
	check("/readyz", 503, "no broker answers")
	away = nil
	for range 9 { // one that moves is alive
		now = now.Add(20 * time.Second)
		stats(s.stats.Rows+1, 3)
	}
	check("/livez", 200, "ok")
	for range 9 { // so is one that has nothing to do
		now = now.Add(20 * time.Second)
		stats(s.stats.Rows, 0)
	}
	check("/livez", 200, "ok")
	for range 9 { // but not one with records waiting
		now = now.Add(20 * time.Second)
		stats(s.stats.Rows, 7)
	}
	check("/livez", 503, "t/0: 7 records waiting")
	away = errors.New("no broker answers") // waiting for brokers is no fault of ours
	check("/livez", 200, "ok")
	away = nil
	stats(100, 0)
	check("/livez", 200, "ok")
	now = now.Add(2 * time.Minute)
	check("/livez", 503, "the loop has stood still")
	stats(101, 0)
	s.Drain()
	check("/readyz", 503, "stopping")
	check("/livez", 200, "ok")
	s.Fail(errors.New("disk full"))
	check("/livez", 503, "disk full")

	code, body := get(t, s, "/status")
	var v Status
	if err := json.Unmarshal([]byte(body), &v); err != nil || code != 200 {
		t.Fatalf("%d %s: %v", code, body, err)
	}
	if v.Model != "abc" || v.Rows != 101 || len(v.Partitions) != 1 || v.Partitions[0].Next != 101 {
		t.Errorf("status %+v", v)
	}
}

func TestPortInUse(t *testing.T) {
	t.Parallel()
	a, err := Listen(Options{Listen: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	if _, err := Listen(Options{Listen: a.Addr()}); err == nil || !strings.Contains(err.Error(), "another program is listening there") {
		t.Errorf("%v", err)
	}
}
