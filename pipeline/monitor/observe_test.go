package monitor

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestRoutesAreBounded(t *testing.T) {
	m := serving(registryOf(t, fixtureOf(t).lr), newClock())
	for i := range 500 {
		m.Answered(fmt.Sprintf("/%d/score", i), 200, time.Millisecond)
	}
	v := m.Live()
	n := int64(0)
	for _, r := range v.Routes {
		n += r.Requests
	}
	if len(v.Routes) > mostRoutes+1 || n != 500 || m.seconds.see(m.cur).requests != 500 {
		t.Errorf("%d routes with %d requests, %d in all: want at most %d with 500", len(v.Routes), n, m.seconds.see(m.cur).requests, mostRoutes+1)
	}
}

func TestProblemsAreShort(t *testing.T) {
	m := serving(registryOf(t, fixtureOf(t).lr), newClock())
	m.Refused("/v1/score", 415, 0, strings.Repeat("é", 10_000))
	if p := m.Live().Problems[0]; len(p.Text) > mostProblem+3 || !strings.HasSuffix(p.Text, "é…") {
		t.Errorf("%d bytes: want %d and an ellipsis", len(p.Text), mostProblem)
	}
	for i := range 100 {
		m.Refused("/v1/score", 400, 0, fmt.Sprint(i))
	}
	if p := m.Live().Problems; len(p) != problemsKept || p[0].Text != "99" {
		t.Errorf("%d problems, the newest %s: want %d, 99", len(p), p[0].Text, problemsKept)
	}
}

// An alarm begins when it does, though nobody looks.
func TestAlarmsBeginUnseen(t *testing.T) {
	c := newClock()
	m := serving(registryOf(t, fixtureOf(t).lr), c)
	for range 30 {
		m.Answered("/v1/score", 500, time.Millisecond)
	}
	for range 40 {
		c.pass(time.Second)
		m.tick()
	}
	v := m.Live()
	if len(v.Alarms) != 1 || v.Alarms[0].Kind != "errors" || v.Time.Sub(v.Alarms[0].Since) < 25*time.Second {
		t.Errorf("alarms %+v at %v: want one of half a minute ago", v.Alarms, v.Time)
	}
}

// BenchmarkRequest is what watching costs a request of one row.
func BenchmarkRequest(b *testing.B) {
	f, c := fixtureOf(b), newClock()
	reg := registryOf(b, f.lr)
	m := serving(reg, c)
	model := reg.Default()
	r := model.Get()
	if err := r.CSV(append(append([]byte{}, f.header...), f.lines[0]...), 0, 1); err != nil {
		b.Fatal(err)
	}
	if err := r.Score(); err != nil {
		b.Fatal(err)
	}
	m.stride.Store(20)
	before := m.Live().Totals.Requests
	b.ReportAllocs()
	for range b.N {
		m.Scored(model, r, 5*time.Microsecond)
		m.Answered("/v1/score", 200, 20*time.Microsecond)
	}
	if got := m.Live().Totals.Requests - before; got != int64(b.N) {
		b.Fatalf("%d requests", got)
	}
}
