package infer

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"
)

// readMessageSlow is the simple twin of inference.readMessage: protobuf's own
// reader. It gives the form of fast, behind the model.
func readMessageSlow(b []byte, l limits) (string, error) {
	m := dynamicpb.NewMessage(oip.Messages().ByName("ModelInferRequest"))
	if err := unmarshal(b, m); err != nil {
		return "", err
	}
	get := func(m protoreflect.Message, name string) protoreflect.Value {
		return m.Get(m.Descriptor().Fields().ByName(protoreflect.Name(name)))
	}
	odd := func(m protoreflect.Message) (bad bool, base64 bool) {
		get(m, "parameters").Map().Range(func(k protoreflect.MapKey, v protoreflect.Value) bool {
			bad = bad || k.String() == "shared_memory_region" || k.String() == "classification"
			base64 = base64 || k.String() == "content_type" && get(v.Message(), "string_param").String() == "base64"
			return true
		})
		return bad, base64
	}
	s := fmt.Sprintf("%q %q id %q\n", get(m, "model_name"), get(m, "model_version"), get(m, "id"))
	if bad, _ := odd(m); bad {
		return "", errors.New("parameters")
	}
	asked := map[string]bool{}
	list := get(m, "outputs").List()
	for i := range list.Len() {
		o := list.Get(i).Message()
		name := get(o, "name").String()
		if bad, _ := odd(o); bad || asked[name] || name != "probability" && name != "prediction" && name != "id" {
			return "", errors.New("output")
		}
		asked[name] = true
	}
	for _, name := range []string{"probability", "prediction", "id"} {
		s += fmt.Sprintf("%s %v\n", name, asked[name])
	}
	raw := get(m, "raw_input_contents").List()
	list = get(m, "inputs").List()
	if raw.Len() > 0 && raw.Len() != list.Len() {
		return "", errors.New("raw")
	}
	for i := range list.Len() {
		in := list.Get(i).Message()
		name, kind, shape := get(in, "name").String(), get(in, "datatype").String(), get(in, "shape").List()
		bad, base64 := odd(in)
		if bad || base64 || name == "" || shape.Len() == 0 || shape.Len() > 2 || shape.Len() == 2 && shape.Get(1).Int() != 1 {
			return "", errors.New("input")
		}
		field := map[string]string{
			"BOOL": "bool_contents", "INT8": "int_contents", "INT16": "int_contents", "INT32": "int_contents", "INT64": "int64_contents",
			"UINT8": "uint_contents", "UINT16": "uint_contents", "UINT32": "uint_contents", "UINT64": "uint64_contents",
			"FP16": "-", "FP32": "fp32_contents", "FP64": "fp64_contents", "BYTES": "bytes_contents",
		}[kind]
		if field == "" || field == "-" && raw.Len() == 0 {
			return "", errors.New("datatype")
		}
		var values []string
		var err error
		contents := get(in, "contents").Message()
		contents.Range(func(f protoreflect.FieldDescriptor, v protoreflect.Value) bool {
			if raw.Len() > 0 || string(f.Name()) != field {
				err = errors.New("contents")
				return false
			}
			for k := range v.List().Len() {
				values = append(values, slowContent(kind, v.List().Get(k), &err))
			}
			return true
		})
		if raw.Len() > 0 && err == nil {
			values, err = slowBinary(kind, raw.Get(i).Bytes())
		}
		if err != nil || len(values) > l.rows || int64(len(values)) != shape.Get(0).Int() {
			return "", errors.New("values")
		}
		for _, v := range values {
			if len(v) > l.bytes {
				return "", errors.New("long")
			}
		}
		s += strings.Join(append([]string{strconv.Quote(name)}, values...), " ") + "\n"
	}
	return s, nil
}

// errReaderPanics: protobuf's own reader has no answer. It loses a map's key
// that is followed by a key of another wire type, and panics.
var errReaderPanics = errors.New("protobuf's reader panics")

func unmarshal(b []byte, m proto.Message) (err error) {
	defer func() {
		if p := recover(); p != nil {
			if !strings.HasSuffix(fmt.Sprint(p), "cannot convert nil to map key") {
				panic(p)
			}
			err = errReaderPanics
		}
	}()
	return proto.Unmarshal(b, m)
}

func slowContent(kind string, v protoreflect.Value, err *error) string {
	text := v.String()
	switch kind {
	case "FP32":
		return slowNumber(v.Float(), 32)
	case "FP64":
		return slowNumber(v.Float(), 64)
	case "BYTES":
		text = string(v.Bytes())
	case "INT8", "INT16":
		bits, _ := strconv.Atoi(kind[3:])
		if _, e := strconv.ParseInt(text, 10, bits); e != nil {
			*err = e
		}
	case "UINT8", "UINT16":
		bits, _ := strconv.Atoi(kind[4:])
		if _, e := strconv.ParseUint(text, 10, bits); e != nil {
			*err = e
		}
	}
	return strconv.Quote(text)
}

// FuzzInferRequest holds the reader of messages to protobuf's.
func FuzzInferRequest(f *testing.F) {
	add := func(text string) {
		b, err := proto.Marshal(message(f, "ModelInferRequest", text))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	add(`model_name: "m" model_version: "1" id: "x" ` + inputs(shopRows(2, 1), false))
	add(`model_name: "m" outputs { name: "id" } outputs { name: "prediction" } ` + inputs(shopRows(2, 1), true))
	add(`inputs { name: "a" datatype: "FP32" shape: [2, 1] contents { fp32_contents: [1.5, nan] } }`)
	add(`inputs { name: "a" datatype: "BOOL" shape: 2 contents { bool_contents: [true, false] } } parameters { key: "p" value { double_param: 2 } }`)
	add(`inputs { name: "a" datatype: "UINT16" shape: 2 contents { uint_contents: [1, 70000] } }`)
	add(`inputs { name: "a" datatype: "INT64" shape: 1 contents { int64_contents: -5 } parameters { key: "x" value { bool_param: true } } }`)
	add(`inputs { name: "a" datatype: "UINT64" shape: 1 contents { uint64_contents: 18446744073709551615 } }`)
	f.Add([]byte("\x2a\x13\x0a\x01a\x12\x05INT32\x18\x01\x2a\x04\x10\x01\x10\x02")) // not packed
	f.Add([]byte("\x0a\x02\xff\xfe"))
	f.Add([]byte("\x0b\x0c\x3a\x00"))
	f.Add([]byte("\"\a\n\x01000\b0"))   // a parameter with its name twice, once as a number
	f.Add([]byte("\xb0\xe6\xe6\xe60v")) // a field number beyond what protobuf has
	l := limits{rows: 5, bytes: 1000}
	f.Fuzz(func(t *testing.T, b []byte) {
		if strings.Contains(string(b), "base64") || len(b) > 900 {
			return
		}
		want, err := readMessageSlow(b, l)
		q := newInference(l)
		defer q.free()
		fault := q.readMessage(b)
		if errors.Is(err, errReaderPanics) {
			return
		}
		if (fault == nil) != (err == nil) {
			t.Fatalf("%q: %v, want %v", b, fault, err)
		}
		if fault != nil {
			return
		}
		got := fmt.Sprintf("%q %q id %q\n", q.model, q.version, q.id)
		for o := probability; o <= ids; o <<= 1 {
			got += fmt.Sprintf("%s %v\n", o.name(), q.asked&o != 0)
		}
		for _, in := range q.inputs {
			got += strconv.Quote(string(in.name))
			for _, v := range q.values[in.from:in.to] {
				got += fmt.Sprintf(" %q", q.text(v))
			}
			got += "\n"
		}
		if got != want {
			t.Fatalf("%q:\n%s\nwant\n%s", b, got, want)
		}
	})
}
