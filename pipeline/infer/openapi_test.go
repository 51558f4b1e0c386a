package infer

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"

	"ctr/features"
)

// The document has each page of the server, and no other; what it refers to is
// in it.
func TestOpenAPI(t *testing.T) {
	t.Parallel()
	s := serve(t, Options{Tokens: []string{"x"}}, model(t, "lr"))
	auth := []string{"Authorization", "Bearer x"}
	var doc struct {
		OpenAPI    string
		Info       struct{ Version string }
		Security   []map[string][]string
		Paths      map[string]map[string]json.RawMessage
		Components map[string]map[string]json.RawMessage
	}
	text := s.do("GET", "/openapi.json", nil, auth...).body
	if err := json.Unmarshal([]byte(text), &doc); err != nil {
		t.Fatal(err)
	}
	if doc.OpenAPI != "3.1.0" || doc.Info.Version != "test" || len(doc.Security) != 1 {
		t.Errorf("%+v", doc)
	}
	for _, r := range regexp.MustCompile(`"\$ref": "#/components/(\w+)/(\w+)"`).FindAllStringSubmatch(text, -1) {
		if doc.Components[r[1]][r[2]] == nil {
			t.Errorf("%s is not there", r[0])
		}
	}
	for path, methods := range doc.Paths {
		path = strings.NewReplacer("{name}", "lr", "{version}", s.o.Registry.Default().Version).Replace(path)
		for _, method := range []string{"get", "post"} {
			a := s.do(strings.ToUpper(method), path, nil, auth...)
			if there := methods[method] != nil; (a.code == 405) == there || a.code == 404 && path != "/v1/challenge" {
				t.Errorf("%s %s: %d, in the document %v", method, path, a.code, there)
			}
		}
	}
	for _, pattern := range s.patterns {
		method, path, ok := strings.Cut(pattern, " ")
		if ok && doc.Paths[path][strings.ToLower(method)] == nil {
			t.Errorf("%s is not in the document", pattern)
		}
	}
	var row struct {
		Required   []string
		Properties map[string]struct{ Pattern string }
	}
	if err := json.Unmarshal(doc.Components["schemas"]["Row"], &row); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(row.Required, " "); got != "hour site device price age" || row.Properties["bought"].Pattern != "" || len(row.Properties) != 7 {
		t.Errorf("%+v", row)
	}
	// Its examples are scored.
	var paths map[string]struct {
		Post struct {
			RequestBody struct {
				Content map[string]struct {
					Example  any
					Examples map[string]struct{ Value any }
				}
			}
		}
	}
	if b, err := json.Marshal(doc.Paths); err != nil || json.Unmarshal(b, &paths) != nil {
		t.Fatal(err)
	}
	tried := 0
	try := func(path, kind string, v any) {
		body, ok := v.(string)
		if !ok {
			b, err := json.Marshal(v)
			if err != nil {
				t.Fatal(err)
			}
			body = string(b)
		}
		path = strings.NewReplacer("{name}", "lr", "{version}", s.o.Registry.Default().Version).Replace(path)
		if a := s.do("POST", path, strings.NewReader(body), append(auth, "Content-Type", kind)...); a.code != 200 {
			t.Errorf("%s %s %s: %d %s", path, kind, body, a.code, a.body)
		}
		tried++
	}
	for path, p := range paths {
		for kind, c := range p.Post.RequestBody.Content {
			if c.Example != nil {
				try(path, kind, c.Example)
			}
			for _, x := range c.Examples {
				try(path, kind, x.Value)
			}
		}
	}
	if tried != 3*5+2 {
		t.Errorf("%d examples, want 17", tried)
	}
	other := serve(t, Options{}, model(t, "lr"), model(t, "narrow"))
	if text := other.do("GET", "/openapi.json", nil).body; !strings.Contains(text, "FirstRow") || strings.Contains(text, `"bearer": []`) {
		t.Error("two models that read different columns")
	}
}

// The patterns of the document take what the model takes.
func TestPatterns(t *testing.T) {
	t.Parallel()
	hour, number := regexp.MustCompile(hourText), regexp.MustCompile(numberText)
	f := func(v string) {
		t.Helper()
		if _, ok := features.ParseHour([]byte(v)); ok != hour.MatchString(v) {
			t.Errorf("%q: an hour: %v, by the pattern %v", v, ok, !ok)
		}
		if _, ok := features.ParseNumber([]byte(v)); ok != number.MatchString(v) {
			t.Errorf("%q: a number: %v, by the pattern %v", v, ok, !ok)
		}
	}
	for _, v := range []string{
		"", "1", "-1.5", "+.5", "1.", ".", "1e5", "1e", "nan", "inf", "0x1", "1_0", "--1", "14102100", "14102124", "14130100", "14063100", "14063023",
		"2014-10-21", "2014-10-21 10:00:00", "2014-10-21T23:59:59", "2014-10-21 24:00:00", "2014-10-21 1", "0000-01-01", "2014-02-28", "2014-02-30", "2014-13-01",
	} {
		f(v)
	}
	for i := range 10_000 {
		f(string([]byte{byte('0' + i/1000), byte('0' + i/100%10), byte('0' + i/10%10), byte('0' + i%10)}) + "0101")
	}
}
