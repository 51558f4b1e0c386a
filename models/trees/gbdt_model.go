package trees

import (
	"fmt"
	"math"

	"ctr/features"
	"ctr/models"
)

// Boosted is gradient boosted trees. It implements models.TableModel.
type Boosted struct {
	m        *Model
	base     float64 // log-odds before any tree
	settings boostSettings
}

// boostSettings are what the model was trained with, defaults filled in.
type boostSettings struct {
	Trees      int     `json:"trees"` // those that there are
	Depth      int     `json:"depth"`
	Leaves     int     `json:"leaves"`
	MinLeaf    int     `json:"min_leaf"`
	L2         float64 `json:"l2"`
	LearnRate  float64 `json:"learning_rate"`
	CatSmooth  float64 `json:"cat_smooth"`
	RowShare   float64 `json:"row_share"`
	ColShare   float64 `json:"col_share"`
	EarlyStop  int64   `json:"early_stop"`
	ValidShare float64 `json:"valid_share"`
	Seed       uint64  `json:"seed"`
}

// Algo is "gbdt".
func (b *Boosted) Algo() string { return b.m.algo }

// Probability is the sigmoid of LogOdds.
func (b *Boosted) Probability(ex *features.Example) float64 { return sigmoid(b.LogOdds(ex)) }

// LogOdds gives the log-odds of a click: the base plus, tree by tree, the value
// of the leaf that ex falls in.
func (b *Boosted) LogOdds(ex *features.Example) float64 { return b.Add(ex, b.base) }

// Probabilities appends the probability of each row of t to dst, on so many
// threads (0 = all cores). See Model.Probabilities.
func (b *Boosted) Probabilities(t *features.Table, dst []float64, threads int) []float64 {
	n := len(dst)
	dst = append(dst, make([]float64, t.Rows)...)
	for i := range dst[n:] {
		dst[n+i] = b.base
	}
	b.m.addAll(t, dst[n:], threads, func(p []float64) {
		for i, x := range p {
			p[i] = sigmoid(x)
		}
	})
	return dst
}

// tensorBase is the log-odds before any tree, one F64. The other tensors are
// those of a forest, but that trees.value holds in a leaf what it adds to the
// log-odds.
const tensorBase = "trees.base"

// Save writes the model to f.
func (b *Boosted) Save(f *models.File) error {
	if err := f.PutSettings(b.settings); err != nil {
		return fmt.Errorf("%s: %w", b.m.algo, err)
	}
	if err := f.PutF64(tensorBase, nil, []float64{b.base}); err != nil {
		return fmt.Errorf("%s: %w", b.m.algo, err)
	}
	return b.m.saveNodes(f)
}

// LoadBoosted reads what Boosted.Save wrote.
func LoadBoosted(f *models.File, spec *features.Spec) (*Boosted, error) {
	b := &Boosted{m: &Model{algo: "gbdt"}}
	if err := f.Settings(&b.settings); err != nil {
		return nil, fmt.Errorf("gbdt: %w", err)
	}
	base, err := f.F64Vec(tensorBase, 1)
	if err == nil {
		b.base = base[0]
		err = wantLogOdds(b.base)
	}
	if err == nil {
		err = b.m.loadNodes(f, spec, b.settings.Trees, wantLogOdds)
	}
	if err != nil {
		return nil, fmt.Errorf("gbdt: %w", err)
	}
	return b, nil
}

func loadBoosted(f *models.File, spec *features.Spec) (models.Model, error) {
	b, err := LoadBoosted(f, spec)
	if err != nil {
		return nil, err
	}
	return b, nil
}

// mostLogOdds bounds what a leaf may hold, so that no sum of leaves is anything
// but a number.
const mostLogOdds = 1e100

func wantLogOdds(v float64) error {
	if !(math.Abs(v) <= mostLogOdds) {
		return fmt.Errorf("log-odds %v: want at most %v either way", v, mostLogOdds)
	}
	return nil
}
