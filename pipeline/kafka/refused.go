package kafka

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/IBM/sarama"
	"github.com/twmb/franz-go/pkg/kerr"

	"ctr/features"
)

// refused explains an error of TLS or SASL, and is nil where err is neither.
// What a broker says about a name is left out: nobody knows what it repeats.
// It takes a connection that ends for a refusal, as it is where one begins.
func (o *Options) refused(err error) error {
	if why := o.refusal("", err); why != nil {
		return why
	}
	s := cmp.Or(o.Security, &Security{})
	at := strings.Join(o.Brokers, ",")
	var record tls.RecordHeaderError
	var packet sarama.PacketDecodingError
	var shake *handshakeError
	switch {
	case errors.As(err, &shake) && (errors.As(err, &record) || closed(err) || errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, context.DeadlineExceeded)):
		return features.WithHint(fmt.Errorf("broker at %s: its answer is not TLS", at), "without --tls and its kin, connections are plain; brokers have another port for each")
	case closed(err), !s.tls() && errors.As(err, &packet):
		text, hint := s.ended()
		return features.WithHint(fmt.Errorf("%sbroker at %s ends the connection", text, at), hint)
	}
	return nil
}

// refusal explains an error by which a broker, its certificate or a token
// endpoint says no, which it won't be talked out of. It is nil for all others.
// Where is what was asked for, "" where that was to be let in.
func (o *Options) refusal(where string, err error) error {
	s := cmp.Or(o.Security, &Security{})
	at := strings.Join(o.Brokers, ",")
	var token *authError
	if errors.As(err, &token) {
		return fmt.Errorf("OAUTHBEARER: %w", token.error)
	}
	if text, hint := s.refusedName(err); text != "" {
		return features.WithHint(fmt.Errorf("%s at %s", text, at), hint)
	}
	if text := s.refusedRight(err); text != "" {
		if where != "" {
			text = where + ": " + text
		}
		return features.WithHint(fmt.Errorf("%s at %s", text, at), "ACLs of the cluster say who may do what: docs/security.md has those that are needed")
	}
	if why := s.refusedCertificate(err, at); why != nil {
		return why
	}
	_, alert, found := strings.Cut(err.Error(), "remote error: tls: ")
	if !found {
		return nil
	}
	alert, _, _ = strings.Cut(alert, "\n")
	hint := "the broker may want another client certificate: --tls-cert and --tls-key"
	if s.CertFile == "" {
		hint = "the broker may want a client certificate: --tls-cert and --tls-key"
	}
	return features.WithHint(fmt.Errorf("broker at %s refuses TLS: %s", at, alert), hint)
}

// refusedCertificate explains why the certificate of a broker does not do.
func (s *Security) refusedCertificate(err error, at string) error {
	var unknown x509.UnknownAuthorityError
	var host x509.HostnameError
	var invalid x509.CertificateInvalidError
	told := func(hint, format string, a ...any) error {
		return features.WithHint(fmt.Errorf("broker at %s: TLS: "+format, append([]any{at}, a...)...), hint)
	}
	switch {
	case errors.As(err, &unknown) && s.CAFile != "":
		return told("the authority is not in "+s.CAFile+": --tls-ca names a file with its certificate", "%w", unknown)
	case errors.As(err, &unknown):
		return told("--tls-ca names a file with the certificate of the authority", "%w", unknown)
	case errors.As(err, &host):
		return told("--tls-server-name is the name that the certificate must have, where it is not the host's", "%w", host)
	case !errors.As(err, &invalid):
		return nil
	case invalid.Reason == x509.Expired && invalid.Cert != nil && time.Now().Before(invalid.Cert.NotBefore):
		return told("this machine's clock may be wrong, or the broker's is: its certificate is newer than that",
			"the broker's certificate is not valid yet: it will be from %s", invalid.Cert.NotBefore.UTC().Format(time.RFC3339))
	case invalid.Reason == x509.Expired && invalid.Cert != nil:
		return told("renew the broker's certificate, or that of its authority; or this machine's clock is wrong",
			"the broker's certificate has expired: it was valid until %s", invalid.Cert.NotAfter.UTC().Format(time.RFC3339))
	case invalid.Reason == x509.IncompatibleUsage:
		return told("the broker needs a certificate for servers (extended key usage serverAuth)", "the broker's certificate: %w", invalid)
	}
	return told("the broker, or the authority in --tls-ca, needs another certificate", "the broker's certificate: %w", invalid)
}

// ended guesses why a broker ends a connection and says nothing, as many do.
func (s *Security) ended() (text, hint string) {
	switch {
	case s.Mechanism == OAuthBearer:
		text, hint = "OAUTHBEARER: ", "the token may be refused"
	case s.Mechanism != "":
		text, hint = fmt.Sprintf("%s: user %s: ", s.Mechanism, s.User), "user or password may be wrong"
	default:
		hint = "it may want a name: --sasl"
	}
	if !s.tls() {
		hint += "; or it may want TLS: --tls"
	}
	return text, hint
}

// handshakeError is an error of the first exchange of TLS.
type handshakeError struct{ error }

// Unwrap gives the cause.
func (e *handshakeError) Unwrap() error { return e.error }

// handshake tries TLS with a broker. The client's own error would not tell a
// port without TLS from a password that is wrong, and might take a minute.
func (o *Options) handshake(addr string, config *tls.Config) error {
	ctx, cancel := context.WithTimeout(context.Background(), o.DialTimeout)
	defer cancel()
	var d net.Dialer
	plain, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	defer plain.Close()
	config = config.Clone()
	if config.ServerName == "" {
		config.ServerName, _, _ = net.SplitHostPort(addr)
	}
	if err := tls.Client(plain, config).HandshakeContext(ctx); err != nil {
		return &handshakeError{err}
	}
	return nil
}

// refusedName explains an error of SASL; text is "" where it is none.
func (s *Security) refusedName(err error) (text, hint string) {
	switch code := codeOf(err); {
	case code == kerr.SaslAuthenticationFailed.Code && s.Mechanism == OAuthBearer:
		return "OAUTHBEARER: the token is refused", "it may have run out, or be for another audience or scope: --oauth-token-file, --oauth-scope"
	case code == kerr.SaslAuthenticationFailed.Code:
		return fmt.Sprintf("%s: user %s: user or password is refused", s.Mechanism, s.User), "--sasl-user, and CTR_SASL_PASSWORD or --sasl-password-file"
	case code == kerr.UnsupportedSaslMechanism.Code:
		return s.Mechanism + ": no mechanism of the broker", "--sasl " + strings.Join(Mechanisms(), ", ")
	case code == kerr.IllegalSaslState.Code && s.Mechanism != "":
		return s.Mechanism + ": the broker wants no name", "leave --sasl out, or use the broker's port for it"
	case code == kerr.IllegalSaslState.Code:
		return "the broker wants a name", "--sasl " + strings.Join(Mechanisms(), ", ")
	}
	return "", ""
}

// refusedRight says what we may not do; "" where err is no such thing.
func (s *Security) refusedRight(err error) string {
	who := "this client"
	if s.User != "" {
		who = "user " + s.User
	} else if s.ClientID != "" {
		who = "client " + s.ClientID
	}
	what := ""
	switch codeOf(err) {
	case kerr.TopicAuthorizationFailed.Code:
		what = "the topic"
	case kerr.GroupAuthorizationFailed.Code:
		what = "the group"
	case kerr.ClusterAuthorizationFailed.Code:
		what = "the cluster in this way"
	case kerr.TransactionalIDAuthorizationFailed.Code:
		what = "the transactional id"
	default:
		return ""
	}
	return who + " may not use " + what
}

// wrongTime reports an authentication that comes too soon after another, or at
// any other time than brokers want one.
func wrongTime(err error) bool { return codeOf(err) == kerr.IllegalSaslState.Code }

// codeOf gives the code of a broker's answer that says no, which either client
// made an error of, and 0 for any other error.
func codeOf(err error) int16 {
	for _, no := range []*kerr.Error{
		kerr.SaslAuthenticationFailed, kerr.UnsupportedSaslMechanism, kerr.IllegalSaslState,
		kerr.TopicAuthorizationFailed, kerr.GroupAuthorizationFailed, kerr.ClusterAuthorizationFailed, kerr.TransactionalIDAuthorizationFailed,
	} {
		// sarama's error of a code with a message is no KError to errors.As.
		if errors.Is(err, no) || errors.Is(err, sarama.KError(no.Code)) {
			return no.Code
		}
	}
	return 0
}

// closed reports whether err is that the other side ended the connection.
func closed(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET)
}
