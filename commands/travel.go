package commands

import (
	"context"
	"fmt"
	"strings"

	"github.com/urfave/cli/v2"

	"ctr/models/interchange"
	"ctr/pipeline"
)

func exportCommand(s *stdio) *cli.Command {
	var c common
	var o pipeline.ExportOptions
	formats := pipeline.Exporters()
	names := formatNames(formats, func(f interchange.Exporter) (string, string) { return f.Name, f.Title })
	return &cli.Command{
		Name: "export", Usage: "writes a model in another tool's format",
		ArgsUsage: "[MODEL]", Args: true,
		UsageText: `ctr export --to onnx
			ctr export lr.ctr --to spark --out lr-spark`,
		Description: "MODEL is model.ctr by default. The formats:\n\n" + names.list + "\n\nWhat comes out gives the probabilities that ctr gives. A model that a format can't hold is refused, and the columns that stand in the way are named.",
		Flags: flags(
			group("Export",
				choiceFlag(&o.Format, "to", "the `FORMAT`: "+orList(names.names), names.names...),
				stringFlag(&o.Out, "out", "the `FILE` or folder to write; by default the model's name with the format's ending"),
				boolFlag(&o.Overwrite, "overwrite", "replace a folder that is there already"),
			), c.flags()),
		Action: func(cc *cli.Context) error {
			switch given := cc.Args().Slice(); {
			case len(given) > 1:
				return usagef("%s: want one model", strings.Join(given, " "))
			case o.Format == "":
				return usagef("export: want --to").withHint("--to %s", orList(names.names))
			case len(given) == 1:
				o.Model = given[0]
			default:
				o.Model = "model.ctr"
			}
			r, err := runExport(cc.Context, o, s, &c)
			if err != nil {
				return err
			}
			if c.json {
				return printJSON(s.out, r)
			}
			fmt.Fprintf(s.out, "%s written: %s bytes of %s in %s.\n", r.Out, thousands(int(r.Bytes)), r.Format, seconds(r.Seconds))
			return nil
		},
	}
}

func runExport(ctx context.Context, o pipeline.ExportOptions, s *stdio, c *common) (*pipeline.ExportResult, error) {
	r, err := pipeline.Export(ctx, o)
	if err != nil {
		return nil, err
	}
	note(s, c, r.Notes)
	return r, nil
}

func importCommand(s *stdio) *cli.Command {
	var c common
	var o pipeline.ImportOptions
	formats := pipeline.Importers()
	names := formatNames(formats, func(f interchange.Importer) (string, string) { return f.Name, f.Title })
	return &cli.Command{
		Name: "import", Usage: "makes a model file of another tool's model",
		ArgsUsage: "FORMAT PATH", Args: true,
		UsageText: `ctr import spark my-pipeline-model
			ctr import spark model.tar.gz --out lr.ctr`,
		Description: "The formats:\n\n" + names.list + "\n\nThe model file is like any other: ctr evaluate, score, inspect and export take it. No JVM and no Python are needed.",
		Flags: flags(
			group("Import",
				stringFlag(&o.Out, "out", "the model `FILE` to write; model.ctr by default"),
				stringFlag(&o.Schema, "schema", "what the columns of the data are: avazu, criteo or a YAML `FILE` (ctr help schema); by default the first of these that has the model's columns, else those alone"),
				optionalFloatFlag(&o.Threshold, 0, 1, "threshold", "predict a click where the probability is greater than `P`; the model's own by default"),
			), c.flags()),
		Action: func(cc *cli.Context) error {
			given := cc.Args().Slice()
			if len(given) != 2 {
				return usagef("import: want a format and a path").withHint("ctr import spark my-pipeline-model; the formats are %s", orList(names.names))
			}
			o.Format, o.Path, o.Version = given[0], given[1], version
			if o.Out == "" {
				o.Out = "model.ctr"
			}
			r, err := runImport(cc.Context, o, s, &c)
			if err != nil {
				return err
			}
			if c.json {
				return printJSON(s.out, r)
			}
			fmt.Fprintf(s.out, "%s written: %s of %d columns, threshold %.6g, in %s.\n", r.Model, r.Algo, r.Fields, r.Threshold, seconds(r.Seconds))
			return nil
		},
	}
}

func runImport(ctx context.Context, o pipeline.ImportOptions, s *stdio, c *common) (*pipeline.ImportResult, error) {
	r, err := pipeline.Import(ctx, o)
	if err != nil {
		return nil, err
	}
	note(s, c, r.Notes)
	return r, nil
}

// note says what there is to know of a model that has travelled.
func note(s *stdio, c *common, notes []string) {
	if c.quiet {
		return
	}
	for _, n := range notes {
		fmt.Fprintf(s.err, "ctr: %s\n", n)
	}
}

// named are formats' names, and a paragraph that has their titles.
type named struct {
	names []string
	list  string
}

func formatNames[T any](formats []T, of func(T) (name, title string)) (n named) {
	var lines []string
	for _, f := range formats {
		name, title := of(f)
		n.names = append(n.names, name)
		lines = append(lines, name+": "+title+".")
	}
	n.list = strings.Join(lines, "\n\n")
	return n
}
