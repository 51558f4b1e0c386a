// Package interchange is what models of other tools' formats have in common:
// what goes in and what comes out. The formats are in its subpackages, one
// each: Spark's, ONNX, PMML, JSON, and the models of other trainers.
package interchange

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"ctr/features"
	"ctr/models"
)

// ImportOptions say what a foreign model does not say of itself.
type ImportOptions struct {
	// Schema says what the columns of the data are. Nil takes the built-in
	// schema that has all columns that the model reads; where there is none,
	// columns are named as the model names them and the label is "click".
	Schema *features.Schema
	// Threshold, where not nil, is used in place of the model's own.
	Threshold *float64
	// Version is that of ctr, for the model file.
	Version string
}

// ImportFunc reads the model at path, a file or a folder. Notes are what the
// user ought to know of it, a sentence each: settings of the original that
// scoring does not follow, say. It trusts nothing of what it reads: damaged or
// hostile input is an error, and takes no more memory than ten times the input.
type ImportFunc func(ctx context.Context, path string, o ImportOptions) (a *models.Artifact, notes []string, err error)

// ExportFunc writes a model to path, which does not exist yet: the caller gives
// it a temporary name and renames it. Notes are as in ImportFunc. A model that
// the format can't hold is refused with a Refusal.
type ExportFunc func(ctx context.Context, a *models.Artifact, path string) (notes []string, err error)

// Importer is a format that ctr import reads.
type Importer struct {
	Name   string // "spark"
	Title  string // what it reads, for help: "a folder saved by PipelineModel.save"
	Import ImportFunc
}

// Exporter is a format that ctr export writes.
type Exporter struct {
	Name   string // "onnx"
	Title  string // what it writes, for help
	Ext    string // of the default output, ".onnx"; "" for a folder
	Export ExportFunc
}

// Refusal says that a format can't hold a model: each fault names the field and
// the reason.
type Refusal struct {
	Format string
	Faults []string
}

// Error gives all faults.
func (r *Refusal) Error() string {
	return fmt.Sprintf("%s can't hold this model: %s", r.Format, strings.Join(r.Faults, "; "))
}

// Refuse gives a *Refusal of the faults, nil where there is none.
func Refuse(format string, faults []string) error {
	if len(faults) == 0 {
		return nil
	}
	return &Refusal{Format: format, Faults: faults}
}

// Hashed gives a fault for each field of spec that is hashed, for formats that
// have no murmur3.
func Hashed(spec *features.Spec) (faults []string) {
	for i := range spec.Fields {
		if spec.Fields[i].Type == features.Hash {
			faults = append(faults, fmt.Sprintf("column %s is hashed: want a dictionary (train without --bits for it)", spec.Fields[i].Name))
		}
	}
	return faults
}

// Stateful gives a fault for each field of spec whose values depend on earlier
// rows, which no format but ctr's own can hold.
func Stateful(spec *features.Spec) (faults []string) {
	for i := range spec.Fields {
		if spec.Fields[i].Past != features.NoPast {
			faults = append(faults, fmt.Sprintf("column %s depends on earlier rows (--history)", spec.Fields[i].Name))
		}
	}
	return faults
}

// SchemaFor gives the schema that o names, else the first built-in one that has
// all columns, else one of its own whose columns are of the kinds given, with
// the label "click" and, where no column is called so, the id "id".
func SchemaFor(o ImportOptions, columns []features.Column) (*features.Schema, error) {
	if o.Schema != nil {
		for _, c := range columns {
			if !has(o.Schema, c.Name) {
				return nil, fmt.Errorf("schema %s: no column %s, which the model reads", o.Schema.Name, c.Name)
			}
		}
		return o.Schema, nil
	}
	for _, s := range features.Presets() {
		if !slices.ContainsFunc(columns, func(c features.Column) bool { return !has(s, c.Name) }) {
			return s, nil
		}
	}
	s := &features.Schema{Name: "imported", Comma: ',', Columns: slices.Clone(columns)}
	for _, extra := range []features.Column{{Name: "click", Kind: features.Label}, {Name: "id", Kind: features.ID}} {
		if !has(s, extra.Name) && s.Find(extra.Kind) == "" {
			s.Columns = append(s.Columns, extra)
		}
	}
	return s, nil
}

func has(s *features.Schema, name string) bool {
	return slices.ContainsFunc(s.Columns, func(c features.Column) bool { return c.Name == name })
}
