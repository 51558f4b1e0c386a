package pipeline

import (
	"bytes"
	"path/filepath"
	"testing"

	"ctr/models"
)

// Rows are the same rows in whatever form they come: the model has the same
// bytes, but for what it says of where they came from, at any number of
// threads.
func TestColumnarModelIsTheSame(t *testing.T) {
	fixtures := filepath.Join("..", "features", "columnar", "testdata")
	f := func(change func(o *TrainOptions), files ...string) {
		t.Helper()
		var first []byte
		for _, file := range files {
			for _, threads := range []int{1, 3} {
				out := filepath.Join(t.TempDir(), "m.ctr")
				o := TrainOptions{Algo: "lr", Out: out}
				o.Files, o.Threads, o.Seed, o.Split = []string{filepath.Join(fixtures, file)}, threads, 5, "random"
				change(&o)
				o.briefly()
				r := train(t, o)
				a, err := models.Open(out)
				if err != nil {
					t.Fatal(err)
				}
				a.Data = nil
				model, err := a.Encode()
				if err != nil {
					t.Fatal(err)
				}
				if first == nil {
					first = model
				}
				if !bytes.Equal(model, first) {
					t.Errorf("%s, %s, %d threads: another model than of %s", o.Algo, file, threads, files[0])
				}
				if r.Test == nil {
					continue
				}
				e, err := Evaluate(t.Context(), EvaluateOptions{Model: out}, nil)
				if err != nil {
					t.Fatal(err)
				}
				same(t, file, &e.Metrics, r.Test)
			}
		}
	}
	all := []string{
		"rows.csv", "rows-snappy.parquet", "rows-plain.parquet", "rows-v2-zstd.parquet", "rows-delta.parquet",
		"rows-lz4.parquet", "rows.feather", "rows-batches.arrow", "rows-coded.arrows",
	}
	f(func(*TrainOptions) {}, all...)
	f(func(o *TrainOptions) { o.Algo, o.Split = "rf", "none" }, all...)
	f(func(o *TrainOptions) { o.Model.Solver, o.Rows = "ftrl", 0 }, all...)
	f(func(o *TrainOptions) { o.Algo, o.Rows = "dt", 40 }, all...)
	f(func(o *TrainOptions) { o.Include = []string{"site_id", "hour_time"} }, "rows-groups-gzip.parquet", "rows-pages.parquet", "rows.csv", "rows.feather")
}
