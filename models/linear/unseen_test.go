package linear

import (
	"fmt"
	"math"
	"testing"

	"ctr/features"
	"ctr/features/race"
	"ctr/models"
)

// dictFields gives every field of tb a dictionary in place of bins.
func dictFields(t testing.TB, tb *features.Table) {
	t.Helper()
	for f := range tb.Spec.Fields {
		fd := &tb.Spec.Fields[f]
		var text []byte
		offsets := []uint64{0}
		for c := 1; c < len(fd.Bounds)+2; c++ {
			text = fmt.Append(text, c)
			offsets = append(offsets, uint64(len(text)))
		}
		d, err := features.NewDictionary(text, offsets)
		if err != nil {
			t.Fatal(err)
		}
		*fd = features.Field{Name: fmt.Sprint(f), Type: features.Dict, Dict: d}
	}
}

// Values without a code of their own do not move the log-odds, whatever rows
// of them training saw, with any solver and penalty.
func TestUnseenStaysZero(t *testing.T) {
	tb := impressions(3000, 4)
	dictFields(t, tb)
	rare := 0
	for _, i := range []int{0, 5, 9} {
		for r := range tb.Rows {
			if tb.Codes[i].At(r) == 0 {
				rare++
			}
		}
	}
	if rare == 0 {
		t.Fatal("no row has code 0")
	}
	for _, o := range []models.Options{
		{}, {Solver: SolverLBFGS, MaxIter: 1000}, {L1: pointer(2)}, {Standardize: true, MeanLoss: true, L2: pointer(.001)},
	} {
		if race.Enabled {
			o.MaxIter = 5
		}
		m := fit(t, tb, o)
		offsets, _ := tb.Spec.Offsets()
		for f, at := range offsets {
			if w := m.Weights()[at]; w != 0 {
				t.Errorf("%+v: field %d: code 0 weighs %v, want 0", o, f, w)
			}
		}
	}
}

// Both solvers that an option can ask for find the same weights.
func TestSolverOption(t *testing.T) {
	rows := 2000
	if race.Enabled {
		rows = 500
	}
	tb := impressions(rows, 7)
	a := fit(t, tb, models.Options{Solver: SolverNewton})
	b := fit(t, tb, models.Options{Solver: SolverLBFGS, MaxIter: 3000})
	for j, w := range a.Weights() {
		if d := math.Abs(w - b.Weights()[j]); d > 1e-4 {
			t.Fatalf("weight %d: %v and %v", j, w, b.Weights()[j])
		}
	}
	if a.Report().Passes == b.Report().Passes {
		t.Errorf("both took %d passes: want two methods", a.Report().Passes)
	}
}
