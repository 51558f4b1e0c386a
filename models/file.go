package models

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"unicode/utf8"
)

// Format and FormatVersion are what the metadata of a model file holds under
// "format" and "version".
const (
	Format        = "ctr-model"
	FormatVersion = 1
)

// The metadata keys that File itself sets and checks.
const (
	metaFormat  = "format"
	metaVersion = "version"
	metaSum     = "sha256"
	// metaSettings is the algorithm's own.
	metaSettings = "settings"
)

// File is a model file in memory: a safetensors container
// (https://github.com/huggingface/safetensors) of named tensors and string
// metadata, with rules of its own so that there is one way to write the same
// content and any changed byte is found:
//
//   - 8 bytes: length of the header, little endian; at most 100,000,000;
//   - the header: JSON without spaces, "__metadata__" first (its keys
//     ascending by their bytes), then the tensors ascending by name; in strings
//     only '"', '\' and bytes below 0x20 are escaped, the latter as \u00xx;
//     spaces follow until the tensors' bytes begin at a multiple of 8;
//   - the tensors' bytes, little endian, row by row, those of the widest type
//     first and by name within a type: without gaps, each aligned to its type.
//
// The metadata holds "format", "version" and "sha256": the sum over all
// metadata but itself and all tensors. What is summed does not depend on where
// in the file anything stands. With N(x) for x as 8 bytes, little endian, and
// S(x) for N(length of x) and the bytes of x, it is:
//
//	N(number of metadata pairs), then by ascending key S(key) S(value);
//	N(number of tensors), then by ascending name S(name) S(dtype)
//	N(number of dimensions) N(each dimension) S(bytes).
//
// A File is not safe for concurrent use while it is being changed.
type File struct {
	meta    map[string]string
	tensors map[string]tensor
	err     error // the first mistake of a Put
}

// tensor is one array. A dtype is a name of safetensors: "F64".
type tensor struct {
	dtype string
	shape []int
	data  []byte // little endian
}

// dtypes are the known element types and their sizes in bytes.
var dtypes = map[string]int{"F64": 8, "U64": 8, "I64": 8, "F32": 4, "U32": 4, "I32": 4, "U16": 2, "U8": 1}

// maxDims bounds the dimensions of a tensor.
const maxDims = 8

// Tensor describes a tensor of a File.
type Tensor struct {
	Name  string
	Dtype string // safetensors' name: "F64"
	Shape []int
	Bytes int
}

// NewFile gives a File without tensors or metadata.
func NewFile() *File {
	return &File{meta: map[string]string{}, tensors: map[string]tensor{}}
}

// Tensors lists the tensors, ascending by name.
func (f *File) Tensors() []Tensor {
	list := make([]Tensor, 0, len(f.tensors))
	for name, t := range f.tensors {
		list = append(list, Tensor{Name: name, Dtype: t.dtype, Shape: slices.Clone(t.shape), Bytes: len(t.data)})
	}
	slices.SortFunc(list, func(a, b Tensor) int { return strings.Compare(a.Name, b.Name) })
	return list
}

// Has reports whether there is a tensor name.
func (f *File) Has(name string) bool {
	_, ok := f.tensors[name]
	return ok
}

// Meta gives the metadata under key, "" where there is none.
func (f *File) Meta(key string) string { return f.meta[key] }

// MetaKeys lists the keys of the metadata, ascending.
func (f *File) MetaKeys() []string { return sortedKeys(f.meta) }

// SetMeta stores value under key. Both must be UTF-8; "format", "version" and
// "sha256" are set by WriteTo and may not be set here. Like a Put, it returns
// its error and leaves it for WriteTo as well.
func (f *File) SetMeta(key, value string) error {
	switch {
	case key == metaFormat || key == metaVersion || key == metaSum:
		return f.fail(fmt.Errorf("metadata %s: set by the file itself", key))
	case !utf8.ValidString(key) || !utf8.ValidString(value):
		return f.fail(fmt.Errorf("metadata %q: want UTF-8", key))
	}
	f.meta[key] = value
	return nil
}

// PutSettings stores v as JSON: the settings that a model needs to be what it
// was, beside its tensors.
func (f *File) PutSettings(v any) error {
	text, err := json.Marshal(v)
	if err != nil {
		return f.fail(fmt.Errorf("settings: %w", err))
	}
	return f.SetMeta(metaSettings, string(text))
}

// Settings reads what PutSettings stored into the struct that v points to. A
// name that the struct does not have is an error: the model would not be what
// it was.
func (f *File) Settings(v any) error {
	text, ok := f.meta[metaSettings]
	if !ok {
		return fmt.Errorf("settings: none in the file")
	}
	if err := strictJSON(text, v); err != nil {
		return fmt.Errorf("settings: %w", err)
	}
	return nil
}

// strictJSON reads one JSON value and nothing else.
func strictJSON(text string, v any) error {
	d := json.NewDecoder(strings.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return err
	}
	if _, err := d.Token(); err != io.EOF {
		return fmt.Errorf("more than one JSON value")
	}
	return nil
}

// The Put methods copy data into the tensor name, in place of one that was
// there. A nil shape is one dimension of len(data); otherwise the dimensions'
// product must be len(data). A mistake is returned, and returned again by
// WriteTo for those who do not look.

// PutF64 stores float64s.
func (f *File) PutF64(name string, shape []int, data []float64) error {
	return put(f, name, "F64", shape, data)
}

// PutF32 stores float32s.
func (f *File) PutF32(name string, shape []int, data []float32) error {
	return put(f, name, "F32", shape, data)
}

// PutU8 stores bytes.
func (f *File) PutU8(name string, shape []int, data []uint8) error {
	return put(f, name, "U8", shape, data)
}

// PutU16 stores uint16s.
func (f *File) PutU16(name string, shape []int, data []uint16) error {
	return put(f, name, "U16", shape, data)
}

// PutU32 stores uint32s.
func (f *File) PutU32(name string, shape []int, data []uint32) error {
	return put(f, name, "U32", shape, data)
}

// PutU64 stores uint64s.
func (f *File) PutU64(name string, shape []int, data []uint64) error {
	return put(f, name, "U64", shape, data)
}

// PutI32 stores int32s.
func (f *File) PutI32(name string, shape []int, data []int32) error {
	return put(f, name, "I32", shape, data)
}

// PutI64 stores int64s.
func (f *File) PutI64(name string, shape []int, data []int64) error {
	return put(f, name, "I64", shape, data)
}

// The getters copy a tensor out and give its shape; the Vec forms want one
// dimension of wantLen values, of any number where wantLen is below 0. A
// missing tensor, another type or another shape is an error.

// F64 gives float64s.
func (f *File) F64(name string) ([]float64, []int, error) { return get[float64](f, name, "F64") }

// F32 gives float32s.
func (f *File) F32(name string) ([]float32, []int, error) { return get[float32](f, name, "F32") }

// U8 gives bytes.
func (f *File) U8(name string) ([]uint8, []int, error) { return get[uint8](f, name, "U8") }

// U16 gives uint16s.
func (f *File) U16(name string) ([]uint16, []int, error) { return get[uint16](f, name, "U16") }

// U32 gives uint32s.
func (f *File) U32(name string) ([]uint32, []int, error) { return get[uint32](f, name, "U32") }

// U64 gives uint64s.
func (f *File) U64(name string) ([]uint64, []int, error) { return get[uint64](f, name, "U64") }

// I32 gives int32s.
func (f *File) I32(name string) ([]int32, []int, error) { return get[int32](f, name, "I32") }

// I64 gives int64s.
func (f *File) I64(name string) ([]int64, []int, error) { return get[int64](f, name, "I64") }

// F64Vec gives float64s of one dimension.
func (f *File) F64Vec(name string, wantLen int) ([]float64, error) {
	return vec[float64](f, name, "F64", wantLen)
}

// F32Vec gives float32s of one dimension.
func (f *File) F32Vec(name string, wantLen int) ([]float32, error) {
	return vec[float32](f, name, "F32", wantLen)
}

// U8Vec gives bytes of one dimension.
func (f *File) U8Vec(name string, wantLen int) ([]uint8, error) {
	return vec[uint8](f, name, "U8", wantLen)
}

// U16Vec gives uint16s of one dimension.
func (f *File) U16Vec(name string, wantLen int) ([]uint16, error) {
	return vec[uint16](f, name, "U16", wantLen)
}

// U32Vec gives uint32s of one dimension.
func (f *File) U32Vec(name string, wantLen int) ([]uint32, error) {
	return vec[uint32](f, name, "U32", wantLen)
}

// U64Vec gives uint64s of one dimension.
func (f *File) U64Vec(name string, wantLen int) ([]uint64, error) {
	return vec[uint64](f, name, "U64", wantLen)
}

// I32Vec gives int32s of one dimension.
func (f *File) I32Vec(name string, wantLen int) ([]int32, error) {
	return vec[int32](f, name, "I32", wantLen)
}

// I64Vec gives int64s of one dimension.
func (f *File) I64Vec(name string, wantLen int) ([]int64, error) {
	return vec[int64](f, name, "I64", wantLen)
}

// element is a type that a tensor may have.
type element interface {
	float64 | float32 | uint8 | uint16 | uint32 | uint64 | int32 | int64
}

func put[T element](f *File, name, dtype string, shape []int, data []T) error {
	if shape == nil {
		shape = []int{len(data)}
	}
	size, err := tensorSize(dtype, shape)
	switch {
	case err != nil:
		return f.fail(fmt.Errorf("tensor %s: %w", name, err))
	case size != len(data)*dtypes[dtype]:
		return f.fail(fmt.Errorf("tensor %s: %d values: want shape %v", name, len(data), shape))
	case name == "" || name == headerMeta || !utf8.ValidString(name):
		return f.fail(fmt.Errorf("tensor %q: want a name in UTF-8 other than %s", name, headerMeta))
	}
	b, err := binary.Append(make([]byte, 0, size), binary.LittleEndian, data)
	if err != nil {
		return f.fail(fmt.Errorf("tensor %s: %w", name, err))
	}
	f.tensors[name] = tensor{dtype: dtype, shape: slices.Clone(shape), data: b}
	return nil
}

func get[T element](f *File, name, dtype string) ([]T, []int, error) {
	t, ok := f.tensors[name]
	switch {
	case !ok:
		return nil, nil, fmt.Errorf("tensor %s: none in the file", name)
	case t.dtype != dtype:
		return nil, nil, fmt.Errorf("tensor %s: type %s: want %s", name, t.dtype, dtype)
	}
	out := make([]T, len(t.data)/dtypes[dtype])
	if _, err := binary.Decode(t.data, binary.LittleEndian, out); err != nil {
		return nil, nil, fmt.Errorf("tensor %s: %w", name, err)
	}
	return out, slices.Clone(t.shape), nil
}

func vec[T element](f *File, name, dtype string, wantLen int) ([]T, error) {
	v, shape, err := get[T](f, name, dtype)
	switch {
	case err != nil:
		return nil, err
	case len(shape) != 1:
		return nil, fmt.Errorf("tensor %s: shape %v: want one dimension", name, shape)
	case wantLen >= 0 && len(v) != wantLen:
		return nil, fmt.Errorf("tensor %s: %d values: want %d", name, len(v), wantLen)
	}
	return v, nil
}

// tensorSize gives the bytes of a tensor, refusing what does not fit an int.
func tensorSize(dtype string, shape []int) (int, error) {
	size, ok := dtypes[dtype]
	if !ok {
		return 0, fmt.Errorf("type %q: want one of %s", dtype, strings.Join(sortedKeys(dtypes), ", "))
	}
	if len(shape) > maxDims {
		return 0, fmt.Errorf("%d dimensions: want at most %d", len(shape), maxDims)
	}
	for _, d := range shape {
		if d < 0 || d > 0 && size > math.MaxInt/d {
			return 0, fmt.Errorf("shape %v: want 0 or more in each dimension and fewer than 2^63 bytes", shape)
		}
		size *= d
	}
	return size, nil
}

// fail keeps the first mistake for WriteTo.
func (f *File) fail(err error) error {
	if f.err == nil {
		f.err = err
	}
	return err
}

// WriteTo writes the file. The same content gives the same bytes.
func (f *File) WriteTo(w io.Writer) (int64, error) {
	if f.err != nil {
		return 0, f.err
	}
	header, order := f.header()
	if len(header) > maxHeader {
		return 0, fmt.Errorf("header of %d bytes: want at most %d", len(header), maxHeader)
	}
	var n int64
	write := func(b []byte) error {
		k, err := w.Write(b)
		n += int64(k)
		return err
	}
	if err := write(binary.LittleEndian.AppendUint64(nil, uint64(len(header)))); err != nil {
		return n, err
	}
	if err := write(header); err != nil {
		return n, err
	}
	for _, name := range order {
		if err := write(f.tensors[name].data); err != nil {
			return n, err
		}
	}
	return n, nil
}

// Bytes gives the file as WriteTo writes it.
func (f *File) Bytes() ([]byte, error) {
	var b bytes.Buffer
	_, err := f.WriteTo(&b)
	return b.Bytes(), err
}
