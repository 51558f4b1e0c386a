package boosters

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
)

// flag is true or false, or 1 or 0.
type flag bool

// UnmarshalJSON reads either form.
func (f *flag) UnmarshalJSON(b []byte) error {
	switch string(b) {
	case "1", "true":
		*f = true
	case "0", "false":
		*f = false
	default:
		return fmt.Errorf("%s: want 0 or 1", short(string(b)))
	}
	return nil
}

// elements calls do for every element of a JSON list, which must be valid. It
// makes nothing of them, so that a list of very many takes no memory.
func elements(list []byte, do func(i int, element []byte) error) error {
	list = bytes.TrimSpace(list)
	if len(list) < 2 || list[0] != '[' {
		return fmt.Errorf("%s: want a list", short(string(list[:min(len(list), 41)])))
	}
	n, from, depth, quoted := 0, 1, 0, false
	for i := 1; i < len(list); i++ {
		c := list[i]
		switch {
		case quoted:
			if c == '\\' {
				i++
			}
			quoted = c != '"'
		case c == '"':
			quoted = true
		case c == '[' || c == '{':
			depth++
		case depth == 0 && (c == ',' || c == ']'):
			e := bytes.TrimSpace(list[from:i])
			if c == ']' && n == 0 && len(e) == 0 {
				return nil
			}
			if err := do(n, e); err != nil {
				return err
			}
			n, from = n+1, i+1
		case c == ']' || c == '}':
			depth--
		}
	}
	return nil
}

// values are the values of categories, in order: a JSON list, or texts one
// after the other and where each ends.
type values struct {
	list    []byte
	text    []byte
	offsets []int64
}

// each calls do with the texts that stand for each category.
func (v *values) each(do func(category int, texts ...string) error) error {
	for i := range v.offsets {
		if i == 0 {
			continue
		}
		from, end := v.offsets[i-1], v.offsets[i]
		if from < 0 || end < from || end > int64(len(v.text)) {
			return fmt.Errorf("categories: offsets %d … %d: want a rise within %d", from, end, len(v.text))
		}
		if err := do(i-1, string(v.text[from:end])); err != nil {
			return err
		}
	}
	if v.list == nil {
		return nil
	}
	return elements(v.list, func(i int, element []byte) error {
		if len(element) == 0 || element[0] == '{' || element[0] == '[' || element[0] == 'n' {
			return fmt.Errorf("category %d: %s: want a text or a number", i, short(string(element[:min(len(element), 41)])))
		}
		return do(i, scalar(element).texts()...)
	})
}

// scalar is the value of a category, as JSON has it: a text, a number, or true
// or false.
type scalar string

// texts gives the texts that stand for s in rows: a number without a fraction
// with and without one, a truth as Python and as others write it.
func (s scalar) texts() []string {
	switch {
	case s == "true":
		return []string{"True", "true"}
	case s == "false":
		return []string{"False", "false"}
	case s != "" && s[0] == '"':
		var text string
		if err := json.Unmarshal([]byte(s), &text); err != nil {
			return []string{string(s)}
		}
		return []string{text}
	}
	x, err := strconv.ParseFloat(string(s), 64)
	if err != nil || x != math.Trunc(x) || math.Abs(x) >= 1<<53 {
		return []string{string(s)}
	}
	whole := strconv.FormatFloat(x, 'f', -1, 64)
	if _, err := strconv.ParseInt(string(s), 10, 64); err == nil {
		return []string{whole}
	}
	return []string{whole, whole + ".0"}
}
