package features

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// avazuText gives Avazu's real rows, many times over, or made-up ones where
// they are absent.
func avazuText(tb testing.TB, rows int) string {
	shared := os.Getenv("CTR_SHARED")
	if shared == "" {
		shared = filepath.Join("..", "..", "shared")
	}
	text, err := os.ReadFile(filepath.Join(shared, "data", "avazu-34h.csv"))
	if err != nil {
		return madeUpAvazu(rows)
	}
	lines := strings.SplitAfter(string(text), "\n")
	var b strings.Builder
	b.WriteString(lines[0])
	body := lines[1 : len(lines)-1]
	for i := range rows {
		b.WriteString(body[i%len(body)])
	}
	return b.String()
}

func madeUpAvazu(rows int) string {
	var b strings.Builder
	b.WriteString("id,click,hour,C1,banner_pos,site_id,site_domain,site_category,app_id,app_domain,app_category,device_id,device_ip,device_model,device_type,device_conn_type,C14,C15,C16,C17,C18,C19,C20,C21\n")
	for i := range rows {
		h := Murmur3(fmt.Append(nil, i), 1)
		fmt.Fprintf(&b, "%d,%d,141021%02d,1005,%d,%08x,%08x,28905ebd,ecad2386,7801e8d9,07d7df22,a99f214a,%08x,%08x,1,0,%d,320,50,%d,0,35,-1,79\n",
			1000000+i, h%6/5, i*24/rows, h%2, h%500, h%400, h, h%2000, h%600, h%170)
	}
	return b.String()
}

func fitAvazu(tb testing.TB, text string, o PlanOptions) (*Fitted, []*Block, *Encoder) {
	in := blocks(tb, text, Avazu())
	plan, err := NewPlan(Avazu(), in[0].Layout(), o)
	if err != nil {
		tb.Fatal(err)
	}
	f := collect(tb, plan, in[0].Layout(), in, 1, CollectOptions{}, FitOptions{Split: "none", Threads: 1})
	enc, err := f.Spec.Encoder(in[0].Layout())
	if err != nil {
		tb.Fatal(err)
	}
	return f, in, enc
}

// Reading, splitting and encoding allocate nothing in the long run.
func TestEncodeAllocatesNothing(t *testing.T) {
	for _, o := range []PlanOptions{{}, {Bits: 18}, {Crosses: [][]string{{"site_id", "app_id"}, {"hour_time", "C14"}}, Caps: []string{"C21"}}, {History: benchKeys}} {
		f, in, enc := fitAvazu(t, avazuText(t, 2000), o)
		ex, state := enc.NewExample(), f.Spec.NewState()
		n := testing.AllocsPerRun(20, func() {
			countAll(enc, state, in)
			for _, b := range in {
				for i := range b.Len() {
					row := b.Row(i)
					if err := enc.Encode(&row, ex); err != nil {
						t.Fatal(err)
					}
				}
			}
		})
		if n != 0 {
			t.Errorf("%+v: %v allocations, want 0", o, n)
		}
	}
}

// benchKeys are those of history auto, and one more.
var benchKeys = [][]string{{"device_id"}, {"device_ip", "device_model"}, {"device_ip"}}

// BenchmarkState reads and counts three keys a row: ns/key is what one of them
// takes. hash is what threads do side by side, count what they do in turn.
func BenchmarkState(b *testing.B) {
	const rows = 400_000
	in := blocks(b, madeUpAvazu(rows), Avazu()) // each address once
	plan, err := NewPlan(Avazu(), in[0].Layout(), PlanOptions{History: benchKeys})
	if err != nil {
		b.Fatal(err)
	}
	c, err := NewCollector(plan, in[0].Layout(), CollectOptions{})
	if err != nil {
		b.Fatal(err)
	}
	enc, state := c.Keys(), c.Keys().Spec().NewState()
	run := func(name string, do func(*Block)) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			n := 0
			for b.Loop() {
				do(in[n%len(in)])
				n++
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(n)/float64(in[0].Len()*len(benchKeys)), "ns/key")
		})
	}
	countAll(enc, state, in)
	run("hash", enc.ReadKeys)
	run("count", func(blk *Block) { state.Count(blk) })
	if state.Rows() < rows || state.Len() < rows {
		b.Fatalf("%d rows, %d keys: want %d or more", state.Rows(), state.Len(), rows)
	}
}

// BenchmarkEncode encodes split rows; SetBytes is a row's text.
func BenchmarkEncode(b *testing.B) {
	for _, c := range []struct {
		name string
		o    PlanOptions
	}{{"dict", PlanOptions{}}, {"hash", PlanOptions{Bits: 22}}} {
		b.Run(c.name, func(b *testing.B) {
			text := avazuText(b, 100_000)
			_, in, enc := fitAvazu(b, text, c.o)
			ex := enc.NewExample()
			b.SetBytes(int64(len(text) / 100_000))
			b.ReportAllocs()
			b.ResetTimer()
			sum := uint64(0)
			for i, blk, at := 0, 0, 0; i < b.N; i++ {
				row := in[blk].Row(at)
				if err := enc.Encode(&row, ex); err != nil {
					b.Fatal(err)
				}
				sum += uint64(ex.Codes[3])
				if at++; at == in[blk].Len() {
					at = 0
					if blk++; blk == len(in) {
						blk = 0
					}
				}
			}
			if b.N > 100 && sum == 0 {
				b.Fatal("every row encoded to nothing")
			}
		})
	}
}

// BenchmarkCollect reads split rows into provisional codes.
func BenchmarkCollect(b *testing.B) {
	text := avazuText(b, 100_000)
	in := blocks(b, text, Avazu())
	layout := in[0].Layout()
	plan, err := NewPlan(Avazu(), layout, PlanOptions{})
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		c, err := NewCollector(plan, layout, CollectOptions{})
		if err != nil {
			b.Fatal(err)
		}
		w := c.Worker()
		for _, blk := range in {
			w.Add(blk, 0, func(_ int, err error) { b.Fatal(err) })
		}
		if c.Read() != 100_000 {
			b.Fatalf("%d rows", c.Read())
		}
	}
}

// BenchmarkFit turns provisional codes into a Spec and tables.
func BenchmarkFit(b *testing.B) {
	text := avazuText(b, 100_000)
	in := blocks(b, text, Avazu())
	plan, err := NewPlan(Avazu(), in[0].Layout(), PlanOptions{})
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		b.StopTimer()
		c, err := NewCollector(plan, in[0].Layout(), CollectOptions{})
		if err != nil {
			b.Fatal(err)
		}
		w := c.Worker()
		for _, blk := range in {
			w.Add(blk, 0, func(_ int, err error) { b.Fatal(err) })
		}
		b.StartTimer()
		f, err := c.Fit(context.Background(), FitOptions{Split: "time", Fraction: 0.3, Threads: 1})
		if err != nil || f.Train.Rows+f.Test.Rows != 100_000 {
			b.Fatal(err)
		}
	}
}
