package trees

import (
	"fmt"
	"math"

	"ctr/features"
	"ctr/models"
)

// The tensors of a model. Those of nodes have one element a node; nodes of one
// tree stand together, the root first and children, side by side, after their
// parent.
const (
	tensorRoots  = "trees.root"   // U32: the first node of each tree
	tensorKinds  = "trees.kind"   // U8: see kind
	tensorFields = "trees.field"  // U16: the field that a node looks at; 0 in a leaf
	tensorChild  = "trees.child"  // U32: the left child, the right one being the next; 0 in a leaf
	tensorValues = "trees.value"  // F64: a leaf's probability, a number's threshold, else 0
	tensorRows   = "trees.rows"   // U32: training rows that came by, each as often as it was drawn
	tensorEnds   = "trees.setend" // U32: of each category node, in order, where its set ends in
	tensorSets   = "trees.set"    // U32: the sets, one after the other
)

// Save writes m to f.
func (m *Model) Save(f *models.File) error {
	if err := f.PutSettings(m.settings); err != nil {
		return fmt.Errorf("%s: %w", m.algo, err)
	}
	return m.saveNodes(f)
}

// saveNodes writes the tensors.
func (m *Model) saveNodes(f *models.File) error {
	n := len(m.nodes)
	kinds, fields, child, values := make([]uint8, n), make([]uint16, n), make([]uint32, n), make([]float64, n)
	var ends []uint32
	sets := make([]uint32, 0, len(m.sets))
	for i := range m.nodes {
		nd := &m.nodes[i]
		kinds[i], fields[i], child[i] = uint8(nd.kind), nd.field, nd.child
		if nd.kind < catBits {
			values[i] = nd.value()
			continue
		}
		sets = append(sets, m.set(nd)...)
		ends = append(ends, uint32(len(sets)))
	}
	for _, err := range []error{
		f.PutU32(tensorRoots, nil, m.trees), f.PutU8(tensorKinds, nil, kinds), f.PutU16(tensorFields, nil, fields),
		f.PutU32(tensorChild, nil, child), f.PutF64(tensorValues, nil, values), f.PutU32(tensorRows, nil, m.rows),
		f.PutU32(tensorEnds, nil, ends), f.PutU32(tensorSets, nil, sets),
	} {
		if err != nil {
			return fmt.Errorf("%s: %w", m.algo, err)
		}
	}
	return nil
}

// loader gives the Loader of an algorithm.
func loader(algo string) models.Loader {
	return func(f *models.File, spec *features.Spec) (models.Model, error) {
		m, err := load(algo, f, spec)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", algo, err)
		}
		return m, nil
	}
}

func load(algo string, f *models.File, spec *features.Spec) (*Model, error) {
	m := &Model{algo: algo}
	if err := f.Settings(&m.settings); err != nil {
		return nil, err
	}
	if m.settings.Trees < 1 || algo == "dt" && m.settings.Trees != 1 {
		return nil, fmt.Errorf("settings: %d trees: want 1 or, for a forest, more", m.settings.Trees)
	}
	return m, m.loadNodes(f, spec, m.settings.Trees, wantProbability)
}

// wantProbability reports what no leaf of a tree or a forest can hold.
func wantProbability(v float64) error {
	if !(v >= 0 && v <= 1) {
		return fmt.Errorf("probability %v: want 0 … 1", v)
	}
	return nil
}

// loadNodes reads what saveNodes wrote of so many trees, whose leaves hold what
// value has no objection to.
func (m *Model) loadNodes(f *models.File, spec *features.Spec, trees int, value func(float64) error) error {
	r := reader{f: f}
	m.trees = get(&r, f.U32Vec, tensorRoots, -1)
	kinds := get(&r, f.U8Vec, tensorKinds, -1)
	n := len(kinds)
	fields, child := get(&r, f.U16Vec, tensorFields, n), get(&r, f.U32Vec, tensorChild, n)
	values := get(&r, f.F64Vec, tensorValues, n)
	m.rows = get(&r, f.U32Vec, tensorRows, n)
	ends := get(&r, f.U32Vec, tensorEnds, -1)
	m.sets = get(&r, f.U32Vec, tensorSets, -1)
	if r.err != nil {
		return r.err
	}
	m.nodes = make([]node, n)
	from := uint32(0)
	for i := range m.nodes {
		if kinds[i] > uint8(catCodes) {
			return fmt.Errorf("node %d: kind %d: want 0 … %d", i, kinds[i], catCodes)
		}
		nd := &m.nodes[i]
		*nd = node{kind: kind(kinds[i]), field: fields[i], child: child[i]}
		if nd.kind < catBits {
			nd.arg = math.Float64bits(values[i])
			continue
		}
		if len(ends) == 0 || ends[0] < from || int64(ends[0]) > int64(len(m.sets)) {
			return fmt.Errorf("tensor %s: the set of node %d: want one that ends in %d … %d", tensorEnds, i, from, len(m.sets))
		}
		nd.arg = setArg(from, ends[0]-from)
		from, ends = ends[0], ends[1:]
	}
	if len(ends) > 0 || int64(from) != int64(len(m.sets)) {
		return fmt.Errorf("tensor %s: more than the sets of all nodes", tensorSets)
	}
	return m.check(spec, trees, value)
}

// reader keeps the first error of several calls of get.
type reader struct {
	f   *models.File
	err error
}

func get[T any](r *reader, vec func(string, int) ([]T, error), name string, wantLen int) []T {
	if r.err != nil {
		return nil
	}
	v, err := vec(name, wantLen)
	r.err = err
	return v
}

// check reports anything that Probability could not walk: a node beyond its
// tree, or one with no parent or two; a field that spec has not got, or of
// another type; a value that a leaf cannot have, or that is no threshold.
func (m *Model) check(spec *features.Spec, trees int, value func(float64) error) error {
	if len(m.trees) == 0 || m.trees[0] != 0 || trees != len(m.trees) {
		return fmt.Errorf("tensor %s: %d trees: want %d, the first at 0", tensorRoots, len(m.trees), trees)
	}
	if uint64(len(m.nodes)) > math.MaxUint32 {
		return fmt.Errorf("%d nodes: want at most %d", len(m.nodes), uint32(math.MaxUint32))
	}
	child := make([]bool, len(m.nodes))
	for t, root := range m.trees {
		end := uint32(len(m.nodes))
		if t+1 < len(m.trees) {
			end = m.trees[t+1]
		}
		if root >= end || end > uint32(len(m.nodes)) {
			return fmt.Errorf("tree %d: nodes %d … %d: want one or more of %d", t, root, end, len(m.nodes))
		}
		for i := root; i < end; i++ {
			if child[i] == (i == root) {
				return fmt.Errorf("node %d: want one parent before it, a root none", i)
			}
			if err := m.checkNode(i, end, child, spec, value); err != nil {
				return fmt.Errorf("node %d: %w", i, err)
			}
		}
	}
	return nil
}

func (m *Model) checkNode(i, end uint32, child []bool, spec *features.Spec, value func(float64) error) error {
	n := &m.nodes[i]
	if n.kind == leaf {
		if err := value(n.value()); err != nil {
			return err
		}
		if n.child != 0 || n.field != 0 {
			return fmt.Errorf("leaf with child %d and field %d: want 0", n.child, n.field)
		}
		return nil
	}
	if n.child <= i || n.child >= end-1 {
		return fmt.Errorf("child %d: want %d … %d", n.child, i+1, int64(end)-2)
	}
	if child[n.child] || child[n.child+1] {
		return fmt.Errorf("child %d: has another parent", n.child)
	}
	child[n.child], child[n.child+1] = true, true
	if int(n.field) >= len(spec.Fields) {
		return fmt.Errorf("field %d: want 0 … %d", n.field, len(spec.Fields)-1)
	}
	if number := spec.Fields[n.field].Type == features.Num; number != (n.kind < catBits) {
		return fmt.Errorf("kind %d: does not fit field %s of type %s", n.kind, spec.Fields[n.field].Name, spec.Fields[n.field].Type)
	}
	if n.kind < catBits && math.IsNaN(n.value()) {
		return fmt.Errorf("threshold NaN: want a number")
	}
	if n.kind == catCodes {
		s := m.set(n)
		for k := 1; k < len(s); k++ {
			if s[k] <= s[k-1] {
				return fmt.Errorf("codes %d, %d: want them to rise", s[k-1], s[k])
			}
		}
	}
	return nil
}
