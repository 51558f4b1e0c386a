package interchange

import (
	"slices"
	"testing"

	"ctr/features"
)

// TestBeyond: a property that a format does not know is a fault, one that is not
// set is none, and those of history are told by Stateful.
func TestBeyond(t *testing.T) {
	limit := 3.5
	spec := &features.Spec{Fields: []features.Field{
		{Name: "a", From: []string{"a"}, Type: features.Dict},
		{Name: "b", From: []string{"b"}, Type: features.Num, Cap: &limit, Past: features.Count},
	}}
	if got := Beyond(spec, "name", "from", "type", "cap"); got != nil {
		t.Errorf("faults %q: want none", got)
	}
	if got, want := Beyond(spec, "name", "from", "type"), []string{"column b has cap 3.5"}; !slices.Equal(got, want) {
		t.Errorf("faults %q: want %q", got, want)
	}
}
