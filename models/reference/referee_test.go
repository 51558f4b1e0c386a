package reference

import (
	"math"
	"testing"

	"github.com/sjwhitworth/golearn/base"
	"github.com/sjwhitworth/golearn/evaluation"
	"pgregory.net/rapid"

	"ctr/models/metrics"
)

// classes gives labels as golearn's data of one class column.
func classes(t *rapid.T, y []uint8) *base.DenseInstances {
	data := base.NewDenseInstances()
	label := base.NewCategoricalAttribute()
	label.SetName("click")
	spec := data.AddAttribute(label)
	if err := data.AddClassAttribute(label); err != nil {
		t.Fatal(err)
	}
	if err := data.Extend(len(y)); err != nil {
		t.Fatal(err)
	}
	// Both columns know both values, in the same order, whatever is in them.
	values := [2][]byte{label.GetSysValFromString("0"), label.GetSysValFromString("1")}
	for i, v := range y {
		data.Set(spec, i, values[v])
	}
	return data
}

// TestGolearnReferees: accuracy, precision, recall and F1 are golearn's. Where
// golearn gives NaN for 0/0, ours is 0, as scikit-learn's.
func TestGolearnReferees(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 50).Draw(t, "n")
		y := rapid.SliceOfN(rapid.Uint8Range(0, 1), n, n).Draw(t, "y")
		p := rapid.SliceOfN(rapid.Float64Range(0, 1), n, n).Draw(t, "p")
		threshold := rapid.Float64Range(0, 1).Draw(t, "threshold")
		predicted := make([]uint8, n)
		for i, v := range p {
			if v > threshold {
				predicted[i] = 1
			}
		}
		m, err := metrics.Evaluate(y, p, nil, threshold)
		if err != nil {
			t.Fatal(err)
		}
		matrix, err := evaluation.GetConfusionMatrix(classes(t, y), classes(t, predicted))
		if err != nil {
			t.Fatal(err)
		}
		same := func(name string, ours, theirs float64) {
			if math.IsNaN(theirs) {
				theirs = 0
			}
			if math.Abs(ours-theirs) > 1e-12 {
				t.Fatalf("%s %v: golearn says %v (%v)", name, ours, theirs, matrix)
			}
		}
		same("accuracy", m.Accuracy, evaluation.GetAccuracy(matrix))
		same("precision", m.Precision, evaluation.GetPrecision("1", matrix))
		same("recall", m.Recall, evaluation.GetRecall("1", matrix))
		same("f1", m.F1, evaluation.GetF1Score("1", matrix))
		same("true positives", m.Confusion.TP, evaluation.GetTruePositives("1", matrix))
		same("false positives", m.Confusion.FP, evaluation.GetFalsePositives("1", matrix))
		same("true negatives", m.Confusion.TN, evaluation.GetTrueNegatives("1", matrix))
		same("false negatives", m.Confusion.FN, evaluation.GetFalseNegatives("1", matrix))
	})
}
