package metrics

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
)

// rows are one case of testdata/reference.csv.
type rows struct {
	y         []uint8
	p, w      []float64
	threshold float64
}

// readReference reads what scripts/crosscheck/metrics_reference.py wrote.
func readReference(t *testing.T) (map[string]*rows, map[string]json.RawMessage) {
	t.Helper()
	f, err := os.Open("testdata/reference.csv")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	records, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	number := func(s string) float64 {
		v, err := strconv.ParseFloat(s, 64)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	cases := map[string]*rows{}
	for _, r := range records[1:] {
		c := cases[r[0]]
		if c == nil {
			c = &rows{threshold: number(r[4])}
			cases[r[0]] = c
		}
		c.y = append(c.y, uint8(number(r[1])))
		c.p = append(c.p, number(r[2]))
		c.w = append(c.w, number(r[3]))
	}
	text, err := os.ReadFile("testdata/reference.json")
	if err != nil {
		t.Fatal(err)
	}
	var want map[string]json.RawMessage
	if err := json.Unmarshal(text, &want); err != nil {
		t.Fatal(err)
	}
	return cases, want
}

// sameJSON compares the JSON of m with want, number by number, to 1e-9.
func sameJSON(t *testing.T, m Metrics, want []byte) {
	t.Helper()
	text, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	var a, b any
	if err := json.Unmarshal(text, &a); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(want, &b); err != nil {
		t.Fatal(err)
	}
	sameValue(t, "metrics", a, b)
}

func sameValue(t *testing.T, name string, got, want any) {
	t.Helper()
	switch w := want.(type) {
	case map[string]any:
		g, ok := got.(map[string]any)
		if !ok || len(g) != len(w) {
			t.Errorf("%s: %v: want the names of %v", name, got, w)
			return
		}
		for k := range w {
			sameValue(t, name+"."+k, g[k], w[k])
		}
	case float64:
		g, ok := got.(float64)
		if !ok || !(math.Abs(g-w) <= 1e-9*max(1, math.Abs(w))) {
			t.Errorf("%s: %v: want %v", name, got, want)
		}
	default:
		if got != want {
			t.Errorf("%s: %v: want %v", name, got, want)
		}
	}
}

func TestReference(t *testing.T) {
	cases, want := readReference(t)
	if len(cases) != len(want) || len(cases) < 10 {
		t.Fatalf("%d cases, %d results", len(cases), len(want))
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			m, err := Evaluate(c.y, c.p, c.w, c.threshold)
			if err != nil {
				t.Fatal(err)
			}
			sameJSON(t, m, want[name])
		})
	}
}

// TestScikitLearnMillion compares a million rows with scikit-learn itself. It
// needs CTR_PYTHON, a Python that has scikit-learn 1.7.
func TestScikitLearnMillion(t *testing.T) {
	python := os.Getenv("CTR_PYTHON")
	if python == "" {
		t.Skip("CTR_PYTHON is not set: want a python that has scikit-learn 1.7")
	}
	const n = 1_000_000
	c := synthetic(n, true)
	var b bytes.Buffer
	b.WriteString("y,p,w,threshold\n")
	for i := range c.y {
		fmt.Fprintf(&b, "%d,%v,%v,%v\n", c.y[i], c.p[i], c.w[i], c.threshold)
	}
	path := filepath.Join(t.TempDir(), "rows.csv")
	if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(python, "../../scripts/crosscheck/metrics_reference.py", "evaluate", path)
	cmd.Stderr = os.Stderr
	want, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	m, err := Evaluate(c.y, c.p, c.w, c.threshold)
	if err != nil {
		t.Fatal(err)
	}
	sameJSON(t, m, want)
}

// synthetic gives n rows that click as their probabilities say. These are
// rounded to about a thousand values: the plain calibration error of the
// reference script looks at all rows for each of them.
func synthetic(n int, weighted bool) rows {
	rng := rand.New(rand.NewPCG(1, 2))
	c := rows{y: make([]uint8, n), p: make([]float64, n), threshold: 0.22}
	if weighted {
		c.w = make([]float64, n)
	}
	for i := range c.y {
		p := 1 / (1 + math.Exp(1.8+0.9*rng.NormFloat64()))
		c.p[i] = math.Round(p*1000) / 1000
		if rng.Float64() < p {
			c.y[i] = 1
		}
		if weighted {
			c.w[i] = rng.ExpFloat64()
		}
	}
	return c
}
