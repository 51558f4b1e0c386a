package infer

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"ctr/features"
)

// openAPIDocument has all but what depends on the models that are served.
//
//go:embed openapi.json
var openAPIDocument []byte

type object = map[string]any

func (s *Server) openAPI(w http.ResponseWriter, _ *http.Request) *fault {
	doc, err := s.document()
	if err != nil {
		return &fault{status: http.StatusInternalServerError, text: err.Error()}
	}
	return writeJSON(w, doc)
}

// document gives the OpenAPI document: openapi.json, and in it the names of the
// models, the columns that rows must have, examples of them, and whether tokens
// are wanted.
func (s *Server) document() (object, error) {
	var doc object
	if err := json.Unmarshal(openAPIDocument, &doc); err != nil {
		return nil, err
	}
	doc["info"].(object)["version"] = s.o.Version
	if s.tokens != nil {
		doc["security"] = []any{object{"bearer": []any{}}}
	}
	models := s.o.Registry.Models()
	var names []any
	same := true
	for _, m := range models {
		if !slices.Contains(names, any(m.Name)) {
			names = append(names, m.Name)
		}
		same = same && slices.Equal(m.Needs(), models[0].Needs()) && slices.Equal(m.Layout(), models[0].Layout())
	}
	components := doc["components"].(object)
	components["parameters"].(object)["Name"].(object)["schema"].(object)["examples"] = names
	components["parameters"].(object)["Version"].(object)["schema"].(object)["examples"] = []any{models[0].Version}
	schemas := components["schemas"].(object)
	first := newExample(models[0])
	row := schemas["Row"].(object)
	if !same { // only requests without a name are known to want the first one's columns
		row = maps.Clone(row)
		schemas["FirstRow"] = row
	}
	row["properties"], row["required"] = first.properties, first.required
	for path, page := range doc["paths"].(object) {
		post, ok := page.(object)["post"].(object)
		if !ok {
			continue
		}
		body, ok := post["requestBody"].(object)
		if !ok {
			continue
		}
		content := body["content"].(object)
		if strings.HasSuffix(path, "/infer") {
			content[jsonType[0]].(object)["example"] = first.inference()
			continue
		}
		first.fill(content)
		if !same && path == "/v1/score" {
			content[jsonType[0]].(object)["schema"] = object{"oneOf": []any{
				object{"$ref": "#/components/schemas/FirstRow"},
				object{"type": "array", "minItems": 1, "items": object{"$ref": "#/components/schemas/FirstRow"}},
			}}
		}
	}
	return doc, nil
}

// The forms of values as patterns. An hour is YYMMDDHH or YYYY-MM-DD, and then
// HH:MM:SS or nothing; February has 28 days here, which is all a pattern can say.
const (
	year       = `(000[1-9]|00[1-9][0-9]|0[1-9][0-9]{2}|[1-9][0-9]{3})`
	days       = `(0[1-9]|[12][0-9]`
	shortDate  = `[0-9]{2}((0[13578]|1[02])` + days + `|3[01])|(0[469]|11)` + days + `|30)|02(0[1-9]|1[0-9]|2[0-8]))`
	longDate   = year + `-((0[13578]|1[02])-` + days + `|3[01])|(0[469]|11)-` + days + `|30)|02-(0[1-9]|1[0-9]|2[0-8]))`
	clock      = `([01][0-9]|2[0-3])`
	hourText   = `^(` + shortDate + clock + `|` + longDate + `([ T]` + clock + `:[0-5][0-9]:[0-5][0-9])?)$`
	numberText = `^([+-]?([0-9]{1,15}(\.[0-9]{0,15})?|\.[0-9]{1,15})([eE][+-]?[0-9]{1,2})?)?$`
	anyText    = `^[^\u0000]*$`
)

// example is what the rows of a model look like.
type example struct {
	properties object
	required   []string // columns
	names      []string // of all properties, in the order of the schema
	row        object
}

func newExample(m *Model) *example {
	x := &example{properties: object{}, row: object{}}
	schema := &m.Artifact().Spec.Schema
	for i, need := range m.Needs() {
		name := m.Layout()[i]
		kind := schema.Kind(name)
		if need {
			x.required = append(x.required, name)
		} else if kind != features.ID && kind != features.Label {
			continue
		}
		x.names = append(x.names, name)
		x.properties[name], x.row[name] = columnSchema(kind), exampleOf(kind)
	}
	return x
}

// fill puts examples into the forms of a request.
func (x *example) fill(content object) {
	var values []string
	for _, name := range x.names {
		values = append(values, fmt.Sprint(x.row[name]))
	}
	line, _ := json.Marshal(x.row) // text and numbers: no error
	content[jsonType[0]].(object)["examples"] = object{"row": object{"value": x.row}, "rows": object{"value": []any{x.row, x.row}}}
	content[contentTypes[formLines][0]].(object)["example"] = strings.Repeat(string(line)+"\n", 2)
	for form, sep := range map[string]string{"text/csv": ",", "text/tab-separated-values": "\t"} {
		content[form].(object)["example"] = strings.Join(x.names, sep) + "\n" + strings.Join(values, sep) + "\n"
	}
}

// inference is a request of the Open Inference Protocol.
func (x *example) inference() object {
	var inputs []any
	for _, name := range x.required {
		kind := "FP64"
		if _, text := x.row[name].(string); text {
			kind = "BYTES"
		}
		inputs = append(inputs, object{"name": name, "shape": []int{1}, "datatype": kind, "data": []any{x.row[name]}})
	}
	return object{"inputs": inputs, "outputs": []any{object{"name": outputProbability}}}
}

func columnSchema(kind features.Kind) object {
	switch kind {
	case features.Number:
		return object{"type": []any{"number", "string", "null"}, "pattern": numberText}
	case features.Time:
		return object{"type": "string", "pattern": hourText}
	case features.Label:
		return object{"enum": []any{0, 1, "0", "1", "", nil}, "description": "0 or 1, where it is known"}
	}
	return object{"type": []any{"string", "number", "boolean", "null"}, "pattern": anyText}
}

func exampleOf(kind features.Kind) any {
	switch kind {
	case features.Number:
		return 12.5
	case features.Time:
		return "14102100"
	case features.Label:
		return 1
	}
	return "1fbe01fe"
}
