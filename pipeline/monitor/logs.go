package monitor

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	predictionsKept = 20
	problemsKept    = 20
	eventsKept      = 50
	mostRoutes      = 200
	mostProblem     = 300 // bytes of a problem's text
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
	p.Text = cut(p.Text, mostProblem)
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

// routes has the number of answers by route and status.
type routes map[routeStatus]int64

type routeStatus struct {
	route  string
	status int
}

// add counts answers. Routes are the server's own patterns, so that there are
// only so many; should there be more than 200, the rest counts as "other".
func (r routes) add(key routeStatus, n int64) {
	if _, ok := r[key]; !ok && len(r) >= mostRoutes {
		key.route = "other"
	}
	r[key] += n
}

// scoring reports whether a route is asked for predictions.
func scoring(route string) bool {
	return strings.HasSuffix(route, "/score") || strings.HasSuffix(route, "/infer") || strings.HasSuffix(route, "/ModelInfer")
}

// list gives all routes by name.
func (r routes) list() []Route {
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
func (r routes) each(f func(route string, status int, n int64)) {
	keys := slices.SortedFunc(maps.Keys(r), func(a, b routeStatus) int {
		return cmp.Or(strings.Compare(a.route, b.route), a.status-b.status)
	})
	for _, k := range keys {
		f(k.route, k.status, r[k])
	}
}
