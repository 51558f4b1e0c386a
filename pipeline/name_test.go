package pipeline

import (
	"fmt"
	"strings"
	"testing"
)

// Commits name the outputs at hand, and those before, within bounds.
func TestNameOutput(t *testing.T) {
	f := func(before, want string, names ...string) {
		t.Helper()
		commits := []Commit{{Assignment: &Assignment{Metadata: before}}}
		for _, n := range names {
			NameOutput(commits, n)
		}
		if got := commits[0].Metadata; got != want {
			t.Errorf("after %q: %q, want %q", before, got, want)
		}
	}
	f("", "ctr:a", "ctr:a")
	f("ctr:a", "ctr:a", "ctr:a")
	f("ctr:a", "ctr:b\nctr:a", "ctr:b")
	f("somebody's text", "ctr:b", "ctr:b")
	f("ctr:a\nctr:c", "ctr:b\nctr:a\nctr:c", "ctr:b")
	f("ctr:x", "ctr:a\nctr:x\nctr:b", "ctr:a", "ctr:b")
	f("ctr:a\nctr:b", "ctr:a\nctr:b", "ctr:a", "ctr:b")

	var many []string
	for i := range 1000 {
		many = append(many, fmt.Sprintf("ctr:%012x:predictions.csv", i))
	}
	commits := []Commit{{Assignment: &Assignment{Metadata: strings.Join(many, "\n")}}}
	NameOutput(commits, "ctr:new")
	if got := commits[0].Metadata; len(got) > 3000 || !names(got, "ctr:new") || !names(got, many[0]) {
		t.Errorf("%d bytes of names", len(got))
	}
}
