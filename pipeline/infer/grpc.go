package infer

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"runtime"
	"runtime/debug"
	"strings"
	"syscall"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	_ "google.golang.org/grpc/encoding/gzip" // so that clients may compress
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/tap"
	"google.golang.org/protobuf/encoding/protowire"

	"ctr/features"
)

// The Open Inference Protocol over gRPC (oip/oip.proto), and the standard
// health service. Messages are read and written by hand (grpcread.go,
// grpcanswer.go): grpc sees bytes.

// inferenceService and healthService are the names of the services.
const (
	inferenceService = "inference.GRPCInferenceService"
	healthService    = "grpc.health.v1.Health"
)

// call is a request and its answer, as the bytes of their messages.
type call struct {
	buffer  mem.Buffer // of in
	in, out []byte
	model   *Model // that was called, once it is known
}

// rpc answers a call, or gives what is wrong.
type rpc func(c *call) *fault

// callCodec hands the bytes of messages on. It is named as protobuf's codec,
// whose bytes they are.
type callCodec struct{}

func (callCodec) Name() string { return "proto" }

func (callCodec) Marshal(v any) (mem.BufferSlice, error) {
	return mem.BufferSlice{mem.SliceBuffer(v.(*call).out)}, nil
}

func (callCodec) Unmarshal(data mem.BufferSlice, v any) error {
	c := v.(*call)
	c.buffer = data.MaterializeToBuffer(mem.DefaultBufferPool()) // no copy where data is one piece
	c.in = c.buffer.ReadOnlyData()
	return nil
}

// listenGRPC begins to answer at Options.GRPC.
func (s *Server) listenGRPC() error {
	l, err := net.Listen("tcp", s.o.GRPC)
	if errors.Is(err, syscall.EADDRINUSE) {
		return features.WithHint(fmt.Errorf("grpc %s: another program is listening there", s.o.GRPC),
			"--grpc HOST:PORT chooses another address")
	}
	if err != nil {
		return fmt.Errorf("grpc %s: %w", s.o.GRPC, err)
	}
	s.rpcListen, s.grpc = l, s.newGRPC()
	go func() {
		if err := s.grpc.Serve(l); err != nil {
			s.served <- fmt.Errorf("grpc %s: %w", l.Addr(), err)
		}
	}()
	return nil
}

func (s *Server) newGRPC() *grpc.Server {
	options := []grpc.ServerOption{
		grpc.ForceServerCodecV2(callCodec{}),
		grpc.InTapHandle(s.tap),
		grpc.MaxRecvMsgSize(int(s.o.MaxBody)), // decompressed
		grpc.MaxHeaderListSize(32 << 10),
		grpc.MaxConcurrentStreams(uint32(min(s.o.MaxOpen, 1<<20))),
		grpc.ConnectionTimeout(min(5*time.Second, s.o.MaxWait)),
		grpc.NumStreamWorkers(uint32(runtime.GOMAXPROCS(0))), // goroutines whose stacks have grown already
		grpc.WaitForHandlers(true),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: 10 * time.Second, PermitWithoutStream: true}),
		grpc.KeepaliveParams(keepalive.ServerParameters{Time: 2 * time.Minute}),
	}
	if s.o.TLS != nil {
		options = append(options, grpc.Creds(credentials.NewTLS(s.o.TLS)))
	}
	g := grpc.NewServer(options...)
	g.RegisterService(&grpc.ServiceDesc{ServiceName: inferenceService, Methods: []grpc.MethodDesc{
		s.method(inferenceService, "ServerLive", true, func(c *call) *fault { c.out = appendTrue(nil, 1); return nil }),
		s.method(inferenceService, "ServerReady", true, s.rpcServerReady),
		s.method(inferenceService, "ModelReady", true, s.rpcModelReady),
		s.method(inferenceService, "ServerMetadata", true, func(c *call) *fault { c.out = s.about().appendMessage(nil); return nil }),
		s.method(inferenceService, "ModelMetadata", true, s.rpcModelMetadata),
		s.method(inferenceService, "ModelInfer", true, s.rpcModelInfer),
		s.method(inferenceService, "RepositoryIndex", true, s.rpcRepositoryIndex),
	}}, nil)
	g.RegisterService(&grpc.ServiceDesc{ServiceName: healthService, Methods: []grpc.MethodDesc{
		s.method(healthService, "Check", false, s.rpcHealth),
	}}, nil)
	return g
}

// tap bounds the requests that are open, from their headers on, and the time
// that each has to come whole.
func (s *Server) tap(ctx context.Context, _ *tap.Info) (context.Context, error) {
	if s.open.Add(1) > int64(s.o.MaxOpen) {
		s.open.Add(-1)
		return ctx, s.tooManyOpen().rpcError()
	}
	ctx, cancel := context.WithTimeout(ctx, s.o.MaxWait)
	context.AfterFunc(ctx, func() {
		cancel()
		s.open.Add(-1)
	})
	return ctx, nil
}

func (s *Server) tooManyOpen() *fault {
	return busy(fmt.Sprintf("%d requests are being answered", s.o.MaxOpen))
}

// method adds a page, as Server.handle does for HTTP.
func (s *Server) method(service, name string, guarded bool, h rpc) grpc.MethodDesc {
	route := "/" + service + "/" + name
	return grpc.MethodDesc{MethodName: name, Handler: func(_ any, ctx context.Context, decode func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
		began := time.Now()
		c := new(call)
		if err := decode(c); err != nil {
			return nil, err
		}
		end := func(*fault) {}
		if s.o.Call != nil {
			end = s.traced(ctx, route, c)
		}
		f := s.called(ctx, route, guarded, c, h)
		c.buffer.Free()
		end(f)
		code := http.StatusOK
		if f != nil {
			code = f.status
		}
		if s.o.Observer != nil {
			s.o.Observer.Answered(route, code, time.Since(began))
			s.refused(route, f)
		}
		if f != nil {
			return nil, f.rpcError()
		}
		return c, nil
	}}
}

// traced tells Options.Call of a call; what it gives tells of its end.
func (s *Server) traced(ctx context.Context, route string, c *call) func(*fault) {
	end := s.o.Call(route, func(name string) string {
		return strings.Join(metadata.ValueFromIncomingContext(ctx, name), ",")
	})
	return func(f *fault) {
		code, name, version := codes.OK, "", ""
		if f != nil {
			code = rpcCode(f.status)
		}
		if c.model != nil {
			name, version = c.model.Name, c.model.Version
		}
		end(int(code), name, version)
	}
}

func (s *Server) called(ctx context.Context, route string, guarded bool, c *call, h rpc) (f *fault) {
	if guarded && s.tokens != nil && !s.authorized(ctx) {
		return &fault{status: http.StatusUnauthorized, text: "want authorization: Bearer with a token that this server knows"}
	}
	if most := int64(len(c.in)) - freeBytes; most > 0 {
		if !s.memory.take(most) {
			return busy("other requests fill the memory")
		}
		defer s.memory.give(most)
	}
	defer func() {
		if p := recover(); p != nil {
			s.o.Note(fmt.Sprintf("a bug: %s: panic: %v\n%s", route, p, debug.Stack()))
			f = &fault{status: http.StatusInternalServerError, text: "internal error: what is behind it has been logged"}
		}
	}()
	return h(c)
}

// authorized reports whether a call carries a token.
func (s *Server) authorized(ctx context.Context) bool {
	for _, v := range metadata.ValueFromIncomingContext(ctx, "authorization") {
		if s.knows(v) {
			return true
		}
	}
	return false
}

// rpcError gives a fault as gRPC's.
func (f *fault) rpcError() error { return status.Error(rpcCode(f.status), f.text) }

// rpcCode gives the code for a status of HTTP.
func rpcCode(code int) codes.Code {
	switch code {
	case http.StatusUnauthorized:
		return codes.Unauthenticated
	case http.StatusNotFound:
		return codes.NotFound
	case http.StatusRequestEntityTooLarge, http.StatusTooManyRequests:
		return codes.ResourceExhausted
	case http.StatusServiceUnavailable:
		return codes.Unavailable
	case http.StatusInternalServerError:
		return codes.Internal
	}
	return codes.InvalidArgument
}

func (s *Server) rpcServerReady(c *call) *fault {
	if !s.draining.Load() {
		c.out = appendTrue(nil, 1)
	}
	return nil
}

// modelCalled finds the model of a name and, where it is not empty, a version.
func (s *Server) modelCalled(name, version []byte) (*Model, *fault) {
	if m := s.o.Registry.Find(string(name), string(version)); m != nil {
		return m, nil
	}
	id := string(name)
	if len(version) > 0 {
		id += "@" + string(version)
	}
	return nil, &fault{status: http.StatusNotFound, text: fmt.Sprintf("model %.80q: not served here; RepositoryIndex lists those that are", id)}
}

func (s *Server) rpcModelReady(c *call) *fault {
	var r named
	if f := r.read(c.in); f != nil {
		return f
	}
	if m, _ := s.modelCalled(r.name, r.version); m != nil {
		c.out = appendTrue(nil, 1)
	}
	return nil
}

func (s *Server) rpcModelMetadata(c *call) *fault {
	var r named
	if f := r.read(c.in); f != nil {
		return f
	}
	m, f := s.modelCalled(r.name, r.version)
	if f != nil {
		return f
	}
	c.out = s.describe(m).appendMessage(nil)
	return nil
}

func (s *Server) rpcModelInfer(c *call) *fault {
	q := newInference(limits{s.o.MaxRows, s.o.MaxRow})
	defer q.free()
	if f := q.readMessage(c.in); f != nil {
		return f
	}
	m, f := s.modelCalled(q.model, q.version)
	if f != nil {
		return f
	}
	c.model = m
	r := m.Get()
	defer m.Put(r)
	if f := s.scoreInference(m, r, q); f != nil {
		return f
	}
	c.out = q.appendResponse(make([]byte, 0, 256+24*len(r.P)), m, r)
	return nil
}

func (s *Server) rpcRepositoryIndex(c *call) *fault {
	for _, m := range s.index() {
		c.out = appendNested(c.out, 1, m.appendMessage)
	}
	return nil
}

// rpcHealth answers grpc.health.v1.Health/Check: 1 is SERVING, 2 NOT_SERVING.
func (s *Server) rpcHealth(c *call) *fault {
	var r named
	if f := r.read(c.in); f != nil {
		return f
	}
	if service := string(r.name); service != "" && service != inferenceService {
		return &fault{status: http.StatusNotFound, text: fmt.Sprintf("service %.80q: not here", service)}
	}
	state := byte(1)
	if s.draining.Load() {
		state = 2
	}
	c.out = append(protowire.AppendTag(nil, 1, protowire.VarintType), state)
	return nil
}

// GRPCAddr gives the address where gRPC is answered, HOST:PORT; "" where it is
// not.
func (s *Server) GRPCAddr() string {
	if s.rpcListen == nil {
		return ""
	}
	return s.rpcListen.Addr().String()
}

// closeGRPC waits for the calls that are under way until ctx ends.
func (s *Server) closeGRPC(ctx context.Context) error {
	if s.grpc == nil {
		return nil
	}
	done := make(chan struct{})
	go func() {
		s.grpc.GracefulStop()
		close(done)
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		s.grpc.Stop()
		<-done
		return fmt.Errorf("calls were under way: %w", ctx.Err())
	}
}
