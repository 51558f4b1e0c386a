package trees

import (
	"fmt"
	"sync"

	"ctr/features"
	"ctr/models"
)

// Why a row got its value: the SHAP values of the trees (Lundberg, Erion, Lee
// 2018, "Consistent Individualized Feature Attribution for Tree Ensembles",
// Algorithm 2), where a field that is not known sends a row down both ways of
// a node in the proportion of the training rows that came by.

// step is a field on the way from the root to a node. Weight is what all
// orders of as many fields give together that have so many of them known.
type step struct {
	field     int32
	zero, one float64 // shares of rows that go on where the field is not known, and known
	weight    float64
}

// explained is what explaining needs of a model, found when it is first asked.
type explained struct {
	once  sync.Once
	err   error
	mean  float64 // of the leaves' sums over the training rows, tree by tree
	depth int     // of the deepest tree
	pool  sync.Pool
}

// prepare finds the expected value of each tree, and whether covers are known.
func (m *Model) prepare() *explained {
	x := &m.why
	x.once.Do(func() {
		depths := make([]int, len(m.nodes))
		for i := range m.nodes {
			n := &m.nodes[i]
			if n.kind == leaf {
				x.depth = max(x.depth, depths[i])
				continue
			}
			depths[n.child], depths[n.child+1] = depths[i]+1, depths[i]+1
			if m.rows[n.child] == 0 || m.rows[n.child+1] == 0 || m.rows[i] == 0 {
				x.err = fmt.Errorf("%s: %w", m.algo, models.ErrNoCover)
			}
		}
		if x.err == nil {
			x.mean = m.expected()
		}
		x.pool.New = func() any {
			path := make([]step, (x.depth+2)*(x.depth+3)/2)
			return &path
		}
	})
	return x
}

// expected gives the sum over the trees of the mean of their leaves.
func (m *Model) expected() (sum float64) {
	share := make([]float64, len(m.nodes))
	for _, root := range m.trees {
		share[root] = 1
	}
	for i := range m.nodes {
		n := &m.nodes[i]
		if n.kind == leaf {
			sum += share[i] * n.value()
			continue
		}
		left, right := float64(m.rows[n.child]), float64(m.rows[n.child+1])
		share[n.child] = share[i] * left / (left + right)
		share[n.child+1] = share[i] * right / (left + right)
	}
	return sum
}

// shap adds the SHAP values of all trees, times scale, to phi, one a field.
func (m *Model) shap(ex *features.Example, phi []float64, scale float64) {
	x := m.prepare()
	path := x.pool.Get().(*[]step)
	w := walker{m: m, ex: ex, phi: phi, scale: scale}
	for _, root := range m.trees {
		w.visit(root, *path, 0, step{field: -1, zero: 1, one: 1})
	}
	x.pool.Put(path)
}

// walker goes down a tree both ways.
type walker struct {
	m     *Model
	ex    *features.Example
	phi   []float64
	scale float64
}

// visit goes through the subtree at a node. path has d steps, and room for more
// and for copies of itself; s is the step that leads here.
func (w *walker) visit(at uint32, path []step, d int, s step) {
	extend(path, d, s)
	n := &w.m.nodes[at]
	if n.kind == leaf {
		v := n.value() * w.scale
		for i := 1; i <= d; i++ {
			p := &path[i]
			w.phi[p.field] += unwound(path, d, i) * (p.one - p.zero) * v
		}
		return
	}
	hot, cold := n.child, n.child+1
	if !w.m.left(n, w.ex) {
		hot, cold = cold, hot
	}
	before := step{zero: 1, one: 1}
	for i := 1; i <= d; i++ {
		if path[i].field == int32(n.field) {
			before = path[i]
			unwind(path, d, i)
			d--
			break
		}
	}
	rest := path[d+1:]
	copy(rest, path[:d+1])
	total := float64(w.m.rows[hot]) + float64(w.m.rows[cold])
	w.visit(hot, rest, d+1, step{field: int32(n.field), zero: before.zero * float64(w.m.rows[hot]) / total, one: before.one})
	copy(rest, path[:d+1])
	w.visit(cold, rest, d+1, step{field: int32(n.field), zero: before.zero * float64(w.m.rows[cold]) / total})
}

// left reports whether a row goes left at n, which is no leaf. It is the step of
// walk.
func (m *Model) left(n *node, ex *features.Example) bool {
	switch n.kind {
	case numRight:
		return ex.Values[n.field] <= n.value()
	case numLeft:
		return !(ex.Values[n.field] > n.value())
	case catBits:
		s, code := m.set(n), ex.Codes[n.field]
		return uint64(code>>5) < uint64(len(s)) && s[code>>5]>>(code&31)&1 != 0
	default:
		return contains(m.set(n), ex.Codes[n.field])
	}
}

// extend puts s behind d steps.
func extend(path []step, d int, s step) {
	s.weight = 0
	if d == 0 {
		s.weight = 1
	}
	path[d] = s
	for i := d - 1; i >= 0; i-- {
		path[i+1].weight += s.one * path[i].weight * float64(i+1) / float64(d+1)
		path[i].weight *= s.zero * float64(d-i) / float64(d+1)
	}
}

// unwind takes step k out of the path 0 … d, as if it had never been put there.
func unwind(path []step, d, k int) {
	one, zero := path[k].one, path[k].zero
	next := path[d].weight
	for i := d - 1; i >= 0; i-- {
		if one != 0 {
			was := path[i].weight
			path[i].weight = next * float64(d+1) / (float64(i+1) * one)
			next = was - path[i].weight*zero*float64(d-i)/float64(d+1)
		} else {
			path[i].weight = path[i].weight * float64(d+1) / (zero * float64(d-i))
		}
	}
	for i := k; i < d; i++ {
		path[i].field, path[i].zero, path[i].one = path[i+1].field, path[i+1].zero, path[i+1].one
	}
}

// unwound gives the sum of the weights that unwind would leave.
func unwound(path []step, d, k int) (sum float64) {
	one, zero := path[k].one, path[k].zero
	if one == 0 {
		for i := d - 1; i >= 0; i-- {
			sum += path[i].weight / (zero * float64(d-i))
		}
		return sum * float64(d+1)
	}
	next := path[d].weight
	for i := d - 1; i >= 0; i-- {
		w := next / (float64(i+1) * one)
		sum += w
		next = path[i].weight - w*zero*float64(d-i)
	}
	return sum * float64(d+1)
}

// Explains gives models.ErrNoCover where the training rows of the nodes are not
// known.
func (m *Model) Explains() error { return m.prepare().err }

// Baseline gives the mean probability of the trees over their training rows.
func (m *Model) Baseline() (value float64, scale models.Scale) {
	return m.prepare().mean / float64(len(m.trees)), models.Probability
}

// Contributions appends the SHAP values of a row, in probability.
func (m *Model) Contributions(ex *features.Example, dst []float64) []float64 {
	dst, phi := room(dst, len(ex.Codes))
	m.shap(ex, phi, 1/float64(len(m.trees)))
	return dst
}

// Explains is Model's.
func (b *Boosted) Explains() error { return b.m.prepare().err }

// Baseline gives the mean log-odds over the training rows.
func (b *Boosted) Baseline() (value float64, scale models.Scale) {
	return b.base + b.m.prepare().mean, models.LogOdds
}

// Contributions appends the SHAP values of a row, in log-odds.
func (b *Boosted) Contributions(ex *features.Example, dst []float64) []float64 {
	dst, phi := room(dst, len(ex.Codes))
	b.m.shap(ex, phi, 1)
	return dst
}

// AddContributions adds the SHAP values of the trees to phi, one a field.
func (b *Boosted) AddContributions(ex *features.Example, phi []float64) { b.m.shap(ex, phi, 1) }

// room appends n zeros to dst and gives them by themselves too.
func room(dst []float64, n int) (all, added []float64) {
	from := len(dst)
	for range n {
		dst = append(dst, 0)
	}
	return dst, dst[from:]
}

