package monitor

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func pagesOf(m *Monitor) http.Handler {
	mux := http.NewServeMux()
	for pattern, h := range m.Handlers() {
		mux.Handle(pattern, h)
	}
	return mux
}

func TestLivePage(t *testing.T) {
	f, c := fixtureOf(t), newClock()
	reg := registryOf(t, f.lr)
	m := serving(reg, c)
	ask(t, m, reg.Default(), f.lines[:10]...)
	w := httptest.NewRecorder()
	pagesOf(m).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/api/live", http.NoBody))
	var v Live
	if err := json.Unmarshal(w.Body.Bytes(), &v); err != nil {
		t.Fatal(err)
	}
	if v.Totals.Predictions != 10 || v.State != "ready" || w.Header().Get("Cache-Control") != "no-store" {
		t.Errorf("%d predictions, state %s, %v", v.Totals.Predictions, v.State, w.Header())
	}
}

// Events come at once and each second, longer than the server's limits for a
// request, and end with the Monitor.
func TestEvents(t *testing.T) {
	reg := registryOf(t, fixtureOf(t).lr)
	m := New(Options{Source: "serve", Models: ServedModels(reg)})
	s := httptest.NewUnstartedServer(pagesOf(m))
	s.Config.ReadTimeout, s.Config.WriteTimeout = 300*time.Millisecond, 300*time.Millisecond
	s.Start()
	defer s.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	q, err := http.NewRequestWithContext(ctx, http.MethodGet, s.URL+"/api/events", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := s.Client().Do(q)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if got := answer.Header.Get("Content-Type"); got != "text/event-stream" {
		t.Fatalf("Content-Type %s", got)
	}
	lines := bufio.NewReader(answer.Body)
	var last time.Time
	for range 3 {
		var event [3]string
		for i := range event {
			if event[i], err = lines.ReadString('\n'); err != nil {
				t.Fatal(err)
			}
		}
		data, ok := strings.CutPrefix(event[1], "data: ")
		var v Live
		if event[0] != "event: live\n" || !ok || json.Unmarshal([]byte(data), &v) != nil {
			t.Fatalf("event %q", event[:1])
		}
		if !v.Time.After(last) {
			t.Errorf("event of %v after %v", v.Time, last)
		}
		last = v.Time
		if event[2] != "\n" { // the document's own line end and the event's
			t.Errorf("the event ends by %q", event[2])
		}
	}
	m.Close()
	if _, err := io.Copy(io.Discard, lines); err != nil {
		t.Errorf("the stream ends by %v: want its end", err)
	}
}

func TestTooManyListeners(t *testing.T) {
	m := serving(registryOf(t, fixtureOf(t).lr), newClock())
	for range mostListeners {
		if _, ok := m.events.join(); !ok {
			t.Fatal("refused too early")
		}
	}
	w := httptest.NewRecorder()
	pagesOf(m).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/api/events", http.NoBody))
	if w.Code != http.StatusServiceUnavailable {
		t.Errorf("status %d: want 503", w.Code)
	}
}
