package features

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// blocks reads text into blocks of about chunk bytes.
func blocks(t testing.TB, text string, schema *Schema) []*Block {
	t.Helper()
	r, err := NewReader(strings.NewReader(text), "rows.csv", ReaderOptions{Schema: schema})
	if err != nil {
		t.Fatal(err)
	}
	var out []*Block
	for {
		b := new(Block)
		err := r.Next(b)
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		b.Split()
		out = append(out, b)
	}
}

// cut divides a block into blocks of n rows, as other chunk sizes would.
func cut(t testing.TB, whole []*Block, layout Layout, n int) []*Block {
	t.Helper()
	var out []*Block
	for _, b := range whole {
		for lo := 0; lo < b.Len(); lo += n {
			c := new(Block)
			c.Reset(layout, b.Name)
			c.First = b.First + int64(lo)
			for i := lo; i < min(lo+n, b.Len()); i++ {
				c.AppendCSV(b.Raw(i), ',')
			}
			out = append(out, c)
		}
	}
	return out
}

var testSchema = &Schema{
	Name:  "test",
	Comma: ',',
	Columns: []Column{
		{"y", Label}, {"t", Time}, {"a", Category}, {"b", Category}, {"n", Number}, {"c", Category}, {"w", Weight},
	},
}

func testLayout() Layout { return Layout{"a", "t", "n", "y", "b", "c", "w"} }

// collect gives blocks to workers in turn and fits.
func collect(t testing.TB, plan *Plan, layout Layout, in []*Block, workers int, co CollectOptions, fo FitOptions) *Fitted {
	t.Helper()
	c, err := NewCollector(plan, layout, co)
	if err != nil {
		t.Fatal(err)
	}
	if keys := c.Keys(); keys != nil {
		countAll(keys, keys.Spec().NewState(), in)
	}
	ws := make([]*CollectWorker, workers)
	for i := range ws {
		ws[i] = c.Worker()
	}
	for i, b := range in {
		ws[(i*7+i/3)%workers].Add(b, 0, func(row int, err error) { t.Fatalf("row %d: %v", row, err) })
	}
	f, err := c.Fit(context.Background(), fo)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// countAll has blocks go through a State, where the plan has history fields.
func countAll(enc *Encoder, s *State, in []*Block) {
	for _, b := range in {
		if s != nil {
			enc.ReadKeys(b)
			s.Count(b)
		}
	}
}

// rowsText draws n rows in testLayout, with few and many values, long ones,
// empty ones, quoted ones.
func rowsText(t *rapid.T, n int) string {
	var b strings.Builder
	b.WriteString("a,t,n,y,b,c,w\n")
	hours := []string{"14102100", "14102101", "2014-10-21 02:00:00", "14102200", "14102123", "2014-10-23"}
	value := rapid.SampledFrom([]string{"x", "y", "85f751fd", "a rather long value indeed", "", `"q,1"`, `"say ""so"""`, "x", "x", "zz", "10", "500", "7"})
	number := rapid.SampledFrom([]string{"", "0", "1", "2.5", "-3", "1e9", "17", "17", "17", "4", "5", "6"})
	for range n {
		fmt.Fprintf(&b, "%s,%s,%s,%d,%s,%d,%s\n", value.Draw(t, "a"), rapid.SampledFrom(hours).Draw(t, "t"), number.Draw(t, "n"),
			rapid.IntRange(0, 1).Draw(t, "y"), value.Draw(t, "b"), rapid.IntRange(0, 50).Draw(t, "c"), rapid.SampledFrom([]string{"1", "0.5", "3"}).Draw(t, "w"))
	}
	return b.String()
}

func drawPlan(t *rapid.T, layout Layout) *Plan { return planOf(t, layout, drawOptions(t)) }

// drawPastPlan may have history fields, which rows of a cache cannot have
// without a look at their text.
func drawPastPlan(t *rapid.T, layout Layout) *Plan {
	o := drawOptions(t)
	if rapid.Bool().Draw(t, "history") {
		o.History, o.HistoryBits = [][]string{{"a", "b"}, {"c"}, {"day", "b"}, {"hour_time"}}, 12
	}
	return planOf(t, layout, o)
}

func drawOptions(t *rapid.T) PlanOptions {
	o := PlanOptions{
		MinCount: rapid.IntRange(0, 3).Draw(t, "mincount"),
		Bits:     rapid.SampledFrom([]int{0, 0, 3, 18}).Draw(t, "bits"),
		Bins:     rapid.SampledFrom([]int{0, 2, 5, 255}).Draw(t, "bins"),
		Values:   rapid.Bool().Draw(t, "values"),
		Crosses:  [][]string{{"a", "b"}, {"c", "hour_time"}, {"b", "n", "c"}},
		Caps:     rapid.SampledFrom([][]string{nil, {"c"}, {"a", "n"}}).Draw(t, "caps"),
		Redact:   rapid.SampledFrom([][]string{nil, nil, {"a"}, {"c", "n", "y"}}).Draw(t, "redact"),
	}
	if rapid.Bool().Draw(t, "parts") {
		o.Include = []string{"month", "a", "dayofweek", "n", "c", "day", "t", "hour_time"}
	}
	return o
}

func planOf(t *rapid.T, layout Layout, o PlanOptions) *Plan {
	p, err := NewPlan(testSchema, layout, o)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// What Fit writes into its tables is what the Encoder of the Spec it fitted
// gives for the same rows, whoever read them and however they were cut.
func TestFitIsEncode(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		text := rowsText(rt, rapid.IntRange(1, 120).Draw(rt, "rows"))
		whole := blocks(t, text, testSchema)
		layout := testLayout()
		co := CollectOptions{Seed: 3}
		if rapid.Bool().Draw(rt, "sample") {
			co.Sample = int64(rapid.IntRange(1, 60).Draw(rt, "size"))
		}
		fo := FitOptions{Split: "random", Fraction: 0.3, Seed: 9, Threads: 2}
		plan := drawPastPlan(rt, layout)
		one := collect(t, plan, layout, whole, 1, co, fo)
		many := collect(t, plan, layout, cut(t, whole, layout, rapid.IntRange(1, 40).Draw(rt, "cut")), 3, co, fo)
		sameFitted(rt, one, many)
		if err := one.Spec.Validate(); err != nil {
			rt.Fatal(err)
		}
		checkEncode(rt, one, whole, layout, &Selection{SampleSeed: co.Seed, SampleLast: one.SampleLast})
		if co.Sample > 0 && one.SampleLast != 0 && int64(one.Train.Rows+one.Test.Rows) != co.Sample {
			rt.Fatalf("%d rows, want a sample of %d", one.Train.Rows+one.Test.Rows, co.Sample)
		}
	})
}

func sameFitted(t *rapid.T, a, b *Fitted) {
	if a.SampleLast != b.SampleLast || a.Holdout != b.Holdout {
		t.Fatalf("sample or holdout differ: %+v, %+v", a.Holdout, b.Holdout)
	}
	for i := range a.Spec.Fields {
		x, y := &a.Spec.Fields[i], &b.Spec.Fields[i]
		if (x.Cap == nil) != (y.Cap == nil) || x.Cap != nil && *x.Cap != *y.Cap || !slices.Equal(x.Bounds, y.Bounds) || x.Mean != y.Mean || x.Scale != y.Scale {
			t.Fatalf("field %s: fitted otherwise: %+v, %+v", x.Name, x, y)
		}
		if x.Dict != nil {
			xb, xo := x.Dict.Tensors()
			yb, yo := y.Dict.Tensors()
			if string(xb) != string(yb) || !slices.Equal(xo, yo) {
				t.Fatalf("field %s: dictionaries differ", x.Name)
			}
		}
	}
	for _, side := range [][2]*Table{{a.Train, b.Train}, {a.Test, b.Test}} {
		x, y := side[0], side[1]
		if !slices.Equal(x.Y, y.Y) || !slices.Equal(x.W, y.W) || !slices.Equal(x.Hour, y.Hour) {
			t.Fatal("labels, weights or hours differ")
		}
		for f := range x.Codes {
			for i := range x.Rows {
				if x.Codes[f].At(i) != y.Codes[f].At(i) {
					t.Fatalf("field %d row %d: %d and %d", f, i, x.Codes[f].At(i), y.Codes[f].At(i))
				}
			}
		}
	}
}

func checkEncode(t *rapid.T, f *Fitted, in []*Block, layout Layout, sel *Selection) {
	enc, err := f.Spec.Encoder(layout)
	if err != nil {
		t.Fatal(err)
	}
	countAll(enc, f.Spec.NewState(), in)
	ex, want := enc.NewExample(), f.Spec.NewExample()
	next := map[*Table]int{}
	for _, b := range in {
		for i := range b.Len() {
			row, key := b.Row(i), RowKey{0, b.First + int64(i)}
			h, _, err := enc.Hour(&row)
			if err != nil {
				t.Fatal(err)
			}
			if !sel.Keep(key, h) {
				continue
			}
			table := f.Train
			if f.Holdout.Test(key, h) {
				table = f.Test
			}
			at := next[table]
			next[table]++
			if err := enc.Encode(&row, ex); err != nil {
				t.Fatal(err)
			}
			table.Example(at, want)
			if !slices.Equal(ex.Codes, want.Codes) {
				t.Fatalf("row %d %q: encoded %v, fitted %v", i, b.Raw(i), ex.Codes, want.Codes)
			}
			for j := range ex.Values {
				if math.Float64bits(ex.Values[j]) != math.Float64bits(want.Values[j]) && (ex.Values[j] == ex.Values[j] || want.Values[j] == want.Values[j]) {
					t.Fatalf("row %d: values %v, fitted %v", i, ex.Values, want.Values)
				}
			}
			y, _ := enc.Label(&row)
			w, _, _ := enc.Weight(&row)
			if y != int(table.Y[at]) || w != table.W[at] || h != Hour(table.Hour[at]) {
				t.Fatalf("row %d: label, weight or hour differ", i)
			}
		}
	}
	for _, b := range in {
		checkEncodeRows(t, enc, b)
	}
	if next[f.Train] != f.Train.Rows || next[f.Test] != f.Test.Rows {
		t.Fatalf("%d and %d rows selected, fitted %d and %d", next[f.Train], next[f.Test], f.Train.Rows, f.Test.Rows)
	}
}

// checkEncodeRows compares encoding of rows together with one by one.
func checkEncodeRows(t *rapid.T, enc *Encoder, b *Block) {
	var rows []int32
	var exs []*Example
	for i := 0; i < b.Len(); i += 1 + i%3 {
		rows, exs = append(rows, int32(i)), append(exs, enc.NewExample())
	}
	if n, err := enc.EncodeRows(b, rows, exs); n != len(rows) || err != nil {
		t.Fatalf("%d rows encoded, want %d: %v", n, len(rows), err)
	}
	ex := enc.NewExample()
	for k, i := range rows {
		row := b.Row(int(i))
		if err := enc.Encode(&row, ex); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(ex.Codes, exs[k].Codes) || fmt.Sprint(ex.Values) != fmt.Sprint(exs[k].Values) {
			t.Fatalf("row %d: %v %v together, %v %v alone", i, exs[k].Codes, exs[k].Values, ex.Codes, ex.Values)
		}
	}
}

// Rows before a bad one are encoded, and the error is the bad one's.
func TestEncodeRowsStopsAtABadRow(t *testing.T) {
	in := blocks(t, "a,t,n,y,b,c,w\nx,14102100,1,0,b,1,1\nx,14102101,2,1,b,2,1\nx,14102100,abc,0,b,1,1\nx,14102101,2,1,b,2,1\n", testSchema)
	plan, err := NewPlan(testSchema, testLayout(), PlanOptions{})
	if err != nil {
		t.Fatal(err)
	}
	good := blocks(t, "a,t,n,y,b,c,w\nx,14102100,1,0,b,1,1\nx,14102101,2,1,b,2,1\n", testSchema)
	f := collect(t, plan, testLayout(), good, 1, CollectOptions{}, FitOptions{Split: "none", Threads: 1})
	enc, err := f.Spec.Encoder(testLayout())
	if err != nil {
		t.Fatal(err)
	}
	exs := []*Example{enc.NewExample(), enc.NewExample(), enc.NewExample(), enc.NewExample()}
	n, err := enc.EncodeRows(in[0], []int32{0, 1, 2, 3}, exs)
	if n != 2 || err == nil || err.Error() != `column n: "abc": want a number or nothing` {
		t.Fatalf("%d rows, %v", n, err)
	}
	if want := f.Train.Codes[0].At(1); exs[1].Codes[0] != want {
		t.Fatalf("row 1: code %d, want %d", exs[1].Codes[0], want)
	}
}
