package features

import (
	"encoding/binary"
	"fmt"
	"math/bits"
)

// Append adds one record, JSON where its first byte but white space is '{'
// and separated fields otherwise.
func (b *Block) Append(record []byte, comma byte) {
	if at := skipSpace(record, 0); at < len(record) && record[at] == '{' {
		b.AppendJSON(record)
		return
	}
	b.AppendCSV(record, comma)
}

// AppendJSON adds one record, a flat JSON object (RFC 8259) whose keys are
// names of the layout; its bytes are copied. A string is its text, unescaped;
// a number its literal text; true and false are those words; null is empty,
// and so is a column without a key unless Need has it. Keys that the layout does not have are
// read past, but no value may be an object or an array. What is wrong with the
// record becomes the Err of its row: bad JSON, text after the object, one of
// the layout's keys twice, a NUL in a value.
//
// A value's bytes need not be UTF-8. They may be there as they are, or, for
// strict JSON, as Row.AppendJSON writes them: \udc80 … \udcff that belong to
// no pair are the bytes 0x80 … 0xff. Other lone surrogates become U+FFFD.
func (b *Block) AppendJSON(record []byte) {
	i, ok := b.appendRecord(record)
	if !ok {
		return
	}
	if b.keys == nil {
		b.nameKeys()
	}
	r := b.rows[i]
	p := jsonObject{b: b, src: b.data, at: int(r.start), end: int(r.end), out: b.bounds[i*b.width : (i+1)*b.width]}
	ok = p.read() && p.complete()
	b.pad()
	if ok {
		return
	}
	if p.column < 0 {
		p.msg = fmt.Sprintf("JSON byte %d: %s", p.at-int(r.start)+1, p.msg)
	}
	b.fail(i, p.column, nil, p.msg)
}

// jsonObject reads one object into the bounds of a row.
type jsonObject struct {
	b       *Block
	src     []byte // up to end, then eight bytes or more of anything
	at, end int
	out     []uint64 // 0 = no such key yet: no value begins at 0 of a text
	next    int      // the column expected, as most records keep the order
	msg     string   // what is wrong
	column  int      // with which column, -1 = with the JSON at at
}

// fault records what is wrong at p.at and gives false.
func (p *jsonObject) fault(msg string) bool {
	p.msg, p.column = msg, -1
	return false
}

// complete reports whether every column that is needed had a key.
func (p *jsonObject) complete() bool {
	for c, need := range p.b.need {
		if need && p.out[c] == 0 {
			p.msg, p.column = "not in the object: want it, null where there is no value", c
			return false
		}
	}
	return true
}

// byteAt gives the byte at p.at, 0 at the end of the record.
func (p *jsonObject) byteAt() byte {
	if p.at < p.end {
		return p.src[p.at]
	}
	return 0
}

func (p *jsonObject) space() { p.at = skipSpace(p.src[:p.end], p.at) }

func skipSpace(s []byte, at int) int {
	for at < len(s) && (s[at] == ' ' || s[at] == '\t' || s[at] == '\n' || s[at] == '\r') {
		at++
	}
	return at
}

func (p *jsonObject) read() bool {
	if p.space(); p.byteAt() != '{' {
		return p.fault("want an object")
	}
	p.at++
	if p.space(); p.byteAt() == '}' {
		p.at++
	} else if !p.members() {
		return false
	}
	if p.space(); p.at < p.end {
		return p.fault("text after the object")
	}
	return true
}

func (p *jsonObject) members() bool {
	for {
		if !p.member() {
			return false
		}
		p.space()
		switch p.byteAt() {
		case '}':
			p.at++
			return true
		case ',':
			p.at++
			p.space()
		default:
			return p.fault("want a comma or the end of the object")
		}
	}
}

// member reads a key and its value.
func (p *jsonObject) member() bool {
	if p.byteAt() != '"' {
		return p.fault("want a key in quotes")
	}
	column, ok := p.key()
	if !ok {
		return false
	}
	if p.space(); p.byteAt() != ':' {
		return p.fault("want a colon")
	}
	p.at++
	p.space()
	s, e, ok := p.value(column)
	if !ok || column < 0 {
		return ok
	}
	if p.out[column] != 0 {
		p.msg, p.column = "twice in the object: want it once", column
		return false
	}
	p.out[column] = bound(uint32(s), uint32(e))
	return true
}

// key reads a key and gives its column, or -1. Most records keep the order of
// the layout: then the text of the next name settles it.
func (p *jsonObject) key() (column int, ok bool) {
	b := p.b
	if p.next < b.width {
		name := b.quotedNames[p.next]
		if end := p.at + len(name); name != "" && end <= p.end && string(p.src[p.at:end]) == name {
			p.at = end
			p.next++
			return p.next - 1, true
		}
	}
	s, e, ok := p.str(false)
	if !ok {
		return 0, false
	}
	column, found := b.keys[string(b.data[s:e])]
	if !found {
		return -1, true
	}
	p.next = column + 1
	return column, true
}

// nameKeys prepares the names of the layout for the keys of objects: where
// each stands, and its text in JSON where that is the name in quotes. Unnamed
// columns have no key.
func (b *Block) nameKeys() {
	b.keys = make(map[string]int, b.width)
	b.quotedNames = make([]string, b.width)
	for i, name := range b.layout {
		if _, twice := b.keys[name]; twice || name == "" {
			continue
		}
		b.keys[name] = i
		if text := string(AppendJSONString(nil, name)); len(text) == len(name)+2 {
			b.quotedNames[i] = text
		}
	}
}

// value reads a value and gives where in data it lies. Unescaped copies of
// strings that no column wants are not kept.
func (p *jsonObject) value(column int) (s, e int, ok bool) {
	s = p.at
	switch c := p.byteAt(); {
	case c == '"':
		return p.str(column >= 0)
	case c == '-' || '0' <= c && c <= '9':
		ok = p.number()
		return s, p.at, ok
	case c == '{' || c == '[':
		p.fault("nested value: want a string, a number, true, false or null")
		if column >= 0 {
			p.column = column
		}
		return 0, 0, false
	case p.word("true"), p.word("false"):
		return s, p.at, true
	case p.word("null"):
		return s, s, true
	}
	return 0, 0, p.fault("want a value")
}

// word steps over w.
func (p *jsonObject) word(w string) bool {
	if p.end-p.at < len(w) || string(p.src[p.at:p.at+len(w)]) != w {
		return false
	}
	p.at += len(w)
	return true
}

// number steps over a number (RFC 8259, section 6).
func (p *jsonObject) number() bool {
	if p.byteAt() == '-' {
		p.at++
	}
	if p.byteAt() == '0' {
		p.at++
	} else if !p.digits() {
		return false
	}
	if p.byteAt() == '.' {
		p.at++
		if !p.digits() {
			return false
		}
	}
	if c := p.byteAt(); c == 'e' || c == 'E' {
		p.at++
		if c = p.byteAt(); c == '+' || c == '-' {
			p.at++
		}
		return p.digits()
	}
	return true
}

func (p *jsonObject) digits() bool {
	first := p.at
	for p.at < p.end && '0' <= p.src[p.at] && p.src[p.at] <= '9' {
		p.at++
	}
	return p.at > first || p.fault("want a digit")
}

// str reads a string and gives where in data its text lies: in place, or for
// one with escapes in a copy behind the text, which stays there where keep.
func (p *jsonObject) str(keep bool) (s, e int, ok bool) {
	p.at++
	s = p.at
	escaped := false
	for {
		p.at = plainEnd(p.src, p.at, p.end)
		switch p.byteAt() {
		case '"':
			e = p.at
			p.at++
			if escaped {
				return p.unescape(s, e, keep)
			}
			return s, e, true
		case '\\':
			escaped = true
			p.at += 2 // whatever follows is looked at by unescape
		default:
			if p.at >= p.end {
				p.at = p.end
				return 0, 0, p.fault("string without a closing quote")
			}
			return 0, 0, p.fault("control character in a string: want it escaped")
		}
	}
}

// plainEnd gives the first place from at on, before end, of a quote, a
// backslash or a control character; end or a little more where there is none.
// It reads eight bytes at once: the first match of a word is right (see ones).
func plainEnd(src []byte, at, end int) int {
	const high = ones << 7
	for ; at < end; at += 8 {
		x := binary.LittleEndian.Uint64(src[at:])
		q, s := x^ones*'"', x^ones*'\\'
		if m := ((q-ones)&^q | (s-ones)&^s | (x-ones*' ')&^x) & high; m != 0 {
			return at + bits.TrailingZeros64(m)>>3
		}
	}
	return at
}
