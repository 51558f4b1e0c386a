package models

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"ctr/features"
)

// remembering gives an artifact with history fields and what they have seen.
func remembering(t testing.TB) *Artifact {
	t.Helper()
	a := sample(t)
	a.Spec.Schema.Columns = append(a.Spec.Schema.Columns, features.Column{Name: "t", Kind: features.Time})
	a.Spec.HistoryBits = 4
	for _, p := range []features.Past{features.Count, features.CountHour, features.Since} {
		a.Spec.Fields = append(a.Spec.Fields, features.Field{
			Name: string(p) + "(site)", From: []string{"site"}, Type: features.Num, Past: p, Bounds: []float64{1}, Scale: 1,
		})
	}
	layout := features.Layout{"site", "n", "t"}
	enc, err := a.Spec.Encoder(layout)
	if err != nil {
		t.Fatal(err)
	}
	var b features.Block
	b.Reset(layout, "rows")
	for _, row := range []string{"a,1,14102100", "b,1,14102100", "a,2,14102101"} {
		b.AppendCSV([]byte(row), ',')
	}
	enc.ReadKeys(&b)
	s := a.Spec.NewState()
	s.Count(&b)
	a.State = s.Snapshot()
	offsets, total := a.Spec.Offsets()
	a.Model = &toy{offsets: offsets, w: make([]float64, total), bias: -1}
	return a
}

func TestArtifactKeepsState(t *testing.T) {
	a := remembering(t)
	b := encoded(t, a)
	got, err := Decode(b, "m.ctr")
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got.State, a.State) || len(got.State.Entries) != 8 {
		t.Errorf("state %+v, want %+v, of two keys", got.State, a.State)
	}
	if again := encoded(t, got); !bytes.Equal(again, b) {
		t.Error("another file when it is written again")
	}
	a.State = nil
	if _, err := a.Encode(); err == nil || !strings.Contains(err.Error(), "no state") {
		t.Errorf("error %v, want that the state is missing", err)
	}
}

// A state that is damaged with a good sum, or missing, is an error.
func TestArtifactStateFaults(t *testing.T) {
	f := func(want string, change func(f *File)) {
		t.Helper()
		file, err := remembering(t).file()
		if err != nil {
			t.Fatal(err)
		}
		change(file)
		b, err := file.Bytes()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Decode(b, "m.ctr"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
	f("state/head", func(f *File) { delete(f.tensors, stateHead) })
	f("state/sizes", func(f *File) { delete(f.tensors, stateSizes) })
	f("state/entries", func(f *File) { delete(f.tensors, stateEntries) })
	f("state: 3 buckets: want 4", func(f *File) { f.PutU8(stateSizes, nil, make([]uint8, 3)) })
	f("state: 8 numbers of keys left over", func(f *File) { f.PutU8(stateSizes, nil, make([]uint8, 4)) })
}

func TestStateFile(t *testing.T) {
	a := remembering(t)
	path := filepath.Join(t.TempDir(), "t-3.state")
	if _, err := OpenState(path, a.Spec); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("error %v, want that there is no file", err)
	}
	for _, want := range []StateFile{
		{Model: "abc", Topic: "clicks ü", Partition: 3, Offset: 1 << 40, State: a.State},
		{Model: "abc", Topic: "t", Partition: 0, Offset: 0},
	} {
		if err := want.Write(path); err != nil {
			t.Fatal(err)
		}
		if got, err := OpenState(path, a.Spec); err != nil || !reflect.DeepEqual(*got, want) {
			t.Errorf("%+v, %v: want %+v", got, err, want)
		}
	}
	f := func(want string, change func(f *File)) {
		t.Helper()
		file := NewFile()
		for k, v := range map[string]string{metaStateModel: "abc", metaStateTopic: "t", metaStatePartition: "3", metaStateOffset: "7"} {
			file.SetMeta(k, v)
		}
		if err := putSnapshot(file, a.State); err != nil {
			t.Fatal(err)
		}
		change(file)
		b, err := file.Bytes()
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := OpenState(path, a.Spec); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
	f(`partition "-1": want a number from 0`, func(f *File) { f.SetMeta(metaStatePartition, "-1") })
	f(`offset "": want a number from 0`, func(f *File) { delete(f.meta, metaStateOffset) })
	f("state: head", func(f *File) { f.PutU64(stateHead, nil, []uint64{1 << 50, 0}) })
	f("state/sizes", func(f *File) { delete(f.tensors, stateSizes) })
	if err := os.WriteFile(path, []byte("not ours"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenState(path, a.Spec); err == nil || !strings.HasPrefix(err.Error(), path+": ") {
		t.Errorf("error %v, want one that names the file", err)
	}
}

// FuzzState reads model files whose state has a good sum and hostile content:
// what is taken is written again alike.
func FuzzState(f *testing.F) {
	a := remembering(f)
	f.Add(a.State.Head[0], a.State.Sizes, []byte("\x01\x00\x00\x00\x02\x00\x00\x00\x01\x00\x00\x00\x01\x00\x00\x00"))
	f.Add(uint64(0), []byte{0, 0, 0, 0}, []byte{})
	f.Fuzz(func(t *testing.T, newest uint64, sizes, entries []byte) {
		sn := &features.Snapshot{Head: []uint64{newest, 1}, Sizes: sizes}
		for ; len(entries) >= 4; entries = entries[4:] {
			sn.Entries = append(sn.Entries, binary.LittleEndian.Uint32(entries))
		}
		a := remembering(t)
		file, err := a.file()
		if err != nil {
			t.Fatal(err)
		}
		if err := putSnapshot(file, sn); err != nil {
			t.Fatal(err)
		}
		b, err := file.Bytes()
		if err != nil {
			t.Fatal(err)
		}
		got, err := Decode(b, "fuzz")
		if err != nil {
			return
		}
		if again := encoded(t, got); !bytes.Equal(again, b) {
			t.Fatalf("%q: want %q", again, b)
		}
		got.Spec.StateOf(got.State).Snapshot()
	})
}
