package infer

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// scanner reads JSON (RFC 8259) strictly, in one go. Its first fault stays: after
// it all methods give nothing.
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
	if s.at = skipSpace(s.src, s.at); s.at < len(s.src) {
		return s.src[s.at]
	}
	return 0
}

// take goes past c if it comes next.
func (s *scanner) take(c byte) bool {
	if s.next() != c {
		return false
	}
	s.at++
	return true
}

func (s *scanner) want(c byte) {
	if s.fault == nil && !s.take(c) {
		s.fail("want %q", c)
	}
}

// end wants nothing more.
func (s *scanner) end() {
	if s.fault == nil && s.next() != 0 {
		s.fail("text after the end")
	}
}

// object calls member for each key of an object, which goes past its value. The
// key is valid until then.
func (s *scanner) object(member func(key []byte)) {
	s.want('{')
	if s.fault != nil || s.take('}') {
		return
	}
	for s.fault == nil {
		key := s.str()
		s.want(':')
		if s.fault != nil {
			return
		}
		member(key)
		if !s.take(',') {
			s.want('}')
			return
		}
	}
}

// array calls element for each element of an array, which goes past it.
func (s *scanner) array(element func()) {
	s.want('[')
	if s.fault != nil || s.take(']') {
		return
	}
	for s.fault == nil {
		element()
		if s.fault == nil && !s.take(',') {
			s.want(']')
			return
		}
	}
}

// str gives the text of a string: a piece of src where it has no escapes.
func (s *scanner) str() []byte {
	if s.fault != nil {
		return nil
	}
	raw, plain := s.rawString()
	if s.fault != nil || plain {
		return raw
	}
	return s.unescape(raw)
}

// rawString goes past a string and gives what is between its quotes; plain says
// that there are no escapes.
func (s *scanner) rawString() (raw []byte, plain bool) {
	if s.next() != '"' {
		s.fail("want a string")
		return nil, false
	}
	begin := s.at + 1
	plain = true
	for at := begin; at < len(s.src); at++ {
		switch c := s.src[at]; {
		case c == '"':
			s.at = at + 1
			return s.src[begin:at], plain
		case c == '\\':
			plain = false
			at++
		case c < ' ':
			s.at = at
			s.fail("a control character in a string: want it escaped")
			return nil, false
		}
	}
	s.fail("a string without an end")
	return nil, false
}

// unescape is the slow way, for the few strings that have escapes.
func (s *scanner) unescape(raw []byte) []byte {
	var text string
	quoted := append(append([]byte{'"'}, raw...), '"')
	if err := json.Unmarshal(quoted, &text); err != nil {
		s.fail("string: %v", err)
		return nil
	}
	return []byte(text)
}

// number goes past a number and gives its literal.
func (s *scanner) number() []byte {
	s.next()
	begin, at := s.at, s.at
	digits := func() bool {
		from := at
		for at < len(s.src) && s.src[at] >= '0' && s.src[at] <= '9' {
			at++
		}
		return at > from
	}
	is := func(set string) bool { return at < len(s.src) && bytes.IndexByte([]byte(set), s.src[at]) >= 0 }
	if is("-") {
		at++
	}
	zero := is("0")
	from := at
	ok := digits() && !(zero && at > from+1)
	if ok && is(".") {
		at++
		ok = digits()
	}
	if ok && is("eE") {
		if at++; is("+-") {
			at++
		}
		ok = digits()
	}
	if !ok {
		s.fail("want a number")
		return nil
	}
	s.at = at
	return s.src[begin:at]
}

// word goes past w.
func (s *scanner) word(w string) []byte {
	if !bytes.HasPrefix(s.src[s.at:], []byte(w)) {
		s.fail("want a value")
		return nil
	}
	s.at += len(w)
	return s.src[s.at-len(w) : s.at]
}

// skip goes past any value and gives its text.
func (s *scanner) skip(depth int) []byte {
	c := s.next()
	begin := s.at
	switch {
	case s.fault != nil:
		return nil
	case depth >= mostDepth:
		s.fail("too deep: want %d levels at most", mostDepth)
	case c == '{':
		s.object(func([]byte) { s.skip(depth + 1) })
	case c == '[':
		s.array(func() { s.skip(depth + 1) })
	default:
		s.scalar()
	}
	if s.fault != nil {
		return nil
	}
	return s.src[begin:s.at]
}

// scalar goes past a value that is no object and no array, and gives the text
// that a row has for it: a string's, unescaped, and else the literal. null is
// nil.
func (s *scanner) scalar() []byte {
	switch s.next() {
	case '"':
		return s.str()
	case 't':
		return s.word("true")
	case 'f':
		return s.word("false")
	case 'n':
		s.word("null")
		return nil
	default:
		return s.number()
	}
}
