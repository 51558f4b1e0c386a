package onnx

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"regexp"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"

	"ctr/features"
	"ctr/models/trees"
)

// TestNumberForms compares the pattern with ParseNumber for every text of up to
// five of these bytes.
func TestNumberForms(t *testing.T) {
	pattern := regexp.MustCompile(`^(?:` + number + `)$`)
	long := regexp.MustCompile(`[eE][-+]?[0-9]{3}$`)
	const alphabet = "05-+.eE x"
	var try func(text string)
	try = func(text string) {
		// A number of three digits' exponent is text, as onnxruntime can't read all of them.
		_, ok := features.ParseNumber([]byte(text))
		if got := pattern.MatchString(text); got != (ok && text != "" && !long.MatchString(text)) {
			t.Errorf("%q: matches %v, ParseNumber %v", text, got, ok)
		}
		if len(text) < 5 {
			for i := range len(alphabet) {
				try(text + alphabet[i:i+1])
			}
		}
	}
	try("")
}

// TestTimeForms compares the pattern with ParseHour around every date.
func TestTimeForms(t *testing.T) {
	pattern := regexp.MustCompile(`^(?:` + timeForms + `)$`)
	f := func(text string, leap bool) {
		t.Helper()
		_, ok := features.ParseHour([]byte(text))
		if got := pattern.MatchString(text); got != (ok || leap) {
			t.Errorf("%q: matches %v, ParseHour %v", text, got, ok)
		}
	}
	for month := range 15 {
		for day := range 34 {
			leap := month == 2 && day == 29
			for _, hour := range []int{0, 9, 10, 19, 20, 23, 24, 30} {
				f(fmt.Sprintf("14%02d%02d%02d", month, day, hour), leap && hour < 24)
				f(fmt.Sprintf("2014-%02d-%02d %02d:59:59", month, day, hour), leap && hour < 24)
				f(fmt.Sprintf("1999-%02d-%02dT%02d:00:00", month, day, hour), leap && hour < 24)
			}
			f(fmt.Sprintf("2100-%02d-%02d", month, day), leap)
		}
	}
	for _, text := range []string{
		"", "1410210", "141021000", "2014-10-21 00:60:00", "2014-10-21 00:00:60", "2014-10-2100:00:00",
		"2014/10/21", "2014-10-21 00:00", "2014-10-21 00:00:00 ", "x4102100", "2014-10-21\n",
	} {
		f(text, false)
	}
}

// TestMessage nests what is copied and what is held, and takes it apart again.
func TestMessage(t *testing.T) {
	for _, size := range []int{0, 1, 127, 128, held - 1, held, held + 1, 3 * held} {
		data := bytes.Repeat([]byte("x"), size)
		var inner, outer message
		inner.text(1, "before")
		inner.bytes(2, data)
		inner.number(3, -1)
		outer.message(7, &inner)
		outer.numbers(8, []int64{1, 300})
		var out bytes.Buffer
		w := bufio.NewWriter(&out)
		if err := outer.write(w); err != nil {
			t.Fatal(err)
		}
		w.Flush()
		if int64(out.Len()) != outer.size {
			t.Fatalf("%d bytes: size %d", out.Len(), outer.size)
		}
		got := describe(t, out.Bytes())
		if want := fmt.Sprintf("7[%d bytes] 8[3 bytes] ", inner.size); got != want {
			t.Errorf("size %d: %s: want %s", size, got, want)
		}
		_, _, n := protowire.ConsumeTag(out.Bytes())
		in, _ := protowire.ConsumeBytes(out.Bytes()[n:])
		if got, want := describe(t, in), fmt.Sprintf("1[6 bytes] 2[%d bytes] 3=18446744073709551615 ", size); got != want {
			t.Errorf("size %d: %s: want %s", size, got, want)
		}
	}
}

// describe lists the fields of a message.
func describe(t *testing.T, b []byte) string {
	t.Helper()
	var s strings.Builder
	for len(b) > 0 {
		field, kind, n := protowire.ConsumeTag(b)
		if n < 0 {
			t.Fatal(protowire.ParseError(n))
		}
		b = b[n:]
		if kind == protowire.VarintType {
			v, n := protowire.ConsumeVarint(b)
			fmt.Fprintf(&s, "%d=%d ", field, v)
			b = b[n:]
			continue
		}
		v, n := protowire.ConsumeBytes(b)
		if n < 0 {
			t.Fatal(protowire.ParseError(n))
		}
		fmt.Fprintf(&s, "%d[%d bytes] ", field, len(v))
		b = b[n:]
	}
	return s.String()
}

// TestWellFormed checks of each graph what onnx.checker does: every value is
// made once, before it is used, and so is every constant, which something uses.
func TestWellFormed(t *testing.T) {
	for name, a := range artifacts(t) {
		m, err := build(a)
		if err != nil {
			t.Fatal(err)
		}
		made, used := map[string]bool{}, map[string]bool{}
		add := func(v string) {
			if made[v] || v == "" {
				t.Errorf("%s: %q is made twice or has no name", name, v)
			}
			made[v] = true
		}
		for _, v := range m.graph.inputs {
			add(v.name)
		}
		for _, c := range m.graph.constants {
			add(c.name)
		}
		for _, n := range m.graph.nodes {
			for _, v := range n.inputs {
				if used[v] = true; !made[v] {
					t.Errorf("%s: %s of %s is not made before", name, v, n.op)
				}
			}
			for _, v := range n.outputs {
				add(v)
			}
		}
		for _, v := range m.graph.outputs {
			used[v.name] = true
		}
		for v := range made {
			if !used[v] && !strings.HasSuffix(v, "/count") {
				t.Errorf("%s: nothing uses %s", name, v)
			}
		}
	}
}

// TestSetsStaySets: onnxruntime 1.23 makes copies of the tree below a set that
// has none but numbers up to 30.
func TestSetsStaySets(t *testing.T) {
	for name, a := range artifacts(t) {
		m, err := build(a)
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range m.graph.nodes {
			for _, at := range n.attributes {
				if at.name != "membership_values" {
					continue
				}
				raw := at.value.(*tensor).raw
				for ; len(raw) > 0; raw = raw[8:] {
					if v := math.Float64frombits(binary.LittleEndian.Uint64(raw)); v <= 30 {
						t.Errorf("%s: a set has %v: want more than 30", name, v)
					}
				}
			}
		}
	}
}

// TestRoots has a tree whose root leads to the leaf and to the node of one
// number, which onnxruntime 1.23 takes for a leaf.
func TestRoots(t *testing.T) {
	leaf := func(v float64) trees.Node { return trees.Node{Value: v} }
	one := []trees.Node{{Left: 1, Right: 2, Value: 1}, leaf(.1), leaf(.2)}
	two := []trees.Node{{Left: 1, Right: 2, Value: 1}, leaf(.3), {Left: 3, Right: 4, Value: 2}, leaf(.4), leaf(.5)}
	var e forest
	e.place = []int64{0}
	for _, tree := range [][]trees.Node{one, two, one, {leaf(.6)}, two} {
		e.tree(tree)
	}
	for i, root := range e.roots {
		if e.yes[root] == e.no[root] {
			t.Errorf("tree %d: the children of the root are both number %d", i, e.yes[root])
		}
	}
	if len(e.leaves) == 2+3+2+2+3 {
		t.Error("there was no such tree")
	}
	walk := func(root int64, x float64) float64 {
		for {
			to, end := e.no[root], e.noLeaf[root]
			if x <= e.splits[root] {
				to, end = e.yes[root], e.yesLeaf[root]
			}
			if root = to; end != 0 {
				return e.leaves[to]
			}
		}
	}
	for i, want := range [][3]float64{{.1, .2, .2}, {.3, .4, .5}, {.1, .2, .2}, {.6, .6, .6}, {.3, .4, .5}} {
		for k, x := range []float64{1, 2, 3} {
			if got := walk(e.roots[i], x); got != want[k] {
				t.Errorf("tree %d at %v: %v: want %v", i, x, got, want[k])
			}
		}
	}
}
