package monitor

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const (
	predictionsKept = 20
	problemsKept    = 20
	eventsKept      = 50
	mostRoutes      = 200
)

// logs has the last of what is told one by one.
type logs struct {
	mu          sync.Mutex
	predictions last[Prediction]
	problems    last[Problem]
	events      last[Event]
}

// last keeps the last so many of a kind, the newest first.
type last[T any] []T

func (l *last[T]) add(v T, keep int) {
	*l = slices.Insert(*l, 0, v)
	if len(*l) > keep {
		*l = (*l)[:keep]
	}
}

func (l *logs) prediction(p Prediction) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.predictions.add(p, predictionsKept)
}

// problem adds a fault, or counts it where it is the newest one's again.
func (l *logs) problem(p Problem) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.problems) > 0 {
		if q := &l.problems[0]; q.Kind == p.Kind && q.Text == p.Text && q.Status == p.Status {
			q.Time, q.Place = p.Time, p.Place
			q.Count++
			return
		}
	}
	l.problems.add(p, problemsKept)
}

func (l *logs) event(now time.Time, text string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.events.add(Event{Time: now.UTC(), Text: text}, eventsKept)
}

// copyTo fills in the lists.
func (l *logs) copyTo(v *Live) {
	l.mu.Lock()
	defer l.mu.Unlock()
	v.Predictions = append([]Prediction{}, l.predictions...)
	v.Problems = append([]Problem{}, l.problems...)
	v.Events = append([]Event{}, l.events...)
}

// routes counts answers by route and status.
type routes struct {
	counts sync.Map // of routeStatus, *atomic.Int64
	n      atomic.Int64
}

type routeStatus struct {
	route  string
	status int
}

// count counts one answer. Routes are the server's own patterns, so that there
// are only so many; should there be more than 200, the rest counts as "other".
func (r *routes) count(route string, status int) {
	key := routeStatus{route, status}
	n, ok := r.counts.Load(key)
	if !ok {
		if r.n.Add(1) > mostRoutes {
			key.route = "other"
		}
		n, _ = r.counts.LoadOrStore(key, new(atomic.Int64))
	}
	n.(*atomic.Int64).Add(1)
}

// scoring reports whether a route is asked for predictions.
func scoring(route string) bool {
	return strings.HasSuffix(route, "/score") || strings.HasSuffix(route, "/infer") || strings.HasSuffix(route, "/ModelInfer")
}

// list gives all routes by name.
func (r *routes) list() []Route {
	out := []Route{}
	r.each(func(route string, status int, n int64) {
		if len(out) == 0 || out[len(out)-1].Route != route {
			out = append(out, Route{Route: route, Status: []Count{}})
		}
		x := &out[len(out)-1]
		x.Status = append(x.Status, Count{strconv.Itoa(status), n})
		x.Requests += n
		if status >= 400 {
			x.Errors += n
		}
	})
	return out
}

// each calls f for every route and status, by name and number.
func (r *routes) each(f func(route string, status int, n int64)) {
	var keys []routeStatus
	r.counts.Range(func(k, _ any) bool { keys = append(keys, k.(routeStatus)); return true })
	slices.SortFunc(keys, func(a, b routeStatus) int {
		return cmp.Or(strings.Compare(a.route, b.route), a.status-b.status)
	})
	for _, k := range keys {
		n, _ := r.counts.Load(k)
		f(k.route, k.status, n.(*atomic.Int64).Load())
	}
}
