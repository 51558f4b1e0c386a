package main

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// listed is what `go list -json` says of a package.
type listed struct {
	ImportPath   string
	Standard     bool
	Imports      []string
	TestImports  []string
	XTestImports []string
	CgoFiles     []string
}

// layers are our packages from the lowest up: each may import from its own
// layer and from those before it. The empty name is the main package.
var layers = []string{"features", "models", "pipeline", "commands", ""}

// homes are the outside libraries that one package alone may import, so that
// each can be replaced in one place. Tests may stand on the other side of a
// library and are not held to it.
var homes = map[string]string{
	"github.com/IBM/sarama":               "ctr/pipeline/kafka",
	"github.com/twmb/franz-go/pkg/kgo":    "ctr/pipeline/kafka",
	"github.com/twmb/franz-go/pkg/sasl":   "ctr/pipeline/kafka",
	"github.com/twmb/franz-go/pkg/kmsg":   "ctr/pipeline", // of the two around it
	"github.com/twmb/franz-go/pkg/kfake":  "ctr/pipeline/broker",
	"github.com/sjwhitworth/golearn":      "ctr/models/reference",
	"github.com/urfave/cli/v2":            "ctr/commands",
	"github.com/schollz/progressbar/v3":   "ctr/commands",
	"golang.org/x/term":                   "ctr/commands",
	"github.com/klauspost/compress":       "ctr/features",
	"github.com/cespare/xxhash/v2":        "ctr/features",
	"github.com/apache/arrow-go/v18":      "ctr/features/columnar",
	"github.com/parquet-go/parquet-go":    "ctr/features/columnar",
	"github.com/pierrec/lz4/v4":           "ctr/features/columnar",
	"google.golang.org/grpc":              "ctr/pipeline/infer",
	"google.golang.org/protobuf":          "ctr/pipeline/infer",
	"github.com/prometheus/client_golang": "ctr/pipeline/monitor",
	"go.opentelemetry.io":                 "ctr/pipeline/monitor",
	"pgregory.net/rapid":                  "tests",
	"go.uber.org/goleak":                  "tests",
	"github.com/rogpeppe/go-internal":     "tests",
}

func TestDependenciesPointOneWay(t *testing.T) {
	for _, p := range goList(t, "./...") {
		for _, imported := range slices.Concat(p.Imports, p.TestImports, p.XTestImports) {
			from, ok := layerOf(p.ImportPath)
			if !ok {
				t.Errorf("%s is in none of the layers %q", p.ImportPath, layers)
			}
			if to, ours := layerOf(imported); ours && to > from {
				t.Errorf("%s imports %s: want imports along main → commands → pipeline → models → features", p.ImportPath, imported)
			}
		}
	}
}

func TestEachLibraryHasOneHome(t *testing.T) {
	for _, p := range goList(t, "./...") {
		for _, imported := range p.Imports {
			for library, home := range homes {
				if within(imported, library) && !within(p.ImportPath, home) {
					t.Errorf("%s imports %s: its home is %s", p.ImportPath, imported, home)
				}
			}
		}
	}
}

func TestNoCgo(t *testing.T) {
	for _, p := range goList(t, "-deps", "./...") {
		if !p.Standard && len(p.CgoFiles) > 0 {
			t.Errorf("%s needs cgo: %v", p.ImportPath, p.CgoFiles)
		}
	}
}

// layerOf gives the number of the layer that an import path belongs to; ok is
// false where the path is not ours.
func layerOf(path string) (layer int, ok bool) {
	if path == "ctr" {
		return slices.Index(layers, ""), true
	}
	name, ours := strings.CutPrefix(path, "ctr/")
	if !ours {
		return 0, false
	}
	name, _, _ = strings.Cut(name, "/")
	layer = slices.Index(layers, name)
	return layer, layer >= 0
}

// within reports whether path is the package parent or lies below it.
func within(path, parent string) bool {
	return path == parent || strings.HasPrefix(path, parent+"/")
}

// goList asks the go command for packages, with cgo on, so that files that
// need it are seen.
func goList(t *testing.T, args ...string) []listed {
	t.Helper()
	cmd := exec.Command("go", append([]string{"list", "-json=ImportPath,Standard,Imports,TestImports,XTestImports,CgoFiles"}, args...)...)
	cmd.Env = append(cmd.Environ(), "CGO_ENABLED=1")
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %v\n%s", cmd.Args, err, stderr.String())
	}
	var all []listed
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p listed
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
	if len(all) == 0 {
		t.Fatalf("%v: no packages", cmd.Args)
	}
	return all
}
