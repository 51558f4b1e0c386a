package monitor

import (
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"ctr/features"
	"ctr/models"
	"ctr/pipeline"
)

// Options are the settings of a Monitor.
type Options struct {
	// Source is "serve" or "stream".
	Source string
	// Version is ctr's; Topic and Group are a stream's.
	Version, Topic, Group string
	// Models gives the models that are served now, the default one first. It is
	// asked each second, and must not be nil.
	Models func() []Served
	// State, where not nil, gives nil where the process is ready, else why not.
	State func() error
	// Redact are columns whose values are shown nowhere; features.AllColumns
	// stands for all.
	Redact []string
}

// Served is a model that scores.
type Served struct {
	Artifact      *models.Artifact
	Name, Version string
	Threshold     float64
	Loaded        time.Time
	Refused       error // why the newest file is not served; often nil
}

// Monitor counts what is scored. Its methods may be called from any number of
// goroutines.
//
// What is counted a row goes into shards: each scoring thread has one of its
// own, and requests take any. Once a second, and whenever somebody looks, all
// shards are emptied into one picture, so that nothing is lost and no thread
// waits for another. Columns are counted of at most 2,000 rows a second, picked
// at random; all else of every row.
type Monitor struct {
	o       Options
	redacts pipeline.ScorerOptions
	began   time.Time
	now     func() time.Time

	requests []*shard                  // one of them is taken at random
	states   atomic.Pointer[[]*served] // copied when it changes
	stride   atomic.Int64              // one row in so many is looked at
	taken    atomic.Int64              // rows that were, in this second
	nextWhy  atomic.Int64              // when a prediction is explained, in nanoseconds
	logs     logs

	mu      sync.Mutex // of what follows
	shards  []*shard   // all of them
	cur     int64      // second that is under way
	seconds ring[traffic]
	minutes ring[traffic]
	spans   [spanKinds]ring[spans]
	long    [spanKinds]longSpans
	gone    Totals // of models that are no longer served
	bad     int64
	routes  routes
	stats   pipeline.Stats
	raised  map[alarmKey]time.Time

	stop    chan struct{}
	stopped sync.WaitGroup
	end     sync.Once
	events  broadcast
}

// The spans that are measured.
const (
	spanRequest = iota
	spanScore
	spanRecord
	spanKinds
)

var spanNames = [spanKinds]string{"request", "score", "record"}

// New begins to count; Close ends it.
func New(o Options) *Monitor {
	m := newMonitor(o, time.Now)
	m.stopped.Go(m.run)
	return m
}

func newMonitor(o Options, now func() time.Time) *Monitor {
	m := &Monitor{
		o: o, redacts: pipeline.ScorerOptions{Redact: o.Redact}, now: now, began: now(),
		seconds: newRing[traffic](1, secondsKept), minutes: newRing[traffic](60, minutesKept),
		raised: map[alarmKey]time.Time{}, routes: routes{}, stop: make(chan struct{}),
	}
	m.cur = m.began.Unix()
	m.states.Store(new([]*served))
	m.stride.Store(1)
	for k := range m.spans {
		m.spans[k] = newRing[spans](1, spanSeconds)
	}
	for range 2 * runtime.GOMAXPROCS(0) {
		m.requests = append(m.requests, m.newShard())
	}
	m.refresh()
	return m
}

// run closes each second.
func (m *Monitor) run() {
	for {
		now := m.now()
		next := time.NewTimer(now.Truncate(time.Second).Add(time.Second + time.Millisecond).Sub(now))
		select {
		case <-m.stop:
			next.Stop()
			return
		case <-next.C:
			m.tick()
		}
	}
}

// tick ends a second: it finds how many rows came, looks for alarms and tells
// those who listen.
func (m *Monitor) tick() {
	m.refresh()
	m.mu.Lock()
	second := m.drain()
	var rows int64
	if t := m.seconds.see(second - 1); t != nil {
		rows = t.rows
	}
	m.stride.Store(max(rows/sampleTarget, 1))
	m.taken.Store(0)
	m.mu.Unlock()
	if second%alarmSeconds == 0 {
		m.Live() // so that alarms begin when they do, and not when somebody looks
	}
	m.events.send(m)
}

// Close ends the counting, and what listens to it.
func (m *Monitor) Close() {
	m.end.Do(func() { close(m.stop) })
	m.stopped.Wait()
}

// refresh looks which models are served.
func (m *Monitor) refresh() {
	list := m.o.Models()
	for _, s := range list {
		m.state(s.Artifact, func() Served { return s })
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	old := *m.states.Load()
	keep := slices.DeleteFunc(slices.Clone(old), func(st *served) bool {
		return !slices.ContainsFunc(list, func(s Served) bool { return s.Artifact == st.Artifact })
	})
	if len(keep) == len(old) {
		return
	}
	m.drain()
	m.states.Store(&keep)
	for _, st := range old {
		if slices.Contains(keep, st) {
			continue
		}
		st.addTo(&m.gone)
		for _, sh := range m.shards {
			sh.mu.Lock()
			delete(sh.deltas, st)
			sh.mu.Unlock()
		}
	}
}

// state gives what is known of a model.
func (m *Monitor) state(a *models.Artifact, say func() Served) *served {
	for _, st := range *m.states.Load() {
		if st.Artifact == a {
			return st
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	old := *m.states.Load()
	for _, st := range old {
		if st.Artifact == a {
			return st
		}
	}
	st := newServed(say(), m.now())
	list := append(slices.Clone(old), st)
	m.states.Store(&list)
	return st
}

func (m *Monitor) newShard() *shard {
	s := &shard{m: m, deltas: map[*served]*delta{}, routes: routes{}}
	m.mu.Lock()
	m.shards = append(m.shards, s)
	m.mu.Unlock()
	return s
}

// any gives one of the shards of requests, locked.
func (m *Monitor) any() *shard {
	at := rand.IntN(len(m.requests))
	for range m.requests {
		s := m.requests[at]
		if s.mu.TryLock() {
			return s
		}
		at = (at + 1) % len(m.requests)
	}
	s := m.requests[at]
	s.mu.Lock()
	return s
}

// drain empties the shards into the picture, as part of the second that was
// under way, and gives the second that is now. m.mu is held.
func (m *Monitor) drain() int64 {
	second := max(m.now().Unix(), m.cur)
	t, long := m.seconds.of(m.cur), m.minutes.of(m.cur)
	for _, s := range m.shards {
		s.mu.Lock()
		for st, d := range s.deltas {
			n := d.drain(st, m.cur)
			t.rows += n
			long.rows += n
		}
		for k := range s.spans {
			m.spans[k].of(m.cur).merge(&s.spans[k])
			m.long[k].merge(&s.spans[k])
			if s.spans[k].count > 0 {
				s.spans[k] = spans{}
			}
		}
		for _, to := range []*traffic{t, long} {
			to.rows += s.traffic.bad
			to.bad += s.traffic.bad
			to.requests += s.traffic.requests
			to.errors += s.traffic.errors
		}
		m.bad += s.traffic.bad
		for key, n := range s.routes {
			if n > 0 {
				m.routes.add(key, n)
				s.routes[key] = 0
			}
		}
		s.traffic = traffic{}
		s.mu.Unlock()
	}
	m.cur = second
	return second
}

// Stats takes how the partitions of a stream stand. It is meant for
// pipeline.ScoreOptions.Stats, every second.
func (m *Monitor) Stats(st pipeline.Stats) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.stats = st
}

// Event tells of something that happened to the process, for people to read.
func (m *Monitor) Event(text string) { m.logs.event(m.now(), text) }

// redacted reports whether a field shows nothing of its values.
func (m *Monitor) redacted(fd *features.Field) bool {
	return m.redacts.Redacts("") || slices.ContainsFunc(fd.From, m.redacts.Redacts)
}
