package columnar

import (
	"bytes"
	"encoding/csv"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/cespare/xxhash/v2"
	"github.com/klauspost/compress/zstd"

	"ctr/features"
)

// readAll gives the fields of all rows of r, split in blocks of at most max
// rows where it is not 0. A bad row is an error.
func readAll(r *Reader, max int) (rows [][]string, err error) {
	if max > 0 {
		r.max = max
	}
	var b features.Block
	for {
		switch err := r.Next(&b); {
		case errors.Is(err, io.EOF):
			return rows, nil
		case err != nil:
			return rows, err
		}
		if b.First != int64(len(rows)) || b.Len() == 0 {
			return rows, errors.New("block of wrong rows")
		}
		b.Split()
		for i := range b.Len() {
			if err := b.Err(i); err != nil {
				return rows, err
			}
			row := b.Row(i)
			var fields []string
			for k := range row.Len() {
				fields = append(fields, string(row.Field(k)))
			}
			rows = append(rows, fields)
		}
		if len(rows) > 1<<20 {
			return rows, errors.New("too many rows for a test")
		}
	}
}

// fromStdin reads data as if it came through a pipe.
func fromStdin(data []byte, o features.ReaderOptions) (*Reader, error) {
	in, err := features.OpenStdin(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	return NewReader(in, o)
}

// want gives the rows of a file of testdata, without the header.
func want(t testing.TB, name string) (header []string, rows [][]string) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	all, err := csv.NewReader(bytes.NewReader(data)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	return all[0], all[1:]
}

// sameColumns compares the columns of got with those of the same names in
// want's.
func sameColumns(t testing.TB, what string, layout features.Layout, got [][]string, header []string, want [][]string) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d rows, want %d", what, len(got), len(want))
	}
	for k, name := range layout {
		at := slices.Index(header, name)
		if at < 0 {
			t.Fatalf("%s: column %s, want one of %v", what, name, header)
		}
		for i := range want {
			if got[i][k] != want[i][at] {
				t.Errorf("%s: row %d: column %s: %q, want %q", what, i+1, name, got[i][k], want[i][at])
			}
		}
	}
}

// TestFixtures reads what pyarrow wrote (scripts/crosscheck/columnar_fixtures.py):
// from a file, through a pipe, packed, and in blocks of other sizes.
func TestFixtures(t *testing.T) {
	f := func(pattern, text string, files, columns int) {
		t.Helper()
		header, rows := want(t, text)
		paths, err := filepath.Glob(filepath.Join("testdata", pattern))
		if err != nil || len(paths) != files {
			t.Fatalf("%s: %d files, want %d", pattern, len(paths), files)
		}
		for _, path := range paths {
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			in, err := features.Open(path)
			if err != nil {
				t.Fatal(err)
			}
			r, err := NewReader(in, features.ReaderOptions{})
			if err != nil {
				t.Fatal(err)
			}
			got, err := readAll(r, 0)
			if err != nil {
				t.Fatal(err)
			}
			if len(r.Layout()) < columns {
				t.Errorf("%s: %d columns, want %d or more", path, len(r.Layout()), columns)
			}
			sameColumns(t, path, r.Layout(), got, header, rows)
			if r.Bytes() != int64(len(data)) || r.Sum64() != xxhash.Sum64(data) {
				t.Errorf("%s: fingerprint of %d bytes %x, want %d, %x", path, r.Bytes(), r.Sum64(), len(data), xxhash.Sum64(data))
			}
			if r.Rows() != int64(len(rows)) {
				t.Errorf("%s: Rows %d, want %d", path, r.Rows(), len(rows))
			}
			if err := errors.Join(r.Close(), in.Close()); err != nil {
				t.Error(err)
			}
			var packed bytes.Buffer
			z, _ := zstd.NewWriter(&packed)
			_, _ = z.Write(data)
			_ = z.Close()
			for max, data := range map[int][]byte{1: data, 7: packed.Bytes()} {
				r, err := fromStdin(data, features.ReaderOptions{})
				if err != nil {
					t.Fatal(path, err)
				}
				again, err := readAll(r, max)
				if err != nil || !slices.EqualFunc(again, got, slices.Equal) {
					t.Errorf("%s: other rows in blocks of %d: %v", path, max, err)
				}
				if err := r.Close(); err != nil {
					t.Error(err)
				}
			}
		}
	}
	f("rows*.parquet", "rows.csv", 8, 8)
	f("rows*.arrow*", "rows.csv", 2, 24)
	f("rows*.feather", "rows.csv", 1, 24)
	f("types*.parquet", "types.csv", 2, 27)
	f("types.arrows", "types.csv", 1, 28)
	f("types.feather", "types.csv", 1, 28)
}

// TestNeed reads some of the columns: those are whole, the others empty.
func TestNeed(t *testing.T) {
	f := func(file string, names ...string) {
		t.Helper()
		data, err := os.ReadFile(filepath.Join("testdata", file))
		if err != nil {
			t.Fatal(err)
		}
		r, err := fromStdin(data, features.ReaderOptions{})
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		header, rows := want(t, strings.FieldsFunc(file, func(c rune) bool { return c == '.' || c == '-' })[0]+".csv")
		need := make([]bool, len(r.Layout()))
		for i, name := range r.Layout() {
			need[i] = slices.Contains(names, name)
		}
		if err := r.Need(need); err != nil {
			t.Fatal(err)
		}
		got, err := readAll(r, 7)
		if err != nil || len(got) != len(rows) {
			t.Fatalf("%d rows, want %d: %v", len(got), len(rows), err)
		}
		for i, row := range got {
			for k, name := range r.Layout() {
				if want := rows[i][slices.Index(header, name)]; need[k] && row[k] != want || !need[k] && row[k] != "" && len(names) > 0 {
					t.Fatalf("%s: row %d: column %s: %q, want %q", file, i+1, name, row[k], want)
				}
			}
		}
	}
	f("rows-snappy.parquet", "click", "device_ip", "C21")
	f("rows-pages.parquet", "app_id")
	f("rows.feather", "click", "hour")
	f("rows-coded.arrows", "site_id", "click")
	f("types.parquet", "last", "bool")
	f("types.feather", "last", "coded")
	f("rows-plain.parquet") // none: the rows are counted all the same
}

func TestErrors(t *testing.T) {
	read := func(name string) []byte {
		data, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	f := func(data []byte, o features.ReaderOptions, need, want string) {
		t.Helper()
		r, err := fromStdin(data, o)
		if err == nil {
			defer r.Close()
			if need != "" {
				columns := make([]bool, len(r.Layout()))
				columns[slices.Index(r.Layout(), need)] = true
				err = r.Need(columns)
			}
			if err == nil {
				_, err = readAll(r, 0)
			}
		}
		if err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), "stdin:") {
			t.Errorf("%v\nwant stdin: … %s", err, want)
		}
	}
	none := features.ReaderOptions{}
	plain, stream, file := read("rows-plain.parquet"), read("types.arrows"), read("rows.feather")
	f(read("types.parquet"), none, "list", "column list: nested: want text, a number, a boolean or a time")
	f(read("types.parquet"), none, "struct", "column struct: nested")
	f(stream, none, "list", "column list: a list: want text")
	f(stream, none, "struct", "column struct: a struct: want text")
	f(plain, features.ReaderOptions{Columns: features.Layout{"a", "b"}}, "", "24 columns: want the 2 given")
	f(plain[:len(plain)-1], none, "", `damaged: it ends in "`)
	f(plain[:8], none, "", "damaged")
	f(plain[:4], none, "", "damaged: 4 bytes: want a Parquet file's header and footer")
	f([]byte("PARExxxxxxxxxxxxPARE"), none, "", "encrypted Parquet: want it plain")
	f([]byte("FEA1xxxx"), none, "", "no columnar file: want Parquet or Arrow")
	f(stream[:len(stream)/2], none, "", "damaged: cut short after ")
	f(file[:len(file)/2], none, "", "damaged: cut short after ")
	f(file[:len(file)-1], none, "", `want ARROW1 (is it cut short?)`)
	f(file[:20], none, "", "damaged")
	spoilt := bytes.Clone(read("rows-lz4.parquet")) // pages with checksums
	spoilt[60] ^= 1
	f(spoilt, none, "", "stdin: row 1: column id: damaged: page with a wrong checksum")
	twice := bytes.ReplaceAll(stream, []byte("int32"), []byte("dec12"))
	f(bytes.ReplaceAll(twice, []byte("float32"), []byte("float64")), none, "", "column float64: named twice")
}
