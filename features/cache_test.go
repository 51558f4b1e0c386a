package features

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
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
	for i, text := range texts {
		r, err := NewReader(strings.NewReader(text), "rows.csv", ReaderOptions{Schema: schema, chunk: o.block})
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
		if err := w.EndSource(CacheSource{Name: fmt.Sprintf("rows%d.csv", i), Bytes: r.Bytes(), XXH64: r.Sum64()}); err != nil {
			t.Fatal(err)
		}
	}
	info, err := w.Finish()
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
			c.ReadRows(b, "rows.csv", k, lo, min(lo+n, rows))
			if err := b.Check(nil); err != nil {
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
		var keep func(int64, Hour) bool
		if rapid.Bool().Draw(rt, "keep") {
			keep = func(row int64, h Hour) bool { return row%3 != 0 && h > 392_592 }
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
func encodeAll(t *testing.T, spec *Spec, in []*Block, keep func(int64, Hour) bool) (out []string) {
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
			if b.Err(i) == nil && hourErr == nil && keep != nil && !keep(n, h) {
				continue
			}
			y, labelErr := enc.Label(&row)
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

// readAll opens a cache and uses all of it.
func readAll(data []byte, spec *Spec) error {
	c, err := newCache("rows.ctrd", data)
	if err != nil {
		return err
	}
	var b Block
	for k := range c.Chunks() {
		_, _, rows := c.Chunk(k)
		c.ReadRows(&b, "rows.csv", k, 0, rows)
		if err := b.Check(nil); err != nil {
			return err
		}
		b.Split()
		cachedLines([]*Block{&b})
	}
	enc, err := c.Encoder(spec)
	if err != nil {
		return err
	}
	var batch CacheBatch
	for k := range c.Chunks() {
		_, _, rows := c.Chunk(k)
		if err := enc.Read(&batch, k, 0, rows, nil, func(int, error) {}); err != nil {
			return err
		}
	}
	return nil
}

func oddSpec(t testing.TB) *Spec {
	t.Helper()
	plan, err := NewPlan(testSchema, testLayout(), PlanOptions{Bits: 10, Crosses: [][]string{{"a", "b"}}})
	if err != nil {
		t.Fatal(err)
	}
	return &Spec{Schema: *testSchema, Fields: plan.Fields, Bits: 10}
}

// Every flipped byte and every cut is found.
func TestCacheDamage(t *testing.T) {
	data, spec := cacheBytes(t, testSchema, cacheOptions{chunk: 5}, oddText), oddSpec(t)
	if err := readAll(data, spec); err != nil {
		t.Fatal(err)
	}
	for i := range data {
		if isPadding(data, i) {
			continue
		}
		data[i] ^= 0x41
		if err := readAll(data, spec); err == nil {
			t.Errorf("byte %d of %d changed: no error", i, len(data))
		}
		data[i] ^= 0x41
		if err := readAll(data[:i], spec); err == nil {
			t.Errorf("cut after %d of %d bytes: no error", i, len(data))
		}
	}
	for _, c := range []struct{ data, want string }{
		{"", "not a cache"},
		{"id,click\n1,0\n", "not a cache"},
		{cacheMagic, "cut short"},
		{string(data[:8]) + "\x02" + string(data[9:]), "version 2"},
		{string(data[:len(data)-5]), "cut short"},
	} {
		if err := readAll([]byte(c.data), spec); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: error %v, want %q", c.data[:min(9, len(c.data))], err, c.want)
		}
	}
}

// isPadding reports a byte that means nothing: those between columns, and four
// of the head.
func isPadding(data []byte, i int) bool {
	c, err := newCache("", data)
	if err != nil || i < 8 {
		return false
	}
	if i >= 12 && i < 16 {
		return true
	}
	for k := range c.footer.Chunks {
		ch := &c.footer.Chunks[k]
		for col, at := range ch.places {
			size := ch.Lines
			if col < len(ch.Columns) {
				size = &ch.Columns[col]
			}
			if end := at + size.Size; int64(i) >= end && int64(i) < align8(end) {
				return true
			}
		}
	}
	return false
}

func FuzzCache(f *testing.F) {
	spec := oddSpec(f)
	f.Add(cacheBytes(f, testSchema, cacheOptions{chunk: 5}, oddText), uint16(100), byte(3))
	f.Add(cacheBytes(f, testSchema, cacheOptions{chunk: 5, many: 1}, oddText, oddText), uint16(700), byte(0))
	f.Fuzz(func(_ *testing.T, data []byte, at uint16, x byte) {
		_ = readAll(data, spec)
		// The same with checksums made right, so that what they guard is
		// reached.
		if len(data) > 0 {
			data = slices.Clone(data)
			data[int(at)%len(data)] ^= x
			_ = readAll(resum(data), spec)
		}
	})
}

// resum makes the checksums right where the footer can still be read.
func resum(data []byte) []byte {
	n := len(data)
	if n < cacheHead+cacheTail {
		return data
	}
	footer, err := cacheFooterOf(data)
	if err != nil {
		return data
	}
	c := &Cache{data: data}
	if json.Unmarshal(footer, &c.footer) != nil || c.check() != nil {
		return data
	}
	for k := range c.footer.Chunks {
		for col := range c.footer.Chunks[k].Columns {
			d, raw := c.column(k, col)
			d.Sum = sum64(raw)
		}
		if c.footer.Chunks[k].Lines != nil {
			d, raw := c.column(k, c.lines)
			d.Sum = sum64(raw)
		}
	}
	for col := range c.footer.Values {
		v := &c.footer.Values[col]
		v.Sum = sum64(data[v.At : v.At+v.size()])
	}
	at := n - cacheTail - len(footer)
	end, err := cacheEnd(&c.footer, int64(at))
	if err != nil {
		return data
	}
	return append(data[:at], end...)
}

func TestIsCache(t *testing.T) {
	dir := t.TempDir()
	f := func(name, text string, want bool) {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := IsCache(path); got != want {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
		_, err := OpenCache(path)
		if err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: error %v, want one that names it", name, err)
		}
	}
	f("empty", "", false)
	f("text", "id,click\n", false)
	f("head", cacheMagic+"\x01", true)
	if _, err := OpenCache(filepath.Join(dir, "none")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no file: error %v", err)
	}
	path := filepath.Join(dir, "good")
	if err := os.WriteFile(path, cacheBytes(t, testSchema, cacheOptions{}, oddText), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := OpenCache(path)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := cachedLines(cachedBlocks(t, c, 0, 100)), cachedLines(blocks(t, oddText, testSchema)); !slices.Equal(got, want) {
		t.Errorf("rows %q, want %q", got, want)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
}

// BenchmarkCacheEncoder encodes rows of a cache; SetBytes is of rows.
func BenchmarkCacheEncoder(b *testing.B) {
	text := avazuText(b, 200_000)
	c := openBytes(b, cacheBytes(b, Avazu(), cacheOptions{}, text))
	for _, o := range []struct {
		name string
		o    PlanOptions
	}{{"hash", PlanOptions{Bits: 22}}, {"crosses", PlanOptions{Bits: 22, Crosses: [][]string{{"site_id", "app_id"}, {"device_model", "C14"}}}}} {
		b.Run(o.name, func(b *testing.B) {
			plan, err := NewPlan(Avazu(), c.footer.Layout, o.o)
			if err != nil {
				b.Fatal(err)
			}
			enc, err := c.Encoder(&Spec{Schema: *Avazu(), Fields: plan.Fields, Bits: plan.Bits})
			if err != nil {
				b.Fatal(err)
			}
			var batch CacheBatch
			rows := 0
			for b.Loop() {
				for k := range c.Chunks() {
					_, _, n := c.Chunk(k)
					for lo := 0; lo < n; lo += 1024 {
						if err := enc.Read(&batch, k, lo, min(lo+1024, n), nil, func(_ int, err error) { b.Fatal(err) }); err != nil {
							b.Fatal(err)
						}
						rows += len(batch.Rows)
					}
				}
			}
			if rows != b.N*200_000 {
				b.Fatalf("%d rows", rows)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(rows), "ns/row")
		})
	}
}
