package infer

import (
	"bytes"
	"fmt"

	"ctr/features"
)

// scanner reads JSON (RFC 8259) strictly, in one go and without a tree: an
// object or array is gone through by
//
//	for ok := s.open('{', '}'); ok; ok = s.more('}') { key := s.key(); … }
//
// Its first fault stays: after it every method fails at once. What it takes and
// refuses is what encoding/json does (FuzzScanner), but that values may lie in
// each other mostDepth deep only.
type scanner struct {
	src   []byte
	at    int
	fault *fault
}

// mostDepth is how deep values may lie in each other.
const mostDepth = 16

func (s *scanner) fail(format string, a ...any) {
	if s.fault == nil {
		s.fault = badRequest("JSON byte %d: %s", s.at+1, fmt.Sprintf(format, a...))
	}
	s.at = len(s.src)
}

// next gives the next byte that is no white space, 0 at the end.
func (s *scanner) next() byte {
	for s.at < len(s.src) {
		c := s.src[s.at]
		if c > ' ' || c != ' ' && c != '\n' && c != '\t' && c != '\r' {
			return c
		}
		s.at++
	}
	return 0
}

// end wants nothing more.
func (s *scanner) end() {
	if s.next(); s.fault == nil && s.at < len(s.src) {
		s.fail("text after the end")
	}
}

// open goes past begin and reports whether something comes before end; where
// nothing does, it goes past that too.
func (s *scanner) open(begin, end byte) bool {
	if s.next() != begin {
		s.fail("want %q", begin)
		return false
	}
	s.at++
	if s.next() == end {
		s.at++
		return false
	}
	return true
}

// more goes past a comma and gives true, or past end and gives false.
func (s *scanner) more(end byte) bool {
	switch s.next() {
	case ',':
		s.at++
		return true
	case end:
		s.at++
	default:
		s.fail("want a comma or %q", end)
	}
	return false
}

// key goes past a key and its colon.
func (s *scanner) key() []byte {
	k := s.str()
	if s.next() != ':' {
		s.fail("want a colon")
		return nil
	}
	s.at++
	return k
}

// str gives the text of a string: a piece of src where it has no escapes. It is
// nil after a fault alone.
func (s *scanner) str() []byte {
	begin, end, plain := s.quoted()
	if s.fault != nil {
		return nil
	}
	if plain {
		return s.src[begin:end:end]
	}
	text, bad, msg := features.AppendJSONText([]byte{}, s.src[begin:end])
	if msg != "" {
		s.at = begin + bad
		s.fail("%s", msg)
		return nil
	}
	return text
}

// quoted goes past a string and says where in src it lies, without its quotes;
// plain says that there are no escapes. What stands behind a backslash is for
// AppendJSONText to judge.
func (s *scanner) quoted() (begin, end int, plain bool) {
	if s.next() != '"' {
		s.fail("want a string")
		return 0, 0, false
	}
	src := s.src
	begin, plain = s.at+1, true
	for at := begin; at < len(src); at++ {
		c := src[at]
		if c > '\\' || c != '"' && c != '\\' && c >= ' ' {
			continue
		}
		switch c {
		case '"':
			s.at = at + 1
			return begin, at, plain
		case '\\':
			plain = false
			at++
		default:
			s.at = at
			s.fail("a control character in a string: want it escaped")
			return 0, 0, false
		}
	}
	s.fail("a string without an end")
	return 0, 0, false
}

// number goes past a number; whole says that it has neither a fraction nor an
// exponent.
func (s *scanner) number() (whole bool) {
	src, at := s.src, s.at
	digits := func() bool {
		from := at
		for at < len(src) && src[at]-'0' <= 9 {
			at++
		}
		return at > from
	}
	if at < len(src) && src[at] == '-' {
		at++
	}
	ok := true
	if at < len(src) && src[at] == '0' {
		at++
	} else {
		ok = digits()
	}
	whole = true
	if ok && at < len(src) && src[at] == '.' {
		at++
		ok, whole = digits(), false
	}
	if ok && at < len(src) && src[at]|0x20 == 'e' {
		if at++; at < len(src) && (src[at] == '+' || src[at] == '-') {
			at++
		}
		ok, whole = digits(), false
	}
	if !ok {
		s.at = at
		s.fail("want a digit")
		return false
	}
	s.at = at
	return whole
}

// count reads a whole number from 0 to most.
func (s *scanner) count(most int64) int64 {
	if s.next(); s.at == len(s.src) || s.src[s.at]-'0' > 9 {
		s.fail("want a whole number")
		return 0
	}
	begin := s.at
	if whole := s.number(); !whole {
		s.fail("want a whole number")
		return 0
	}
	n := int64(0)
	for _, c := range s.src[begin:s.at] {
		if n = n*10 + int64(c-'0'); n > most {
			s.fail("want %d at most", most)
			return 0
		}
	}
	return n
}

// truth reads true or false.
func (s *scanner) truth() bool {
	switch s.next() {
	case 't':
		s.word("true")
		return true
	case 'f':
		s.word("false")
	default:
		s.fail("want true or false")
	}
	return false
}

// null goes past a null if one comes next.
func (s *scanner) null() bool {
	if s.next() != 'n' {
		return false
	}
	s.word("null")
	return s.fault == nil
}

// word goes past w.
func (s *scanner) word(w string) {
	if !bytes.HasPrefix(s.src[s.at:], []byte(w)) {
		s.fail("want a value")
		return
	}
	s.at += len(w)
}

// skip goes past any value.
func (s *scanner) skip(depth int) {
	switch c := s.next(); {
	case s.fault != nil:
	case c == '{' || c == '[':
		if depth == mostDepth {
			s.fail("too deep: want %d levels at most", mostDepth)
			return
		}
		end := c + 2 // ']' and '}' both are
		for ok := s.open(c, end); ok; ok = s.more(end) {
			if c == '{' {
				s.key()
			}
			s.skip(depth + 1)
		}
	case c == '"':
		s.str()
	case c == 't' || c == 'f':
		s.truth()
	case c == 'n':
		s.null()
	case c == '-' || c-'0' <= 9:
		s.number()
	default:
		s.fail("want a value")
	}
}
