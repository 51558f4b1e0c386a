package metrics

import (
	"encoding/json"
	"math"
	"strings"
	"testing"
)

func near(t *testing.T, name string, got, want float64) {
	t.Helper()
	if math.IsNaN(want) != math.IsNaN(got) || math.Abs(got-want) > 1e-12 {
		t.Errorf("%s: %v: want %v", name, got, want)
	}
}

// TestByHand computes four rows on paper: labels 0 1 1 0, one tie.
func TestByHand(t *testing.T) {
	m, err := Evaluate([]uint8{0, 1, 1, 0}, []float64{0.1, 0.4, 0.8, 0.4}, nil, 0.4)
	if err != nil {
		t.Fatal(err)
	}
	if m.Rows != 4 || m.Clicks != 2 {
		t.Errorf("rows %d, clicks %d: want 4, 2", m.Rows, m.Clicks)
	}
	if want := (Confusion{TP: 1, FP: 0, TN: 2, FN: 1}); m.Confusion != want {
		t.Errorf("confusion %v: want %v (0.4 is not above 0.4)", m.Confusion, want)
	}
	near(t, "accuracy", m.Accuracy, 0.75)
	near(t, "precision", m.Precision, 1)
	near(t, "recall", m.Recall, 0.5)
	near(t, "f1", m.F1, 2.0/3)
	near(t, "auc", m.AUC, 3.5/4)                // one pair of four is a tie
	near(t, "pr_auc", m.PRAUC, 0.5*1+0.5*2.0/3) // 0.8 alone, then three rows with two clicks
	near(t, "log_loss", m.LogLoss, -(math.Log(0.9)+math.Log(0.4)+math.Log(0.8)+math.Log(0.6))/4)
	near(t, "normalized_entropy", m.NormalizedEntropy, m.LogLoss/math.Ln2)
	near(t, "brier", m.Brier, (0.01+0.36+0.04+0.16)/4)
	near(t, "calibration_ratio", m.CalibrationRatio, 1.7/2)
	near(t, "ece", m.ECE, (0.1+math.Abs(0.8-1)+0.2)/4) // bins {0.1} {0.4, 0.4} {0.8}
	near(t, "majority accuracy", m.Majority.Accuracy, 0.5)
	near(t, "majority log loss", m.Majority.LogLoss, math.Ln2)
}

// TestUndefined has labels that are all the same.
func TestUndefined(t *testing.T) {
	m, err := Evaluate([]uint8{0, 0}, []float64{0.1, 0.2}, nil, 0.5)
	if err != nil {
		t.Fatal(err)
	}
	for name, v := range map[string]float64{
		"auc": m.AUC, "pr_auc": m.PRAUC,
		"normalized_entropy": m.NormalizedEntropy, "calibration_ratio": m.CalibrationRatio,
	} {
		if Text(v, 4) != "n/a" {
			t.Errorf("%s: %v: want n/a", name, v)
		}
	}
	text, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(text), ":null"); n != 4 {
		t.Errorf("%s: %d nulls: want 4", text, n)
	}
	var back Metrics
	if err := json.Unmarshal(text, &back); err != nil {
		t.Fatal(err)
	}
	again, _ := json.Marshal(back)
	if string(again) != string(text) || !math.IsNaN(back.AUC) {
		t.Errorf("read back %s: want %s", again, text)
	}
}

// TestJSONNames holds the names and their order, which scripts rely on.
func TestJSONNames(t *testing.T) {
	m, err := Evaluate([]uint8{0, 1}, []float64{0.5, 0.5}, nil, 0.25)
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(&m)
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"rows":2,"clicks":1,"threshold":0.25,"accuracy":0.5,"precision":0.5,"recall":1,` +
		`"f1":0.6666666666666666,"auc":0.5,"pr_auc":0.5,"log_loss":0.6931471805599453,"normalized_entropy":1,` +
		`"brier":0.25,"calibration_ratio":1,"ece":0,"confusion":{"tp":1,"fp":1,"tn":0,"fn":0},` +
		`"majority":{"accuracy":0.5,"log_loss":0.6931471805599453}}`
	if string(text) != want {
		t.Errorf("got  %s\nwant %s", text, want)
	}
}

func TestUnmarshalErrors(t *testing.T) {
	f := func(text string) {
		t.Helper()
		var m Metrics
		if err := json.Unmarshal([]byte(text), &m); err == nil {
			t.Errorf("%s: want an error", text)
		}
	}
	f(`{"auc":"high"}`)
	f(`[1]`)
	var m Metrics
	if err := json.Unmarshal([]byte(`{"rows":3}`), &m); err != nil || m.Rows != 3 || !math.IsNaN(m.AUC) {
		t.Errorf("a name that is missing: %v, %v: want NaN", m.AUC, err)
	}
}

func TestEvaluateErrors(t *testing.T) {
	nan := math.NaN()
	f := func(y []uint8, p, w []float64, threshold float64, want string) {
		t.Helper()
		_, err := Evaluate(y, p, w, threshold)
		if err == nil || err.Error() != want {
			t.Errorf("error %v: want %s", err, want)
		}
	}
	f(nil, nil, nil, 0.5, "no rows: want at least 1")
	f([]uint8{1}, nil, nil, 0.5, "0 probabilities: want 1, one a label")
	f([]uint8{1}, []float64{1}, []float64{}, 0.5, "0 weights: want 1, one a label")
	f([]uint8{1, 2}, []float64{1, 0}, nil, 0.5, "row 1: label 2: want 0 or 1")
	f([]uint8{1}, []float64{1.5}, nil, 0.5, "row 0: probability 1.5: want 0..1")
	f([]uint8{1}, []float64{nan}, nil, 0.5, "row 0: probability NaN: want 0..1")
	f([]uint8{1}, []float64{1}, []float64{-1}, 0.5, "row 0: weight -1: want 0 or more, finite")
	f([]uint8{1}, []float64{1}, []float64{math.Inf(1)}, 0.5, "row 0: weight +Inf: want 0 or more, finite")
	f([]uint8{1}, []float64{1}, []float64{0}, 0.5, "weights sum to 0: want more than 0, finite")
	big := []float64{math.MaxFloat64, math.MaxFloat64}
	f([]uint8{1, 1}, []float64{1, 1}, big, 0.5, "weights sum to NaN: want more than 0, finite")
	f([]uint8{1}, []float64{1}, nil, nan, "threshold NaN: want a number")
}

// TestNegativeZero holds that -0 and 0 are one probability.
func TestNegativeZero(t *testing.T) {
	m, err := Evaluate([]uint8{0, 1, 0}, []float64{0, math.Copysign(0, -1), 0}, nil, 0.5)
	if err != nil {
		t.Fatal(err)
	}
	near(t, "auc", m.AUC, 0.5)
}

// TestTinyWeights has weights too far apart for plain differences of sums.
func TestTinyWeights(t *testing.T) {
	m, err := Evaluate([]uint8{1, 0, 1}, []float64{0.9, 0.5, 0.1}, []float64{1e-30, 1, 1}, 0.5)
	if err != nil {
		t.Fatal(err)
	}
	near(t, "auc", m.AUC, 0)
	near(t, "pr_auc", m.PRAUC, 0.5)
}

func TestSum(t *testing.T) {
	var s sum
	for range 1000 {
		s.add(1)
		s.add(1e100)
		s.add(1)
		s.add(-1e100)
	}
	if s.value() != 2000 {
		t.Errorf("%v: want 2000", s.value())
	}
}
