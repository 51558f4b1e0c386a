// Package page is the live page: what a process that scores shows to a browser.
// It is HTML, style and script without anything from elsewhere, embedded in the
// binary; it asks for api/live, beside it, each second.
package page

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"io/fs"
	"net/http"
	"path"
	"time"
)

//go:embed static
var static embed.FS

// policy lets the page load what it came with and talk to who served it, and
// nothing else: a value of a row that is shown can't become a script.
const policy = "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; object-src 'none'"

// kinds are the media types by file name extension: those of the system may be
// anything.
var kinds = map[string]string{
	".html": "text/html; charset=utf-8",
	".css":  "text/css; charset=utf-8",
	".js":   "text/javascript; charset=utf-8",
	".svg":  "image/svg+xml",
}

// file is one file of the page.
type file struct {
	kind, tag string // its media type and entity tag
	content   []byte
}

// Handlers gives the page by patterns of http.ServeMux: the page itself at / and
// its style and scripts under /page/. They say nothing of the process, so that
// they may be shown to anyone: the figures come from /api/live, which the page
// asks with a token where one is wanted.
func Handlers() map[string]http.Handler {
	entries, err := fs.ReadDir(static, "static")
	if err != nil {
		panic(err) // embedded: it is there
	}
	all := map[string]http.Handler{}
	for _, e := range entries {
		content, err := static.ReadFile(path.Join("static", e.Name()))
		if err != nil {
			panic(err) // as above
		}
		sum := sha256.Sum256(content)
		f := file{kinds[path.Ext(e.Name())], `"` + hex.EncodeToString(sum[:8]) + `"`, content}
		if e.Name() == "index.html" {
			all["GET /{$}"] = f
			continue
		}
		all["GET /page/"+e.Name()] = f
	}
	return all
}

// ServeHTTP answers with the file, or that the browser has it already.
func (f file) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	h := w.Header()
	h.Set("Content-Type", f.kind)
	h.Set("Content-Security-Policy", policy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("ETag", f.tag)
	h.Set("Cache-Control", "no-cache") // asked for anew, so that a new binary has its own page
	http.ServeContent(w, q, "", time.Time{}, bytes.NewReader(f.content))
}
