package infer

import (
	"encoding/json"
	"net/http/httptest"
	"strings"
	"testing"
)

// FuzzScore sends bodies of any form: the answer is a prediction or says what
// is wrong, as JSON, and the rows of an array are scored as the same rows one
// by one.
func FuzzScore(f *testing.F) {
	for _, kind := range []string{jsonKind, linesKind, csvKind, tsvKind, "", "text/plain", "application/xml", ";"} {
		for _, body := range []string{
			aRow, "[" + aRow + "," + aRow + "]", aRow + "\n" + aRow, shopHeader + shopRows(3, 1), shopRows(3, 1),
			strings.ReplaceAll(shopRows(2, 1), ",", "\t"), "", "[]", "{", `[{"a":"]}"},{}]`, `{"site":"\ud800"}`, "\xff\xfe", "a\n\"", "\"\n",
		} {
			f.Add(kind, body, false)
		}
	}
	f.Add(jsonKind, aRow, true)
	s, err := newServer(Options{Registry: registry(f, nil, model(f, "lr")), MaxRows: 50, MaxRow: 1000, MaxBody: 1 << 16})
	if err != nil {
		f.Fatal(err)
	}
	post := func(kind, path, body string) *httptest.ResponseRecorder {
		q := httptest.NewRequest("POST", path, strings.NewReader(body))
		q.Header["Content-Type"] = []string{kind}
		w := httptest.NewRecorder()
		s.http.Handler.ServeHTTP(w, q)
		return w
	}
	f.Fuzz(func(t *testing.T, kind, body string, why bool) {
		path := "/v1/score"
		if why {
			path += "?explain=true"
		}
		w := post(kind, path, body)
		got := w.Body.String()
		switch w.Code {
		case 400, 413, 415:
			var parsed struct {
				Error  string
				Row    int
				Column string
			}
			if err := json.Unmarshal([]byte(got), &parsed); err != nil || parsed.Error == "" {
				t.Fatalf("%d %q: %v", w.Code, got, err)
			}
			return
		case 200:
		default:
			t.Fatalf("%d %q", w.Code, got)
		}
		if left := s.memory.left.Load(); left != s.o.MaxMemory {
			t.Fatalf("%d bytes of the budget are left", left)
		}
		var rows []json.RawMessage
		switch w.Header().Get("Content-Type") {
		case jsonKind:
			if strings.HasPrefix(got, "{") {
				got = "[" + got + "]"
			}
			if err := json.Unmarshal([]byte(got), &rows); err != nil {
				t.Fatalf("%q: %v", got, err)
			}
		case linesKind:
			for _, line := range strings.SplitAfter(strings.TrimSuffix(got, "\n"), "\n") {
				if !json.Valid([]byte(line)) {
					t.Fatalf("line %q", line)
				}
				rows = append(rows, json.RawMessage(line))
			}
		default:
			return
		}
		var objects []json.RawMessage
		if json.Unmarshal([]byte(body), &objects) != nil {
			return
		}
		if len(rows) != len(objects) {
			t.Fatalf("%d rows for %d objects", len(rows), len(objects))
		}
		for i, o := range objects {
			one := post(jsonKind, path, string(o))
			if one.Code != 200 || strings.TrimSpace(one.Body.String()) != string(rows[i]) {
				t.Fatalf("row %d: %d %s alone, %s among others", i+1, one.Code, one.Body, rows[i])
			}
		}
	})
}
