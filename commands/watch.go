package commands

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/urfave/cli/v2"
	"golang.org/x/term"

	"ctr/features"
	"ctr/pipeline/monitor"
)

// watchTokenVariable has the token that ctr watch sends.
const watchTokenVariable = "CTR_WATCH_TOKEN"

// mostLive is how many bytes of /api/live are read.
const mostLive = 16 << 20

// watchOptions are the flags of ctr watch.
type watchOptions struct {
	common
	url   string // of /api/live
	once  bool
	model string
	every time.Duration
	ca    string
	token string
}

func watchCommand(s *stdio) *cli.Command {
	o := watchOptions{every: time.Second}
	return &cli.Command{
		Name: "watch", Usage: "shows in the terminal how a running scorer does",
		ArgsUsage: "[URL]", Args: true,
		UsageText: `ctr watch
			ctr watch 127.0.0.1:8080
			ctr watch https://scorer:8443 --tls-ca ca.pem
			ctr watch --once
			ctr watch --json`,
		Description: "It shows what the live page of ctr serve and ctr score --http does: rows a second, latency, lag, predicted and observed click rate, quality where labels come, drift of columns, the last predictions and errors. On a terminal it is drawn anew each second until Ctrl-C; elsewhere, and with --once, it is printed once. --json prints the document of /api/live.\n\n" +
			"The default URL is http://127.0.0.1:8080. Where the server asks for tokens, " + watchTokenVariable + " has the one to send; without it the first of " + tokensVariable + " is sent. NO_COLOR, if set, keeps colours away.",
		Flags: flags(
			group("Watching",
				boolFlag(&o.once, "once", "print the figures once"),
				durationFlag(&o.every, "every", "ask every `TIME`"),
				stringFlag(&o.model, "model", "the `NAME` of the model to show, or NAME@VERSION; the default model's otherwise"),
				stringFlag(&o.ca, "tls-ca", "PEM `FILE` of the authorities that may have signed the server's certificate; the system's by default"),
			),
			o.flags()),
		Action: func(cc *cli.Context) error {
			if cc.Args().Len() > 1 {
				return usagef("%d addresses: want one", cc.Args().Len())
			}
			var err error
			if o.url, err = liveURL(cc.Args().First()); err != nil {
				return err
			}
			o.token = watchToken(s.getenv)
			return runWatch(cc.Context, &o, s)
		},
	}
}

// watchToken gives the token to send, "" where there is none.
func watchToken(getenv func(string) string) string {
	if t := strings.TrimSpace(getenv(watchTokenVariable)); t != "" {
		return t
	}
	if all := splitTokens(getenv(tokensVariable)); len(all) > 0 {
		return all[0]
	}
	return ""
}

// liveURL gives the URL of /api/live for what a person types: nothing, a port,
// HOST:PORT, or a URL, of the page too.
func liveURL(text string) (string, error) {
	full := text
	switch _, err := strconv.ParseUint(text, 10, 16); {
	case text == "":
		full = "http://127.0.0.1:8080"
	case err == nil:
		full = "http://127.0.0.1:" + text
	case !strings.Contains(text, "://"):
		full = "http://" + text
	}
	u, err := url.Parse(full)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return "", usagef("%s: want an address such as 127.0.0.1:8080 or https://scorer:8443", text)
	}
	path := strings.TrimSuffix(u.Path, "/")
	if !strings.HasSuffix(path, "/api/live") {
		path += "/api/live"
	}
	u.Path, u.RawQuery, u.Fragment = path, "", ""
	return u.String(), nil
}

func runWatch(ctx context.Context, o *watchOptions, s *stdio) error {
	c, err := newLiveClient(o)
	if err != nil {
		return err
	}
	raw, live, err := c.get(ctx)
	if err != nil {
		return err
	}
	if o.json {
		var b bytes.Buffer
		if err := json.Indent(&b, raw, "", "  "); err != nil {
			return fmt.Errorf("%s: %w", o.url, err)
		}
		_, err = fmt.Fprintln(s.out, strings.TrimRight(b.String(), "\n"))
		return err
	}
	if o.model != "" && findModel(live, o.model) == nil {
		return fmt.Errorf("%s: no model %s: want one of %s", o.url, o.model, strings.Join(modelNames(live), ", "))
	}
	if s.screen == nil || o.once {
		v := view{model: o.model}
		for _, l := range v.lines(live, "") {
			if _, err := fmt.Fprintln(s.out, l.text); err != nil {
				return err
			}
		}
		return nil
	}
	w := screen{
		out: s.out, every: max(o.every, 50*time.Millisecond), color: s.getenv("NO_COLOR") == "", model: o.model,
		size: func() (int, int) { return screenSize(s.screen) },
		get: func(ctx context.Context) (*monitor.Live, error) {
			_, live, err := c.get(ctx)
			return live, err
		},
	}
	return w.run(ctx, live)
}

// screenSize gives the columns and lines of a terminal.
func screenSize(f *os.File) (width, height int) {
	width, height, err := term.GetSize(int(f.Fd()))
	if err != nil || width <= 0 || height <= 0 {
		return 80, 24
	}
	return width, height
}

// liveClient asks for /api/live.
type liveClient struct {
	url, token string
	http       *http.Client
}

func newLiveClient(o *watchOptions) (*liveClient, error) {
	c := &liveClient{o.url, o.token, &http.Client{Timeout: 5 * time.Second}}
	if o.ca != "" {
		pem, err := os.ReadFile(o.ca)
		if err != nil {
			return nil, err
		}
		pool := x509.NewCertPool()
		if !pool.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("%s: no certificates: want PEM", o.ca)
		}
		c.http.Transport = &http.Transport{
			Proxy: http.ProxyFromEnvironment, ForceAttemptHTTP2: true,
			TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: pool},
		}
	}
	return c, nil
}

// get asks once. The error is for people.
func (c *liveClient) get(ctx context.Context) (raw []byte, live *monitor.Live, err error) {
	q, err := http.NewRequestWithContext(ctx, http.MethodGet, c.url, http.NoBody)
	if err != nil {
		return nil, nil, err
	}
	if c.token != "" {
		q.Header.Set("Authorization", "Bearer "+c.token)
	}
	answer, err := c.http.Do(q)
	if err != nil {
		if ctx.Err() != nil {
			return nil, nil, ctx.Err()
		}
		var u *url.Error
		if errors.As(err, &u) {
			err = u.Err // without the method and the URL once more
		}
		return nil, nil, features.WithHint(fmt.Errorf("%s: %w", c.url, err), "ctr serve or ctr score --http ADDRESS must run there")
	}
	defer answer.Body.Close()
	raw, err = io.ReadAll(io.LimitReader(answer.Body, mostLive))
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", c.url, err)
	}
	switch answer.StatusCode {
	case http.StatusOK:
	case http.StatusUnauthorized:
		return nil, nil, features.WithHint(fmt.Errorf("%s: 401: want a token that the server knows", c.url), watchTokenVariable+" has the token that is sent")
	case http.StatusNotFound:
		return nil, nil, features.WithHint(fmt.Errorf("%s: 404: there is no such page", c.url), "ctr serve and ctr score --http have it; is something else listening there?")
	default:
		return nil, nil, fmt.Errorf("%s: %s", c.url, answer.Status)
	}
	live = new(monitor.Live)
	if err := json.Unmarshal(raw, live); err != nil {
		return nil, nil, fmt.Errorf("%s: %w", c.url, err)
	}
	return raw, live, nil
}
