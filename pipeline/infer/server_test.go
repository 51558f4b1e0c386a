package infer

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"ctr/pipeline"
)

func TestOptionsValidate(t *testing.T) {
	t.Parallel()
	f := func(o Options, want string) {
		t.Helper()
		got := ""
		if err := o.Validate(); err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	f(Options{}, "")
	f(Options{MaxBody: 1 << 40, MaxMemory: 1 << 50}, "max-body 1099511627776: want 1..268435455")
	f(Options{MaxMemory: 1 << 20}, "max-memory 1048576: want 8388608..9223372036854775807")
	f(Options{MaxRows: -1, MaxRow: -1, MaxOpen: -1, MaxWait: -1}, "max-rows -1: want 1..2147483647; max-row -1: want 1..268435455; max-open -1: want 1..2147483647; max-wait -1ns: want 1ms or more")
}

func gzipped(t testing.TB, text []byte) string {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := z.Write(text); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// zstdBlock gives a block of RFC 8878, raw (kind 0) or one byte repeated (1).
func zstdBlock(kind, size int, last bool, data string) string {
	h := size<<3 | kind<<1
	if last {
		h |= 1
	}
	return string([]byte{byte(h), byte(h >> 8), byte(h >> 16)}) + data
}

// zstdFrame gives a frame with a window of 2^(10+log) bytes.
func zstdFrame(log int, blocks string) string {
	return "\x28\xb5\x2f\xfd\x00" + string([]byte{byte(log << 3)}) + blocks
}

func TestCompressedBodies(t *testing.T) {
	t.Parallel()
	s := serve(t, Options{MaxBody: 1 << 20}, model(t, "lr"))
	want := s.post("/v1/score", jsonKind, aRow).body
	f := func(how, body string, code int, part string) {
		t.Helper()
		a := s.do("POST", "/v1/score", strings.NewReader(body), "Content-Type", jsonKind, "Content-Encoding", how)
		if a.code != code || !strings.Contains(a.body, part) {
			t.Errorf("%s %.40q: %d %s, want %d %s", how, body, a.code, a.body, code, part)
		}
	}
	row := zstdFrame(7, zstdBlock(0, len(aRow), true, aRow))
	f("gzip", gzipped(t, []byte(aRow)), 200, want)
	f("GZIP", gzipped(t, []byte(aRow)), 200, want)
	f("x-gzip", gzipped(t, []byte(aRow[:20]))+gzipped(t, []byte(aRow[20:])), 200, want)
	f("zstd", row, 200, want)
	f("zstd", zstdFrame(7, zstdBlock(0, 20, true, aRow[:20]))+zstdFrame(7, zstdBlock(0, len(aRow)-20, true, aRow[20:])), 200, want)
	f("identity", aRow, 200, want)
	f("br", aRow, 415, "Content-Encoding br: want gzip or zstd")
	f("gzip, gzip", aRow, 415, "want gzip or zstd")
	f("gzip", aRow, 400, "gzip: invalid header")
	f("gzip", "", 400, "gzip")
	f("gzip", gzipped(t, []byte(aRow))[:40], 400, "gzip: unexpected EOF")
	f("gzip", gzipped(t, []byte(aRow))+"more", 400, "gzip")
	damaged := []byte(gzipped(t, []byte(aRow)))
	damaged[len(damaged)-6] ^= 1
	f("gzip", string(damaged), 400, "gzip: invalid checksum")
	f("zstd", aRow, 400, "zstd")
	f("zstd", row[:20], 400, "zstd")
	// Bombs.
	f("gzip", gzipped(t, make([]byte, 64<<20)), 413, "body too large: want 1048576 bytes at most")
	f("zstd", zstdFrame(7, strings.Repeat(zstdBlock(1, 128<<10, false, "x"), 1000)), 413, "body too large")
	f("zstd", zstdFrame(20, zstdBlock(1, 1, true, "x")), 400, "zstd: window size exceeded")
	f("gzip", strings.Repeat(gzipped(t, nil), 50_000), 413, "body too large") // as it came
	until(t, "the budget is whole", func() bool { return s.memory.left.Load() == s.o.MaxMemory })
}

// Methods and pages that there are not are refused as JSON; 405 says what would do.
func TestElsewhere(t *testing.T) {
	t.Parallel()
	s := serve(t, Options{more: map[string]http.Handler{"GET /more": http.NotFoundHandler()}}, model(t, "lr"))
	f := func(method, path string, code int, allow string) {
		t.Helper()
		a := s.do(method, path, nil)
		if a.code != code || a.Get("Allow") != allow {
			t.Errorf("%s %s: %d, Allow %q; want %d, %q", method, path, a.code, a.Get("Allow"), code, allow)
		}
		if code >= 400 && method != "HEAD" && path != "/more" && (a.Get("Content-Type") != jsonKind || !json.Valid([]byte(a.body))) {
			t.Errorf("%s %s: %s %q", method, path, a.Get("Content-Type"), a.body)
		}
	}
	f("GET", "/", 404, "")
	f("GET", "/v1", 404, "")
	f("POST", "/v1/scores", 404, "")
	f("POST", "/v1/models//score", 404, "")
	f("GET", "/%ff%00", 404, "")
	f("GET", "/v1/score", 405, "POST")
	f("HEAD", "/v1/score", 405, "POST")
	f("OPTIONS", "/v1/score", 405, "POST")
	f("PUT", "/v1/models/lr/score", 405, "POST")
	f("DELETE", "/v1/models", 405, "GET, HEAD")
	f("POST", "/livez", 405, "GET, HEAD")
	f("PROPFIND", "/openapi.json", 405, "GET, HEAD")
	f("GET", "/more", 404, "")
	f("GET", "/v1/challenge", 404, "")
	for _, path := range []string{"/livez", "/readyz", "/openapi.json", "/v1/models"} {
		f("GET", path, 200, "")
		f("HEAD", path, 200, "")
	}
}

// HTTP as it comes over a wire.
func TestWire(t *testing.T) {
	t.Parallel()
	s := serve(t, Options{}, model(t, "lr"))
	want := s.post("/v1/score", jsonKind, aRow).body
	post := func(more, body string) string {
		return "POST /v1/score HTTP/1.1\r\nHost: x\r\n" + more + "\r\n" + body
	}
	length := fmt.Sprintf("Content-Length: %d\r\n", len(aRow))
	chunked := fmt.Sprintf("%x\r\n%s\r\n%x;ext=1\r\n%s\r\n0\r\nTrailer: x\r\n\r\n", 10, aRow[:10], len(aRow)-10, aRow[10:])
	f := func(name, text string, answers int, parts ...string) {
		t.Helper()
		got := s.raw(text, 2*time.Second)
		if n := strings.Count(got, "HTTP/1."); n != answers {
			t.Errorf("%s: %d answers, want %d:\n%s", name, n, answers, got)
		}
		for _, p := range parts {
			if !strings.Contains(got, p) {
				t.Errorf("%s: want %q in\n%s", name, p, got)
			}
		}
	}
	f("keep-alive and pipelining", post(length, aRow)+post(length, aRow)+post(length+"Connection: close\r\n", aRow), 3, want)
	f("chunked", post("Transfer-Encoding: chunked\r\nConnection: close\r\n", chunked), 1, " 200 OK", want)
	f("HTTP/1.0", strings.Replace(post(length, aRow), "1.1", "1.0", 1), 1, "HTTP/1.0 200 OK", want)
	f("Expect", post(length+"Expect: 100-continue\r\nConnection: close\r\n", aRow), 2, "100 Continue", " 200 OK", want)
	f("Expect of too much", post("Content-Length: 99999999\r\nExpect: 100-continue\r\n", ""), 1, " 413 ")
	f("another Expect", post(length+"Expect: 1\r\nConnection: close\r\n", aRow), 1, " 417 ")
	f("too large", post("Content-Length: 99999999\r\n", aRow), 1, " 413 ", "Connection: close")
	f("two lengths", post(length+"Content-Length: 3\r\n", aRow), 1, " 400 ")
	f("length and chunks", post(length+"Transfer-Encoding: chunked\r\nConnection: close\r\n", chunked), 1)
	f("bad chunks", post("Transfer-Encoding: chunked\r\n", "zz\r\n"), 1, " 400 ")
	f("bad method", "P(ST /v1/score HTTP/1.1\r\nHost: x\r\n\r\n", 1, " 400 ")
	f("no host", "GET /livez HTTP/1.1\r\n\r\n", 1, " 400 ")
	f("HTTP/3", "GET /livez HTTP/3.0\r\nHost: x\r\n\r\n", 1, " 505 ")
	f("no HTTP", "\x16\x03\x01\x02\x00\x01\x00\r\n\r\n", 1, " 400 ")
	f("large headers", post("X: "+strings.Repeat("x", 64<<10)+"\r\n", ""), 1, " 431 ")
	f("after all that", post(length+"Connection: close\r\n", aRow), 1, want)
}

// What does not come in time is answered by 408, and keeps nothing else from
// being answered.
func TestSlow(t *testing.T) {
	t.Parallel()
	s := serve(t, Options{MaxWait: 300 * time.Millisecond, MaxBody: 1 << 20, MaxMemory: 1 << 20}, model(t, "lr"))
	want := s.post("/v1/score", jsonKind, aRow).body
	var all sync.WaitGroup
	for range 50 { // claims of 50 MB in all
		all.Go(func() {
			got := s.raw("POST /v1/score HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n{", 5*time.Second)
			if !strings.HasPrefix(got, "HTTP/1.1 408 ") || !strings.Contains(got, "the body did not come in time") || !strings.Contains(got, "Connection: close") {
				t.Errorf("slow body: %q", got)
			}
		})
		all.Go(func() {
			// net/http closes these, with 400 where a line was cut.
			began := time.Now()
			got := s.raw("POST /v1/score HTTP/1.1\r\nHost: x\r\nX-", 5*time.Second)
			if got != "" && !strings.HasPrefix(got, "HTTP/1.1 400 ") || time.Since(began) > 4*time.Second {
				t.Errorf("slow headers: %q after %v", got, time.Since(began))
			}
		})
	}
	for range 20 {
		if a := s.post("/v1/score", jsonKind, aRow); a.code != 200 || a.body != want {
			t.Errorf("beside slow ones: %d %s", a.code, a.body)
		}
		time.Sleep(10 * time.Millisecond)
	}
	all.Wait()
}

// gate is a page that waits.
func gate(held *atomic.Int64, open chan struct{}) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		held.Add(1)
		<-open
		_, _ = io.WriteString(w, "through")
	})
}

func until(t testing.TB, what string, done func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !done(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited 20 s: %s", what)
		}
	}
}

// Requests beyond the limits are asked to come again; health is always answered.
func TestBusy(t *testing.T) {
	t.Parallel()
	var held atomic.Int64
	open := make(chan struct{})
	s := serve(t, Options{
		MaxOpen: 2, MaxBody: 1 << 20, MaxMemory: 1 << 20, Aside: map[string]http.Handler{"GET /figures": http.NotFoundHandler()},
		more: map[string]http.Handler{"GET /gate": gate(&held, open)},
	}, model(t, "lr"))
	var all sync.WaitGroup
	for range 2 {
		all.Go(func() {
			if a := s.do("GET", "/gate", nil); a.body != "through" {
				t.Errorf("%d %s", a.code, a.body)
			}
		})
	}
	until(t, "two requests at the gate", func() bool { return held.Load() == 2 })
	if a := s.post("/v1/score", jsonKind, aRow); a.code != 429 || a.Get("Retry-After") != "1" || !strings.Contains(a.body, "2 requests are being answered") {
		t.Errorf("%d %v %s", a.code, a.Header, a.body)
	}
	for path, code := range map[string]int{"/livez": 200, "/figures": 404} {
		if a := s.do("GET", path, nil); a.code != code {
			t.Errorf("%s of a full server: %d", path, a.code)
		}
	}
	close(open)
	all.Wait()
	// A body that is large takes of the budget; others are asked to wait, small ones not.
	if !s.memory.take(1 << 20) {
		t.Fatal("the budget is not whole")
	}
	big := shopHeader + shopRows(4000, 1)
	if a := s.post("/v1/score", csvKind, big); a.code != 429 || a.Get("Retry-After") != "1" || !strings.Contains(a.body, "fill the memory") {
		t.Errorf("%d %s", a.code, a.body)
	}
	if a := s.post("/v1/score?explain=true", linesKind, strings.Repeat(aRow+"\n", 700)); a.code != 429 {
		t.Errorf("explanations of 700 rows: %d %.200s", a.code, a.body)
	}
	if a := s.post("/v1/score", jsonKind, aRow); a.code != 200 {
		t.Errorf("a small one: %d %s", a.code, a.body)
	}
	s.memory.give(1 << 20)
	if a := s.post("/v1/score", csvKind, big); a.code != 200 {
		t.Errorf("%d %s", a.code, a.body)
	}
	until(t, "the budget is whole", func() bool { return s.memory.left.Load() == 1<<20 })
}

// A bug in a handler is one request's end, and is told.
func TestPanic(t *testing.T) {
	t.Parallel()
	var told notes
	seen := &watcher{}
	s := serve(t, Options{
		Note: told.add, Observer: seen, MaxOpen: 1,
		more: map[string]http.Handler{"GET /bug": http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("oh") })},
	}, model(t, "lr"))
	for range 3 {
		if a := s.do("GET", "/bug", nil); a.code != 500 || !strings.Contains(a.body, `"error":"internal error`) || strings.Contains(a.body, "oh") {
			t.Errorf("%d %s", a.code, a.body)
		}
		if text := told.take(); !strings.HasPrefix(text, "a bug: GET /bug: panic: oh\n") || !strings.Contains(text, "TestPanic") {
			t.Errorf("told %q", text)
		}
		if a := s.post("/v1/score", jsonKind, aRow); a.code != 200 {
			t.Errorf("%d %s", a.code, a.body)
		}
	}
	until(t, "the requests are told", func() bool {
		return seen.text() == "/bug 500, /v1/score 200, /bug 500, /v1/score 200, /bug 500, /v1/score 200"
	})
	// A Request that a panic left half done is whole when it is used again.
	m := s.o.Registry.Default()
	r := m.Get()
	r.JSON()
	r.Rows.AppendJSON([]byte(aRow))
	r.Rows.AppendJSON([]byte(aRow))
	if err := r.Score(); err != nil {
		t.Fatal(err)
	}
	m.Put(r)
}

// watcher is an Observer.
type watcher struct {
	mu   sync.Mutex
	seen []string
	rows map[string]int
}

func (w *watcher) Answered(route string, status int, _ time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.seen = append(w.seen, fmt.Sprint(route, " ", status))
}

func (w *watcher) Scored(m *Model, r *pipeline.Request, _ time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.rows == nil {
		w.rows = map[string]int{}
	}
	w.rows[m.Name] += len(r.P)
}

func (w *watcher) text() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return strings.Join(w.seen, ", ")
}

func (w *watcher) of(name string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.rows[name]
}

// A server that stops answers what is under way, says that it is stopping, and
// asks clients to leave.
func TestDrain(t *testing.T) {
	t.Parallel()
	var held atomic.Int64
	open := make(chan struct{})
	s := serve(t, Options{more: map[string]http.Handler{"GET /gate": gate(&held, open)}}, model(t, "lr"))
	if a := s.do("GET", "/readyz", nil); a.code != 200 {
		t.Errorf("readyz %d", a.code)
	}
	var all sync.WaitGroup
	all.Go(func() {
		if a := s.do("GET", "/gate", nil); a.body != "through" {
			t.Errorf("%d %s", a.code, a.body)
		}
	})
	until(t, "a request at the gate", func() bool { return held.Load() == 1 })
	s.Drain()
	if a := s.do("GET", "/readyz", nil); a.code != 503 || a.body != "stopping\n" {
		t.Errorf("readyz %d %s", a.code, a.body)
	}
	if a := s.do("GET", "/livez", nil); a.code != 200 {
		t.Errorf("livez %d", a.code)
	}
	length := fmt.Sprintf("POST /v1/score HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n", len(aRow))
	if got := s.raw(length+aRow, 5*time.Second); !strings.Contains(got, " 200 OK") || !strings.Contains(got, "Connection: close") {
		t.Errorf("while draining: %q", got)
	}
	closed := make(chan error)
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		closed <- s.Close(ctx)
	}()
	until(t, "the port is closed", func() bool {
		c, err := net.Dial("tcp", s.Addr())
		if err == nil {
			c.Close()
		}
		return err != nil
	})
	close(open)
	if err := <-closed; err != nil {
		t.Error(err)
	}
	all.Wait()
}

func TestPortTaken(t *testing.T) {
	t.Parallel()
	s := serve(t, Options{}, model(t, "lr"))
	_, err := Listen(Options{Listen: s.Addr(), Registry: s.o.Registry})
	if err == nil || !strings.HasSuffix(err.Error(), "another program is listening there") {
		t.Errorf("%v", err)
	}
}
