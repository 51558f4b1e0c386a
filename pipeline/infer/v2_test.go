package infer

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"net/http/httptest"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"ctr/features/race"
)

// inferAnswer is that of /infer.
type inferAnswer struct {
	ModelName    string `json:"model_name"`
	ModelVersion string `json:"model_version"`
	ID           *string
	Outputs      []struct {
		Name, Datatype string
		Shape          []int
		Data           []any
		Parameters     map[string]any
	}
}

// columns gives rows of shop, as CSV, as inputs: texts as BYTES, price and age
// as numbers, both as they are in the text.
func columns(rows string, leave ...string) string {
	names := strings.Split(strings.TrimSpace(shopHeader), ",")
	lines := strings.Split(strings.TrimSpace(rows), "\n")
	var inputs []string
next:
	for c, name := range names {
		for _, l := range leave {
			if l == name {
				continue next
			}
		}
		kind := "BYTES"
		if name == "price" || name == "age" {
			kind = "FP64"
		}
		var data []string
		for _, line := range lines {
			v := strings.Split(line, ",")[c]
			if kind == "BYTES" {
				v = strconv.Quote(v)
			}
			data = append(data, v)
		}
		inputs = append(inputs, fmt.Sprintf(`{"name":%q,"shape":[%d],"datatype":%q,"data":[%s]}`, name, len(lines), kind, strings.Join(data, ",")))
	}
	return strings.Join(inputs, ",")
}

func (s *site) infer(path, body string, headers ...string) (inferAnswer, answer) {
	s.t.Helper()
	a := s.do("POST", path, strings.NewReader(body), append(headers, "Content-Type", jsonKind)...)
	var got inferAnswer
	text := a.body
	if n, err := strconv.Atoi(a.Get(headerLength)); err == nil {
		text = text[:n]
	}
	if err := json.Unmarshal([]byte(text), &got); err != nil || a.code != 200 {
		s.t.Fatalf("%.300s: %d %s %v", body, a.code, a.body, err)
	}
	return got, a
}

// The answer is what /v1/score gives to the same rows, which is what ctr
// evaluate gives (TestScoreIsEvaluate), whatever way the columns come.
func TestInferIsScore(t *testing.T) {
	t.Parallel()
	s := serve(t, Options{}, model(t, "lr"), "h@1="+model(t, "history"))
	rows := shopRows(30, 9)
	want := strings.Split(strings.TrimSpace(s.post("/v1/score", csvKind, rows).body), "\n")[1:]
	check := func(got inferAnswer) {
		t.Helper()
		if len(got.Outputs) != 3 || got.ModelName != "lr" || got.ModelVersion != s.o.Registry.Default().Version {
			t.Fatalf("%+v", got)
		}
		for i, line := range want {
			p, y, id := got.Outputs[0].Data[i].(float64), got.Outputs[1].Data[i].(float64), got.Outputs[2].Data[i].(string)
			if text := fmt.Sprintf("%s,%s,%v", id, strconv.FormatFloat(p, 'g', -1, 64), y); text != line {
				t.Errorf("row %d: %s, want %s", i, text, line)
			}
		}
		for i, name := range []string{outputProbability, outputPrediction, outputID} {
			if o := got.Outputs[i]; o.Name != name || !reflect.DeepEqual(o.Shape, []int{len(want)}) || o.Datatype != outputs(1<<i).datatype() {
				t.Errorf("%+v", o)
			}
		}
	}
	body := columns(rows)
	for _, path := range []string{"/v2/models/lr/infer", "/v2/models/lr/versions/" + s.o.Registry.Default().Hash + "/infer"} {
		got, a := s.infer(path, `{"id":"a\"b","inputs":[`+body+`]}`)
		check(got)
		if got.ID == nil || *got.ID != `a"b` || a.Get("Content-Type") != jsonKind {
			t.Errorf("%+v %v", got, a.Header)
		}
	}
	got, _ := s.infer("/v2/models/lr/infer", `{"inputs":[{"name":"else","shape":[1],"datatype":"FP32","data":[1]},`+body+`]}`)
	check(got)
	if got.ID != nil {
		t.Errorf("id %q of a request without", *got.ID)
	}
	got, _ = s.infer("/v2/models/lr/infer", `{"inputs":[`+strings.ReplaceAll(body, `"shape":[30]`, `"shape": [ 30 , 1 ]`)+`]}`)
	check(got)
	// The label is not needed, nor the id: then there are no ids to answer with.
	got, _ = s.infer("/v2/models/lr/infer", `{"inputs":[`+columns(rows, "bought", "request_id", "note")+`]}`)
	if len(got.Outputs) != 2 || fmt.Sprint(got.Outputs[0].Data[29]) == "0" {
		t.Errorf("%+v", got)
	}
	got, _ = s.infer("/v2/models/lr/infer", `{"inputs":[`+columns(rows, "request_id")+`],"outputs":[{"name":"id"}]}`)
	if len(got.Outputs) != 1 || got.Outputs[0].Data[29] != "" {
		t.Errorf("%+v", got)
	}
	// Outputs as asked for, as binary data too.
	got, a := s.infer("/v2/models/lr/infer", `{"inputs":[`+body+`],"outputs":[{"name":"id","parameters":{"binary_data":true}},{"name":"probability","parameters":{"binary_data":true}},{"name":"prediction"}]}`)
	tail := a.body[len(a.body)-30*8-30*9:]
	if n, err := strconv.Atoi(a.Get(headerLength)); err != nil || n != len(a.body)-len(tail) || a.Get("Content-Type") != "application/octet-stream" {
		t.Errorf("%v of %d", a.Header, len(a.body))
	}
	if got.Outputs[0].Parameters["binary_data_size"] != 240.0 || got.Outputs[2].Parameters["binary_data_size"] != 270.0 || len(got.Outputs[1].Data) != 30 {
		t.Errorf("%+v", got)
	}
	for i, line := range want {
		p := math.Float64frombits(binary.LittleEndian.Uint64([]byte(tail[8*i:])))
		id := tail[240+9*i:][:9]
		if text := fmt.Sprintf("%s,%s,", id[4:], strconv.FormatFloat(p, 'g', -1, 64)); !strings.HasPrefix(line, text) || id[:4] != "\x05\x00\x00\x00" {
			t.Errorf("row %d: %q, want %s", i, text, line)
		}
	}
	got, _ = s.infer("/v2/models/lr/infer", `{"inputs":[`+body+`],"parameters":{"binary_data_output":true},"outputs":[{"name":"prediction","parameters":{"binary_data":false}},{"name":"id"}]}`)
	if got.Outputs[0].Parameters != nil || got.Outputs[1].Parameters == nil {
		t.Errorf("%+v", got)
	}
	// A model with history counts its rows in their order.
	first, _ := s.infer("/v2/models/h/versions/1/infer", `{"inputs":[`+columns(shopRows(1, 3))+`]}`)
	second, _ := s.infer("/v2/models/h/infer", `{"inputs":[`+columns(shopRows(1, 3))+`]}`)
	if first.ModelVersion != "1" || reflect.DeepEqual(first.Outputs[0].Data, second.Outputs[0].Data) {
		t.Errorf("%v, and again %v", first.Outputs[0].Data, second.Outputs[0].Data)
	}
}

// A value is its text, whatever the datatype: as JSON, base64, or binary data.
func TestInferForms(t *testing.T) {
	t.Parallel()
	s := serve(t, Options{}, model(t, "lr"))
	ask := func(site, hour, price, age, more, tail string) string {
		t.Helper()
		body := `{"inputs":[` + site + `,` + hour + `,{"name":"device","shape":[1],"datatype":"BYTES","data":["d2"]},` + price + `,` + age + `]` + more + `}`
		headers := []string{}
		if tail != "" {
			headers = []string{headerLength, strconv.Itoa(len(body))}
		}
		got, _ := s.infer("/v2/models/lr/infer", body+tail, headers...)
		return strconv.FormatFloat(got.Outputs[0].Data[0].(float64), 'g', -1, 64)
	}
	in := func(name, kind, data string) string {
		return `{"name":"` + name + `","datatype":"` + kind + `","shape":[1],` + data + `}`
	}
	site, hour, price, age := in("site", "BYTES", `"data":["s1"]`), in("hour", "BYTES", `"data":["14102100"]`), in("price", "FP64", `"data":[12.5]`), in("age", "FP64", `"data":[30]`)
	want := ask(site, hour, price, age, "", "")
	f := func(got string) {
		t.Helper()
		if got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
	if one := s.post("/v1/score", jsonKind, aRow).body; !strings.Contains(one, `"probability":`+want+`,`) {
		t.Errorf("%s, /v1/score gave %s", want, one)
	}
	f(ask(in("site", "BYTES", `"data":["\u00731"]`), hour, price, age, "", ""))
	f(ask(in("site", "BYTES", `"parameters":{"content_type":"base64"},"data":["czE="]`), hour, price, age, "", ""))
	f(ask(in("site", "BYTES", `"parameters":{"content_type":"str","x":[1]},"data":[["s1"]]`), hour, price, age, "", ""))
	f(ask(site, in("hour", "INT32", `"data":[14102100]`), in("price", "BYTES", `"data":["12.5"]`), in("age", "UINT8", `"data":[30]`), "", ""))
	f(ask(site, in("hour", "UINT64", `"data":[14102100]`), in("price", "FP32", `"data":[12.5]`), in("age", "INT16", `"data":[30]`), `,"parameters":{"content_type":"pd"}`, ""))
	size := func(n int) string { return fmt.Sprintf(`"parameters":{"binary_data_size":%d}`, n) }
	le := binary.LittleEndian
	f(ask(in("site", "BYTES", size(6)), in("hour", "INT64", size(8)), in("price", "FP64", size(8)), in("age", "INT8", size(1)), "",
		"\x02\x00\x00\x00s1"+string(le.AppendUint64(nil, 14102100))+string(le.AppendUint64(nil, math.Float64bits(12.5)))+"\x1e"))
	f(ask(site, in("hour", "FP64", size(8)), in("price", "FP32", size(4)), in("age", "FP16", size(2)), "",
		string(le.AppendUint64(nil, math.Float64bits(14102100)))+string(le.AppendUint32(nil, math.Float32bits(12.5)))+"\x80\x4f"))
	// null and NaN are missing values, as "" is.
	want = ask(site, hour, in("price", "BYTES", `"data":[""]`), age, "", "")
	f(ask(site, hour, in("price", "FP64", `"data":[null]`), age, "", ""))
	f(ask(site, hour, in("price", "FP32", size(4)), age, "", "\x00\x00\xc0\x7f"))
}

// Strings need not be UTF-8: bytes are kept, as /v1/score keeps them.
func TestInferBytes(t *testing.T) {
	t.Parallel()
	q := newInference(limits{10, 1000})
	defer q.free()
	if f := q.read([]byte(`{"inputs":[{"name":"a","shape":[3],"datatype":"BYTES","data":["` + "\xff\xfe" + `","\udcff\udcfe","\ud83d\ude00"]}]}`)); f != nil {
		t.Fatal(f)
	}
	for i, want := range []string{"\xff\xfe", "\xff\xfe", "😀"} {
		if got := string(q.text(q.values[i])); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// What is wrong is refused, and the text says what it is.
func TestInferRefused(t *testing.T) {
	t.Parallel()
	s := serve(t, Options{MaxRows: 3, MaxRow: 100, MaxBody: 1 << 14}, model(t, "lr"))
	f := func(body string, code int, want string, headers ...string) {
		t.Helper()
		a := s.do("POST", "/v2/models/lr/infer", strings.NewReader(body), headers...)
		if a.code != code || !strings.Contains(a.body, want) || a.Get("Content-Type") != jsonKind {
			t.Errorf("%.100q: %d %s\nwant %d %s", body, a.code, a.body, code, want)
		}
	}
	all := columns(shopRows(2, 1))
	with := func(old, text string) string {
		t.Helper()
		if !strings.Contains(all, old) {
			t.Fatal(old)
		}
		return `{"inputs":[` + strings.Replace(all, old, text, 1) + `]}`
	}
	f("", 400, `JSON byte 1: want '{'`)
	f("[]", 400, `JSON byte 1: want '{'`)
	f(`{}`, 400, "no inputs")
	f(`{"inputs":[]}`, 400, "input \\\"hour\\\": missing: want it, null where there is no value")
	f(`{"inputs":[]} x`, 400, "JSON byte 15: text after the end")
	f("{\"inputs\":[]}\x00", 400, "text after the end")
	f(`{"inputs":[],"x":`+strings.Repeat("[", 500), 400, "too deep: want 16 levels at most")
	f(`{"inputs":[`+all+`],"inputs":[]}`, 400, "inputs: twice")
	f(`{"inputs":[`+all+`],"outputs":[{"name":"score"}]}`, 400, `output \"score\": want probability, prediction or id`)
	f(`{"inputs":[`+all+`],"outputs":[{"name":"id"},{"name":"id"}]}`, 400, "output id: twice")
	f(`{"inputs":[`+all+`],"outputs":[{"name":"id","parameters":{"classification":2}}]}`, 400, "classification: not supported")
	f(`{"inputs":[`+all+`],"id":7}`, 400, "want a string")
	f(with(`"site"`, `"sight"`), 400, `"column":"site"`)
	f(with(`"site"`, `"device"`), 400, `input \"device\": twice`)
	f(with(`"shape":[2]`, `"shape":[3]`), 400, "2 values: want 3, as its shape says")
	f(with(`"shape":[2]`, `"shape":[1,2]`), 400, "shape: want [N] or [N,1]")
	f(with(`"shape":[2]`, `"shape":[]`), 400, "shape: want [N] or [N,1]")
	f(with(`"shape":[2],`, ``), 400, "no shape")
	f(with(`"BYTES",`, `"TEXT",`), 400, `datatype \"TEXT\": want BYTES`)
	f(with(`"FP64"`, `"BYTES"`), 400, `"row":1,"column":"price"`)
	f(with(`"FP64"`, `"INT64"`), 400, "want INT64, or null")
	f(with(`"data":["r0000","r0001"]`, `"data":["r0000"]`), 400, "1 values: want 2, as its shape says")
	f(with(`"shape":[2],"datatype":"BYTES","data":["r0000","r0001"]`, `"shape":[1],"datatype":"BYTES","data":["r0000"]`), 400, `2 values: want 1, as the others have`)
	f(with(`"r0001"`, `{"a":1}`), 400, "want a string, a number, true, false or null")
	f(with(`"r0001"`, `"`+strings.Repeat("r", 101)+`"`), 400, `"row":2,"column":"request_id"`)
	f(with(`"r0001"`, `"a\u0000b"`), 400, "NUL")
	f(with(`"14102100"`, `"noon"`), 400, `"row":1,"column":"hour"`)
	f(`{"inputs":[`+columns(shopRows(4, 1))+`]}`, 413, "too many rows: want 3 at most")
	f(`{"inputs":[`+strings.ReplaceAll(columns(shopRows(1, 1)), `"shape":[1]`, `"shape":[0]`)+`]}`, 400, "1 values: want 0")
	f(`{"inputs":[{"name":"x","datatype":"FP64","shape":[1],"data":[1],"parameters":{"shared_memory_region":"a"}}]}`, 400, "shared_memory_region: not supported")
	f(`{"inputs":[{"name":"x","datatype":"FP64","shape":[1],"data":[NaN]}]}`, 400, "want a string, a number")
	f(strings.Repeat(" ", 1<<14+1), 413, "body too large")
	f(`{"inputs":[`+strings.Repeat(`{"name":"x","datatype":"FP64","shape":[0],"data":[]},`, 100)+all+`]}`, 200, "probability")
	// Binary data.
	for _, n := range []string{"-1", "x", "99999", ""} {
		f(`{"inputs":[]}`, 400, headerLength, headerLength, n)
	}
	for n, want := range map[int]string{8: "ends within a string", 3: "ends within a string", 12: "binary data of 12 bytes: the body has 8", 6: "2 bytes behind the data", 4: "1 values"} {
		head := fmt.Sprintf(`{"inputs":[{"name":"x","datatype":"BYTES","shape":[9],"parameters":{"binary_data_size":%d}}]}`, n)
		if n == 6 || n == 4 {
			head = strings.Replace(head, "[9]", "[1]", 1)
		}
		tail := "\x02\x00\x00\x00abcd"
		if n == 4 {
			head, tail = strings.Replace(head, "[1]", "[2]", 1), "\x00\x00\x00\x00"
		}
		f(head+tail, 400, want, headerLength, strconv.Itoa(len(head)))
	}
	head := `{"inputs":[{"name":"x","datatype":"FP32","shape":[1],"parameters":{"binary_data_size":5}}]}`
	f(head+"12345", 400, "want a multiple of 4", headerLength, strconv.Itoa(len(head)))
	if a := s.post("/v2/models/none/infer", jsonKind, "{}"); a.code != 404 || !strings.Contains(a.body, `"error":"model none`) {
		t.Errorf("%d %s", a.code, a.body)
	}
}

// Values that are to be kept secret are in no message.
func TestInferRedacted(t *testing.T) {
	t.Parallel()
	s := serve(t, Options{}, model(t, "lr"))
	a := s.post("/v2/models/lr/infer", jsonKind, `{"inputs":[`+strings.ReplaceAll(columns(shopRows(1, 1)), `"s`, `5,"secret`)+`]}`)
	if a.code != 400 || strings.Contains(a.body, "secret") {
		t.Errorf("%d %s", a.code, a.body)
	}
}

func TestV2Metadata(t *testing.T) {
	t.Parallel()
	s := serve(t, Options{}, "m@1="+model(t, "lr"), "m@2="+model(t, "narrow"))
	if d := get[ServerMetadata](s, "/v2"); d.Name != "ctr" || d.Version != "test" || len(d.Extensions) != 2 {
		t.Errorf("%+v", d)
	}
	for path, want := range map[string]string{"/v2/health/live": `"live": true`, "/v2/health/ready": `"ready": true`, "/v2/models/m/ready": `"ready": true`, "/v2/models/m/versions/1/ready": `"ready": true`} {
		if a := s.do("GET", path, nil); a.code != 200 || !strings.Contains(a.body, want) {
			t.Errorf("%s: %d %s", path, a.code, a.body)
		}
	}
	if a := s.do("GET", "/v2/models/m/versions/3/ready", nil); a.code != 404 {
		t.Errorf("%d %s", a.code, a.body)
	}
	d := get[ModelMetadata](s, "/v2/models/m/versions/1")
	var text strings.Builder
	for _, x := range append(d.Inputs, d.Outputs...) {
		fmt.Fprintf(&text, "%s %s %v %v\n", x.Name, x.Datatype, x.Shape, x.Parameters)
	}
	want := `hour BYTES [-1] map[content_type:str]
site BYTES [-1] map[content_type:str]
device BYTES [-1] map[content_type:str]
price FP64 [-1] map[]
age FP64 [-1] map[]
request_id BYTES [-1] map[content_type:str optional:true]
bought INT64 [-1] map[optional:true]
probability FP64 [-1] map[]
prediction INT64 [-1] map[]
id BYTES [-1] map[content_type:str]
`
	if text.String() != want || d.Name != "m" || !reflect.DeepEqual(d.Versions, []string{"1", "2"}) || d.Platform != "ctr_lr" {
		t.Errorf("%+v\n%s", d, text.String())
	}
	if d := get[ModelMetadata](s, "/v2/models/m"); d.Inputs[0].Name != "site" || len(d.Inputs) != 3 {
		t.Errorf("%+v", d)
	}
	a := s.post("/v2/repository/index", jsonKind, "")
	var index []IndexedModel
	if err := json.Unmarshal([]byte(a.body), &index); err != nil || len(index) != 2 || index[1] != (IndexedModel{"m", "2", "READY", ""}) {
		t.Errorf("%d %s %v", a.code, a.body, err)
	}
	s.Drain()
	if a := s.do("GET", "/v2/health/ready", nil); a.code != 503 {
		t.Errorf("%d %s", a.code, a.body)
	}
	if a := s.do("GET", "/v2/health/live", nil); a.code != 200 {
		t.Errorf("%d %s", a.code, a.body)
	}
}

// A request of one row costs a few allocations, whatever its columns.
func TestInferAllocations(t *testing.T) {
	s, err := newServer(Options{Registry: registry(t, nil, model(t, "lr"))})
	if err != nil {
		t.Fatal(err)
	}
	m := s.o.Registry.Default()
	body := []byte(`{"id":"1","inputs":[` + columns(shopRows(1, 1)) + `],"outputs":[{"name":"probability"}]}`)
	var out []byte
	n := testing.AllocsPerRun(200, func() {
		q := newInference(limits{10, 1000})
		if f := q.rest(nil, body); f != nil {
			t.Fatal(f)
		}
		r := m.Get()
		if f := s.scoreInference(m, r, q); f != nil {
			t.Fatal(f)
		}
		out, _ = q.appendAnswer(out[:0], m, r)
		m.Put(r)
		q.free()
	})
	if !strings.Contains(string(out), `"data":[0.`) {
		t.Errorf("%s", out)
	}
	if n > 0 && !race.Enabled {
		t.Errorf("%v allocations, want 0", n)
	}
}

func BenchmarkInfer(b *testing.B) {
	s, err := newServer(Options{Registry: registry(b, nil, model(b, "lr"))})
	if err != nil {
		b.Fatal(err)
	}
	body := `{"inputs":[` + columns(shopRows(1, 1)) + `]}`
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		w := httptest.NewRecorder()
		s.http.Handler.ServeHTTP(w, httptest.NewRequest("POST", "/v2/models/lr/infer", strings.NewReader(body)))
		if w.Code != 200 {
			b.Fatal(w.Body)
		}
	}
}
