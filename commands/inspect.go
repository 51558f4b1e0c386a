package commands

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"

	"github.com/urfave/cli/v2"

	"ctr/features"
	"ctr/models"
	"ctr/models/metrics"
	"ctr/pipeline"
)

// inspection is the JSON of ctr inspect.
type inspection struct {
	Model     string           `json:"model"`
	Bytes     int64            `json:"bytes"`
	Hash      string           `json:"hash"`
	Algo      string           `json:"algo"`
	Version   string           `json:"ctr_version"`
	Threshold float64          `json:"threshold"`
	Settings  map[string]any   `json:"settings"`
	Schema    string           `json:"schema"`
	Fields    []fieldView      `json:"fields"`
	Redacted  []string         `json:"redacted,omitempty"` // columns whose values are not in the model
	History   *historyView     `json:"history,omitempty"`
	Data      json.RawMessage  `json:"data,omitempty"`
	Train     *metrics.Metrics `json:"train,omitempty"`
	Test      *metrics.Metrics `json:"test,omitempty"`

	data *pipeline.Data
}

// fieldView is one input of the model.
type fieldView struct {
	Name     string             `json:"name"`
	Type     features.FieldType `json:"type"`
	From     []string           `json:"from"`
	Codes    int                `json:"codes"`
	MinCount int                `json:"min_count,omitempty"`
	Cap      *float64           `json:"cap,omitempty"`
}

// historyView is what the history fields had seen after training.
type historyView struct {
	Keys   int    `json:"keys"` // that are remembered
	Room   int    `json:"room"` // for as many
	Rows   uint64 `json:"rows"` // counted
	Newest string `json:"newest"`
}

// historyOf gives nil where a has no history fields.
func historyOf(a *models.Artifact) *historyView {
	if a.State == nil {
		return nil
	}
	h := &historyView{Keys: len(a.State.Entries) / 4, Room: 1 << a.Spec.HistoryBits, Rows: a.State.Head[1]}
	if h.Rows > 0 {
		h.Newest = features.Hour(int64(a.State.Head[0])).String()
	}
	return h
}

func inspectCommand(s *stdio) *cli.Command {
	var c common
	return &cli.Command{
		Name: "inspect", Usage: "shows what a model file holds",
		ArgsUsage: "[MODEL]", Args: true,
		UsageText: `ctr inspect
			ctr inspect pairs.ctr --json`,
		Description: "MODEL is model.ctr by default. The file is checked as it is whenever a model is used: sizes, bounds and its checksum.",
		Flags:       c.flags(),
		Action: func(cc *cli.Context) error {
			path := "model.ctr"
			switch names := cc.Args().Slice(); len(names) {
			case 0:
			case 1:
				path = names[0]
			default:
				return usagef("%s: want one model", strings.Join(names, " "))
			}
			r, err := runInspect(path)
			if err != nil {
				return err
			}
			if c.json {
				return printJSON(s.out, r)
			}
			printInspect(s, r)
			return nil
		},
	}
}

func runInspect(path string) (*inspection, error) {
	a, err := models.Open(path)
	if err != nil {
		return nil, err
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	r := &inspection{
		Model: path, Bytes: info.Size(), Hash: a.Hash, Algo: a.Model.Algo(), Version: a.Version,
		Threshold: a.Threshold, Schema: a.Spec.Schema.Name, Redacted: a.Spec.Redacted, History: historyOf(a), Data: a.Data, Train: a.Train, Test: a.Test,
	}
	if r.Settings, err = setOptions(a.Options); err != nil {
		return nil, err
	}
	for i := range a.Spec.Fields {
		f := &a.Spec.Fields[i]
		from := f.From
		if f.Part != "" {
			from = []string{f.From[0] + "." + string(f.Part)}
		}
		r.Fields = append(r.Fields, fieldView{f.Name, f.Type, from, a.Spec.Size(i), f.MinCount, f.Cap})
	}
	if a.Data != nil {
		if r.data, err = pipeline.DataOf(a); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
	}
	return r, nil
}

// setOptions gives the algorithm's settings that were not left at their
// defaults, by name.
func setOptions(o models.Options) (map[string]any, error) {
	o.Threads = 0
	text, err := json.Marshal(o)
	if err != nil {
		return nil, err
	}
	all := map[string]any{}
	if err := json.Unmarshal(text, &all); err != nil {
		return nil, err
	}
	for name, v := range all {
		if v == nil || v == false || v == 0.0 || v == "" {
			delete(all, name)
		}
	}
	return all, nil
}

func printInspect(s *stdio, r *inspection) {
	t := table{left: map[int]bool{1: true}}
	t.add("model", r.Model+", "+thousands(r.Bytes)+" bytes, hash "+r.Hash)
	t.add("algorithm", algoTitle(r.Algo)+settingsText(r.Settings))
	t.add("threshold", fmt.Sprintf("%.6g", r.Threshold))
	t.add("written by", "ctr "+r.Version)
	if d := r.data; d != nil {
		t.add("data", dataText(d))
		t.add("split", splitText(d))
	}
	if len(r.Redacted) > 0 {
		t.add("redacted", strings.Join(r.Redacted, ", "))
	}
	if h := r.History; h != nil {
		t.add("history", fmt.Sprintf("%s of %s, room for %s; up to hour %s", count(h.Keys, "key"), count(int(h.Rows), "row"), thousands(h.Room), h.Newest))
	}
	t.print(s.out)
	fmt.Fprintf(s.out, "\n%s, schema %s\n\n", count(len(r.Fields), "field"), r.Schema)
	fields := table{left: map[int]bool{1: true, 3: true}}
	fields.add("name", "type", "codes", "from")
	for _, f := range r.Fields {
		fields.add(f.Name, string(f.Type), thousands(f.Codes), strings.Join(f.From, " × "))
	}
	fields.print(s.out)
	if r.Train == nil {
		return
	}
	parts := []judged{{"train", *r.Train}}
	if r.Test != nil {
		parts = append(parts, judged{"test", *r.Test})
	}
	fmt.Fprintln(s.out)
	printMetrics(s.out, parts...)
}

func settingsText(settings map[string]any) string {
	if len(settings) == 0 {
		return ", default settings"
	}
	text, err := json.Marshal(settings) // by name, ascending
	if err != nil {
		return ""
	}
	return ", " + strings.Trim(string(text), "{}")
}

func dataText(d *pipeline.Data) string {
	switch {
	case d.Synth != nil:
		return fmt.Sprintf("%s built-in synthetic rows, seed %d", thousands(d.Synth.Rows), d.Synth.Seed)
	case d.Stdin:
		return "standard input"
	}
	return strings.Join(d.Files, ", ")
}

func splitText(d *pipeline.Data) string {
	rows := fmt.Sprintf("%s to train, %s to test", count(d.Rows.Train, "row"), thousands(d.Rows.Test))
	switch d.Holdout.Kind {
	case "time":
		return rows + ", held out from " + d.Boundary + " on"
	case "random":
		return rows + ", held out at random"
	}
	return rows
}
