// Package boosters reads models of other trainers of boosted trees: LightGBM's
// text and XGBoost's JSON. They become ctr's gbdt, whose columns are read by
// the names of their features.
package boosters

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math"
	"os"
	"slices"
	"strconv"

	"ctr/features"
	"ctr/models"
	"ctr/models/interchange"
	"ctr/models/trees"
)

// ensemble is a model on its way: trees whose nodes look at features, which
// have no fields yet, and at categories, which have no codes yet.
type ensemble struct {
	names []string // of the features
	base  float64
	trees [][]node
	notes []string
	// values are the values of a feature's categories; a feature without has
	// whole numbers.
	values map[int]*values
	// missing says that a category which is missing is not one never seen.
	missing bool
	// size is the length of what was read.
	size int
}

// node is one node of a tree. Field of the embedded Node is the number of the
// feature, and Codes are categories.
type node struct {
	trees.Node
	category bool
	// swapped says that Codes go right. Left and Right are as they were read.
	swapped bool
}

// read reads the file at path with parse and makes a model of what it holds.
func read(ctx context.Context, path string, o interchange.ImportOptions, parse func(text []byte) (*ensemble, error)) (*models.Artifact, []string, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, nil, err
	}
	e, err := parse(text)
	if err == nil {
		err = ctx.Err()
	}
	var a *models.Artifact
	if err == nil {
		a, err = e.artifact(o)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", path, err)
	}
	return a, e.notes, nil
}

// artifact makes the model.
func (e *ensemble) artifact(o interchange.ImportOptions) (*models.Artifact, error) {
	spec, columns, err := e.fields()
	if err != nil {
		return nil, err
	}
	schema, err := interchange.SchemaFor(o, columns)
	if err != nil {
		return nil, err
	}
	spec.Schema = *schema
	list := make([][]trees.Node, len(e.trees))
	for t, tree := range e.trees {
		list[t] = make([]trees.Node, len(tree))
		for i := range tree {
			list[t][i] = tree[i].Node
		}
		e.trees[t] = nil
	}
	m, err := trees.NewBoosted(spec, e.base, list)
	if err != nil {
		return nil, err
	}
	a := &models.Artifact{Model: m, Spec: spec, Threshold: .5, Version: o.Version}
	if o.Threshold != nil {
		a.Threshold = *o.Threshold
	}
	return a, nil
}

// use is what trees make of a feature.
type use struct {
	number, category bool
	codes            []uint32 // the categories, ascending
	field            int
	first            []uint32 // the first code of each category; see dictionary
}

// fields makes a field of each feature that the trees look at, and gives the
// nodes fields in the place of features and codes in that of categories.
func (e *ensemble) fields() (*features.Spec, []features.Column, error) {
	uses := map[int]*use{}
	for _, tree := range e.trees {
		for i := range tree {
			if n := &tree[i]; !n.Leaf() {
				u := uses[n.Field]
				if u == nil {
					u = &use{}
					uses[n.Field] = u
				}
				u.number, u.category = u.number || !n.category, u.category || n.category
				u.codes = append(u.codes, n.Codes...)
			}
		}
		for _, u := range uses {
			slices.Sort(u.codes)
			u.codes = slices.Compact(u.codes)
		}
	}
	if len(uses) == 0 { // trees that are leaves; a model reads one column or more
		uses[0] = &use{number: true}
	}
	if len(uses) > math.MaxUint16 {
		return nil, nil, fmt.Errorf("%d features: want at most %d", len(uses), math.MaxUint16)
	}
	spec, columns := &features.Spec{}, []features.Column{}
	for _, f := range sortedKeys(uses) {
		u := uses[f]
		if f < 0 || f >= len(e.names) {
			return nil, nil, fmt.Errorf("feature %d: want 0 … %d", f, len(e.names)-1)
		}
		name := e.names[f]
		if u.number && u.category {
			return nil, nil, fmt.Errorf("feature %s: splits by number and by category: want one of them", short(name))
		}
		u.field = len(spec.Fields)
		field := features.Field{Name: name, From: []string{name}, Type: features.Num, Scale: 1}
		column := features.Column{Name: name, Kind: features.Number}
		if u.category {
			column.Kind, field.Type, field.Scale = features.Category, features.Dict, 0
			d, err := e.dictionary(f, u)
			if err != nil {
				return nil, nil, fmt.Errorf("feature %s: %w", short(name), err)
			}
			field.Dict = d
		}
		spec.Fields, columns = append(spec.Fields, field), append(columns, column)
	}
	for t, tree := range e.trees {
		for i := range tree {
			if n := &tree[i]; !n.Leaf() {
				if err := e.settle(n, uses[n.Field], spec); err != nil {
					return nil, nil, fmt.Errorf("tree %d: node %d: %w", t, i, err)
				}
			}
		}
	}
	return spec, columns, nil
}

// dictionary makes the dictionary of a feature, and u.first of its categories:
// category u.codes[i] has the codes from u.first[i] up to u.first[i+1].
func (e *ensemble) dictionary(feature int, u *use) (*features.Dictionary, error) {
	var text []byte
	offsets := []uint64{0}
	empty, next := false, 0
	category := func(c int, texts ...string) error {
		// A category that no set has goes where values never seen go.
		if next == len(u.codes) || uint32(c) != u.codes[next] {
			return nil
		}
		next++
		u.first = append(u.first, uint32(len(offsets)))
		for _, v := range texts {
			text = append(text, v...)
			offsets = append(offsets, uint64(len(text)))
			empty = empty || v == ""
		}
		return nil
	}
	list := e.values[feature]
	if list != nil {
		if err := list.each(category); err != nil {
			return nil, err
		}
		if next < len(u.codes) {
			return nil, fmt.Errorf("category %d: has no value", u.codes[next])
		}
	} else {
		for _, c := range slices.Clone(u.codes) {
			if err := category(int(c), strconv.FormatUint(uint64(c), 10)); err != nil {
				return nil, err
			}
		}
	}
	u.first = append(u.first, uint32(len(offsets)))
	if e.missing && !empty {
		offsets = append(offsets, uint64(len(text)))
	}
	d, err := features.NewDictionary(text, offsets)
	if err != nil || list == nil {
		return d, err
	}
	return d, list.each(func(c int, texts ...string) error {
		_, has := slices.BinarySearch(u.codes, uint32(c))
		for _, v := range texts {
			if !has && d.Code([]byte(v)) != 0 && v != "" {
				return fmt.Errorf("dictionary: value %q twice", short(v))
			}
		}
		return nil
	})
}

// settle gives n its field and its codes.
func (e *ensemble) settle(n *node, u *use, spec *features.Spec) error {
	n.Field = u.field
	if !n.category {
		if math.IsNaN(n.Value) {
			return errors.New("threshold NaN: want a number")
		}
		return nil
	}
	var codes []uint32
	for _, c := range n.Codes {
		i, _ := slices.BinarySearch(u.codes, c)
		for code := u.first[i]; code < u.first[i+1]; code++ {
			codes = append(codes, code)
		}
	}
	last := u.first[len(u.first)-1]
	hasMissing := e.missing && int(last) == spec.Fields[u.field].Dict.Len()
	if n.swapped {
		n.Left, n.Right, n.MissingLeft = n.Right, n.Left, !n.MissingLeft
	}
	if hasMissing && n.MissingLeft {
		codes = append(codes, last)
	}
	n.Codes, n.MissingLeft, n.Value = codes, false, 0
	return nil
}

// room reports more categories in sets than a model of that length has: each
// takes four bytes, and eleven bytes of a wild file have 32 of them.
func (e *ensemble) room(codes int) error {
	if most := e.size + 4096; codes > most {
		return fmt.Errorf("%d categories in the sets of all nodes: want at most %d in a file of %d bytes", codes, most, e.size)
	}
	return nil
}

func sortedKeys(m map[int]*use) []int {
	list := make([]int, 0, len(m))
	for k := range m {
		list = append(list, k)
	}
	slices.Sort(list)
	return list
}

// short gives as much of what was read as an error shows.
func short(s string) string {
	if len(s) > 40 {
		return strconv.Quote(s[:40]) + "…"
	}
	return s
}

// unique reports a name that is empty or comes twice.
func unique(names iter.Seq[string]) error {
	seen := map[string]bool{}
	for n := range names {
		if n == "" || seen[n] {
			return fmt.Errorf("feature name %q: want one of its own", short(n))
		}
		seen[n] = true
	}
	return nil
}
