package spark

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"testing"
	"time"

	"ctr/features"
	"ctr/features/columnar"
	"ctr/models"
	"ctr/models/interchange"
	"ctr/models/linear"
	"ctr/models/trees"
)

// bigColumns are those of a model like the one in shared/spark.
var bigColumns = []string{"site_id", "app_id", "device_id", "device_ip"}

// denseVector is a VectorUDT.
func denseVector(name string, v []float64) columnar.Out {
	return columnar.Out{Name: name, Children: []columnar.Out{
		{Name: "type", Kind: columnar.OutInt8, Numbers: []float64{1}}, {Name: "size", Kind: columnar.OutInt32, Numbers: []float64{0}},
		{Name: "indices", Kind: columnar.OutInt32, Ends: []int{0}}, {Name: "values", Kind: columnar.OutDouble, Numbers: v, Ends: []int{len(v)}},
	}}
}

// bigModel writes a pipeline of the same kind as the model in shared/spark, of
// StringIndexers and OneHotEncoders of one column each, a VectorAssembler, a
// MinMaxScaler and a logistic regression, with n labels in each column, the k-th
// of which is label(k). Of the coefficients, which it gives, a share is zero.
func bigModel(tb testing.TB, dir string, n int, label func(k int) []byte, zero float64) (w []float64) {
	tb.Helper()
	e := &exporter{uid: "big"}
	var list []outStage
	var inputs []string
	for _, c := range bigColumns {
		texts := columnar.Out{Name: "labels", Kind: columnar.OutText, Ends: []int{n}}
		for k := range n {
			texts.Texts = append(texts.Texts, label(k))
		}
		one := func(in, out string) map[string]any {
			return map[string]any{"inputCol": in, "outputCol": out, "handleInvalid": "keep"}
		}
		list = append(list, outStage{class: "feature.StringIndexerModel", uid: "index_" + c, params: one(c, c+"_index"), data: []outData{{"data", "", 1, []columnar.Out{texts}}}})
		inputs = append(inputs, c+"_hot")
		hot := oneHot([]columnPair{{c + "_index", c + "_hot"}}, []int{n + 1}, "keep")
		hot.uid, hot.params = "hot_"+c, one(c+"_index", c+"_hot")
		list = append(list, hot)
	}
	e.slots = len(bigColumns) * (n + 1)
	low, high := make([]float64, e.slots), make([]float64, e.slots)
	random := rand.New(rand.NewPCG(1, 2))
	for i := range e.slots {
		w, high[i] = append(w, random.NormFloat64()), 1
		if random.Float64() < zero {
			w[i] = 0
		}
	}
	num := func(name string, kind columnar.OutKind, x float64) columnar.Out {
		return columnar.Out{Name: name, Kind: kind, Numbers: []float64{x}}
	}
	list = append(list,
		outStage{class: "feature.VectorAssembler", uid: "assembler", params: map[string]any{"inputCols": inputs, "outputCol": "features", "handleInvalid": "error"}},
		outStage{
			class: "feature.MinMaxScalerModel", uid: "scaler", params: map[string]any{"inputCol": "features", "outputCol": "scaled", "min": 0.0, "max": 1.0},
			data: []outData{{"data", "", 1, []columnar.Out{denseVector("originalMin", low), denseVector("originalMax", high)}}},
		},
		outStage{
			class: "classification.LogisticRegressionModel", uid: "lr", params: map[string]any{"featuresCol": "scaled", "labelCol": "click", "threshold": 0.25},
			data: []outData{{"data", "", 1, []columnar.Out{
				num("numClasses", columnar.OutInt32, 2), num("numFeatures", columnar.OutInt32, float64(e.slots)),
				denseVector("interceptVector", []float64{-1.5}),
				{Name: "coefficientMatrix", Children: []columnar.Out{
					num("type", columnar.OutInt8, 1), num("numRows", columnar.OutInt32, 1), num("numCols", columnar.OutInt32, float64(e.slots)),
					{Name: "colPtrs", Kind: columnar.OutInt32, Ends: []int{0}}, {Name: "rowIndices", Kind: columnar.OutInt32, Ends: []int{0}},
					{Name: "values", Kind: columnar.OutDouble, Numbers: w, Ends: []int{len(w)}}, num("isTransposed", columnar.OutBool, 1),
				}},
				num("isMultinomial", columnar.OutBool, 0),
			}}},
		})
	if err := write(dir, "big", list); err != nil {
		tb.Fatal(err)
	}
	return w
}

// bigForest writes a random forest of so many trees that are full to a depth,
// by thresholds on the index of a column of n labels, or for 0 labels on
// numbers.
func bigForest(tb testing.TB, dir string, n, count, depth int) [][]trees.Node {
	tb.Helper()
	e := &exporter{uid: "big", slots: len(bigColumns), spec: &features.Spec{}}
	var list []outStage
	inputs := []string{"C17", "C18", "C19", "C20"}
	for i, c := range bigColumns {
		e.spec.Fields = append(e.spec.Fields, features.Field{Type: features.Num})
		e.fields = append(e.fields, fieldSlots{first: i})
		if n == 0 {
			continue
		}
		texts := columnar.Out{Name: "labels", Kind: columnar.OutText, Ends: []int{n}}
		for k := range n {
			texts.Texts = append(texts.Texts, hexLabel(k))
		}
		inputs[i] = c + "_index"
		list = append(list, outStage{
			class: "feature.StringIndexerModel", uid: "index_" + c, params: map[string]any{"inputCol": c, "outputCol": inputs[i], "handleInvalid": "keep"},
			data: []outData{{"data", "", 1, []columnar.Out{texts}}},
		})
	}
	random := rand.New(rand.NewPCG(1, 2))
	rows := 0
	for range count {
		tree := make([]trees.Node, 1<<(depth+1)-1)
		for k := range tree {
			if tree[k].Value = random.Float64(); 2*k+1 < len(tree) {
				tree[k] = trees.Node{Field: random.IntN(len(bigColumns)), Left: 2*k + 1, Right: 2*k + 2, Value: math.Floor(random.Float64()*float64(max(n, 1000))) - 0.5}
			}
			tree[k].Rows = 1 + random.Uint32N(1000)
		}
		e.trees, rows = append(e.trees, tree), rows+len(tree)
	}
	forest := outStage{
		class: "classification.RandomForestClassificationModel", uid: "rf", params: map[string]any{"featuresCol": "features", "labelCol": "click"},
		more: map[string]any{"numFeatures": e.slots, "numClasses": 2, "numTrees": count},
	}
	if err := e.treeData(&forest, "rf", rows); err != nil {
		tb.Fatal(err)
	}
	list = append(list, outStage{class: "feature.VectorAssembler", uid: "assembler", params: map[string]any{"inputCols": inputs, "outputCol": "features", "handleInvalid": "keep"}}, forest)
	if err := write(dir, "big", list); err != nil {
		tb.Fatal(err)
	}
	return e.trees
}

// TestBigForests: a forest of many nodes is held within ten times its size, and
// so is one that cuts the indexes of many labels by thresholds, as Spark's do
// that no VectorIndexer prepared.
func TestBigForests(t *testing.T) {
	f := func(name string, n, count, depth int) {
		t.Helper()
		dir := filepath.Join(t.TempDir(), "model")
		list := bigForest(t, dir, n, count, depth)
		size := sizeOf(t, dir)
		var a *models.Artifact
		var err error
		held := peak(func() { a, _, err = Import(context.Background(), dir, interchange.ImportOptions{}) })
		if err != nil {
			t.Errorf("%s: %d bytes: %v", name, size, err)
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

// sizeOf gives the bytes of a folder's files.
func sizeOf(tb testing.TB, dir string) (size int64) {
	tb.Helper()
	err := filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		size += info.Size()
		return err
	})
	if err != nil {
		tb.Fatal(err)
	}
	return size
}

// pack packs a folder as a tar.gz and gives its size.
func pack(tb testing.TB, dir, to string) int64 {
	tb.Helper()
	out, err := os.Create(to)
	if err != nil {
		tb.Fatal(err)
	}
	defer out.Close()
	z := gzip.NewWriter(out)
	w := tar.NewWriter(z)
	if err := errors.Join(w.AddFS(os.DirFS(dir)), w.Close(), z.Close()); err != nil {
		tb.Fatal(err)
	}
	info, err := out.Stat()
	if err != nil {
		tb.Fatal(err)
	}
	return info.Size()
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

// hexLabel gives labels that look like hashes.
func hexLabel(k int) []byte {
	return fmt.Appendf(nil, "%08x", uint32(k+1)*2654435761)
}

// TestBigModels: models of many more labels than the one in shared/spark, but of
// the same kind, are imported, and what is held of them is within ten times
// their size.
func TestBigModels(t *testing.T) {
	f := func(name string, n int, label func(k int) []byte, zero float64, most int64) {
		t.Helper()
		dir := filepath.Join(t.TempDir(), "model")
		w := bigModel(t, dir, n, label, zero)
		size := sizeOf(t, dir)
		runtime.GC()
		var a *models.Artifact
		var err error
		held := peak(func() { a, _, err = Import(context.Background(), dir, interchange.ImportOptions{}) })
		if err != nil {
			t.Errorf("%s: %d bytes: %v", name, size, err)
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

// needs gives the least allowance with which a model is imported, to 1 %.
func needs(tb testing.TB, path string) int64 {
	tb.Helper()
	lo, hi := int64(0), int64(1<<28)
	for hi-lo > hi/100 {
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
