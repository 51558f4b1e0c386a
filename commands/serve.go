package commands

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/urfave/cli/v2"

	"ctr/pipeline"
	"ctr/pipeline/infer"
)

// tokensVariable has tokens separated by commas or white space.
const tokensVariable = "CTR_SERVE_TOKENS"

// serveOptions are the flags of ctr serve.
type serveOptions struct {
	common
	infer.Options

	models     []string
	threshold  *float64
	redact     []string
	challenger string
	share      float64
	shadow     bool
	shadowLog  string
	cert, key  string
	tokenFile  string
	otlp       string
	every      time.Duration // between looks at the model files
	drain      time.Duration
}

func serveCommand(s *stdio) *cli.Command {
	o := serveOptions{every: time.Second, Options: infer.Options{MaxWait: 10 * time.Second}}
	return &cli.Command{
		Name: "serve", Usage: "scores rows that come over HTTP",
		UsageText: `ctr serve
			ctr serve --model lr.ctr,trees=gbdt.ctr --listen :8080
			ctr serve --model lr.ctr --challenger new=gbdt.ctr --shadow
			curl -d '{"hour":"14102100","site_id":"1fbe01fe",…}' 127.0.0.1:8080/v1/score
			curl --data-binary @rows.csv 127.0.0.1:8080/v1/score`,
		Description: "POST /v1/score takes a row as a JSON object, an array of them, JSON lines or CSV, by Content-Type, and answers in kind with id, probability and prediction; ?explain=true adds what each column contributes. /v1/models/NAME/score asks one model of several, and /v1/models lists them. /openapi.json describes all of it, /livez and /readyz say how the process is. /v2 and --grpc are the Open Inference Protocol: clients of KServe, Triton and MLServer work with it.\n\n" +
			"A model file that changes is loaded and checked, and answers from then on; a broken one is refused and the one before goes on. SIGHUP loads all at once. A model with history (ctr train --history) counts the rows of all requests, from where training ended; what it counted is not saved, and it begins there again when the process or the model begins anew.\n\n" +
			"Without --listen it is to be reached from this machine alone. To open it to others, give it --tls-cert, --tls-key and tokens: " + tokensVariable + " has them, or --token-file names a file with one a line; clients send Authorization: Bearer TOKEN.",
		Flags: flags(
			group("Models",
				listFlag(&o.models, "model", "the model `FILE`s, each as FILE, NAME=FILE or NAME@VERSION=FILE; the first answers where no name is asked for (default model.ctr)"),
				optionalFloatFlag(&o.threshold, 0, 1, "threshold", "predict a click above `X`; each model's own by default"),
				durationFlag(&o.every, "reload-every", "look for changed model files every `TIME`"),
				stringFlag(&o.challenger, "challenger", "a further model, NAME=`FILE`, to set against the first"),
				floatFlag(&o.share, 0, 1, "challenger-share", "`SHARE` of the requests without a name that the challenger answers, such as 0.05"),
				boolFlag(&o.shadow, "shadow", "the challenger answers nothing, but scores all that the first model does; GET /v1/challenge compares them"),
				stringFlag(&o.shadowLog, "shadow-log", "a `FILE` that gets both probabilities of each row, as JSON lines; it is added to"),
			),
			group("Server",
				httpFlag(&o.Listen, "listen", "`ADDRESS` to answer at, PORT or HOST:PORT; without a host it is loopback (default 127.0.0.1:8080)"),
				httpFlag(&o.GRPC, "grpc", "`ADDRESS` to answer the Open Inference Protocol over gRPC at, PORT or HOST:PORT"),
				stringFlag(&o.cert, "tls-cert", "PEM `FILE` of the server's certificate"),
				stringFlag(&o.key, "tls-key", "PEM `FILE` of its key"),
				stringFlag(&o.tokenFile, "token-file", "`FILE` of the tokens that clients may send, one a line"),
				durationFlag(&o.drain, "drain", "go on answering for `TIME` after the first signal, such as 15s, while /readyz says that the end is near; not at all by default"),
			),
			group("Watching",
				otlpFlag(&o.otlp),
			),
			group("Limits",
				sizeFlag(&o.MaxBody, "max-body", "`SIZE` of the largest body, decompressed (default 8M); more is answered by 413"),
				wholeFlag(&o.MaxRows, 1, "max-rows", "`N` rows of a request at most (default 10000)"),
				wholeFlag(&o.MaxRow, 1, "max-row", "`N` bytes of a row at most (default 65536)"),
				durationFlag(&o.MaxWait, "max-wait", "`TIME` for a request to come whole; what is slower is answered by 408"),
				wholeFlag(&o.MaxOpen, 1, "max-open", "`N` requests at a time (default 1024); more are answered by 429"),
				sizeFlag(&o.MaxMemory, "max-memory", "`SIZE` of all bodies at a time (default 256M)"),
				listFlag(&o.redact, "redact", "`COLUMNS` whose values are kept out of error messages, or all"),
			),
			o.quietFlags("no notes"), logFlag(s)),
		Action: func(cc *cli.Context) error { return runServe(cc.Context, &o, s) },
	}
}

// serveResult is the JSON of ctr serve when it has ended.
type serveResult struct {
	Address string            `json:"address"`
	GRPC    string            `json:"grpc,omitempty"`
	Models  []string          `json:"models"`
	Seconds float64           `json:"seconds"`
	Compare *infer.Comparison `json:"challenge,omitempty"`
}

func runServe(ctx context.Context, o *serveOptions, s *stdio) (err error) {
	began := time.Now()
	say := func(text string) {
		if !o.quiet {
			s.say(text)
		}
	}
	var w watching
	registry, err := o.registry(w.noting(say))
	if err != nil {
		return err
	}
	o.Options.Registry, o.Version, o.Note = registry, version, say
	if err := w.begin(o, say); err != nil {
		return err
	}
	defer w.end()
	if err := o.secure(s.getenv); err != nil {
		return err
	}
	if o.Challenge != nil && o.shadowLog != "" {
		f, err := os.OpenFile(o.shadowLog, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o644)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, f.Close()) }()
		o.Challenge.Log = f
	}
	if o.Listen == "" {
		o.Listen = "127.0.0.1:8080"
	}
	server, err := infer.Listen(o.Options)
	if err != nil {
		return err
	}
	w.server.Store(server)
	result := serveResult{Address: server.Addr(), GRPC: server.GRPCAddr()}
	for _, m := range registry.Models() {
		result.Models = append(result.Models, m.ID())
	}
	at := o.url(server)
	if result.GRPC != "" {
		at += ", gRPC at " + result.GRPC
	}
	say(fmt.Sprintf("serving %s at %s; Ctrl-C stops", strings.Join(result.Models, ", "), at))
	for _, addr := range []string{result.Address, result.GRPC} {
		if addr != "" && !o.guarded(addr) {
			say(addr + " can be reached from other machines, by anyone: --tls-cert, --tls-key and --token-file protect it")
		}
	}
	failed := o.watch(ctx, registry, server, say)
	w.monitor.Close() // its listeners would be waited for
	// A request that is under way has come whole, or is refused, in MaxWait.
	stop, cancel := context.WithTimeout(context.Background(), o.MaxWait+10*time.Second)
	defer cancel()
	if err := errors.Join(failed, server.Close(stop)); err != nil {
		return err
	}
	result.Seconds, result.Compare = time.Since(began).Seconds(), server.Comparison()
	if o.json {
		return printJSON(s.out, result)
	}
	return nil
}

// registry opens the models.
func (o *serveOptions) registry(say func(string)) (*infer.Registry, error) {
	if len(o.models) == 0 {
		o.models = []string{"model.ctr"}
	}
	r := infer.RegistryOptions{Note: say, Scorers: pipeline.ScorerOptions{Redact: o.redact, Threshold: o.threshold}}
	names := o.models
	if o.challenger != "" {
		names = append(names[:len(names):len(names)], o.challenger)
	} else if o.share > 0 || o.shadow || o.shadowLog != "" {
		return nil, usagef("--challenger-share, --shadow, --shadow-log: want --challenger")
	}
	if o.challenger != "" && (o.share > 0) == o.shadow {
		return nil, usagef("--challenger %s: want --challenger-share or --shadow", o.challenger)
	}
	for _, name := range names {
		f, err := infer.ParseModelFile(name)
		if err != nil {
			wrong := usagef("%v", err)
			var with interface{ Hint() string }
			if errors.As(err, &with) {
				wrong = wrong.withHint("%s", with.Hint())
			}
			return nil, wrong
		}
		r.Files = append(r.Files, f)
	}
	if o.challenger != "" {
		o.Challenge = &infer.Challenge{Name: r.Files[len(r.Files)-1].Name, Share: o.share, Shadow: o.shadow}
	}
	return infer.OpenModels(r)
}

// secure reads certificates and tokens.
func (o *serveOptions) secure(getenv func(string) string) error {
	if (o.cert == "") != (o.key == "") {
		return usagef("--tls-cert, --tls-key: want both or neither")
	}
	if o.cert != "" {
		if _, err := tls.LoadX509KeyPair(o.cert, o.key); err != nil {
			return fmt.Errorf("%s, %s: %w", o.cert, o.key, err)
		}
		// Read again for each connection's handshake where the file has changed,
		// so that a renewed certificate needs no restart.
		o.TLS = &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: (&freshPair{cert: o.cert, key: o.key}).get}
	}
	text := getenv(tokensVariable)
	if o.tokenFile != "" {
		b, err := os.ReadFile(o.tokenFile)
		if err != nil {
			return err
		}
		text += "\n" + string(b)
	}
	o.Tokens = splitTokens(text)
	if o.tokenFile != "" && len(o.Tokens) == 0 {
		return fmt.Errorf("%s: no tokens: want one a line", o.tokenFile)
	}
	return nil
}

// splitTokens gives the tokens of a text.
func splitTokens(text string) []string {
	return strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune(", \t\r\n", r) })
}

// freshPair is a certificate and its key as the files have them.
type freshPair struct {
	cert, key string

	mu      sync.Mutex
	changed time.Time
	pair    *tls.Certificate
}

func (p *freshPair) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	info, err := os.Stat(p.cert)
	if p.pair != nil && (err != nil || info.ModTime().Equal(p.changed)) {
		return p.pair, nil
	}
	pair, err := tls.LoadX509KeyPair(p.cert, p.key)
	if err != nil {
		if p.pair != nil { // half replaced: the old one is good still
			return p.pair, nil
		}
		return nil, err
	}
	if info != nil {
		p.changed = info.ModTime()
	}
	p.pair = &pair
	return p.pair, nil
}

func (o *serveOptions) url(server *infer.Server) string {
	if o.TLS != nil {
		return "https://" + server.Addr()
	}
	return "http://" + server.Addr()
}

// guarded reports whether strangers can't use the server: it is loopback's, or
// asks for tokens.
func (o *serveOptions) guarded(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	ip := net.ParseIP(host)
	return err == nil && ip != nil && ip.IsLoopback() || len(o.Tokens) > 0
}

// watch keeps the models fresh until ctx ends or the server fails, and then
// goes on for as long as draining takes.
func (o *serveOptions) watch(ctx context.Context, registry *infer.Registry, server *infer.Server, say func(string)) error {
	stop := make(chan struct{})
	var watching sync.WaitGroup
	watching.Go(func() { registry.Watch(o.every, stop) })
	defer watching.Wait()
	defer close(stop)
	hangups := make(chan os.Signal, 1)
	signal.Notify(hangups, syscall.SIGHUP)
	defer signal.Stop(hangups)
	for {
		select {
		case err := <-server.Failed():
			return err
		case <-hangups:
			n, _ := registry.Reload(true) // faults are told by the registry
			say(fmt.Sprintf("SIGHUP: %d models replaced", n))
		case <-ctx.Done():
			server.Drain()
			if o.drain > 0 {
				say(fmt.Sprintf("draining for %v", o.drain))
			}
			select {
			case err := <-server.Failed():
				return err
			case <-time.After(o.drain):
				return nil
			}
		}
	}
}
