package spark

import (
	"context"
	"path/filepath"
	"testing"

	"ctr/features"
	"ctr/models"
	"ctr/models/interchange"
	"ctr/models/linear"
)

// A column of text whose values look like numbers comes back from Spark's form
// as text: 007 is not 7. (It came back as integers, and was.)
func TestTextStaysText(t *testing.T) {
	schema := features.Schema{Name: "own", Comma: ',', Columns: []features.Column{{Name: "c", Kind: features.Category}, {Name: "click", Kind: features.Label}}}
	spec := &features.Spec{Schema: schema, Fields: []features.Field{{Name: "c", From: []string{"c"}, Type: features.Dict, Dict: dictOf(t, "7", "320")}}}
	m, err := linear.New(spec, []float64{0, 1, -2}, .5)
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "model")
	if _, err := Export(context.Background(), &models.Artifact{Model: m, Spec: spec}, dir); err != nil {
		t.Fatal(err)
	}
	back, _, err := Import(context.Background(), dir, interchange.ImportOptions{Schema: &schema})
	if err != nil {
		t.Fatal(err)
	}
	probability := func(a *models.Artifact, value string) float64 {
		layout := features.Layout{"c"}
		enc, err := a.Spec.Encoder(layout)
		if err != nil {
			t.Fatal(err)
		}
		var b features.Block
		b.Reset(layout, "")
		b.AppendCSV([]byte(value), ',')
		row, ex := b.Row(0), a.Spec.NewExample()
		if err := enc.Encode(&row, ex); err != nil {
			t.Fatal(err)
		}
		return a.Model.Probability(ex)
	}
	for _, v := range []string{"7", "007", "+7", "320", "320.0", "x", ""} {
		want, got := probability(&models.Artifact{Model: m, Spec: spec}, v), probability(back, v)
		if d := got - want; d > 1e-12 || d < -1e-12 {
			t.Errorf("%q: %v, want %v", v, got, want)
		}
	}
}
