package linear

import (
	"context"
	"encoding/json"
	"math"
	"os"
	"testing"

	"ctr/features"
	"ctr/models"
)

// reference is what scripts/crosscheck/lr_reference.py writes.
type reference struct {
	MadeBy      string     `json:"made_by"`
	Small       []uint32   `json:"small"`
	Tail        []uint32   `json:"tail"`
	Constant    []uint32   `json:"constant"`
	Value       []*float64 `json:"value"`
	Mean, Scale float64
	Bits        int
	Hash1       []uint32 `json:"hash1"`
	Hash2       []uint32 `json:"hash2"`
	Y           []uint8  `json:"-"`
	Labels      []int    `json:"y"`
	Weights     []float64
	Cases       []referenceCase
}

type referenceCase struct {
	Name        string
	L1          float64
	L2          float64
	MeanLoss    bool `json:"mean_loss"`
	Weighted    bool
	Standardize bool
	Coef        []float64
	Intercept   float64
}

func readReference(t testing.TB) (*reference, *features.Table) {
	t.Helper()
	b, err := os.ReadFile("testdata/lr_reference.json")
	if err != nil {
		t.Fatal(err)
	}
	var ref reference
	if err := json.Unmarshal(b, &ref); err != nil {
		t.Fatal(err)
	}
	return &ref, ref.table()
}

// table lays the reference's rows out as the script's design matrix has them.
func (ref *reference) table() *features.Table {
	rows := len(ref.Labels)
	num := func(n int) features.Field {
		return features.Field{Type: features.Num, Bounds: make([]float64, n-2)}
	}
	hash := features.Field{Type: features.Hash}
	value := num(4)
	value.Values, value.Mean, value.Scale = true, ref.Mean, ref.Scale
	spec := &features.Spec{Bits: ref.Bits, Fields: []features.Field{num(6), num(30), num(3), value, hash, hash}}
	t := &features.Table{
		Spec: spec, Rows: rows, Codes: make([]features.Codes, 6),
		Values: make([][]float64, 6), Y: make([]uint8, rows),
	}
	for f, codes := range [][]uint32{ref.Small, ref.Tail, ref.Constant, make([]uint32, rows), ref.Hash1, ref.Hash2} {
		t.Codes[f] = features.MakeCodes(rows, spec.Size(f))
		for i, c := range codes {
			t.Codes[f].Set(i, c)
		}
	}
	t.Values[3] = make([]float64, rows)
	for i, v := range ref.Value {
		t.Values[3][i] = math.NaN()
		if v != nil {
			t.Values[3][i] = *v
		}
		t.Y[i] = uint8(ref.Labels[i])
	}
	return t
}

func pointer(v float64) *float64 { return &v }

// TestReference compares coefficients with scikit-learn's. Its saga, for L1,
// is the less exact of the two.
func TestReference(t *testing.T) {
	ref, plain := readReference(t)
	for _, c := range ref.Cases {
		t.Run(c.Name, func(t *testing.T) {
			tb := *plain
			if c.Weighted {
				tb.W = ref.Weights
			}
			m, err := Fit(context.Background(), &tb, models.Options{
				L1: &c.L1, L2: &c.L2, MeanLoss: c.MeanLoss, Standardize: c.Standardize, Tol: 1e-14, MaxIter: 5000,
			}, nil)
			if err != nil {
				t.Fatal(err)
			}
			far := math.Abs(m.Bias() - c.Intercept)
			for j, w := range m.Weights() {
				far = max(far, math.Abs(w-c.Coef[j]))
			}
			t.Logf("%s: off by at most %.3g", m.Report(), far)
			limit := 1e-6
			if c.L1 > 0 {
				limit = 1e-5
			}
			if !m.Report().Converged || far > limit {
				t.Errorf("%s: off by %v: want at most %v", m.Report(), far, limit)
			}
		})
	}
}
