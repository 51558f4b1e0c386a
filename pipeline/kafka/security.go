package kafka

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"

	"github.com/IBM/sarama"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl"
	"github.com/twmb/franz-go/pkg/sasl/oauth"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"

	"ctr/features"
)

// The mechanisms that Security knows.
const (
	Plain       = "PLAIN"
	ScramSHA256 = "SCRAM-SHA-256"
	ScramSHA512 = "SCRAM-SHA-512"
	OAuthBearer = "OAUTHBEARER"
)

// Mechanisms gives the values of Security.Mechanism, in the order of the help.
func Mechanisms() []string { return []string{Plain, ScramSHA256, ScramSHA512, OAuthBearer} }

// Security says how connections to brokers are protected and as whom they are
// made. The zero value is plain text without a name. It must not be changed or
// copied once it is in use; all clients share it, and with it one token.
type Security struct {
	// TLS protects connections, with version 1.2 or newer. Any of the five
	// fields below turns it on too.
	TLS bool
	// CAFile has the PEM certificates of authorities that may vouch for
	// brokers. The default is those of the system.
	CAFile string
	// CertFile and KeyFile are this client's PEM certificate and key, for
	// brokers that ask for one. They are read anew for each connection, so
	// that they can be renewed.
	CertFile, KeyFile string
	// ServerName is the name that brokers' certificates must have. The default
	// is the host that is connected to.
	ServerName string

	// Mechanism is one of Mechanisms; "" = no name is given.
	Mechanism string
	// User and Password are for PLAIN and SCRAM. PasswordFile, read once, is in
	// place of Password; a line's end after the password is no part of it.
	User         string
	Password     Secret
	PasswordFile string
	// TokenFile has the token of OAUTHBEARER. It is read for each connection
	// and renewal, so something else has to renew the file.
	TokenFile string
	// TokenURL is an OAuth 2.0 token endpoint that gives tokens for client
	// credentials (RFC 6749, 4.4), in place of TokenFile. It is https, or http
	// to this machine. Scope may be empty.
	TokenURL, ClientID, Scope string
	ClientSecret              Secret

	once     sync.Once
	password Secret
	err      error
	tokens   tokens
	refusals refusals
}

// tls reports whether connections are protected.
func (s *Security) tls() bool {
	return s.TLS || s.CAFile != "" || s.CertFile != "" || s.KeyFile != "" || s.ServerName != ""
}

// InClear reports whether brokers are sent a password or token over connections
// that are not protected. SCRAM proves that it knows the password and sends none.
func (s *Security) InClear() bool {
	return !s.tls() && (s.Mechanism == Plain || s.Mechanism == OAuthBearer)
}

// Check reports the first fault of s without opening a file.
func (s *Security) Check() error {
	switch {
	case s.CertFile != "" && s.KeyFile == "":
		return features.WithHint(fmt.Errorf("client certificate %s: no key: want both", s.CertFile), "--tls-key names the file of the key")
	case s.KeyFile != "" && s.CertFile == "":
		return features.WithHint(fmt.Errorf("client key %s: no certificate: want both", s.KeyFile), "--tls-cert names the file of the certificate")
	case s.Mechanism != "" && !slices.Contains(Mechanisms(), s.Mechanism):
		return fmt.Errorf("mechanism %q: want one of %s", s.Mechanism, strings.Join(Mechanisms(), ", "))
	case s.Mechanism != OAuthBearer && (s.TokenFile != "" || s.TokenURL != "" || s.ClientID != "" || s.Scope != ""):
		return features.WithHint(errors.New("a token without its mechanism: want OAUTHBEARER"), "--sasl OAUTHBEARER")
	case s.Mechanism == OAuthBearer:
		return s.checkOAuth()
	case s.Mechanism == "" && (s.User != "" || s.PasswordFile != ""):
		return features.WithHint(errors.New("a user or password without a mechanism: want one"), "--sasl "+strings.Join(Mechanisms()[:3], ", "))
	case s.Mechanism == "":
		return nil
	case s.User == "":
		return features.WithHint(fmt.Errorf("%s: no user: want one", s.Mechanism), "--sasl-user names the user")
	case s.Password.none() && s.PasswordFile == "":
		return features.WithHint(fmt.Errorf("%s: user %s: no password: want one", s.Mechanism, s.User), "CTR_SASL_PASSWORD has the password, or --sasl-password-file names a file with it")
	}
	return nil
}

func (s *Security) checkOAuth() error {
	switch {
	case s.User != "" || s.PasswordFile != "":
		return errors.New("OAUTHBEARER: a user or password: want a token in place of them")
	case s.TokenFile == "" && s.TokenURL == "":
		return features.WithHint(errors.New("OAUTHBEARER: no token: want a file or an endpoint"), "--oauth-token-file names a file with the token, --oauth-token-url an endpoint that gives one")
	case s.TokenFile != "" && s.TokenURL != "":
		return errors.New("OAUTHBEARER: a token's file and an endpoint: want one of them")
	case s.TokenURL == "":
		return nil
	case s.ClientID == "" || s.ClientSecret.none():
		return features.WithHint(errors.New("OAUTHBEARER: token endpoint: want the client's id and secret"), "--oauth-client-id and CTR_OAUTH_CLIENT_SECRET")
	}
	return checkTokenURL(s.TokenURL)
}

// load checks s and reads its files once.
func (s *Security) load() error {
	s.once.Do(func() {
		if s.err = s.Check(); s.err != nil {
			return
		}
		s.password = s.Password
		if s.PasswordFile != "" {
			var text []byte
			if text, s.err = os.ReadFile(s.PasswordFile); s.err != nil {
				s.err = fmt.Errorf("password file: %w", s.err)
				return
			}
			if s.password = NewSecret(strings.TrimRight(string(text), "\r\n")); s.password.none() {
				s.err = fmt.Errorf("password file %s: empty: want a password", s.PasswordFile)
				return
			}
		}
		if s.TokenFile != "" {
			_, s.err = s.fileToken()
		}
	})
	return s.err
}

// tlsConfig gives the settings of TLS, nil where there is none.
func (s *Security) tlsConfig() (*tls.Config, error) {
	if !s.tls() {
		return nil, nil
	}
	c := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: s.ServerName}
	if s.CAFile != "" {
		text, err := os.ReadFile(s.CAFile)
		if err != nil {
			return nil, fmt.Errorf("authorities: %w", err)
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(text) {
			return nil, fmt.Errorf("authorities: %s: no certificate in it: want PEM", s.CAFile)
		}
	}
	if s.CertFile != "" {
		if _, err := s.certificate(); err != nil {
			return nil, err
		}
		c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return s.certificate() }
	}
	return c, nil
}

func (s *Security) certificate() (*tls.Certificate, error) {
	c, err := tls.LoadX509KeyPair(s.CertFile, s.KeyFile)
	if err != nil {
		return nil, fmt.Errorf("client certificate %s, key %s: %w", s.CertFile, s.KeyFile, err)
	}
	return &c, nil
}

// mechanism gives the one of franz-go, nil where no name is given.
func (s *Security) mechanism() sasl.Mechanism {
	switch s.Mechanism {
	case Plain:
		return plain.Auth{User: s.User, Pass: s.password.reveal()}.AsMechanism()
	case ScramSHA256:
		return scram.Auth{User: s.User, Pass: s.password.reveal()}.AsSha256Mechanism()
	case ScramSHA512:
		return scram.Auth{User: s.User, Pass: s.password.reveal()}.AsSha512Mechanism()
	case OAuthBearer:
		return oauth.Oauth(func(ctx context.Context) (oauth.Auth, error) {
			t, err := s.token(ctx)
			return oauth.Auth{Token: t.reveal()}, err
		})
	}
	return nil
}

// saramaConfig applies s to sarama's settings.
func (s *Security) saramaConfig(c *sarama.Config) error {
	if s == nil {
		return nil
	}
	if err := s.load(); err != nil {
		return err
	}
	config, err := s.tlsConfig()
	if err != nil {
		return err
	}
	c.Net.TLS.Enable, c.Net.TLS.Config = config != nil, config
	if s.Mechanism == "" {
		return nil
	}
	n := &c.Net.SASL
	n.Enable, n.Mechanism, n.Version = true, sarama.SASLMechanism(s.Mechanism), sarama.SASLHandshakeV1
	switch s.Mechanism {
	case OAuthBearer:
		n.TokenProvider = tokenProvider{s}
	default:
		n.User, n.Password = s.User, s.password.reveal()
		n.SCRAMClientGeneratorFunc = func() sarama.SCRAMClient { return &scramClient{mechanism: s.mechanism()} }
	}
	return nil
}

// kgoOpts gives what all clients of franz-go share. Note, which may be nil, is
// told when brokers begin to refuse us.
func (o *Options) kgoOpts(note func(string)) ([]kgo.Opt, error) {
	opts := []kgo.Opt{
		kgo.WithHooks(door{o, note}),
		kgo.SeedBrokers(o.Brokers...),
		kgo.ClientID(o.ClientID),
		kgo.DialTimeout(o.DialTimeout),
		kgo.DisableClientMetrics(),
	}
	s := o.Security
	if err := s.load(); err != nil {
		return nil, err
	}
	config, err := s.tlsConfig()
	if err != nil {
		return nil, err
	}
	if config != nil {
		opts = append(opts, kgo.DialTLSConfig(config))
	}
	if m := s.mechanism(); m != nil {
		opts = append(opts, kgo.SASL(m))
	}
	return opts, nil
}

// scramClient is franz-go's SCRAM for sarama, which has none: one
// implementation of it serves both clients.
type scramClient struct {
	mechanism sasl.Mechanism
	session   sasl.Session
	first     []byte
	done      bool
}

// Begin begins; the mechanism knows user and password already.
func (c *scramClient) Begin(_, _, _ string) (err error) {
	c.session, c.first, err = c.mechanism.Authenticate(context.Background(), "")
	return err
}

// Step answers the server, at first with what opens the exchange.
func (c *scramClient) Step(challenge string) (string, error) {
	if first := c.first; first != nil {
		c.first = nil
		return string(first), nil
	}
	done, next, err := c.session.Challenge([]byte(challenge))
	c.done = done
	return string(next), err
}

// Done says that the server has proved who it is.
func (c *scramClient) Done() bool { return c.done }

// tokenProvider gives tokens to sarama.
type tokenProvider struct{ s *Security }

// Token gives the present token.
func (p tokenProvider) Token() (*sarama.AccessToken, error) {
	t, err := p.s.token(context.Background())
	return &sarama.AccessToken{Token: t.reveal()}, err
}
