package infer

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	_ "embed"
	"fmt"
	"math"
	"net/http/httptest"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"
)

//go:embed oip/oip.pb
var oipDescriptor []byte

// oip is the compiled oip.proto.
var oip = func() protoreflect.FileDescriptor {
	var set descriptorpb.FileDescriptorSet
	if err := proto.Unmarshal(oipDescriptor, &set); err != nil {
		panic(err)
	}
	files, err := protodesc.NewFiles(&set)
	if err != nil {
		panic(err)
	}
	f, err := files.FindFileByPath("oip.proto")
	if err != nil {
		panic(err)
	}
	return f
}()

// message gives one of oip.proto from its text.
func message(t testing.TB, name, text string) *dynamicpb.Message {
	t.Helper()
	m := dynamicpb.NewMessage(oip.Messages().ByName(protoreflect.Name(name)))
	if err := prototext.Unmarshal([]byte(text), m); err != nil {
		t.Fatal(err)
	}
	return m
}

// rpcSite is a client of a server's gRPC.
type rpcSite struct {
	t    testing.TB
	conn *grpc.ClientConn
	ctx  context.Context
}

func dial(t testing.TB, s *site, creds credentials.TransportCredentials) *rpcSite {
	t.Helper()
	conn, err := grpc.NewClient(s.GRPCAddr(), grpc.WithTransportCredentials(creds))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	t.Cleanup(cancel)
	return &rpcSite{t, conn, ctx}
}

// call calls a method and gives its answer as one line of text.
func (c *rpcSite) call(method, request string) (*dynamicpb.Message, error) {
	c.t.Helper()
	out := dynamicpb.NewMessage(oip.Messages().ByName(protoreflect.Name(method + "Response")))
	err := c.conn.Invoke(c.ctx, "/"+inferenceService+"/"+method, message(c.t, method+"Request", request), out)
	return out, err
}

// says wants an answer whose text, with single spaces, is want.
func (c *rpcSite) says(method, request, want string) {
	c.t.Helper()
	out, err := c.call(method, request)
	if err != nil {
		c.t.Errorf("%s %s: %v", method, request, err)
	} else if got := strings.Join(strings.Fields(prototext.MarshalOptions{}.Format(out)), " "); got != want {
		c.t.Errorf("%s %s: %s, want %s", method, request, got, want)
	}
}

func (c *rpcSite) refuses(method, request string, code codes.Code, want string) {
	c.t.Helper()
	_, err := c.call(method, request)
	if status.Code(err) != code || !strings.Contains(err.Error(), want) {
		c.t.Errorf("%s %.100s: %v, want %v %s", method, request, err, code, want)
	}
}

// inputs gives rows of shop as inputs of a message; raw puts them into
// raw_input_contents.
func inputs(rows string, raw bool) string {
	var b, after strings.Builder
	names := strings.Split(strings.TrimSpace(shopHeader), ",")
	lines := strings.Split(strings.TrimSpace(rows), "\n")
	for c, name := range names {
		kind, field := "BYTES", "bytes_contents"
		switch name {
		case "price":
			kind, field = "FP64", "fp64_contents"
		case "age":
			kind, field = "INT8", "int_contents"
		}
		fmt.Fprintf(&b, "inputs { name: %q datatype: %q shape: %d ", name, kind, len(lines))
		var data []byte
		if !raw {
			b.WriteString("contents {")
		}
		for _, line := range lines {
			v := strings.Split(line, ",")[c]
			switch {
			case raw && name == "price":
				x, _ := strconv.ParseFloat(v, 64)
				data = appendLE(data, math.Float64bits(x), 8)
			case raw && name == "age":
				x, _ := strconv.Atoi(v)
				data = append(data, byte(x))
			case raw:
				data = append(appendLE(data, uint64(len(v)), 4), v...)
			case kind == "BYTES":
				fmt.Fprintf(&b, " %s: %q", field, v)
			default:
				fmt.Fprintf(&b, " %s: %s", field, v)
			}
		}
		if raw {
			fmt.Fprintf(&after, "raw_input_contents: \"")
			for _, x := range data {
				fmt.Fprintf(&after, "\\x%02x", x)
			}
			after.WriteString("\" ")
		} else {
			b.WriteString("}")
		}
		b.WriteString("} ")
	}
	return b.String() + after.String()
}

func appendLE(dst []byte, x uint64, n int) []byte {
	for range n {
		dst = append(dst, byte(x))
		x >>= 8
	}
	return dst
}

// gRPC gives what /v1/score gives to the same rows, as contents or raw.
func TestRPCInferIsScore(t *testing.T) {
	t.Parallel()
	s := serve(t, Options{GRPC: "127.0.0.1:0"}, "m@1="+model(t, "lr"))
	c := dial(t, s, insecure.NewCredentials())
	rows := shopRows(20, 4)
	want := strings.Split(strings.TrimSpace(s.post("/v1/score", csvKind, rows).body), "\n")[1:]
	for _, raw := range []bool{false, true} {
		out, err := c.call("ModelInfer", `model_name: "m" id: "x" `+inputs(rows, raw))
		if err != nil {
			t.Fatal(err)
		}
		b, err := proto.Marshal(out)
		if err != nil {
			t.Fatal(err)
		}
		p, y, id := rpcOutputs(t, b)
		for i, line := range want {
			if got := fmt.Sprintf("%s,%s,%d", id[i], strconv.FormatFloat(p[i], 'g', -1, 64), y[i]); got != line {
				t.Errorf("raw %v: %s, want %s", raw, got, line)
			}
		}
		text := strings.Join(strings.Fields(prototext.MarshalOptions{}.Format(out)), " ")
		if !strings.HasPrefix(text, `model_name:"m" model_version:"1" id:"x" outputs:{name:"probability" datatype:"FP64" shape:20`) || strings.Contains(text, "raw_output_contents") != raw {
			t.Errorf("raw %v: %s", raw, text)
		}
	}
}

// rpcOutputs reads the three outputs of a ModelInferResponse.
func rpcOutputs(t *testing.T, b []byte) (p []float64, y []int64, id []string) {
	t.Helper()
	m := dynamicpb.NewMessage(oip.Messages().ByName("ModelInferResponse"))
	if err := proto.Unmarshal(b, m); err != nil {
		t.Fatal(err)
	}
	field := func(m protoreflect.Message, name string) protoreflect.Value {
		return m.Get(m.Descriptor().Fields().ByName(protoreflect.Name(name)))
	}
	list := field(m, "outputs").List()
	raws := field(m, "raw_output_contents").List()
	for i := range list.Len() {
		contents := field(list.Get(i).Message(), "contents").Message()
		if raws.Len() > 0 {
			raw := raws.Get(i).Bytes()
			for len(raw) > 0 {
				n := 8
				switch i {
				case 0:
					p = append(p, math.Float64frombits(number(raw[:8])))
				case 1:
					y = append(y, int64(number(raw[:8])))
				case 2:
					n = 4 + int(number(raw[:4]))
					id = append(id, string(raw[4:n]))
				}
				raw = raw[n:]
			}
			continue
		}
		for k := range field(contents, "fp64_contents").List().Len() {
			p = append(p, field(contents, "fp64_contents").List().Get(k).Float())
		}
		for k := range field(contents, "int64_contents").List().Len() {
			y = append(y, field(contents, "int64_contents").List().Get(k).Int())
		}
		for k := range field(contents, "bytes_contents").List().Len() {
			id = append(id, string(field(contents, "bytes_contents").List().Get(k).Bytes()))
		}
	}
	return p, y, id
}

func TestRPC(t *testing.T) {
	t.Parallel()
	s := serve(t, Options{GRPC: "127.0.0.1:0", MaxRows: 3, MaxRow: 100, MaxBody: 1 << 14}, "m@1="+model(t, "lr"), "n="+model(t, "narrow"))
	c := dial(t, s, insecure.NewCredentials())
	c.says("ServerLive", "", "live:true")
	c.says("ServerReady", "", "ready:true")
	c.says("ModelReady", `name: "m"`, "ready:true")
	c.says("ModelReady", `name: "m" version: "1"`, "ready:true")
	c.says("ModelReady", `name: "m" version: "2"`, "")
	c.says("ServerMetadata", "", `name:"ctr" version:"test" extensions:"binary_tensor_data" extensions:"model_repository"`)
	c.says("ModelMetadata", `name: "n"`, `name:"n" versions:"`+s.o.Registry.Find("n", "").Hash+`" platform:"ctr_lr" `+
		`inputs:{name:"site" datatype:"BYTES" shape:-1} inputs:{name:"request_id" datatype:"BYTES" shape:-1} inputs:{name:"bought" datatype:"INT64" shape:-1} `+
		`outputs:{name:"probability" datatype:"FP64" shape:-1} outputs:{name:"prediction" datatype:"INT64" shape:-1} outputs:{name:"id" datatype:"BYTES" shape:-1}`)
	c.says("RepositoryIndex", "", `models:{name:"m" version:"1" state:"READY"} models:{name:"n" version:"`+s.o.Registry.Find("n", "").Hash+`" state:"READY"}`)
	c.refuses("ModelMetadata", `name: "x"`, codes.NotFound, `model "x": not served here`)
	f := func(request string, code codes.Code, want string) {
		t.Helper()
		c.refuses("ModelInfer", `model_name: "n" `+request, code, want)
	}
	site := `inputs { name: "site" datatype: "BYTES" shape: 1 contents { bytes_contents: "s1" } } `
	c.refuses("ModelInfer", `model_name: "n" model_version: "9" `+site, codes.NotFound, `model "n@9"`)
	f(``, codes.InvalidArgument, `input "site": missing`)
	f(`inputs { datatype: "BYTES" shape: 0 }`, codes.InvalidArgument, "without a name")
	f(`inputs { name: "site" datatype: "BYTES" shape: 4 contents { bytes_contents: ["a", "b", "c", "d"] } }`, codes.ResourceExhausted, "too many rows: want 3")
	f(`inputs { name: "site" datatype: "BYTES" contents { bytes_contents: "a" } }`, codes.InvalidArgument, wantShape)
	f(`inputs { name: "site" datatype: "BYTES" shape: -1 contents { bytes_contents: "a" } }`, codes.InvalidArgument, wantShape)
	f(`inputs { name: "site" datatype: "INT8" shape: 1 contents { int_contents: 200 } }`, codes.InvalidArgument, "want INT8")
	f(`inputs { name: "site" datatype: "INT64" shape: 1 contents { int_contents: 20 } }`, codes.InvalidArgument, "contents of another datatype: want INT64")
	f(`inputs { name: "site" datatype: "FP16" shape: 0 }`, codes.InvalidArgument, "contents of another datatype: want FP16")
	f(`inputs { name: "site" shape: 1 contents { int_contents: 20 } }`, codes.InvalidArgument, "datatype")
	f(site+`raw_input_contents: "\x01\x00\x00\x00a"`, codes.InvalidArgument, "want one of them")
	f(site+`raw_input_contents: "" raw_input_contents: ""`, codes.InvalidArgument, "raw_input_contents of 2 inputs: want 1")
	f(site+`outputs { name: "p" }`, codes.InvalidArgument, `output "p"`)
	f(site+`outputs { name: "id" } outputs { name: "id" }`, codes.InvalidArgument, `twice`)
	f(`inputs { name: "site" datatype: "BYTES" shape: 1 parameters { key: "shared_memory_region" value { string_param: "a" } } }`, codes.InvalidArgument, "not supported")
	f(`inputs { name: "site" datatype: "BYTES" shape: 1 contents { bytes_contents: "`+strings.Repeat("a", 101)+`" } }`, codes.InvalidArgument, "too long")
	f(`id: "`+strings.Repeat("a", 1<<14)+`"`, codes.ResourceExhausted, "larger than max")
	ask := func(input string) string {
		t.Helper()
		out, err := c.call("ModelInfer", `model_name: "n" outputs { name: "probability" } `+input)
		if err != nil {
			t.Fatal(err)
		}
		return strings.Join(strings.Fields(prototext.MarshalOptions{}.Format(out)), " ")
	}
	want := ask(site)
	if !strings.Contains(want, "fp64_contents:0.") {
		t.Error(want)
	}
	if got := ask(`inputs { name: "site" datatype: "BYTES" shape: [1, 1] parameters { key: "content_type" value { string_param: "base64" } } contents { bytes_contents: "czE=" } }`); got != want {
		t.Errorf("%s, want %s", got, want)
	}
	var header metadata.MD
	out := dynamicpb.NewMessage(oip.Messages().ByName("ModelInferResponse"))
	if err := c.conn.Invoke(c.ctx, "/"+inferenceService+"/ModelInfer", message(t, "ModelInferRequest", `model_name: "n" `+site), out, grpc.UseCompressor("gzip"), grpc.Header(&header)); err != nil {
		t.Error(err)
	}
	// Health, and the end.
	h := healthpb.NewHealthClient(c.conn)
	check := func(service string, want healthpb.HealthCheckResponse_ServingStatus) {
		t.Helper()
		if got, err := h.Check(c.ctx, &healthpb.HealthCheckRequest{Service: service}); err != nil || got.GetStatus() != want {
			t.Errorf("%q: %v %v, want %v", service, got, err, want)
		}
	}
	check("", healthpb.HealthCheckResponse_SERVING)
	check(inferenceService, healthpb.HealthCheckResponse_SERVING)
	if _, err := h.Check(c.ctx, &healthpb.HealthCheckRequest{Service: "x"}); status.Code(err) != codes.NotFound {
		t.Error(err)
	}
	s.Drain()
	check("", healthpb.HealthCheckResponse_NOT_SERVING)
	c.says("ServerReady", "", "")
	c.says("ModelReady", `name: "m"`, "ready:true")
}

// Tokens, TLS and the number of open requests guard gRPC as they guard HTTP.
func TestRPCGuards(t *testing.T) {
	t.Parallel()
	web := httptest.NewUnstartedServer(nil)
	web.StartTLS()
	defer web.Close()
	pool := x509.NewCertPool()
	pool.AddCert(web.Certificate())
	s := serve(t, Options{GRPC: "127.0.0.1:0", Tokens: []string{"secret"}, TLS: &tls.Config{Certificates: web.TLS.Certificates, MinVersion: tls.VersionTLS12}}, model(t, "lr"))
	c := dial(t, s, credentials.NewTLS(&tls.Config{RootCAs: pool, ServerName: "example.com", MinVersion: tls.VersionTLS12}))
	c.refuses("ServerLive", "", codes.Unauthenticated, "Bearer")
	ctx := c.ctx
	c.ctx = metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer wrong")
	c.refuses("ModelInfer", "", codes.Unauthenticated, "Bearer")
	c.ctx = metadata.AppendToOutgoingContext(ctx, "Authorization", "bearer secret")
	c.says("ServerLive", "", "live:true")
	if _, err := healthpb.NewHealthClient(c.conn).Check(ctx, &healthpb.HealthCheckRequest{}); err != nil {
		t.Error(err)
	}

	// A call that does not come whole is given up, and its place is free again.
	o := Options{GRPC: "127.0.0.1:0", MaxOpen: 1, MaxWait: 2 * time.Second} // a busy machine asks late
	s = serve(t, o, model(t, "lr"))
	c = dial(t, s, insecure.NewCredentials())
	c.says("ServerLive", "", "live:true")
	slow, err := c.conn.NewStream(c.ctx, &grpc.StreamDesc{ClientStreams: true}, "/"+inferenceService+"/ModelInfer")
	if err != nil {
		t.Fatal(err)
	}
	for s.open.Load() == 0 {
		time.Sleep(time.Millisecond)
	}
	dial(t, s, insecure.NewCredentials()).refuses("ServerLive", "", codes.ResourceExhausted, "1 requests are being answered")
	if err := slow.RecvMsg(dynamicpb.NewMessage(oip.Messages().ByName("ModelInferResponse"))); err == nil || status.Code(err) == codes.Unknown {
		t.Errorf("a call without a message: %v", err)
	}
	for s.open.Load() != 0 {
		time.Sleep(time.Millisecond)
	}
	c.says("ServerLive", "", "live:true")
	if _, err := Listen(Options{Listen: "127.0.0.1:0", GRPC: s.GRPCAddr(), Registry: s.o.Registry}); err == nil || !strings.Contains(err.Error(), "another program is listening there") {
		t.Error(err)
	}
}

// Whoever traces is told of each call's end, with the model that it was for.
func TestRPCCall(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var told []string
	s := serve(t, Options{GRPC: "127.0.0.1:0", Call: func(method string, header func(string) string) func(int, string, string) {
		parent := header("traceparent")
		return func(code int, model, version string) {
			mu.Lock()
			defer mu.Unlock()
			told = append(told, fmt.Sprintf("%s of %q: %d %s@%s", path.Base(method), parent, code, model, version))
		}
	}}, "m@1="+model(t, "lr"))
	c := dial(t, s, insecure.NewCredentials())
	c.ctx = metadata.AppendToOutgoingContext(c.ctx, "traceparent", "00-0af7-01")
	if _, err := c.call("ModelInfer", `model_name: "m" `+inputs(shopRows(1, 1), false)); err != nil {
		t.Fatal(err)
	}
	c.refuses("ModelInfer", `model_name: "x"`, codes.NotFound, "not served here")
	c.says("ServerLive", "", "live:true")
	mu.Lock()
	defer mu.Unlock()
	want := []string{`ModelInfer of "00-0af7-01": 0 m@1`, `ModelInfer of "00-0af7-01": 5 @`, `ServerLive of "00-0af7-01": 0 @`}
	if !slices.Equal(told, want) {
		t.Errorf("told %q, want %q", told, want)
	}
}
