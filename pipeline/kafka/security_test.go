package kafka_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"

	"ctr/pipeline"
	"ctr/pipeline/kafka"
)

// authority makes certificates.
type authority struct {
	t    *testing.T
	dir  string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t *testing.T) *authority {
	a := &authority{t: t, dir: t.TempDir()}
	a.cert, a.key = a.sign("ca", true)
	return a
}

func (a *authority) path(name string) string { return filepath.Join(a.dir, name) }

// sign writes NAME.pem and NAME.key.
func (a *authority) sign(name string, ca bool) (*x509.Certificate, *ecdsa.PrivateKey) {
	a.t.Helper()
	key, err1 := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	serial, err2 := rand.Int(rand.Reader, big.NewInt(1<<62))
	template := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		BasicConstraintsValid: true, IsCA: ca,
		KeyUsage:    x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		DNSNames:    []string{name + ".test"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	switch name {
	case "elsewhere":
		template.IPAddresses = nil
	case "expired":
		template.NotBefore, template.NotAfter = time.Now().Add(-2*time.Hour), time.Now().Add(-time.Hour)
	case "early":
		template.NotBefore = time.Now().Add(30 * time.Minute)
	case "clients":
		template.ExtKeyUsage = template.ExtKeyUsage[1:]
	}
	parent, signer := a.cert, a.key
	if parent == nil {
		parent, signer = template, key
	}
	der, err3 := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	cert, err4 := x509.ParseCertificate(der)
	private, err5 := x509.MarshalPKCS8PrivateKey(key)
	err6 := os.WriteFile(a.path(name+".pem"), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600)
	err7 := os.WriteFile(a.path(name+".key"), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}), 0o600)
	if err := errors.Join(err1, err2, err3, err4, err5, err6, err7); err != nil {
		a.t.Fatal(err)
	}
	return cert, key
}

// server gives the settings of a broker with the certificate NAME.pem.
func (a *authority) server(name string, clients tls.ClientAuthType) *tls.Config {
	a.t.Helper()
	// Not by way of the files: tests side by side sign the same name.
	cert, key := a.sign(name, false)
	pair := tls.Certificate{Certificate: [][]byte{cert.Raw}, PrivateKey: key}
	pool := x509.NewCertPool()
	pool.AddCert(a.cert)
	return &tls.Config{Certificates: []tls.Certificate{pair}, ClientCAs: pool, ClientAuth: clients, MinVersion: tls.VersionTLS12}
}

func secureCluster(t *testing.T, opts ...kfake.Opt) []string {
	t.Helper()
	c, err := kfake.NewCluster(append([]kfake.Opt{kfake.NumBrokers(1)}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c.ListenAddrs()
}

// throughAll makes a topic, sends, scores into a topic and reads: every client
// that there is connects.
func throughAll(t *testing.T, o kafka.Options) {
	t.Helper()
	in, out, dead := newTopic(t, o, 1), newTopic(t, o, 1), newTopic(t, o, 1)
	send(t, o, in, append(rows(0, 20), "no row"))
	src, err := kafka.NewSource(kafka.SourceOptions{Options: o, Topic: in, Group: in, From: kafka.Earliest, UntilEnd: true})
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	sink, err := kafka.NewTopicSink(kafka.TopicSinkOptions{Options: o, Topic: out, DeadLetters: dead})
	if err != nil {
		t.Fatal(err)
	}
	defer sink.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	sum, err := pipeline.Score(ctx, pipeline.ScoreOptions{Scorers: newFakeScorer}, src, sink, nil)
	if err != nil || sum.Rows != 20 || sum.Bad != 1 {
		t.Fatalf("%d rows, %d bad, %v: want 20 and 1", sum.Rows, sum.Bad, err)
	}
	letters := 0
	err = kafka.DeadLetters(o, dead)(ctx, func(*pipeline.DeadLetter) error { letters++; return nil })
	if err != nil || letters != 1 {
		t.Fatalf("%d dead letters, %v: want 1", letters, err)
	}
	if info, err := kafka.DescribeTopic(o, out); err != nil || info.Partitions[0].End != 20 {
		t.Fatalf("output: %+v, %v: want 20 records", info, err)
	}
}

const secret = "pa55-wörd,=\x01x"

func TestEveryClientIsSecured(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	a.sign("client", false)
	for _, mechanism := range []string{"", kafka.Plain, kafka.ScramSHA256, kafka.ScramSHA512} {
		for _, mutual := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s mutual %v", mechanism, mutual), func(t *testing.T) {
				t.Parallel()
				s := &kafka.Security{CAFile: a.path("ca.pem")}
				clients := tls.NoClientCert
				if mutual {
					clients = tls.RequireAndVerifyClientCert
					s.CertFile, s.KeyFile = a.path("client.pem"), a.path("client.key")
				}
				opts := []kfake.Opt{kfake.TLS(a.server("broker", clients))}
				if mechanism != "" {
					opts = append(opts, kfake.EnableSASL(), kfake.Superuser(mechanism, "alice", secret))
					s.Mechanism, s.User, s.Password = mechanism, "alice", kafka.NewSecret(secret)
				}
				throughAll(t, kafka.Options{Brokers: secureCluster(t, opts...), Security: s})
			})
		}
	}
}

func TestAPasswordInAFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(path, []byte(secret+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	brokers := secureCluster(t, kfake.EnableSASL(), kfake.Superuser(kafka.ScramSHA512, "alice", secret))
	throughAll(t, kafka.Options{Brokers: brokers, Security: &kafka.Security{Mechanism: kafka.ScramSHA512, User: "alice", PasswordFile: path}})
}

func TestErrorsOfSecurity(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	a.sign("client", false)
	other := newAuthority(t)
	other.sign("client", false)
	plain := secureCluster(t)
	protected := secureCluster(t, kfake.TLS(a.server("broker", tls.NoClientCert)))
	elsewhere := secureCluster(t, kfake.TLS(a.server("elsewhere", tls.NoClientCert)))
	expired := secureCluster(t, kfake.TLS(a.server("expired", tls.NoClientCert)))
	early := secureCluster(t, kfake.TLS(a.server("early", tls.NoClientCert)))
	clients := secureCluster(t, kfake.TLS(a.server("clients", tls.NoClientCert)))
	a.sign("expired", false) // a client's now
	mutual := secureCluster(t, kfake.TLS(a.server("mutual", tls.RequireAndVerifyClientCert)))
	named := secureCluster(t, kfake.EnableSASL(), kfake.Superuser(kafka.ScramSHA256, "alice", secret), kfake.Superuser(kafka.Plain, "alice", secret))
	empty := a.path("empty")
	if err := os.WriteFile(empty, []byte("\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	ca := a.path("ca.pem")
	const wrong = "wrong-5ecret"
	cases := []struct {
		name    string
		brokers []string
		s       kafka.Security
		want    string
		hint    string
	}{
		{"wrong password of SCRAM", named, kafka.Security{Mechanism: kafka.ScramSHA256, User: "alice", Password: kafka.NewSecret(wrong)}, "SCRAM-SHA-256: user alice: broker at 127.0.0.1", "user or password may be wrong"},
		{"wrong password of PLAIN", named, kafka.Security{Mechanism: kafka.Plain, User: "alice", Password: kafka.NewSecret(wrong)}, "PLAIN: user alice: broker at 127.0.0.1", "user or password may be wrong"},
		{"unknown mechanism", named, kafka.Security{Mechanism: kafka.OAuthBearer, TokenFile: a.path("ca.key.token")}, "OAUTHBEARER: no mechanism of the broker", "--sasl PLAIN"},
		{"no name", named, kafka.Security{}, "127.0.0.1", "--sasl"},
		{"unknown authority", protected, kafka.Security{TLS: true}, "certificate signed by unknown authority", "--tls-ca"},
		{"another authority", protected, kafka.Security{CAFile: other.path("ca.pem")}, "certificate signed by unknown authority", "--tls-ca"},
		{"another authority's hint", protected, kafka.Security{CAFile: other.path("ca.pem")}, "broker at 127.0.0.1", "the authority is not in " + other.path("ca.pem")},
		{"another name", elsewhere, kafka.Security{CAFile: ca}, "127.0.0.1", "--tls-server-name"},
		{"a name that was given", protected, kafka.Security{CAFile: ca, ServerName: "kafka.test"}, "certificate is valid for broker.test, not kafka.test", "--tls-server-name"},
		{"expired", expired, kafka.Security{CAFile: ca}, "TLS: the broker's certificate has expired: it was valid until " + time.Now().UTC().Add(-time.Hour).Format("2006-01-02T15"), "renew the broker's certificate"},
		{"not yet valid", early, kafka.Security{CAFile: ca}, "TLS: the broker's certificate is not valid yet: it will be from " + time.Now().UTC().Add(30*time.Minute).Format("2006-01-02T15"), "clock"},
		{"for clients alone", clients, kafka.Security{CAFile: ca}, "TLS: the broker's certificate: x509: certificate specifies an incompatible key usage", "server"},
		{"an expired client certificate", mutual, kafka.Security{CAFile: ca, CertFile: a.path("expired.pem"), KeyFile: a.path("expired.key")}, "refuses TLS", "client certificate"},
		{"plain to TLS", protected, kafka.Security{}, "ends the connection", "--tls"},
		{"TLS to plain", plain, kafka.Security{CAFile: ca}, "its answer is not TLS", "without --tls"},
		{"no client certificate", mutual, kafka.Security{CAFile: ca}, "certificate required", "--tls-cert"},
		{"another's client certificate", mutual, kafka.Security{CAFile: ca, CertFile: other.path("client.pem"), KeyFile: other.path("client.key")}, "refuses TLS", "another client certificate"},
		{"a certificate alone", protected, kafka.Security{CertFile: "c.pem"}, "client certificate c.pem: no key: want both", "--tls-key"},
		{"a key alone", protected, kafka.Security{KeyFile: "c.key"}, "client key c.key: no certificate: want both", "--tls-cert"},
		{"another's key", protected, kafka.Security{CertFile: a.path("client.pem"), KeyFile: a.path("ca.key")}, "private key does not match", ""},
		{"no such authorities", protected, kafka.Security{CAFile: a.path("none")}, "no such file", ""},
		{"authorities without any", protected, kafka.Security{CAFile: empty}, "empty: no certificate in it: want PEM", ""},
		{"no such certificate", protected, kafka.Security{CertFile: a.path("none"), KeyFile: a.path("none")}, "no such file", ""},
		{"no such password", named, kafka.Security{Mechanism: kafka.Plain, User: "alice", PasswordFile: a.path("none")}, "no such file", ""},
		{"an empty password", named, kafka.Security{Mechanism: kafka.Plain, User: "alice", PasswordFile: empty}, "empty: want a password", ""},
		{"no such token", named, kafka.Security{Mechanism: kafka.OAuthBearer, TokenFile: a.path("none")}, "no such file", ""},
		{"an empty token", named, kafka.Security{Mechanism: kafka.OAuthBearer, TokenFile: empty}, "empty: want a token", ""},
	}
	if err := os.WriteFile(a.path("ca.key.token"), []byte("tok"), 0o600); err != nil {
		t.Fatal(err)
	}
	for i := range cases {
		c := &cases[i]
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, err := kafka.Topics(kafka.Options{Brokers: c.brokers, Security: &c.s})
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("error %v, want %q", err, c.want)
			}
			hint := hintOf(err)
			if !strings.Contains(hint, c.hint) {
				t.Errorf("%v: hint %q, want %q", err, hint, c.hint)
			}
			if text := err.Error() + hint; strings.Contains(text, wrong) || strings.Contains(text, secret) {
				t.Errorf("%q tells a secret", text)
			}
		})
	}
}

func hintOf(err error) string {
	var h interface{ Hint() string }
	if errors.As(err, &h) {
		return h.Hint()
	}
	return ""
}

func TestCheckOfSecurity(t *testing.T) {
	f := func(s *kafka.Security, want string) {
		t.Helper()
		if got := fmt.Sprint(s.Check()); !strings.Contains(got, want) {
			t.Errorf("%s: want %s", got, want)
		}
	}
	f(&kafka.Security{}, "<nil>")
	f(&kafka.Security{Mechanism: "GSSAPI"}, `mechanism "GSSAPI": want one of PLAIN, SCRAM-SHA-256`)
	f(&kafka.Security{User: "x"}, "a user or password without a mechanism")
	f(&kafka.Security{Mechanism: kafka.Plain}, "PLAIN: no user")
	f(&kafka.Security{Mechanism: kafka.Plain, User: "x"}, "PLAIN: user x: no password")
	f(&kafka.Security{Mechanism: kafka.Plain, User: "x", Password: kafka.NewSecret("y"), Scope: "z"}, "a token without its mechanism")
	f(&kafka.Security{Mechanism: kafka.OAuthBearer, User: "x"}, "want a token in place")
	f(&kafka.Security{Mechanism: kafka.OAuthBearer}, "no token: want a file or an endpoint")
	f(&kafka.Security{Mechanism: kafka.OAuthBearer, TokenFile: "x", TokenURL: "y"}, "want one of them")
	f(&kafka.Security{Mechanism: kafka.OAuthBearer, TokenURL: "https://x/y", ClientID: "c"}, "want the client's id and secret")
	url := func(u, want string) {
		t.Helper()
		f(&kafka.Security{Mechanism: kafka.OAuthBearer, TokenURL: u, ClientID: "c", ClientSecret: kafka.NewSecret("s")}, want)
	}
	url("https://id.example.com/token", "<nil>")
	url("http://127.0.0.1:80/token", "<nil>")
	url("http://id.example.com/token", "token endpoint http://id.example.com: want https")
	url("https://me:hunter2@id.example.com/token", "want an address without user, ? and #")
	url("ftp://x", "want an address such as")
}
