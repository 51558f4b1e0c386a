package commands

import (
	"encoding/json"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
)

// The keys of a metrics object, as DESIGN.md has them.
const metricsKeys = "accuracy auc brier calibration_ratio clicks confusion ece f1 log_loss majority normalized_entropy pr_auc precision recall rows threshold"

// keys gives the keys of a JSON object, ascending.
func keys(t *testing.T, text json.RawMessage) string {
	t.Helper()
	var object map[string]json.RawMessage
	if err := json.Unmarshal(text, &object); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	return strings.Join(slices.Sorted(maps.Keys(object)), " ")
}

// at gives the part of a document under a path of keys.
func at(t *testing.T, text json.RawMessage, path ...string) json.RawMessage {
	t.Helper()
	for _, name := range path {
		var object map[string]json.RawMessage
		if err := json.Unmarshal(text, &object); err != nil {
			t.Fatalf("%v at %s in %s", err, name, text)
		}
		text = object[name]
	}
	return text
}

// TestJSON: scripts rely on the names of what --json prints, and on its being
// one document and nothing else.
func TestJSON(t *testing.T) {
	t.Chdir(t.TempDir())
	do := func(args ...string) json.RawMessage {
		t.Helper()
		code, out, errs := ctr(t, nil, args...)
		if code != 0 || errs != "" {
			t.Fatalf("%q: code %d, %s", args, code, errs)
		}
		return json.RawMessage(out)
	}
	want := func(got, want string) {
		t.Helper()
		if got != want {
			t.Errorf("keys %s, want %s", got, want)
		}
	}
	want(keys(t, do("synth", "--rows", "2000", "--out", "rows.csv", "--json")), "out rows seconds seed")

	train := do("train", "rows.csv", "--json")
	want(keys(t, train), "algo model rows seconds test train")
	want(keys(t, at(t, train, "rows")), "test train")
	want(keys(t, at(t, train, "train")), metricsKeys)
	want(keys(t, at(t, train, "test")), metricsKeys)

	evaluate := do("evaluate", "--json")
	want(keys(t, evaluate), metricsKeys)
	want(keys(t, at(t, evaluate, "confusion")), "fn fp tn tp")
	want(keys(t, at(t, evaluate, "majority")), "accuracy log_loss")

	compare := do("compare", "rows.csv", "--algo", "lr,dt", "--json")
	want(keys(t, compare), "models")
	var models []json.RawMessage
	if err := json.Unmarshal(at(t, compare, "models"), &models); err != nil || len(models) != 2 {
		t.Fatalf("%d models, %v, want 2", len(models), err)
	}
	want(keys(t, models[1]), "algo seconds test train")
	want(keys(t, at(t, models[1], "test")), metricsKeys)

	// The model's test metrics are those of evaluation, digit for digit.
	var a, b any
	if err := json.Unmarshal(at(t, train, "test"), &a); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(evaluate, &b); err != nil {
		t.Fatal(err)
	}
	x, _ := json.Marshal(a)
	if y, _ := json.Marshal(b); string(x) != string(y) {
		t.Errorf("train says %s, evaluate %s", x, y)
	}

	want(keys(t, do("score", "rows.csv", "--output", "out.csv", "--json", "--quiet")), "bad mean_probability metrics output rows seconds")
	want(keys(t, do("inspect", "--json")), "algo bytes ctr_version data fields hash model schema settings test threshold train")
	want(strings.Replace(keys(t, do("version", "--json")), " commit ", " ", 1), "arch go os version")

	for _, format := range []string{"csv", "json", "kaggle"} {
		code, out, _ := ctr(t, nil, "score", "rows.csv", "--format", format, "--quiet")
		first, _, _ := strings.Cut(out, "\n")
		switch {
		case code != 0:
			t.Errorf("%s: code %d", format, code)
		case format == "csv" && first != "id,y,probability,prediction", format == "kaggle" && first != "id,click":
			t.Errorf("%s: first line %q", format, first)
		case format == "json":
			want(keys(t, json.RawMessage(first)), "id prediction probability y")
		}
	}
	if text, err := os.ReadFile("out.csv"); err != nil || !strings.HasPrefix(string(text), "id,y,probability,prediction\n") {
		t.Errorf("out.csv: %.40q, %v", text, err)
	}
}
