package commands

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/urfave/cli/v2"

	"ctr/models"
	"ctr/pipeline"
	"ctr/pipeline/kafka"
	"ctr/pipeline/monitor"
	"ctr/pipeline/monitor/page"
	"ctr/pipeline/serve"
)

// httpFlag takes PORT or HOST:PORT. Without a host it is loopback: nobody
// should open a port to the world by leaving something out.
func httpFlag(p *string, name, usage string) cli.Flag {
	return flagOf(p, name, usage, func(s string) (string, error) {
		if !strings.Contains(s, ":") {
			s = ":" + s
		}
		host, port, err := net.SplitHostPort(s)
		if err == nil {
			_, err = strconv.ParseUint(port, 10, 16)
		}
		if err != nil {
			return "", errors.New("want PORT or HOST:PORT, the port 0..65535")
		}
		if host == "" {
			host = "127.0.0.1"
		}
		return net.JoinHostPort(host, port), nil
	}, func(s string) string { return s })
}

// watched is the server of --http and what it tells of.
type watched struct {
	*serve.Server
	monitor *monitor.Monitor
}

// serve answers --http; without it the server is nil.
func (o *scoreOptions) serve(a *models.Artifact) (*watched, error) {
	if o.http == "" {
		return nil, nil
	}
	cluster := o.cluster.options()
	cluster.DialTimeout = time.Second
	var server atomic.Pointer[serve.Server]
	m := o.monitor(a, func() error {
		if s := server.Load(); s != nil {
			return s.Ready()
		}
		return errors.New("starting")
	})
	more := m.Handlers()
	maps.Copy(more, page.Handlers())
	s, err := serve.Listen(serve.Options{
		Listen: o.http, Model: a.Hash, Version: version, Topic: o.topic, Group: o.group, More: more,
		Ping: func() error { return kafka.Ping(cluster) },
	})
	if err != nil {
		m.Close()
		return nil, err
	}
	server.Store(s)
	return &watched{s, m}, nil
}

// Close ends both; the monitor first, whose listeners the server would wait for.
func (w *watched) Close() error {
	w.monitor.Close()
	return w.Server.Close()
}

// Stats tells both how things stand.
func (w *watched) Stats(st pipeline.Stats) {
	w.Server.Stats(st)
	w.monitor.Stats(st)
}

// noting gives what tells notes to people and to the page; w may be nil.
func (w *watched) noting(note func(string)) func(string) {
	if w == nil {
		return note
	}
	return func(text string) {
		note(text)
		w.monitor.Event(text)
	}
}

// monitor counts what is scored of a topic.
func (o *scoreOptions) monitor(a *models.Artifact, state func() error) *monitor.Monitor {
	one := monitor.Served{
		Artifact: a, Name: strings.TrimSuffix(filepath.Base(o.model), filepath.Ext(o.model)), Version: a.Hash,
		Threshold: a.Threshold, Loaded: time.Now(),
	}
	if t, err := parseFloat(o.threshold); err == nil {
		one.Threshold = t
	}
	return monitor.New(monitor.Options{
		Source: "stream", Version: version, Topic: o.topic, Group: o.group, State: state, Redact: o.redact,
		Models: func() []monitor.Served { return []monitor.Served{one} },
	})
}

// tell gives what is told of how scoring stands, and how often.
func (o *scoreOptions) tell(p *progress, server *watched) (func(pipeline.Stats), time.Duration) {
	every, say := o.statsEvery, func(pipeline.Stats) {}
	if every > 0 {
		say = sayStats(p, o.topic)
	}
	if server == nil {
		if every == 0 {
			return nil, 0
		}
		return say, every
	}
	// The server wants to know each second; lines come as often as asked,
	// with the rate of the time between them.
	var last pipeline.Stats
	return func(st pipeline.Stats) {
		server.Stats(st)
		if dt := st.Elapsed - last.Elapsed; every > 0 && dt >= every-every/10 {
			line := st
			line.RowsPerSecond = float64(st.Rows-last.Rows) / dt.Seconds()
			last = st
			say(line)
		}
	}, time.Second
}

// healthResult is the JSON of ctr health.
type healthResult struct {
	URL     string `json:"url"`
	Healthy bool   `json:"healthy"`
	Status  int    `json:"status"`
	Reason  string `json:"reason"`
}

func healthCommand(s *stdio) *cli.Command {
	var c common
	return &cli.Command{
		Name: "health", Usage: "asks a running ctr score --http whether it is well",
		ArgsUsage: "[URL]", Args: true,
		UsageText: `ctr health
			ctr health 127.0.0.1:8080
			ctr health http://127.0.0.1:8080/readyz`,
		Description: "It ends with exit code 0 where the answer is that all is well, and with 1 otherwise: for container images, which have no shell and no curl. An address without a path is asked for /livez; the default is 127.0.0.1:8080.",
		Flags:       flags(c.flags()),
		Action: func(cc *cli.Context) error {
			if cc.Args().Len() > 1 {
				return usagef("%d addresses: want one", cc.Args().Len())
			}
			r, err := askHealth(cc.Context, cc.Args().First())
			if err != nil {
				return err
			}
			if c.json {
				err = printJSON(s.out, r)
			}
			if !r.Healthy {
				return errors.Join(err, fmt.Errorf("%s: %d: %s", r.URL, r.Status, r.Reason))
			}
			return err
		},
	}
}

// askHealth asks one of the addresses of --http.
func askHealth(ctx context.Context, url string) (r healthResult, err error) {
	if url == "" {
		url = "127.0.0.1:8080"
	}
	if !strings.Contains(url, "://") {
		url = "http://" + url
	}
	if strings.Count(url, "/") == 2 {
		url += "/livez"
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	q, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return r, usagef("%s: want an address such as 127.0.0.1:8080", url)
	}
	answer, err := http.DefaultClient.Do(q)
	if err != nil {
		return r, err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(io.LimitReader(answer.Body, 1000))
	return healthResult{url, answer.StatusCode == http.StatusOK, answer.StatusCode, strings.TrimSpace(string(text))}, err
}
