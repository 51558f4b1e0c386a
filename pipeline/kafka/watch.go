package kafka

import (
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// watch tells when brokers go and when they are back, in one line each. It
// implements hooks of the client.
type watch struct {
	o    *Options
	note func(text string)

	mu   sync.Mutex
	away map[string]time.Time // by address: since when connections fail
	// heard is when any broker last answered.
	heard time.Time
	last  error
}

var (
	_ kgo.HookBrokerConnect = (*watch)(nil)
	_ kgo.HookBrokerRead    = (*watch)(nil)
)

// OnBrokerConnect is told of every try to connect.
func (w *watch) OnBrokerConnect(b kgo.BrokerMetadata, _ time.Duration, _ net.Conn, err error) {
	if err != nil && w.o.refusal("", err) != nil {
		return // it is there: see door
	}
	addr := net.JoinHostPort(b.Host, fmt.Sprint(b.Port))
	text := ""
	w.mu.Lock()
	since, away := w.away[addr]
	switch {
	case err == nil && away:
		delete(w.away, addr)
		text = fmt.Sprintf("broker %s is back after %v", addr, time.Since(since).Round(100*time.Millisecond))
	case err != nil && !away && !errors.Is(err, net.ErrClosed):
		if w.away == nil {
			w.away = map[string]time.Time{}
		}
		w.away[addr], w.last = time.Now(), err
		text = fmt.Sprintf("broker %s does not answer: %v: trying again", addr, err)
	}
	w.mu.Unlock()
	if text != "" {
		w.note(text)
	}
}

// OnBrokerRead is told of every answer. Those that a broker gives to anybody
// don't count: one that lets nobody in is of no use.
func (w *watch) OnBrokerRead(_ kgo.BrokerMetadata, key int16, _ int, _, _ time.Duration, err error) {
	if err == nil && !beforeEntry(key) {
		w.mu.Lock()
		w.heard = time.Now()
		w.mu.Unlock()
	}
}

// patience gives an error once no broker has answered for so long and
// connections fail.
func (w *watch) patience(most time.Duration) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.away) == 0 || w.heard.IsZero() || time.Since(w.heard) < most {
		return nil
	}
	return fmt.Errorf("no broker has answered for %v: %w", time.Since(w.heard).Round(time.Second), w.last)
}
