package commands

import (
	"errors"
	"sync/atomic"

	"ctr/pipeline/infer"
	"ctr/pipeline/monitor"
	"ctr/pipeline/monitor/page"
)

// watching is what ctr serve tells of itself.
type watching struct {
	monitor *monitor.Monitor
	tracer  *monitor.Tracer // nil without --otlp
	server  atomic.Pointer[infer.Server]
}

// noting gives what tells notes to people and, from begin on, to the page.
func (w *watching) noting(say func(string)) func(string) {
	return func(text string) {
		say(text)
		if w.monitor != nil {
			w.monitor.Event(text)
		}
	}
}

// begin counts from now on, and adds the pages to o.
func (w *watching) begin(o *serveOptions, say func(string)) (err error) {
	if w.tracer, err = traced(o.otlp, say); err != nil {
		return err
	}
	if w.tracer != nil {
		o.Wrap, o.Call = w.tracer.Wrap, w.tracer.Call
	}
	w.monitor = monitor.New(monitor.Options{
		Source: "serve", Version: version, Models: monitor.ServedModels(o.Options.Registry), Redact: o.redact,
		State: func() error {
			if s := w.server.Load(); s != nil {
				return s.Ready()
			}
			return errors.New("starting")
		},
	})
	o.Observer, o.Aside, o.Public = w.monitor, w.monitor.Handlers(), page.Handlers()
	return nil
}

// end sends what is left of the traces.
func (w *watching) end() {
	w.monitor.Close()
	if w.tracer != nil {
		closeTracer(w.tracer)
	}
}
