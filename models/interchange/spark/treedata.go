package spark

import (
	"math"

	"ctr/features/columnar"
)

// nodes reads the nodes of one file of a tree model.
func (t *table) nodes(part int, prefix string) (list []idNode, err error) {
	r := nodeReader{leaves: t.parts[part], prefix: prefix}
	id := r.numbers("id")
	r.rows = len(id)
	left, right := r.numbers("leftChild"), r.numbers("rightChild")
	prediction := r.numbers("prediction")
	feature, categories := r.numbers("split.featureIndex"), r.numbers("split.numCategories")
	stats, values := r.lists("impurityStats"), r.lists("split.leftCategoriesOrThreshold")
	var raw []float64
	if t.parts[part][prefix+"rawCount"] != nil {
		raw = r.numbers("rawCount")
	}
	var tree []float64
	if prefix != "" {
		r.prefix = ""
		tree = r.numbers("treeID")
	}
	if r.bad != "" {
		return nil, t.stage.fail("data: column %s: want one value, or one list, for each of %d nodes", r.bad, r.rows)
	}
	list = make([]idNode, len(id))
	for i := range list {
		n := &list[i]
		for _, x := range []struct {
			to   *int
			from []float64
		}{{&n.id, id}, {&n.left, left}, {&n.right, right}, {&n.feature, feature}, {&n.categories, categories}, {&n.tree, tree}} {
			if x.from == nil {
				continue
			}
			v := x.from[i]
			if v != math.Trunc(v) || math.Abs(v) > math.MaxInt32 {
				return nil, t.stage.fail("data: node %d: %v: want a whole number", i, v)
			}
			*x.to = int(v)
		}
		if n.left < 0 != (n.right < 0) || n.left == 0 || n.tree < 0 {
			return nil, t.stage.fail("data: node %d of tree %d: children %d, %d: want both or none", n.id, n.tree, n.left, n.right)
		}
		n.prediction, n.stats, n.values = prediction[i], stats(i), values(i)
		if raw != nil {
			n.rows = raw[i]
		}
		if !(n.rows > 0) && len(n.stats) == 2 {
			n.rows = n.stats[0] + n.stats[1]
		}
	}
	return list, nil
}

// nodeReader reads columns of as many rows; bad names the first that has not
// so many.
type nodeReader struct {
	leaves map[string]*columnar.Leaf
	prefix string
	rows   int // 0 until the first is read
	bad    string
}

func (r *nodeReader) leaf(name string) *columnar.Leaf {
	l := r.leaves[r.prefix+name]
	if l == nil || l.IsText() {
		if r.bad == "" {
			r.bad = r.prefix + name
		}
		return nil
	}
	return l
}

// numbers gives a column of one number a row.
func (r *nodeReader) numbers(name string) []float64 {
	l := r.leaf(name)
	if l == nil || l.Lists != 0 || name != "id" && l.Len() != r.rows {
		if r.bad == "" {
			r.bad = r.prefix + name
		}
		return nil
	}
	if l.Numbers == nil {
		return []float64{}
	}
	return l.Numbers
}

// lists gives a column of one list a row.
func (r *nodeReader) lists(name string) func(i int) []float64 {
	l := r.leaf(name)
	if l == nil || l.Lists != 1 {
		if r.bad == "" {
			r.bad = r.prefix + name
		}
		return nil
	}
	cuts := l.Cuts(0)
	if len(cuts) != r.rows+1 {
		if r.bad == "" {
			r.bad = r.prefix + name
		}
		return nil
	}
	return func(i int) []float64 { return l.Numbers[cuts[i]:cuts[i+1]] }
}
