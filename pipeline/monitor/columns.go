package monitor

import (
	"fmt"
	"math"
	"slices"

	"ctr/features"
	"ctr/models"
)

const (
	// driftRows is how many rows must have been looked at before anything is said
	// of a column: with fewer, chance alone gives a PSI of 0.04 over 20 bins.
	driftRows = 500
	// psiLimit is what the index is commonly held to show drift above (Siddiqi
	// 2006, "Credit Risk Scorecards").
	psiLimit = 0.2
	// leastShare stands for a bin that is empty on one side.
	leastShare = 1e-4
)

// fields is what a model's columns are counted by. It does not change.
type fields struct {
	spec  *features.Spec
	bins  []features.Binning
	at    []int // where each field's counts begin
	total int
	// want are the shares that are expected by bin, as counts are laid out; nil
	// where the model file has no Reference.
	want []float64
	// unseenWas is the share of unseen values, by field, that is expected of rows
	// that training had not seen.
	unseenWas []float64
	ref       *features.Reference
}

func newFields(a *models.Artifact) *fields {
	f := &fields{spec: a.Spec, ref: a.Reference}
	for i := range a.Spec.Fields {
		b := a.Spec.Binning(i)
		f.bins = append(f.bins, b)
		f.at = append(f.at, f.total)
		f.total += b.Bins()
	}
	if f.ref == nil || f.ref.Rows == 0 {
		f.ref = nil
		return f
	}
	f.want, f.unseenWas = make([]float64, f.total), make([]float64, len(f.bins))
	for i, counts := range f.ref.Counts {
		for b, n := range counts {
			f.want[f.at[i]+b] = float64(n) / float64(f.ref.Rows)
		}
		f.unseenWas[i] = f.want[f.at[i]]
		if f.ref.Held > 0 {
			f.unseenWas[i] = float64(f.ref.Unseen[i]) / float64(f.ref.Held)
		}
	}
	return f
}

func (f *fields) kind(i int) features.FieldType { return f.spec.Fields[i].Type }

// of gives the part of counts, or shares, that is field i's.
func (f *fields) of(all []float64, i int) []float64 { return all[f.at[i] : f.at[i]+f.bins[i].Bins()] }

// spread gives the shares that are compared. Values that training did not see
// stand with its rarest ones: which of the two a rare value is among is chance,
// and most of the training rows' rare values never come again. How many are
// unseen is judged by itself.
func (f *fields) spread(all []float64, i int) []float64 {
	part := f.of(all, i)
	if f.kind(i) != features.Dict || len(part) < 2 {
		return part
	}
	part = slices.Clone(part)
	part[len(part)-1] += part[0]
	return part[1:]
}

// count counts an encoded row.
func (f *fields) count(counts []uint32, ex *features.Example) {
	for i, b := range f.bins {
		counts[f.at[i]+b.Bin(ex.Codes[i])]++
	}
}

// unseen reports whether the value of field i is one that training did not see.
func (f *fields) unseen(i int, ex *features.Example) bool {
	return f.kind(i) == features.Dict && ex.Codes[i] == 0
}

// columns compares counts of so many rows with the training rows.
func (f *fields) columns(counts []int64, rows int64) []Column {
	out := make([]Column, 0, len(f.bins))
	got := make([]float64, f.total)
	for i, n := range counts {
		got[i] = float64(n) / float64(max(rows, 1))
	}
	for i := range f.bins {
		fd := &f.spec.Fields[i]
		c := Column{Name: fd.Name, Kind: string(fd.Type)}
		first := func(all []float64) *float64 {
			if all == nil {
				return nil
			}
			return &f.of(all, i)[0]
		}
		if rows > 0 {
			switch fd.Type {
			case features.Dict:
				c.Unseen = first(got)
				if f.want != nil {
					c.TrainUnseen = &f.unseenWas[i]
				}
			case features.Num:
				c.Missing, c.TrainMissing = first(got), first(f.want)
			}
		}
		f.judge(&c, i, got, rows)
		out = append(out, c)
	}
	return out
}

// judge fills in the index of a column and its alarm.
func (f *fields) judge(c *Column, i int, got []float64, rows int64) {
	switch {
	case f.want == nil:
		c.Note = "the model file does not tell how the training rows were spread"
		return
	case rows < driftRows:
		c.Note = fmt.Sprintf("%d rows looked at: want %d", rows, driftRows)
		return
	}
	c.PSI = known(psi(f.spread(got, i), f.spread(f.want, i)))
	switch {
	case f.ofTime(i):
		c.Note = "of the time, which is always another: no alarm"
	case *c.PSI > psiLimit:
		c.Alarm = "psi"
	case c.Unseen != nil && *c.Unseen > shareLimit(*c.TrainUnseen):
		c.Alarm = "unseen"
	case c.Missing != nil && *c.Missing > shareLimit(*c.TrainMissing):
		c.Alarm = "missing"
	}
}

// shareLimit is what a share of unseen or missing values may be: twice what it
// was, and 0.05.
func shareLimit(was float64) float64 { return 2*was + 0.05 }

// ofTime reports whether a field reads the row's time: what a quarter of an hour
// has of it is never what the training rows had.
func (f *fields) ofTime(i int) bool {
	fd := &f.spec.Fields[i]
	if fd.Past != features.NoPast {
		return false // a key may have a part of the time in it; its counts have not
	}
	if fd.Part != features.Whole {
		return true
	}
	return slices.ContainsFunc(fd.From, f.spec.Schema.OfTime)
}

// psi gives the population stability index, Σ (got - want) · ln(got / want)
// (Siddiqi 2006), over bins; an empty bin counts as a share of 1e-4.
func psi(got, want []float64) float64 {
	sum := 0.0
	for i := range got {
		if got[i] == 0 && want[i] == 0 {
			continue
		}
		a, b := max(got[i], leastShare), max(want[i], leastShare)
		sum += (a - b) * math.Log(a/b)
	}
	return sum
}
