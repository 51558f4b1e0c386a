package boosters

import (
	"bytes"
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
)

// LightGBM reads the text that Booster.save_model writes, of LightGBM 3 and 4.
func LightGBM() interchange.Importer {
	return interchange.Importer{
		Name: "lightgbm", Title: "a text model of LightGBM 3 or 4 with objective binary or cross_entropy (Booster.save_model)",
		Import: func(ctx context.Context, path string, o interchange.ImportOptions) (*models.Artifact, []string, error) {
			return read(ctx, path, o, parseLightGBM)
		},
	}
}

// lightgbm is a text model as it is read.
type lightgbm struct {
	ensemble
	header   map[string]string
	scale    float64 // of leaves
	nodes    int     // so far, of all trees
	codes    int     // in sets, likewise
	category []int   // features that are categories
}

const pandas = "pandas_categorical:"

// parseLightGBM reads a text model: "key=value" lines of the whole model, then
// of each tree after a line "Tree=0", then "end of trees", parameters, and
// pandas' categories.
func parseLightGBM(text []byte) (*ensemble, error) {
	m := &lightgbm{ensemble: ensemble{size: len(text)}}
	if first, _, _ := bytes.Cut(text, []byte("\n")); strings.TrimSpace(string(first[:min(len(first), 20)])) != "tree" {
		return nil, errors.New(`first line: want "tree", as LightGBM's text models have`)
	}
	body, tail, ok := bytes.Cut(text, []byte("\nend of trees"))
	if !ok {
		return nil, errors.New(`no line "end of trees": the file is cut off`)
	}
	blocks := bytes.Split(body, []byte("\nTree="))
	m.header = pairs(blocks[0])
	if err := m.settings(); err != nil {
		return nil, err
	}
	if err := m.categories(tail); err != nil {
		return nil, err
	}
	if _, average := m.header["average_output"]; average && len(blocks) > 1 {
		m.scale /= float64(len(blocks) - 1)
	}
	for t, block := range blocks[1:] {
		nodes, err := m.tree(pairs(block))
		if err != nil {
			return nil, fmt.Errorf("tree %d: %w", t, err)
		}
		m.trees = append(m.trees, nodes)
	}
	if len(m.trees) == 0 {
		return nil, errors.New("no trees: want 1 or more")
	}
	return &m.ensemble, nil
}

// keys are those that are read.
var keys = []string{
	"num_class", "num_tree_per_iteration", "objective", "feature_names", "feature_infos", "average_output",
	"num_leaves", "num_cat", "is_linear", "split_feature", "decision_type", "threshold", "left_child", "right_child",
	"leaf_value", "leaf_count", "internal_count", "cat_boundaries", "cat_threshold",
}

// pairs gives the lines key=value whose key is read; a line without = is a key
// alone.
func pairs(block []byte) map[string]string {
	list := map[string]string{}
	for line := range bytes.Lines(block) {
		key, value, _ := bytes.Cut(bytes.TrimRight(line, "\r\n"), []byte("="))
		if i := slices.Index(keys, string(key)); i >= 0 {
			list[keys[i]] = string(value)
		}
	}
	return list
}

// settings reads the header and refuses what the model would not be ctr's for.
func (m *lightgbm) settings() error {
	for _, key := range []string{"num_class", "num_tree_per_iteration"} {
		if v := m.header[key]; v != "1" {
			return fmt.Errorf("%s %s: want 1", key, short(v))
		}
	}
	m.scale = 1
	words := strings.Fields(m.header["objective"])
	switch {
	case len(words) > 0 && words[0] == "binary":
		for _, w := range words[1:] {
			if s, ok := strings.CutPrefix(w, "sigmoid:"); ok {
				x, err := strconv.ParseFloat(s, 64)
				if err != nil || !(x > 0) || math.IsInf(x, 0) {
					return fmt.Errorf("objective: sigmoid %s: want a number above 0", short(s))
				}
				m.scale = x
			}
		}
	case len(words) > 0 && (words[0] == "cross_entropy" || words[0] == "xentropy"):
	default:
		return fmt.Errorf("objective %q: want binary or cross_entropy", short(m.header["objective"]))
	}
	// Names that come twice are found before there is a list of them.
	if err := unique(strings.FieldsSeq(m.header["feature_names"])); err != nil {
		return err
	}
	if m.names = strings.Fields(m.header["feature_names"]); len(m.names) == 0 {
		return errors.New("feature_names: want one or more")
	}
	return nil
}

// categories reads which features are categories, and pandas' values of them.
func (m *lightgbm) categories(tail []byte) error {
	for line := range bytes.Lines(tail) {
		s := strings.TrimSpace(string(line))
		if v, ok := strings.CutPrefix(s, "[categorical_feature:"); ok {
			for _, w := range strings.FieldsFunc(strings.TrimSuffix(v, "]"), func(r rune) bool { return r == ',' || r == ' ' }) {
				i, err := strconv.Atoi(w)
				if err != nil || i < 0 || i >= len(m.names) {
					m.category = nil // given by name: feature_infos say it
					break
				}
				m.category = append(m.category, i)
			}
		}
	}
	if len(m.category) == 0 {
		for i, info := range strings.Fields(m.header["feature_infos"]) {
			if info != "none" && !strings.HasPrefix(info, "[") {
				m.category = append(m.category, i)
			}
		}
	}
	slices.Sort(m.category)
	_, list, ok := bytes.Cut(tail, []byte("\n"+pandas))
	if !ok {
		return nil
	}
	list, _, _ = bytes.Cut(list, []byte("\n"))
	if !json.Valid(list) {
		return errors.New("pandas_categorical: want JSON")
	}
	if string(list) == "null" {
		return nil
	}
	m.values = map[int]*values{}
	columns := 0
	err := elements(list, func(i int, element []byte) error {
		if columns++; i < len(m.category) {
			m.values[m.category[i]] = &values{list: element}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("pandas_categorical: %w", err)
	}
	if columns > 0 && columns != len(m.category) {
		return fmt.Errorf("pandas_categorical: %d columns, where the model has %d categories: want as many", columns, len(m.category))
	}
	return nil
}

// Bits of decision_type (LightGBM, include/LightGBM/tree.h).
const (
	categorical   = 1
	defaultLeft   = 2
	missingShift  = 2
	missingAsZero = 1
	missingAsNaN  = 2
)

// zeroThreshold is how far from 0 LightGBM takes a number for 0 (kZeroThreshold,
// a float32).
const zeroThreshold = float64(float32(1e-35))

// lgbTree are the arrays of one tree.
type lgbTree struct {
	left, right, features, decisions, bounds, leafRows, nodeRows []int32
	words                                                        []uint32
	thresholds, leaves                                           []float64
}

// tree reads one tree.
func (m *lightgbm) tree(p map[string]string) ([]node, error) {
	if v, ok := p["is_linear"]; ok && strings.TrimSpace(v) != "0" {
		return nil, errors.New("is_linear: linear leaves: want constant ones (linear_tree=false)")
	}
	var t lgbTree
	r := numbers{pairs: p}
	t.leaves = list(&r, "leaf_value", func(s string) (float64, error) { return strconv.ParseFloat(s, 64) })
	n := len(t.leaves) - 1
	if r.err != nil {
		return nil, r.err
	}
	if v := p["num_leaves"]; v != strconv.Itoa(n+1) {
		return nil, fmt.Errorf("num_leaves %s: leaf_value has %d", short(v), n+1)
	}
	if n > 0 {
		t.left, t.right = r.ints("left_child", n), r.ints("right_child", n)
		t.features, t.decisions = r.ints("split_feature", n), r.ints("decision_type", n)
		t.thresholds = list(&r, "threshold", func(s string) (float64, error) { return strconv.ParseFloat(s, 64) })
		t.leafRows, t.nodeRows = r.ints("leaf_count", -1), r.ints("internal_count", -1)
		if v := p["num_cat"]; v != "0" && v != "" {
			t.bounds, t.words = r.ints("cat_boundaries", -1), list(&r, "cat_threshold", parseUint32)
		}
		if r.err == nil && len(t.thresholds) != n {
			r.err = fmt.Errorf("threshold: %d numbers: want %d", len(t.thresholds), n)
		}
	}
	if r.err != nil {
		return nil, r.err
	}
	g := grow{lightgbm: m, t: &t}
	_, err := g.place(child{at: 0, leaf: n == 0})
	return g.nodes, err
}

// numbers reads lists of numbers and keeps the first error.
type numbers struct {
	pairs map[string]string
	err   error
}

// list reads the numbers of a key.
func list[T any](r *numbers, key string, parse func(string) (T, error)) []T {
	out := make([]T, 0, strings.Count(r.pairs[key], " ")+1)
	for word := range strings.FieldsSeq(r.pairs[key]) {
		x, err := parse(word)
		if err != nil {
			if r.err == nil {
				r.err = fmt.Errorf("%s: %q: want a number", key, short(word))
			}
			return nil
		}
		out = append(out, x)
	}
	return out
}

// ints reads whole numbers, of which there must be so many, unless -1.
func (r *numbers) ints(key string, want int) []int32 {
	out := list(r, key, func(s string) (int32, error) {
		x, err := strconv.ParseInt(s, 10, 32)
		return int32(x), err
	})
	if r.err == nil && want >= 0 && len(out) != want {
		r.err = fmt.Errorf("%s: %d numbers: want %d", key, len(out), want)
	}
	return out
}

func parseUint32(s string) (uint32, error) {
	x, err := strconv.ParseUint(s, 10, 32)
	return uint32(x), err
}
