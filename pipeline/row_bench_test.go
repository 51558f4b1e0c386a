package pipeline

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"ctr/features"
	"ctr/models"
)

// rowPath is everything that happens to a row between the bytes of a file and
// its probability, on one goroutine.
type rowPath struct {
	text   []byte
	schema features.Schema
	rows   *rowScorer
	block  features.Block
	sum    float64
}

func newRowPath(tb testing.TB, algo string, rows int64) *rowPath {
	dir := tb.TempDir()
	path := synthetic(tb, dir, "rows.csv", rows, 1)
	o := TrainOptions{Algo: algo, Split: "none"}
	o.Files = []string{path}
	o.Model.Trees = 20
	o.settle()
	r := train(tb, o)
	text, err := os.ReadFile(path)
	if err != nil {
		tb.Fatal(err)
	}
	p := &rowPath{text: text, schema: r.Artifact.Spec.Schema, rows: newRowScorer(r.Artifact.Model, r.Artifact.Spec)}
	rd := p.reader(tb)
	if p.rows.enc, err = r.Artifact.Spec.Encoder(rd.Layout()); err != nil {
		tb.Fatal(err)
	}
	p.rows.done = func(_ *features.Row, _ int, probability float64) { p.sum += probability }
	p.rows.fail = func(_ int, err error) { tb.Fatal(err) }
	return p
}

func (p *rowPath) reader(tb testing.TB) *features.Reader {
	rd, err := features.NewReader(bytes.NewReader(p.text), "rows.csv", features.ReaderOptions{Schema: &p.schema})
	if err != nil {
		tb.Fatal(err)
	}
	return rd
}

// next scores one block and gives its rows and the sum of probabilities.
func (p *rowPath) next(tb testing.TB, rd *features.Reader) (n int, sum float64, ok bool) {
	if err := rd.Next(&p.block); err != nil {
		if !errors.Is(err, io.EOF) {
			tb.Fatal(err)
		}
		return 0, 0, false
	}
	p.block.Split()
	p.sum = 0
	for i := range p.block.Len() {
		p.rows.add(&p.block, i)
	}
	p.rows.flush(&p.block)
	return p.block.Len(), p.sum, true
}

// Nothing is allocated for a row on its way from text to probability.
func TestRowPathAllocatesNothing(t *testing.T) {
	for _, algo := range []string{"lr", "dt", "rf"} {
		p := newRowPath(t, algo, 20_000)
		rd := p.reader(t)
		p.next(t, rd) // grows the block
		rows := 0
		n := testing.AllocsPerRun(1, func() {
			k, _, _ := p.next(t, rd)
			rows += k
		})
		if rows < 1000 {
			t.Fatalf("%s: %d rows read: want some thousands", algo, rows)
		}
		if n != 0 {
			t.Errorf("%s: %v allocations for %d rows, want 0", algo, n, rows)
		}
	}
}

// BenchmarkRow parses, encodes and scores one row on one goroutine, with models
// trained on 20,000 and 200,000 synthetic rows. The dictionaries of the larger
// one (130,000 device_ips alone) do not fit into the second-level cache.
func BenchmarkRow(b *testing.B) {
	for _, algo := range []string{"lr", "dt", "rf"} {
		for _, rows := range []int64{20_000, 200_000} {
			b.Run(fmt.Sprintf("%s/%dk", algo, rows/1000), func(b *testing.B) {
				p := newRowPath(b, algo, rows)
				rd, mean, n := p.reader(b), 0.0, 0
				b.SetBytes(int64(len(p.text)) / rows)
				b.ReportAllocs()
				b.ResetTimer()
				for i := 0; i < b.N; {
					k, sum, ok := p.next(b, rd)
					if !ok {
						rd = p.reader(b)
					}
					i, n, mean = i+k, n+k, mean+sum
				}
				b.StopTimer()
				if mean /= float64(n); b.N > 100_000 && (mean < 0.1 || mean > 0.25) {
					b.Fatalf("mean probability %v", mean)
				}
			})
		}
	}
}

// BenchmarkTrain trains lr from the bytes of a file.
func BenchmarkTrain(b *testing.B) {
	path := synthetic(b, b.TempDir(), "rows.csv", 200_000, 1)
	info, err := os.Stat(path)
	if err != nil {
		b.Fatal(err)
	}
	for _, algo := range []string{"lr", "dt"} {
		b.Run(algo, func(b *testing.B) {
			b.SetBytes(info.Size())
			for b.Loop() {
				o := TrainOptions{Algo: algo}
				o.Files = []string{path}
				r, err := Train(context.Background(), o, nil)
				if err != nil || r.Test.LogLoss > 0.46 {
					b.Fatal(err, r.Test.LogLoss)
				}
			}
		})
	}
}

// numbers writes rows with numbers, some of them missing, to a file in
// Criteo's layout.
func numbers(t testing.TB, dir string, rows int) string {
	t.Helper()
	var b bytes.Buffer
	rng := rand.New(rand.NewPCG(1, 2))
	for range rows {
		x := rng.IntN(40)
		y := 0
		if rng.IntN(60) < x {
			y = 1
		}
		fmt.Fprintf(&b, "%d\t%d", y, x)
		for j := range 12 {
			if rng.IntN(3) == 0 {
				b.WriteByte('\t')
				continue
			}
			fmt.Fprintf(&b, "\t%d", rng.IntN(10*j+2)-1)
		}
		for j := range 26 {
			fmt.Fprintf(&b, "\t%08x", rng.IntN(1<<(j%18))*x)
		}
		b.WriteByte('\n')
	}
	path := filepath.Join(dir, "numbers.tsv")
	if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// Scoring a table gives the bits of scoring row by row.
func TestProbabilitiesAreProbability(t *testing.T) {
	dir := t.TempDir()
	for _, path := range []string{synthetic(t, dir, "rows.csv", 6000, 2), numbers(t, dir, 5000)} {
		for _, algo := range []string{"lr", "dt", "rf"} {
			for _, bits := range []int{0, 20} {
				o := TrainOptions{Algo: algo, Split: "none", Bits: bits}
				o.Files, o.Model.Trees = []string{path}, 9
				o.settle()
				o.briefly()
				sameAlone(t, o)
			}
		}
	}
}

func sameAlone(t *testing.T, o TrainOptions) {
	t.Helper()
	pr, err := o.prepare(context.Background(), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	a, err := models.Lookup(o.Algo)
	if err != nil {
		t.Fatal(err)
	}
	m, err := a.Train(context.Background(), pr.Train, o.Model, nil)
	if err != nil {
		t.Fatal(err)
	}
	got, err := Probabilities(context.Background(), m, pr.Train, 3)
	if err != nil || len(got) != pr.Train.Rows {
		t.Fatal(len(got), err)
	}
	ex, different := pr.Spec.NewExample(), map[float64]bool{}
	for i := range got {
		pr.Train.Example(i, ex)
		if want := m.Probability(ex); got[i] != want {
			t.Fatalf("%s: row %d: %v in a table, %v alone", o.Algo, i, got[i], want)
		}
		different[got[i]] = true
	}
	if len(different) < 3 {
		t.Fatalf("%s: %d different probabilities", o.Algo, len(different))
	}
}

// BenchmarkForest scores a table with 100 trees, row by row and as a table, on
// one thread.
func BenchmarkForest(b *testing.B) {
	path := synthetic(b, b.TempDir(), "rows.csv", 100_000, 2)
	o := TrainOptions{Algo: "rf", Split: "none"}
	o.Files = []string{path}
	pr, err := o.prepare(context.Background(), nil, nil)
	if err != nil {
		b.Fatal(err)
	}
	a, err := models.Lookup("rf")
	if err != nil {
		b.Fatal(err)
	}
	m, err := a.Train(context.Background(), pr.Train, o.Model, nil)
	if err != nil {
		b.Fatal(err)
	}
	plain := struct{ models.Model }{m}
	for range 2 {
		for name, way := range map[string]models.Model{"rows": plain, "table": m} {
			b.Run(name, func(b *testing.B) {
				for b.Loop() {
					p, err := Probabilities(context.Background(), way, pr.Train, 1)
					if err != nil || len(p) != pr.Train.Rows {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*pr.Train.Rows), "ns/row")
			})
		}
	}
}
