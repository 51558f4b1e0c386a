package stack

import (
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"

	"ctr/features"
	"ctr/models"
	"ctr/models/linear"
	"ctr/models/trees"
)

// Model is a logistic regression and trees whose leaves hold its weights. It
// implements models.TableModel and is immutable.
type Model struct {
	lr    *linear.Model
	trees *trees.Boosted
}

// Algo gives "gbdt-lr".
func (m *Model) Algo() string { return Algo }

// Probability gives P(click) of one row: the sigmoid of LogOdds.
func (m *Model) Probability(ex *features.Example) float64 { return linear.Sigmoid(m.LogOdds(ex)) }

// LogOdds gives the log-odds of a click: those of the logistic regression, then
// tree by tree the weight of the leaf that ex falls in.
func (m *Model) LogOdds(ex *features.Example) float64 { return m.trees.Add(ex, m.lr.LogOdds(ex)) }

// Explains is that of the trees.
func (m *Model) Explains() error { return m.trees.Explains() }

// Baseline gives the log-odds of the logistic regression's bias and the mean of
// the trees.
func (m *Model) Baseline() (value float64, scale models.Scale) {
	bias, scale := m.lr.Baseline()
	mean, _ := m.trees.Baseline()
	return bias + mean - m.trees.Base(), scale // LogOdds leaves the trees' own base out
}

// Contributions appends what each field adds to the log-odds: its term in the
// logistic regression, and its SHAP value in the trees.
func (m *Model) Contributions(ex *features.Example, dst []float64) []float64 {
	from := len(dst)
	dst = m.lr.Contributions(ex, dst)
	m.trees.AddContributions(ex, dst[from:])
	return dst
}

// tableBlock is how many rows of a table a goroutine takes at a time.
const tableBlock = 4096

// Probabilities appends the Probability of each row of t to dst, on so many
// threads (0 = all cores).
func (m *Model) Probabilities(t *features.Table, dst []float64, threads int) []float64 {
	n := len(dst)
	dst = append(dst, make([]float64, t.Rows)...)
	out := dst[n:]
	blocks(t.Rows, threads, func(lo, hi int) {
		ex := t.Spec.NewExample()
		for i := lo; i < hi; i++ {
			t.Example(i, ex)
			out[i] = m.lr.LogOdds(ex)
		}
	})
	m.trees.AddAll(t, out, threads)
	blocks(t.Rows, threads, func(lo, hi int) {
		for i := lo; i < hi; i++ {
			out[i] = linear.Sigmoid(out[i])
		}
	})
	return dst
}

// blocks calls work on ranges of 0 … n-1 from so many goroutines.
func blocks(n, threads int, work func(lo, hi int)) {
	if threads <= 0 {
		threads = runtime.GOMAXPROCS(0)
	}
	var next atomic.Int64
	var wg sync.WaitGroup
	for range threads {
		wg.Go(func() {
			for {
				lo := int(next.Add(tableBlock)) - tableBlock
				if lo >= n {
					return
				}
				work(lo, min(lo+tableBlock, n))
			}
		})
	}
	wg.Wait()
}

// The parts of the model file.
const (
	partLR    = "lr"
	partTrees = "gbdt"
)

// Save writes the logistic regression as the part "lr" and the trees as the
// part "gbdt"; see models.File.PutPart.
func (m *Model) Save(f *models.File) error {
	for name, save := range map[string]func(*models.File) error{partLR: m.lr.Save, partTrees: m.trees.Save} {
		part := models.NewFile()
		if err := save(part); err != nil {
			return err
		}
		if err := f.PutPart(name, part); err != nil {
			return fmt.Errorf("%s: %w", Algo, err)
		}
	}
	return nil
}

// Load reads what Save wrote.
func Load(f *models.File, spec *features.Spec) (models.Model, error) {
	lr, err := linear.Load(f.Part(partLR), spec)
	if err != nil {
		return nil, fmt.Errorf("%s: lr: %w", Algo, err)
	}
	m := &Model{}
	if m.trees, err = trees.LoadBoosted(f.Part(partTrees), spec); err != nil {
		return nil, fmt.Errorf("%s: %w", Algo, err)
	}
	var ok bool
	if m.lr, ok = lr.(*linear.Model); !ok {
		return nil, fmt.Errorf("%s: lr: want a logistic regression", Algo)
	}
	return m, nil
}
