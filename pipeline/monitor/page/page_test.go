package page

import (
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
)

// serve gives a server of the page alone.
func serve(t *testing.T) *httptest.Server {
	t.Helper()
	mux := http.NewServeMux()
	for pattern, h := range Handlers() {
		mux.Handle(pattern, h)
	}
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	return s
}

func get(t *testing.T, url string, header http.Header) (*http.Response, string) {
	t.Helper()
	q, err := http.NewRequest(http.MethodGet, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	q.Header = header
	r, err := http.DefaultClient.Do(q)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return r, string(b)
}

// TestHandlers: all that the page asks for is there, under a policy that lets
// nothing else in, and a browser that has it is told so.
func TestHandlers(t *testing.T) {
	t.Parallel()
	s := serve(t)
	_, index := get(t, s.URL+"/", nil)
	wanted := []string{"/"}
	for _, m := range regexp.MustCompile(`(?:href|src)="(page/[^"]+)"`).FindAllStringSubmatch(index, -1) {
		wanted = append(wanted, "/"+m[1])
	}
	if len(wanted) < 4 {
		t.Fatalf("the page asks for %v", wanted)
	}
	for i := 0; i < len(wanted); i++ {
		r, body := get(t, s.URL+wanted[i], nil)
		if r.StatusCode != http.StatusOK || body == "" {
			t.Errorf("%s: %s", wanted[i], r.Status)
		}
		if p := r.Header.Get("Content-Security-Policy"); !strings.HasPrefix(p, "default-src 'self';") || strings.Contains(p, "unsafe") {
			t.Errorf("%s: policy %q", wanted[i], p)
		}
		if kind := r.Header.Get("Content-Type"); kind == "" || r.Header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: type %q", wanted[i], kind)
		}
		again, _ := get(t, s.URL+wanted[i], http.Header{"If-None-Match": {r.Header.Get("ETag")}})
		if again.StatusCode != http.StatusNotModified {
			t.Errorf("%s: %s for what the browser has", wanted[i], again.Status)
		}
		for _, m := range regexp.MustCompile(`(?m)^import .* from '\./([^']+)';`).FindAllStringSubmatch(body, -1) {
			if next := "/page/" + m[1]; !strings.Contains(strings.Join(wanted, " ")+" ", next+" ") {
				wanted = append(wanted, next)
			}
		}
	}
	files, err := fs.ReadDir(static, "static")
	if err != nil {
		t.Fatal(err)
	}
	if len(files) != len(wanted) {
		t.Errorf("%d files, %d of them asked for: %v", len(files), len(wanted), wanted)
	}
	for _, path := range []string{"/index.html", "/page/", "/page/index.html", "/page/page.go", "/page/../page.go"} {
		if r, _ := get(t, s.URL+path, nil); r.StatusCode != http.StatusNotFound {
			t.Errorf("%s: %s", path, r.Status)
		}
	}
}

// TestNothingFromElsewhere: the page works offline, and has nothing that its
// policy would refuse.
func TestNothingFromElsewhere(t *testing.T) {
	t.Parallel()
	forbidden := map[string]*regexp.Regexp{
		"an address":          regexp.MustCompile(`(?i)(https?:)?//[a-z0-9-]+\.[a-z]`),
		"a style attribute":   regexp.MustCompile(`(?i)\sstyle\s*=|'style'|\.cssText`),
		"an event handler":    regexp.MustCompile(`(?i)\son[a-z]+\s*=\s*"`),
		"HTML made from text": regexp.MustCompile(`innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|new Function`),
		"an inline script":    regexp.MustCompile(`(?i)<script(?:[^>]*)>[^<]|<style|javascript:`),
	}
	own := strings.NewReplacer("http://www.w3.org/2000/svg", "")
	err := fs.WalkDir(static, "static", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := static.ReadFile(path)
		if err != nil {
			return err
		}
		for what, re := range forbidden {
			if found := re.FindString(own.Replace(string(b))); found != "" {
				t.Errorf("%s has %s: %q", path, what, found)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
