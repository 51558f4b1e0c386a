package kafka

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// loaded gives settings that hold secrets in every place that has one, read
// from files and endpoints too.
func loaded(t *testing.T) *Security {
	t.Helper()
	path := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(path, []byte("hunter2-file\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := &Security{Mechanism: ScramSHA256, User: "alice", PasswordFile: path}
	if err := s.load(); err != nil {
		t.Fatal(err)
	}
	if s.password.reveal() != "hunter2-file" {
		t.Fatal("the file was not read")
	}
	s.Password, s.ClientSecret = NewSecret("hunter2-password"), NewSecret("hunter2-client")
	s.tokens.token, s.tokens.until = NewSecret("hunter2-token"), time.Now()
	return s
}

// Secrets are printed by nothing, wherever they are in what is printed: fmt
// does not call methods of what is in unexported fields.
func TestSecretsAreNotPrinted(t *testing.T) {
	s := loaded(t)
	type nest struct {
		Exported   *Security
		unexported *Security
		Secret     Secret
		secret     Secret
		list       []Secret
		table      map[string]Secret
		any        any
	}
	n := nest{s, s, s.Password, s.password, []Secret{s.password}, map[string]Secret{"x": s.Password}, s.ClientSecret}
	options := Options{Security: s}
	things := []any{
		s, s.Password, s.password, &s.Password, s.tokens.token, &s.tokens,
		n, &n,
		[]any{s, s.Password},
		options, &options,
		SourceOptions{Options: options},
		ProducerOptions{Options: options},
		TopicSinkOptions{Options: options},
		&Source{o: SourceOptions{Options: options}},
		tokenProvider{s},
		&tokenProvider{s},
		map[Secret]int{s.Password: 1},
		struct{ s *Secret }{&s.password},
		fmt.Errorf("x: %v", s.Password),
	}
	look := func(how string, thing any, text string) {
		t.Helper()
		for _, part := range []string{"hunter2", "68756e746572", "68756E746572", "aHVudGVy", "104 117 110", "0x68, 0x75"} { // in hexadecimal, base64 and bytes
			if strings.Contains(text, part) {
				t.Errorf("%s of %T: %s", how, thing, text)
			}
		}
	}
	for _, thing := range things {
		for _, verb := range "vTtbcdoOqxXUeEfFgGspw!zZ" {
			for _, flags := range []string{"", "+", "#", "-", " ", "0", "+#", "20.3", "# "} {
				how := "%" + flags + string(verb)
				look(how, thing, fmt.Sprintf(how, thing))
			}
		}
		look("Sprint", thing, fmt.Sprint(thing)+fmt.Sprintln(thing))
		look("Errorf", thing, fmt.Errorf("%v", thing).Error())
		if text, err := json.Marshal(thing); err == nil {
			look("JSON", thing, string(text))
		}
		if text, err := xml.Marshal(thing); err == nil {
			look("XML", thing, string(text))
		}
		var b bytes.Buffer
		slog.New(slog.NewTextHandler(&b, nil)).Info("x", "thing", thing)
		slog.New(slog.NewJSONHandler(&b, nil)).Info("x", "thing", thing)
		look("slog", thing, b.String())
	}
	if got := fmt.Sprintf("%s %v %+v %#v %q %x %d %p", s.Password, s.Password, s.Password, s.Password, s.Password, s.Password, s.Password, s.Password); strings.Count(got, hidden) < 7 {
		t.Errorf("%s: want it hidden seven times at least", got)
	}
	if text, err := json.Marshal(s.Password); err != nil || string(text) != `"(hidden)"` {
		t.Errorf("JSON %s, %v", text, err)
	}
}
