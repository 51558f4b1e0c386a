package commands

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"
)

// TestHelp holds each help text against testdata/help; UPDATE=1 rewrites it.
func TestHelp(t *testing.T) {
	topics := append(commandNames(allCommands(&stdio{})), "config")
	for _, topic := range topics {
		code, got, errs := ctr(t, nil, "help", topic)
		if code != 0 || errs != "" {
			t.Errorf("ctr help %s: code %d, %s", topic, code, errs)
		}
		for i, line := range strings.Split(got, "\n") {
			if utf8.RuneCountInString(line) > helpWidth {
				t.Errorf("ctr help %s: line %d: more than %d wide: %s", topic, i+1, helpWidth, line)
			}
		}
		path := filepath.Join("testdata", "help", topic+".txt")
		if update {
			if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte(got), 0o666); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatalf("%v (UPDATE=1 writes it)", err)
		}
		if got != string(want) {
			t.Errorf("ctr help %s: got\n%swant\n%s(UPDATE=1 rewrites it)", topic, got, want)
		}
	}
}

// TestHelpOpensOnExamples: a person in a hurry reads no further.
func TestHelpOpensOnExamples(t *testing.T) {
	for _, c := range allCommands(&stdio{}) {
		text := commandHelp(c)
		examples, usage := strings.Index(text, "\nEXAMPLES\n  ctr "+c.Name), strings.Index(text, "\nUSAGE\n")
		if examples < 0 || usage < examples {
			t.Errorf("ctr %s: want examples first", c.Name)
		}
	}
}
