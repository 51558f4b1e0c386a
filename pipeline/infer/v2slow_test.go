package infer

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// readSlow is the simple twin of inference.rest: it builds a tree by
// encoding/json and says of each input what its values are ("-" for null, else
// the text in quotes), and what was asked for.
func readSlow(body []byte, header string, l limits) (string, error) {
	length := len(body)
	if header != "" {
		n, err := strconv.ParseUint(header, 10, 63)
		if err != nil || n > uint64(length) {
			return "", errors.New("header")
		}
		length = int(n)
	}
	if !json.Valid(body[:length]) {
		return "", errors.New("no JSON")
	}
	d := json.NewDecoder(bytes.NewReader(body[:length]))
	d.UseNumber()
	v, err := slowValue(d, 0)
	if err != nil {
		return "", err
	}
	top, ok := v.(tree)
	if !ok {
		return "", errors.New("no tree")
	}
	s := slow{rest: body[length:], limits: l}
	for _, key := range []string{"id", "inputs", "outputs", "parameters"} {
		if top.count(key) > 1 {
			return "", errors.New("twice")
		}
	}
	inputs, ok := top.get("inputs").([]any)
	if !ok {
		return "", errors.New("inputs")
	}
	s.text = fmt.Sprintf("id %s\n", slowText(top.get("id")))
	if id := top.get("id"); id != nil {
		if _, ok := id.(string); !ok {
			return "", errors.New("id")
		}
	}
	if err := s.outputs(top); err != nil {
		return "", err
	}
	for _, in := range inputs {
		if err := s.input(in); err != nil {
			return "", err
		}
	}
	if len(s.rest) > 0 {
		return "", errors.New("more behind")
	}
	return s.text, nil
}

type member struct {
	key   string
	value any
}

type tree []member

func (o tree) get(key string) any {
	for _, m := range o {
		if m.key == key {
			return m.value
		}
	}
	return nil
}

func (o tree) count(key string) (n int) {
	for _, m := range o {
		if m.key == key {
			n++
		}
	}
	return n
}

// slowValue gives a value: nil, bool, string, json.Number, []any or tree.
func slowValue(d *json.Decoder, depth int) (any, error) {
	t, err := d.Token()
	if err != nil {
		return nil, err
	}
	open, ok := t.(json.Delim)
	if !ok {
		return t, nil
	}
	if depth >= mostDepth {
		return nil, errors.New("deep")
	}
	if open == '[' {
		list := []any{}
		for d.More() {
			v, err := slowValue(d, depth+1)
			if err != nil {
				return nil, err
			}
			list = append(list, v)
		}
		_, err = d.Token()
		return list, err
	}
	o := tree{}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return nil, err
		}
		v, err := slowValue(d, depth+1)
		if err != nil {
			return nil, err
		}
		o = append(o, member{key.(string), v})
	}
	_, err = d.Token()
	return o, err
}

type slow struct {
	limits limits
	rest   []byte
	text   string
}

func slowText(v any) string {
	switch v := v.(type) {
	case nil:
		return "-"
	case string:
		return strconv.Quote(v)
	case bool:
		return strconv.Quote(strconv.FormatBool(v))
	case json.Number:
		return strconv.Quote(v.String())
	}
	return "?"
}

// parameters gives an tree that may be null.
func (o tree) parameters(key string) (tree, error) {
	switch p := o.get(key).(type) {
	case nil:
		return nil, nil
	case tree:
		return p, nil
	}
	return nil, errors.New(key)
}

func (s *slow) outputs(top tree) error {
	p, err := top.parameters("parameters")
	if err != nil {
		return err
	}
	all := false
	for _, m := range p {
		if m.key == "binary_data_output" {
			var ok bool
			if all, ok = m.value.(bool); !ok {
				return errors.New(m.key)
			}
		}
	}
	var list []any
	if v := top.get("outputs"); v != nil {
		var ok bool
		if list, ok = v.([]any); !ok {
			return errors.New("outputs")
		}
	}
	asked := map[string]string{}
	for _, v := range list {
		o, ok := v.(tree)
		if !ok || o.count("name") != 1 || o.count("parameters") > 1 {
			return errors.New("output")
		}
		name, ok := o.get("name").(string)
		if !ok || name != "probability" && name != "prediction" && name != "id" || asked[name] != "" {
			return errors.New("output's name")
		}
		p, err := o.parameters("parameters")
		if err != nil {
			return err
		}
		how := fmt.Sprint(all)
		for _, m := range p {
			switch m.key {
			case "binary_data":
				binary, ok := m.value.(bool)
				if !ok {
					return errors.New(m.key)
				}
				how = fmt.Sprint(binary)
			case "classification", "shared_memory_region":
				return errors.New(m.key)
			}
		}
		asked[name] = how
	}
	for _, name := range []string{"probability", "prediction", "id"} {
		s.text += fmt.Sprintf("%s %s\n", name, asked[name])
	}
	return nil
}

func (s *slow) input(v any) error {
	o, ok := v.(tree)
	if !ok {
		return errors.New("input")
	}
	for _, key := range []string{"name", "datatype", "shape", "data", "parameters"} {
		if o.count(key) > 1 {
			return errors.New("twice")
		}
	}
	name, ok := o.get("name").(string)
	kind, ok2 := o.get("datatype").(string)
	shape, ok3 := o.get("shape").([]any)
	if !ok || !ok2 || !ok3 {
		return errors.New("members of an input")
	}
	at := strings.Index(" BOOL INT8 INT16 INT32 INT64 UINT8 UINT16 UINT32 UINT64 FP16 FP32 FP64 BYTES ", " "+kind+" ")
	if at < 0 || kind == "" || strings.Contains(kind, " ") {
		return errors.New("datatype")
	}
	if len(shape) == 0 || len(shape) > 2 || len(shape) == 2 && shape[1] != json.Number("1") {
		return errors.New("shape")
	}
	digits, _ := shape[0].(json.Number)
	n, err := strconv.ParseInt(digits.String(), 10, 64)
	if err != nil || n < 0 || n > 1<<31 || digits[0] == '-' {
		return errors.New("shape")
	}
	p, err := o.parameters("parameters")
	if err != nil {
		return err
	}
	size, in64 := int64(-1), false
	for _, m := range p {
		switch m.key {
		case "binary_data_size":
			digits, _ := m.value.(json.Number)
			if size, err = strconv.ParseInt(digits.String(), 10, 64); err != nil || size > 1<<40 || digits[0] == '-' {
				return errors.New(m.key)
			}
		case "content_type":
			if t, ok := m.value.(string); ok {
				in64 = t == "base64"
			}
		case "shared_memory_region":
			return errors.New(m.key)
		}
	}
	if (o.count("data") == 1) == (size >= 0) {
		return errors.New("data or binary data")
	}
	var values []string
	if size >= 0 {
		if size > int64(len(s.rest)) {
			return errors.New("binary data")
		}
		values, err = slowBinary(kind, s.rest[:size])
		s.rest = s.rest[size:]
	} else {
		values, err = slowData(kind, o.get("data"))
	}
	if err != nil {
		return err
	}
	if len(values) > s.limits.rows || int64(len(values)) != n {
		return errors.New("rows")
	}
	s.text += fmt.Sprintf("%q", name)
	for _, v := range values {
		if in64 && kind == "BYTES" && v != "-" {
			text, _ := strconv.Unquote(v)
			b, err := base64.StdEncoding.DecodeString(text)
			if err != nil {
				return err
			}
			v = strconv.Quote(string(b))
		}
		s.text += " " + v
	}
	s.text += "\n"
	return nil
}

func slowData(kind string, data any) ([]string, error) {
	list, ok := data.([]any)
	if !ok {
		return nil, errors.New("data")
	}
	var values []string
	nested := false
	for i, v := range list {
		inner, ok := v.([]any)
		if i == 0 {
			nested = ok
		}
		if ok != nested || ok && len(inner) != 1 {
			return nil, errors.New("nested")
		}
		if ok {
			v = inner[0]
		}
		if v == nil {
			values = append(values, "-")
			continue
		}
		bits, err := strconv.Atoi(strings.TrimLeft(kind, "UINTFPBYESOL"))
		switch v := v.(type) {
		case string:
			ok = kind == "BYTES"
		case bool:
			ok = kind == "BOOL"
		case json.Number:
			switch {
			case strings.HasPrefix(kind, "FP"):
				ok = true
			case strings.HasPrefix(kind, "INT"):
				_, err = strconv.ParseInt(v.String(), 10, bits)
				ok = err == nil
			case strings.HasPrefix(kind, "UINT"):
				_, err = strconv.ParseUint(v.String(), 10, bits)
				ok = err == nil
			default:
				ok = false
			}
		default:
			ok = false
		}
		if !ok {
			return nil, errors.New("value")
		}
		values = append(values, slowText(v))
	}
	return values, nil
}

// slowBinary gives the elements of a binary tensor by fmt and strconv alone.
func slowBinary(kind string, b []byte) (values []string, err error) {
	r := bytes.NewReader(b)
	for r.Len() > 0 {
		v, err := slowElement(kind, r)
		if err != nil {
			return nil, err
		}
		values = append(values, v)
	}
	return values, nil
}

func number(b []byte) (x uint64) {
	for i, c := range b {
		x |= uint64(c) << (8 * i)
	}
	return x
}

func take(r *bytes.Reader, n int) ([]byte, error) {
	if n > r.Len() {
		return nil, io.ErrUnexpectedEOF
	}
	b := make([]byte, n)
	_, err := io.ReadFull(r, b)
	return b, err
}
