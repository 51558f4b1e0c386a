package factor

import (
	"bytes"
	"testing"

	"ctr/models"
)

// TestGoAlone: without assembly the model is the same, to the last bit.
func TestGoAlone(t *testing.T) {
	if !fast {
		t.Skip("no AVX here")
	}
	defer func() { fast = true }()
	for _, algo := range algos {
		tb := mixed(7, 600, 2)
		fast = true
		m := train(t, algo, tb, models.Options{Factors: 6})
		p := m.Probabilities(tb, nil, 2)
		fast = false
		if !bytes.Equal(encoded(t, m), encoded(t, train(t, algo, tb, models.Options{Factors: 6}))) {
			t.Errorf("%s: another model in Go than in assembly", algo)
		}
		for i, q := range m.Probabilities(tb, nil, 2) {
			if q != p[i] {
				t.Fatalf("%s: row %d: %v in Go: want %v", algo, i, q, p[i])
			}
		}
	}
}
