package kafka

import (
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// silence is how long messages wait without any answer before that is told:
// far longer than a healthy cluster takes, and soon enough for a person who
// wonders why nothing moves.
const silence = 1500 * time.Millisecond

// watch tells once when answers stop coming while messages wait for them, and
// once when they come again: the client itself tries again with back-off, for
// ever and without a word. It ends the Producer when its patience has.
func (p *Producer) watch(o *ProducerOptions) {
	note := o.Note
	if note == nil {
		note = func(string) {}
	}
	tick := time.NewTicker(silence / 6)
	defer tick.Stop()
	last, since, away := p.acked.Load(), time.Now(), false
	for ended := false; !ended; {
		select {
		case <-p.unwatch:
			ended = true
		case <-tick.C:
		}
		o.Security.refusals.tellOver(note)
		acked, waiting := p.acked.Load(), p.flying.Load()
		quiet := time.Since(since)
		switch {
		case acked != last:
			if away {
				note(fmt.Sprintf("topic %s: brokers answer again after %.1f s", p.topic, quiet.Seconds()))
			}
			last, since, away = acked, time.Now(), false
		case waiting == 0:
			since = time.Now()
		case ended:
		case quiet >= o.Patience:
			err := fmt.Errorf("topic %s: no broker has answered for %v", p.topic, quiet.Round(time.Second))
			if cause := p.lost.read(); cause != nil {
				err = fmt.Errorf("%w: %w", err, cause)
			}
			p.fail(err)
			p.client.Close() // messages fail, and who waits to send one goes on
			return
		case !away && quiet >= silence:
			away = true
			note(fmt.Sprintf("topic %s: no broker answers; %d messages wait, trying again", p.topic, waiting))
		}
	}
}

// lastError keeps why the last try to connect failed. It is a hook of the
// client.
type lastError struct {
	mu  sync.Mutex
	err error
}

var _ kgo.HookBrokerConnect = (*lastError)(nil)

// OnBrokerConnect is told of every try to connect.
func (l *lastError) OnBrokerConnect(_ kgo.BrokerMetadata, _ time.Duration, _ net.Conn, err error) {
	if errors.Is(err, net.ErrClosed) {
		return
	}
	l.mu.Lock()
	l.err = err
	l.mu.Unlock()
}

func (l *lastError) read() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.err
}
