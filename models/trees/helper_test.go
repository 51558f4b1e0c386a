package trees

import (
	"encoding/csv"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"ctr/features"
)

// shared gives the path of a file of real data, and skips the test without it.
func shared(t testing.TB, name string) string {
	dir := os.Getenv("CTR_SHARED")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "shared")
	}
	path := filepath.Join(dir, "data", name)
	if _, err := os.Stat(path); err != nil {
		t.Skipf("real data: %v: set CTR_SHARED", err)
	}
	return path
}

// rawRows are the columns of Avazu rows but id and click, hour as the hour of
// the day; y the clicks, hour the whole hour.
type rawRows struct {
	names []string
	rows  [][]string
	y     []uint8
	hour  []string
}

func readAvazu(t testing.TB) *rawRows {
	f, err := os.Open(shared(t, "avazu-34h.csv"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	all, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	r := &rawRows{names: all[0][2:]}
	for _, row := range all[1:] {
		r.y = append(r.y, row[1][0]-'0')
		r.hour = append(r.hour, row[2])
		row[2] = row[2][6:]
		r.rows = append(r.rows, row[2:])
	}
	return r
}

// split gives the rows before an hour, and those from it on.
func (r *rawRows) split(hour string) (before, from *rawRows) {
	before, from = &rawRows{names: r.names}, &rawRows{names: r.names}
	for i, h := range r.hour {
		to := before
		if h >= hour {
			to = from
		}
		to.rows = append(to.rows, r.rows[i])
		to.y = append(to.y, r.y[i])
		to.hour = append(to.hour, h)
	}
	return before, from
}

// spec learns dictionaries of the values that come at least minCount times.
func (r *rawRows) spec(t testing.TB, minCount int) *features.Spec {
	s := &features.Spec{}
	for f, name := range r.names {
		counts := map[string]int{}
		for _, row := range r.rows {
			counts[row[f]]++
		}
		var values []string
		for v, n := range counts {
			if n >= minCount {
				values = append(values, v)
			}
		}
		slices.SortFunc(values, func(a, b string) int {
			if d := counts[b] - counts[a]; d != 0 {
				return d
			}
			return strings.Compare(a, b)
		})
		var bytes []byte
		offsets := []uint64{0}
		for _, v := range values {
			bytes = append(bytes, v...)
			offsets = append(offsets, uint64(len(bytes)))
		}
		d, err := features.NewDictionary(bytes, offsets)
		if err != nil {
			t.Fatal(err)
		}
		s.Fields = append(s.Fields, features.Field{Name: name, From: []string{name}, Type: features.Dict, Dict: d})
	}
	return s
}

// table encodes the rows with s.
func (r *rawRows) table(s *features.Spec) *features.Table {
	t := &features.Table{Spec: s, Rows: len(r.rows), Y: r.y, Values: make([][]float64, len(s.Fields))}
	for f := range s.Fields {
		c := features.MakeCodes(t.Rows, s.Size(f))
		for i, row := range r.rows {
			c.Set(i, s.Fields[f].Dict.Code([]byte(row[f])))
		}
		t.Codes = append(t.Codes, c)
	}
	return t
}

// logLoss gives the mean log loss of m on t.
func logLoss(m *Model, t *features.Table) float64 {
	ex := &features.Example{Codes: make([]uint32, len(t.Codes)), Values: make([]float64, len(t.Codes))}
	sum := 0.
	for i := range t.Rows {
		t.Example(i, ex)
		p := min(max(m.Probability(ex), 1e-15), 1-1e-15)
		if t.Y[i] == 0 {
			p = 1 - p
		}
		sum -= math.Log(p)
	}
	return sum / float64(t.Rows)
}
