package models

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"ctr/features"
)

// ReadFile reads a file of size bytes. Nothing in it is believed before it is
// checked: the header's length against the size, its JSON, each tensor's type,
// shape and place, the sum over the content, and at last that the header is
// byte for byte the one that WriteTo writes for that content, so that a change
// of any byte of the file, padding included, is an error. It takes at most a
// few times size of memory and never panics.
//
// Errors begin with "not a ctr model:", "cut short:", "damaged:" or "version
// N:".
func ReadFile(r io.ReaderAt, size int64) (*File, error) {
	header, err := readHeader(r, size)
	if err != nil {
		return nil, err
	}
	meta, entries, err := parseHeader(header)
	if err != nil {
		return nil, headerFault(header, err)
	}
	if err := checkFormat(meta); err != nil {
		return nil, err
	}
	total, err := checkEntries(entries)
	if err != nil {
		return nil, headerFault(header, err)
	}
	begin := 8 + uint64(len(header))
	switch want := begin + total; {
	case want < total || uint64(size) < want:
		return nil, fmt.Errorf("cut short: %s bytes: want %s", commas(uint64(size)), commas(want))
	case uint64(size) > want:
		return nil, fmt.Errorf("damaged: %s bytes: want %s", commas(uint64(size)), commas(want))
	}
	data := make([]byte, total)
	if err := readAt(r, data, int64(begin)); err != nil {
		return nil, err
	}
	return newFile(header, meta, entries, data)
}

// newFile puts a File together and checks its sum and its form.
func newFile(header []byte, meta map[string]string, entries map[string]entry, data []byte) (*File, error) {
	f := &File{meta: meta, tensors: make(map[string]tensor, len(entries))}
	for name, e := range entries {
		f.tensors[name] = tensor{dtype: e.Dtype, shape: e.Shape, data: data[e.Offsets[0]:e.Offsets[1]:e.Offsets[1]]}
	}
	if got := contentSum(meta, f.tensors); got != meta[metaSum] {
		return nil, fmt.Errorf("damaged: sha256 %s of the content: want %.64s", got, strconv.QuoteToASCII(meta[metaSum]))
	}
	if want, _ := headerText(meta, f.tensors); !bytes.Equal(header, want) {
		return nil, errors.New("damaged: the header is not as ctr writes it for this content")
	}
	for _, key := range []string{metaFormat, metaVersion, metaSum} {
		delete(f.meta, key)
	}
	return f, nil
}

// readHeader reads the length and the header, or says what kind of file this
// is instead.
func readHeader(r io.ReaderAt, size int64) ([]byte, error) {
	if size < 0 {
		return nil, fmt.Errorf("size %d: want 0 or more", size)
	}
	start := make([]byte, min(size, 64))
	if err := readAt(r, start, 0); err != nil {
		return nil, err
	}
	if len(start) == 0 {
		return nil, errors.New("not a ctr model: the file is empty")
	}
	if len(start) < 9 {
		return nil, foreign(start)
	}
	n := binary.LittleEndian.Uint64(start)
	switch {
	case start[8] != '{' || n > maxHeader:
		return nil, foreign(start)
	case n > uint64(size-8):
		return nil, fmt.Errorf("cut short: %s bytes: want at least %s", commas(uint64(size)), commas(n+8))
	}
	header := make([]byte, n)
	return header, readAt(r, header, 8)
}

// readAt fills b from r.
func readAt(r io.ReaderAt, b []byte, at int64) error {
	if n, err := r.ReadAt(b, at); n < len(b) {
		if err == io.EOF || err == nil {
			err = io.ErrUnexpectedEOF
		}
		return err
	}
	return nil
}

// foreign says what a file that does not begin as ours seems to be.
func foreign(start []byte) error {
	for _, kind := range []struct{ magic, name string }{
		{"\x1f\x8b", "gzip data"},
		{"\x28\xb5\x2f\xfd", "Zstandard data"},
		{"PK\x03\x04", "a zip file"},
		{"PAR1", "a Parquet file"},
	} {
		if bytes.HasPrefix(start, []byte(kind.magic)) {
			return notOurs("this is " + kind.name)
		}
	}
	if !bytes.ContainsFunc(start[:min(len(start), 40)], unprintable) {
		return notOurs(fmt.Sprintf("this is text, %q", start[:min(len(start), 40)]))
	}
	return notOurs(fmt.Sprintf("it begins with bytes % x", start[:min(len(start), 8)]))
}

// unprintable reports a character that is not in plain ASCII text.
func unprintable(c rune) bool {
	return c >= 0x7f || c < ' ' && c != '\t' && c != '\r' && c != '\n'
}

func notOurs(why string) error {
	return features.WithHint(errors.New("not a ctr model: "+why),
		"a model is what `ctr train` writes; give data files as arguments, not with --model")
}

// headerFault tells a damaged file of ours from another tool's.
func headerFault(header []byte, err error) error {
	if why := err.Error(); len(why) > 200 {
		err = errors.New(strings.ToValidUTF8(why[:200], "") + "...")
	}
	if bytes.Contains(header, []byte(`"`+Format+`"`)) {
		return fmt.Errorf("damaged: header: %w", err)
	}
	return notOurs("header: " + err.Error())
}

// checkFormat wants our format and a version that we know.
func checkFormat(meta map[string]string) error {
	if f := meta[metaFormat]; f != Format {
		if f == "" {
			return notOurs("a safetensors file that does not name its format")
		}
		return notOurs(fmt.Sprintf("a safetensors file of format %s", shorten(f)))
	}
	v, err := strconv.Atoi(meta[metaVersion])
	switch {
	case err != nil || v < 1:
		return fmt.Errorf("damaged: version %s: want %d", shorten(meta[metaVersion]), FormatVersion)
	case v > FormatVersion:
		return features.WithHint(fmt.Errorf("version %d: want %d", v, FormatVersion),
			"this model was written by a newer ctr: score it with that, or train it again with this one")
	}
	return nil
}

// commas writes n with a comma between thousands.
func commas(n uint64) string {
	s := strconv.FormatUint(n, 10)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
