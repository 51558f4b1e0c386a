package pipeline

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"

	"ctr/features"
)

// CacheSuffix is what the name of a file's cache ends in: the cache of
// train.csv is train.csv.ctrd beside it.
const CacheSuffix = ".ctrd"

// openCache gives the sources that a cache was made of, to be read from it.
// What it was read with becomes that of in.
func (in *Input) openCache(path string) ([]source, error) {
	c, err := features.OpenCache(path)
	if err != nil {
		return nil, err
	}
	info := c.Info()
	if err := in.adopt(&info.Reading, path); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	var out []source
	for i := range info.Sources {
		was := &info.Sources[i]
		s := source{name: was.Name, path: path, cache: c, part: i, own: path}
		if was.Size > 0 {
			s.name = filepath.FromSlash(was.Name)
			if !filepath.IsAbs(s.name) {
				s.name = filepath.Join(filepath.Dir(path), s.name)
			}
			if now, err := os.Stat(s.name); err == nil && now.Mode().IsRegular() {
				s.path = s.name // where later readers will find the same rows
			}
		}
		out = append(out, s)
	}
	if slices.ContainsFunc(out, func(s source) bool { return s.path == path }) {
		for i := range out {
			out[i].path = path // all or none, for Data
		}
	}
	return out, nil
}

// adopt takes over how the text of a cache was read, which the model file
// records. It can't be read in another way.
func (in *Input) adopt(r *features.CacheReading, path string) error {
	if len(in.Columns) > 0 && !slices.Equal(in.Columns, r.Columns) || in.NoHeader && !r.NoHeader || in.Comma != 0 && in.Comma != r.Comma {
		return &OptionError{Faults: []string{path + ": columns, no-header and delimiter were settled when the cache was made: want none of them here"}}
	}
	in.Columns, in.NoHeader, in.Comma = r.Columns, r.NoHeader, r.Comma
	return nil
}

// withoutCaches drops caches of files that are themselves among paths, as a
// glob has them.
func withoutCaches(paths []string) []string {
	return slices.DeleteFunc(paths, func(p string) bool {
		of, ok := strings.CutSuffix(p, CacheSuffix)
		return ok && slices.Contains(paths, of) && features.IsCache(p)
	})
}

// closeCaches gives the caches of sources up. Blocks and Collectors that were
// filled from them can't be used any more.
func closeCaches(sources []source) {
	for i := range sources {
		if c := sources[i].cache; c != nil && sources[i].part == 0 {
			_ = c.Close() // only read
		}
	}
}

// cachedBlock is how many rows of a cache are worked on at once where they
// are made into text.
const cachedBlock = 4096

// readCached does what readOne does for a source that is read from a cache.
func (r *rowReader) readCached(ctx context.Context, file int, free chan *job, tooMany *atomic.Bool, progress func(done int64), send func(*job)) error {
	s := &r.sources[file]
	info := s.cache.Info()
	open := cachedOpened(s, r.schema)
	if err := r.layout(open, s.name); err != nil {
		return err
	}
	was := &info.Sources[s.part]
	var done int64
	for k := range s.cache.Chunks() {
		part, _, rows := s.cache.Chunk(k)
		step := cachedBlock
		if r.chunks {
			step = rows
		}
		for lo := 0; lo < rows && part == s.part && !tooMany.Load(); lo += step {
			var j *job
			select {
			case j = <-free:
			case <-ctx.Done():
				return ctx.Err()
			}
			s.cache.ReadRows(&j.block, s.name, k, lo, min(lo+step, rows), open.reads)
			j.file, j.open, j.before, j.bad, j.err = file, open, r.rows, j.bad[:0], nil
			send(j)
			done += int64(min(step, rows-lo))
			progress(int64(float64(was.Bytes) * float64(done) / float64(was.Rows)))
		}
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	r.rows += was.Rows
	r.marks = append(r.marks, FileMark{Bytes: was.Bytes, XXH64: hex64(was.XXH64)})
	return nil
}

// cachedOpened is what is known of a source that is read from a cache; schema
// is the one that was asked for.
func cachedOpened(s *source, schema *features.Schema) *opened {
	info := s.cache.Info()
	return &opened{layout: info.Layout, schema: cmp.Or(schema, info.Schema), cache: s.cache}
}

// bindCache has the Collector take a cache's rows without their text, and says
// which columns it reads.
func (c *collecting) bindCache(op *opened) error {
	if op.reads = c.c.Reads(); op.cache == nil {
		return nil
	}
	return c.c.Bind(op.cache)
}

// ready makes a job's block ready to be worked on: checked, if it is from a
// cache, and split into fields.
func (r *rowReader) ready(j *job) {
	coded := r.coded && j.block.Cached() && j.history == nil
	if j.err = j.block.Check(coded); j.err == nil && !coded {
		j.block.Split()
	}
}

// fresh reports whether a cache beside its one source is of that file as it is
// now, read as in says.
func (in *Input) fresh(c *features.Cache, path string, schema *features.Schema) bool {
	info := c.Info()
	if len(info.Sources) != 1 || !sameJSON(info.Reading, in.reading(schema)) {
		return false
	}
	s := &info.Sources[0]
	now, err := os.Stat(path)
	if err != nil || now.Size() != s.Size {
		return false
	}
	return now.ModTime().UnixNano() == s.Modified || sameText(path, s)
}

// sameText reports whether the text of a file that was written anew is the
// same all the same: a copy has another time.
func sameText(path string, s *features.CacheSource) bool {
	in, err := features.Open(path)
	if err != nil {
		return false
	}
	defer in.Close() // only read
	n, sum, err := in.Fingerprint()
	return err == nil && n == s.Bytes && sum == s.XXH64
}

// reading is how in has text read.
func (in *Input) reading(schema *features.Schema) features.CacheReading {
	return features.CacheReading{Schema: schema, Columns: in.Columns, NoHeader: in.NoHeader, Comma: in.Comma}
}

// cached has sources that are files read from caches beside them, where in
// says so; they are made first where they are missing or of other rows.
func (in *Input) cached(ctx context.Context, sources []source, obs Observer) error {
	if !in.Cache {
		return nil
	}
	schema, err := in.schema()
	if err != nil {
		return err
	}
	for i := range sources {
		s := &sources[i]
		if s.path == "" || s.cache != nil {
			continue
		}
		if info, err := os.Stat(s.path); err != nil || !info.Mode().IsRegular() {
			continue
		}
		path := s.path + CacheSuffix
		c, err := features.OpenCache(path)
		if err == nil && in.fresh(c, s.path, schema) {
			s.cache, s.own = c, path
			continue
		}
		why := path + ": made anew, as " + s.path + " has changed or is read in another way"
		switch {
		case errors.Is(err, os.ErrNotExist):
			why = path + ": made"
		case err != nil:
			why = err.Error() + "; made anew" // it begins with the path
		default:
			_ = c.Close() // only read
		}
		made, err := in.makeCache(ctx, s, schema, path, obs)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			note(obs, fmt.Sprintf("no cache, reading the text: %v", err))
			continue
		}
		if c, err = features.OpenCache(path); err != nil {
			return err
		}
		s.cache, s.own = c, path
		note(obs, fmt.Sprintf("%s (%s rows, %.1f bytes a row)", why, Thousands(made.Rows), made.perRow()))
	}
	return nil
}

// makeCache makes the cache of one file, with all its bad rows: whoever reads
// it says how many there may be.
func (in *Input) makeCache(ctx context.Context, s *source, schema *features.Schema, path string, obs Observer) (*PrepareResult, error) {
	one := *in
	one.MaxBad = int(^uint(0) >> 1)
	return prepareCache(ctx, &one, []source{*s}, schema, path, quietNotes{obs})
}

func note(obs Observer, text string) {
	if obs != nil {
		obs.Note(text)
	}
}
