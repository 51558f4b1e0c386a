package pipeline

import (
	"fmt"
	"strings"
	"testing"
)

// The commits of files name the outputs at hand, and files before, within bounds.
func TestNamesOfOutputs(t *testing.T) {
	name := func(i int) string { return fmt.Sprintf("ctr:%012x:predictions.csv", i) }
	f := func(before []string, want []string, at ...string) {
		t.Helper()
		commits := []Commit{{Assignment: &Assignment{Metadata: strings.Join(before, "\n")}}}
		for _, n := range at {
			NameOutput(commits, n)
			keepNames(commits)
		}
		if got := commits[0].Metadata; got != strings.Join(want, "\n") {
			t.Errorf("after %q: %q, want %q", before, got, want)
		}
	}
	a, b, c := name(1), name(2), name(3)
	type list = []string
	f(nil, list{a}, a)
	f(list{a}, list{a}, a)
	f(list{a}, list{b, a}, b)
	f(list{"somebody's text"}, list{b}, b)
	f(list{"ctr:kafka:t", "ctr:folder:0123456789ab:5:6"}, list{b}, b)
	f(list{a, c}, list{b, a, c}, b)
	f(list{a, b}, list{a, b}, a, b)
	f(list{c}, list{a, c, b}, a, b)

	var many []string
	for i := range 1000 {
		many = append(many, name(i+100))
	}
	commits := []Commit{{Assignment: &Assignment{Metadata: strings.Join(many, "\n")}}}
	NameOutput(commits, a)
	keepNames(commits)
	if got := commits[0].Metadata; len(got) > 3100 || !names(got, a) || !names(got, many[0]) {
		t.Errorf("%d bytes of names", len(got))
	}
}
