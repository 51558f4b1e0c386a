package pipeline

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"testing"

	"ctr/features"
	"ctr/models"
)

// rowPath is everything that happens to a row between the bytes of a file and
// its probability, on one goroutine.
type rowPath struct {
	text   []byte
	schema features.Schema
	model  interface {
		Probability(ex *features.Example) float64
	}
	enc   *features.Encoder
	ex    *features.Example
	block features.Block
}

func newRowPath(tb testing.TB, algo string, rows int64) *rowPath {
	dir := tb.TempDir()
	path := synthetic(tb, dir, "rows.csv", rows, 1)
	o := TrainOptions{Algo: algo, Split: "none"}
	o.Files = []string{path}
	o.Model.Trees = 20
	r := train(tb, o)
	text, err := os.ReadFile(path)
	if err != nil {
		tb.Fatal(err)
	}
	p := &rowPath{text: text, schema: r.Artifact.Spec.Schema, model: r.Artifact.Model}
	rd := p.reader(tb)
	if p.enc, err = r.Artifact.Spec.Encoder(rd.Layout()); err != nil {
		tb.Fatal(err)
	}
	p.ex = p.enc.NewExample()
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
	for i := range p.block.Len() {
		row := p.block.Row(i)
		if err := p.enc.Encode(&row, p.ex); err != nil {
			tb.Fatal(err)
		}
		sum += p.model.Probability(p.ex)
	}
	return p.block.Len(), sum, true
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

// BenchmarkRow parses, encodes and scores one row on one goroutine; its model
// was trained on 200,000 synthetic rows.
func BenchmarkRow(b *testing.B) {
	for _, algo := range []string{"lr", "dt", "rf"} {
		b.Run(algo, func(b *testing.B) {
			p := newRowPath(b, algo, 200_000)
			rd, mean, rows := p.reader(b), 0.0, 0
			b.SetBytes(int64(len(p.text) / 200_000))
			b.ReportAllocs()
			b.ResetTimer()
			for i := 0; i < b.N; {
				n, sum, ok := p.next(b, rd)
				if !ok {
					rd = p.reader(b)
				}
				i, rows, mean = i+n, rows+n, mean+sum
			}
			b.StopTimer()
			if mean /= float64(rows); b.N > 100_000 && (mean < 0.1 || mean > 0.25) {
				b.Fatalf("mean probability %v", mean)
			}
		})
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

// Scoring in blocks gives the bits of scoring row by row.
func TestProbabilitiesAreProbability(t *testing.T) {
	path := synthetic(t, t.TempDir(), "rows.csv", 3000, 2)
	for _, algo := range []string{"lr", "dt", "rf"} {
		o := TrainOptions{Algo: algo, Split: "none"}
		o.Files, o.Model.Trees = []string{path}, 9
		pr, err := o.prepare(context.Background(), nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		a, err := models.Lookup(algo)
		if err != nil {
			t.Fatal(err)
		}
		m, err := a.Train(context.Background(), pr.Train, o.Model, nil)
		if err != nil {
			t.Fatal(err)
		}
		got, err := Probabilities(context.Background(), m, pr.Train, 3)
		if err != nil {
			t.Fatal(err)
		}
		ex := pr.Spec.NewExample()
		for i := range got {
			pr.Train.Example(i, ex)
			if want := m.Probability(ex); got[i] != want {
				t.Fatalf("%s: row %d: %v in a block, %v alone", algo, i, got[i], want)
			}
		}
	}
}

// BenchmarkForest scores 512 rows of a table with 100 trees.
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
	s := newBlockScorer(m, pr.Spec)
	p := make([]float64, predictBlock)
	for _, way := range []string{"rows", "block", "rows", "block"} {
		b.Run(way, func(b *testing.B) {
			if s.block = nil; way == "block" {
				s.block = m.(models.BlockModel)
			}
			lo := 0
			for b.Loop() {
				for i := range s.ex {
					pr.Train.Example(lo+i, s.ex[i])
				}
				s.score(p)
				if lo += predictBlock; lo+predictBlock > pr.Train.Rows {
					lo = 0
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/predictBlock, "ns/row")
		})
	}
}
