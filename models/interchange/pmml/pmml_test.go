package pmml

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ctr/features"
	"ctr/models"
	"ctr/models/factor"
	"ctr/models/interchange"
	"ctr/models/linear"
	"ctr/models/trees"
)

func dictionary(t testing.TB, values ...string) *features.Dictionary {
	t.Helper()
	text, offsets := "", []uint64{0}
	for _, v := range values {
		text += v
		offsets = append(offsets, uint64(len(text)))
	}
	d, err := features.NewDictionary([]byte(text), offsets)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// artifact is a logistic regression whose weights are 0, 1, 2, ….
func artifact(t testing.TB, fields ...features.Field) *models.Artifact {
	t.Helper()
	spec := &features.Spec{Schema: *features.Avazu(), Fields: fields}
	for i := range fields {
		if fields[i].Type == features.Hash {
			spec.Bits = 2
		}
	}
	_, n := spec.Offsets()
	w := make([]float64, n)
	for i := range w {
		w[i] = float64(i)
	}
	m, err := linear.New(spec, w, .5)
	if err != nil {
		t.Fatal(err)
	}
	return &models.Artifact{Model: m, Spec: spec, Threshold: .22, Version: "test"}
}

// written gives the document, which must be well-formed.
func written(t testing.TB, a *models.Artifact) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "m.pmml")
	if _, err := Export(context.Background(), a, path); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	d := xml.NewDecoder(bytes.NewReader(text))
	for {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			return string(text)
		} else if err != nil {
			t.Fatalf("%v in\n%s", err, text)
		}
	}
}

func has(t *testing.T, doc string, parts ...string) {
	t.Helper()
	for _, p := range parts {
		if !strings.Contains(doc, p) {
			t.Errorf("no %s in\n%s", p, doc)
		}
	}
}

// What JPMML makes of documents is compared in scripts/crosscheck; here is how
// they are made.
func TestRegression(t *testing.T) {
	limit := 50.
	doc := written(t, artifact(t,
		features.Field{Name: "site_id", From: []string{"site_id"}, Type: features.Dict, Dict: dictionary(t, "a<b", " c\t", "")},
		features.Field{Name: "C14", From: []string{"C14"}, Type: features.Num, Bounds: []float64{1, 2.5}, Scale: 1, Cap: &limit},
		features.Field{Name: "app_id", From: []string{"app_id"}, Type: features.Dict, Dict: dictionary(t)},
		features.Field{Name: "x", From: []string{"site_id", "dayofweek"}, Type: features.Dict, Dict: dictionary(t, "a\x1f1", "b\x1f7")},
	))
	has(t, doc,
		`<row><in>a&lt;b</in><out>1</out></row>`, `<row><in> c&#x9;</in><out>2</out></row>`, `<row><in></in><out>3</out></row>`,
		`<Interval closure="openClosed" leftMargin="1" rightMargin="2.5"/>`, `mapMissingTo="4"`,
		`<DataField name="C14" optype="continuous" dataType="double">`, `<Value value="" property="missing"/>`,
		`<MiningField name="site_id" missingValueReplacement="" missingValueTreatment="asValue"/>`,
		`<RegressionTable intercept="0.5">`, `<NumericPredictor name="weight(site_id)" coefficient="1"/>`,
		`<row><in>1:1</in>`, `<row><in>2:2</in>`, `<Constant dataType="double">0.22</Constant>`,
	)
}

func TestTrees(t *testing.T) {
	a := artifact(t,
		features.Field{Name: "site_id", From: []string{"site_id"}, Type: features.Dict, Dict: dictionary(t, "a", "b")},
		features.Field{Name: "C14", From: []string{"C14"}, Type: features.Num, Scale: 1},
		features.Field{Name: "app_id", From: []string{"app_id"}, Type: features.Dict, Dict: dictionary(t, "unused")},
	)
	m, err := trees.NewBoosted(a.Spec, .5, [][]trees.Node{
		{{Left: 1, Right: 2, Field: 0, Codes: []uint32{0, 2}}, {Value: 1}, {Left: 3, Right: 4, Field: 1, Value: math.Inf(1), MissingLeft: true}, {Value: 2}, {Value: 3}},
		{{Value: 7}},
	})
	if err != nil {
		t.Fatal(err)
	}
	a.Model = m
	doc := written(t, a)
	has(t, doc, `<Array type="int" n="2">0 2</Array>`, `multipleModelMethod="sum"`, `intercept="0.5"`, `defaultChild="3"`,
		`operator="lessOrEqual" value="1.7976931348623157e+308"`)
	if strings.Contains(doc, "unused") {
		t.Error("a column that no tree looks at has a table")
	}
}

func TestRefuses(t *testing.T) {
	f := func(a *models.Artifact, want string) {
		t.Helper()
		path := filepath.Join(t.TempDir(), "m.pmml")
		_, err := Export(context.Background(), a, path)
		var refusal *interchange.Refusal
		if !errors.As(err, &refusal) || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v: want %s", err, want)
		}
		if _, err := os.Stat(path); err == nil {
			t.Error("a file was left")
		}
	}
	field := func(values ...string) features.Field {
		return features.Field{Name: "site_id", From: []string{"site_id"}, Type: features.Dict, Dict: dictionary(t, values...)}
	}
	f(artifact(t, features.Field{Name: "device_ip", From: []string{"device_ip"}, Type: features.Hash, Seed: 5}), "column device_ip is hashed")
	f(artifact(t, features.Field{Name: "count(device_id)", From: []string{"device_id"}, Type: features.Num, Scale: 1, Past: features.Count}), "count(device_id) depends on earlier rows")
	f(artifact(t, field("a", "\x01")), `column site_id: value "\x01": XML can't hold it`)
	f(artifact(t, field("\xff")), "XML can't hold it")
	cross := field("a\x1fb\x1fc")
	cross.From = []string{"site_id", "app_id"}
	f(artifact(t, cross), "0x1F, which joins the values of a cross")
	a := artifact(t, field("a"))
	a.Model = new(factor.Model)
	f(a, "want lr, dt, rf, gbdt or gbdt-lr")
}

// TestCasts: what numbers are cast to is looked up, and odd values as they stand.
func TestCasts(t *testing.T) {
	doc := written(t, artifact(t,
		features.Field{Name: "C1", From: []string{"C1"}, Type: features.Dict, Cast: features.CastInt, Dict: dictionary(t, "7", "007")},
		features.Field{Name: "C16", From: []string{"C16"}, Type: features.Dict, Cast: features.CastDouble, Dict: dictionary(t, "15.0", "1.0E7", "x")},
		features.Field{Name: "C14", From: []string{"C14"}, Type: features.Dict, Cast: features.CastBin, Bounds: []float64{2, 5}, Dict: dictionary(t, "3", "1")},
		features.Field{Name: "C15", From: []string{"C15"}, Type: features.Dict, Cast: features.CastBin, Dict: dictionary(t, "1")},
	))
	has(t, doc,
		`<Apply function="isNotIn"><FieldRef field="C1"/><Constant dataType="string">007</Constant></Apply>`,
		`<row><in>15</in><out>15.0</out></row>`, `<row><in>1e+07</in><out>1.0E7</out></row>`, `mapMissingTo="?"`,
		`<DataField name="C14" optype="continuous" dataType="double">`, `<Discretize field="C14"`,
		`<DiscretizeBin binValue="9"><Interval closure="openClosed" rightMargin="2"/>`, `<DiscretizeBin binValue="8"><Interval closure="openClosed" leftMargin="5"/>`,
		`<Apply function="isMissing"><FieldRef field="C15"/></Apply>`,
	)
}
