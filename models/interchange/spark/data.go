package spark

import (
	"fmt"
	"math"
	"path"
	"slices"
	"strings"

	"ctr/features/columnar"
)

// table is the leaves of a stage's data, of all its files.
type table struct {
	stage *stage
	parts []map[string]*columnar.Leaf
	allow *columnar.Allowance
}

// data reads the data set in a folder of the stage, the columns that are named
// alone: "labels", "nodeData.*" for all of a struct.
func (f *files) data(s *stage, folder string, columns ...string) (*table, error) {
	paths, err := f.parts(path.Join(s.dir, folder))
	if err != nil {
		return nil, s.fail("%w", err)
	}
	t := &table{stage: s, allow: f.allow}
	for _, p := range paths {
		leaves, err := f.leaves(p, columns)
		if err != nil {
			return nil, s.fail("%s: %w", p, err)
		}
		t.parts = append(t.parts, leaves)
	}
	return t, nil
}

func (f *files) leaves(name string, columns []string) (map[string]*columnar.Leaf, error) {
	file, err := f.root.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("want a file")
	}
	wanted := func(leaf string) bool {
		return slices.ContainsFunc(columns, func(c string) bool { return leaf == c || strings.HasPrefix(leaf, c+".") })
	}
	list, err := columnar.ReadNested(file, info.Size(), wanted, f.allow)
	if err != nil {
		return nil, err
	}
	leaves := map[string]*columnar.Leaf{}
	for i := range list {
		leaves[list[i].Path] = &list[i]
	}
	return leaves, nil
}

// one gives the leaf of that path in a data set of a single row; nil where
// there is no such column.
func (t *table) one(name string) *columnar.Leaf {
	for _, p := range t.parts {
		if l := p[name]; l != nil && l.Len() > 0 {
			return l
		}
	}
	for _, p := range t.parts {
		if l := p[name]; l != nil {
			return l
		}
	}
	return nil
}

// numbers gives all values of a leaf; an error names it where it is missing.
func (t *table) numbers(name string) ([]float64, error) {
	l := t.one(name)
	if l == nil || l.IsText() {
		return nil, t.stage.fail("data: column %s: want numbers", name)
	}
	if l.Lists == 0 {
		l.Forget(t.allow)
	}
	return l.Numbers, nil
}

// drop drops columns that are not used any more.
func (t *table) drop(names ...string) {
	for _, p := range t.parts {
		for _, name := range names {
			if l := p[name]; l != nil {
				l.Drop(t.allow)
			}
		}
	}
}

// list gives the values of a list of a data set of one row.
func (t *table) list(name string) ([]float64, error) {
	v, err := t.numbers(name)
	if err == nil {
		t.one(name).Forget(t.allow)
	}
	return v, err
}

// single gives the one value of a leaf.
func (t *table) single(name string) (float64, error) {
	v, err := t.numbers(name)
	if err == nil && len(v) != 1 {
		err = t.stage.fail("data: column %s: %d values: want 1", name, len(v))
	}
	if err != nil {
		return 0, err
	}
	return v[0], nil
}

// size gives a leaf's one value as a length.
func (t *table) size(name string) (int, error) {
	v, err := t.single(name)
	if err == nil && !(v >= 0 && v <= math.MaxInt32 && v == math.Trunc(v)) {
		err = t.stage.fail("data: column %s: %v: want a length", name, v)
	}
	return int(v), err
}

// vector reads a VectorUDT of a data set of one row.
func (t *table) vector(name string) (v vec, err error) {
	kind, err := t.single(name + ".type")
	if err != nil {
		return vec{}, err
	}
	if v.values, err = t.list(name + ".values"); err != nil {
		return vec{}, err
	}
	if kind == 1 {
		v.size = len(v.values)
		return v, t.finite(name, v.values)
	}
	if v.size, err = t.size(name + ".size"); err != nil {
		return vec{}, err
	}
	if v.indices, err = t.list(name + ".indices"); err != nil {
		return vec{}, err
	}
	if v.indices == nil {
		v.indices = []float64{}
	}
	for i, x := range v.indices {
		if len(v.indices) != len(v.values) || !(x >= 0 && x < float64(v.size)) || i > 0 && x <= v.indices[i-1] || x != math.Trunc(x) {
			return vec{}, t.stage.fail("data: %s: place %v: want %d that rise, below %d", name, x, len(v.values), v.size)
		}
	}
	return v, t.finite(name, v.values)
}

func (t *table) finite(name string, values []float64) error {
	for _, x := range values {
		if math.IsNaN(x) || math.IsInf(x, 0) {
			return t.stage.fail("data: %s: %v: want finite numbers", name, x)
		}
	}
	return nil
}

// matrix reads a MatrixUDT of a data set of one row, as dense rows.
func (t *table) matrix(name string) (rows [][]float64, err error) {
	n, err := t.size(name + ".numRows")
	if err != nil {
		return nil, err
	}
	cols, err := t.size(name + ".numCols")
	if err != nil {
		return nil, err
	}
	kind, err := t.single(name + ".type")
	if err != nil {
		return nil, err
	}
	byRow, err := t.single(name + ".isTransposed")
	if err != nil {
		return nil, err
	}
	values, err := t.list(name + ".values")
	if err != nil {
		return nil, err
	}
	if n < 1 || n > 2 {
		return nil, t.stage.fail("data: %s: %d rows: want 1, or 2 of a model of two classes", name, n)
	}
	if err := t.finite(name, values); err != nil {
		return nil, err
	}
	if kind == 1 && len(values) != n*cols {
		return nil, t.stage.fail("data: %s: %d values: want %d × %d", name, len(values), n, cols)
	}
	if kind == 1 && n == 1 {
		return [][]float64{values}, nil
	}
	if err := t.allow.Take(int64(n) * int64(cols) * 8); err != nil {
		return nil, t.stage.fail("data: %s: %w", name, err)
	}
	for range n {
		rows = append(rows, make([]float64, cols))
	}
	defer t.drop(name+".values", name+".colPtrs", name+".rowIndices")
	if kind == 1 {
		for i, x := range values {
			if byRow != 0 {
				rows[i/cols][i%cols] = x
			} else {
				rows[i%n][i/n] = x
			}
		}
		return rows, nil
	}
	return rows, t.sparse(name, rows, byRow != 0, values)
}

// sparse fills rows of a sparse matrix: by columns, or by rows.
func (t *table) sparse(name string, rows [][]float64, byRow bool, values []float64) error {
	ends, err := t.list(name + ".colPtrs")
	if err != nil {
		return err
	}
	places, err := t.list(name + ".rowIndices")
	if err != nil {
		return err
	}
	major, minor := len(rows[0]), len(rows)
	if byRow {
		major, minor = minor, major
	}
	if len(ends) != major+1 || len(places) != len(values) {
		return t.stage.fail("data: %s: %d pointers and %d places: want %d and %d", name, len(ends), len(places), major+1, len(values))
	}
	for i := range major {
		from, to := ends[i], ends[i+1]
		if !(from >= 0 && from <= to && to <= float64(len(values))) {
			return t.stage.fail("data: %s: pointers %v, %v: want a rise within %d", name, from, to, len(values))
		}
		for k := int(from); k < int(to); k++ {
			p := places[k]
			if !(p >= 0 && p < float64(minor)) {
				return t.stage.fail("data: %s: place %v: want one below %d", name, p, minor)
			}
			if byRow {
				rows[i][int(p)] = values[k]
			} else {
				rows[int(p)][i] = values[k]
			}
		}
	}
	return nil
}
