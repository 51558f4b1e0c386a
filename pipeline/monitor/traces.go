package monitor

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"path"
	"strings"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"ctr/pipeline"
)

// batchSpans is how many batches of a stream get a span a second at most: each
// has a thousand records, and there may be a thousand batches.
const batchSpans = 20

// TraceOptions are the settings of a Tracer.
type TraceOptions struct {
	// URL is where spans are sent by OTLP over HTTP; without a path it is that of
	// the protocol, /v1/traces.
	URL string
	// Version is ctr's.
	Version string
	// Note, where not nil, is told that spans could not be sent, once until they
	// can be again.
	Note func(string)
}

// Tracer sends spans of requests and of batches to an OpenTelemetry collector.
// What the collector does not take is dropped: scoring never waits for it.
// OpenTelemetry's own environment variables set the rest, such as
// OTEL_EXPORTER_OTLP_HEADERS and OTEL_TRACES_SAMPLER.
type Tracer struct {
	provider *sdk.TracerProvider
	tracer   trace.Tracer
	second   atomic.Int64 // of left
	left     atomic.Int64 // batches that may still have a span
}

// NewTracer begins to send; Close ends it.
func NewTracer(o TraceOptions) (*Tracer, error) {
	u, err := url.Parse(o.URL)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, fmt.Errorf("otlp %s: want a URL such as http://localhost:4318", o.URL)
	}
	if u.Path == "" || u.Path == "/" {
		u.Path = "/v1/traces"
	}
	out, err := otlptracehttp.New(context.Background(), otlptracehttp.WithEndpointURL(u.String()))
	if err != nil {
		return nil, fmt.Errorf("otlp %s: %w", o.URL, err)
	}
	what, err := resource.Merge(resource.NewSchemaless(
		attribute.String("service.name", "ctr"), attribute.String("service.version", o.Version)), resource.Environment())
	if err != nil {
		return nil, fmt.Errorf("otlp %s: %w", o.URL, err)
	}
	p := sdk.NewTracerProvider(sdk.WithBatcher(&noting{SpanExporter: out, note: o.Note}), sdk.WithResource(what))
	// Faults are told by noting; the default would print them.
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(error) {}))
	return &Tracer{provider: p, tracer: p.Tracer("ctr")}, nil
}

// noting tells once that spans can't be sent.
type noting struct {
	sdk.SpanExporter
	note func(string)
	told atomic.Bool
}

// ExportSpans implements the exporter.
func (n *noting) ExportSpans(ctx context.Context, spans []sdk.ReadOnlySpan) error {
	err := n.SpanExporter.ExportSpans(ctx, spans)
	switch {
	case err == nil:
		n.told.Store(false)
	case n.note != nil && !errors.Is(err, context.Canceled) && n.told.CompareAndSwap(false, true):
		n.note(fmt.Sprintf("traces: %v", err))
	}
	return err
}

// Close sends what is left, until ctx ends.
func (t *Tracer) Close(ctx context.Context) error { return t.provider.Shutdown(ctx) }

// Wrap gives requests for predictions a span each, a child of the one that their
// traceparent header names.
func (t *Tracer) Wrap(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		if !scoring(q.URL.Path) {
			next.ServeHTTP(w, q)
			return
		}
		ctx := propagation.TraceContext{}.Extract(q.Context(), propagation.HeaderCarrier(q.Header))
		ctx, span := t.tracer.Start(ctx, q.Method, trace.WithSpanKind(trace.SpanKindServer))
		defer span.End()
		q = q.WithContext(ctx)
		seen := &statusWriter{ResponseWriter: w, status: http.StatusOK}
		next.ServeHTTP(seen, q)
		if q.Pattern != "" {
			span.SetName(q.Pattern)
		}
		span.SetAttributes(
			attribute.String("http.request.method", q.Method), attribute.String("url.path", q.URL.Path),
			attribute.Int("http.response.status_code", seen.status), attribute.Int64("http.request.body.size", q.ContentLength),
			attribute.String("ctr.model", w.Header().Get("Ctr-Model")), attribute.String("ctr.model.version", w.Header().Get("Ctr-Model-Version")),
		)
		if seen.status >= http.StatusInternalServerError {
			span.SetStatus(codes.Error, http.StatusText(seen.status))
		}
	})
}

// Call gives calls of gRPC for predictions a span each, a child of the one that
// their traceparent names. It is what infer.Options.Call wants.
func (t *Tracer) Call(method string, header func(string) string) func(code int, model, version string) {
	if !strings.HasSuffix(method, "/ModelInfer") {
		return func(int, string, string) {}
	}
	ctx := propagation.TraceContext{}.Extract(context.Background(), headers(header))
	name := strings.TrimPrefix(method, "/")
	_, span := t.tracer.Start(ctx, name, trace.WithSpanKind(trace.SpanKindServer))
	return func(code int, model, version string) {
		defer span.End()
		span.SetAttributes(
			attribute.String("rpc.system", "grpc"), attribute.String("rpc.service", path.Dir(name)), attribute.String("rpc.method", path.Base(name)),
			attribute.Int("rpc.grpc.status_code", code),
			attribute.String("ctr.model", model), attribute.String("ctr.model.version", version),
		)
		if code == rpcInternal {
			span.SetStatus(codes.Error, "internal error")
		}
	}
}

// rpcInternal is gRPC's code of a fault of the server.
const rpcInternal = 13

// headers are those of a call, to be read.
type headers func(name string) string

// Get implements propagation.TextMapCarrier.
func (h headers) Get(name string) string { return h(name) }

// Set implements propagation.TextMapCarrier: nothing is written.
func (headers) Set(string, string) {}

// Keys implements propagation.TextMapCarrier.
func (headers) Keys() []string { return nil }

// statusWriter sees the status of an answer.
type statusWriter struct {
	http.ResponseWriter
	status int
}

// WriteHeader implements http.ResponseWriter.
func (w *statusWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

// Unwrap gives the writer to http.ResponseController.
func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// Watch gives pipeline.ScoreOptions.Watch: watchers of next, which may be nil,
// whose batches have spans too, at most 20 a second.
func (t *Tracer) Watch(next func() pipeline.Watcher) func() pipeline.Watcher {
	return func() pipeline.Watcher {
		w := &tracedThread{t: t}
		if next != nil {
			w.next = next()
		}
		return w
	}
}

type tracedThread struct {
	t    *Tracer
	next pipeline.Watcher
}

// Scored implements pipeline.Watcher.
func (w *tracedThread) Scored(b *pipeline.Batch) {
	if w.next != nil {
		w.next.Scored(b)
	}
	now := time.Now()
	if b.Scored.IsZero() || !w.t.may(now.Unix()) {
		return
	}
	_, span := w.t.tracer.Start(context.Background(), "score "+b.Assignment.Topic,
		trace.WithSpanKind(trace.SpanKindConsumer), trace.WithTimestamp(b.Scored), trace.WithAttributes(
			attribute.String("messaging.system", "kafka"), attribute.String("messaging.destination.name", b.Assignment.Topic),
			attribute.Int("messaging.destination.partition.id", int(b.Assignment.Partition)),
			attribute.Int("messaging.batch.message_count", b.Len()), attribute.Int("ctr.bad", len(b.Bad)),
			attribute.Int64("messaging.kafka.offset", b.Records[0].Offset)))
	span.End(trace.WithTimestamp(now))
}

// may reports whether one more batch of a second may have a span.
func (t *Tracer) may(second int64) bool {
	if old := t.second.Load(); old != second && t.second.CompareAndSwap(old, second) {
		t.left.Store(batchSpans)
	}
	return t.left.Add(-1) >= 0
}
