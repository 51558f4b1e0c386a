package pipeline

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"ctr/features"
	"ctr/features/columnar"
	"ctr/pipeline/synth"
)

// Defaults of the built-in rows that Train uses where it is given no files.
const (
	BuiltinRows = 200_000
	BuiltinSeed = 1
)

// source is one file, standard input, or the built-in rows.
type source struct {
	name  string
	path  string // "" where it is no file
	synth *SynthSource
	stdin io.Reader
	spool string // the file that standard input was copied to; "" = it was not
	// cache, where not nil, is read in place of the text: source number part
	// of those it was made of. own is the cache's path.
	cache *features.Cache
	part  int
	own   string
}

// SynthSource is built-in rows: what `ctr synth` writes with these settings.
type SynthSource struct {
	Rows int64  `json:"rows"`
	Seed uint64 `json:"seed"`
}

// stream is an open source.
type stream struct {
	io.Reader
	in    *features.Input // nil for the built-in rows
	pos   func() int64
	close func() error
}

func (s *source) open(ctx context.Context, threads int) (*stream, error) {
	switch {
	case s.cache != nil:
		return nil, fmt.Errorf("%s: a cache: want the text that it was made of", s.own)
	case s.synth != nil:
		r := synth.NewReader(ctx, synth.Options{Rows: s.synth.Rows, Seed: s.synth.Seed, Threads: threads})
		return &stream{Reader: r, pos: func() int64 { return 0 }, close: r.Close}, nil
	case s.stdin != nil && s.spool == "":
		in, err := features.OpenStdin(s.stdin)
		if err != nil {
			return nil, err
		}
		return &stream{Reader: in, in: in, pos: in.Pos, close: in.Close}, nil
	default:
		in, err := features.Open(cmp.Or(s.spool, s.path))
		if err != nil {
			return nil, err
		}
		return &stream{Reader: in, in: in, pos: in.Pos, close: in.Close}, nil
	}
}

// sources resolves the files of in: globs become the files they match, in the
// order of their names.
func (in *Input) sources() ([]source, error) {
	var out []source
	var files []string
	stdin := false
	for _, f := range in.Files {
		if f == "-" {
			if in.Stdin == nil {
				return nil, errors.New("-: no standard input here")
			}
			if stdin {
				return nil, errors.New("-: named twice: standard input can be read once")
			}
			stdin = true
			out = append(out, source{name: "stdin", stdin: in.Stdin, spool: in.spool})
			continue
		}
		paths, err := expand(f)
		if err != nil {
			return nil, err
		}
		files = append(files, paths...)
		for _, p := range paths {
			out = append(out, source{name: p, path: p})
		}
	}
	return in.opened(out, files)
}

// opened opens the caches among sources; paths are those of all files.
func (in *Input) opened(sources []source, paths []string) (out []source, err error) {
	paths = withoutCaches(paths)
	for i := range sources {
		s := &sources[i]
		switch {
		case s.path == "" || !features.IsCache(s.path):
			out = append(out, *s)
		case slices.Contains(paths, s.path):
			parts, err := in.openCache(s.path)
			if err != nil {
				closeCaches(out)
				return nil, err
			}
			out = append(out, parts...)
		}
	}
	return out, nil
}

// notRead reports that out, where something is going to be written, is one of
// the files that are read, whose text would be lost.
func notRead(out string, sources []source) error {
	to, err := os.Stat(out)
	if err != nil || !to.Mode().IsRegular() {
		return nil //nolint:nilerr // a new file, or one that whoever writes it will report
	}
	for i := range sources {
		for _, path := range []string{sources[i].path, sources[i].own} {
			if from, err := os.Stat(path); err == nil && os.SameFile(to, from) {
				return fmt.Errorf("%s: read as data: want another name for the output", out)
			}
		}
	}
	return nil
}

// keepsApart reports that predictions would be written over what they come
// from.
func keepsApart(out, model string, sources []source) error {
	if err := notRead(out, []source{{path: model}}); err != nil {
		return fmt.Errorf("%s: the model: want another name for the output", out)
	}
	return notRead(out, sources)
}

// writable reports an output that can't be made, before the work and not after.
func writable(out string) error {
	if info, err := os.Stat(out); err == nil && info.IsDir() {
		return fmt.Errorf("%s: a folder: want a file", out)
	}
	_, err := os.Stat(filepath.Dir(out))
	return named(out, err)
}

// expand gives the files that a path or glob stands for. As in a shell, a
// glob finds hidden files only where it begins with a dot itself.
func expand(pattern string) ([]string, error) {
	info, err := os.Stat(pattern)
	if err == nil {
		if info.IsDir() {
			return nil, features.WithHint(fmt.Errorf("%s: a folder: want a file", pattern),
				"name its files, for example '"+filepath.Join(pattern, "*.csv")+"'")
		}
		return []string{pattern}, nil
	}
	if strings.ContainsAny(pattern, "*?[") {
		paths, _ := filepath.Glob(pattern) // none for a wrong pattern: no such file
		if !strings.HasPrefix(filepath.Base(pattern), ".") {
			paths = slices.DeleteFunc(paths, func(p string) bool { return strings.HasPrefix(filepath.Base(p), ".") })
		}
		if len(paths) > 0 {
			return paths, nil
		}
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s: no such file", pattern)
	}
	return nil, err
}

// schema gives the schema that was asked for: nil where it is to be found
// from the data.
func (in *Input) schema() (*features.Schema, error) {
	if in.Schema == "" {
		return nil, nil
	}
	if s, err := features.Preset(in.Schema); err == nil {
		return s, nil
	}
	f, err := os.Open(in.Schema)
	if errors.Is(err, fs.ErrNotExist) {
		var names []string
		for _, s := range features.Presets() {
			names = append(names, s.Name)
		}
		return nil, &OptionError{Faults: []string{fmt.Sprintf("schema %q: want one of %s, or a YAML file", in.Schema, strings.Join(names, ", "))}}
	}
	if err != nil {
		return nil, err
	}
	defer f.Close() // only read
	return features.ReadSchema(f, in.Schema)
}

// window gives Since and Until as hours.
func (in *Input) window() (since, until *features.Hour, err error) {
	read := func(name, text string) *features.Hour {
		if text == "" || err != nil {
			return nil
		}
		h, ok := features.ParseHour([]byte(text))
		if !ok {
			err = fmt.Errorf("%s %q: want an hour as YYMMDDHH or YYYY-MM-DD[ HH:MM:SS]", name, text)
		}
		return &h
	}
	since, until = read("since", in.Since), read("until", in.Until)
	return since, until, err
}

func (in *Input) threads() int {
	if in.Threads > 0 {
		return in.Threads
	}
	return runtime.GOMAXPROCS(0)
}

func (in *Input) validate() (faults []string) {
	if in.Threads < 0 {
		faults = append(faults, fmt.Sprintf("threads %d: want 1 or more, or 0 for all cores", in.Threads))
	}
	if in.MaxBad < 0 {
		faults = append(faults, fmt.Sprintf("max-bad %d: want 0 or more", in.MaxBad))
	}
	if in.Rows < 0 {
		faults = append(faults, fmt.Sprintf("rows %d: want 1 or more, or 0 for all", in.Rows))
	}
	return faults
}

// rowSource gives the rows of one source, a Block at a time: a
// features.Reader for text, a columnar.Reader for Parquet and Arrow.
type rowSource interface {
	Layout() features.Layout
	Schema() *features.Schema
	// Next fills b, which must be Split then; io.EOF is the end.
	Next(b *features.Block) error
	// Sum64 and Bytes are the fingerprint of what was read, complete after
	// io.EOF.
	Sum64() uint64
	Bytes() int64
	// Rows is the number of rows that Next has given.
	Rows() int64
}

// rows begins to read s, in whatever form its rows are.
func (in *Input) rows(s *stream, name string, schema *features.Schema) (rowSource, error) {
	o := in.readerOptions(schema)
	if s.in == nil {
		return features.NewReader(s, name, o)
	}
	head, err := s.in.Peek(columnar.HeadSize)
	if err != nil {
		return nil, err
	}
	if columnar.Detect(head) == columnar.None {
		return features.NewReader(s, name, o)
	}
	r, err := columnar.NewReader(s.in, o)
	if err != nil {
		return nil, err
	}
	s.pos = r.Pos
	done := s.close
	s.close = func() error { return errors.Join(r.Close(), done()) }
	return r, nil
}

// readOnly says which columns of rows will be looked at, where it can make
// use of that; nil stands for all.
func readOnly(rows rowSource, columns []bool) error {
	if r, ok := rows.(*columnar.Reader); ok && columns != nil {
		return r.Need(columns)
	}
	return nil
}

// readerOptions are what a reader of these rows needs.
func (in *Input) readerOptions(schema *features.Schema) features.ReaderOptions {
	o := features.ReaderOptions{Schema: schema, Columns: features.Layout(in.Columns), Comma: in.Comma}
	if in.NoHeader {
		o.Header = features.HeaderNo
	}
	return o
}
