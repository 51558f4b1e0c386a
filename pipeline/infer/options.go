package infer

import (
	"crypto/tls"
	"fmt"
	"math"
	"net/http"
	"time"

	"ctr/pipeline"
)

// Options are the settings of a Server. Zero means the defaults.
type Options struct {
	// Listen is the address, HOST:PORT. It must be set.
	Listen string
	// GRPC, where not "", is the address, HOST:PORT, of the Open Inference
	// Protocol over gRPC, under the same limits, tokens and certificate.
	GRPC string
	// Registry holds the models. It must be set.
	Registry *Registry
	// Challenge, where not nil, sets a second model against the first.
	Challenge *Challenge
	// Observer, where not nil, is told of requests and rows.
	Observer Observer
	// Wrap, where not nil, is put around all pages.
	Wrap func(http.Handler) http.Handler
	// Call, where not nil, is told of each call of gRPC: /SERVICE/METHOD and what
	// gives a header of it. What it gives is told of the end: a code of gRPC, and
	// the model, where one was found.
	Call func(method string, header func(string) string) func(code int, model, version string)
	// Public are pages that are shown without a token and told to nobody, by
	// their patterns, as http.ServeMux has them.
	Public map[string]http.Handler
	// Aside are pages of those who look on, by their patterns, guarded by the
	// tokens. They take no place of MaxOpen, so that metrics can be had of a server
	// that is full and streams of events keep no prediction waiting; 128 are
	// answered at a time.
	Aside map[string]http.Handler

	MaxBody   int64         // most bytes of a body, decompressed; 8 MiB
	MaxRows   int           // most rows of a request; 10,000
	MaxRow    int           // most bytes of a row; 64 KiB
	MaxWait   time.Duration // for a request to come whole; 10 s
	MaxOpen   int           // requests at a time; 1,024
	MaxMemory int64         // bytes of all bodies at a time; 256 MiB

	// TLS, where not nil, has the certificate.
	TLS *tls.Config
	// Tokens, where there are any, are what a request must carry one of, as
	// "Authorization: Bearer TOKEN", but for /livez and /readyz.
	Tokens []string
	// Version is ctr's.
	Version string
	// Note, where not nil, is told of what whoever runs the server should know:
	// requests that ended in a panic, connections that can't be accepted, a log
	// that can't be written.
	Note func(text string)

	// more, for tests, are further pages under all the limits.
	more map[string]http.Handler
}

// mostBody is the largest MaxBody and MaxRow: a features.Reader's chunk.
const mostBody = 256<<20 - 1

// Validate reports every fault of the options.
func (o Options) Validate() error {
	o = o.withDefaults()
	var faults []string
	within := func(name string, v, low, high int64) {
		if v < low || v > high {
			faults = append(faults, fmt.Sprintf("%s %d: want %d..%d", name, v, low, high))
		}
	}
	within("max-body", o.MaxBody, 1, mostBody)
	within("max-rows", int64(o.MaxRows), 1, math.MaxInt32)
	within("max-row", int64(o.MaxRow), 1, mostBody)
	within("max-open", int64(o.MaxOpen), 1, math.MaxInt32)
	within("max-memory", o.MaxMemory, min(o.MaxBody, mostBody), math.MaxInt64)
	if o.MaxWait < time.Millisecond {
		faults = append(faults, fmt.Sprintf("max-wait %v: want 1ms or more", o.MaxWait))
	}
	if len(faults) > 0 {
		return &pipeline.OptionError{Faults: faults}
	}
	return nil
}

// Observer is told of what a Server does. Its methods are called by the
// goroutines of requests, many at a time, and must be quick.
type Observer interface {
	// Answered tells of a request: its route as OpenAPI names it, the status of
	// its answer, and how long it took from its first byte on.
	Answered(route string, status int, took time.Duration)
	// Scored tells of rows that a model has scored, before they are answered.
	// The Request is valid until Scored returns.
	Scored(m *Model, r *pipeline.Request, took time.Duration)
}

// withDefaults fills in what is zero.
func (o Options) withDefaults() Options {
	fill(&o.MaxBody, 8<<20)
	fill(&o.MaxRows, 10_000)
	fill(&o.MaxRow, 64<<10)
	fill(&o.MaxWait, 10*time.Second)
	fill(&o.MaxOpen, 1024)
	fill(&o.MaxMemory, 256<<20)
	return o
}

func fill[T comparable](p *T, otherwise T) {
	var zero T
	if *p == zero {
		*p = otherwise
	}
}
