package features

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// fitMixed collects blocks of several files and fits. Those of caches are not
// split. It gives the bad rows too.
func fitMixed(t *rapid.T, plan *Plan, files [][]*Block, workers int, co CollectOptions, fo FitOptions) (f *Fitted, bad []string) {
	c, err := NewCollector(plan, testLayout(), co)
	if err != nil {
		t.Fatal(err)
	}
	ws := make([]*CollectWorker, workers)
	for i := range ws {
		ws[i] = c.Worker()
	}
	bound := map[*Cache]bool{}
	for file, in := range files {
		for i, b := range in {
			if b.Cached() && !bound[b.cached.c] {
				bound[b.cached.c] = true
				if err := c.Bind(b.cached.c); err != nil {
					t.Fatal(err)
				}
			}
			if err := b.Check(b.pending); err != nil {
				t.Fatal(err)
			}
			ws[(i*5+file)%workers].Add(b, file, func(row int, err error) {
				var re *RowError
				if !errors.As(err, &re) {
					t.Fatal(err)
				}
				bad = append(bad, fmt.Sprint(file, b.First+int64(row), b.Line(row), re.Column, string(re.Value), re.Msg))
			})
		}
	}
	slices.Sort(bad)
	bad = append(bad, fmt.Sprint(c.Read(), c.Hours()))
	if f, err = c.Fit(context.Background(), fo); err != nil {
		return nil, append(bad, err.Error())
	}
	return f, bad
}

// Collecting from caches, with or without text among the files, fits the same
// Spec and makes the same tables as from the text.
func TestFitFromCacheIsFit(t *testing.T) {
	const odd = "short,row\n,,,,,,\nx,1410,1,1,y,1,1\nx,14102100,?,1,y,1,1\nx,14102100,1,2,y,1,1\nx,14102100,1,,y,1,1\nx,14102100,1,1,y,1,-1\nq,14102105,99,0,new,999,1\n"
	rapid.Check(t, func(rt *rapid.T) {
		var texts []string
		for range 3 {
			text := rowsText(rt, rapid.IntRange(1, 60).Draw(rt, "rows"))
			if rapid.Bool().Draw(rt, "odd") {
				text += odd
			}
			texts = append(texts, text)
		}
		plan := drawPlan(rt, testLayout())
		co := CollectOptions{
			Seed: 3, Sample: int64(rapid.SampledFrom([]int{0, 0, 5, 40, 1000}).Draw(rt, "sample")),
			Keep: int64(rapid.SampledFrom([]int{0, 0, 3, 30}).Draw(rt, "keep")),
		}
		if rapid.Bool().Draw(rt, "window") {
			since, until := Hour(392_593), Hour(392_640)
			co.Since, co.Until = &since, &until
		}
		fo := FitOptions{Split: rapid.SampledFrom([]string{"random", "time", "none"}).Draw(rt, "split"), Fraction: 0.3, Seed: 9, Threads: 2}
		var text, cached [][]*Block
		for _, s := range texts {
			text = append(text, blocks(t, s, testSchema))
		}
		// One cache of two files, and a cache or the text of the third.
		o := cacheOptions{chunk: rapid.IntRange(1, 50).Draw(rt, "chunk"), many: rapid.SampledFrom([]int{0, 0, 4}).Draw(rt, "many")}
		two := openBytes(t, cacheBytes(t, testSchema, o, texts[:2]...))
		step := rapid.IntRange(1, 60).Draw(rt, "step")
		cached = append(cached, unsplit(two, 0, step), unsplit(two, 1, step), text[2])
		if rapid.Bool().Draw(rt, "third") {
			cached[2] = unsplit(openBytes(t, cacheBytes(t, testSchema, o, texts[2])), 0, step)
		}
		want, wantBad := fitMixed(rt, plan, text, 1, co, fo)
		got, gotBad := fitMixed(rt, plan, cached, rapid.IntRange(1, 3).Draw(rt, "workers"), co, fo)
		if !slices.Equal(gotBad, wantBad) {
			rt.Fatalf("bad rows %q\nwant %q", gotBad, wantBad)
		}
		if (want == nil) != (got == nil) {
			rt.Fatalf("one of the two has no rows")
		}
		if want != nil {
			sameFitted(rt, want, got)
			sameValues(rt, want.Train, got.Train)
			sameValues(rt, want.Test, got.Test)
		}
	})
}

func sameValues(t *rapid.T, a, b *Table) {
	for f := range a.Values {
		for i := range a.Values[f] {
			if math.Float64bits(a.Values[f][i]) != math.Float64bits(b.Values[f][i]) {
				t.Fatalf("field %d row %d: %v and %v", f, i, a.Values[f][i], b.Values[f][i])
			}
		}
	}
}

// unsplit gives the blocks of a source of a cache.
func unsplit(c *Cache, source, n int) (out []*Block) {
	for k := range c.Chunks() {
		s, _, rows := c.Chunk(k)
		for lo := 0; lo < rows && s == source; lo += n {
			b := new(Block)
			c.ReadRows(b, "rows.csv", k, lo, min(lo+n, rows), nil)
			out = append(out, b)
		}
	}
	return out
}

// BenchmarkCollectCache reads rows of a cache into provisional codes.
func BenchmarkCollectCache(b *testing.B) {
	c := openBytes(b, cacheBytes(b, Avazu(), cacheOptions{}, avazuText(b, 100_000)))
	plan, err := NewPlan(Avazu(), c.footer.Layout, PlanOptions{})
	if err != nil {
		b.Fatal(err)
	}
	in := unsplit(c, 0, 1<<16)
	for b.Loop() {
		col, err := NewCollector(plan, c.footer.Layout, CollectOptions{})
		if err != nil {
			b.Fatal(err)
		}
		if err := col.Bind(c); err != nil {
			b.Fatal(err)
		}
		w := col.Worker()
		for _, blk := range in {
			w.Add(blk, 0, func(_ int, err error) { b.Fatal(err) })
		}
		if col.Read() != 100_000 {
			b.Fatalf("%d rows", col.Read())
		}
	}
}
