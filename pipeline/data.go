package pipeline

import (
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"ctr/features"
	"ctr/models"
)

// Data is what a model file says of the rows it was trained on: enough for
// Evaluate to find the same held-out rows again, and to see that they are the
// same. It holds no absolute path: files are named as seen from the folder of
// the model file.
type Data struct {
	// Files are paths relative to the model file's folder, with slashes.
	Files []string `json:"files,omitempty"`
	// Stdin says that rows came from standard input.
	Stdin bool `json:"stdin,omitempty"`
	// Synth says that rows were the built-in ones.
	Synth *SynthSource `json:"synth,omitempty"`
	// Marks has the fingerprint of each source.
	Marks []FileMark `json:"marks"`
	// Columns, NoHeader, Comma, MaxBad, Since, Until are the input's.
	Columns  []string `json:"columns,omitempty"`
	NoHeader bool     `json:"no_header,omitempty"`
	Comma    string   `json:"comma,omitempty"`
	MaxBad   int      `json:"max_bad,omitempty"`
	Since    string   `json:"since,omitempty"`
	Until    string   `json:"until,omitempty"`
	// SampleSeed and SampleLast say which rows were sampled (see
	// features.Selection); SampleLast is "" where all were.
	SampleSeed uint64 `json:"sample_seed,omitempty"`
	SampleLast string `json:"sample_last,omitempty"`
	// Holdout says which rows were held out.
	Holdout features.Holdout `json:"holdout"`
	// Boundary is Holdout.Boundary as people write it.
	Boundary string `json:"boundary,omitempty"`
	// Preset is the set of features and settings that was asked for.
	Preset string `json:"preset,omitempty"`
	// Engine is "spark" where Spark fitted the model, Remote the addresses of
	// data that only it could read; JudgedBy is "spark" where the metrics are
	// its own.
	Engine   string   `json:"engine,omitempty"`
	Remote   []string `json:"remote,omitempty"`
	JudgedBy string   `json:"judged_by,omitempty"`
	// Rows says how many rows went where, and the clicks among them.
	Rows        RowCounts `json:"rows"`
	TrainClicks int       `json:"train_clicks"`
	TestClicks  int       `json:"test_clicks"`
}

// DataOf reads what the model file says of its training rows: nothing where
// it does not say.
func DataOf(a *models.Artifact) (*Data, error) {
	d := new(Data)
	if a.Data == nil {
		return d, nil
	}
	if err := json.Unmarshal(a.Data, d); err != nil {
		return nil, fmt.Errorf("data: %w", err)
	}
	return d, nil
}

// record notes where the rows came from, for a model that will be at out.
func (d *Data) record(in *Input, sources []source, out string) {
	for i := range sources {
		switch s := &sources[i]; {
		case s.synth != nil:
			d.Synth = s.synth
		case s.stdin != nil:
			d.Stdin = true
		case s.cache != nil && s.path == s.own:
			// some text is gone: its rows will be found in the cache
			if s.part == 0 {
				d.Files = append(d.Files, relative(s.path, out))
			}
		default:
			d.Files = append(d.Files, relative(s.path, out))
		}
	}
	d.Columns, d.NoHeader, d.MaxBad, d.Since, d.Until = in.Columns, in.NoHeader, in.MaxBad, in.Since, in.Until
	if in.Comma != 0 {
		d.Comma = string(rune(in.Comma))
	}
}

// relative names path as seen from the folder of the file out. Where there is
// no way from one to the other (another drive), only its name is kept.
func relative(path, out string) string {
	dir, err := filepath.Abs(filepath.Dir(out))
	if err == nil {
		var abs string
		if abs, err = filepath.Abs(path); err == nil {
			var rel string
			if rel, err = filepath.Rel(dir, abs); err == nil {
				return filepath.ToSlash(rel)
			}
		}
	}
	return filepath.Base(path)
}

// errNothingHeld is returned where a model has no held-out rows to be judged
// on.
var errNothingHeld = errors.New("no rows were held out in training")

// heldWindow refuses a range of time that would be ignored.
func heldWindow(name, hour string) error {
	return &OptionError{Faults: []string{fmt.Sprintf("%s %q: want it where files are named: the held-out rows are those of training", name, hour)}}
}

// held gives the input and selection of the rows that training held out.
func (d *Data) held(model string, in Input) (Input, []source, *features.Selection, error) {
	switch {
	case in.Since != "" && in.Since != d.Since:
		return in, nil, nil, heldWindow("since", in.Since)
	case in.Until != "" && in.Until != d.Until:
		return in, nil, nil, heldWindow("until", in.Until)
	case d.Rows.Test == 0:
		return in, nil, nil, features.WithHint(fmt.Errorf("%s: %w", model, errNothingHeld),
			"name the rows to judge it on: ctr evaluate FILE")
	case d.JudgedBy != "":
		return in, nil, nil, features.WithHint(fmt.Errorf("%s: its held-out rows are known to Spark alone", model),
			"name the rows to judge it on: ctr evaluate FILE")
	case d.Stdin:
		return in, nil, nil, features.WithHint(fmt.Errorf("%s: trained on standard input, which is gone", model),
			"name the rows to judge it on: ctr evaluate FILE")
	}
	in.Columns, in.NoHeader, in.MaxBad, in.Since, in.Until = d.Columns, d.NoHeader, d.MaxBad, d.Since, d.Until
	for _, c := range d.Comma {
		in.Comma = byte(c)
	}
	if faults := in.validate(); len(faults) > 0 {
		return in, nil, nil, fmt.Errorf("%s: data: %s", model, strings.Join(faults, "; "))
	}
	sel := &features.Selection{SampleSeed: d.SampleSeed, Holdout: &d.Holdout}
	if d.SampleLast != "" {
		if _, err := fmt.Sscanf(d.SampleLast, "%x", &sel.SampleLast); err != nil {
			return in, nil, nil, fmt.Errorf("%s: sample %q: want 16 hexadecimal digits", model, d.SampleLast)
		}
	}
	var err error
	if sel.Since, sel.Until, err = in.window(); err != nil {
		return in, nil, nil, fmt.Errorf("%s: %w", model, err)
	}
	if d.Synth != nil {
		return in, []source{{name: "synthetic rows", synth: d.Synth}}, sel, nil
	}
	if len(d.Files) == 0 {
		return in, nil, nil, fmt.Errorf("%s: data: no files", model)
	}
	var sources []source
	for _, f := range d.Files {
		p := filepath.FromSlash(f)
		if !filepath.IsAbs(p) {
			p = filepath.Join(filepath.Dir(model), p)
		}
		if _, err := expand(p); err != nil {
			return in, nil, nil, features.WithHint(fmt.Errorf("%w (%s was trained on it)", err, model),
				"name the rows to judge it on: ctr evaluate FILE")
		}
		if !features.IsCache(p) {
			sources = append(sources, source{name: p, path: p})
			continue
		}
		parts, err := in.openCache(p)
		if err != nil {
			closeCaches(sources)
			return in, nil, nil, err
		}
		sources = append(sources, parts...)
	}
	return in, sources, sel, nil
}

// same reports how what was read differs from what training read.
func (d *Data) same(model string, sources []source, marks []FileMark) error {
	var changed []string
	for i, m := range marks {
		var was FileMark // nothing where the model file has lost it
		if i < len(d.Marks) {
			was = d.Marks[i]
		}
		if m != was {
			changed = append(changed, fmt.Sprintf("%s (%d bytes, xxh64 %s; then %d bytes, xxh64 %s)",
				sources[i].name, m.Bytes, m.XXH64, was.Bytes, was.XXH64))
		}
	}
	if len(changed) == 0 {
		return nil
	}
	return features.WithHint(fmt.Errorf("%s: the data has changed since training: %s", model, strings.Join(changed, ", ")),
		"the held-out rows are no longer the same; name the file to judge the model on all its rows: ctr evaluate FILE")
}
