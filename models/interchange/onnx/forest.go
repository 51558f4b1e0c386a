package onnx

import (
	"slices"

	"ctr/features"
	"ctr/models/trees"
)

// Modes of a node of TreeEnsemble.
const (
	branchLeq    = 0
	branchMember = 6
)

// ensemble gives the sum of the leaves that a row falls in, by one TreeEnsemble
// of doubles: a number's threshold is what it is in ctr, so that no row changes
// sides, and a category is compared by its code, which a double holds.
func (b *builder) ensemble(list [][]trees.Node) string {
	used := b.looksAt(list)
	member := make([]map[uint32]bool, len(used))
	for f := range member {
		member[f] = map[uint32]bool{}
	}
	for _, t := range list {
		for i := range t {
			for _, c := range t[i].Codes {
				member[t[i].Field][c] = true
			}
		}
	}
	var columns []string
	e := forest{place: make([]int64, len(used))}
	for f := range used {
		if used[f] {
			e.place[f] = int64(len(columns))
			columns = append(columns, b.compared(f, member[f]))
		}
	}
	for _, t := range list {
		e.tree(t)
	}
	sum := b.with(node{op: "TreeEnsemble", domain: domainML, attributes: e.attributes()}, "trees_sum", b.columnsOf("columns", columns))
	return b.op("Squeeze", "leaves", sum, b.second())
}

// firstCode is what stands for code 0. A set that has numbers up to 30 alone
// becomes a chain of comparisons in onnxruntime, and version 1.23 copies the
// tree below for each of them: loading fifty trees of fifty leaves then takes a
// minute, and memory without end. A set that has others it keeps as a set.
const firstCode = 32

// compared gives what trees compare of a field: a number, or its code and
// firstCode as a double. Codes that are in no set are alike, so that all of them
// are code 0 if that is in none.
func (b *builder) compared(f int, member map[uint32]bool) string {
	fd := &b.spec.Fields[f]
	switch {
	case fd.Type == features.Num:
		return b.numberOf(f)
	case b.byCode || fd.Type == features.Hash && fd.Part == features.Whole:
		return b.op("Add", fd.Name+"/compared", b.cast(typeDouble, fd.Name+"/code_double", b.code(f)), b.double("first_code", firstCode))
	}
	return lookup(b, f, "compared", func(code uint32) float64 {
		if member[code] || member[0] {
			return float64(code) + firstCode
		}
		return firstCode
	})
}

// forest collects the attributes of a TreeEnsemble.
type forest struct {
	place                                           []int64 // of each field's column
	roots, field, yes, no, yesLeaf, noLeaf, missing []int64
	modes                                           []uint8
	splits, members, leaves                         []float64
}

// tree adds a tree. onnxruntime 1.23 takes a root whose two children have the
// same number for a leaf of its own number, be one of the children the node and
// the other the leaf of that number: so they always differ.
func (e *forest) tree(t []trees.Node) {
	root, first := len(e.field), len(e.leaves)
	e.roots = append(e.roots, int64(root))
	if t[0].Leaf() {
		e.inner(0, branchLeq, 0, false)
		e.yes[len(e.yes)-1], e.yesLeaf[len(e.yes)-1] = e.leaf(t[0].Value), 1
		e.no[len(e.no)-1], e.noLeaf[len(e.no)-1] = e.leaf(t[0].Value), 1
		return
	}
	at, leaf := make([]int64, len(t)), make([]int64, len(t))
	for i := range t {
		n := &t[i]
		switch {
		case n.Leaf():
			at[i], leaf[i] = e.leaf(n.Value), 1
			continue
		case len(n.Codes) > 0:
			at[i] = e.inner(e.place[n.Field], branchMember, 0, false)
			for _, c := range n.Codes {
				e.members = append(e.members, float64(c)+firstCode)
			}
			e.members = append(e.members, nan)
		default:
			at[i] = e.inner(e.place[n.Field], branchLeq, n.Value, n.MissingLeft)
		}
	}
	for i := range t {
		if n := &t[i]; !n.Leaf() {
			e.yes[at[i]], e.yesLeaf[at[i]] = at[n.Left], leaf[n.Left]
			e.no[at[i]], e.noLeaf[at[i]] = at[n.Right], leaf[n.Right]
		}
	}
	if e.yes[root] == e.no[root] { // a leaf that none leads to moves the others on
		e.leaves = slices.Insert(e.leaves, first, 0)
		for i := root; i < len(e.yes); i++ {
			e.yes[i] += e.yesLeaf[i]
			e.no[i] += e.noLeaf[i]
		}
	}
}

// inner adds a node and gives its number.
func (e *forest) inner(column int64, mode uint8, split float64, missing bool) int64 {
	n := int64(len(e.field))
	e.field, e.modes, e.splits = append(e.field, column), append(e.modes, mode), append(e.splits, split)
	e.yes, e.no, e.yesLeaf, e.noLeaf = append(e.yes, 0), append(e.no, 0), append(e.yesLeaf, 0), append(e.noLeaf, 0)
	track := int64(0)
	if missing {
		track = 1
	}
	e.missing = append(e.missing, track)
	return n
}

// leaf adds a leaf and gives its number.
func (e *forest) leaf(v float64) int64 {
	e.leaves = append(e.leaves, v)
	return int64(len(e.leaves) - 1)
}

func (e *forest) attributes() []attribute {
	doubles := func(v []float64) *tensor { return array("", v, len(v)) }
	list := []attribute{
		{"aggregate_function", int64(1)}, // sum
		{"n_targets", int64(1)},
		{"post_transform", int64(0)}, // none
		{"tree_roots", e.roots},
		{"nodes_featureids", e.field},
		{"nodes_modes", array("", e.modes, len(e.modes))},
		{"nodes_splits", doubles(e.splits)},
		{"nodes_truenodeids", e.yes},
		{"nodes_trueleafs", e.yesLeaf},
		{"nodes_falsenodeids", e.no},
		{"nodes_falseleafs", e.noLeaf},
		{"leaf_targetids", make([]int64, len(e.leaves))},
		{"leaf_weights", doubles(e.leaves)},
	}
	if len(e.members) > 0 {
		list = append(list, attribute{"membership_values", doubles(e.members)})
	}
	if slices.Contains(e.missing, 1) {
		list = append(list, attribute{"nodes_missing_value_tracks_true", e.missing})
	}
	return list
}
