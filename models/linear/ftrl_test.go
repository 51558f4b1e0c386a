package linear

import (
	"context"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"ctr/features"
	"ctr/models"
)

// hashed gives rows of n hashed fields of 2^bits codes.
func hashed(rows, n, bits int, seed uint64) *features.Table {
	rng := rand.New(rand.NewPCG(seed, 5))
	t := &features.Table{Spec: &features.Spec{Bits: bits}, Rows: rows, Values: make([][]float64, n)}
	truth := make([]float64, 1<<bits)
	for i := range truth {
		truth[i] = rng.NormFloat64() / 2
	}
	for range n {
		t.Spec.Fields = append(t.Spec.Fields, features.Field{Type: features.Hash, Seed: rng.Uint32()})
		c := features.MakeCodes(rows, 1<<bits)
		for i := range rows {
			c.Set(i, uint32(float64(int(1)<<bits)*math.Pow(rng.Float64(), 3)))
		}
		t.Codes = append(t.Codes, c)
	}
	t.Y = make([]uint8, rows)
	for i := range rows {
		m := -1.0
		for f := range t.Codes {
			m += truth[t.Codes[f].At(i)]
		}
		if rng.Float64() < Sigmoid(m) {
			t.Y[i] = 1
		}
	}
	return t
}

// algorithm1 is FTRL-Proximal as McMahan et al. 2013 write it, in float64, one
// coordinate after another. It gives the weights, the intercept and what each
// row was given before it was learned from.
func algorithm1(t *features.Table, o OnlineOptions) (w []float64, bias float64, p []float64) {
	_, total := t.Spec.Offsets()
	z, n, seen := make([]float64, total+1), make([]float64, total+1), make([]int, total)
	weight := func(i int) float64 {
		l1, l2 := o.L1, o.L2
		if i == total {
			l1, l2 = 0, 0
		} else if o.Admit > 1 && seen[i] < o.Admit {
			return 0
		}
		if math.Abs(z[i]) <= l1 {
			return 0
		}
		return -(z[i] - math.Copysign(l1, z[i])) / ((o.Beta+math.Sqrt(n[i]))/o.Alpha + l2)
	}
	for r := range t.Rows {
		at := []int{total}
		for f := range t.Codes {
			at = append(at, int(t.Codes[f].At(r)))
		}
		m := 0.0
		ws := make([]float64, len(at))
		for j, i := range at {
			ws[j] = weight(i)
			m += ws[j]
		}
		p = append(p, Sigmoid(m))
		g := p[r] - float64(t.Y[r])
		if t.W != nil {
			g *= t.W[r]
		}
		for j, i := range at {
			if i < total {
				if seen[i]++; seen[i] < o.Admit {
					continue
				}
			}
			// A slot that two fields of a row hit moves twice: from where it is,
			// or with L1 from the weight that the row was predicted with.
			at := ws[j]
			if o.L1 == 0 {
				at = weight(i)
			}
			sigma := (math.Sqrt(n[i]+g*g) - math.Sqrt(n[i])) / o.Alpha
			z[i] += g - sigma*at
			n[i] += g * g
		}
	}
	for i := range total {
		w = append(w, weight(i))
	}
	return w, weight(total), p
}

// learnAll learns from a table in batches of n rows and gives the predictions.
func learnAll(l *FTRL, t *features.Table, n int) (p []float32) {
	b := newTableBatch(t)
	for lo := 0; lo < t.Rows; lo += n {
		b.fill(t, lo, min(lo+n, t.Rows))
		l.Learn(&b.Batch)
		p = append(p, b.P...)
	}
	return p
}

func TestFTRLIsAlgorithm1(t *testing.T) {
	f := func(name string, o OnlineOptions, rows, fields, bits int, weighted bool) {
		t.Helper()
		tb := hashed(rows, fields, bits, 11)
		if weighted {
			rng := rand.New(rand.NewPCG(3, 3))
			for range rows {
				tb.W = append(tb.W, float64(rng.IntN(8)+1)/4)
			}
		}
		l, err := NewFTRL(tb.Spec, models.Options{Alpha: &o.Alpha, Beta: &o.Beta, L1: &o.L1, L2: &o.L2, Admit: o.Admit})
		if err != nil {
			t.Fatal(err)
		}
		got := learnAll(l, tb, 97)
		m, err := l.Model(1, Report{})
		if err != nil {
			t.Fatal(err)
		}
		w, bias, p := algorithm1(tb, o)
		for i := range p {
			if math.Abs(float64(got[i])-p[i]) > 2e-5 {
				t.Fatalf("%s: row %d: probability %v, want %v", name, i, got[i], p[i])
			}
		}
		zeros := 0
		for i, v := range m.Weights() {
			if math.Abs(v-w[i]) > 1e-4 {
				t.Fatalf("%s: weight %d: %v, want %v", name, i, v, w[i])
			}
			if v == 0 {
				zeros++
			}
		}
		if math.Abs(m.Bias()-bias) > 1e-4 {
			t.Errorf("%s: bias %v, want %v", name, m.Bias(), bias)
		}
		if (o.L1 > 0 || o.Admit > 1) && zeros < len(w)/4 {
			t.Errorf("%s: %d of %d weights are 0: want a quarter or more", name, zeros, len(w))
		}
	}
	f("plain", OnlineOptions{Alpha: 0.1, Beta: 1}, 3000, 5, 8, false)
	f("even fields", OnlineOptions{Alpha: 0.3, Beta: 0.5, L2: 2}, 3000, 4, 6, false)
	f("one field", OnlineOptions{Alpha: 0.05, Beta: 1, L2: 1}, 500, 1, 4, false)
	f("many fields", OnlineOptions{Alpha: 0.05, Beta: 1, L2: 1}, 300, 70, 8, false)
	f("sparse", OnlineOptions{Alpha: 0.1, Beta: 1, L1: 4, L2: 1}, 3000, 5, 9, false)
	f("admitted", OnlineOptions{Alpha: 0.1, Beta: 1, L2: 1, Admit: 6}, 3000, 3, 11, false)
	f("weighted", OnlineOptions{Alpha: 0.1, Beta: 1, L2: 1}, 2000, 5, 8, true)
	f("admitted, sparse, weighted", OnlineOptions{Alpha: 0.1, Beta: 1, L1: 1, Admit: 3}, 2000, 5, 10, true)
}

// How rows are cut into batches does not show.
func TestFTRLBatches(t *testing.T) {
	tb := hashed(2000, 7, 9, 4)
	var first []float64
	for _, n := range []int{1, 3, 64, 4096} {
		l, err := NewFTRL(tb.Spec, models.Options{})
		if err != nil {
			t.Fatal(err)
		}
		learnAll(l, tb, n)
		m, err := l.Model(1, Report{})
		if err != nil {
			t.Fatal(err)
		}
		if first == nil {
			first = m.Weights()
		} else if !slices.Equal(first, m.Weights()) {
			t.Errorf("batches of %d rows give other weights", n)
		}
	}
}

// A model that is saved, loaded and gone on from ends where one that saw all
// rows at once does.
func TestFTRLWarmStart(t *testing.T) {
	f := func(o models.Options) {
		t.Helper()
		tb := hashed(2400, 5, 10, 8)
		part := func(lo, hi int) *features.Table {
			p := &features.Table{Spec: tb.Spec, Rows: hi - lo, Values: tb.Values, Y: tb.Y[lo:hi]}
			for _, c := range tb.Codes {
				d := features.MakeCodes(hi-lo, tb.Spec.Size(0))
				for i := lo; i < hi; i++ {
					d.Set(i-lo, c.At(i))
				}
				p.Codes = append(p.Codes, d)
			}
			return p
		}
		run := func(t2 *features.Table, o models.Options) *Model {
			t.Helper()
			m, err := fitOnline(context.Background(), t2, o, nil)
			if err != nil {
				t.Fatal(err)
			}
			file := models.NewFile()
			if err := m.Save(file); err != nil {
				t.Fatal(err)
			}
			back, err := Load(reread(t, file), tb.Spec)
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(back.(*Model).Weights(), m.Weights()) || back.(*Model).Bias() != m.Bias() {
				t.Fatal("the loaded model differs")
			}
			return back.(*Model)
		}
		whole := run(tb, o)
		half := run(part(0, 1000), o)
		o.WarmStart = half
		got := run(part(1000, 2400), o)
		if !slices.Equal(got.Weights(), whole.Weights()) || got.Bias() != whole.Bias() {
			t.Errorf("%+v: a warm start ends elsewhere", o)
		}
	}
	f(models.Options{})
	f(models.Options{Admit: 3})
	f(models.Options{L1: pointer(1)})
}

// Code 0 of dictionaries weighs nothing, as in the batch solvers.
func TestFTRLUnseen(t *testing.T) {
	tb := impressions(3000, 2)
	dictFields(t, tb)
	m, err := fitOnline(context.Background(), tb, models.Options{Passes: 2}, nil)
	if err != nil {
		t.Fatal(err)
	}
	offsets, _ := tb.Spec.Offsets()
	dicts := 0
	for f, at := range offsets {
		if tb.Spec.Fields[f].Type == features.Dict {
			dicts++
			if m.Weights()[at] != 0 {
				t.Errorf("field %d: code 0 weighs %v, want 0", f, m.Weights()[at])
			}
		}
	}
	if dicts == 0 {
		t.Fatal("no dictionaries")
	}
}

func TestFTRLRefuses(t *testing.T) {
	tb := hashed(100, 2, 4, 1)
	f := func(want string, o models.Options) {
		t.Helper()
		o.Solver = SolverFTRL
		if _, err := Train(context.Background(), tb, o, nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	f("alpha 0: want", models.Options{Alpha: pointer(0)})
	f("beta -1: want", models.Options{Beta: pointer(-1)})
	f("l1 NaN: want", models.Options{L1: pointer(math.NaN())})
	f("min-count -1", models.Options{Admit: -1})
	f("mean-loss", models.Options{MeanLoss: true})
	f("tol: want solver newton", models.Options{Tol: 0.1})
	f("warm start: want a model that", models.Options{WarmStart: newModel(tb.Spec, make([]float64, 16), 0, Report{})})
	other := hashed(100, 2, 5, 1)
	m, err := fitOnline(context.Background(), other, models.Options{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	f("a model of 32 weights: want 16", models.Options{WarmStart: m})
	tb.W = make([]float64, tb.Rows)
	for i := range tb.W {
		tb.W[i] = 1e30
	}
	f("not finite", models.Options{})
}

// Damage in the state is an error, never a model.
func TestFTRLDamage(t *testing.T) {
	tb := hashed(300, 3, 6, 1)
	m, err := fitOnline(context.Background(), tb, models.Options{L1: pointer(1)}, nil)
	if err != nil {
		t.Fatal(err)
	}
	f := func(want string, change func(s *online)) {
		t.Helper()
		s := &online{
			index: slices.Clone(m.online.index), v: slices.Clone(m.online.v), q: slices.Clone(m.online.q), bias: m.online.bias,
		}
		change(s)
		file := models.NewFile()
		weights := make([]float64, 1<<20)
		if err := s.save(file, weights); err != nil {
			t.Fatal(err)
		}
		if _, _, err := loadOnline(reread(t, file), 64); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	nan := float32(math.NaN())
	f("want ascending numbers below 64", func(s *online) { s.index[3] = s.index[2] })
	f("want ascending numbers below 64", func(s *online) { s.index[len(s.index)-1] = 64 })
	f("want finite", func(s *online) { s.v[5] = nan })
	f("want finite", func(s *online) { s.bias.v = float32(math.Inf(1)) })
	f("want 0 or more", func(s *online) { s.q[0] = -1 })
	f("ftrl/v", func(s *online) { s.v = s.v[:3] })
	f("ftrl/q", func(s *online) { s.q = s.q[:3] })
}
