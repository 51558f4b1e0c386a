package boosters

import (
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

// scalar is the value of a category, as JSON has it: a text, a number, or true
// or false.
type scalar string

// UnmarshalJSON keeps b.
func (s *scalar) UnmarshalJSON(b []byte) error {
	if len(b) == 0 || b[0] == '{' || b[0] == '[' {
		return fmt.Errorf("category %s: want a text or a number", short(string(b)))
	}
	*s = scalar(b)
	return nil
}

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
