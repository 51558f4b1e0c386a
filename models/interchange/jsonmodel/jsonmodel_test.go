package jsonmodel

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"ctr/features"
	"ctr/models"
	"ctr/models/factor"
	"ctr/models/interchange"
	"ctr/models/linear"
	"ctr/models/stack"
	"ctr/models/trees"
)

// table is a small table with a category, whose values are odd, and a number.
func table(t testing.TB) *features.Table {
	t.Helper()
	values := []string{"a", "<b>", "\xff\x00", "d \"e\""}
	text, offsets := "", []uint64{0}
	for _, v := range values {
		text += v
		offsets = append(offsets, uint64(len(text)))
	}
	d, err := features.NewDictionary([]byte(text), offsets)
	if err != nil {
		t.Fatal(err)
	}
	const n = 400
	spec := &features.Spec{Schema: *features.Criteo(), Fields: []features.Field{
		{Name: "C1", From: []string{"C1"}, Type: features.Dict, Dict: d},
		{Name: "I1", From: []string{"I1"}, Type: features.Num, Bounds: []float64{2, 5}, Scale: 1},
	}}
	tab := &features.Table{Spec: spec, Rows: n, Y: make([]uint8, n)}
	codes, bins, x := features.MakeCodes(n, 5), features.MakeCodes(n, 4), make([]float64, n)
	for i := range n {
		r := features.Mix64(uint64(i))
		codes.Set(i, uint32(r%5))
		x[i] = float64(r >> 8 % 10)
		bins.Set(i, 1)
		if r%5 == 1 || r>>32%4 == 0 {
			tab.Y[i] = 1
		}
	}
	tab.Codes, tab.Values = []features.Codes{codes, bins}, [][]float64{nil, x}
	return tab
}

func export(t testing.TB, a *models.Artifact) map[string]any {
	t.Helper()
	path := filepath.Join(t.TempDir(), "m.json")
	if _, err := Export(context.Background(), a, path); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var out map[string]any
	if err := json.Unmarshal(text, &out); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return out
}

// TestFamilies: each family's parts are there, and are the model's.
func TestFamilies(t *testing.T) {
	tab := table(t)
	f := func(train models.Trainer, o models.Options, parts ...string) map[string]any {
		t.Helper()
		m, err := train(context.Background(), tab, o, nil)
		if err != nil {
			t.Fatal(err)
		}
		out := export(t, &models.Artifact{Model: m, Spec: tab.Spec, Threshold: .25})
		for _, p := range append(parts, "fields", "schema", "threshold") {
			if out[p] == nil {
				t.Errorf("%s: no %s", m.Algo(), p)
			}
		}
		if out["format"] != "ctr-json" || out["algo"] != m.Algo() || out["threshold"] != .25 {
			t.Errorf("%s: head %v, %v, %v", m.Algo(), out["format"], out["algo"], out["threshold"])
		}
		return out
	}
	out := f(linear.Train, models.Options{}, "lr")
	if w := out["lr"].(map[string]any)["weights"].([]any); len(w) != 5+4 {
		t.Errorf("%d weights: want 9", len(w))
	}
	dict := out["fields"].([]any)[0].(map[string]any)["dictionary"].([]any)
	if dict[1] != "<b>" || dict[2].(map[string]any)["base64"] != "/wA=" || dict[3] != `d "e"` {
		t.Errorf("dictionary %v", dict)
	}
	lookup := func(algo string) models.Trainer {
		a, err := models.Lookup(algo)
		if err != nil {
			t.Fatal(err)
		}
		return a.Train
	}
	f(lookup("dt"), models.Options{}, "trees")
	f(lookup("gbdt"), models.Options{Trees: 3}, "trees", "base")
	f(stack.Train, models.Options{Trees: 2}, "lr", "trees")
	out = f(lookup(factor.FieldAware), models.Options{Factors: 2, Passes: 1}, "slots", "vectors", "linear", "scale", "linear_scale")
	slots := out["slots"].([]any)[1].(map[string]any)
	first, size := int(slots["first"].(float64)), int(slots["size"].(float64))
	if v := out["vectors"].([]any); len(v) != (first+size)*2*2 {
		t.Errorf("%d numbers in vectors of %d slots", len(v), first+size)
	}
}

// TestThresholds: a tree may have a threshold that is no JSON number.
func TestThresholds(t *testing.T) {
	tab := table(t)
	inf, err := strconv.ParseFloat("inf", 64)
	if err != nil {
		t.Fatal(err)
	}
	m, err := trees.NewBoosted(tab.Spec, 0, [][]trees.Node{{
		{Left: 1, Right: 2, Value: inf, Field: 1}, {Value: 1}, {Left: 3, Right: 4, Field: 0, Codes: []uint32{0, 2}}, {Value: 2}, {Value: 3},
	}})
	if err != nil {
		t.Fatal(err)
	}
	tree := export(t, &models.Artifact{Model: m, Spec: tab.Spec})["trees"].([]any)[0].([]any)
	if n := tree[0].(map[string]any); n["le"] != "inf" || n["missing"] != "right" {
		t.Errorf("node %v", n)
	}
	if n := tree[2].(map[string]any); len(n["in"].([]any)) != 2 || n["le"] != nil {
		t.Errorf("node %v", n)
	}
}

func TestRefuses(t *testing.T) {
	tab := table(t)
	m, err := linear.Train(context.Background(), tab, models.Options{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	spec := *tab.Spec
	spec.Fields = append([]features.Field{}, spec.Fields...)
	spec.Fields[1].Past = features.Count
	_, err = Export(context.Background(), &models.Artifact{Model: m, Spec: &spec}, filepath.Join(t.TempDir(), "m"))
	var refusal *interchange.Refusal
	if !errors.As(err, &refusal) || !strings.Contains(err.Error(), "column I1 depends on earlier rows") {
		t.Errorf("error %v: want that of I1", err)
	}
}
