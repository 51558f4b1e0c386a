package models

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

const (
	// headerMeta is the header's name for the metadata.
	headerMeta = "__metadata__"
	// maxHeader is safetensors' own limit.
	maxHeader = 100_000_000
)

// entry is a tensor as the header describes it.
type entry struct {
	Dtype   string   `json:"dtype"`
	Shape   []int    `json:"shape"`
	Offsets []uint64 `json:"data_offsets"`
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// header gives the header's bytes, padding included, and the tensors in the
// order of their bytes. It is the one place that sets format, version and sum.
func (f *File) header() (text []byte, order []string) {
	meta := maps.Clone(f.meta)
	meta[metaFormat] = Format
	meta[metaVersion] = strconv.Itoa(FormatVersion)
	meta[metaSum] = contentSum(meta, f.tensors)
	return headerText(meta, f.tensors)
}

// headerText gives the one header of this content, and the tensors in the
// order of their bytes: the widest first, so that all are aligned, then by
// name.
func headerText(meta map[string]string, tensors map[string]tensor) (text []byte, order []string) {
	names := sortedKeys(tensors)
	order = slices.Clone(names)
	slices.SortStableFunc(order, func(a, b string) int {
		return cmp.Compare(dtypes[tensors[b].dtype], dtypes[tensors[a].dtype])
	})
	begin, at := make(map[string]int, len(names)), 0
	for _, name := range order {
		begin[name] = at
		at += len(tensors[name].data)
	}
	b := appendString([]byte{'{'}, headerMeta)
	b = append(b, ':', '{')
	for i, key := range sortedKeys(meta) {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendString(b, key)
		b = append(b, ':')
		b = appendString(b, meta[key])
	}
	b = append(b, '}')
	for _, name := range names {
		t := tensors[name]
		b = append(b, ',')
		b = appendString(b, name)
		b = fmt.Appendf(b, `:{"dtype":%q,"shape":[`, t.dtype)
		for i, d := range t.shape {
			if i > 0 {
				b = append(b, ',')
			}
			b = strconv.AppendInt(b, int64(d), 10)
		}
		b = fmt.Appendf(b, `],"data_offsets":[%d,%d]}`, begin[name], begin[name]+len(t.data))
	}
	b = append(b, '}')
	for len(b)%8 != 0 {
		b = append(b, ' ')
	}
	return b, order
}

// appendString appends s as a JSON string, with as few escapes as JSON allows.
func appendString(b []byte, s string) []byte {
	const hexDigits = "0123456789abcdef"
	b = append(b, '"')
	for i := range len(s) {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			b = append(b, '\\', c)
		case c < 0x20:
			b = append(b, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
		default:
			b = append(b, c)
		}
	}
	return append(b, '"')
}

// contentSum gives the hexadecimal SHA-256 described at File.
func contentSum(meta map[string]string, tensors map[string]tensor) string {
	h := sha256.New()
	number := func(n int) {
		var b [8]byte
		binary.LittleEndian.PutUint64(b[:], uint64(n))
		h.Write(b[:])
	}
	text := func(s string) {
		number(len(s))
		h.Write([]byte(s))
	}
	keys := slices.DeleteFunc(sortedKeys(meta), func(k string) bool { return k == metaSum })
	number(len(keys))
	for _, key := range keys {
		text(key)
		text(meta[key])
	}
	number(len(tensors))
	for _, name := range sortedKeys(tensors) {
		t := tensors[name]
		text(name)
		text(t.dtype)
		number(len(t.shape))
		for _, d := range t.shape {
			number(d)
		}
		number(len(t.data))
		h.Write(t.data)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// parseHeader reads a header's JSON. Names that come twice are errors.
func parseHeader(text []byte) (meta map[string]string, entries map[string]entry, err error) {
	if !utf8.Valid(text) {
		return nil, nil, fmt.Errorf("want UTF-8")
	}
	entries = map[string]entry{}
	err = eachName(text, func(name string, d *json.Decoder) error {
		if name == headerMeta {
			var raw json.RawMessage
			if err := d.Decode(&raw); err != nil {
				return err
			}
			if meta != nil {
				return fmt.Errorf("%s twice", name)
			}
			meta, err = parseMeta(raw)
			return err
		}
		if _, ok := entries[name]; ok {
			return fmt.Errorf("tensor %s twice", shorten(name))
		}
		var e entry
		if err := d.Decode(&e); err != nil {
			return fmt.Errorf("tensor %s: %w", shorten(name), err)
		}
		entries[name] = e
		return nil
	})
	return meta, entries, err
}

func parseMeta(text []byte) (map[string]string, error) {
	meta := map[string]string{}
	err := eachName(text, func(key string, d *json.Decoder) error {
		if _, ok := meta[key]; ok {
			return fmt.Errorf("metadata %s twice", shorten(key))
		}
		var value string
		if err := d.Decode(&value); err != nil {
			return fmt.Errorf("metadata %s: %w", shorten(key), err)
		}
		meta[key] = value
		return nil
	})
	return meta, err
}

// eachName calls f for each name of the one JSON object in text; f reads the
// value.
func eachName(text []byte, f func(name string, d *json.Decoder) error) error {
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return fmt.Errorf("want a JSON object")
	}
	for d.More() {
		t, err := d.Token()
		if err != nil {
			return err
		}
		name, ok := t.(string)
		if !ok {
			return fmt.Errorf("%v: want a name", t)
		}
		if err := f(name, d); err != nil {
			return err
		}
	}
	if _, err := d.Token(); err != nil { // the closing brace
		return err
	}
	if len(bytes.Trim(text[d.InputOffset():], " ")) > 0 {
		return fmt.Errorf("want nothing but spaces after the JSON object")
	}
	return nil
}

// checkEntries holds the tensors against each other and gives the bytes they
// take: each of the size that its shape says, aligned, one after the other
// without a gap.
func checkEntries(entries map[string]entry) (total uint64, err error) {
	names := sortedKeys(entries)
	for _, name := range names {
		e := entries[name]
		size, err := tensorSize(e.Dtype, e.Shape)
		if err != nil {
			return 0, fmt.Errorf("tensor %s: %w", shorten(name), err)
		}
		if len(e.Offsets) != 2 || e.Offsets[0] > e.Offsets[1] || e.Offsets[1]-e.Offsets[0] != uint64(size) {
			return 0, fmt.Errorf("tensor %s: data_offsets %v: want two that are %d bytes apart", shorten(name), head(e.Offsets), size)
		}
		if e.Offsets[0]%uint64(dtypes[e.Dtype]) != 0 {
			return 0, fmt.Errorf("tensor %s: data_offsets %v: want a multiple of %d", shorten(name), e.Offsets, dtypes[e.Dtype])
		}
	}
	slices.SortStableFunc(names, func(a, b string) int { return slices.Compare(entries[a].Offsets, entries[b].Offsets) })
	for _, name := range names {
		if e := entries[name]; e.Offsets[0] != total {
			return 0, fmt.Errorf("tensor %s: data_offsets %v: want a begin at %d, where the one before ends", shorten(name), e.Offsets, total)
		}
		total = entries[name].Offsets[1]
	}
	return total, nil
}

// head gives so many values as an error can show.
func head(v []uint64) []uint64 { return v[:min(len(v), 3)] }

// shorten cuts a name for an error.
func shorten(name string) string {
	if len(name) <= 60 {
		return strconv.Quote(name)
	}
	return strconv.Quote(strings.ToValidUTF8(name[:60], "")) + "..."
}
