package pipeline

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"time"

	"ctr/features"
)

// PrepareOptions are the settings of Prepare.
type PrepareOptions struct {
	Input
	// Out is the cache to write; "" = beside the data, where that is one file.
	Out string
}

// PrepareResult is what Prepare did. Its JSON is the command's.
type PrepareResult struct {
	Cache string `json:"cache"`
	Rows  int64  `json:"rows"`
	// Bad is how many rows could not be split; they are in the cache all the
	// same.
	Bad int `json:"bad"`
	// Text is the number of bytes read, decompressed; Bytes the cache's.
	Text    int64   `json:"text_bytes"`
	Bytes   int64   `json:"bytes"`
	Seconds float64 `json:"seconds"`
}

func (r *PrepareResult) perRow() float64 { return float64(r.Bytes) / float64(max(r.Rows, 1)) }

// Prepare reads files once and writes a cache of them, from which they can be
// read again without parsing any text: see features.Cache. It has all rows and
// all columns, so that the options of training mean the same with it. What is
// at Out is replaced when the new cache is complete.
func Prepare(ctx context.Context, o PrepareOptions, obs Observer) (*PrepareResult, error) {
	if faults := o.Input.validate(); len(faults) > 0 {
		return nil, &OptionError{Faults: faults}
	}
	sources, err := o.sources()
	if err != nil {
		return nil, err
	}
	defer closeCaches(sources)
	switch {
	case o.Out == "-":
		return nil, &OptionError{Faults: []string{"out -: want a file: a cache is read in any order"}}
	case o.Out == "" && len(sources) > 0 && sources[0].cache != nil:
		return nil, &OptionError{Faults: []string{"out: want the name of another file: " + o.Files[0] + " is a cache already"}}
	case o.Out == "":
		if len(sources) != 1 || sources[0].path == "" {
			return nil, &OptionError{Faults: []string{"out: want the name of the cache, unless there is one file to read"}}
		}
		o.Out = sources[0].path + CacheSuffix
	}
	if err := notRead(o.Out, sources); err != nil {
		return nil, err
	}
	schema, err := o.schema()
	if err != nil {
		return nil, err
	}
	return prepareCache(ctx, &o.Input, sources, schema, o.Out, obs)
}

// preparing writes a cache of what a rowReader reads.
type preparing struct {
	in     *Input
	schema *features.Schema // as asked for; nil = to be found
	out    *output
	w      *features.CacheWriter
	layout features.Layout
	file   int // that of the rows added last
}

// prepareCache reads sources and writes a cache at path.
func prepareCache(ctx context.Context, in *Input, sources []source, schema *features.Schema, path string, obs Observer) (*PrepareResult, error) {
	start := time.Now()
	before := make([]features.CacheSource, len(sources))
	for i := range sources {
		before[i] = describeSource(&sources[i], path)
	}
	out, err := createOutput(path, true, nil)
	if err != nil {
		return nil, err
	}
	defer out.abandon()
	p := &preparing{in: in, schema: schema, out: out}
	r := &rowReader{in: in, sources: sources, schema: schema, obs: obs, layout: p.bind, worker: p.worker, emit: p.add}
	if err := r.run(ctx); err != nil {
		return nil, err
	}
	if r.nBad > 0 && obs != nil {
		obs.Note(fmt.Sprintf("%s rows can't be split; the first: %v", Thousands(r.nBad), r.bad))
	}
	for ; p.file < len(sources); p.file++ {
		p.w.EndSource()
	}
	res := &PrepareResult{Cache: path, Bad: r.nBad}
	for i, m := range r.marks {
		before[i].Bytes = m.Bytes
		if _, err := fmt.Sscanf(m.XXH64, "%x", &before[i].XXH64); err != nil {
			return nil, err
		}
		res.Text += m.Bytes
	}
	info, err := p.w.Finish(before)
	if err != nil {
		return nil, named(path, err)
	}
	if res.Rows = info.Rows(); res.Rows == 0 {
		return nil, r.noRows(sources[0].name, false)
	}
	if err := out.finish(); err != nil {
		return nil, err
	}
	res.Bytes, res.Seconds = p.w.Size(), time.Since(start).Seconds()
	return res, nil
}

// describeSource is what is known of a source before it is read, for a cache
// at path.
func describeSource(s *source, path string) features.CacheSource {
	if s.cache != nil { // a cache of caches is one of their sources
		was := s.cache.Info().Sources[s.part]
		if was.Size > 0 {
			was.Name = relative(s.name, path)
		}
		return was
	}
	d := features.CacheSource{Name: s.name}
	if s.path == "" {
		return d
	}
	d.Name = relative(s.path, path)
	if info, err := os.Stat(s.path); err == nil && info.Mode().IsRegular() {
		d.Size, d.Modified = info.Size(), info.ModTime().UnixNano()
	}
	return d
}

func (p *preparing) bind(op *opened, name string) error {
	if p.w != nil {
		return sameLayout(p.layout, op.layout, name)
	}
	p.layout = slices.Clone(op.layout)
	p.w = features.NewCacheWriter(p.out, p.layout, op.schema, p.in.reading(p.schema), p.in.threads())
	return nil
}

// worker counts the rows that could not be split.
func (p *preparing) worker() func(*job) {
	return func(j *job) {
		for i := 0; j.block.Bad() && i < j.block.Len(); i++ {
			if err := j.block.Err(i); err != nil {
				j.fail(i, err)
			}
		}
	}
}

// add writes a block; blocks come in order.
func (p *preparing) add(j *job) error {
	for ; p.file < j.file; p.file++ {
		p.w.EndSource()
	}
	return named(p.out.shown, p.w.Add(&j.block))
}

// sameJSON reports whether two values are written alike.
func sameJSON(a, b any) bool {
	x, err1 := json.Marshal(a)
	y, err2 := json.Marshal(b)
	return err1 == nil && err2 == nil && string(x) == string(y)
}
