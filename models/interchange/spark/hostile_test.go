package spark

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"ctr/models/interchange"
)

// unpacked gives the folder of a fixture and the paths of its files.
func unpacked(tb testing.TB, name, to string) (files []string) {
	tb.Helper()
	archive := filepath.Join("testdata", name+".tar.gz")
	info, err := os.Stat(archive)
	if err == nil {
		err = unpackFile(archive, info.Size(), to)
	}
	if err == nil {
		err = filepath.WalkDir(filepath.Join(to, name), func(path string, d fs.DirEntry, err error) error {
			if err == nil && !d.IsDir() {
				files = append(files, path)
			}
			return err
		})
	}
	if err != nil {
		tb.Fatal(err)
	}
	slices.Sort(files)
	return files
}

func wantError(t *testing.T, path, want string) {
	t.Helper()
	_, _, err := Import(context.Background(), path, interchange.ImportOptions{})
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("%v: want an error with %q", err, want)
	}
}

// TestUnknownIsNamed: a stage or a parameter that import does not know is an
// error that names it, and so is one that is damaged.
func TestUnknownIsNamed(t *testing.T) {
	f := func(file, old, new, want string) {
		t.Helper()
		dir := t.TempDir()
		files := unpacked(t, "lr", dir)
		at := slices.IndexFunc(files, func(p string) bool { return strings.Contains(p, file) && strings.Contains(p, "metadata") })
		text, err := os.ReadFile(files[at])
		if err != nil {
			t.Fatal(err)
		}
		changed := bytes.ReplaceAll(text, []byte(old), []byte(new))
		if bytes.Equal(text, changed) {
			t.Fatalf("%s has no %s", files[at], old)
		}
		if err := os.WriteFile(files[at], changed, 0o600); err != nil {
			t.Fatal(err)
		}
		wantError(t, filepath.Join(dir, "lr"), want)
	}
	f("MinMaxScaler", "feature.MinMaxScalerModel", "feature.PCAModel", "(PCAModel): not one that ctr import knows")
	f("MinMaxScaler", "org.apache.spark.ml.feature", "com.shop.feature", `class "com.shop.feature.MinMaxScalerModel"`)
	f("LogisticRegression", `"threshold":`, `"thrashold":`, "parameter thrashold: not one that ctr import knows")
	f("OneHotEncoder", `"handleInvalid":"keep"`, `"handleInvalid":"guess"`, `parameter handleInvalid "guess": want error, skip or keep`)
	f("LogisticRegression", `"sparkVersion":"3`, `"sparkVersion":"9`, `saved by Spark "9.5.8": want 2.4 to 4.x`)
	f("MinMaxScaler", `"inputCol":"features"`, `"inputCol":"other"`, "column other: want a vector")
	f("LogisticRegression", `"featuresCol":"scaled"`, `"featuresCol":"absent"`, "the model reads no column of the data")
	dir := t.TempDir()
	unpacked(t, "lr", dir)
	stages, err := filepath.Glob(filepath.Join(dir, "lr", "stages", "*_LogisticRegression_*"))
	if err != nil || len(stages) != 1 {
		t.Fatal(stages, err)
	}
	os.RemoveAll(stages[0])
	wantError(t, filepath.Join(dir, "lr"), "stages: 18 are there")
}

// TestHostileArchives: nothing is written outside, no link is followed, and what
// unpacks to too much is an error.
func TestHostileArchives(t *testing.T) {
	dir := t.TempDir()
	secret := filepath.Join(dir, "secret")
	os.WriteFile(secret, []byte(`{"class":"secret"}`), 0o600)
	packed := func(name string, fill func(w *tar.Writer)) string {
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		w := tar.NewWriter(z)
		fill(w)
		w.Close()
		z.Close()
		path := filepath.Join(dir, name)
		os.WriteFile(path, b.Bytes(), 0o600)
		return path
	}
	add := func(w *tar.Writer, h tar.Header, body string) {
		h.Size, h.Mode = int64(len(body)), 0o600
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		w.Write([]byte(body))
	}
	wantError(t, packed("outside", func(w *tar.Writer) {
		add(w, tar.Header{Name: "../../outside", Typeflag: tar.TypeReg}, "x")
		add(w, tar.Header{Name: "/absolute", Typeflag: tar.TypeReg}, "x")
	}), "no folder named metadata")
	wantError(t, packed("link", func(w *tar.Writer) {
		add(w, tar.Header{Name: "m/metadata/part-00000", Typeflag: tar.TypeSymlink, Linkname: secret}, "")
	}), "no folder named metadata")
	wantError(t, packed("bomb", func(w *tar.Writer) {
		add(w, tar.Header{Name: "m/metadata/part-00000", Typeflag: tar.TypeReg}, strings.Repeat("x", unpackFloor+1))
	}), "unpacks to too much")
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	out, err := w.Create("m/metadata/part-00000")
	if err != nil {
		t.Fatal(err)
	}
	out.Write(bytes.Repeat([]byte("x"), unpackFloor+1))
	w.Close()
	path := filepath.Join(dir, "bomb.zip")
	os.WriteFile(path, b.Bytes(), 0o600)
	wantError(t, path, "unpacks to too much")
	if list, _ := filepath.Glob(filepath.Join(dir, "..", "outside")); len(list) > 0 {
		t.Errorf("%v was written", list)
	}
	// In a folder, a link that leaves it.
	model := filepath.Join(dir, "model")
	if err := errors.Join(os.MkdirAll(filepath.Join(model, "metadata"), 0o700), os.Symlink(secret, filepath.Join(model, "metadata", "part-00000"))); err != nil {
		t.Fatal(err)
	}
	wantError(t, model, "escapes")
	os.WriteFile(path, []byte("no archive"), 0o600)
	wantError(t, path, "neither a folder nor an archive")
}

// FuzzImport changes one file of a saved model, or the archive itself: an error
// or a model, never a panic, and no more memory than ten times the input and
// what the smallest needs.
func FuzzImport(f *testing.F) {
	dir := f.TempDir()
	var all []string
	for _, name := range []string{"dt", "gbt", "lr-scaled", "cv"} {
		all = append(all, unpacked(f, name, dir)...)
	}
	for i, path := range all {
		text, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(uint8(i), text)
	}
	small, err := os.ReadFile("testdata/cv.tar.gz")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(uint8(255), small)
	archive := filepath.Join(dir, "archive")
	f.Fuzz(func(t *testing.T, which uint8, data []byte) {
		path := archive
		if int(which) < len(all) {
			path = all[which]
			good, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			defer os.WriteFile(path, good, 0o600)
		}
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		model := path
		if path != archive {
			name, _, _ := strings.Cut(strings.TrimPrefix(path, dir+"/"), "/")
			model = filepath.Join(dir, name)
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		a, _, err := Import(context.Background(), model, interchange.ImportOptions{})
		runtime.ReadMemStats(&after)
		const small = 200 << 10 // the other files
		if took := after.TotalAlloc - before.TotalAlloc; took > uint64(memoryFloor*3+memoryFactor*(len(data)+small)) {
			t.Fatalf("%d bytes taken for %d", took, len(data))
		}
		if err == nil {
			if err := a.Spec.Validate(); err != nil {
				t.Fatal(err)
			}
			if _, err := a.Encode(); err != nil {
				t.Fatal(err)
			}
		}
	})
}
