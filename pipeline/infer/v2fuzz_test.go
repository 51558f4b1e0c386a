package infer

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"
)

// fast gives what inference.rest has made of a request in the form of readSlow.
func fast(q *inference) string {
	s := "id -\n"
	if q.id != nil {
		s = fmt.Sprintf("id %q\n", q.id)
	}
	for o := probability; o <= ids; o <<= 1 {
		how := ""
		if q.asked&o != 0 {
			how = fmt.Sprint(q.inBinary()&o != 0)
		}
		s += fmt.Sprintf("%s %s\n", o.name(), how)
	}
	for _, t := range q.inputs {
		s += fmt.Sprintf("%q", t.name)
		for _, v := range q.values[t.from:t.to] {
			if v.kind() == kindNull {
				s += " -"
			} else {
				s += fmt.Sprintf(" %q", q.text(v))
			}
		}
		s += "\n"
	}
	return s
}

var anInfer = `{"id":"7","inputs":[{"name":"site","shape":[2],"datatype":"BYTES","data":["s1","s\u0032\\"]},` +
	`{"name":"hour","shape":[2,1],"datatype":"INT32","data":[[14102100],[null]]},` +
	`{"parameters":{"content_type":"base64"},"data":["czE=",null],"shape":[2],"datatype":"BYTES","name":"device"},` +
	`{"name":"price","shape":[2],"datatype":"FP64","data":[-1.50e3,12]},{"name":"ok","shape":[2],"datatype":"BOOL","data":[true,false]}],` +
	`"outputs":[{"name":"probability"},{"name":"id","parameters":{"binary_data":true}}],"parameters":{"binary_data_output":false},"x":{"y":[{}]}}`

const binaryInfer = `{"inputs":[{"name":"site","shape":[2],"datatype":"BYTES","parameters":{"binary_data_size":11}},` +
	`{"name":"price","shape":[1],"datatype":"FP32","parameters":{"binary_data_size":4}}]}`

// FuzzInfer holds the reader of requests to its simple twin.
func FuzzInfer(f *testing.F) {
	add := func(json, binary, header string) { f.Add([]byte(json+binary), header) }
	add(anInfer, "", "")
	binary := "\x02\x00\x00\x00s1\x01\x00\x00\x00s\x00\x00\xc0\x3f"
	add(binaryInfer, binary, strconv.Itoa(len(binaryInfer)))
	add(binaryInfer, binary[1:], strconv.Itoa(len(binaryInfer)))
	for _, part := range []string{
		`"data":[1,2]`, `"data":[[1],[2]]`, `"data":[[1],2]`, `"data":[[1,2]]`, `"data":[1,]`, `"data":[-0,0.0]`, `"data":[1e5,01]`,
		`"data":["a","b"]`, `"data":[[],[]]`, `"data":[300,-129]`, `"data":[true,null]`, `"data":1`, `"data":[]`, `"data":[1,2],"data":[1,2]`,
	} {
		for _, kind := range []string{"BYTES", "INT8", "UINT64", "FP32", "BOOL", "INT"} {
			add(`{"inputs":[{"name":"a","datatype":"`+kind+`","shape":[2],`+part+`}]}`, "", "")
		}
	}
	for _, shape := range []string{"[]", "[2,1]", "[2,1,1]", "[-2]", "[2.0]", "2", "[99999999999]", "[0]", "[2,2]", "[1,2]"} {
		add(`{"inputs":[{"name":"a","datatype":"INT8","shape":`+shape+`,"data":[1,2]}]}`, "", "")
	}
	for _, text := range []string{`{}`, "{}\x00", `{"inputs":[]}`, `{"inputs":null}`, `{"id":null,"inputs":[],"outputs":null,"parameters":null}`, `[]`, "", `{"inputs":[]}x`,
		`{"inputs":[],"x":` + strings.Repeat("[", 15) + strings.Repeat("]", 15) + `}`, `{"inputs":[],"x":` + strings.Repeat("[", 16) + strings.Repeat("]", 16) + `}`,
		`{"id":5,"inputs":[]}`, `{"inputs":[],"outputs":[{"name":"x"}]}`, `{"inputs":[],"x":"\q"}`, `{"inputs":[],"x":-}`, "{\"inputs\":[],\"x\":\"\x01\"}"} {
		add(text, "", "")
	}
	l := limits{rows: 5, bytes: 1000}
	f.Fuzz(func(t *testing.T, body []byte, header string) {
		if !utf8.Valid(body) && header == "" || bytes.Contains(bytes.ToLower(body), []byte(`\ud`)) {
			return // strings that need not be UTF-8: see TestInferBytes
		}
		want, err := readSlow(body, header, l)
		q := newInference(l)
		defer q.free()
		h := map[string][]string{}
		if header != "" {
			h[headerLength] = []string{header}
			if n, err := strconv.Atoi(header); err == nil && n >= 0 && n <= len(body) && !utf8.Valid(body[:n]) {
				return
			}
		}
		fault := q.rest(h, body)
		switch {
		case (fault == nil) != (err == nil):
			t.Fatalf("%q %q: %v, want %v", header, body, fault, err)
		case fault != nil && fault.status != 400 && fault.status != 413:
			t.Fatalf("%q: %d %v", body, fault.status, fault)
		case fault == nil && fast(q) != want:
			t.Fatalf("%q:\n%s\nwant\n%s", body, fast(q), want)
		}
	})
}
