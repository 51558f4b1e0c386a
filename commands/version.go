package commands

import (
	"encoding/json"
	"fmt"
	"io"
	"runtime"
	"runtime/debug"

	"github.com/urfave/cli/v2"
)

// version is ctr's version. A release build sets it with
// -ldflags "-X ctr/commands.version=1.2.3".
var version = "0.1.0-dev"

// versionInfo is the result of ctr version.
type versionInfo struct {
	Version string `json:"version"`
	Commit  string `json:"commit,omitempty"` // with "+dirty" where files were changed
	Go      string `json:"go"`
	OS      string `json:"os"`
	Arch    string `json:"arch"`
}

func versionCommand(s *stdio) *cli.Command {
	var o common
	return &cli.Command{
		Name: "version", Usage: "prints ctr's version",
		UsageText: "ctr version\nctr version --json",
		Flags:     o.flags(),
		Action: func(*cli.Context) error {
			v := buildVersion(debug.ReadBuildInfo())
			if o.json {
				return printJSON(s.out, v)
			}
			commit := ""
			if v.Commit != "" {
				commit = ", commit " + v.Commit
			}
			fmt.Fprintf(s.out, "ctr %s%s, %s %s/%s\n", v.Version, commit, v.Go, v.OS, v.Arch)
			return nil
		},
	}
}

// buildVersion puts together what the build left in the binary.
func buildVersion(info *debug.BuildInfo, ok bool) versionInfo {
	v := versionInfo{Version: version, Go: runtime.Version(), OS: runtime.GOOS, Arch: runtime.GOARCH}
	if !ok {
		return v
	}
	dirty := ""
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision":
			v.Commit = s.Value[:min(12, len(s.Value))]
		case s.Key == "vcs.modified" && s.Value == "true":
			dirty = "+dirty"
		}
	}
	if v.Commit != "" {
		v.Commit += dirty
	}
	return v
}

// printJSON writes v as one indented JSON document.
func printJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(v)
}
