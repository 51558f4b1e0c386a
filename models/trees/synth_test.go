package trees

import (
	"math"
	"slices"
	"strconv"
	"testing"

	"ctr/features"
)

// synthField is a column of synthetic rows: so many values with a Zipf-like
// tail of the given steepness, or a function of another column.
type synthField struct {
	values int
	tail   float64
	of     int // 1 + the column that decides this one; 0 = drawn
	effect float64
}

// synthFields have the sizes and dependences of Avazu's columns at a million
// rows.
var synthFields = []synthField{
	{24, .3, 0, .15},
	{7, 3, 0, .2},
	{7, 2, 0, .25},
	{4000, 1.1, 0, .6},
	{3000, 0, 4, .3},
	{25, 0, 4, .2},
	{6000, 1.2, 0, .4},
	{400, 0, 7, .2},
	{30, 0, 7, .2},
	{200000, 1.5, 0, .3},
	{400000, .6, 0, .5},
	{7000, .9, 0, .3},
	{5, 3, 0, .1},
	{4, 2.5, 0, .1},
	{2500, .9, 0, .5},
	{8, 0, 15, .1},
	{9, 0, 15, .1},
	{430, 0, 15, .3},
	{4, 1, 0, .2},
	{68, 1.1, 0, .2},
	{170, 1.2, 0, .2},
	{60, 1, 0, .2},
	{2, 1, 0, 0},
	{300, .8, 0, 0},
}

// synthPairs are the columns that act together.
var synthPairs = [][2]int{{3, 14}, {6, 14}, {2, 11}, {0, 3}, {17, 6}, {19, 13}}

// noise is a normal number that depends on its arguments alone.
func noise(a, b, c uint64) float64 {
	r := rng(features.Mix64(features.Mix64(a)+b) + c*0x9e3779b97f4a7c15)
	u, v := (float64(r.next()>>11)+.5)/(1<<53), float64(r.next()>>11)/(1<<53)
	return math.Sqrt(-2*math.Log(u)) * math.Cos(2*math.Pi*v)
}

// synthetic gives n rows, their codes by falling frequency, and each row's true
// probability.
func synthetic(t testing.TB, n int, seed uint64) (*features.Table, []float64) {
	tab := &features.Table{Spec: &features.Spec{}, Rows: n, Y: make([]uint8, n), Values: make([][]float64, len(synthFields))}
	raw := make([][]uint32, len(synthFields))
	logit := make([]float64, n)
	for f, sf := range synthFields {
		raw[f] = synthColumn(n, seed, f, sf, raw)
		size := uint32(sf.values)
		effects := make([]float64, size)
		for v := range effects {
			effects[v] = sf.effect * noise(7, uint64(f), uint64(v))
		}
		for i, v := range raw[f] {
			logit[i] += effects[v]
		}
	}
	for k, p := range synthPairs {
		for i := range logit {
			logit[i] += .3 * noise(uint64(100+k), uint64(raw[p[0]][i]), uint64(raw[p[1]][i]))
		}
	}
	truth := make([]float64, n)
	r := rng(features.Mix64(seed + 99))
	for i, z := range logit {
		truth[i] = 1 / (1 + math.Exp(2.1-z))
		if float64(r.next()>>11)/(1<<53) < truth[i] {
			tab.Y[i] = 1
		}
	}
	for f := range raw {
		codes, d := byFrequency(t, raw[f], synthFields[f].values)
		tab.Codes = append(tab.Codes, codes)
		tab.Spec.Fields = append(tab.Spec.Fields, features.Field{Type: features.Dict, Dict: d})
	}
	return tab, truth
}

func synthColumn(n int, seed uint64, f int, sf synthField, raw [][]uint32) []uint32 {
	out := make([]uint32, n)
	if sf.of > 0 {
		for i, v := range raw[sf.of-1] {
			out[i] = uint32(features.Mix64(uint64(v)<<8+uint64(f)) % uint64(sf.values))
		}
		return out
	}
	r := rng(features.Mix64(seed<<8 + uint64(f)))
	for i := range out {
		// The inverse of a power law: steep tails fall on few values.
		u := (float64(r.next()>>11) + .5) / (1 << 53)
		out[i] = uint32(float64(sf.values) * math.Pow(u, 1+2*sf.tail))
	}
	return out
}

// byFrequency gives codes from 1, the most frequent value first.
func byFrequency(t testing.TB, values []uint32, size int) (features.Codes, *features.Dictionary) {
	n := make([]int, size)
	for _, v := range values {
		n[v]++
	}
	order := make([]uint32, size)
	for v := range order {
		order[v] = uint32(v)
	}
	slices.SortStableFunc(order, func(a, b uint32) int { return n[b] - n[a] })
	code := make([]uint32, size)
	var bytes []byte
	offsets := []uint64{0}
	for k, v := range order {
		if n[v] == 0 {
			break
		}
		code[v] = uint32(k + 1)
		bytes = strconv.AppendUint(bytes, uint64(v), 10)
		offsets = append(offsets, uint64(len(bytes)))
	}
	d, err := features.NewDictionary(bytes, offsets)
	if err != nil {
		t.Fatal(err)
	}
	c := features.MakeCodes(len(values), d.Len()+1)
	for i, v := range values {
		c.Set(i, code[v])
	}
	return c, d
}

// head gives the first n rows of t, and the others.
func head(t *features.Table, n int) (a, b *features.Table) {
	cut := func(lo, hi int) *features.Table {
		out := &features.Table{Spec: t.Spec, Rows: hi - lo, Y: t.Y[lo:hi], Values: make([][]float64, len(t.Values))}
		for f := range t.Codes {
			c := features.Codes{}
			switch s := &t.Codes[f]; {
			case s.U8 != nil:
				c.U8 = s.U8[lo:hi]
			case s.U16 != nil:
				c.U16 = s.U16[lo:hi]
			default:
				c.U32 = s.U32[lo:hi]
			}
			out.Codes = append(out.Codes, c)
			if t.Values[f] != nil {
				out.Values[f] = t.Values[f][lo:hi]
			}
		}
		return out
	}
	return cut(0, n), cut(n, t.Rows)
}
