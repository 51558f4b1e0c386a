package features

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"ctr/features/race"
)

// Keep holds the rows that a sample of so many would, and divides them where
// all rows would be divided, whoever read them.
func TestKeepDividesAsTheWhole(t *testing.T) {
	rows := 20_000
	if race.Enabled {
		rows = 10_000
	}
	var text strings.Builder
	text.WriteString("a,t,n,y,b,c,w\n")
	for i := range rows {
		// Hours with few rows each: a sample alone would be divided elsewhere.
		hour := i * 7919 % 240
		fmt.Fprintf(&text, "x%d,1410%02d%02d,%d,%d,y,%d,1\n", i%5, 21+hour/24, hour%24, i, i%3/2, i%50)
	}
	in := cut(t, blocks(t, text.String(), testSchema), testLayout(), 100)
	plan, err := NewPlan(testSchema, testLayout(), PlanOptions{})
	if err != nil {
		t.Fatal(err)
	}
	number := slices.IndexFunc(plan.Fields, func(f Field) bool { return f.Name == "n" })
	fit := func(co CollectOptions, workers int, split string) *Fitted {
		co.Seed = 9
		return collect(t, plan, testLayout(), in, workers, co, FitOptions{Split: split, Fraction: 0.3, Seed: 9, Threads: 1})
	}
	f := func(sample, keep int64, split string) {
		t.Helper()
		whole := fit(CollectOptions{Sample: sample}, 1, split)
		least := fit(CollectOptions{Sample: keep}, 1, "none").Train.Values[number]
		for _, workers := range []int{1, 3} {
			got := fit(CollectOptions{Sample: sample, Keep: keep}, workers, split)
			if got.Holdout != whole.Holdout {
				t.Errorf("sample %d keep %d: divided by %+v, want %+v", sample, keep, got.Holdout, whole.Holdout)
			}
			for i, side := range [][2]*Table{{got.Train, whole.Train}, {got.Test, whole.Test}} {
				want := slices.DeleteFunc(slices.Clone(side[1].Values[number]), func(x float64) bool { return !slices.Contains(least, x) })
				if !slices.Equal(side[0].Values[number], want) {
					t.Errorf("sample %d keep %d split %s part %d: %d rows, want %d of the whole's %d",
						sample, keep, split, i, side[0].Rows, len(want), side[1].Rows)
				}
			}
		}
	}
	f(0, 1500, "time")
	f(0, 1500, "random")
	f(0, 1500, "none")
	f(9000, 2500, "time")
	f(9000, 2500, "random")
	f(0, int64(rows), "time")
	f(0, 3*int64(rows), "time")
	f(800, 2500, "time")
}

// Hardly more rows are held than are kept, whatever their number.
func TestKeepHoldsLittle(t *testing.T) {
	var text strings.Builder
	text.WriteString("a,t,n,y,b,c,w\n")
	for i := range 60_000 {
		fmt.Fprintf(&text, "x,14102100,1,1,y,%d,1\n", i)
	}
	const keep = 4000
	_, c := collectBad(t, cut(t, blocks(t, text.String(), testSchema), testLayout(), 500), 3, CollectOptions{Keep: keep})
	rows := 0
	for _, w := range c.workers {
		for _, ch := range w.chunks {
			rows += len(ch.y)
			if len(ch.hashes) != len(ch.y) || ch.rows != nil && len(ch.rows) != len(ch.y) {
				t.Fatalf("chunk of %d labels has %d rows and %d hashes", len(ch.y), len(ch.rows), len(ch.hashes))
			}
		}
	}
	if rows < keep || rows > 2*keep {
		t.Errorf("%d rows held, want %d to %d", rows, keep, 2*keep)
	}
}

// What is dropped while a cache is read is what is dropped of its text.
func TestKeepOfCache(t *testing.T) {
	var text strings.Builder
	text.WriteString("a,t,n,y,b,c,w\n")
	for i := range 5000 {
		hour := i * 7919 % 100
		fmt.Fprintf(&text, "x%d,1410%02d%02d,%d,%d,y,%d,%d\n", i%700, 21+hour/24, hour%24, i%40, i%3/2, i, 1+i%2)
	}
	cached := cacheBytes(t, testSchema, cacheOptions{chunk: 500}, text.String())
	rapid.Check(t, func(rt *rapid.T) {
		plan := drawPlan(rt, testLayout())
		co := CollectOptions{Keep: 900, Seed: rapid.Uint64().Draw(rt, "seed")}
		fo := FitOptions{Split: "time", Fraction: 0.3, Threads: 2}
		whole := cut(t, blocks(t, text.String(), testSchema), testLayout(), 200)
		cache := openBytes(t, cached)
		want, wantBad := fitMixed(rt, plan, [][]*Block{whole}, 1, co, fo)
		got, gotBad := fitMixed(rt, plan, [][]*Block{unsplit(cache, 0, 150)}, 2, co, fo)
		if !slices.Equal(gotBad, wantBad) || want.Train.Rows+want.Test.Rows != 900 {
			rt.Fatalf("bad rows %q, want %q; %d and %d rows kept, want 900", gotBad, wantBad, want.Train.Rows, want.Test.Rows)
		}
		sameFitted(rt, want, got)
		sameValues(rt, want.Train, got.Train)
	})
}
