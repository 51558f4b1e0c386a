package infer

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"ctr/pipeline"
)

const (
	jsonKind  = "application/json"
	linesKind = "application/x-ndjson"
	csvKind   = "text/csv"
	tsvKind   = "text/tab-separated-values"
)

// aRow is a row with all that the models read.
const aRow = `{"request_id":"r1","hour":"14102100","site":"s1","device":"d2","price":12.5,"age":30}`

// Rows get the bits that ctr evaluate gives them, in whatever form they come.
func TestScoreIsEvaluate(t *testing.T) {
	t.Parallel()
	text := shopRows(50, 7)
	dir := t.TempDir()
	rows, predictions := filepath.Join(dir, "rows.csv"), filepath.Join(dir, "p.csv")
	if err := os.WriteFile(rows, []byte(shopHeader+text), 0o600); err != nil {
		t.Fatal(err)
	}
	o := pipeline.EvaluateOptions{Model: model(t, "lr"), Predictions: predictions}
	o.Files = []string{rows}
	if _, err := pipeline.Evaluate(context.Background(), o, nil); err != nil {
		t.Fatal(err)
	}
	// id,y,probability,prediction
	var want, wantJSON strings.Builder
	want.WriteString("id,probability,prediction\n")
	for _, line := range strings.Split(strings.TrimSpace(string(fileBytes(t, predictions))), "\n")[1:] {
		f := strings.Split(line, ",")
		fmt.Fprintf(&want, "%s,%s,%s\n", f[0], f[2], f[3])
		fmt.Fprintf(&wantJSON, `{"id":"%s","probability":%s,"prediction":%s}`+"\n", f[0], f[2], f[3])
	}
	var objects []string
	names := strings.Split(strings.TrimSpace(shopHeader), ",")
	for _, line := range strings.Split(strings.TrimSpace(text), "\n") {
		o := "{"
		for i, v := range strings.Split(line, ",") {
			if i > 0 {
				o += ","
			}
			if i != 5 && i != 6 {
				v = `"` + v + `"`
			}
			o += `"` + names[i] + `":` + v
		}
		objects = append(objects, o+"}")
	}
	tabs := strings.ReplaceAll(text, ",", "\t")
	s := serve(t, Options{}, model(t, "lr"))
	f := func(kind, body, want string) {
		t.Helper()
		if a := s.post("/v1/score", kind, body); a.code != 200 || a.body != want {
			t.Errorf("%s: %d\n%s\nwant\n%s", kind, a.code, a.body, want)
		} else if got, _, _ := strings.Cut(a.Get("Content-Type"), ";"); kind != "" && got != kind && kind != "application/x-www-form-urlencoded" {
			t.Errorf("%s: answered as %s", kind, got)
		} else if a.Get("Ctr-Model") != "lr" || a.Get("Ctr-Model-Version") != s.o.Registry.Default().Hash {
			t.Errorf("headers %v", a.Header)
		}
	}
	f(csvKind, shopHeader+text, want.String())
	f(csvKind, text, want.String())
	f(csvKind, "\ufeff"+shopHeader+text, want.String())
	f(csvKind, strings.ReplaceAll(shopHeader+text, "\n", "\r\n"), want.String())
	f(csvKind, strings.ReplaceAll(text, "hello", `"say ""hi"", or`+"\n"+`not"`), want.String())
	f("", text, want.String())
	f("application/x-www-form-urlencoded", shopHeader+text, want.String())
	f(tsvKind, tabs, strings.ReplaceAll(want.String(), ",", "\t"))
	f(tsvKind, strings.ReplaceAll(shopHeader, ",", "\t")+tabs, strings.ReplaceAll(want.String(), ",", "\t"))
	f(linesKind, strings.Join(objects, "\n"), wantJSON.String())
	f(linesKind, strings.Join(objects, "\r\n\n")+"\n", wantJSON.String())
	list := "[" + strings.ReplaceAll(strings.TrimSpace(wantJSON.String()), "\n", ",") + "]\n"
	f(jsonKind, "["+strings.Join(objects, ",")+"]", list)
	f(jsonKind, " [ "+strings.Join(objects, "\n, ")+" ]\n\n", list)
	first, _, _ := strings.Cut(wantJSON.String(), "\n")
	f(jsonKind, objects[0], first+"\n")
	f(jsonKind, strings.ReplaceAll(objects[0], ",", " ,\n\t"), first+"\n")
	f("", objects[0], first+"\n")
}

// What is wrong is refused by a status and a text that name it.
func TestRefused(t *testing.T) {
	t.Parallel()
	s := serve(t, Options{MaxBody: 1 << 16, MaxRows: 3, MaxRow: 200}, model(t, "lr"))
	f := func(kind, body string, code int, want string) {
		t.Helper()
		a := s.post("/v1/score", kind, body)
		if a.code != code || !strings.Contains(a.body, want) || a.Get("Content-Type") != jsonKind {
			t.Errorf("%s %q: %d %s %s\nwant %d %s", kind, body[:min(len(body), 90)], a.code, a.Get("Content-Type"), a.body, code, want)
		}
		var parsed struct{ Error string }
		if err := json.Unmarshal([]byte(a.body), &parsed); err != nil || parsed.Error == "" {
			t.Errorf("%q: %v", a.body, err)
		}
	}
	without := func(old, with string) string {
		if !strings.Contains(aRow, old) {
			t.Fatal(old)
		}
		return strings.Replace(aRow, old, with, 1)
	}
	// Nothing.
	for _, kind := range []string{jsonKind, linesKind, csvKind, tsvKind, ""} {
		f(kind, "", 400, `"error":"`)
		f(kind, " \r\n", 400, `"error":"`)
	}
	f(csvKind, shopHeader, 400, `"error":"no rows"`)
	f(jsonKind, "[]", 400, `"error":"no rows"`)
	f(jsonKind, " [ ] ", 400, `"error":"no rows"`)
	// Forms.
	f("application/xml", aRow, 415, "want application/json, application/x-ndjson, text/csv")
	f("text/csv; charset=utf-16", "a", 415, "charset utf-16: want utf-8")
	f(";;", aRow, 415, "Content-Type ;;")
	// JSON.
	f(jsonKind, "null", 400, "want an object")
	f(jsonKind, `"text"`, 400, "want an object")
	f(jsonKind, "[1]", 400, `"row":1`)
	f(jsonKind, "["+aRow+",]", 400, `"row":2`)
	f(jsonKind, "["+aRow, 400, "want a comma or the end of the array after row 1")
	f(jsonKind, "["+aRow+"] x", 400, "text after the array")
	f(jsonKind, "["+aRow+" "+aRow+"]", 400, "want a comma")
	f(jsonKind, aRow+"}", 400, "text after the object")
	f(jsonKind, aRow[:len(aRow)-1], 400, "want a comma or the end of the object")
	f(jsonKind, without(`"s1"`, `{"a":1}`), 400, `column site: nested value`)
	f(jsonKind, without(`"s1"`, `["s1"]`), 400, `"row":1,"column":"site"`)
	f(jsonKind, strings.Repeat("[", 60_000), 400, "want an object")
	f(jsonKind, strings.Repeat(`{"a":`, 30), 400, "nested value")
	f(jsonKind, without(`"site":"s1"`, `"site":"s1","site":"s1"`), 400, "column site: twice in the object")
	f(jsonKind, without(`"site":"s1",`, ``), 400, "column site: not in the object: want it, null where there is no value")
	f(jsonKind, without(`12.5`, `NaN`), 400, "want a value")
	f(jsonKind, without(`12.5`, `-Infinity`), 400, "want a digit")
	f(jsonKind, without(`12.5`, `0x10`), 400, "want a comma")
	f(jsonKind, without(`12.5`, `"cheap"`), 400, `column price: \"cheap\": want`)
	f(jsonKind, without(`12.5`, `true`), 400, `column price: \"true\": want`)
	f(jsonKind, without(`"14102100"`, `"25"`), 400, "column hour")
	f(jsonKind, without(`"r1"`, `"r1","bought":"2"`), 400, `column bought: \"2\": want 0 or 1`)
	f(jsonKind, without(`"s1"`, "\"a\x01b\""), 400, "control character")
	f(jsonKind, without(`"s1"`, `"a\u0000b"`), 400, "NUL")
	f(jsonKind, without(`"s1"`, `"a\x"`), 400, "row 1")
	f(jsonKind, without(`"s1"`, `"`+strings.Repeat("s", 300)+`"`), 400, "row 1: too long: want 200 bytes at most")
	// Lines.
	f(linesKind, aRow+"\nx\n", 400, `row 2: JSON byte 1: want an object`)
	f(linesKind, aRow+"\n["+aRow+"]\n", 400, `"row":2`)
	f(linesKind, strings.Repeat(aRow+"\n", 4), 413, "too many rows: want 3 at most")
	f(jsonKind, "["+strings.Repeat(aRow+",", 3)+aRow+"]", 413, "too many rows")
	// CSV.
	f(csvKind, strings.Repeat("r1,0,14102100,s1,d1,1,1,x\n", 4), 413, "too many rows: want 3 at most")
	f(csvKind, "request_id\n"+strings.Repeat("a\n", 30_000), 413, "too many rows")
	f(csvKind, shopHeader+"r1,0,14102100,s1,d1,1,1\n", 400, "row 1: ")
	f(csvKind, shopHeader+"r1,0,14102100,s1,d1,1,1,\"x\n", 400, `"row":1`)
	f(csvKind, shopHeader+"r1,0,14102100,s1,d1,1,1,"+strings.Repeat("x", 200)+"\n", 400, "row too long")
	f(csvKind, "r1,0,14102100,s1\n", 400, "without a known header")
	f(csvKind, "request_id,hour,site,site,device\n", 400, "named twice in the header")
	f(csvKind, "request_id,hour,site,price,age\nr1,14102100,s1,1,1\n", 400, "device")
	f(csvKind, shopHeader+"r1,0,14102100,s1,d\x001,1,1,x\n", 400, "NUL byte")
	f(csvKind, "\xff\xfea\x00", 400, "UTF-16")
	// Limits.
	f(jsonKind, strings.Repeat(" ", 1<<16)+aRow, 413, "body too large: want 65536 bytes at most")
}

// What looks odd and is none the less a row.
func TestAccepted(t *testing.T) {
	t.Parallel()
	s := serve(t, Options{MaxRows: 3}, model(t, "lr"))
	plain := s.rows(s.post("/v1/score", jsonKind, aRow), 1)[0].Probability
	f := func(kind, body string, n int, same bool) {
		t.Helper()
		rows := s.rows(s.post("/v1/score", kind, body), n)
		if got := rows[0].Probability; (got == plain) != same || !(got > 0 && got < 1) {
			t.Errorf("%s: probability %v, of the plain row %v, want same %v", body, got, plain, same)
		}
	}
	with := func(old, with string) string { return strings.Replace(aRow, old, with, 1) }
	f(jsonKind, aRow, 1, true)
	f("application/json; charset=utf-8", aRow, 1, true)
	f("TEXT/JSON", aRow, 1, true)
	f("application/octet-stream", aRow, 1, true)
	f(jsonKind, with(`"r1"`, `"r1","bought":"1"`), 1, true)           // a label is read past
	f(jsonKind, with(`"r1"`, `"r1","more":"x","more":null`), 1, true) // so are columns that are none
	f(jsonKind, with(`"s1"`, `"\u00731"`), 1, true)
	f(jsonKind, with(`"site"`, `"\u0073ite"`), 1, true)
	f(jsonKind, with(`12.5`, `"12.5"`), 1, true)
	f(jsonKind, with(`12.5`, `1.25e1`), 1, true)
	f(jsonKind, with(`"s1"`, `null`), 1, false)
	f(jsonKind, with(`"s1"`, `"caf`+"\xe9"+`"`), 1, false) // not UTF-8: a value like any other
	f(jsonKind, with(`12.5`, `null`), 1, false)
	f(jsonKind, with(`12.5`, `1e308`), 1, false)
	f(jsonKind, aRow+"\n"+aRow, 2, true) // lines, by what it looks like
	f("", aRow+"\n"+aRow, 2, true)
	// The id is as it came.
	f2 := func(id, want string) {
		t.Helper()
		if a := s.post("/v1/score", jsonKind, with(`"r1"`, id)); !strings.HasPrefix(a.body, `{"id":`+want+`,`) {
			t.Errorf("id %s: %s", id, a.body)
		}
	}
	f2(`"a\"b\\\n"`, `"a\"b\\\u000a"`)
	f2(`1e400`, `"1e400"`)
	f2(`"`+"\xff"+`"`, `"\udcff"`)
	f2(`""`, `""`)
	// Three rows, one of them with line ends in quotes, and empty lines.
	row := "r1,0,14102100,s1,d1,1,1,\"a\n\n\nb\"\n"
	if a := s.post("/v1/score", csvKind, "\n\n\n\n"+row+"\n\n"+row+row); a.code != 200 || strings.Count(a.body, "\n") != 4 {
		t.Errorf("%d %s", a.code, a.body)
	}
}

// Models are found by name and version.
func TestModels(t *testing.T) {
	t.Parallel()
	s := serve(t, Options{}, "a@1="+model(t, "lr"), "a@2="+model(t, "other"), model(t, "dt"))
	f := func(path string, code int, name, version string) {
		t.Helper()
		a := s.post(path, jsonKind, aRow)
		if a.code != code || a.Get("Ctr-Model") != name || a.Get("Ctr-Model-Version") != version {
			t.Errorf("%s: %d %s, model %s@%s", path, a.code, a.body, a.Get("Ctr-Model"), a.Get("Ctr-Model-Version"))
		}
	}
	hash := s.o.Registry.Find("dt", "").Hash
	f("/v1/score", 200, "a", "1")
	f("/v1/models/a/score", 200, "a", "2")
	f("/v1/models/a/versions/1/score", 200, "a", "1")
	f("/v1/models/dt/score", 200, "dt", hash)
	f("/v1/models/dt/versions/"+hash+"/score", 200, "dt", hash)
	f("/v1/models/b/score", 404, "", "")
	f("/v1/models/a/versions/3/score", 404, "", "")
	f("/v1/models/%00%ff/score", 404, "", "")
	list := get[struct{ Models []ModelInfo }](s, "/v1/models").Models
	if len(list) != 3 || !list[0].Default || list[1].Default || list[2].Algo != "dt" || list[2].Refused != "" {
		t.Errorf("%+v", list)
	}
	if got := strings.Join(list[0].Columns, " "); got != "hour site device price age" {
		t.Errorf("columns %q", got)
	}
}

// Contributions and the baseline add up.
func TestExplain(t *testing.T) {
	t.Parallel()
	s := serve(t, Options{}, model(t, "dt"), model(t, "lr"))
	f := func(path, body string, n int) {
		t.Helper()
		for _, r := range s.rows(s.post(path, jsonKind, body), n) {
			if r.Explanation == nil || len(r.Explanation.Contributions) == 0 {
				t.Fatalf("%s: no explanation", path)
			}
			sum := r.Explanation.Baseline
			for _, v := range r.Explanation.Contributions {
				sum += v
			}
			if r.Explanation.Scale == "probability" && !(sum-r.Probability < 1e-9 && r.Probability-sum < 1e-9) {
				t.Errorf("%s: %v, want %v", path, sum, r.Probability)
			}
		}
	}
	f("/v1/score?explain=true", aRow, 1)
	f("/v1/score?explain=true", "["+aRow+","+aRow+"]", 2)
	f("/v1/models/lr/score?explain=true", aRow+"\n"+aRow, 2)
	bad := func(query, kind string, code int, want string) {
		t.Helper()
		if a := s.post("/v1/score?"+query, kind, aRow); a.code != code || !strings.Contains(a.body, want) {
			t.Errorf("%s: %d %s", query, a.code, a.body)
		}
	}
	bad("explain=1", jsonKind, 400, "want true or false")
	bad("explain=", jsonKind, 400, "want true or false")
	bad("explain=true&explain=false", jsonKind, 400, "once")
	bad("explain=%zz", jsonKind, 400, "query")
	bad("explain=true", csvKind, 400, "no place for it")
	bad("explain=false", jsonKind, 200, "probability")
	bad("trace=12", jsonKind, 200, "probability")
}

// A model with history counts what it was asked before.
func TestHistory(t *testing.T) {
	t.Parallel()
	s := serve(t, Options{}, model(t, "history"))
	row := strings.Replace(aRow, `"d2"`, `"new"`, 1)
	one := s.rows(s.post("/v1/score", jsonKind, row), 1)[0].Probability
	two := s.rows(s.post("/v1/score", jsonKind, "["+row+","+row+"]"), 2)
	if one == two[0].Probability {
		t.Errorf("the second time as the first: %v", one)
	}
	fresh := serve(t, Options{}, model(t, "history"))
	all := fresh.rows(fresh.post("/v1/score", linesKind, row+"\n"+row+"\n"+row), 3)
	if all[0].Probability != one || all[1].Probability != two[0].Probability || all[2].Probability != two[1].Probability {
		t.Errorf("three at once %v, one after another %v %v", all, one, two)
	}
}

// The bytes of the answer to a large request, their order and what history counts
// are those of the same rows in small requests.
func TestScoreLarge(t *testing.T) {
	for _, name := range []string{"lr", "dt", "history"} {
		large, small := serve(t, Options{}, model(t, name)), serve(t, Options{}, model(t, name))
		lines := strings.SplitAfter(shopRows(3000, 9), "\n")
		lines = lines[:len(lines)-1]
		for i := range lines { // some ids are quoted
			if i%7 == 0 {
				lines[i] = `"a ""b"", ` + lines[i][:5] + `"` + lines[i][5:]
			}
		}
		for _, n := range []int{255, 256, 257, 1000, 3000} {
			want := "id,probability,prediction\n"
			for lo := 0; lo < n; lo += 100 {
				a := small.post("/v1/score", "text/csv", shopHeader+strings.Join(lines[lo:min(lo+100, n)], ""))
				_, rows, _ := strings.Cut(a.body, "\n")
				want += rows
			}
			got := large.post("/v1/score", "text/csv", shopHeader+strings.Join(lines[:n], ""))
			if got.code != 200 || got.body != want {
				t.Fatalf("%s, %d rows: %d, not as in small requests: %.300s", name, n, got.code, got.body)
			}
		}
	}
}

// Of several bad rows the first is named.
func TestScoreLargeBadRow(t *testing.T) {
	s := serve(t, Options{}, model(t, "lr"))
	lines := strings.SplitAfter(shopRows(3000, 9), "\n")
	for _, bad := range [][]int{{0, 2999}, {130, 300, 2000}, {2999}, {1279, 1280}} {
		rows := slices.Clone(lines)
		for _, i := range bad {
			rows[i] = strings.Replace(rows[i], ",141021", ",noon", 1)
		}
		for range 2 {
			a := s.post("/v1/score", "text/csv", shopHeader+strings.Join(rows, ""))
			if want := fmt.Sprintf(`"row":%d,"column":"hour"`, bad[0]+1); a.code != 400 || !strings.Contains(a.body, want) {
				t.Fatalf("rows %v: %d %s, want %s", bad, a.code, a.body, want)
			}
		}
	}
	if a := s.post("/v1/score", "text/csv", shopHeader+strings.Join(lines, "")); a.code != 200 {
		t.Errorf("good rows after bad ones: %d %s", a.code, a.body)
	}
}
