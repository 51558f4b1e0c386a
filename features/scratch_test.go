package features

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

func TestScratch(t *testing.T) {
	if !ScratchFiles {
		t.Skip("no files mapped into memory on this system")
	}
	dir := t.TempDir()
	s := NewScratch(3<<20, dir)
	child := s.Child()
	var all [][]uint64
	for i := range 10 { // 1 MiB each: three from the heap
		a := Alloc[uint64](child, 1<<17)
		if len(a) != 1<<17 || slices.Max(a) != 0 {
			t.Fatalf("array %d: %d numbers, want 2^17 zeros", i, len(a))
		}
		for j := range a {
			a[j] = uint64(i)
		}
		all = append(all, a)
	}
	big := Alloc[float64](child, 5<<20) // a file of its own
	big[5<<20-1] = 1
	for i, a := range all {
		if slices.Min(a) != uint64(i) || slices.Max(a) != uint64(i) {
			t.Errorf("array %d has been written to", i)
		}
	}
	if n := len(child.maps); n != 2 {
		t.Errorf("%d files, want one for small arrays and one for the large one", n)
	}
	if s.budget.left != 0 {
		t.Errorf("%d bytes of the budget left, want 0", s.budget.left)
	}
	child.Close()
	if s.budget.left != 3<<20 {
		t.Errorf("%d bytes of the budget back, want all", s.budget.left)
	}
	s.Close()
	if left, err := os.ReadDir(dir); err != nil || len(left) != 0 || s.Err() != nil {
		t.Errorf("left %v, %v, %v: want nothing", left, err, s.Err())
	}
}

// Where there can be no file, arrays come from the heap, and it is said.
func TestScratchWithoutFiles(t *testing.T) {
	s := NewScratch(0, filepath.Join(t.TempDir(), "none"))
	defer s.Close()
	if a := Alloc[int32](s, 5000); len(a) != 5000 || s.Err() == nil {
		t.Errorf("%d numbers, error %v: want 5000 and an error", len(a), s.Err())
	}
	if a := Alloc[string](s, 5000); len(a) != 5000 || len(s.maps) != 0 {
		t.Error("strings in a file")
	}
	var none *Scratch
	if a := Alloc[int32](none.Child(), 5); len(a) != 5 || none.Err() != nil {
		t.Error("no Scratch: want the heap")
	}
	none.Close()
}

func TestScratchTogether(t *testing.T) {
	s := NewScratch(0, t.TempDir())
	defer s.Close()
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			var mine [][]byte
			for range 200 {
				a := Alloc[byte](s, smallArray+i)
				for j := range a {
					a[j] = byte(i)
				}
				mine = append(mine, a)
			}
			for _, a := range mine {
				if slices.Min(a) != byte(i) || slices.Max(a) != byte(i) {
					t.Error("an array that someone else writes to")
				}
			}
		})
	}
	wg.Wait()
}

// Tables in files are what they are in memory.
func TestFitInScratch(t *testing.T) {
	var text strings.Builder
	text.WriteString(madeUpAvazu(20_000))
	in := blocks(t, text.String(), Avazu())
	f := func(s *Scratch) *Fitted {
		t.Helper()
		plan, err := NewPlan(Avazu(), in[0].Layout(), PlanOptions{Crosses: [][]string{{"site_id", "C14"}}})
		if err != nil {
			t.Fatal(err)
		}
		rows := s.Child()
		defer rows.Close()
		c, err := NewCollector(plan, in[0].Layout(), CollectOptions{Scratch: rows})
		if err != nil {
			t.Fatal(err)
		}
		w := c.Worker()
		for _, b := range in {
			w.Add(b, 0, func(row int, err error) { t.Fatal(row, err) })
		}
		fitted, err := c.Fit(context.Background(), FitOptions{Split: "random", Fraction: 0.3, Threads: 2, Scratch: s})
		if err != nil {
			t.Fatal(err)
		}
		return fitted
	}
	s := NewScratch(0, t.TempDir())
	defer s.Close()
	want, got := f(nil), f(s)
	if ScratchFiles && len(s.maps) == 0 {
		t.Error("no files were used")
	}
	for _, side := range [][2]*Table{{want.Train, got.Train}, {want.Test, got.Test}} {
		if !slices.Equal(side[0].Y, side[1].Y) || !slices.Equal(side[0].Hour, side[1].Hour) {
			t.Error("labels or hours differ")
		}
		for f := range side[0].Codes {
			for i := range side[0].Rows {
				if side[0].Codes[f].At(i) != side[1].Codes[f].At(i) {
					t.Fatalf("field %d row %d differs", f, i)
				}
			}
		}
	}
}
