package features

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// readAll opens a cache and uses all of it.
func readAll(data []byte, spec *Spec) error {
	c, err := newCache("rows.ctrd", data)
	if err != nil {
		return err
	}
	var b Block
	for k := range c.Chunks() {
		_, _, rows := c.Chunk(k)
		c.ReadRows(&b, "rows.csv", k, 0, rows, nil)
		if err := b.Check(false); err != nil {
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
	if _, err := Open(path); err == nil || !strings.Contains(err.Error(), "a cache of ctr: want CSV") {
		t.Errorf("opened as text: error %v", err)
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
