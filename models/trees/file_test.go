package trees

import (
	"bytes"
	"math"
	"slices"
	"strings"
	"testing"

	"ctr/features"
	"ctr/models"
)

// mixed is a table of categories, some of them of rare codes only, and of
// numbers with missing values.
func mixed(t testing.TB, n int) *features.Table {
	tab, _ := synthetic(t, n, 6)
	for _, f := range []int{14, 17} {
		tab.Values[f] = make([]float64, n)
		tab.Spec.Fields[f].Type = features.Num
		for i := range n {
			if tab.Values[f][i] = float64(tab.Codes[f].At(i)) / 3; i%5 == 0 {
				tab.Values[f][i] = math.NaN()
			}
		}
	}
	for i := range n {
		tab.Y[i] = 0
		switch a, b := tab.Values[14][i], tab.Values[17][i]; {
		case i%3 == 0 && !(a > 20), i%3 == 1 && b <= 5, i%3 == 2 && tab.Codes[3].At(i)%4 == 1:
			tab.Y[i] = 1
		}
	}
	return tab
}

func small(t testing.TB, algo string) (*Model, *features.Table) {
	tab := mixed(t, 2000)
	p := plain(algo)
	p.trees, p.depth, p.minLeaf, p.minGroup = 3, 6, 5, 2
	if algo == "dt" {
		p.trees = 1
	}
	return mustFit(t, algo, tab, p), tab
}

func TestSaveLoad(t *testing.T) {
	for _, algo := range []string{"dt", "rf"} {
		m, tab := small(t, algo)
		f := models.NewFile()
		if err := m.Save(f); err != nil {
			t.Fatal(err)
		}
		var buf bytes.Buffer
		if _, err := f.WriteTo(&buf); err != nil {
			t.Fatal(err)
		}
		f, err := models.ReadFile(bytes.NewReader(buf.Bytes()), int64(buf.Len()))
		if err != nil {
			t.Fatal(err)
		}
		a, err := models.Lookup(algo)
		if err != nil {
			t.Fatal(err)
		}
		got, err := a.Load(f, tab.Spec)
		if err != nil {
			t.Fatal(err)
		}
		ex := &features.Example{Codes: make([]uint32, len(tab.Codes)), Values: make([]float64, len(tab.Codes))}
		for i := range tab.Rows {
			tab.Example(i, ex)
			if p, q := m.Probability(ex), got.Probability(ex); math.Float64bits(p) != math.Float64bits(q) {
				t.Fatalf("%s: row %d: %v, loaded %v", algo, i, p, q)
			}
		}
		// Saved again, it is the same file.
		f, again := models.NewFile(), bytes.Buffer{}
		if err := got.Save(f); err != nil {
			t.Fatal(err)
		}
		if _, err := f.WriteTo(&again); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(buf.Bytes(), again.Bytes()) || got.Algo() != algo {
			t.Errorf("%s: saved again it differs", algo)
		}
	}
}

// TestAllKinds: the model that the tests of files damage has every kind of node.
func TestAllKinds(t *testing.T) {
	m, _ := small(t, "rf")
	seen := map[kind]int{}
	for i := range m.nodes {
		seen[m.nodes[i].kind]++
	}
	for k := leaf; k <= catCodes; k++ {
		if seen[k] == 0 {
			t.Errorf("no node of kind %d: %v", k, seen)
		}
	}
}

func TestLoadErrors(t *testing.T) {
	whole, tab := small(t, "rf")
	f := func(want string, damage func(f *models.File, m *Model)) {
		t.Helper()
		m := whole.withNodes(slices.Clone(whole.nodes))
		m.sets = slices.Clone(m.sets)
		file := models.NewFile()
		if err := m.Save(file); err != nil {
			t.Fatal(err)
		}
		damage(file, m)
		_, err := load("rf", file, tab.Spec)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
	u32 := func(name string, change func(v []uint32) []uint32) func(*models.File, *Model) {
		return func(f *models.File, _ *Model) {
			v, _, err := f.U32(name)
			if err != nil {
				t.Fatal(err)
			}
			if err := f.PutU32(name, nil, change(v)); err != nil {
				t.Fatal(err)
			}
		}
	}
	first := func(x uint32) func([]uint32) []uint32 {
		return func(v []uint32) []uint32 { v[0] = x; return v }
	}
	resave := func(change func(m *Model)) func(*models.File, *Model) {
		return func(f *models.File, m *Model) {
			change(m)
			if err := m.Save(f); err != nil {
				t.Fatal(err)
			}
		}
	}
	find := func(m *Model, k kind) *node {
		for i := range m.nodes {
			if m.nodes[i].kind == k {
				return &m.nodes[i]
			}
		}
		t.Fatalf("no node of kind %d", k)
		return nil
	}
	f("settings: none", func(f *models.File, _ *Model) { *f = *models.NewFile() })
	f("child 0: want 1", u32(tensorChild, first(0)))
	f("child 4294967295: want", u32(tensorChild, first(math.MaxUint32)))
	f("want one parent before it", u32(tensorChild, first(3)))
	f("has another parent", resave(func(m *Model) {
		for i := range m.nodes {
			for j := range m.nodes[:m.nodes[i].child] {
				if j > i && m.nodes[j].kind != leaf {
					m.nodes[j].child = m.nodes[i].child
					return
				}
			}
		}
	}))
	f("trees: want 2", resave(func(m *Model) { m.settings.Trees = 2 }))
	f("the first at 0", u32(tensorRoots, first(1)))
	f("want one parent before it", u32(tensorRoots, func(v []uint32) []uint32 { v[1] = v[2]; return v }))
	f("want one or more", u32(tensorRoots, func(v []uint32) []uint32 { v[2] = v[1]; return v }))
	f("want one or more", u32(tensorRoots, func(v []uint32) []uint32 { v[2] = 1 << 31; return v }))
	f("trees.rows: 1 values: want", u32(tensorRows, func(v []uint32) []uint32 { return v[:1] }))
	f("the set of node", u32(tensorEnds, func(v []uint32) []uint32 { v[1] = 0; return v }))
	f("the set of node", u32(tensorEnds, func(v []uint32) []uint32 { v[len(v)-1]++; return v }))
	f("the set of node", u32(tensorEnds, func(v []uint32) []uint32 { return v[:len(v)-1] }))
	f("more than the sets of all nodes", u32(tensorSets, func(v []uint32) []uint32 { return append(v, 0) }))
	f("kind 5: want 0 … 4", func(f *models.File, m *Model) {
		if err := f.PutU8(tensorKinds, nil, bytes.Repeat([]byte{5}, len(m.nodes))); err != nil {
			t.Fatal(err)
		}
	})
	f("does not fit field", resave(func(m *Model) { find(m, numLeft).field = 0 }))
	f("does not fit field", resave(func(m *Model) { find(m, catBits).field = 17 }))
	f("field 24: want 0 … 23", resave(func(m *Model) { find(m, catBits).field = 24 }))
	f("threshold NaN", resave(func(m *Model) { find(m, numRight).arg = math.Float64bits(math.NaN()) }))
	f("probability NaN", resave(func(m *Model) { find(m, leaf).arg = math.Float64bits(math.NaN()) }))
	f("probability 1.5: want 0 … 1", resave(func(m *Model) { find(m, leaf).arg = math.Float64bits(1.5) }))
	f("leaf with child 7", resave(func(m *Model) { find(m, leaf).child = 7 }))
	f("want them to rise", resave(func(m *Model) {
		for i := range m.nodes {
			if n := &m.nodes[i]; n.kind == catCodes && n.arg>>32 > 1 {
				m.set(n)[1] = m.set(n)[0]
				return
			}
		}
	}))
	file := models.NewFile()
	if err := whole.Save(file); err != nil {
		t.Fatal(err)
	}
	if _, err := load("dt", file, tab.Spec); err == nil {
		t.Error("three trees loaded as one")
	}
}

// FuzzLoad damages tensors: a model that Load takes can score every row.
func FuzzLoad(f *testing.F) {
	m, tab := small(f, "rf")
	f.Add(uint8(0), uint32(0), uint64(1))
	f.Add(uint8(2), uint32(7), uint64(1<<40+5))
	f.Add(uint8(5), uint32(1), uint64(math.MaxUint64))
	f.Fuzz(func(t *testing.T, tensor uint8, at uint32, value uint64) {
		file := models.NewFile()
		if err := m.Save(file); err != nil {
			t.Fatal(err)
		}
		damage(file, tensor, at, value)
		got, err := load("rf", file, tab.Spec)
		if err != nil {
			return
		}
		ex := &features.Example{Codes: make([]uint32, len(tab.Codes)), Values: make([]float64, len(tab.Codes))}
		for i := range 200 {
			tab.Example(i, ex)
			for k := range ex.Codes {
				ex.Codes[k] ^= uint32(i) << (i & 31)
			}
			if p := got.Probability(ex); !(p >= 0 && p <= 1) {
				t.Fatalf("row %d: probability %v", i, p)
			}
		}
	})
}

// damage changes a value of a tensor of file, or its length.
func damage(file *models.File, tensor uint8, at uint32, value uint64) {
	list := file.Tensors()
	name := list[int(tensor)%len(list)]
	switch name.Dtype {
	case "U8":
		v, _, _ := file.U8(name.Name)
		v[int(at)%len(v)] = uint8(value)
		_ = file.PutU8(name.Name, nil, v[:len(v)-int(value>>40&3)])
	case "U16":
		v, _, _ := file.U16(name.Name)
		v[int(at)%len(v)] = uint16(value)
		_ = file.PutU16(name.Name, nil, v)
	case "U32":
		v, _, _ := file.U32(name.Name)
		v[int(at)%len(v)] = uint32(value)
		_ = file.PutU32(name.Name, nil, v[:len(v)-int(value>>40&1)])
	case "F64":
		v, _, _ := file.F64(name.Name)
		v[int(at)%len(v)] = math.Float64frombits(value)
		_ = file.PutF64(name.Name, nil, v)
	}
}
