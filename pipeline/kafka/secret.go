package kafka

import (
	"fmt"
	"io"
	"log/slog"
)

// Secret is a text that is not printed, whatever prints it: by no verb of fmt,
// in no encoding, and not inside of anything else, even where fmt may not call
// its methods (unexported fields), since all that there is to see then is an
// address. The zero value is no secret.
type Secret struct{ text *string }

// NewSecret makes a Secret of text; "" is none.
func NewSecret(text string) Secret {
	if text == "" {
		return Secret{}
	}
	return Secret{&text}
}

// reveal gives the text.
func (s Secret) reveal() string {
	if s.text == nil {
		return ""
	}
	return *s.text
}

// none reports whether there is no secret.
func (s Secret) none() bool { return s.text == nil }

const hidden = "(hidden)"

// String hides the secret.
func (Secret) String() string { return hidden }

// GoString hides the secret.
func (Secret) GoString() string { return hidden }

// Format hides the secret, from verbs that are not for texts too.
func (Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, hidden) }

// MarshalText hides the secret, in JSON and YAML too.
func (Secret) MarshalText() ([]byte, error) { return []byte(hidden), nil }

// LogValue hides the secret.
func (Secret) LogValue() slog.Value { return slog.StringValue(hidden) }
