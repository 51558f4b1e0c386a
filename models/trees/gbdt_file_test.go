package trees

import (
	"math"
	"slices"
	"strings"
	"testing"

	"ctr/features"
	"ctr/models"
)

func smallBoosted(t testing.TB) (*Boosted, *features.Table) {
	tab := mixed(t, 2000)
	p := plainBoost()
	p.trees, p.minLeaf, p.leaves = 3, 5, 30
	return mustBoost(t, tab, p), tab
}

func TestBoostLoadErrors(t *testing.T) {
	whole, tab := smallBoosted(t)
	f := func(want string, damage func(f *models.File, b *Boosted)) {
		t.Helper()
		b := *whole
		b.m = whole.m.withNodes(slices.Clone(whole.m.nodes))
		file := models.NewFile()
		if err := b.Save(file); err != nil {
			t.Fatal(err)
		}
		damage(file, &b)
		_, err := LoadBoosted(file, tab.Spec)
		if err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), "gbdt: ") {
			t.Errorf("%v, want %s", err, want)
		}
	}
	resave := func(change func(b *Boosted)) func(*models.File, *Boosted) {
		return func(f *models.File, b *Boosted) {
			change(b)
			if err := b.Save(f); err != nil {
				t.Fatal(err)
			}
		}
	}
	leafTo := func(v float64) func(*models.File, *Boosted) {
		return resave(func(b *Boosted) {
			i := slices.IndexFunc(b.m.nodes, func(n node) bool { return n.kind == leaf })
			b.m.nodes[i].arg = math.Float64bits(v)
		})
	}
	f("settings: none", func(f *models.File, _ *Boosted) { *f = *models.NewFile() })
	f("trees: want 4", resave(func(b *Boosted) { b.settings.Trees = 4 }))
	f("trees: want -1", resave(func(b *Boosted) { b.settings.Trees = -1 }))
	f("log-odds NaN: want", leafTo(math.NaN()))
	f("log-odds +Inf: want", leafTo(math.Inf(1)))
	f("log-odds -1e+101: want", leafTo(-1e101))
	f("log-odds NaN: want", resave(func(b *Boosted) { b.base = math.NaN() }))
	f("trees.base: 2 values: want 1", func(f *models.File, _ *Boosted) {
		if err := f.PutF64(tensorBase, nil, []float64{1, 2}); err != nil {
			t.Fatal(err)
		}
	})
	f("does not fit field", resave(func(b *Boosted) {
		i := slices.IndexFunc(b.m.nodes, func(n node) bool { return n.kind >= catBits })
		b.m.nodes[i].field = 17
	}))
	file := models.NewFile()
	if err := whole.Save(file); err != nil {
		t.Fatal(err)
	}
	if _, err := load("rf", file, tab.Spec); err == nil {
		t.Error("boosted trees loaded as a forest")
	}
}

// FuzzLoadBoosted damages tensors: a model that loads can score every row.
func FuzzLoadBoosted(f *testing.F) {
	m, tab := smallBoosted(f)
	f.Add(uint8(0), uint32(0), uint64(1))
	f.Add(uint8(2), uint32(7), uint64(1<<40+5))
	f.Add(uint8(5), uint32(1), uint64(math.MaxUint64))
	f.Fuzz(func(t *testing.T, tensor uint8, at uint32, value uint64) {
		file := models.NewFile()
		if err := m.Save(file); err != nil {
			t.Fatal(err)
		}
		damage(file, tensor, at, value)
		got, err := LoadBoosted(file, tab.Spec)
		if err != nil {
			return
		}
		ex := tab.Spec.NewExample()
		for i := range 200 {
			tab.Example(i, ex)
			for k := range ex.Codes {
				ex.Codes[k] ^= uint32(i) << (i & 31)
			}
			if p := got.Probability(ex); !(p >= 0 && p <= 1) {
				t.Fatalf("row %d: probability %v", i, p)
			}
		}
	})
}
