package kafka

import (
	"fmt"
	"time"
)

// silence is how long messages wait without any answer before that is told:
// far longer than a healthy cluster takes, and soon enough for a person who
// wonders why nothing moves.
const silence = 1500 * time.Millisecond

// watch tells once when answers stop coming while messages wait for them, and
// once when they come again. sarama itself tries again with back-off, and
// says so only in its log.
func (p *Producer) watch(note func(string)) {
	tick := time.NewTicker(silence / 6)
	defer tick.Stop()
	last, since, away := p.acked.Load(), time.Now(), false
	for {
		select {
		case <-p.unwatch:
			return
		case <-tick.C:
		}
		acked, waiting := p.acked.Load(), p.flying.Load()
		switch {
		case acked != last:
			if away {
				note(fmt.Sprintf("topic %s: brokers answer again after %.1f s", p.topic, time.Since(since).Seconds()))
			}
			last, since, away = acked, time.Now(), false
		case waiting == 0:
			since = time.Now()
		case !away && time.Since(since) >= silence:
			away = true
			note(fmt.Sprintf("topic %s: no broker answers; %d messages wait, trying again", p.topic, waiting))
		}
	}
}
