package features

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

func gzipped(t testing.TB, text []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, err := w.Write(text)
	if err = errors.Join(err, w.Close()); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func zstded(t testing.TB, text []byte, o ...zstd.EOption) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := zstd.NewWriter(&b, o...)
	if err != nil {
		t.Fatal(err)
	}
	_, err = w.Write(text)
	if err = errors.Join(err, w.Close()); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestOpen(t *testing.T) {
	dir := t.TempDir()
	text := handMade(3000, "\n")
	f := func(name string, packed, want []byte) {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, packed, 0o600); err != nil {
			t.Fatal(err)
		}
		in, err := Open(path)
		if err != nil {
			t.Fatal(err)
		}
		if in.Name() != path || in.Size() != int64(len(packed)) {
			t.Fatalf("name %s, size %d, want %d", in.Name(), in.Size(), len(packed))
		}
		got, err := io.ReadAll(in)
		if err != nil || !bytes.Equal(got, want) || in.Pos() != in.Size() {
			t.Fatalf("%d bytes, want %d; at %d of %d; %v", len(got), len(want), in.Pos(), in.Size(), err)
		}
		if err := errors.Join(in.Close(), in.Close()); err != nil {
			t.Fatal(err)
		}
		// The same by standard input, a byte at a time.
		short := packed[:min(len(packed), 5000)]
		in, err = OpenStdin(iotest.OneByteReader(bytes.NewReader(short)))
		if err != nil || in.Name() != "stdin" || in.Size() != 0 {
			t.Fatal(err)
		}
		got, _ = io.ReadAll(in)
		if !bytes.HasPrefix(want, got) || len(short) == len(packed) && len(got) != len(want) {
			t.Fatalf("%d bytes, want %d", len(got), len(want))
		}
		if err := in.Close(); err != nil {
			t.Fatal(err)
		}
	}
	half := len(text) / 2
	f("plain.csv", text, text)
	f("empty.csv", nil, nil)
	f("short.csv", []byte("a"), []byte("a"))
	f("x.csv.gz", gzipped(t, text), text)
	f("two.csv.gz", append(gzipped(t, text[:half]), gzipped(t, text[half:])...), text)
	f("x.csv.zst", zstded(t, text), text)
	f("two.csv.zst", append(zstded(t, text[:half]), zstded(t, text[half:])...), text)
	f("skip.csv.zst", append([]byte{0x53, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 'a', 'b', 'c'}, zstded(t, text)...), text)
	f("misnamed.gz", []byte("a,b\n"), []byte("a,b\n"))
}

func TestOpenErrors(t *testing.T) {
	dir := t.TempDir()
	open := func(name string, data []byte) error {
		path := filepath.Join(dir, name)
		if data != nil {
			if err := os.WriteFile(path, data, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		in, err := Open(path)
		if err != nil {
			return err
		}
		defer in.Close() // only read
		r, err := NewReader(in, path, ReaderOptions{Schema: Avazu()})
		for b := new(Block); err == nil; {
			err = r.Next(b)
		}
		return err
	}
	f := func(name string, data []byte, want string, cause error) {
		t.Helper()
		err := open(name, data)
		if err == nil || !strings.HasPrefix(err.Error(), filepath.Join(dir, name)+": "+want) {
			t.Fatalf("%v\nwant %s", err, want)
		}
		if cause != nil && !errors.Is(err, cause) {
			t.Fatalf("%v: want a %v", err, cause)
		}
	}
	text := handMade(3000, "\n")
	gz, zst := gzipped(t, text), zstded(t, text, zstd.WithEncoderCRC(true))
	spoilt := func(b []byte, at int) []byte {
		b = bytes.Clone(b)
		b[at] ^= 0x55
		return b
	}
	f("missing.csv", nil, "no such file or directory", os.ErrNotExist)
	f("", nil, "a folder: want a file", nil)
	f("cut.gz", gz[:len(gz)/2], "gzip data cut short after ", io.ErrUnexpectedEOF)
	f("cut8.gz", gz[:8], "gzip data cut short after 8 bytes", io.ErrUnexpectedEOF)
	f("cutsum.gz", gz[:len(gz)-3], "gzip data cut short after ", io.ErrUnexpectedEOF)
	f("cut.zst", zst[:len(zst)/2], "zstd data cut short after ", io.ErrUnexpectedEOF)
	f("sum.gz", spoilt(gz, len(gz)-6), "gzip data damaged before byte ", gzip.ErrChecksum)
	f("sum.zst", spoilt(zst, len(zst)-2), "zstd data damaged before byte ", zstd.ErrCRCMismatch)
	f("method.gz", spoilt(gz, 2), "gzip data damaged before byte ", gzip.ErrHeader)
	f("tail.gz", append(bytes.Clone(gz), "garbage"...), "gzip data ", nil)
	for at := 10; at < len(gz); at += len(gz) / 12 {
		if err := open("body.gz", spoilt(gz, at)); errors.Is(err, io.EOF) {
			t.Fatalf("gzip: byte %d is wrong, and no error", at)
		}
	}
	for at := 4; at < len(zst); at += len(zst) / 12 {
		if err := open("body.zst", spoilt(zst, at)); errors.Is(err, io.EOF) {
			t.Fatalf("zstd: byte %d is wrong, and no error", at)
		}
	}
	f("x.zip", []byte("PK\x03\x04xxxx"), "a zip archive: want CSV or TSV, plain, gzip or zstd", nil)
	f("x.bz2", []byte("BZh9xxxx"), "bzip2 data: want CSV or TSV, plain, gzip or zstd", nil)
	f("x.xz", []byte("\xfd7zXZ\x00"), "xz data: want CSV or TSV, plain, gzip or zstd", nil)
	if _, err := OpenStdin(iotest.ErrReader(errors.New("gone"))); err == nil || err.Error() != "stdin: gone" {
		t.Fatal(err)
	}
}
