package trees

import (
	"bytes"
	"math"
	"strings"
	"testing"

	"ctr/features"
	"ctr/models"
)

// saved gives the bytes of a model file's tensors and settings.
func saved(t *testing.T, m models.Model) []byte {
	t.Helper()
	f := models.NewFile()
	if err := m.Save(f); err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if _, err := f.WriteTo(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// TestTreesNew takes models apart and puts them together again: the nodes stand
// where they stood, so the tensors are the same.
func TestTreesNew(t *testing.T) {
	for _, algo := range []string{"dt", "rf"} {
		m, tab := small(t, algo)
		got, err := New(algo, tab.Spec, m.Trees())
		if err != nil {
			t.Fatal(err)
		}
		got.settings = m.settings
		if !bytes.Equal(saved(t, got), saved(t, m)) {
			t.Errorf("%s: put together again it is another model", algo)
		}
	}
	tab := mixed(t, 2000)
	m, err := Boost(t.Context(), tab, models.Options{Trees: 5}, nil)
	if err != nil {
		t.Fatal(err)
	}
	got, err := NewBoosted(tab.Spec, m.Base(), m.Trees())
	if err != nil {
		t.Fatal(err)
	}
	ex := tab.Spec.NewExample()
	for i := range tab.Rows {
		tab.Example(i, ex)
		if p, q := m.Probability(ex), got.Probability(ex); math.Float64bits(p) != math.Float64bits(q) {
			t.Fatalf("gbdt: row %d: %v, put together again %v", i, p, q)
		}
	}
}

func TestNewRefuses(t *testing.T) {
	spec := &features.Spec{Fields: []features.Field{{Name: "n", From: []string{"n"}, Type: features.Num}}}
	leaf := Node{Value: .5}
	f := func(want string, tree ...Node) {
		t.Helper()
		if _, err := New("dt", spec, [][]Node{tree}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: %v, want %q", tree, err, want)
		}
	}
	f("no nodes")
	f("probability 1.5", Node{Value: 1.5})
	f("child 0: want 1 … 2", Node{Left: 1}, leaf, leaf)
	f("child 3: want 1 … 2", Node{Left: 1, Right: 3}, leaf, leaf)
	f("child 1: has another parent", Node{Left: 1, Right: 1}, leaf)
	f("child 1: has another parent", Node{Left: 1, Right: 2}, Node{Left: 1, Right: 2}, leaf)
	f("1 of 4 nodes have no parent", Node{Left: 1, Right: 2}, leaf, leaf, leaf)
	f("field 1: want 0 … 0", Node{Left: 1, Right: 2, Field: 1}, leaf, leaf)
	f("right child 1 without a left one", Node{Right: 1}, leaf)
	f("threshold NaN", Node{Left: 1, Right: 2, Value: math.NaN()}, leaf, leaf)
	if _, err := New("dt", spec, nil); err == nil {
		t.Error("no trees: want an error")
	}
	if _, err := NewBoosted(spec, math.Inf(1), [][]Node{{leaf}}); err == nil {
		t.Error("base +Inf: want an error")
	}
}
