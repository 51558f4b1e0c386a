package monitor

import (
	"fmt"
	"time"

	"ctr/models"
	"ctr/pipeline"
	"ctr/pipeline/infer"
)

// ServedModels gives Options.Models for the models of a Registry.
func ServedModels(r *infer.Registry) func() []Served {
	return func() []Served {
		var list []Served
		for _, m := range r.Models() {
			s := servedBy(m)
			s.Refused = r.Refused(m)
			list = append(list, s)
		}
		return list
	}
}

func servedBy(m *infer.Model) Served {
	return Served{Artifact: m.Artifact(), Name: m.Name, Version: m.Version, Threshold: m.Threshold(), Loaded: m.Loaded}
}

// Answered implements infer.Observer.
func (m *Monitor) Answered(route string, status int, took time.Duration) {
	s := m.any()
	s.routes.add(routeStatus{route, status}, 1)
	if scoring(route) { // who looks on is no traffic
		s.traffic.requests++
		if status >= 400 {
			s.traffic.errors++
		}
		s.spans[spanRequest].add(took, 1)
	}
	s.mu.Unlock()
}

// Refused implements infer.Refuser.
func (m *Monitor) Refused(route string, status, row int, why string) {
	if row > 0 {
		s := m.any()
		s.traffic.bad++
		s.mu.Unlock()
	}
	m.logs.problem(Problem{Time: m.now().UTC(), Kind: "error", Place: route, Status: status, Text: why, Count: 1})
}

// Scored implements infer.Observer.
func (m *Monitor) Scored(model *infer.Model, r *pipeline.Request, took time.Duration) {
	st := m.state(model.Artifact(), func() Served { return servedBy(model) })
	view := rows{block: &r.Rows, enc: r.Encoder(), ids: r.IDs, p: r.P, y: r.Y}
	s := m.any()
	s.spans[spanScore].add(took, 1)
	d := s.of(st)
	for i, p := range r.P {
		if y := r.Y[i]; y >= 0 {
			d.running.AddLabelled(uint8(y), p)
		} else {
			d.running.Add(p)
		}
	}
	d.add(r.P, r.Y)
	s.sample(st, d, &view)
	s.mu.Unlock()
	m.explain(st, &view)
}

// Watch gives pipeline.ScoreOptions.Watch for a model: a Watcher for each
// thread.
func (m *Monitor) Watch(a *models.Artifact) func() pipeline.Watcher {
	return func() pipeline.Watcher {
		st := m.state(a, func() Served { return Served{Artifact: a, Threshold: a.Threshold, Loaded: m.began} })
		return &thread{m: m, st: st, shard: m.newShard()}
	}
}

// thread counts what one thread scores of a topic.
type thread struct {
	m     *Monitor
	st    *served
	shard *shard
}

// mostReasons is how many bad records of a batch are told of.
const mostReasons = 4

// Scored implements pipeline.Watcher.
func (t *thread) Scored(b *pipeline.Batch) {
	now := t.m.now()
	s := t.shard
	s.mu.Lock()
	d := s.of(t.st)
	d.running.Merge(b.Running())
	from := 0 // after the last bad one
	for _, bad := range b.Bad {
		d.add(b.P[from:bad.Index], b.Y[from:bad.Index])
		from = bad.Index + 1
	}
	d.add(b.P[from:], b.Y[from:])
	s.traffic.bad += int64(len(b.Bad))
	if !b.Scored.IsZero() {
		s.spans[spanScore].add(now.Sub(b.Scored), 1)
	}
	s.ages(b, now)
	var view rows
	if b.Encoder != nil {
		view = rows{block: &b.Rows, enc: b.Encoder, ids: b.IDs, p: b.P, y: b.Y, place: func(i int) string { return place(b, i) }}
		s.sample(t.st, d, &view)
	}
	s.mu.Unlock()
	for _, f := range b.Bad[:min(len(b.Bad), mostReasons)] {
		t.m.logs.problem(Problem{Time: now.UTC(), Kind: "dead letter", Place: place(b, f.Index), Text: f.Err.Error(), Count: 1})
	}
	if b.Encoder != nil {
		t.m.explain(t.st, &view)
	}
}

func place(b *pipeline.Batch, i int) string {
	return fmt.Sprintf("%s@%d", b.Assignment, b.Records[i].Offset)
}

// ages counts how long ago records were produced. Those of one millisecond,
// which come together, are counted at once.
func (s *shard) ages(b *pipeline.Batch, now time.Time) {
	at := now.UnixMilli()
	for i := 0; i < len(b.Records); {
		millis, n := b.Records[i].Millis, 1
		for i+n < len(b.Records) && b.Records[i+n].Millis == millis {
			n++
		}
		if millis > 0 {
			s.spans[spanRecord].add(time.Duration(at-millis)*time.Millisecond, n)
		}
		i += n
	}
}
