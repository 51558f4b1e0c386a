package commands

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"
)

// selfSigned gives a certificate and its key as PEM.
func selfSigned(t *testing.T, serial int64) (cert, key []byte) {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(serial), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &k.PublicKey, k)
	if err != nil {
		t.Fatal(err)
	}
	pkcs, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs})
}

// A certificate that is replaced is served from the next handshake on; one that
// is half replaced, or gone, not.
func TestServeFreshCertificate(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p := &freshPair{cert: filepath.Join(dir, "tls.crt"), key: filepath.Join(dir, "tls.key")}
	at := time.Now().Add(-time.Hour)
	put := func(path string, b []byte) {
		t.Helper()
		at = at.Add(time.Second)
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, at, at); err != nil {
			t.Fatal(err)
		}
	}
	served := func(what string, want []byte) {
		t.Helper()
		got, err := p.get(nil)
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		block, _ := pem.Decode(want)
		if !bytes.Equal(got.Certificate[0], block.Bytes) {
			t.Errorf("%s: the other certificate", what)
		}
	}
	if _, err := p.get(nil); err == nil {
		t.Error("no files: want an error")
	}
	cert, key := selfSigned(t, 1)
	put(p.cert, cert)
	put(p.key, key)
	served("the first", cert)
	next, nextKey := selfSigned(t, 2)
	put(p.cert, next)
	served("without its key", cert)
	put(p.key, nextKey)
	served("both replaced", next)
	served("nothing changed", next)
	if err := os.Remove(p.cert); err != nil {
		t.Fatal(err)
	}
	served("gone", next)
	put(p.cert, cert) // the key is replaced first
	served("another, without its key", next)
	put(p.key, key)
	served("the first again", cert)
}

// Tokens come from the environment and a file, one a line or between commas.
func TestServeSecure(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := filepath.Join(dir, "tokens")
	if err := os.WriteFile(file, []byte("three\r\n\nfour\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	f := func(o serveOptions, variable string, want []string) {
		t.Helper()
		if err := o.secure(func(name string) string {
			if name != tokensVariable {
				t.Errorf("asks for %s", name)
			}
			return variable
		}); err != nil || len(o.Tokens)+len(want) > 0 && !reflect.DeepEqual(o.Tokens, want) {
			t.Errorf("%q %q: %v, %v, want %q", o.tokenFile, variable, o.Tokens, err, want)
		}
	}
	f(serveOptions{}, "", nil)
	f(serveOptions{}, " one,two\n", []string{"one", "two"})
	f(serveOptions{tokenFile: file}, "one", []string{"one", "three", "four"})
	o := serveOptions{}
	guarded := func(addr string, want bool) {
		t.Helper()
		if o.guarded(addr) != want {
			t.Errorf("%s: guarded %v", addr, !want)
		}
	}
	guarded("127.0.0.1:80", true)
	guarded("[::1]:80", true)
	guarded("0.0.0.0:80", false)
	guarded("[::]:80", false)
	o.Tokens, o.TLS = []string{"x"}, &tls.Config{MinVersion: tls.VersionTLS12}
	guarded("0.0.0.0:80", true)
}
