package stack

import (
	"ctr/models/linear"
	"ctr/models/trees"
)

// Parts gives the two parts of the model, as other tools are told of it: the
// log-odds of a row are those of lr and, tree by tree, the value of the leaf
// that it falls in. The trees' own Base is not added.
func (m *Model) Parts() (lr *linear.Model, leaves *trees.Boosted) { return m.lr, m.trees }
