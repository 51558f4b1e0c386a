package onnx

import (
	"testing"

	"ctr/features"
	"ctr/models"
	"ctr/models/linear"
	"ctr/models/trees"
)

// casts gives two models whose fields are cast, as those of Spark's are, a
// linear one and a tree. Their columns are those of testdata/rows.csv.
func casts(t *testing.T, schema features.Schema) (lr, tree *models.Artifact) {
	t.Helper()
	dict := func(column string, c features.Cast, values ...string) features.Field {
		text, offsets := "", []uint64{0}
		for _, v := range values {
			text += v
			offsets = append(offsets, uint64(len(text)))
		}
		d, err := features.NewDictionary([]byte(text), offsets)
		if err != nil {
			t.Fatal(err)
		}
		return features.Field{Name: column + "/" + string(c), From: []string{column}, Type: features.Dict, Cast: c, Dict: d}
	}
	bin := dict("price", features.CastBin, "3", "1", "2", "4")
	bin.Bounds = []float64{0, 5, 12.5}
	spec := &features.Spec{Schema: schema, Fields: []features.Field{
		dict("site", features.CastInt, "7", "", "site-3-of-nine"),
		dict("app", features.CastInt, "007", "7", "a1"),
		dict("age", features.CastInt, "25", "26", "27", "28", "29", "30", "31"),
		dict("age", features.CastDouble, "40.0", "41.0", "42.0", "43.0", "5.0E1"),
		dict("price", features.CastDouble, "12.5", "1000.0", "-0.0", "?"),
		dict("user", features.CastDouble, "7.0", "10.0", "0.0", "1", "2.0"),
		dict("app", features.CastDouble, "none"),
		bin,
	}}
	if err := spec.Validate(); err != nil {
		t.Fatal(err)
	}
	_, n := spec.Offsets()
	w := make([]float64, n)
	for i := range w {
		w[i] = float64(features.Mix64(uint64(i))>>40)/(1<<24) - .5
	}
	m, err := linear.New(spec, w, -.25)
	if err != nil {
		t.Fatal(err)
	}
	boosted, err := trees.NewBoosted(spec, .1, [][]trees.Node{
		{
			{Left: 1, Right: 2, Field: 7, Codes: []uint32{0, 1, 3}},
			{Left: 3, Right: 4, Field: 2, Codes: []uint32{0, 2, 4}},
			{Left: 5, Right: 6, Field: 4, Codes: []uint32{1, 3}},
			{Value: .1},
			{Value: -.2},
			{Value: .3},
			{Value: -.4},
		},
		{{Left: 1, Right: 2, Field: 5, Codes: []uint32{1, 3}}, {Value: .5}, {Value: -.6}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return &models.Artifact{Model: m, Spec: spec, Threshold: .45, Version: "test", Hash: "cast"},
		&models.Artifact{Model: boosted, Spec: spec, Threshold: .5, Version: "test", Hash: "cast-trees"}
}
