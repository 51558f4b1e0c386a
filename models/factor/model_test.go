package factor

import (
	"bytes"
	"context"
	"encoding/binary"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"ctr/features"
	"ctr/features/race"
	"ctr/models"
)

// reread gives the file that the bytes of encoded are.
func reread(t testing.TB, b []byte) *models.File {
	t.Helper()
	f, err := models.ReadFile(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// TestSaveLoad: a model that was read back has the same probabilities, bit for
// bit, one by one, in blocks and by the table; and the same bytes.
func TestSaveLoad(t *testing.T) {
	for _, algo := range algos {
		for _, fields := range []int{1, 2, 5, 8, 513} {
			rows := 2000
			if race.Enabled {
				rows = 300
			}
			tb := mixed(fields, 10+rows/fields, uint64(fields))
			m := train(t, algo, tb, models.Options{Factors: fields % 9, SlotBits: 3, Passes: 2})
			b := encoded(t, m)
			loaded, err := loader(algo)(reread(t, b), tb.Spec)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(encoded(t, loaded.(*Model)), b) {
				t.Errorf("%s, %d fields: another file when written again", algo, fields)
			}
			want := m.Probabilities(tb, nil, 3)
			exs, p := make([]*features.Example, tb.Rows), make([]float64, tb.Rows)
			for i := range exs {
				exs[i] = tb.Spec.NewExample()
				tb.Example(i, exs[i])
			}
			loaded.(*Model).ProbabilityBlock(exs, p)
			for i := range want {
				if one := loaded.Probability(exs[i]); one != want[i] || p[i] != want[i] {
					t.Fatalf("%s, %d fields, row %d: %v one by one, %v in a block: want %v", algo, fields, i, one, p[i], want[i])
				}
			}
		}
	}
}

// TestFormula recomputes probabilities from the file alone, pair by pair, as
// the comments of the package and of Save say.
func TestFormula(t *testing.T) {
	for _, algo := range algos {
		tb := mixed(7, 400, 5)
		b := encoded(t, train(t, algo, tb, models.Options{Factors: 5, SlotBits: 6}))
		f := reread(t, b)
		var s stored
		if err := f.Settings(&s); err != nil {
			t.Fatal(err)
		}
		sizes, _ := f.U32Vec(algo+"/slots", 7)
		vectors, _, _ := f.F32(algo + "/vectors")
		linear, _ := f.F32Vec(algo+"/linear", -1)
		loaded, err := loader(algo)(f, tb.Spec)
		if err != nil {
			t.Fatal(err)
		}
		slot := func(field int, code uint32) int {
			first := 0
			for _, n := range sizes[:field] {
				first += int(n)
			}
			if tb.Spec.Fields[field].Type == features.Hash {
				codes, _ := f.U32Vec(loaded.(*Model).codesName(field), -1)
				for i, c := range codes {
					if c == code&(1<<s.Bits-1) {
						return first + i + 1
					}
				}
				return first
			}
			if code < sizes[field] {
				return first + int(code)
			}
			return first
		}
		dot := func(a, b, from, to int) float64 {
			sum := 0.0
			for d := range s.Factors {
				if algo == FieldAware {
					sum += float64(vectors[(a*7+to)*s.Factors+d]) * float64(vectors[(b*7+from)*s.Factors+d])
				} else {
					sum += float64(vectors[a*s.Factors+d]) * float64(vectors[b*s.Factors+d])
				}
			}
			return sum
		}
		for i, p := range loaded.(*Model).Probabilities(tb, nil, 1) {
			x := 0.0
			for f := range 7 {
				a := slot(f, tb.Codes[f].At(i))
				x += s.Linear * float64(linear[a])
				for g := range f {
					x += dot(a, slot(g, tb.Codes[g].At(i)), f, g)
				}
			}
			if want := 1 / (1 + math.Exp(-s.Bias-s.Scale*x)); math.Abs(p-want) > 1e-6 {
				t.Fatalf("%s, row %d: %v: want %v", algo, i, p, want)
			}
		}
	}
}

// TestUnseen: a value that training has not seen, where there are no rare ones,
// adds nothing, and one that it saw once what rare values have in common.
func TestUnseen(t *testing.T) {
	for _, algo := range algos {
		tb := mixed(2, 1000, 1)
		for i := range tb.Rows {
			for f := range 2 {
				tb.Codes[f].Set(i, 1+tb.Codes[f].At(i)%4)
			}
		}
		m := train(t, algo, tb, models.Options{})
		ex := tb.Spec.NewExample()
		if p := m.Probability(ex); math.Abs(p-sigmoid(m.Bias())) > 1e-15 {
			t.Errorf("%s: nothing known: %v: want %v", algo, p, sigmoid(m.Bias()))
		}
		tb.Codes[0].Set(7, 6)
		m = train(t, algo, tb, models.Options{})
		if p := m.Probability(ex); p == sigmoid(m.Bias()) || m.tables[0].size != 5 {
			t.Errorf("%s: %v with %d slots: want what the rare value taught, and 5", algo, p, m.tables[0].size)
		}
	}
}

func TestLoadErrors(t *testing.T) {
	tb := mixed(4, 300, 1)
	for _, algo := range algos {
		b := encoded(t, train(t, algo, tb, models.Options{SlotBits: 6}))
		f := func(change func(f *models.File, s *stored), want string) {
			t.Helper()
			file := reread(t, b)
			var s stored
			if err := file.Settings(&s); err != nil {
				t.Fatal(err)
			}
			change(file, &s)
			if err := file.PutSettings(s); err != nil {
				t.Fatal(err)
			}
			m, err := loader(algo)(file, tb.Spec)
			if m != nil || err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v: want %s", algo, err, want)
			}
		}
		f(func(_ *models.File, s *stored) { s.Factors = 0 }, "settings: factors 0: want 1..256")
		f(func(_ *models.File, s *stored) { s.Factors = 5 }, "want")
		f(func(_ *models.File, s *stored) { s.Scale = 1 }, " and scale 1: want ")
		f(func(_ *models.File, s *stored) { s.Bits = 31 }, "settings: bits 31: want 0..30")
		f(func(_ *models.File, s *stored) { s.Bits = 3 }, "codes of the slots: want ascending numbers up to 7")
		f(func(f *models.File, _ *stored) { _ = f.PutU32(algo+"/slots", nil, []uint32{1, 2}) }, "2 values: want 4")
		f(func(f *models.File, _ *stored) { _ = f.PutU32(algo+"/slots", nil, []uint32{0, 2, 2, 2}) }, "field f0: 0 slots: want 1..7")
		f(func(f *models.File, _ *stored) { _ = f.PutU32(algo+"/slots", nil, []uint32{8, 2, 2, 2}) }, "field f0: 8 slots: want 1..7")
		f(func(f *models.File, _ *stored) { _ = f.PutU32(algo+"/slots", nil, []uint32{7, 12, 0, 6}) }, "want")
		f(func(f *models.File, _ *stored) { _ = f.PutU32(algo+"/codes/2", nil, []uint32{3, 3}) }, "want")
		f(func(f *models.File, _ *stored) { _ = f.PutF32(algo+"/linear", nil, []float32{3}) }, "tensor "+algo+"/linear: 1 values: want")
		f(func(f *models.File, _ *stored) {
			v, _ := f.F32Vec(algo+"/linear", -1)
			v[1] = float32(math.NaN())
			_ = f.PutF32(algo+"/linear", nil, v)
		}, "want numbers from -100 to 100")
		if _, err := loader(algo)(models.NewFile(), tb.Spec); err == nil {
			t.Errorf("%s: an empty file: want an error", algo)
		}
	}
}

// FuzzLoad: whatever the tensors hold, Load gives a model that works or an
// error.
func FuzzLoad(f *testing.F) {
	tb := mixed(3, 100, 1)
	f.Add(true, 2, 0.5, 6, []byte{7, 0, 0, 0, 3, 0, 0, 0}, []byte{1, 0, 0, 0})
	f.Fuzz(func(t *testing.T, aware bool, factors int, bias float64, bits int, slots, codes []byte) {
		algo, linear := Plain, math.Sqrt(3)
		if aware {
			algo, linear = FieldAware, linear/2
		}
		words := func(b []byte) []uint32 {
			var list []uint32
			for ; len(b) >= 4; b = b[4:] {
				list = append(list, binary.LittleEndian.Uint32(b))
			}
			return list
		}
		file := models.NewFile()
		sizes := words(append(slots, make([]byte, 12)...))[:3]
		n := int(min(sizes[0], 99)) + int(min(sizes[1], 99)) + int(min(sizes[2], 99))
		_ = file.PutU32(algo+"/slots", nil, sizes)
		_ = file.PutU32(algo+"/codes/2", nil, words(codes))
		_ = file.PutF32(algo+"/linear", nil, make([]float32, n))
		k := max(0, min(factors, 9))
		dims := []int{n, k}
		if aware {
			dims, k = []int{n, 3, k}, 3*k
		}
		_ = file.PutF32(algo+"/vectors", dims, make([]float32, n*k))
		if file.PutSettings(stored{Factors: factors, Bias: bias, Linear: float64(float32(linear)), Scale: 1. / 3, Bits: bits}) != nil {
			return
		}
		m, err := loader(algo)(file, tb.Spec)
		if err != nil {
			return
		}
		for _, p := range m.(*Model).Probabilities(tb, nil, 1) {
			if !(p >= 0 && p <= 1) {
				t.Fatalf("probability %v", p)
			}
		}
	})
}

// TestSlots: hashed codes are found, and no others.
func TestSlots(t *testing.T) {
	for seed := range uint64(50) {
		rng := rand.New(rand.NewPCG(seed, 5))
		want := map[uint32]uint32{}
		var codes []uint32
		for range rng.IntN(60) {
			if c := uint32(rng.IntN(200)); want[c] == 0 {
				codes = append(codes, c)
				want[c] = uint32(len(codes))
			}
		}
		x := newSlotIndex(codes)
		for c := range uint32(200) {
			if got := x.slot(c); got != want[c] {
				t.Fatalf("seed %d: code %d: slot %d: want %d", seed, c, got, want[c])
			}
		}
	}
}

func TestAllocations(t *testing.T) {
	tb := mixed(20, 200, 1)
	for _, algo := range algos {
		m := train(t, algo, tb, models.Options{Passes: 1})
		ex, p := make([]*features.Example, 64), make([]float64, 64)
		for i := range ex {
			ex[i] = tb.Spec.NewExample()
			tb.Example(i, ex[i])
		}
		if n := testing.AllocsPerRun(100, func() { m.Probability(ex[0]); m.ProbabilityBlock(ex, p) }); n >= 1 {
			t.Errorf("%s: %v allocations: want 0", algo, n)
		}
	}
}

// BenchmarkPass is one pass over rows of 22 fields.
func BenchmarkPass(b *testing.B) {
	tb := mixed(22, 100_000, 1)
	for _, algo := range algos {
		b.Run(algo, func(b *testing.B) {
			s, _ := settingsOf(algo, models.Options{})
			tr := &training{ctx: context.Background(), algo: algo, t: tb, s: s}
			f := tr.begin(allRows(tb.Rows))
			for b.Loop() {
				if loss := f.pass(0, 1, ""); !(loss > 0 && loss < 1) {
					b.Fatalf("log loss %v", loss)
				}
			}
			b.ReportMetric(float64(b.N*tb.Rows)/b.Elapsed().Seconds(), "rows/s")
		})
	}
}

// BenchmarkScore is one row of 22 fields.
func BenchmarkScore(b *testing.B) {
	tb := mixed(22, 10_000, 1)
	for _, algo := range algos {
		s, _ := settingsOf(algo, models.Options{Passes: 1})
		tr := &training{ctx: context.Background(), algo: algo, t: tb, s: s}
		m, err := tr.run()
		if err != nil {
			b.Fatal(err)
		}
		ex, p := make([]*features.Example, 64), make([]float64, 64)
		for i := range ex {
			ex[i] = tb.Spec.NewExample()
			tb.Example(i, ex[i])
		}
		b.Run(algo, func(b *testing.B) {
			for i := 0; i < b.N; i += len(ex) {
				m.ProbabilityBlock(ex, p)
			}
			if !(p[0] > 0 && p[0] < 1) {
				b.Fatal(p[0])
			}
		})
	}
}
