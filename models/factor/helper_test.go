package factor

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"ctr/features"
	"ctr/models"
)

// dictField is a field of so many codes with code 0, whose values mean
// nothing.
func dictField(size int) features.Field {
	var text []byte
	offsets := []uint64{0}
	for i := 1; i < size; i++ {
		text = fmt.Appendf(text, "%06d", i)
		offsets = append(offsets, uint64(len(text)))
	}
	d, err := features.NewDictionary(text, offsets)
	if err != nil {
		panic(err)
	}
	return features.Field{Type: features.Dict, Dict: d}
}

// tableOfCodes makes a table of fields, all codes drawn by draw.
func tableOfCodes(fields []features.Field, bits, rows int, draw func(f, i, size int) uint32) *features.Table {
	spec := &features.Spec{Fields: fields, Bits: bits}
	t := &features.Table{
		Spec: spec, Rows: rows, Codes: make([]features.Codes, len(fields)),
		Values: make([][]float64, len(fields)), Y: make([]uint8, rows), Hour: make([]int32, rows),
	}
	for f := range fields {
		fields[f].Name = fmt.Sprintf("f%d", f)
		t.Codes[f] = features.MakeCodes(rows, spec.Size(f))
		for i := range rows {
			t.Codes[f].Set(i, draw(f, i, spec.Size(f)))
		}
	}
	for i := range t.Hour {
		t.Hour[i] = int32(i * 50 / rows)
	}
	return t
}

// mixed makes a table with every kind of field, so many fields, where the
// click depends on the first two together; about a third of the rows click.
func mixed(fields, rows int, seed uint64) *features.Table {
	rng := rand.New(rand.NewPCG(seed, 1))
	var list []features.Field
	for f := range fields {
		switch f % 4 {
		case 0, 1:
			list = append(list, dictField(7+f*5))
		case 2:
			list = append(list, features.Field{Type: features.Hash})
		default:
			list = append(list, features.Field{Type: features.Num, Bounds: []float64{1, 2, 3, 4}, Values: true})
		}
	}
	t := tableOfCodes(list, 9, rows, func(f, _, size int) uint32 {
		c := float64(size) * math.Pow(rng.Float64(), 2)
		if f%4 < 2 && rng.IntN(20) > 0 {
			c = max(c, 1) // code 0 is rare
		}
		return uint32(c)
	})
	for i := range rows {
		x := -.7
		if fields > 1 {
			if (t.Codes[0].At(i)+t.Codes[1].At(i))%2 == 0 {
				x += 2
			} else {
				x -= 2
			}
		}
		if rng.Float64() < sigmoid(x) {
			t.Y[i] = 1
		}
	}
	return t
}

func train(t testing.TB, algo string, tb *features.Table, o models.Options) *Model {
	t.Helper()
	m, err := trainer(algo)(context.Background(), tb, o, nil)
	if err != nil {
		t.Fatal(err)
	}
	return m.(*Model)
}

// setUp begins the training of a model with settings changed by change.
func setUp(t testing.TB, algo string, tb *features.Table, o models.Options, change func(s *settings)) *fitted {
	t.Helper()
	s, err := settingsOf(algo, o)
	if err != nil {
		t.Fatal(err)
	}
	change(&s)
	tr := &training{ctx: context.Background(), algo: algo, t: tb, s: s}
	if tr.weight, err = relative(tb.W); err != nil {
		t.Fatal(err)
	}
	return tr.begin(allRows(tb.Rows))
}

// logLoss gives the mean log loss of a model on a table.
func logLoss(m *Model, tb *features.Table) float64 {
	sum := 0.0
	for i, p := range m.Probabilities(tb, nil, 2) {
		if tb.Y[i] == 0 {
			p = 1 - p
		}
		sum -= math.Log(p)
	}
	return sum / float64(tb.Rows)
}

func pointer[T any](v T) *T { return &v }
