package commands

import (
	"errors"

	"github.com/urfave/cli/v2"

	"ctr/pipeline/kafka"
)

// clusterOptions say how to reach Kafka, for every command that does.
type clusterOptions struct {
	brokers  []string
	security *kafka.Security // shared by copies of the options
}

// newCluster gives the defaults.
func newCluster() clusterOptions {
	return clusterOptions{brokers: []string{defaultBroker}, security: &kafka.Security{}}
}

// clusterFlags are the flags of clusterOptions. Secrets have none: a command
// line is seen by everybody on the machine.
func clusterFlags(o *clusterOptions) []cli.Flag {
	s := o.security
	return group("Cluster",
		listFlag(&o.brokers, "brokers", "`HOST:PORT` of one or more brokers to begin with, separated by commas"),
		boolFlag(&s.TLS, "tls", "protect connections with TLS; the other flags of TLS do so too"),
		stringFlag(&s.CAFile, "tls-ca", "PEM `FILE` of the authorities that vouch for brokers; the system's by default"),
		stringFlag(&s.CertFile, "tls-cert", "PEM `FILE` of this client's certificate, for brokers that ask for one"),
		stringFlag(&s.KeyFile, "tls-key", "PEM `FILE` of its key"),
		stringFlag(&s.ServerName, "tls-server-name", "the `NAME` that brokers' certificates must have; their host's by default"),
		choiceFlag(&s.Mechanism, "sasl", "`MECHANISM` by which to say who we are: PLAIN, SCRAM-SHA-256, SCRAM-SHA-512 or OAUTHBEARER", kafka.Mechanisms()...),
		stringFlag(&s.User, "sasl-user", "`NAME` of the user; the password is in "+passwordVariable),
		stringFlag(&s.PasswordFile, "sasl-password-file", "`FILE` with the password"),
		stringFlag(&s.TokenFile, "oauth-token-file", "`FILE` with a token, kept fresh by something else"),
		stringFlag(&s.TokenURL, "oauth-token-url", "`URL` of an OAuth 2.0 endpoint that gives tokens for a client's id and secret; the secret is in "+clientSecretVariable),
		stringFlag(&s.ClientID, "oauth-client-id", "`ID` of the client"),
		stringFlag(&s.Scope, "oauth-scope", "`SCOPE` to ask for"),
	)
}

// The variables that hold secrets. They are no flags' variables.
const (
	passwordVariable     = "CTR_SASL_PASSWORD"
	clientSecretVariable = "CTR_OAUTH_CLIENT_SECRET"
)

// secretKeys are keys that one might look for in ctr.yaml, and where what
// they would hold belongs.
var secretKeys = map[string]string{
	"sasl-password":       passwordVariable + " in the environment, or a file that sasl-password-file names, has the password",
	"oauth-client-secret": clientSecretVariable + " in the environment has the client's secret",
	"oauth-token":         "a file that oauth-token-file names has the token",
}

// check takes the secrets from the environment and reports the first fault.
func (o *clusterOptions) check(getenv func(string) string) error {
	s := o.security
	if s == nil { // of ctr demo, which has a broker of its own
		return nil
	}
	switch s.Mechanism {
	case "":
	case kafka.OAuthBearer:
		s.ClientSecret = kafka.Secret(getenv(clientSecretVariable))
	default:
		if s.PasswordFile == "" {
			s.Password = kafka.Secret(getenv(passwordVariable))
		}
	}
	err := s.Check()
	if err == nil {
		return nil
	}
	e := usagef("%v", err)
	var h interface{ Hint() string }
	if errors.As(err, &h) {
		e = e.withHint("%s", h.Hint())
	}
	return e
}

// options gives what the library wants to know.
func (o *clusterOptions) options() kafka.Options {
	return kafka.Options{Brokers: o.brokers, Security: o.security}
}

// compressionFlag is of those who write to topics.
func compressionFlag(p *string) cli.Flag {
	return choiceFlag(p, "compression", "compress what is sent to topics by `NAME`: "+orList(kafka.Compressions()), kafka.Compressions()...)
}
