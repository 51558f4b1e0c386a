package features

import (
	"math/rand/v2"
	"reflect"
	"testing"
)

// referenceSpec has a field of each type, of more codes than there are bins.
func referenceSpec(t *testing.T) *Spec {
	t.Helper()
	var text []byte
	offsets := []uint64{0}
	for i := range 40 {
		text = append(text, byte('a'+i/10), byte('0'+i%10))
		offsets = append(offsets, uint64(len(text)))
	}
	d, err := NewDictionary(text, offsets)
	if err != nil {
		t.Fatal(err)
	}
	bounds := make([]float64, 60)
	for i := range bounds {
		bounds[i] = float64(i)
	}
	return &Spec{Bits: 10, Fields: []Field{
		{Name: "d", From: []string{"d"}, Type: Dict, Dict: d},
		{Name: "h", From: []string{"h"}, Type: Hash, Seed: 7},
		{Name: "n", From: []string{"n"}, Type: Num, Bounds: bounds, Scale: 1},
		{Name: "few", From: []string{"few"}, Type: Num, Bounds: []float64{1}, Scale: 1},
	}}
}

// Every code has a bin, bins follow codes, and all are used.
func TestBinningIsMonotone(t *testing.T) {
	s := referenceSpec(t)
	for f := range s.Fields {
		b, last := s.Binning(f), -1
		for code := range s.Size(f) {
			at := b.Bin(uint32(code))
			if at != last && at != last+1 {
				t.Fatalf("field %s: code %d is in bin %d after bin %d", s.Fields[f].Name, code, at, last)
			}
			last = at
		}
		if last != b.Bins()-1 || b.Bins() > referenceBins {
			t.Errorf("field %s: last bin %d of %d: want all of at most %d", s.Fields[f].Name, last, b.Bins(), referenceBins)
		}
	}
	if b := s.Binning(2); b.Bin(0) != 0 || b.Bin(1) != 1 {
		t.Errorf("missing and the least number: bins %d and %d: want 0 and 1", b.Bin(0), b.Bin(1))
	}
}

func referenceTable(s *Spec, rows int, r *rand.Rand) *Table {
	t := &Table{Spec: s, Rows: rows, Codes: make([]Codes, len(s.Fields)), Values: make([][]float64, len(s.Fields)), Y: make([]uint8, rows)}
	for f := range s.Fields {
		t.Codes[f] = MakeCodes(rows, s.Size(f))
		for i := range rows {
			t.Codes[f].Set(i, uint32(r.IntN(s.Size(f))))
		}
	}
	return t
}

// A table, its rows in two halves counted on their own, and any number of
// threads give the same.
func TestReferenceOfTable(t *testing.T) {
	s, r := referenceSpec(t), rand.New(rand.NewPCG(1, 2))
	train, held := referenceTable(s, 5000, r), referenceTable(s, 700, r)
	want := ReferenceOf(train, held, 1)
	if err := s.CheckReference(want); err != nil {
		t.Fatal(err)
	}
	if got := ReferenceOf(train, held, 5); !reflect.DeepEqual(got, want) {
		t.Errorf("on five threads %v: want %v", got, want)
	}
	plain := make([]int64, s.Binning(0).Bins())
	unseen := int64(0)
	for i := range train.Rows {
		plain[min(train.Codes[0].At(i), 19)]++
	}
	for i := range held.Rows {
		if held.Codes[0].At(i) == 0 {
			unseen++
		}
	}
	if !reflect.DeepEqual(want.Counts[0], plain) || want.Unseen[0] != unseen || want.Unseen[1] != 0 {
		t.Errorf("counts %v, unseen %v: want %v, %d", want.Counts[0], want.Unseen, plain, unseen)
	}

	offsets, _ := s.Offsets()
	var halves [2]*ReferenceCounter
	for h := range halves {
		halves[h] = s.NewReferenceCounter()
	}
	for i := range train.Rows {
		row := make([]uint32, len(s.Fields))
		for f := range row {
			row[f] = uint32(offsets[f]) + train.Codes[f].At(i)
		}
		halves[i%2].Add(row)
	}
	got := halves[0].Reference().Add(halves[1].Reference())
	if !reflect.DeepEqual(got, ReferenceOf(train, nil, 2)) {
		t.Errorf("counted row by row %v: want %v", got, ReferenceOf(train, nil, 2))
	}
	if want.Add(nil) != nil || (*Reference)(nil).Add(want) != nil {
		t.Error("a sum with what is not known: want nil")
	}
}

func TestCheckReferenceRefuses(t *testing.T) {
	s := referenceSpec(t)
	f := func(name string, spoil func(*Reference)) {
		t.Helper()
		r := ReferenceOf(referenceTable(s, 50, rand.New(rand.NewPCG(1, 2))), referenceTable(s, 5, rand.New(rand.NewPCG(1, 2))), 1)
		spoil(r)
		if s.CheckReference(r) == nil {
			t.Errorf("%s: no error", name)
		}
	}
	f("a field too few", func(r *Reference) { r.Counts = r.Counts[1:] })
	f("a bin too many", func(r *Reference) { r.Counts[1] = append(r.Counts[1], 0) })
	f("rows too many", func(r *Reference) { r.Rows++ })
	f("less than none", func(r *Reference) { r.Counts[0][0] -= 100; r.Counts[0][1] += 100 })
	f("more than all", func(r *Reference) { r.Counts[0][0] = 1 << 62; r.Counts[0][1] = 1 << 62 })
	f("unseen more than held out", func(r *Reference) { r.Unseen[0] = 6 })
	f("unseen of no rows", func(r *Reference) { r.Held = 0 })
	f("unseen of few fields", func(r *Reference) { r.Unseen = r.Unseen[:1] })
}
