package spark

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"strings"
	"testing"
	"time"

	"ctr/features/columnar"
	"ctr/models"
	"ctr/models/interchange"
	"ctr/models/linear"
	"ctr/models/trees"
)

// TestBigForests: a forest of many nodes is held within ten times its size, and
// so is one that cuts the indexes of many labels by thresholds, as Spark's do
// that no VectorIndexer prepared.
func TestBigForests(t *testing.T) {
	f := func(name string, n, count, depth int) {
		t.Helper()
		dir := filepath.Join(t.TempDir(), "model")
		list := bigForest(t, dir, n, count, depth)
		a, size, held := heldBy(t, name, dir)
		if a == nil {
			return
		}
		// These pack well: half of their numbers are the same.
		if held > 2*memoryFactor*size {
			t.Errorf("%s: %d bytes held of a model of %d", name, held, size)
		}
		t.Logf("%s: %.1f MB on disk, held at most %.1f MB: %.1f times", name, float64(size)/1e6, float64(held)/1e6, float64(held)/float64(size))
		for k, got := range a.Model.(*trees.Model).Trees() {
			if len(got) != len(list[k]) {
				t.Fatalf("%s: tree %d: %d nodes: want %d", name, k, len(got), len(list[k]))
			}
			// The walk to one leaf, by the right side.
			i, j := 0, 0
			for !got[i].Leaf() {
				v, w := &got[i], &list[k][j]
				if n == 0 && v.Value != w.Value || n > 0 && len(v.Codes) != int(w.Value+0.5) && len(v.Codes) != 0 {
					t.Fatalf("%s: tree %d: node %+v: want %+v", name, k, v, w)
				}
				i, j = v.Right, w.Right
			}
			if math.Abs(got[i].Value-list[k][j].Value) > 1e-15 {
				t.Fatalf("%s: tree %d: leaf %v: want %v", name, k, got[i].Value, list[k][j].Value)
			}
		}
	}
	f("numbers", 0, 10, 11)
	f("indexes", 10_000, 10, 6)
	if testing.Short() || os.Getenv("CTR_BIG") == "" {
		return
	}
	f("a million nodes", 0, 32, 14)
	f("indexes of a million labels", 250_000, 20, 7)
	f("indexes of a hundred thousand labels", 25_000, 100, 7)
}

// peak gives how many bytes of objects in use f added at most, as far as a
// sample every millisecond sees them, with a collector that leaves little behind.
func peak(f func()) int64 {
	defer debug.SetGCPercent(debug.SetGCPercent(5))
	runtime.GC()
	s := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(s)
	before := s[0].Value.Uint64()
	stop, most := make(chan bool), make(chan uint64)
	go func() {
		s, top := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}, before
		for {
			metrics.Read(s)
			top = max(top, s[0].Value.Uint64())
			select {
			case <-stop:
				most <- top
				return
			case <-time.After(time.Millisecond):
			}
		}
	}()
	f()
	stop <- true
	return int64(<-most - before)
}

// heldBy imports a folder and gives its size and what was held at most; nil
// where it is refused, which is an error.
func heldBy(t *testing.T, name, dir string) (a *models.Artifact, size, held int64) {
	t.Helper()
	size = sizeOf(t, dir)
	var err error
	held = peak(func() { a, _, err = Import(context.Background(), dir, interchange.ImportOptions{}) })
	if err != nil {
		t.Errorf("%s: %d bytes: %v", name, size, err)
		return nil, size, held
	}
	return a, size, held
}

// TestBigModels: models of many more labels than the one in shared/spark, but of
// the same kind, are imported, and what is held of them is within ten times
// their size.
func TestBigModels(t *testing.T) {
	f := func(name string, n int, label func(k int) []byte, zero float64, most int64) {
		t.Helper()
		dir := filepath.Join(t.TempDir(), "model")
		w := bigModel(t, dir, n, label, zero)
		a, size, held := heldBy(t, name, dir)
		if a == nil {
			return
		}
		packed := filepath.Join(t.TempDir(), "model.tar.gz")
		small := pack(t, dir, packed)
		if _, _, err := Import(context.Background(), packed, interchange.ImportOptions{}); err != nil && zero == 0 {
			t.Errorf("%s: %d bytes packed to %d: %v", name, size, small, err)
		}
		if held > most*size {
			t.Errorf("%s: %d bytes held of a model of %d", name, held, size)
		}
		t.Logf("%s: %d labels, %.1f MB on disk, %.1f as tar.gz, held at most %.1f MB: %.1f times", name, n*len(bigColumns), float64(size)/1e6, float64(small)/1e6, float64(held)/1e6, float64(held)/float64(size))
		got := a.Model.(*linear.Model).Weights()
		if len(got) != len(w) {
			t.Fatalf("%s: %d weights: want %d", name, len(got), len(w))
		}
		for c := range bigColumns {
			for code := range n + 1 {
				want := w[c*(n+1)+place(code, n+1)]
				if x := got[c*(n+1)+code]; math.Abs(x-want) > 1e-12 {
					t.Fatalf("%s: %s code %d: weight %v: want %v", name, bigColumns[c], code, x, want)
				}
			}
		}
	}
	// Its labels unpack to 10 bytes each, and there is little else: gzip packs
	// all that to a fifteenth, more than an archive is trusted with.
	f("sparse", 70_000, func(k int) []byte { return fmt.Append(nil, 100_000+k) }, 0.99, 20)
	f("hashes", 70_000, hexLabel, 0, 10)
	f("numbered", 70_000, func(k int) []byte { return fmt.Appendf(nil, "user_%09d", k) }, 0, 10)
	if testing.Short() || os.Getenv("CTR_BIG") == "" {
		return
	}
	f("a million hashes", 250_000, hexLabel, 0, 10)
	f("a million numbered", 250_000, func(k int) []byte { return fmt.Appendf(nil, "user_%09d", k) }, 0, 10)
	f("integers", 600_000, func(k int) []byte { return fmt.Append(nil, 1_000_000+7*k) }, 0, 10)
	f("fifty megabytes", 650_000, hexLabel, 0, 10)
}

// allowed imports a model with an allowance of its own.
func allowed(tb testing.TB, path string, a *columnar.Allowance) error {
	tb.Helper()
	f, err := open(path)
	if err != nil {
		tb.Fatal(err)
	}
	defer f.close()
	f.allow = a
	_, _, err = f.artifact(context.Background(), interchange.ImportOptions{})
	return err
}

// needs gives the least allowance with which a model is imported, to a sixteenth.
func needs(tb testing.TB, path string) int64 {
	tb.Helper()
	lo, hi := int64(0), int64(1<<25)
	for hi-lo > hi/16 {
		mid := lo + (hi-lo)/2
		if lo == 0 {
			mid = hi / 4
		}
		if err := allowed(tb, path, columnar.NewAllowance(mid)); err == nil {
			hi = mid
		} else if lo = mid; !errors.Is(err, columnar.ErrTooLarge) {
			tb.Fatal(err)
		}
	}
	return hi
}

// TestCountIsWhatIsHeld: the allowance counts what is held, within a tenth and a
// megabyte for what is too small to count.
func TestCountIsWhatIsHeld(t *testing.T) {
	f := func(name, path string) {
		t.Helper()
		held, counted := peak(func() {
			if _, _, err := Import(context.Background(), path, interchange.ImportOptions{}); err != nil {
				t.Fatal(err)
			}
		}), needs(t, path)
		t.Logf("%s: %d bytes, %d counted, %d held", name, sizeOf(t, path), counted, held)
		if held > counted+counted/10+1<<20 {
			t.Errorf("%s: %d bytes held: want at most the %d that are counted, and a tenth", name, held, counted)
		}
	}
	dir := t.TempDir()
	for _, name := range []string{"lr", "gbt"} {
		unpacked(t, name, dir)
		f(name, filepath.Join(dir, name))
	}
	bigModel(t, filepath.Join(dir, "labels"), 20_000, hexLabel, 0)
	f("labels", filepath.Join(dir, "labels"))
	bigForest(t, filepath.Join(dir, "numbers"), 0, 10, 11)
	f("numbers", filepath.Join(dir, "numbers"))
	bigForest(t, filepath.Join(dir, "indexes"), 20_000, 10, 7)
	f("indexes", filepath.Join(dir, "indexes"))
	if real := filepath.Join(shared(), "spark", "avazu-lr-model"); exists(real) {
		f("avazu-lr-model", real)
	}
}

// TestBombs: what unpacks to much more than it is, or says that it does, is an
// error, and takes no more than what a model of its size may.
func TestBombs(t *testing.T) {
	f := func(name, stage string, columns []columnar.Out, want string) {
		t.Helper()
		dir := filepath.Join(t.TempDir(), "model")
		bigModel(t, dir, 1000, hexLabel, 0)
		list, err := filepath.Glob(filepath.Join(dir, "stages", "*_"+stage))
		if err != nil || len(list) != 1 {
			t.Fatal(list, err)
		}
		var b strings.Builder
		if err := columnar.WriteNested(&b, columns, 1, "", ""); err != nil {
			t.Fatal(err)
		}
		if err := dataSet(filepath.Join(list[0], "data"), "part-00000-ctr-c000.snappy.parquet", []byte(b.String())); err != nil {
			t.Fatal(err)
		}
		size := sizeOf(t, dir)
		held := peak(func() { _, _, err = Import(context.Background(), dir, interchange.ImportOptions{}) })
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v: want %q", name, err, want)
		}
		if most := max(memoryFactor*packRatio*size, memoryFloor) + 1<<20; held > most {
			t.Errorf("%s: %d bytes held of a model of %d: want at most %d", name, held, size, most)
		}
		t.Logf("%s: %d bytes, %d held: %v", name, size, held, err)
	}
	zeros := make([]float64, 8<<20)
	f("zeros", "scaler", []columnar.Out{denseVector("originalMin", zeros), denseVector("originalMax", zeros)}, "unpacks to too much")
	texts := make([][]byte, 4<<20)
	f("empty labels", "index_site_id", []columnar.Out{{Name: "labels", Kind: columnar.OutText, Texts: texts, Ends: []int{len(texts)}}}, "unpacks to too much")
	ends := make([]int, 4<<20)
	f("empty lists", "index_site_id", []columnar.Out{{Name: "labelsArray", Kind: columnar.OutText, Ends: ends, Outer: []int{len(ends)}}}, "unpacks to too much")
}
