package pipeline

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"ctr/models"
	"ctr/pipeline/synth"
)

// A model file has the training rows' counts, whichever way it was trained, and
// they do not depend on threads, caches or warm starts.
func TestModelsKnowTheirRows(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "rows.csv")
	var rows bytes.Buffer
	if err := synth.Write(context.Background(), &rows, synth.Options{Rows: 20_000, Seed: 4}, nil); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, rows.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	train := func(change func(*TrainOptions)) *models.Artifact {
		t.Helper()
		o := TrainOptions{Algo: "lr", Out: filepath.Join(dir, "m.ctr")}
		o.Files, o.Threads = []string{path}, 1
		change(&o)
		o.briefly()
		if _, err := Train(context.Background(), o, nil); err != nil {
			t.Fatal(err)
		}
		a, err := models.Open(o.Out)
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	same := func(name string, a, b *models.Artifact) {
		t.Helper()
		if a.Reference == nil || !reflect.DeepEqual(a.Reference, b.Reference) {
			t.Errorf("%s: %+v: want %+v", name, b.Reference, a.Reference)
		}
	}
	batch := train(func(*TrainOptions) {})
	if r := batch.Reference; r.Rows != int64(batch.Train.Rows) || r.Held != int64(batch.Test.Rows) || r.Unseen == nil {
		t.Errorf("%d rows and %d held out: want %d and %d", r.Rows, r.Held, batch.Train.Rows, batch.Test.Rows)
	}
	same("three threads", batch, train(func(o *TrainOptions) { o.Threads = 3 }))

	online := func(o *TrainOptions) { o.Model.Solver, o.Bits = "ftrl", 16 }
	one := train(online)
	if r := one.Reference; r == nil || r.Rows != int64(one.Train.Rows) {
		t.Fatalf("online: %+v: want %d rows", r, one.Train.Rows)
	}
	same("online on three threads", one, train(func(o *TrainOptions) { online(o); o.Threads = 3 }))
	same("online, two passes", one, train(func(o *TrainOptions) { online(o); o.Model.Passes = 2 }))
	same("online from a cache", one, train(func(o *TrainOptions) { online(o); o.Cache = true }))
	hashed := train(func(o *TrainOptions) { o.Bits = 16 })
	if !reflect.DeepEqual(hashed.Reference.Counts, one.Reference.Counts) {
		t.Error("hashed columns are counted otherwise online than from a table")
	}
	if a := train(func(o *TrainOptions) { online(o); share := .5; o.KeepNegatives = &share }); a.Reference != nil {
		t.Errorf("half of the rows without a click: %+v: want nothing known", a.Reference)
	}
	all := train(func(o *TrainOptions) { online(o); o.Split = "none" })
	again := train(func(o *TrainOptions) {
		o.Model.Solver, o.Split, o.WarmStart, o.Out = "ftrl", "none", filepath.Join(dir, "m.ctr"), filepath.Join(dir, "again.ctr")
	})
	if again.Reference == nil || again.Reference.Rows != 2*all.Reference.Rows {
		t.Errorf("warm start: %+v: want twice the %d rows", again.Reference, all.Reference.Rows)
	}
}
