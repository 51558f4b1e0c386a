package models

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"reflect"
	"strconv"
	"strings"

	"ctr/features"
	"ctr/models/metrics"
)

// Artifact is what a model file holds: a model, and all that is needed to
// score rows with it and to tell where it came from. It holds no time of day,
// thread count or path, so that the same training gives the same file.
type Artifact struct {
	Model Model
	Spec  *features.Spec
	// State is what history fields had seen after the last row that training
	// read; nil where the Spec has none.
	State *features.Snapshot
	// Reference is how the training rows were spread; nil where it is not
	// known: in older files, and where some of the rows without a click were
	// left out.
	Reference *features.Reference
	// Threshold is where a probability becomes a prediction: 1 where p >
	// Threshold.
	Threshold float64
	// Options are those of the training; Threads is not stored.
	Options Options
	// Data says what training read and how it was split, as JSON; nil where
	// nothing is known.
	Data json.RawMessage
	// Train and Test judge the model on the rows it was and was not fitted
	// to; nil where they are not known.
	Train, Test *metrics.Metrics
	// Version is that of the ctr that trained the model.
	Version string
	// Hash is the first 12 hexadecimal digits of the SHA-256 of the file. It
	// is set by Encode, Write, Open and Decode.
	Hash string
}

// hashDigits is the length of Artifact.Hash.
const hashDigits = 12

// The metadata keys of an Artifact, beside those of File.
const (
	metaAlgo      = "algo"
	metaSpec      = "spec"
	metaThreshold = "threshold"
	metaOptions   = "options"
	metaData      = "data"
	metaMetrics   = "metrics"
	metaCTR       = "ctr_version"
	metaReference = "reference"
)

// judged is the metadata under "metrics".
type judged struct {
	Train *metrics.Metrics `json:"train,omitempty"`
	Test  *metrics.Metrics `json:"test,omitempty"`
}

// Encode gives the bytes of the model file and sets a.Hash.
func (a *Artifact) Encode() ([]byte, error) {
	f, err := a.file()
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	if a.Hash, err = writeHashed(f, &b); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// Write puts the model file at path and sets a.Hash. It writes to a temporary
// file beside path, flushes it to the disk and renames it, so that whoever
// opens path finds the old file or the new one, whole, even after a crash; an
// error leaves the old file and nothing else, but for an error of the last
// flush, that of the directory, when the new file is there already. A process
// that is killed may leave the temporary file, named ".BASE.XXXXXXXX.tmp". A
// path that is a symbolic link stays one; a device or pipe is written to as it
// is.
func (a *Artifact) Write(path string) error {
	f, err := a.file()
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	hash := ""
	err = replaceFile(osFS{}, path, func(w io.Writer) error {
		hash, err = writeHashed(f, w)
		return err
	})
	if err != nil {
		return err
	}
	a.Hash = hash
	return nil
}

// writeHashed writes f to w and gives the Hash of what it wrote.
func writeHashed(f *File, w io.Writer) (string, error) {
	sum := sha256.New()
	if _, err := f.WriteTo(io.MultiWriter(w, sum)); err != nil {
		return "", err
	}
	return hex.EncodeToString(sum.Sum(nil))[:hashDigits], nil
}

// Open reads the model file at path.
func Open(path string) (*Artifact, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, features.WithHint(fmt.Errorf("%s: no such file", path), "train a model first: ctr train --out "+path)
	} else if err != nil {
		return nil, pathError(path, err)
	}
	defer f.Close()
	info, err := f.Stat()
	switch {
	case err != nil:
		return nil, pathError(path, err)
	case info.IsDir():
		return nil, fmt.Errorf("%s: a folder: want a model file", path)
	case !info.Mode().IsRegular():
		b, err := io.ReadAll(f)
		if err != nil {
			return nil, pathError(path, err)
		}
		return Decode(b, path)
	}
	return decode(f, info.Size(), path)
}

// Decode reads a model file from b; errors begin with name.
func Decode(b []byte, name string) (*Artifact, error) {
	return decode(bytes.NewReader(b), int64(len(b)), name)
}

func decode(r io.ReaderAt, size int64, name string) (*Artifact, error) {
	f, err := ReadFile(r, size)
	if err != nil {
		return nil, pathError(name, err)
	}
	a, err := fromFile(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	sum := sha256.New()
	if _, err := io.Copy(sum, io.NewSectionReader(r, 0, size)); err != nil {
		return nil, pathError(name, err)
	}
	a.Hash = hex.EncodeToString(sum.Sum(nil))[:hashDigits]
	return a, nil
}

// file gives a as tensors and metadata.
func (a *Artifact) file() (*File, error) {
	if a.Model == nil || a.Spec == nil {
		return nil, errors.New("artifact without a model or a spec: want both")
	}
	if !(a.Threshold >= 0 && a.Threshold <= 1) {
		return nil, fmt.Errorf("threshold %v: want 0..1", a.Threshold)
	}
	if err := a.Spec.Validate(); err != nil {
		return nil, err
	}
	f := NewFile()
	if err := a.Model.Save(f); err != nil {
		return nil, err
	}
	if err := putSpec(f, a.Spec); err != nil {
		return nil, err
	}
	if err := putState(f, a.Spec, a.State); err != nil {
		return nil, err
	}
	if err := putReference(f, a.Spec, a.Reference); err != nil {
		return nil, err
	}
	options, err := optionsJSON(a.Options)
	if err != nil {
		return nil, err
	}
	figures, err := json.Marshal(judged{a.Train, a.Test})
	if err != nil {
		return nil, fmt.Errorf("metrics: %w", err)
	}
	if a.Data != nil {
		var data bytes.Buffer
		if err := json.Compact(&data, a.Data); err != nil {
			return nil, fmt.Errorf("data: %w", err)
		}
		f.SetMeta(metaData, data.String())
	}
	f.SetMeta(metaOptions, options)
	f.SetMeta(metaMetrics, string(figures))
	f.SetMeta(metaAlgo, a.Model.Algo())
	f.SetMeta(metaThreshold, strconv.FormatFloat(a.Threshold, 'g', -1, 64))
	f.SetMeta(metaCTR, a.Version)
	return f, f.err
}

// fromFile is the inverse of file. The file is whole, but may have been made
// with ill will: everything is checked.
func fromFile(f *File) (*Artifact, error) {
	algo, err := Lookup(f.Meta(metaAlgo))
	if err != nil {
		return nil, features.WithHint(err, "the model may have been written by a newer ctr")
	}
	a := &Artifact{Version: f.Meta(metaCTR)}
	a.Threshold, err = strconv.ParseFloat(f.Meta(metaThreshold), 64)
	if err != nil || !(a.Threshold >= 0 && a.Threshold <= 1) {
		return nil, fmt.Errorf("threshold %s: want 0..1", shorten(f.Meta(metaThreshold)))
	}
	if err := json.Unmarshal([]byte(f.Meta(metaOptions)), &a.Options); err != nil {
		return nil, fmt.Errorf("options: %w", err)
	}
	var figures judged
	if err := json.Unmarshal([]byte(f.Meta(metaMetrics)), &figures); err != nil {
		return nil, fmt.Errorf("metrics: %w", err)
	}
	a.Train, a.Test = figures.Train, figures.Test
	if data := f.Meta(metaData); data != "" {
		a.Data = json.RawMessage(data)
		if !json.Valid(a.Data) {
			return nil, errors.New("data: want JSON")
		}
	}
	if a.Spec, err = getSpec(f); err != nil {
		return nil, err
	}
	if a.State, err = getState(f, a.Spec); err != nil {
		return nil, err
	}
	if a.Reference, err = getReference(f, a.Spec); err != nil {
		return nil, err
	}
	if a.Model, err = algo.Load(f, a.Spec); err != nil {
		return nil, fmt.Errorf("algorithm %s: %w", algo.Name, err)
	}
	return a, nil
}

// putSpec stores the Spec as JSON and its dictionaries as tensors, for field
// i "dict/i/bytes", all values one after the other, and "dict/i/offsets",
// where each begins and the last ends: U32, or U64 where that is too short.
func putSpec(f *File, s *features.Spec) error {
	text, err := json.Marshal(s)
	if err != nil {
		return fmt.Errorf("spec: %w", err)
	}
	if err := f.SetMeta(metaSpec, string(text)); err != nil {
		return err
	}
	for i := range s.Fields {
		if s.Fields[i].Dict == nil {
			continue
		}
		values, offsets := s.Fields[i].Dict.Tensors()
		bytesName, offsetsName := dictNames(i)
		if err := f.PutU8(bytesName, nil, values); err != nil {
			return err
		}
		if uint64(len(values)) > math.MaxUint32 {
			err = f.PutU64(offsetsName, nil, offsets)
		} else {
			short := make([]uint32, len(offsets))
			for j, o := range offsets {
				short[j] = uint32(o)
			}
			err = f.PutU32(offsetsName, nil, short)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func dictNames(field int) (values, offsets string) {
	return fmt.Sprintf("dict/%d/bytes", field), fmt.Sprintf("dict/%d/offsets", field)
}

// getSpec is the inverse of putSpec.
func getSpec(f *File) (*features.Spec, error) {
	s := new(features.Spec)
	if err := strictJSON(f.Meta(metaSpec), s); err != nil {
		return nil, fmt.Errorf("spec: %w", err)
	}
	for i := range s.Fields {
		if s.Fields[i].Type != features.Dict {
			continue
		}
		d, err := getDict(f, i)
		if err != nil {
			return nil, fmt.Errorf("field %s: %w", shorten(s.Fields[i].Name), err)
		}
		s.Fields[i].Dict = d
	}
	return s, s.Validate()
}

func getDict(f *File, field int) (*features.Dictionary, error) {
	bytesName, offsetsName := dictNames(field)
	values, err := f.U8Vec(bytesName, -1)
	if err != nil {
		return nil, err
	}
	if f.tensors[offsetsName].dtype == "U64" {
		offsets, err := f.U64Vec(offsetsName, -1)
		if err != nil {
			return nil, err
		}
		return features.NewDictionary(values, offsets)
	}
	short, err := f.U32Vec(offsetsName, -1)
	if err != nil {
		return nil, err
	}
	offsets := make([]uint64, len(short))
	for i, o := range short {
		offsets[i] = uint64(o)
	}
	return features.NewDictionary(values, offsets)
}

// optionsJSON gives the options that were set, by name ascending. Threads
// never changes a model, and is left out.
func optionsJSON(o Options) (string, error) {
	o.Threads = 0
	set := map[string]any{}
	v := reflect.ValueOf(o)
	for i := range v.NumField() {
		tag, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("json"), ",")
		if v.Field(i).IsZero() || tag == "-" || !v.Type().Field(i).IsExported() {
			continue
		}
		if tag == "" {
			tag = v.Type().Field(i).Name
		}
		set[tag] = v.Field(i).Interface()
	}
	text, err := json.Marshal(set)
	if err != nil {
		return "", fmt.Errorf("options: %w", err)
	}
	return string(text), nil
}
