package monitor

import (
	"encoding/json"
	"net/http"
	"sync"
	"time"
)

// mostListeners is how many may listen to /api/events at a time.
const mostListeners = 64

// Handlers gives the pages of a Monitor by their patterns, as http.ServeMux has
// them.
func (m *Monitor) Handlers() map[string]http.Handler {
	return map[string]http.Handler{
		"GET /api/live":   http.HandlerFunc(m.serveLive),
		"GET /api/events": http.HandlerFunc(m.serveEvents),
		"GET /metrics":    m.metricsHandler(),
	}
}

func (m *Monitor) serveLive(w http.ResponseWriter, _ *http.Request) {
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	_, _ = w.Write(m.document()) // an error means that who asked has gone
}

// document gives the JSON of Live, on one line.
func (m *Monitor) document() []byte {
	b, err := json.Marshal(m.Live())
	if err != nil { // a number that is not finite, which known keeps out
		b, _ = json.Marshal(map[string]string{"error": err.Error()})
	}
	return append(b, '\n')
}

// serveEvents sends the document of /api/live each second as Server-Sent Events
// (https://html.spec.whatwg.org/multipage/server-sent-events.html), the first
// one at once.
func (m *Monitor) serveEvents(w http.ResponseWriter, q *http.Request) {
	listener, ok := m.events.join()
	if !ok {
		http.Error(w, "too many listen: want fewer than 64", http.StatusServiceUnavailable)
		return
	}
	defer m.events.leave(listener)
	c := http.NewResponseController(w)
	// The server's own limits are for requests that end. These errors mean that w
	// has no limits to begin with.
	_ = c.SetReadDeadline(time.Time{})
	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no") // of nginx, which would hold events back
	for doc := m.document(); ; {
		_ = c.SetWriteDeadline(time.Now().Add(10 * time.Second))
		event := append(append([]byte("event: live\ndata: "), doc...), '\n')
		if _, err := w.Write(event); err != nil || c.Flush() != nil {
			return
		}
		select {
		case doc = <-listener:
		case <-q.Context().Done():
			return
		case <-m.stop:
			return
		}
	}
}

// broadcast hands the document of each second to all who listen. Who is slow
// misses some.
type broadcast struct {
	mu        sync.Mutex
	listeners map[chan []byte]bool
}

func (b *broadcast) join() (chan []byte, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.listeners) >= mostListeners {
		return nil, false
	}
	if b.listeners == nil {
		b.listeners = map[chan []byte]bool{}
	}
	l := make(chan []byte, 1)
	b.listeners[l] = true
	return l, true
}

func (b *broadcast) leave(l chan []byte) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.listeners, l)
}

// send makes the document where anybody listens.
func (b *broadcast) send(m *Monitor) {
	b.mu.Lock()
	n := len(b.listeners)
	b.mu.Unlock()
	if n == 0 {
		return
	}
	doc := m.document()
	b.mu.Lock()
	defer b.mu.Unlock()
	for l := range b.listeners {
		select {
		case l <- doc:
		default:
		}
	}
}
