package pipeline

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"ctr/features"
	"ctr/models"
	"ctr/models/interchange"
	"ctr/models/interchange/boosters"
	"ctr/models/interchange/jsonmodel"
	"ctr/models/interchange/onnx"
	"ctr/models/interchange/pmml"
	"ctr/models/interchange/spark"
)

// Importers are the formats that Import reads, by name.
func Importers() []interchange.Importer {
	return []interchange.Importer{
		spark.Importer(),
		boosters.LightGBM(),
		boosters.XGBoost(),
	}
}

// Exporters are the formats that Export writes, by name.
func Exporters() []interchange.Exporter {
	return []interchange.Exporter{
		spark.Exporter(),
		onnx.Exporter(),
		jsonmodel.Exporter(),
		pmml.Exporter(),
	}
}

// ImportOptions say what to import, and as what.
type ImportOptions struct {
	Format    string   // of Importers
	Path      string   // a file or a folder
	Out       string   // the model file to write
	Schema    string   // "avazu", "criteo" or a schema file; "" finds it
	Threshold *float64 // in place of the model's own
	Version   string   // of ctr
}

// ImportResult is what became of an import.
type ImportResult struct {
	Model     string   `json:"model"`
	Format    string   `json:"format"`
	Algo      string   `json:"algo"`
	Hash      string   `json:"hash"`
	Fields    int      `json:"fields"`
	Threshold float64  `json:"threshold"`
	Seconds   float64  `json:"seconds"`
	Notes     []string `json:"notes,omitempty"`
}

// Import reads a model of another tool and writes it as a model file.
func Import(ctx context.Context, o ImportOptions) (*ImportResult, error) {
	from := time.Now()
	i := slices.IndexFunc(Importers(), func(f interchange.Importer) bool { return f.Name == o.Format })
	if i < 0 {
		return nil, noFormat(o.Format, Importers(), func(f interchange.Importer) string { return f.Name })
	}
	schema, err := (&Input{Schema: o.Schema}).schema()
	if err != nil {
		return nil, err
	}
	a, notes, err := Importers()[i].Import(ctx, o.Path, interchange.ImportOptions{Schema: schema, Threshold: o.Threshold, Version: o.Version})
	if err != nil {
		return nil, err
	}
	if err := a.Write(o.Out); err != nil {
		return nil, err
	}
	return &ImportResult{
		Model: o.Out, Format: o.Format, Algo: a.Model.Algo(), Hash: a.Hash, Fields: len(a.Spec.Fields),
		Threshold: a.Threshold, Seconds: time.Since(from).Seconds(), Notes: notes,
	}, nil
}

// ExportOptions say what to export, and where to.
type ExportOptions struct {
	Format    string // of Exporters
	Model     string // a model file
	Out       string // a file or a folder; "" is the model's name with the format's ending
	Overwrite bool   // replace a folder that is there; a file is replaced anyway
}

// ExportResult is what became of an export.
type ExportResult struct {
	Model   string   `json:"model"`
	Format  string   `json:"format"`
	Out     string   `json:"out"`
	Bytes   int64    `json:"bytes"` // of all files
	Seconds float64  `json:"seconds"`
	Notes   []string `json:"notes,omitempty"`
}

// Export writes a model file in another tool's format: under a temporary name
// beside the wanted one, and renamed when it is whole.
func Export(ctx context.Context, o ExportOptions) (*ExportResult, error) {
	from := time.Now()
	i := slices.IndexFunc(Exporters(), func(f interchange.Exporter) bool { return f.Name == o.Format })
	if i < 0 {
		return nil, noFormat(o.Format, Exporters(), func(f interchange.Exporter) string { return f.Name })
	}
	format := Exporters()[i]
	a, err := models.Open(o.Model)
	if err != nil {
		return nil, err
	}
	out := cmp.Or(o.Out, strings.TrimSuffix(o.Model, ".ctr")+cmp.Or(format.Ext, "-"+format.Name))
	if err := clearFor(out, format.Ext == "", o.Overwrite); err != nil {
		return nil, err
	}
	temp, err := os.MkdirTemp(filepath.Dir(out), "."+filepath.Base(out)+".*.tmp")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(temp) }() // empty, or what an error left
	whole := filepath.Join(temp, filepath.Base(out))
	notes, err := format.Export(ctx, a, whole)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", o.Model, err)
	}
	bytes, err := syncAll(whole)
	if err != nil {
		return nil, err
	}
	if format.Ext == "" {
		if err := os.RemoveAll(out); err != nil {
			return nil, err
		}
	}
	if err := moveAll(temp, filepath.Dir(out)); err != nil {
		return nil, err
	}
	return &ExportResult{Model: o.Model, Format: o.Format, Out: out, Bytes: bytes, Seconds: time.Since(from).Seconds(), Notes: notes}, nil
}

func noFormat[T any](name string, list []T, nameOf func(T) string) error {
	var names []string
	for _, f := range list {
		names = append(names, nameOf(f))
	}
	return &OptionError{Faults: []string{fmt.Sprintf("format %q: want one of %s", name, strings.Join(names, ", "))}}
}

// clearFor reports what stands in the way of an export to out.
func clearFor(out string, folder, overwrite bool) error {
	info, err := os.Stat(out)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case folder && !info.IsDir():
		return fmt.Errorf("%s: a file: want a folder", out)
	case folder && !overwrite:
		return features.WithHint(fmt.Errorf("%s: exists already", out), "--overwrite replaces the folder")
	case !folder && !info.Mode().IsRegular():
		return fmt.Errorf("%s: want a file", out)
	}
	return nil
}

// syncAll flushes a file, or all files of a folder, to the disk and gives their
// length in all, that of files which an exporter put beside it included.
func syncAll(path string) (bytes int64, err error) {
	err = filepath.WalkDir(filepath.Dir(path), func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		f, err := os.Open(name)
		if err != nil {
			return err
		}
		defer f.Close()
		info, err := f.Stat()
		if err != nil {
			return err
		}
		bytes += info.Size()
		return f.Sync()
	})
	return bytes, err
}

// moveAll renames what stands in one folder into another: what an exporter put
// beside its file first, so that the file never names what is not there.
func moveAll(from, to string) error {
	list, err := os.ReadDir(from)
	if err != nil {
		return err
	}
	slices.SortFunc(list, func(a, b fs.DirEntry) int { return cmp.Compare(len(b.Name()), len(a.Name())) })
	for _, e := range list {
		if err := os.Rename(filepath.Join(from, e.Name()), filepath.Join(to, e.Name())); err != nil {
			return err
		}
	}
	return syncFolder(to)
}
