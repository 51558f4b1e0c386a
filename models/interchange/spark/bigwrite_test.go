package spark

import (
	"archive/tar"
	"compress/gzip"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"ctr/features"
	"ctr/features/columnar"
	"ctr/models/trees"
)

// bigColumns are those of a model like the one in shared/spark.
var bigColumns = []string{"site_id", "app_id", "device_id", "device_ip"}

// denseVector is a VectorUDT.
func denseVector(name string, v []float64) columnar.Out {
	return columnar.Out{Name: name, Children: []columnar.Out{
		{Name: "type", Kind: columnar.OutInt8, Numbers: []float64{1}},
		{Name: "size", Kind: columnar.OutInt32, Numbers: []float64{0}},
		{Name: "indices", Kind: columnar.OutInt32, Ends: []int{0}},
		{Name: "values", Kind: columnar.OutDouble, Numbers: v, Ends: []int{len(v)}},
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
					{Name: "colPtrs", Kind: columnar.OutInt32, Ends: []int{0}},
					{Name: "rowIndices", Kind: columnar.OutInt32, Ends: []int{0}},
					{Name: "values", Kind: columnar.OutDouble, Numbers: w, Ends: []int{len(w)}},
					num("isTransposed", columnar.OutBool, 1),
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

// hexLabel gives labels that look like hashes.
func hexLabel(k int) []byte {
	return fmt.Appendf(nil, "%08x", uint32(k+1)*2654435761)
}
