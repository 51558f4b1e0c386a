package kafka

import (
	"errors"
	"fmt"
	"testing"

	"github.com/IBM/sarama"
	"github.com/twmb/franz-go/pkg/kerr"
)

// Only what brokers won't answer otherwise later ends a stay in the group.
func TestHopeless(t *testing.T) {
	f := func(err error, want bool) {
		t.Helper()
		if got := hopeless(fmt.Errorf("group: %w", err)); got != want {
			t.Errorf("%v: %v, want %v", err, got, want)
		}
	}
	f(kerr.GroupAuthorizationFailed, true)
	f(kerr.InvalidSessionTimeout, true)
	f(kerr.TopicAuthorizationFailed, true)
	f(kerr.UnknownMemberID, false)
	f(kerr.IllegalGeneration, false)
	f(kerr.NotCoordinator, false)
	f(kerr.IllegalSaslState, false)
	f(errors.New("unable to dial"), false)
}

// What brokers say no to is known from the errors of both clients.
func TestCodeOf(t *testing.T) {
	f := func(err error, want int16) {
		t.Helper()
		if got := codeOf(fmt.Errorf("topic x: %w", err)); got != want {
			t.Errorf("%v: %d, want %d", err, got, want)
		}
	}
	f(kerr.SaslAuthenticationFailed, 58)
	f(fmt.Errorf("%w: no such user", kerr.SaslAuthenticationFailed), 58)
	f(sarama.ErrSASLAuthenticationFailed, 58)
	f(sarama.Wrap(sarama.ErrSASLAuthenticationFailed, errors.New("no such user")), 58)
	f(sarama.Wrap(sarama.ErrOutOfBrokers, sarama.Wrap(sarama.ErrSASLAuthenticationFailed, errors.New("no such user"))), 58)
	f(sarama.ErrGroupAuthorizationFailed, 30)
	f(kerr.IllegalSaslState, 34)
	f(kerr.UnknownMemberID, 0)
	f(errors.New("unable to dial"), 0)
}
