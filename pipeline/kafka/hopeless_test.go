package kafka

import (
	"errors"
	"fmt"
	"testing"

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
