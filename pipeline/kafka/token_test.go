package kafka

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// endpoint gives tokens that live two seconds.
type endpoint struct {
	asked  atomic.Int64
	broken atomic.Bool
}

func (e *endpoint) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	id, secret, _ := r.BasicAuth()
	switch {
	case e.broken.Load():
		http.Error(w, "away s3cret", http.StatusServiceUnavailable)
	case id != "me" || secret != "s3cret%25" || r.FormValue("grant_type") != "client_credentials" || r.FormValue("scope") != "kafka":
		w.WriteHeader(http.StatusUnauthorized)
		_, _ = fmt.Fprintf(w, `{"error":"invalid_client","error_description":%q}`, secret)
	default:
		_, _ = fmt.Fprintf(w, `{"access_token":"token-%d","token_type":"bearer","expires_in":2}`, e.asked.Add(1))
	}
}

func TestTokensAreKeptAndRenewed(t *testing.T) {
	t.Parallel()
	var e endpoint
	server := httptest.NewServer(&e)
	defer server.Close()
	s := &Security{Mechanism: OAuthBearer, TokenURL: server.URL, ClientID: "me", ClientSecret: NewSecret("s3cret%"), Scope: "kafka"}
	get := func() Secret {
		t.Helper()
		token, err := s.token(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		return token
	}
	begin := time.Now()
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() { _, _ = s.token(context.Background()) })
	}
	all.Wait()
	if got := get().reveal(); got != "token-1" && time.Since(begin) < time.Second {
		t.Errorf("token %s, want the first", got)
	}
	time.Sleep(time.Until(begin.Add(1700 * time.Millisecond)))
	if got := get().reveal(); got == "token-1" {
		t.Error("after 1.7 s of 2 the first token still: want a new one")
	}
	e.broken.Store(true)
	s.tokens.renew = time.Now() // as if its time had come
	if got := get().reveal(); got == "token-1" {
		t.Errorf("token %s: want the one that still lives", got)
	}
	s.tokens.until = time.Now()
	_, err := s.token(context.Background())
	if err == nil || !strings.HasSuffix(err.Error(), ": client me: status 503: want 200") || strings.Contains(err.Error(), "s3cret") {
		t.Errorf("error %v", err)
	}
	e.broken.Store(false)
	if get(); e.asked.Load() != 3 {
		t.Errorf("asked %d times, want 3", e.asked.Load())
	}
}

func TestRenewAfter(t *testing.T) {
	f := func(life, want time.Duration) {
		t.Helper()
		if got := renewAfter(life); got != want {
			t.Errorf("%v: renewed after %v, want %v", life, got, want)
		}
	}
	f(time.Hour, 48*time.Minute)
	f(10*time.Second, 6500*time.Millisecond)
	f(6*time.Second, 2500*time.Millisecond)
	f(3*time.Second, time.Second)
	f(0, 0)
}

func TestErrorsOfTokenEndpoints(t *testing.T) {
	f := func(want string, h http.HandlerFunc) {
		t.Helper()
		server := httptest.NewServer(h)
		defer server.Close()
		s := &Security{Mechanism: OAuthBearer, TokenURL: server.URL, ClientID: "me", ClientSecret: NewSecret("s3cret%")}
		_, err := s.token(context.Background())
		if err == nil || !strings.HasSuffix(err.Error(), want) || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("error %v, want %s", err, want)
		}
	}
	f(": client me: 401 invalid_client", new(endpoint).ServeHTTP)
	f(": the answer is not JSON with access_token", func(w http.ResponseWriter, _ *http.Request) { _, _ = fmt.Fprint(w, "<html>s3cret%") })
	f(": access_token: empty: want a token", func(w http.ResponseWriter, _ *http.Request) { _, _ = fmt.Fprint(w, "{}") })
	f(": access_token: byte 1: want the token alone, in ASCII without spaces", func(w http.ResponseWriter, _ *http.Request) { _, _ = fmt.Fprint(w, `{"access_token":"a\u0001auth=x"}`) })
	f(": status 307: want 200", func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/else" {
			_, _ = fmt.Fprint(w, `{"access_token":"stolen"}`)
			return
		}
		http.Redirect(w, r, "/else", http.StatusTemporaryRedirect)
	})
	s := &Security{Mechanism: OAuthBearer, TokenURL: "http://127.0.0.1:1/?secret", ClientID: "me", ClientSecret: NewSecret("s3cret%")}
	if _, err := s.token(context.Background()); err == nil || !strings.HasPrefix(err.Error(), "token endpoint 127.0.0.1:1: client me: dial tcp ") {
		t.Errorf("error %v", err)
	}
}
