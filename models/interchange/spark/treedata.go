package spark

import (
	"math"
	"slices"

	"ctr/features/columnar"
)

// treeNode is a node as Spark stores it. Children are places in the tree; -1 in
// a leaf.
type treeNode struct {
	left, right int
	feature     int
	categories  int       // of a category; -1 for a number
	values      []float64 // those that go left, or the threshold
	prediction  float64
	stats       []float64 // of a classification: rows of each class
	rows        float64
	tree, id    int
}

// nodeSet is the nodes of all trees, as they stand in the columns of the files.
type nodeSet struct {
	table *table
	parts []nodePart
	count int
	order []nodePlace // by tree, and in it by id
	trees []int       // where each tree begins in order
}

// nodePart is one file's nodes.
type nodePart struct {
	id, tree, left, right, feature, categories, prediction, raw []float64
	stats, values                                               func(i int) []float64
}

// nodePlace is where a node is: row of parts[part].
type nodePlace struct{ part, row uint32 }

// treeNodes reads the nodes of each tree.
func (f *files) treeNodes(s *stage) (set *nodeSet, err error) {
	prefix := ""
	columns := []string{"id", "prediction", "impurityStats", "leftChild", "rightChild", "split", "rawCount"}
	if s.class != "DecisionTreeClassificationModel" {
		prefix = "nodeData."
		for i := range columns {
			columns[i] = prefix + columns[i]
		}
		columns = append(columns, "treeID")
	}
	t, err := f.data(s, "data", columns...)
	if err != nil {
		return nil, err
	}
	set = &nodeSet{table: t}
	for i := range t.parts {
		if err := set.part(i, prefix); err != nil {
			return nil, err
		}
	}
	return set, set.sort()
}

// part checks the nodes of one file.
func (set *nodeSet) part(part int, prefix string) error {
	t := set.table
	r := nodeReader{leaves: t.parts[part], prefix: prefix, allow: t.allow}
	var p nodePart
	p.id = r.numbers("id")
	r.rows = len(p.id)
	p.left, p.right = r.numbers("leftChild"), r.numbers("rightChild")
	p.prediction = r.numbers("prediction")
	p.feature, p.categories = r.numbers("split.featureIndex"), r.numbers("split.numCategories")
	p.stats, p.values = r.lists("impurityStats"), r.lists("split.leftCategoriesOrThreshold")
	if t.parts[part][prefix+"rawCount"] != nil {
		p.raw = r.numbers("rawCount")
	}
	if prefix != "" {
		r.prefix = ""
		p.tree = r.numbers("treeID")
	}
	if r.err != nil {
		return t.stage.fail("data: %w", r.err)
	}
	if r.bad != "" {
		return t.stage.fail("data: column %s: want one value, or one list, for each of %d nodes", r.bad, r.rows)
	}
	for i := range p.id {
		for _, from := range [][]float64{p.id, p.left, p.right, p.feature, p.categories, p.tree} {
			if from == nil {
				continue
			}
			if v := from[i]; v != math.Trunc(v) || !(math.Abs(v) <= math.MaxInt32) {
				return t.stage.fail("data: node %d: %v: want a whole number", i, v)
			}
		}
		n := p.node(i)
		if n.left < 0 != (n.right < 0) || n.left == 0 || n.tree < 0 {
			return t.stage.fail("data: node %d of tree %d: children %d, %d: want both or none", n.id, n.tree, n.left, n.right)
		}
	}
	set.parts = append(set.parts, p)
	set.count += len(p.id)
	return nil
}

// node gives the node of a row.
func (p *nodePart) node(i int) treeNode {
	n := treeNode{
		id: int(p.id[i]), left: int(p.left[i]), right: int(p.right[i]),
		feature: int(p.feature[i]), categories: int(p.categories[i]),
		prediction: p.prediction[i], stats: p.stats(i), values: p.values(i),
	}
	n.tree = p.treeOf(i)
	if p.raw != nil {
		n.rows = p.raw[i]
	}
	if !(n.rows > 0) && len(n.stats) == 2 {
		n.rows = n.stats[0] + n.stats[1]
	}
	return n
}

// treeOf gives the tree of a row's node.
func (p *nodePart) treeOf(i int) int {
	if p.tree == nil {
		return 0
	}
	return int(p.tree[i])
}

// sort finds the place of each node: every tree has the ids 0 … size-1.
func (set *nodeSet) sort() error {
	s := set.table.stage
	most := -1
	for _, p := range set.parts {
		for i := range p.id {
			most = max(most, p.treeOf(i))
		}
	}
	if most < 0 || most >= set.count {
		return s.fail("data: %d nodes, the last tree is number %d: want 0 … %d", set.count, most, set.count-1)
	}
	if err := set.table.allow.Take(8 * int64(set.count+most+1)); err != nil {
		return s.fail("data: %w", err)
	}
	sizes := make([]int, most+1)
	for _, p := range set.parts {
		for i := range p.id {
			sizes[p.treeOf(i)]++
		}
	}
	from := 0
	for t, n := range sizes {
		if n == 0 {
			return s.fail("data: the last tree is number %d, and number %d has no nodes", most, t)
		}
		sizes[t] = from
		from += n
	}
	set.trees = sizes
	set.order = make([]nodePlace, set.count)
	for k := range set.order {
		set.order[k].row = math.MaxUint32
	}
	for part, p := range set.parts {
		for i := range p.id {
			n := p.node(i)
			if n.id < 0 || n.id >= set.size(n.tree) || set.order[set.trees[n.tree]+n.id].row != math.MaxUint32 {
				return s.fail("data: tree %d: node %d twice, or not one of %d", n.tree, n.id, set.size(n.tree))
			}
			set.order[set.trees[n.tree]+n.id] = nodePlace{uint32(part), uint32(i)}
		}
	}
	return nil
}

// size gives the number of nodes of tree t.
func (set *nodeSet) size(t int) int {
	end := set.count
	if t+1 < len(set.trees) {
		end = set.trees[t+1]
	}
	return end - set.trees[t]
}

// node gives node k of tree t.
func (set *nodeSet) node(t, k int) treeNode {
	at := set.order[set.trees[t]+k]
	return set.parts[at.part].node(int(at.row))
}

// features gives the places in the vector that nodes look at, ascending.
func (set *nodeSet) features() (list []int) {
	for _, p := range set.parts {
		for i := range p.id {
			if p.left[i] >= 0 {
				list = append(list, int(p.feature[i]))
			}
		}
		slices.Sort(list)
		list = slices.Compact(list)
	}
	return slices.Clip(list)
}

// drop drops all of it.
func (set *nodeSet) drop() {
	for _, p := range set.table.parts {
		for _, l := range p {
			l.Drop(set.table.allow)
		}
	}
	set.table.allow.Give(8 * int64(len(set.order)+len(set.trees)+2*(set.count+len(set.parts))))
	*set = nodeSet{}
}

// nodeReader reads columns of as many rows; bad names the first that has not
// so many.
type nodeReader struct {
	leaves map[string]*columnar.Leaf
	prefix string
	rows   int // 0 until the first is read
	bad    string
	allow  *columnar.Allowance
	err    error
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
	l.Forget(r.allow)
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
	if l.Rows(0) != r.rows {
		if r.bad == "" {
			r.bad = r.prefix + name
		}
		return nil
	}
	if err := r.allow.Take(8 * int64(r.rows+1)); err != nil {
		if r.err == nil {
			r.err = err
		}
		return nil
	}
	cuts := l.Cuts(0)
	l.Forget(r.allow)
	return func(i int) []float64 { return l.Numbers[cuts[i]:cuts[i+1]] }
}
