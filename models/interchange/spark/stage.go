package spark

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"path"
	"slices"
	"strconv"
	"strings"
)

// stage is one step of a saved pipeline: its parameters, and where its data is.
type stage struct {
	dir    string
	class  string // without the package: "StringIndexerModel"
	uid    string
	major  int // of the Spark that saved it
	params map[string]json.RawMessage
	// numFeatures, numClasses and numTrees are a tree model's; 0 in others.
	numFeatures, numClasses, numTrees int

	err error // the first that a parameter gave
}

// metadata is the JSON that stands in a saved stage's folder.
type metadata struct {
	Class           string                     `json:"class"`
	SparkVersion    string                     `json:"sparkVersion"`
	UID             string                     `json:"uid"`
	ParamMap        map[string]json.RawMessage `json:"paramMap"`
	DefaultParamMap map[string]json.RawMessage `json:"defaultParamMap"`
	NumFeatures     int                        `json:"numFeatures"`
	NumClasses      int                        `json:"numClasses"`
	NumTrees        int                        `json:"numTrees"`
}

// classPrefix is of all classes of Spark's own pipeline stages.
const classPrefix = "org.apache.spark.ml."

// oldest and newest are the versions of Spark whose models are known.
const oldest, newest = 2, 4

// stages reads the stages of the model in a folder, those of pipelines within
// it in their places.
func (f *files) stages(dir string, depth int) (list []*stage, err error) {
	line, err := f.firstLine(path.Join(dir, "metadata"))
	if err != nil {
		return nil, err
	}
	var m metadata
	if err := json.Unmarshal(line, &m); err != nil {
		return nil, fmt.Errorf("%s: metadata: %w", dir, err)
	}
	if depth > maxDepth {
		return nil, fmt.Errorf("%s: pipelines within each other: want at most %d", dir, maxDepth)
	}
	s := &stage{
		dir: dir, uid: m.UID, class: m.Class[strings.LastIndexByte(m.Class, '.')+1:], params: map[string]json.RawMessage{},
		numFeatures: m.NumFeatures, numClasses: m.NumClasses, numTrees: m.NumTrees,
	}
	if !strings.HasPrefix(m.Class, classPrefix) {
		return nil, fmt.Errorf("stage %s: class %q: want one of Spark's own", s.uid, m.Class)
	}
	major, _, _ := strings.Cut(m.SparkVersion, ".")
	if s.major, err = strconv.Atoi(major); err != nil || s.major < oldest || s.major > newest {
		return nil, fmt.Errorf("%s: saved by Spark %q: want 2.4 to %d.x", dir, m.SparkVersion, newest)
	}
	for _, from := range []map[string]json.RawMessage{m.DefaultParamMap, m.ParamMap} {
		for name, v := range from {
			s.params[name] = v
		}
	}
	switch s.class {
	case "CrossValidatorModel", "TrainValidationSplitModel":
		return f.stages(path.Join(dir, "bestModel"), depth+1)
	case "PipelineModel":
		return f.pipeline(s, depth)
	}
	return []*stage{s}, s.known()
}

// pipeline reads the stages of a PipelineModel, whose folders are named by
// number and uid.
func (f *files) pipeline(s *stage, depth int) (list []*stage, err error) {
	uids := s.texts("stageUids")
	if s.err != nil {
		return nil, s.err
	}
	names, err := f.list(path.Join(s.dir, "stages"))
	if err != nil {
		return nil, err
	}
	if len(names) < len(uids) {
		return nil, fmt.Errorf("%s: %d stages: %d are there", s.uid, len(uids), len(names))
	}
	for i, uid := range uids {
		at := slices.IndexFunc(names, func(n string) bool {
			number, name, ok := strings.Cut(n, "_")
			k, err := strconv.Atoi(number)
			return ok && err == nil && k == i && name == uid
		})
		if at < 0 {
			return nil, fmt.Errorf("stage %s: no folder of it in %s", uid, path.Join(s.dir, "stages"))
		}
		inner, err := f.stages(path.Join(s.dir, "stages", names[at]), depth+1)
		if err != nil {
			return nil, err
		}
		list = append(list, inner...)
	}
	return list, nil
}

// String names the stage in messages.
func (s *stage) String() string { return fmt.Sprintf("stage %s (%s)", s.uid, s.class) }

// fail gives an error that names the stage.
func (s *stage) fail(format string, a ...any) error {
	return fmt.Errorf("%s: %w", s, fmt.Errorf(format, a...))
}

// known reports a class or a parameter that import has not heard of: it may
// change what the stage does.
func (s *stage) known() error {
	names, ok := knownParams[s.class]
	if !ok {
		return errors.New(s.String() + ": not one that ctr import knows: want " + strings.Join(knownClasses(), ", "))
	}
	for _, name := range sortedKeys(s.params) {
		if !slices.Contains(names, name) && !slices.Contains(commonParams, name) {
			return s.fail("parameter %s: not one that ctr import knows", name)
		}
	}
	return nil
}

// has reports whether the parameter is set, or has a default.
func (s *stage) has(name string) bool { _, ok := s.params[name]; return ok }

// param reads a parameter into v; it leaves v as it is where there is none.
func (s *stage) param(name string, v any) {
	text, ok := s.params[name]
	if !ok {
		return
	}
	if err := json.Unmarshal(text, v); err != nil && s.err == nil {
		s.err = s.fail("parameter %s: %w", name, err)
	}
}

func (s *stage) text(name string) (v string) { s.param(name, &v); return v }

func (s *stage) texts(name string) (v []string) { s.param(name, &v); return v }

func (s *stage) flag(name string, otherwise bool) bool {
	v := otherwise
	s.param(name, &v)
	return v
}

func (s *stage) number(name string, otherwise float64) float64 {
	v := number(otherwise)
	s.param(name, &v)
	return float64(v)
}

// number is a double as Spark writes it in JSON, where those that are not
// finite are texts.
type number float64

// UnmarshalJSON reads a number or the text of one that JSON has no form for.
func (n *number) UnmarshalJSON(text []byte) error {
	switch string(text) {
	case `"NaN"`:
		*n = number(math.NaN())
	case `"Inf"`:
		*n = number(math.Inf(1))
	case `"-Inf"`:
		*n = number(math.Inf(-1))
	default:
		return json.Unmarshal(text, (*float64)(n))
	}
	return nil
}

// columns gives what a stage of one or several columns has under the name of
// one ("inputCol") or of several ("inputCols").
func (s *stage) columns(one string) []string {
	if many := s.texts(one + "s"); len(many) > 0 {
		return many
	}
	if name := s.text(one); name != "" {
		return []string{name}
	}
	return nil
}

// inOut gives the columns that a stage reads and writes, pair by pair.
func (s *stage) inOut() (in, out []string, err error) {
	in = s.columns("inputCol")
	if s.has("inputCols") && !s.has("inputCol") || len(in) > 1 {
		out = s.texts("outputCols")
	} else {
		out = s.columns("outputCol")
	}
	if s.err != nil {
		return nil, nil, s.err
	}
	if len(in) == 0 || len(in) != len(out) {
		return nil, nil, s.fail("%d columns read and %d written: want as many", len(in), len(out))
	}
	return in, out, nil
}

// invalid gives handleInvalid: "error", "skip" or "keep".
func (s *stage) invalid() (string, error) {
	v := "error"
	s.param("handleInvalid", &v)
	if s.err == nil && v != "error" && v != "skip" && v != "keep" {
		s.err = s.fail("parameter handleInvalid %q: want error, skip or keep", v)
	}
	return v, s.err
}
