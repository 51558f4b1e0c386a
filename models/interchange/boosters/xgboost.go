package boosters

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"ctr/models"
	"ctr/models/interchange"
	"ctr/models/trees"
)

// XGBoost reads the JSON that Booster.save_model("model.json") writes, of
// XGBoost 1.7 to 3, and the same in UBJSON.
func XGBoost() interchange.Importer {
	return interchange.Importer{
		Name: "xgboost", Title: "a JSON or UBJSON model of XGBoost 1.7 to 3 with booster gbtree and objective binary:logistic (Booster.save_model)",
		Import: func(ctx context.Context, path string, o interchange.ImportOptions) (*models.Artifact, []string, error) {
			return read(ctx, path, o, parseXGBoost)
		},
	}
}

// xgbFile is what is read of the file.
type xgbFile struct {
	Learner struct {
		Attributes struct {
			Best string `json:"best_iteration"`
		} `json:"attributes"`
		Names   json.RawMessage `json:"feature_names"`
		Booster struct {
			Name  string `json:"name"`
			Model struct {
				Cats struct {
					Enc json.RawMessage `json:"enc"`
				} `json:"cats"`
				Trees json.RawMessage `json:"trees"`
			} `json:"model"`
		} `json:"gradient_booster"`
		Param struct {
			Base     string `json:"base_score"`
			Classes  string `json:"num_class"`
			Features string `json:"num_feature"`
			Targets  string `json:"num_target"`
		} `json:"learner_model_param"`
		Objective struct {
			Name string `json:"name"`
		} `json:"objective"`
	} `json:"learner"`
}

// xgbTree are the arrays of one tree.
type xgbTree struct {
	Left       []int32   `json:"left_children"`
	Right      []int32   `json:"right_children"`
	Features   []int32   `json:"split_indices"`
	Conditions []float32 `json:"split_conditions"`
	Kinds      []int32   `json:"split_type"`
	Default    []flag    `json:"default_left"`
	Hessians   []float32 `json:"sum_hessian"`
	Categories []int32   `json:"categories"`
	Nodes      []int32   `json:"categories_nodes"`
	Segments   []int32   `json:"categories_segments"`
	Sizes      []int32   `json:"categories_sizes"`
	Param      struct {
		Vector string `json:"size_leaf_vector"`
	} `json:"tree_param"`
}

// xgbCats are the values of a feature's categories: the bytes of texts and
// where each ends, or numbers. XGBoost has them from 3.1 on.
type xgbCats struct {
	Offsets []int64         `json:"offsets"`
	Values  json.RawMessage `json:"values"`
}

// parseXGBoost reads a model.
func parseXGBoost(text []byte) (*ensemble, error) {
	var f xgbFile
	e := &ensemble{size: len(text), missing: true}
	if len(text) > 1 && text[0] == '{' && text[1] != '"' && text[1] > ' ' { // JSON has a name there, UBJSON its length
		var err error
		if text, err = fromUBJ(text); err != nil {
			return nil, err
		}
	}
	if err := json.Unmarshal(text, &f); err != nil {
		return nil, fmt.Errorf("want a JSON or UBJSON model of XGBoost: %w", err)
	}
	model := &f.Learner.Booster.Model
	if err := e.xgbSettings(&f); err != nil {
		return nil, err
	}
	e.values = map[int]*values{}
	if len(model.Cats.Enc) > 0 {
		if err := elements(model.Cats.Enc, e.xgbCategories); err != nil {
			return nil, err
		}
	}
	if len(model.Trees) == 0 {
		return nil, errors.New("no trees: want 1 or more")
	}
	codes := 0
	err := elements(model.Trees, func(i int, element []byte) error {
		var t xgbTree
		err := json.Unmarshal(element, &t)
		var nodes []node
		if err == nil {
			nodes, err = t.nodes()
		}
		for k := range nodes {
			codes += len(nodes[k].Codes)
		}
		if err == nil {
			err = e.room(codes)
		}
		if err != nil {
			return fmt.Errorf("tree %d: %w", i, err)
		}
		e.trees = append(e.trees, nodes)
		return nil
	})
	if err == nil && len(e.trees) == 0 {
		err = errors.New("no trees: want 1 or more")
	}
	return e, err
}

// xgbSettings reads the settings and refuses what would not be ctr's gbdt.
func (e *ensemble) xgbSettings(f *xgbFile) error {
	l := &f.Learner
	if l.Booster.Name != "gbtree" {
		return fmt.Errorf("booster %q: want gbtree", short(l.Booster.Name))
	}
	if l.Objective.Name != "binary:logistic" && l.Objective.Name != "reg:logistic" {
		return fmt.Errorf("objective %q: want binary:logistic", short(l.Objective.Name))
	}
	if c := l.Param.Classes; c != "" && c != "0" && c != "1" {
		return fmt.Errorf("num_class %s: want 0", short(c))
	}
	if t := l.Param.Targets; t != "" && t != "0" && t != "1" {
		return fmt.Errorf("num_target %s: want 1", short(t))
	}
	// 3.1 and later write a list of one.
	p, err := strconv.ParseFloat(strings.Trim(l.Param.Base, "[]"), 32)
	if err != nil || !(p > 0 && p < 1) {
		return fmt.Errorf("base_score %s: want a probability above 0 and below 1", short(l.Param.Base))
	}
	e.base = -math.Log(1/p - 1)
	if l.Attributes.Best != "" {
		e.notes = append(e.notes, "best_iteration "+short(l.Attributes.Best)+": all trees are read, as Booster.predict takes them all; save model[:best_iteration+1] to have those alone")
	}
	if err := e.xgbNames(l.Names); err != nil {
		return err
	}
	if len(e.names) == 0 {
		n, err := strconv.Atoi(l.Param.Features)
		if err != nil || n < 1 || n > e.size {
			return fmt.Errorf("num_feature %s: want 1 or more, and names of features where there are many", short(l.Param.Features))
		}
		e.notes = append(e.notes, "the model has no names of features: its columns are f0, f1, …")
		for i := range min(n, maxUnnamed) {
			e.names = append(e.names, "f"+strconv.Itoa(i))
		}
	}
	return nil
}

// xgbNames reads the names of the features. Names that come twice are found
// before there is a list of them.
func (e *ensemble) xgbNames(list json.RawMessage) (err error) {
	if len(list) == 0 {
		return nil
	}
	names := func(yield func(string) bool) {
		err = elements(list, func(_ int, element []byte) error {
			var name string
			if err := json.Unmarshal(element, &name); err != nil {
				return fmt.Errorf("feature_names: %w", err)
			}
			if !yield(name) {
				return errEnough
			}
			return nil
		})
	}
	if twice := unique(names); twice != nil {
		return twice
	}
	if err != nil {
		return err
	}
	e.names = slices.Collect(names)
	return err
}

// errEnough ends a walk through a list.
var errEnough = errors.New("enough")

// maxUnnamed bounds the names that are made up.
const maxUnnamed = 1 << 16

// xgbCategories reads the values of a feature's categories.
func (e *ensemble) xgbCategories(feature int, element []byte) error {
	var c xgbCats
	if err := json.Unmarshal(element, &c); err != nil {
		return fmt.Errorf("feature %d: categories: %w", feature, err)
	}
	if len(c.Values) == 0 || string(c.Values) == "[]" {
		return nil
	}
	if len(c.Offsets) == 0 {
		e.values[feature] = &values{list: c.Values}
		return nil
	}
	v := &values{offsets: c.Offsets}
	err := elements(c.Values, func(_ int, b []byte) error {
		x, err := strconv.ParseInt(string(b), 10, 16)
		if err != nil || x < -128 || x > 255 {
			return fmt.Errorf("feature %d: categories: %s: want a byte", feature, short(string(b)))
		}
		if x < 0 || x > 127 {
			// Offsets count characters, and the last bytes are cut off.
			return fmt.Errorf("feature %d: categories with other text than ASCII: XGBoost (3.1 to 3.2) writes them wrongly; give it codes in their place", feature)
		}
		v.text = append(v.text, byte(x))
		return nil
	})
	e.values[feature] = v
	return err
}

// nodes gives the nodes that are not deleted, the root first.
func (t *xgbTree) nodes() ([]node, error) {
	n := len(t.Left)
	for name, have := range map[string]int{
		"right_children": len(t.Right), "split_indices": len(t.Features), "split_conditions": len(t.Conditions), "default_left": len(t.Default),
	} {
		if have != n || n == 0 {
			return nil, fmt.Errorf("%s: %d nodes: want %d as in left_children, and 1 or more", name, have, n)
		}
	}
	covers, err := t.covers()
	if err != nil {
		return nil, err
	}
	if v := t.Param.Vector; v != "" && v != "0" && v != "1" {
		return nil, fmt.Errorf("size_leaf_vector %s: want 1", short(v))
	}
	sets, err := t.sets()
	if err != nil {
		return nil, err
	}
	out := make([]node, 1, n)
	from := make([]int32, 1, n) // of each node in out, its place in the file
	for at := 0; at < len(out); at++ {
		i := from[at]
		c := t.Conditions[i]
		if c != c {
			return nil, fmt.Errorf("node %d: NaN: want a number", i)
		}
		if t.Left[i] == -1 {
			out[at].Value, out[at].Rows = float64(c), covers(i)
			continue
		}
		for _, child := range []int32{t.Left[i], t.Right[i]} {
			if child < 1 || int(child) >= n || len(from) >= n {
				return nil, fmt.Errorf("node %d: child %d: want one of %d nodes, each with one parent", i, child, n)
			}
			from = append(from, child)
		}
		v := node{Node: trees.Node{Field: int(t.Features[i]), Left: len(out), Right: len(out) + 1, MissingLeft: bool(t.Default[i]), Rows: covers(i)}}
		if int(i) < len(t.Kinds) && t.Kinds[i] == 1 {
			// Decision in src/common/categorical.h: what the set has goes right.
			v.category, v.swapped, v.Codes = true, true, sets[i]
		} else {
			v.Value = below(c)
		}
		out[at] = v
		out = append(out, node{}, node{})
	}
	return out, nil
}

// covers gives what stands for the training rows of a node: its sum of
// hessians, which XGBoost's own contributions weigh ways by. Only their
// proportions within a tree count, so the root's is put near 2^31 and the
// others are rounded to whole numbers; 0 where the file does not say.
func (t *xgbTree) covers() (func(i int32) uint32, error) {
	if len(t.Hessians) == 0 {
		return func(int32) uint32 { return 0 }, nil
	}
	if len(t.Hessians) != len(t.Left) {
		return nil, fmt.Errorf("sum_hessian: %d nodes: want %d as in left_children", len(t.Hessians), len(t.Left))
	}
	_, exponent := math.Frexp(float64(t.Hessians[0]))
	return func(i int32) uint32 {
		h := float64(t.Hessians[i])
		if !(h > 0) || math.IsInf(h, 0) {
			return 0
		}
		// Below the root there is no more than at it, but for what is rounded.
		return uint32(max(1, min(math.Round(math.Ldexp(h, 31-exponent)), math.MaxUint32)))
	}, nil
}

// sets gives the categories of each node that has a set.
func (t *xgbTree) sets() (map[int32][]uint32, error) {
	if len(t.Segments) != len(t.Nodes) || len(t.Sizes) != len(t.Nodes) {
		return nil, fmt.Errorf("categories_nodes: %d, with %d segments and %d sizes: want as many", len(t.Nodes), len(t.Segments), len(t.Sizes))
	}
	sets, total := map[int32][]uint32{}, 0
	for k, i := range t.Nodes {
		lo, size := int64(t.Segments[k]), int64(t.Sizes[k])
		if lo < 0 || size < 0 || lo+size > int64(len(t.Categories)) {
			return nil, fmt.Errorf("categories of node %d: %d from %d on: want them within %d", i, size, lo, len(t.Categories))
		}
		// Segments may lie over each other in a file of ill will alone.
		if total += int(size); total > len(t.Categories) {
			return nil, fmt.Errorf("categories_sizes: more than %d in all", len(t.Categories))
		}
		for _, c := range t.Categories[lo : lo+size] {
			if c < 0 {
				return nil, fmt.Errorf("category %d: want 0 or more", c)
			}
			sets[i] = append(sets[i], uint32(c))
		}
	}
	return sets, nil
}

// below gives the greatest float64 that becomes a float32 less than c when it
// is rounded to one: v <= below(c) is what XGBoost asks by float32(v) < c.
func below(c float32) float64 {
	under := math.Nextafter32(c, float32(math.Inf(-1)))
	const overflow = 1<<128 - 1<<103 // from here on a float32 is infinite
	var middle float64
	switch {
	case math.IsInf(float64(c), -1): // nothing is less
		return math.Inf(-1)
	case math.IsInf(float64(under), -1):
		return -overflow
	case math.IsInf(float64(c), 1):
		middle = overflow
	default:
		middle = (float64(under) + float64(c)) / 2
	}
	// Half way between two, the one whose last bit is 0 is taken.
	if float32(middle) < c {
		return middle
	}
	return math.Nextafter(middle, math.Inf(-1))
}
