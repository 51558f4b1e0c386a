package models

import (
	"reflect"
	"strings"
	"testing"

	"ctr/features"
)

// referenceOfSample is one for the fields of sample: 4, 4 and 4 bins.
func referenceOfSample() *features.Reference {
	return &features.Reference{
		Rows: 10, Counts: [][]int64{{0, 5, 4, 1}, {2, 3, 4, 1}, {1, 2, 3, 4}},
		Held: 3, Unseen: []int64{2, 0, 0},
	}
}

func TestReferenceRoundTrip(t *testing.T) {
	a := sample(t)
	old, err := Decode(encoded(t, a), "old.ctr")
	if err != nil || old.Reference != nil {
		t.Fatalf("a file without a reference: %+v, %v: want none", old.Reference, err)
	}
	size := len(encoded(t, a))
	a.Reference = referenceOfSample()
	b, err := Decode(encoded(t, a), "model.ctr")
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(b.Reference, a.Reference) {
		t.Errorf("%+v: want %+v", b.Reference, a.Reference)
	}
	if more := len(encoded(t, a)) - size; more > 400 {
		t.Errorf("three fields take %d bytes: want 400 at most", more)
	}
}

func TestReferenceErrors(t *testing.T) {
	a := sample(t)
	a.Reference = referenceOfSample()
	a.Reference.Counts[0][1]++
	if _, err := a.Encode(); err == nil {
		t.Error("counts that do not add up were written")
	}
	f := func(text, want string) {
		t.Helper()
		file, err := sample(t).file()
		if err != nil {
			t.Fatal(err)
		}
		file.SetMeta(metaReference, text)
		b, err := file.Bytes()
		if err != nil {
			t.Fatal(err)
		}
		if _, err = Decode(b, "m"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v: want %s", text, err, want)
		}
	}
	f("{", "reference: unexpected end of JSON input")
	f(`{"rows":1,"counts":[[1]]}`, "reference of 1 fields: want 3")
	f(`{"rows":1,"counts":[[1],[1],[1]]}`, "reference of field site: 1 bins: want 4")
	f(`{"rows":-1,"counts":[[0,0,0,0],[0,0,0,0],[0,0,0,0]]}`, "reference: -1 rows")
	f(`{"rows":2,"counts":[[1,0,0,0],[1,0,0,0],[1,0,0,0]]}`, "add up to 2 rows")
}
