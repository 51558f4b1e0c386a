package features

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// cacheOptions are what a test makes a cache with; 0 means the default.
type cacheOptions struct{ chunk, many, threads, block int }

// cacheBytes writes texts, each with a header, into a cache.
func cacheBytes(t testing.TB, schema *Schema, o cacheOptions, texts ...string) []byte {
	t.Helper()
	var out bytes.Buffer
	var w *CacheWriter
	var sources []CacheSource
	for i, text := range texts {
		r, err := NewReader(strings.NewReader(text), "rows.csv", ReaderOptions{Schema: schema, Chunk: o.block})
		if err != nil {
			t.Fatal(err)
		}
		if w == nil {
			w = NewCacheWriter(&out, r.Layout(), schema, CacheReading{}, o.threads)
			w.chunk, w.many = cmpOr(o.chunk, w.chunk), cmpOr(o.many, w.many)
		}
		var b Block
		for r.Next(&b) == nil {
			b.Split()
			if err := w.Add(&b); err != nil {
				t.Fatal(err)
			}
		}
		w.EndSource()
		sources = append(sources, CacheSource{Name: fmt.Sprintf("rows%d.csv", i), Bytes: r.Bytes(), XXH64: r.Sum64()})
	}
	info, err := w.Finish(sources)
	if err != nil {
		t.Fatal(err)
	}
	if w.Size() != int64(out.Len()) || len(info.Sources) != len(texts) {
		t.Fatalf("size %d of %d bytes, %d sources", w.Size(), out.Len(), len(info.Sources))
	}
	return out.Bytes()
}

func cmpOr(a, b int) int {
	if a != 0 {
		return a
	}
	return b
}

func openBytes(t testing.TB, data []byte) *Cache {
	t.Helper()
	c, err := newCache("rows.ctrd", data)
	if err != nil {
		t.Fatal(err)
	}
	c.unmap = func() error { return nil }
	return c
}

// cachedLines gives what is known of all rows of blocks, a line each.
func cachedLines(in []*Block) (out []string) {
	for _, b := range in {
		for i := range b.Len() {
			row, fields := b.Row(i), []string{}
			for f := range row.Len() {
				fields = append(fields, string(row.Field(f)))
			}
			out = append(out, fmt.Sprintf("%d:%d: %q %v", b.First+int64(i), b.Line(i), fields, b.Err(i)))
		}
	}
	return out
}

// cachedBlocks gives the blocks of a source, of at most n rows.
func cachedBlocks(t testing.TB, c *Cache, source, n int) (out []*Block) {
	t.Helper()
	for k := range c.Chunks() {
		s, _, rows := c.Chunk(k)
		for lo := 0; lo < rows && s == source; lo += n {
			b := new(Block)
			c.ReadRows(b, "rows.csv", k, lo, min(lo+n, rows), nil)
			if err := b.Check(false); err != nil {
				t.Fatal(err)
			}
			b.Split()
			out = append(out, b)
		}
	}
	return out
}

// oddText has all that a line number, a form or a bad row depends on.
const oddText = "a,t,n,y,b,c,w\n" +
	"x,14102100,1,1,long value here,18446744073709551615,1\n" +
	"\n" +
	"x,14102100,1,0,\"two\nlines\",007,1\n" +
	"short,row\n" +
	",,,,,,\n" +
	"y,2014-10-21,2.50,1,\"quo\"\"te\",18446744073709551616,0.5\n" +
	"y,14102101,2.5,0,bad\"quote,9,0.5\n" +
	"z,14102101,-0,1,\xff\xfe,0,2\n"

// What a cache gives back is what was read: fields, lines, faults.
func TestCacheGivesRowsBack(t *testing.T) {
	ids := &Schema{Name: "ids", Comma: ',', Columns: []Column{{"y", Label}, {"c", ID}, {"a", Category}}}
	f := func(text string, schema *Schema, o cacheOptions) {
		t.Helper()
		c := openBytes(t, cacheBytes(t, schema, o, text, oddText))
		for source, text := range []string{text, oddText} {
			want := cachedLines(blocks(t, text, schema))
			for _, n := range []int{1, 3, 100_000} {
				if len(want) > 100 && n < 100 {
					continue
				}
				got := cachedLines(cachedBlocks(t, c, source, n))
				if !slices.Equal(got, want) {
					t.Errorf("%+v, source %d, by %d:\n%s\nwant\n%s", o, source, n, strings.Join(got, "\n"), strings.Join(want, "\n"))
				}
			}
		}
	}
	for _, schema := range []*Schema{testSchema, ids} {
		f(oddText, schema, cacheOptions{})
		f(oddText, schema, cacheOptions{chunk: 2, threads: 3})
		f(oddText, schema, cacheOptions{chunk: 1, many: 1})
	}
	var many strings.Builder
	many.WriteString("a,t,n,y,b,c,w\n")
	for i := range 66_000 {
		fmt.Fprintf(&many, "%d,14102100,%d,1,x,%d,1\n", i%300, i%3, 3*i)
	}
	f(many.String(), testSchema, cacheOptions{threads: 2})
	f(many.String(), ids, cacheOptions{many: 100, chunk: 1000})
}

// The file does not depend on blocks and threads.
func TestCacheIsTheSame(t *testing.T) {
	text := madeUpAvazu(5000)
	want := cacheBytes(t, Avazu(), cacheOptions{chunk: 1024}, text, text)
	for _, o := range []cacheOptions{{chunk: 1024, threads: 4}, {chunk: 1024, block: 700}, {chunk: 1024, block: 10_000, threads: 2}} {
		if !bytes.Equal(cacheBytes(t, Avazu(), o, text, text), want) {
			t.Errorf("%+v: another file", o)
		}
	}
	if perRow := len(want) / 10_000; perRow > 70 {
		t.Errorf("%d bytes a row, want 70 or less", perRow)
	}
}

// A CacheEncoder gives what an Encoder gives, row by row, and calls the same
// rows bad.
func TestCacheEncoderIsEncoder(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		text := rowsText(rt, rapid.IntRange(1, 60).Draw(rt, "rows"))
		layout := testLayout()
		plan := drawPlan(rt, layout)
		spec := collect(t, plan, layout, blocks(t, text, testSchema), 1, CollectOptions{}, FitOptions{Split: "none", Threads: 1}).Spec
		more := text + rapid.SampledFrom([]string{"", "short,row\n,,,,,,\nx,1410,1,1,y,1,1\nx,14102100,?,1,y,1,1\nx,14102100,1,2,y,1,1\nx,14102100,1,1,y,1,-1\nq,14102105,99,0,new,999,1\n"}).Draw(rt, "more")
		c := openBytes(t, cacheBytes(t, testSchema, cacheOptions{
			chunk: rapid.IntRange(1, 40).Draw(rt, "chunk"), many: rapid.SampledFrom([]int{0, 4}).Draw(rt, "many"),
		}, more))
		var keep func(int64, Hour, int) bool
		if rapid.Bool().Draw(rt, "keep") {
			keep = func(row int64, h Hour, y int) bool { return row%3 != 0 && h > 392_592 && (y != 1 || row%5 != 0) }
		}
		want := encodeAll(t, spec, blocks(t, more, testSchema), keep)
		enc, err := c.Encoder(spec)
		if err != nil {
			rt.Fatal(err)
		}
		var got []string
		var b CacheBatch
		step := rapid.IntRange(1, 50).Draw(rt, "step")
		for k := range c.Chunks() {
			_, first, rows := c.Chunk(k)
			for lo := 0; lo < rows; lo += step {
				bad := map[int64]error{}
				err := enc.Read(&b, k, lo, min(lo+step, rows), keep, func(row int, err error) { bad[first+int64(row)] = err })
				if err != nil {
					rt.Fatal(err)
				}
				got = append(got, linesOf(&b, first, len(spec.Fields), bad)...)
			}
		}
		slices.Sort(got)
		if !slices.Equal(got, want) {
			rt.Fatalf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	})
}

// linesOf gives a line for each row of a batch and for each bad one.
func linesOf(b *CacheBatch, first int64, width int, bad map[int64]error) (out []string) {
	for i, row := range b.Rows {
		out = append(out, fmt.Sprint(first+int64(row), b.Y[i], b.W[i], b.Hour[i], b.Codes[i*width:(i+1)*width]))
	}
	for row := range bad {
		out = append(out, fmt.Sprint(row, " bad"))
	}
	return out
}

// encodeAll gives the same lines by the Encoder.
func encodeAll(t *testing.T, spec *Spec, in []*Block, keep func(int64, Hour, int) bool) (out []string) {
	enc, err := spec.Encoder(testLayout())
	if err != nil {
		t.Fatal(err)
	}
	offsets, _ := spec.Offsets()
	ex := spec.NewExample()
	for _, b := range in {
		for i := range b.Len() {
			row, n := b.Row(i), b.First+int64(i)
			h, _, hourErr := enc.Hour(&row)
			y, labelErr := enc.Label(&row)
			if b.Err(i) == nil && hourErr == nil && keep != nil && !keep(n, h, y) {
				continue
			}
			w, _, weightErr := enc.Weight(&row)
			if errors.Join(b.Err(i), hourErr, labelErr, weightErr, enc.Encode(&row, ex)) != nil || y < 0 {
				out = append(out, fmt.Sprint(n, " bad"))
				continue
			}
			codes := slices.Clone(ex.Codes)
			for f := range codes {
				codes[f] += uint32(offsets[f])
			}
			out = append(out, fmt.Sprint(n, uint8(y), w, h, codes))
		}
	}
	slices.Sort(out)
	return out
}
