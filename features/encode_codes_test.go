package features

import (
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// hashes is Murmur3 of every value, whatever its length and whatever follows.
func TestHashesIsMurmur3(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	o := op{col: 1, seed: 77, mask: 1<<20 - 1, offset: 5}
	var b Block
	b.Reset(Layout{"x", "v"}, "rows")
	var rows []int32
	for i := range int32(3000) {
		v := make([]byte, rng.IntN(20)*rng.IntN(2)+rng.IntN(9))
		for j := range v {
			v[j] = "0123456789abcdef"[rng.IntN(16)]
		}
		b.AppendCSV(append([]byte("y,"), v...), ',')
		rows = append(rows, i)
	}
	got := make([]uint32, 3*len(rows))
	o.hashes(&b, rows, o.offset, got[1:], 3)
	for i := range rows {
		r := b.Row(i)
		if want := 5 + Murmur3(r.Field(1), 77)&o.mask; got[3*i+1] != want || got[3*i] != 0 {
			t.Fatalf("hash of %q: %d, want %d", r.Field(1), got[3*i+1], want)
		}
	}
}

// EncodeCodes gives the codes of Encode with the offsets of Spec.Offsets.
func TestEncodeCodesIsEncode(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		whole := blocks(t, rowsText(rt, rapid.IntRange(1, 200).Draw(rt, "rows")), testSchema)
		layout := testLayout()
		fitted := collect(t, drawPlan(rt, layout), layout, whole, 1, CollectOptions{}, FitOptions{Split: "none"})
		offsets, _ := fitted.Spec.Offsets()
		enc, err := fitted.Spec.Encoder(layout)
		if err != nil {
			rt.Fatal(err)
		}
		ex := fitted.Spec.NewExample()
		for _, b := range whole {
			var rows []int32
			var want []uint32
			for i := range b.Len() {
				if i%5 == 3 {
					continue
				}
				rows = append(rows, int32(i))
				r := b.Row(i)
				if err := enc.Encode(&r, ex); err != nil {
					rt.Fatal(err)
				}
				for f, c := range ex.Codes {
					want = append(want, uint32(offsets[f])+c)
				}
			}
			got := make([]uint32, len(want))
			if n, err := enc.EncodeCodes(b, rows, got, fitted.Spec.NewExample()); err != nil || n != len(rows) {
				rt.Fatalf("EncodeCodes: %d rows, %v, want %d", n, err, len(rows))
			}
			if !slices.Equal(got, want) {
				rt.Errorf("codes differ from Encode's")
			}
		}
	})
}

// A bad row ends EncodeCodes with the codes of those before it.
func TestEncodeCodesBadRow(t *testing.T) {
	text := "a,t,n,y,b,c,w\nx,14102100,1,0,x,1,1\nx,14102100,one,0,x,1,1\nx,14102100,2,0,x,1,1\n"
	layout := testLayout()
	plan, err := NewPlan(testSchema, layout, PlanOptions{Bits: 4})
	if err != nil {
		t.Fatal(err)
	}
	good := blocks(t, "a,t,n,y,b,c,w\nx,14102100,1,0,x,1,1\n", testSchema)
	fitted := collect(t, plan, layout, good, 1, CollectOptions{}, FitOptions{Split: "none"})
	enc, err := fitted.Spec.Encoder(layout)
	if err != nil {
		t.Fatal(err)
	}
	n, err := enc.EncodeCodes(blocks(t, text, testSchema)[0], []int32{0, 1, 2}, make([]uint32, 3*len(fitted.Spec.Fields)), fitted.Spec.NewExample())
	if n != 1 || err == nil {
		t.Errorf("EncodeCodes: %d rows, %v, want 1 and the error of the second", n, err)
	}
}
