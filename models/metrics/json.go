package metrics

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
)

// wire is Metrics as JSON has it: the names and their order are a contract.
type wire struct {
	Rows              int       `json:"rows"`
	Clicks            int       `json:"clicks"`
	Threshold         number    `json:"threshold"`
	Accuracy          number    `json:"accuracy"`
	Precision         number    `json:"precision"`
	Recall            number    `json:"recall"`
	F1                number    `json:"f1"`
	AUC               number    `json:"auc"`
	PRAUC             number    `json:"pr_auc"`
	LogLoss           number    `json:"log_loss"`
	NormalizedEntropy number    `json:"normalized_entropy"`
	Brier             number    `json:"brier"`
	CalibrationRatio  number    `json:"calibration_ratio"`
	ECE               number    `json:"ece"`
	Confusion         Confusion `json:"confusion"`
	Majority          Majority  `json:"majority"`
}

// number is a float64 that JSON has as null where it is not finite.
type number float64

func (n number) MarshalJSON() ([]byte, error) {
	if f := float64(n); math.IsNaN(f) || math.IsInf(f, 0) {
		return []byte("null"), nil
	}
	return json.Marshal(float64(n))
}

func (n *number) UnmarshalJSON(text []byte) error {
	if string(text) == "null" {
		*n = number(math.NaN())
		return nil
	}
	return json.Unmarshal(text, (*float64)(n))
}

// MarshalJSON gives one object; what is undefined is null. Numbers are in the
// shortest form that reads back to the same float64.
func (m Metrics) MarshalJSON() ([]byte, error) {
	return json.Marshal(wire{
		m.Rows, m.Clicks, number(m.Threshold),
		number(m.Accuracy), number(m.Precision), number(m.Recall), number(m.F1),
		number(m.AUC), number(m.PRAUC), number(m.LogLoss), number(m.NormalizedEntropy),
		number(m.Brier), number(m.CalibrationRatio), number(m.ECE),
		m.Confusion, m.Majority,
	})
}

// UnmarshalJSON reads what MarshalJSON gave; null and names that are missing
// become NaN, and unknown names are passed over.
func (m *Metrics) UnmarshalJSON(text []byte) error {
	nan := number(math.NaN())
	v := wire{
		Threshold: nan, Accuracy: nan, Precision: nan, Recall: nan, F1: nan, AUC: nan, PRAUC: nan,
		LogLoss: nan, NormalizedEntropy: nan, Brier: nan, CalibrationRatio: nan, ECE: nan,
	}
	if err := json.Unmarshal(text, &v); err != nil {
		return fmt.Errorf("metrics: %w", err)
	}
	*m = Metrics{
		v.Rows, v.Clicks, float64(v.Threshold),
		float64(v.Accuracy), float64(v.Precision), float64(v.Recall), float64(v.F1),
		float64(v.AUC), float64(v.PRAUC), float64(v.LogLoss), float64(v.NormalizedEntropy),
		float64(v.Brier), float64(v.CalibrationRatio), float64(v.ECE),
		v.Confusion, v.Majority,
	}
	return nil
}

// Text gives v with so many digits after the point, or "n/a" where it is
// undefined.
func Text(v float64, digits int) string {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return "n/a"
	}
	return strconv.FormatFloat(v, 'f', digits, 64)
}
