package monitor

import (
	"context"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	collectorpb "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	spanpb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"ctr/pipeline"
)

// collecting is an OTLP collector that keeps spans.
type collecting struct {
	*httptest.Server
	mu    sync.Mutex
	spans []*spanpb.Span
}

func newCollecting(t *testing.T) *collecting {
	t.Helper()
	c := &collecting{}
	c.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		body, err := io.ReadAll(q.Body)
		var got collectorpb.ExportTraceServiceRequest
		if err != nil || q.URL.Path != "/v1/traces" || proto.Unmarshal(body, &got) != nil {
			t.Errorf("%s: %d bytes, %v", q.URL.Path, len(body), err)
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		for _, r := range got.GetResourceSpans() {
			for _, s := range r.GetScopeSpans() {
				c.spans = append(c.spans, s.GetSpans()...)
			}
		}
	}))
	t.Cleanup(c.Server.Close)
	return c
}

func TestTracesOfRequests(t *testing.T) {
	c := newCollecting(t)
	tr, err := NewTracer(TraceOptions{URL: c.URL, Version: "test"})
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/models/{name}/score", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Ctr-Model", "lr")
		w.WriteHeader(http.StatusTooManyRequests)
	})
	mux.HandleFunc("GET /livez", func(http.ResponseWriter, *http.Request) {})
	h := tr.Wrap(mux)
	q := httptest.NewRequest(http.MethodPost, "/v1/models/a/score", http.NoBody)
	q.Header.Set("Traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
	w := httptest.NewRecorder()
	h.ServeHTTP(w, q)
	h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/livez", http.NoBody))
	if err := tr.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	if w.Code != http.StatusTooManyRequests || len(c.spans) != 1 {
		t.Fatalf("status %d, %d spans: want 429 and one, of the request for predictions", w.Code, len(c.spans))
	}
	s := c.spans[0]
	if s.GetName() != "POST /v1/models/{name}/score" || len(s.GetParentSpanId()) != 8 || s.GetTraceId()[0] != 0x0a {
		t.Errorf("span %s of %x in %x: want the route's, in the trace that the request names", s.GetName(), s.GetParentSpanId(), s.GetTraceId())
	}
	text := s.String()
	for _, want := range []string{"429", "lr"} {
		if !strings.Contains(text, want) {
			t.Errorf("%s: want %s in it", text, want)
		}
	}
}

func TestTracesOfCalls(t *testing.T) {
	c := newCollecting(t)
	tr, err := NewTracer(TraceOptions{URL: c.URL, Version: "test"})
	if err != nil {
		t.Fatal(err)
	}
	headers := map[string]string{"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}
	header := func(name string) string { return headers[name] }
	tr.Call("/inference.GRPCInferenceService/ModelInfer", header)(8, "lr", "2")
	tr.Call("/inference.GRPCInferenceService/ServerLive", header)(0, "", "")
	if err := tr.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	if len(c.spans) != 1 {
		t.Fatalf("%d spans: want one, of the call for predictions", len(c.spans))
	}
	s := c.spans[0]
	if s.GetName() != "inference.GRPCInferenceService/ModelInfer" || len(s.GetParentSpanId()) != 8 || s.GetTraceId()[0] != 0x0a {
		t.Errorf("span %s of %x in %x: want the method's, in the trace that the call names", s.GetName(), s.GetParentSpanId(), s.GetTraceId())
	}
	got := map[string]string{}
	for _, a := range s.GetAttributes() {
		got[a.GetKey()] = strings.Trim(strings.SplitN(a.GetValue().String(), ":", 2)[1], `"`)
	}
	want := map[string]string{
		"rpc.system": "grpc", "rpc.service": "inference.GRPCInferenceService", "rpc.method": "ModelInfer",
		"rpc.grpc.status_code": "8", "ctr.model": "lr", "ctr.model.version": "2",
	}
	if !maps.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

func TestTracesOfBatchesAreBounded(t *testing.T) {
	c, f, now := newCollecting(t), fixtureOf(t), newClock()
	tr, err := NewTracer(TraceOptions{URL: c.URL})
	if err != nil {
		t.Fatal(err)
	}
	m, scorer, watch := topic(t, now)
	traced := tr.Watch(func() pipeline.Watcher { return watch })()
	b := batchOf(f.lines[:20], now.now())
	scorer.Score(b)
	began := time.Now()
	for range 300 {
		traced.Scored(b)
	}
	seconds := int(time.Since(began).Seconds()) + 2
	if err := tr.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	if n := len(c.spans); n < batchSpans || n > seconds*batchSpans {
		t.Errorf("%d spans of 300 batches in %d seconds: want %d a second", n, seconds, batchSpans)
	}
	if v := m.Live(); v.Totals.Rows != 300*20 {
		t.Errorf("%d rows: want all counted", v.Totals.Rows)
	}
	if s := c.spans[0]; s.GetName() != "score clicks" || s.GetEndTimeUnixNano() <= s.GetStartTimeUnixNano() {
		t.Errorf("span %v", s)
	}
}

// A collector that is not there is told of once.
func TestTracesAreNotWaitedFor(t *testing.T) {
	c := newCollecting(t)
	c.Server.Close()
	var notes []string
	tr, err := NewTracer(TraceOptions{URL: c.URL, Note: func(s string) { notes = append(notes, s) }})
	if err != nil {
		t.Fatal(err)
	}
	h := tr.Wrap(http.NotFoundHandler())
	began := time.Now()
	for range 3 {
		h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodPost, "/v1/score", http.NoBody))
	}
	if took := time.Since(began); took > time.Second {
		t.Errorf("requests took %v", took)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
	defer cancel()
	_ = tr.Close(ctx)
	if len(notes) != 1 || !strings.HasPrefix(notes[0], "traces: ") {
		t.Errorf("notes %q: want one", notes)
	}
	for _, bad := range []string{"localhost:4318", "ftp://x", "http://", "%"} {
		if _, err := NewTracer(TraceOptions{URL: bad}); err == nil {
			t.Errorf("%s: no error", bad)
		}
	}
}
