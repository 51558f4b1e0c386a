package stack

import (
	"fmt"
	"slices"
	"strconv"

	"ctr/features"
	"ctr/models/linear"
	"ctr/models/trees"
)

// widen gives t with a column a tree: the leaf of each row, from 1, in the
// trees of the row's own part, and 0 in those of the other parts.
func widen(t *features.Table, list []*trees.Boosted, part []uint8, threads int) (*features.Table, error) {
	wide, spec := *t, *t.Spec
	spec.Fields = slices.Clone(spec.Fields)
	wide.Spec = &spec
	wide.Codes, wide.Values = slices.Clone(t.Codes), slices.Clone(t.Values)
	for set, b := range list {
		for k, n := range b.LeafCounts() {
			d, err := numbered(n)
			if err != nil {
				return nil, err
			}
			codes := b.Leaves(t, k, threads)
			for i, p := range part {
				if int(p) != set {
					codes.Set(i, 0)
				}
			}
			spec.Fields = append(spec.Fields, features.Field{Name: fmt.Sprintf("tree %d.%d", set, k), Type: features.Dict, Dict: d})
			wide.Codes, wide.Values = append(wide.Codes, codes), append(wide.Values, nil)
		}
	}
	return &wide, nil
}

// numbered is a dictionary of the numbers 1 … n.
func numbered(n int) (*features.Dictionary, error) {
	var text []byte
	offsets := make([]uint64, 1, n+1)
	for i := range n {
		text = strconv.AppendInt(text, int64(i+1), 10)
		offsets = append(offsets, uint64(len(text)))
	}
	return features.NewDictionary(text, offsets)
}

// join puts a share of the weights of the leaves in the trees. The weights of
// spec's own columns come first, then for each tree that of code 0, which is 0,
// and those of its leaves.
func join(spec *features.Spec, lr *linear.Model, b *trees.Boosted) (*Model, error) {
	_, own := spec.Offsets()
	rest := lr.Weights()[own:]
	var leaves []float64
	for _, n := range b.LeafCounts() {
		for _, w := range rest[1 : 1+n] {
			leaves = append(leaves, w/sets)
		}
		rest = rest[1+n:]
	}
	base, err := linear.New(spec, lr.Weights()[:own:own], lr.Bias())
	if err != nil {
		return nil, err
	}
	return &Model{lr: base, trees: b.WithLeaves(0, leaves)}, nil
}
