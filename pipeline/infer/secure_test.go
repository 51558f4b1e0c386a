package infer

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"math/big"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestTokens(t *testing.T) {
	t.Parallel()
	s := serve(t, Options{Tokens: []string{"one", "two"}}, model(t, "lr"))
	f := func(path, header string, code int) {
		t.Helper()
		var headers []string
		if header != "" {
			headers = []string{"Authorization", header}
		}
		a := s.do("GET", path, nil, headers...)
		if a.code != code || (code == 401) != (a.Get("WWW-Authenticate") == `Bearer realm="ctr"`) || strings.Contains(a.body, "two") {
			t.Errorf("%s %q: %d %v %s", path, header, a.code, a.Header, a.body)
		}
	}
	f("/v1/models", "", 401)
	f("/v1/models", "Bearer", 401)
	f("/v1/models", "Bearer ", 401)
	f("/v1/models", "Bearer three", 401)
	f("/v1/models", "Basic one", 401)
	f("/v1/models", "Bearer one two", 401)
	f("/v1/models", "Bearer one", 200)
	f("/v1/models", "bearer  two", 200)
	f("/nowhere", "", 401)
	f("/nowhere", "Bearer one", 404)
	f("/openapi.json", "", 401)
	f("/livez", "", 200)
	f("/readyz", "", 200)
}

func TestTLS(t *testing.T) {
	t.Parallel()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	pair := tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
	s := serve(t, Options{TLS: &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}}, model(t, "lr"))
	roots := x509.NewCertPool()
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	roots.AddCert(cert)
	s.url = strings.Replace(s.url, "http:", "https:", 1)
	for _, two := range []bool{false, true} {
		s.client.Transport = &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, ForceAttemptHTTP2: two}
		if a := s.post("/v1/score", jsonKind, aRow); a.code != 200 {
			t.Errorf("HTTP/2 %v: %d %s", two, a.code, a.body)
		}
		if a := s.post("/v1/score", jsonKind, strings.Repeat(" ", 9<<20)); a.code != 413 {
			t.Errorf("HTTP/2 %v: %d %s", two, a.code, a.body)
		}
		s.client.CloseIdleConnections()
	}
	if got := s.raw("GET /livez HTTP/1.1\r\nHost: x\r\n\r\n", time.Second); !strings.Contains(got, "HTTPS server") {
		t.Errorf("without TLS: %q", got)
	}
}
