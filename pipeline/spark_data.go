package pipeline

import (
	"cmp"
	"context"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"ctr/features"
	"ctr/features/columnar"
	"ctr/pipeline/sparkjob"
)

// sparkData is rows that Spark is to read: where they are, and what their
// columns are.
type sparkData struct {
	paths  []string // as Spark names them
	files  []source // the same, where ctr can read them too; else none
	format string
	layout features.Layout
	schema *features.Schema
	header bool
	comma  byte
}

func (d *sparkData) local() bool { return len(d.files) > 0 }

func (d *sparkData) name() string {
	if d.local() {
		return d.files[0].name
	}
	return d.paths[0]
}

// isAddress reports whether Spark alone knows what a name stands for: one with
// a scheme, other than file.
func isAddress(name string) bool {
	scheme, _, ok := strings.Cut(name, "://")
	return ok && scheme != "file"
}

// sparkPaths finds the data: files and parts in folders that ctr can read too,
// or addresses that only Spark can.
func (in *Input) sparkPaths() (*sparkData, error) {
	d := new(sparkData)
	var local []string
	for _, name := range in.Files {
		if isAddress(name) {
			d.paths = append(d.paths, name)
			continue
		}
		parts, err := sparkParts(strings.TrimPrefix(name, "file://"))
		if err != nil {
			return nil, err
		}
		local = append(local, parts...)
	}
	if len(local) > 0 && len(d.paths) > 0 {
		return nil, &OptionError{Faults: []string{fmt.Sprintf("%s and %s: want all data in one place", local[0], d.paths[0])}}
	}
	for _, path := range local {
		full, err := filepath.Abs(path)
		if err != nil {
			return nil, err
		}
		if strings.HasSuffix(path, ".zst") || features.IsCache(path) {
			return nil, fmt.Errorf("%s: Spark can't read this: want CSV, plain or .gz, or Parquet", path)
		}
		d.files = append(d.files, source{name: path, path: path})
		d.paths = append(d.paths, (&url.URL{Scheme: "file", Path: filepath.ToSlash(full)}).String())
	}
	return d, nil
}

// sparkParts gives the files that a path, a glob or a folder stands for. As
// with Spark, names that begin with a dot or an underline are no data.
func sparkParts(path string) ([]string, error) {
	info, err := os.Stat(path)
	if err != nil || !info.IsDir() {
		return expand(path)
	}
	var parts []string
	err = filepath.WalkDir(path, func(name string, e fs.DirEntry, err error) error {
		hidden := name != path && strings.ContainsAny(e.Name()[:1], "._")
		switch {
		case err != nil:
			return err
		case hidden && e.IsDir():
			return fs.SkipDir
		case !hidden && !e.IsDir():
			parts = append(parts, name)
		}
		return nil
	})
	if err == nil && len(parts) == 0 {
		err = fmt.Errorf("%s: no files: want CSV or Parquet", path)
	}
	return parts, err
}

// lookLocal finds the format and the columns of files.
func (o *TrainOptions) lookLocal(ctx context.Context, d *sparkData, schema *features.Schema) error {
	for i := range d.files {
		format, err := o.lookAt(ctx, &d.files[i], schema, d, i == 0)
		if err != nil {
			return err
		}
		if d.format = cmp.Or(d.format, format); d.format != format {
			return fmt.Errorf("%s: %s: want %s, as the first file", d.files[i].name, format, d.format)
		}
	}
	return nil
}

// lookAt reads the beginning of one file; the first says what the columns are
// and the others must agree.
func (o *TrainOptions) lookAt(ctx context.Context, s *source, schema *features.Schema, d *sparkData, first bool) (format string, err error) {
	in, err := s.open(ctx, 1)
	if err != nil {
		return "", err
	}
	defer in.close() //nolint:errcheck // only read
	rows, err := o.rows(in, s.name, schema)
	if err != nil {
		return "", err
	}
	text, ok := rows.(*features.Reader)
	format = sparkjob.CSV
	switch {
	case !ok && strings.HasSuffix(s.name, ".parquet"):
		format = sparkjob.Parquet
	case !ok:
		if head, err := in.in.Peek(columnar.HeadSize); err == nil && columnar.Detect(head) != columnar.Parquet {
			return "", fmt.Errorf("%s: Spark can't read this: want CSV or Parquet", s.name)
		}
		format = sparkjob.Parquet
	}
	if !first {
		if ok && text.Header() != d.header {
			return "", fmt.Errorf("%s: a header in one file and not in another: want all files alike", s.name)
		}
		return format, sameLayout(d.layout, rows.Layout(), s.name)
	}
	d.layout, d.schema = slices.Clone(rows.Layout()), rows.Schema()
	if ok {
		d.header, d.comma = text.Header(), text.Comma()
	}
	return format, nil
}

// lookRemote has Spark look at addresses, and makes columns of what it finds
// in the same way.
func (o *TrainOptions) lookRemote(ctx context.Context, l sparkjob.Launch, d *sparkData, schema *features.Schema, obs Observer) error {
	r, err := sparkjob.Run(ctx, l, sparkjob.Task{Do: sparkjob.DoLook, Paths: d.paths}, sparkProgress(obs))
	if err != nil {
		return err
	}
	defer r.Close()
	if r.Look == nil {
		return fmt.Errorf("spark: %s: nothing was found out about it", d.name())
	}
	if d.format = r.Look.Format; d.format == sparkjob.Parquet {
		d.layout, d.schema = r.Look.Columns, schema
		if schema == nil {
			d.schema = features.DetectNames(d.layout)
		}
		return nil
	}
	rows, err := features.NewReader(strings.NewReader(r.Look.First+"\n"), d.name(), o.readerOptions(schema))
	if err != nil {
		return err
	}
	d.layout, d.schema, d.header, d.comma = rows.Layout(), rows.Schema(), rows.Header(), rows.Comma()
	return nil
}
