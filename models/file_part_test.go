package models

import (
	"bytes"
	"slices"
	"strings"
	"testing"
)

func TestParts(t *testing.T) {
	type settings struct{ X int }
	part := func(x int, data ...float64) *File {
		p := NewFile()
		if err := p.PutSettings(settings{x}); err != nil {
			t.Fatal(err)
		}
		if err := p.PutF64("w", nil, data); err != nil {
			t.Fatal(err)
		}
		return p
	}
	f := NewFile()
	if err := f.PutPart("a", part(1, 2, 3)); err != nil {
		t.Fatal(err)
	}
	if err := f.PutPart("b", part(4, 5)); err != nil {
		t.Fatal(err)
	}
	if err := f.PutF64("w", nil, []float64{9}); err != nil {
		t.Fatal(err)
	}
	text, err := f.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	if f, err = ReadFile(bytes.NewReader(text), int64(len(text))); err != nil {
		t.Fatal(err)
	}
	check := func(name string, x int, data ...float64) {
		t.Helper()
		var s settings
		if err := f.Part(name).Settings(&s); err != nil || s.X != x {
			t.Errorf("part %s: settings %v, error %v: want %d", name, s, err, x)
		}
		if w, err := f.Part(name).F64Vec("w", -1); err != nil || !slices.Equal(w, data) {
			t.Errorf("part %s: %v, error %v: want %v", name, w, err, data)
		}
	}
	check("a", 1, 2, 3)
	check("b", 4, 5)
	if n := len(f.Part("none").Tensors()); n != 0 {
		t.Errorf("%d tensors in a part that is not there", n)
	}
	if err := f.PutPart("a", part(1)); err == nil || !strings.Contains(err.Error(), "tensor a/w: there already") {
		t.Errorf("a part twice: error %v", err)
	}
	bad := NewFile()
	_ = bad.PutF64("", nil, nil)
	g := NewFile()
	if err := g.PutPart("x", bad); err == nil {
		t.Error("a part with a mistake was taken")
	}
	if _, err := g.Bytes(); err == nil {
		t.Error("a file with a part's mistake was written")
	}
}
