package kafka

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"strings"
	"sync"
	"time"

	"ctr/features"
)

// tokens keep the token that an endpoint gave.
type tokens struct {
	mu           sync.Mutex
	token        Secret
	renew, until time.Time
}

// tokenPatience is the longest wait for a token endpoint.
const tokenPatience = 10 * time.Second

// tokenRest is how much of a token's life a new connection should have before
// it. Clients say who they are again a second before a session ends, brokers
// refuse to hear it sooner than a second after the last time, and the life may
// begin with the second in which the token was made.
const tokenRest = 3500 * time.Millisecond

// renewAfter is the age at which a token is renewed: four fifths of its life,
// or sooner where less than tokenRest would be left, but not before a third.
func renewAfter(life time.Duration) time.Duration {
	return max(min(life*4/5, life-tokenRest), life/3)
}

// token gives the token for a new connection, or for one whose session ends.
// One of an endpoint is renewed after renewAfter; where that fails, it serves
// to its end.
func (s *Security) token(ctx context.Context) (Secret, error) {
	if s.TokenFile != "" {
		return s.fileToken()
	}
	t := &s.tokens
	t.mu.Lock()
	defer t.mu.Unlock()
	now := time.Now()
	if !t.token.none() && now.Before(t.renew) {
		return t.token, nil
	}
	token, life, err := s.askToken(ctx)
	if err != nil {
		if !t.token.none() && now.Before(t.until) {
			return t.token, nil
		}
		return Secret{}, &authError{err}
	}
	t.token, t.renew, t.until = token, now.Add(renewAfter(life)), now.Add(life)
	return token, nil
}

// authError is a token that could not be had.
type authError struct{ error }

// Unwrap gives the cause.
func (e *authError) Unwrap() error { return e.error }

func (s *Security) fileToken() (Secret, error) {
	text, err := os.ReadFile(s.TokenFile)
	if err != nil {
		return Secret{}, &authError{fmt.Errorf("token file: %w", err)}
	}
	token := NewSecret(strings.TrimSpace(string(text)))
	if err := checkToken(token); err != nil {
		return Secret{}, &authError{fmt.Errorf("token file %s: %w", s.TokenFile, err)}
	}
	return token, nil
}

// checkToken keeps out what would end the token's place in the message to the
// broker.
func checkToken(token Secret) error {
	t := token.reveal()
	if t == "" {
		return errors.New("empty: want a token")
	}
	for i := range len(t) {
		if t[i] <= ' ' || t[i] > '~' {
			return fmt.Errorf("byte %d: want the token alone, in ASCII without spaces", i)
		}
	}
	return nil
}

func checkTokenURL(text string) error {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http":
		return errors.New("token endpoint: want an address such as https://id.example.com/token")
	case u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return errors.New("token endpoint: want an address without user, ? and #")
	case u.Scheme == "http" && !isLoopback(u.Hostname()):
		return features.WithHint(fmt.Errorf("token endpoint http://%s: want https, since the client's secret goes there", u.Host), "http is for this machine alone")
	}
	return nil
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// errorCode is what RFC 6749 has for codes of errors: nothing else of an
// answer is shown, for it may repeat what was sent.
var errorCode = regexp.MustCompile(`^[a-z_]{1,40}$`)

// askToken asks the endpoint for a token and how long it lives. One of unknown
// life lives for the moment.
func (s *Security) askToken(ctx context.Context) (token Secret, life time.Duration, err error) {
	defer func() {
		if err != nil {
			u, _ := url.Parse(s.TokenURL) // checked before
			err = fmt.Errorf("token endpoint %s: client %s: %w", u.Host, s.ClientID, err)
		}
	}()
	form := url.Values{"grant_type": {"client_credentials"}}
	if s.Scope != "" {
		form.Set("scope", s.Scope)
	}
	ctx, cancel := context.WithTimeout(ctx, tokenPatience)
	defer cancel()
	q, err := http.NewRequestWithContext(ctx, http.MethodPost, s.TokenURL, strings.NewReader(form.Encode()))
	if err != nil {
		return Secret{}, 0, errors.New("no request can be made of it")
	}
	q.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	q.Header.Set("Accept", "application/json")
	q.SetBasicAuth(url.QueryEscape(s.ClientID), url.QueryEscape(s.ClientSecret.reveal()))
	transport, _ := http.DefaultTransport.(*http.Transport)
	transport = transport.Clone()
	transport.DisableKeepAlives = true // it is asked rarely
	client := http.Client{
		Transport: transport,
		// The secret goes nowhere but to the address that was given.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	answer, err := client.Do(q)
	if err != nil {
		var u *url.Error
		if errors.As(err, &u) {
			err = u.Err
		}
		return Secret{}, 0, err
	}
	defer answer.Body.Close()
	var a struct {
		Token     string      `json:"access_token"`
		ExpiresIn json.Number `json:"expires_in"`
		Error     string      `json:"error"`
	}
	body := json.NewDecoder(io.LimitReader(answer.Body, 1<<20)).Decode(&a)
	switch {
	case answer.StatusCode != http.StatusOK && errorCode.MatchString(a.Error):
		return Secret{}, 0, features.WithHint(fmt.Errorf("%d %s", answer.StatusCode, a.Error), "--oauth-client-id and CTR_OAUTH_CLIENT_SECRET say who asks")
	case answer.StatusCode != http.StatusOK:
		return Secret{}, 0, fmt.Errorf("status %d: want 200", answer.StatusCode)
	case body != nil:
		return Secret{}, 0, errors.New("the answer is not JSON with access_token")
	}
	token = NewSecret(a.Token)
	if err := checkToken(token); err != nil {
		return Secret{}, 0, fmt.Errorf("access_token: %w", err)
	}
	seconds, _ := a.ExpiresIn.Float64() // 0 where it is left out
	return token, time.Duration(min(max(seconds, 0), 1e9) * float64(time.Second)), nil
}
