package infer

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func TestParseModelFile(t *testing.T) {
	t.Parallel()
	f := func(s, want string) {
		t.Helper()
		m, err := ParseModelFile(s)
		got := fmt.Sprint(m)
		if err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%s: %s, want %s", s, got, want)
		}
	}
	f("m.ctr", "m@=m.ctr")
	f("/a/b.c/lr.v2.ctr", "lr.v2@=/a/b.c/lr.v2.ctr")
	f("x=m.ctr", "x@=m.ctr")
	f("x@7=m.ctr", "x@7=m.ctr")
	f("@7=m.ctr", "m@7=m.ctr")
	f("./a=b.ctr", `model "./a=b.ctr": name "a=b": want letters, digits, '.', '_' and '-'`)
	f("", `model "": want [NAME[@VERSION]=]FILE`)
	f("x=", `model "x=": want [NAME[@VERSION]=]FILE`)
	f("my model.ctr", `model "my model.ctr": name "my model": want letters, digits, '.', '_' and '-'`)
	f(".ctr", `model ".ctr": name "": want letters, digits, '.', '_' and '-'`)
	f("..=m.ctr", `model "..=m.ctr": name "..": want letters, digits, '.', '_' and '-'`)
	f("x@..=m.ctr", `model "x@..=m.ctr": version "..": want letters, digits, '.', '_' and '-'`)
	f("x@é=m.ctr", `model "x@é=m.ctr": version "é": want letters, digits, '.', '_' and '-'`)
}

func TestOpenModelsRefuses(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	replace(t, filepath.Join(dir, "broken.ctr"), []byte("no model"))
	f := func(want string, files ...ModelFile) {
		t.Helper()
		if _, err := OpenModels(RegistryOptions{Files: files}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
	f("no models: want one or more")
	f("model a: served twice", ModelFile{Name: "a", Path: model(t, "lr")}, ModelFile{Name: "a", Path: model(t, "dt")})
	f("none.ctr: no such file", ModelFile{Name: "a", Path: filepath.Join(dir, "none.ctr")})
	f("broken.ctr: ", ModelFile{Name: "a", Path: filepath.Join(dir, "broken.ctr")})
	f("a folder: want a model file", ModelFile{Name: "a", Path: dir})
}

// What happens to a file that is served, one step after another.
func TestReload(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := filepath.Join(dir, "m.ctr")
	lr, other, dt := fileBytes(t, model(t, "lr")), fileBytes(t, model(t, "other")), fileBytes(t, model(t, "dt"))
	replace(t, file, lr)
	var told notes
	r := registry(t, &told, file)
	hash := map[string]string{}
	for _, name := range []string{"lr", "other", "dt"} {
		hash[registry(t, nil, model(t, name)).Default().Hash] = name
	}
	step := func(what string, all bool, replaced int, is, note string) {
		t.Helper()
		n, err := r.Reload(all)
		text := told.take()
		refused := r.Refused(r.Default())
		if n != replaced || hash[r.Default().Version] != is || (err != nil) != strings.Contains(note, "refused") || !strings.Contains(text, note) || note == "" && text != "" {
			t.Errorf("%s: %d replaced, is %s, error %v, told %q; want %d, %s, %q", what, n, hash[r.Default().Version], err, text, replaced, is, note)
		}
		if err != nil && (refused == nil || refused.Error() != err.Error()) {
			t.Errorf("%s: error %v, Refused %v", what, err, refused)
		}
	}
	step("nothing", false, 0, "lr", "")
	step("nothing, on SIGHUP", true, 0, "lr", "")
	replace(t, file, other)
	step("another", false, 1, "other", "model m: version ")
	replace(t, file, other)
	step("the same bytes again", false, 0, "other", "")
	replace(t, file, []byte("broken"))
	step("broken", false, 0, "other", "model m: the new file is refused, version ")
	for range 3 {
		n, err := r.Reload(false)
		if text := told.take(); n != 0 || text != "" {
			t.Errorf("broken still: %d, %v, told %q", n, err, text)
		}
	}
	step("broken, on SIGHUP", true, 0, "other", "refused")
	replace(t, file, dt)
	step("mended", false, 1, "dt", "version ")
	if err := r.Refused(r.Default()); err != nil {
		t.Errorf("mended: %v", err)
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	step("gone", false, 0, "dt", "")
	step("gone still", false, 0, "dt", "m.ctr is gone, version ")
	step("gone for long", false, 0, "dt", "")
	replace(t, file, lr)
	step("back", false, 1, "lr", "version ")

	// Written in place, slowly, without a change of size or time.
	at := time.Now()
	for _, part := range [][]byte{other[:len(other)/2], bytes.Repeat([]byte{0}, len(other)), other} {
		if err := os.WriteFile(file, part, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(file, at, at); err != nil {
			t.Fatal(err)
		}
		if len(part) < len(other) || part[0] == 0 {
			_, _ = r.Reload(false)
			if told.take(); hash[r.Default().Version] != "lr" {
				t.Errorf("half written: %s", r.Default().Version)
			}
		}
	}
	step("whole at last", false, 1, "other", "version ")

	// The same size and time, another file.
	info, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	if len(lr) == len(other) {
		if err := os.WriteFile(file+".new", lr, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(file+".new", info.ModTime(), info.ModTime()); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(file+".new", file); err != nil {
			t.Fatal(err)
		}
		step("as old and as long", false, 1, "lr", "version ")
	}
}

// Kubernetes replaces a ConfigMap's files by swapping a link to their folder.
func TestReloadThroughLinks(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	put := func(folder, name string) {
		t.Helper()
		if err := os.Mkdir(filepath.Join(dir, folder), 0o700); err != nil {
			t.Fatal(err)
		}
		copyTo(t, filepath.Join(dir, folder, "m.ctr"), model(t, name))
	}
	link := func(to, name string) {
		t.Helper()
		if err := os.Symlink(to, filepath.Join(dir, name+".tmp")); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(filepath.Join(dir, name+".tmp"), filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	put("..1", "lr")
	link("..1", "..data")
	link("..data/m.ctr", "m.ctr")
	r := registry(t, nil, filepath.Join(dir, "m.ctr"))
	put("..2", "dt")
	if n, err := r.Reload(false); n != 0 || err != nil {
		t.Fatal(n, err)
	}
	link("..2", "..data")
	if err := os.RemoveAll(filepath.Join(dir, "..1")); err != nil {
		t.Fatal(err)
	}
	if n, err := r.Reload(false); n != 1 || err != nil || r.Default().Artifact().Model.Algo() != "dt" {
		t.Fatal(n, err)
	}
}

// Watch finds a new file by itself, and ends.
func TestWatch(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "m.ctr")
	copyTo(t, file, model(t, "lr"))
	r := registry(t, nil, file)
	stop := make(chan struct{})
	var watching sync.WaitGroup
	watching.Go(func() { r.Watch(time.Millisecond, stop) })
	before := r.Default()
	copyTo(t, file, model(t, "dt"))
	until(t, "the new model", func() bool { return r.Default() != before })
	close(stop)
	watching.Wait()
}

// While models are replaced under load, each answer is one of the two models',
// and its header says which. scripts/serve/reload.py does it a thousand times.
func TestReloadUnderLoad(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "m.ctr")
	two := [2][]byte{fileBytes(t, model(t, "lr")), fileBytes(t, model(t, "dt"))}
	want := map[string]string{} // version → answer
	replace(t, file, two[0])
	r := registry(t, nil, file)
	s := serve(t, Options{Registry: r})
	const body = "[" + aRow + "," + aRow + "]"
	for _, b := range two {
		replace(t, file, b)
		if _, err := r.Reload(false); err != nil {
			t.Fatal(err)
		}
		a := s.post("/v1/score", jsonKind, body)
		want[a.Get("Ctr-Model-Version")] = a.body
	}
	if len(want) != 2 {
		t.Fatal("want two models that answer otherwise")
	}
	const reloads = 40
	var all sync.WaitGroup
	var done atomic.Bool
	var answers atomic.Int64
	for range 4 {
		all.Go(func() {
			for !done.Load() {
				a := s.post("/v1/score", jsonKind, body)
				if v := a.Get("Ctr-Model-Version"); a.code != 200 || want[v] == "" || a.body != want[v] {
					t.Errorf("%d by %s: %s", a.code, v, a.body)
					return
				}
				answers.Add(1)
			}
		})
	}
	for i := range reloads {
		replace(t, file, two[i%2])
		if n, err := r.Reload(false); n != 1 || err != nil {
			t.Errorf("reload %d: %d, %v", i, n, err)
			break
		}
		from := answers.Load()
		until(t, "answers by it", func() bool { return answers.Load() > from+4 || t.Failed() })
	}
	done.Store(true)
	all.Wait()
}
