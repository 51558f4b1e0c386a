package models

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
)

// sampleFile has every type, a scalar, an empty tensor and awkward strings.
func sampleFile(t testing.TB) *File {
	t.Helper()
	f := NewFile()
	for _, err := range []error{
		f.PutF64("w", []int{2, 2}, []float64{1, -0.5, math.Inf(1), math.SmallestNonzeroFloat64}),
		f.PutF32("f32", nil, []float32{0.25}),
		f.PutU8("bytes", nil, []byte("abc")),
		f.PutU16("u16", nil, []uint16{1, 65535}),
		f.PutU32("u32", nil, []uint32{math.MaxUint32}),
		f.PutU64("u64", []int{}, []uint64{math.MaxUint64}),
		f.PutI32("i32", []int{3, 0}, []int32{}),
		f.PutI64("i64", nil, []int64{math.MinInt64}),
		f.SetMeta("note", "quote \" backslash \\ newline \n ünïcödé \u2028 <&>"),
		f.PutSettings(struct{ Rate float64 }{0.1}),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	return f
}

func sampleBytes(t testing.TB) []byte {
	t.Helper()
	b, err := sampleFile(t).Bytes()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func readBytes(b []byte) (*File, error) { return ReadFile(bytes.NewReader(b), int64(len(b))) }

func TestFileRoundTrip(t *testing.T) {
	b := sampleBytes(t)
	f, err := readBytes(b)
	if err != nil {
		t.Fatal(err)
	}
	w, shape, err := f.F64("w")
	if err != nil || !slices.Equal(shape, []int{2, 2}) || w[2] != math.Inf(1) || w[3] != math.SmallestNonzeroFloat64 {
		t.Errorf("w: %v %v %v", w, shape, err)
	}
	f32, err := f.F32Vec("f32", 1)
	if err != nil || f32[0] != 0.25 {
		t.Errorf("f32: %v %v", f32, err)
	}
	u8, err := f.U8Vec("bytes", 3)
	if err != nil || string(u8) != "abc" {
		t.Errorf("bytes: %v %v", u8, err)
	}
	u16, err := f.U16Vec("u16", -1)
	if err != nil || u16[1] != 65535 {
		t.Errorf("u16: %v %v", u16, err)
	}
	u32, err := f.U32Vec("u32", 1)
	if err != nil || u32[0] != math.MaxUint32 {
		t.Errorf("u32: %v %v", u32, err)
	}
	u64, shape, err := f.U64("u64")
	if err != nil || len(shape) != 0 || u64[0] != math.MaxUint64 {
		t.Errorf("u64: %v %v %v", u64, shape, err)
	}
	i32, shape, err := f.I32("i32")
	if err != nil || len(i32) != 0 || !slices.Equal(shape, []int{3, 0}) {
		t.Errorf("i32: %v %v %v", i32, shape, err)
	}
	i64, err := f.I64Vec("i64", 1)
	if err != nil || i64[0] != math.MinInt64 {
		t.Errorf("i64: %v %v", i64, err)
	}
	var s struct{ Rate float64 }
	if err := f.Settings(&s); err != nil || s.Rate != 0.1 {
		t.Errorf("settings: %v %v", s, err)
	}
	want := sampleFile(t)
	if f.Meta("note") != want.Meta("note") || !slices.Equal(f.MetaKeys(), []string{"note", "settings"}) {
		t.Errorf("metadata %v", f.MetaKeys())
	}
	if !reflect.DeepEqual(f.Tensors(), want.Tensors()) || !f.Has("w") || f.Has("v") {
		t.Errorf("tensors %v: want %v", f.Tensors(), want.Tensors())
	}
	again, err := f.Bytes()
	if err != nil || !bytes.Equal(again, b) {
		t.Errorf("written again: %v, other bytes", err)
	}
}

// TestFileGolden holds the format itself: who changes it must give it another
// version. The sum is what scripts/crosscheck/modelfile.py computes.
func TestFileGolden(t *testing.T) {
	f := NewFile()
	f.PutU8("b", nil, []byte{7})
	f.PutF64("a", []int{1, 2}, []float64{1, 2})
	f.PutU8("c", nil, []byte{8})
	f.SetMeta("key", "a\"\t\u2028")
	b, err := f.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	const sum = "9404b1e4c85f51bc9a2b83b7438da6a89356d07750fb554b21859cf9ace8fd10"
	header := `{"__metadata__":{"format":"ctr-model","key":"a\"\u0009` + "\u2028" + `","sha256":"` + sum + `","version":"1"},` +
		`"a":{"dtype":"F64","shape":[1,2],"data_offsets":[0,16]},` +
		`"b":{"dtype":"U8","shape":[1],"data_offsets":[16,17]},` +
		`"c":{"dtype":"U8","shape":[1],"data_offsets":[17,18]}}`
	header += strings.Repeat(" ", (8-len(header)%8)%8)
	want := binary.LittleEndian.AppendUint64(nil, uint64(len(header)))
	want = append(want, header...)
	want = append(want, "\x00\x00\x00\x00\x00\x00\xf0\x3f\x00\x00\x00\x00\x00\x00\x00\x40\x07\x08"...)
	if !bytes.Equal(b, want) {
		t.Errorf("got  %q\nwant %q", b, want)
	}
}

// TestFileDamage cuts the file at every length, adds to it, and changes every
// byte in ways that find every bit: all must be errors, of a kind that says
// what is wrong.
func TestFileDamage(t *testing.T) {
	b := sampleBytes(t)
	f := func(what string, damaged []byte) {
		t.Helper()
		_, err := readBytes(damaged)
		if err == nil {
			t.Fatalf("%s: no error", what)
		}
		for _, kind := range []string{"not a ctr model: ", "cut short: ", "damaged: ", "version "} {
			if strings.HasPrefix(err.Error(), kind) {
				return
			}
		}
		t.Fatalf("%s: %v", what, err)
	}
	for n := range b {
		f(fmt.Sprintf("%d bytes", n), b[:n])
	}
	f("one byte more", append(slices.Clone(b), 0))
	flipped := slices.Clone(b)
	for i := range b {
		for bit := range 8 {
			flipped[i] = b[i] ^ 1<<bit
			f(fmt.Sprintf("byte %d bit %d", i, bit), flipped)
		}
		for _, c := range []byte(" \t\n0\x00") {
			if flipped[i] = c; c != b[i] {
				f(fmt.Sprintf("byte %d is %q", i, c), flipped)
			}
		}
		flipped[i] = b[i]
	}
	if _, err := readBytes(flipped); err != nil {
		t.Fatal(err)
	}
}

// container makes a file of this header.
func container(header, data string) []byte {
	return append(binary.LittleEndian.AppendUint64(nil, uint64(len(header))), header+data...)
}

func TestReadFileErrors(t *testing.T) {
	f := func(b []byte, want string) {
		t.Helper()
		_, err := readBytes(b)
		if err == nil || err.Error() != want {
			t.Errorf("%.60q: error %v\nwant %s", b, err, want)
		}
	}
	f(nil, "not a ctr model: the file is empty")
	f([]byte("id,click,hour,C1\n1,0,14102100,1005\n"), `not a ctr model: this is text, "id,click,hour,C1\n1,0,14102100,1005\n"`)
	f([]byte("ab"), `not a ctr model: this is text, "ab"`)
	f([]byte("\x1f\x8b\x08\x00\x00"), "not a ctr model: this is gzip data")
	f([]byte("\x28\xb5\x2f\xfd\x00"), "not a ctr model: this is Zstandard data")
	f([]byte("PK\x03\x04..............."), "not a ctr model: this is a zip file")
	f([]byte("PAR1.............."), "not a ctr model: this is a Parquet file")
	f([]byte("\x80\x04\x95\x00\x00\x00\x00\x00\x00\x00"), "not a ctr model: it begins with bytes 80 04 95 00 00 00 00 00")
	f(append(binary.LittleEndian.AppendUint64(nil, maxHeader+1), '{'), "not a ctr model: it begins with bytes 01 e1 f5 05 00 00 00 00")
	f(append(binary.LittleEndian.AppendUint64(nil, 1234), '{'), "cut short: 9 bytes: want at least 1,242")
	f(container(`{}`, ""), "not a ctr model: a safetensors file that does not name its format")
	f(container(`{"__metadata__":{"format":"pt"}}`, ""), `not a ctr model: a safetensors file of format "pt"`)
	f(container(`{"a":3}`, ""), `not a ctr model: header: tensor "a": json: cannot unmarshal number into Go value of type models.entry`)

	meta := func(version string) string {
		return `"__metadata__":{"format":"ctr-model","version":"` + version + `"}`
	}
	f(container(`{`+meta("7")+`}`, ""), "version 7: want 1")
	f(container(`{`+meta("0")+`}`, ""), `damaged: version "0": want 1`)
	f(container(`{`+meta("")+`}`, ""), `damaged: version "": want 1`)
	f(container(`{`+meta("1")+`,`+meta("1")+`}`, ""), "damaged: header: __metadata__ twice")
	f(container(`{"__metadata__":{"format":"ctr-model","a":"1","a":"2"}}`, ""), `damaged: header: metadata "a" twice`)
	f(container(`{"__metadata__":{"format":"ctr-model","a":1}}`, ""),
		`damaged: header: metadata "a": json: cannot unmarshal number into Go value of type string`)
	f(container(`{`+meta("1")+`}x`, ""), "damaged: header: want nothing but spaces after the JSON object")
	f(container("{"+meta("1")+"\xff}", ""), "damaged: header: want UTF-8")
	f(container(`{`+meta("1")+`}`, ""),
		`damaged: sha256 e75f61cdd2cdb2d482d581b143670513068a6a0f365f3ac74624fb9edfa5103f of the content: want ""`)

	tensors := func(list string, data string) []byte { return container(`{`+meta("1")+`,`+list+`}`, data) }
	one := `{"dtype":"U8","shape":[2],"data_offsets":[0,2]}`
	f(tensors(`"a":`+one+`,"a":`+one, "xx"), `damaged: header: tensor "a" twice`)
	f(tensors(`"a":`+one+`,"b":`+one, "xx"),
		`damaged: header: tensor "b": data_offsets [0 2]: want a begin at 2, where the one before ends`)
	f(tensors(`"a":`+one+`,"b":{"dtype":"U8","shape":[1],"data_offsets":[3,4]}`, "xxxx"),
		`damaged: header: tensor "b": data_offsets [3 4]: want a begin at 2, where the one before ends`)
	f(tensors(`"a":`+one, "x"), "cut short: 114 bytes: want 115")
	f(tensors(`"a":`+one, "xxx"), "damaged: 116 bytes: want 115")
	bad := func(tensor, want string) {
		t.Helper()
		f(tensors(`"a":`+tensor, "xxxxxxxx"), `damaged: header: tensor "a": `+want)
	}
	bad(`{"dtype":"BF16","shape":[4],"data_offsets":[0,8]}`, `type "BF16": want one of F32, F64, I32, I64, U16, U32, U64, U8`)
	bad(`{"dtype":"F64","shape":[2],"data_offsets":[0,8]}`, "data_offsets [0 8]: want two that are 16 bytes apart")
	bad(`{"dtype":"F64","shape":[1],"data_offsets":[8,0]}`, "data_offsets [8 0]: want two that are 8 bytes apart")
	bad(`{"dtype":"F64","shape":[1],"data_offsets":[0]}`, "data_offsets [0]: want two that are 8 bytes apart")
	bad(`{"dtype":"F64","shape":[1]}`, "data_offsets []: want two that are 8 bytes apart")
	bad(`{"dtype":"F32","shape":[1],"data_offsets":[2,6]}`, "data_offsets [2 6]: want a multiple of 4")
	bad(`{"dtype":"F64","shape":[-1],"data_offsets":[0,8]}`, "shape [-1]: want 0 or more in each dimension and fewer than 2^63 bytes")
	bad(`{"dtype":"F64","shape":[4294967296,4294967296],"data_offsets":[0,8]}`,
		"shape [4294967296 4294967296]: want 0 or more in each dimension and fewer than 2^63 bytes")
	bad(`{"dtype":"F64","shape":[1,1,1,1,1,1,1,1,1],"data_offsets":[0,8]}`, "9 dimensions: want at most 8")
	bad(`{"dtype":"F64","shape":[1],"data_offsets":[0,8],"x":1}`, `json: unknown field "x"`)
}

// TestReadFileForm: the content is right and so is its sum, but the bytes are
// not those that ctr writes.
func TestReadFileForm(t *testing.T) {
	f := NewFile()
	f.PutU8("a", nil, []byte("xx"))
	b, err := f.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	header := strings.TrimRight(string(b[8:len(b)-2]), " ")
	same := func(header, data string, want string) {
		t.Helper()
		if _, err := readBytes(container(header, data)); err == nil || err.Error() != want {
			t.Errorf("%s: error %v: want %s", header, err, want)
		}
	}
	const form = "damaged: the header is not as ctr writes it for this content"
	same(header+" ", "xx", form)
	same(strings.Replace(header, ",", ", ", 1), "xx", form)
	same(strings.Replace(header, "format", `\u0066ormat`, 1), "xx", form)
	same(strings.Replace(header, `"dtype":"U8"`, `"dtype":"F32","dtype":"U8"`, 1), "xx", form)
}

// TestReadFileMemory: a number in the file is no reason to allocate.
func TestReadFileMemory(t *testing.T) {
	const meta = `{"__metadata__":{"format":"ctr-model","version":"1"},`
	for _, b := range [][]byte{
		append(binary.LittleEndian.AppendUint64(nil, maxHeader), '{'),
		container(meta+`"a":{"dtype":"U8","shape":[1099511627776],"data_offsets":[0,1099511627776]}}`, "x"),
		container(meta+`"a":{"dtype":"F64","shape":[1099511627776],"data_offsets":[0,8]}}`, "12345678"),
	} {
		if n := allocated(func() { _, _ = readBytes(b) }); n > 64<<10 {
			t.Errorf("%.80q: %d bytes allocated", b, n)
		}
	}
	big := NewFile()
	big.PutF64("w", nil, make([]float64, 1<<20))
	b, err := big.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	if n := allocated(func() { _, err = readBytes(b) }); n > 2*len(b) || err != nil {
		t.Errorf("%d bytes allocated for a file of %d, %v", n, len(b), err)
	}
}

// allocated gives the bytes that f allocates.
func allocated(f func()) int {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return int(after.TotalAlloc - before.TotalAlloc)
}

func TestReadFileIO(t *testing.T) {
	b := sampleBytes(t)
	if _, err := ReadFile(bytes.NewReader(b[:20]), int64(len(b))); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("a file that shrinks: %v: want %v", err, io.ErrUnexpectedEOF)
	}
	if _, err := ReadFile(failingReader{}, 100); !errors.Is(err, iotest.ErrTimeout) {
		t.Errorf("%v: want %v", err, iotest.ErrTimeout)
	}
	if _, err := ReadFile(bytes.NewReader(b), -1); err == nil {
		t.Error("size -1: want an error")
	}
}

type failingReader struct{}

func (failingReader) ReadAt([]byte, int64) (int, error) { return 0, iotest.ErrTimeout }

func TestFileMistakes(t *testing.T) {
	f := func(put func(f *File) error, want string) {
		t.Helper()
		file := NewFile()
		if err := put(file); err == nil || err.Error() != want {
			t.Errorf("error %v: want %s", err, want)
		}
		if _, err := file.Bytes(); err == nil || err.Error() != want {
			t.Errorf("WriteTo: error %v: want %s", err, want)
		}
	}
	f(func(f *File) error { return f.PutF64("a", []int{3}, []float64{1}) }, "tensor a: 1 values: want shape [3]")
	f(func(f *File) error { return f.PutF64("a", []int{-1}, nil) },
		"tensor a: shape [-1]: want 0 or more in each dimension and fewer than 2^63 bytes")
	f(func(f *File) error { return f.PutF64("", nil, nil) }, `tensor "": want a name in UTF-8 other than __metadata__`)
	f(func(f *File) error { return f.PutU8("__metadata__", nil, nil) },
		`tensor "__metadata__": want a name in UTF-8 other than __metadata__`)
	f(func(f *File) error { return f.SetMeta("sha256", "0") }, "metadata sha256: set by the file itself")
	f(func(f *File) error { return f.SetMeta("a", "\xff") }, `metadata "a": want UTF-8`)
	f(func(f *File) error { return f.PutSettings(math.NaN()) }, "settings: json: unsupported value: NaN")

	g := func(get func(f *File) error, want string) {
		t.Helper()
		if err := get(sampleFile(t)); err == nil || err.Error() != want {
			t.Errorf("error %v: want %s", err, want)
		}
	}
	g(func(f *File) error { _, err := f.F64Vec("v", 1); return err }, "tensor v: none in the file")
	g(func(f *File) error { _, err := f.F32Vec("w", 1); return err }, "tensor w: type F64: want F32")
	g(func(f *File) error { _, err := f.F64Vec("w", 4); return err }, "tensor w: shape [2 2]: want one dimension")
	g(func(f *File) error { _, err := f.I64Vec("i64", 4); return err }, "tensor i64: 1 values: want 4")
	g(func(f *File) error { return f.Settings(new(struct{ Other int })) }, `settings: json: unknown field "Rate"`)
	g(func(f *File) error { f.meta["settings"] = "{} {}"; return f.Settings(new(struct{})) }, "settings: more than one JSON value")
	if err := NewFile().Settings(new(struct{})); err == nil || err.Error() != "settings: none in the file" {
		t.Errorf("error %v", err)
	}
}

func TestWriteToError(t *testing.T) {
	b := sampleBytes(t)
	for n := range len(b) {
		w := &limitedWriter{left: n}
		if k, err := sampleFile(t).WriteTo(w); !errors.Is(err, io.ErrShortWrite) || k != int64(n) {
			t.Fatalf("a writer that takes %d bytes: %d, %v", n, k, err)
		}
	}
}

type limitedWriter struct{ left int }

func (w *limitedWriter) Write(b []byte) (int, error) {
	n := min(len(b), w.left)
	w.left -= n
	if n < len(b) {
		return n, io.ErrShortWrite
	}
	return n, nil
}

// FuzzModelFile: whatever the bytes, reading them does not panic and takes no
// more memory than a few times their size; what is read is written again as
// the same bytes.
func FuzzModelFile(f *testing.F) {
	f.Add(sampleBytes(f))
	f.Add(container(`{"__metadata__":{"format":"ctr-model","version":"1"},"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}}`, "xx"))
	f.Add([]byte("id,click\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		var file *File
		var err error
		if n := allocated(func() { file, err = readBytes(b) }); n > 64*len(b)+1<<20 {
			t.Fatalf("%d bytes allocated for a file of %d", n, len(b))
		}
		if err != nil {
			return
		}
		again, err := file.Bytes()
		if err != nil || !bytes.Equal(again, b) {
			t.Fatalf("written again: %v, %q: want %q", err, again, b)
		}
	})
}
