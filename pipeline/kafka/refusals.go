package kafka

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// refusals are what brokers say no to while we run: who we are (SASL, TLS) or
// what we want to do (ACLs). They may be mended without us, by a password that
// is put right or a token endpoint that comes back, so that what is refused is
// tried again; it is told once when it begins and once when it is over. All
// clients that share a Security share them.
type refusals struct {
	mu          sync.Mutex
	since, last time.Time // the first and the last no; zero = none
	good        time.Time // the last yes
	err         error     // why, explained
	told        bool
}

const (
	// calm is how long after the last no, with a yes since, all is well again:
	// longer than clients wait between two tries.
	calm = 5 * time.Second
	// briefly is how long brokers may say that an authentication comes at the
	// wrong time before that is told: they do where a token lives but for
	// seconds, and take it on the next connection.
	briefly = 5 * time.Second
)

// no takes note of an explained error. It reports whether to tell it.
func (r *refusals) no(err error, atOnce bool) (tell bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := time.Now()
	if r.since.IsZero() || !r.told && now.Sub(r.last) >= calm {
		r.since = now
	}
	r.last, r.err = now, err
	tell = !r.told && (atOnce || now.Sub(r.since) >= briefly)
	r.told = r.told || tell
	return tell
}

// yes takes note of an answer that only those get who are let in.
func (r *refusals) yes() {
	r.mu.Lock()
	r.good = time.Now()
	r.mu.Unlock()
}

// over reports that what was told is over, and how long it took.
func (r *refusals) over() (took time.Duration, over bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.since.IsZero() || !r.good.After(r.last) || time.Since(r.last) < calm {
		return 0, false
	}
	took, over = r.last.Sub(r.since), r.told
	r.since, r.last, r.err, r.told = time.Time{}, time.Time{}, nil, false
	return took, over
}

// tellOver tells once that what was told is over.
func (r *refusals) tellOver(note func(string)) {
	if took, over := r.over(); over {
		note(fmt.Sprintf("brokers accept this client again after %.1f s", took.Seconds()))
	}
}

// now gives what is refused at present, nil where nothing is.
func (r *refusals) now() (since time.Time, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.since, r.err
}

// patience gives an error once something has been refused for so long.
func (r *refusals) patience(most time.Duration) error {
	since, err := r.now()
	if err == nil || time.Since(since) < most {
		return nil
	}
	return fmt.Errorf("%w, for %v now", err, time.Since(since).Round(time.Second))
}

// refuse takes note of err where it is a refusal, tells the first through
// note, and reports whether it is one. Where says what was asked for, "" where
// that is nothing but to be let in.
func (o *Options) refuse(where string, err error, note func(string)) bool {
	why := o.refusal(where, err)
	if why == nil {
		return false
	}
	if o.Security.refusals.no(why, !wrongTime(err)) && note != nil {
		text := why.Error() + ": trying again"
		var h interface{ Hint() string }
		if errors.As(why, &h) {
			text += " (" + h.Hint() + ")"
		}
		note(text)
	}
	return true
}

// explain gives what is refused at present in the place of err, which comes of
// it, or else err as it is, explained where it is a refusal itself.
func (o *Options) explain(where string, err error) error {
	if why := o.refusal(where, err); why != nil {
		return why
	}
	if _, why := o.Security.refusals.now(); why != nil && !errors.Is(err, context.Canceled) {
		return fmt.Errorf("%s: %w", where, why)
	}
	return fmt.Errorf("%s: %w", where, err)
}

// door is a hook of clients that tells what they are refused.
type door struct {
	o    *Options
	note func(string)
}

var (
	_ kgo.HookBrokerConnect = door{}
	_ kgo.HookBrokerRead    = door{}
)

// OnBrokerConnect is told of every try to connect.
func (d door) OnBrokerConnect(_ kgo.BrokerMetadata, _ time.Duration, _ net.Conn, err error) {
	if err != nil {
		d.o.refuse("", err, d.note)
	}
}

// OnBrokerRead is told of every answer.
func (d door) OnBrokerRead(_ kgo.BrokerMetadata, key int16, _ int, _, _ time.Duration, err error) {
	if err == nil && !beforeEntry(key) {
		d.o.Security.refusals.yes()
	}
}

// beforeEntry reports requests that brokers answer to anybody.
func beforeEntry(key int16) bool {
	switch kmsg.Key(key) {
	case kmsg.SASLHandshake, kmsg.ApiVersions, kmsg.SASLAuthenticate:
		return true
	}
	return false
}
