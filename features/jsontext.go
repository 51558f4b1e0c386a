package features

import (
	"unicode/utf16"
	"unicode/utf8"
)

// unescape copies the string src[s:e] behind the text without its escapes.
func (p *jsonObject) unescape(s, e int, keep bool) (start, end int, ok bool) {
	b := p.b
	dst, bad, msg := appendUnescaped(b.data[:b.text], p.src[s:e], !keep)
	b.data = dst
	if msg != "" {
		p.at = s + bad
		return 0, 0, p.fault(msg)
	}
	start, end = b.text, len(dst)
	if keep {
		b.text = end
	}
	return start, end, true
}

// AppendJSONText adds the text of a JSON string to dst: src is what stands
// between its quotes, with each backslash before another byte. Bytes are what
// Block.AppendJSON makes of them. Where an escape is wrong, bad is its place in
// src and msg says what is wrong with it; msg is "" otherwise.
func AppendJSONText(dst, src []byte) (text []byte, bad int, msg string) {
	return appendUnescaped(dst, src, true)
}

func appendUnescaped(dst, src []byte, nul bool) (text []byte, bad int, msg string) {
	for s, e := 0, len(src); s < e; {
		c := src[s]
		if s++; c != '\\' {
			dst = append(dst, c)
			continue
		}
		c = src[s]
		if s++; c != 'u' {
			if c = unescaped[c]; c == 0 {
				return dst, s - 1, "unknown escape in a string"
			}
			dst = append(dst, c)
			continue
		}
		v := hex4(src[s:])
		if v < 0 {
			return dst, s, "want four hexadecimal digits"
		}
		s += 4
		if v == 0 && !nul {
			return dst, s - 6, "NUL in a value: want text"
		}
		if utf16.IsSurrogate(v) && s+6 <= e && src[s] == '\\' && src[s+1] == 'u' {
			if pair := utf16.DecodeRune(v, hex4(src[s+2:])); pair != utf8.RuneError {
				v = pair
				s += 6
			}
		}
		if 0xdc80 <= v && v <= 0xdcff {
			dst = append(dst, byte(v))
		} else {
			dst = utf8.AppendRune(dst, v) // U+FFFD for a surrogate
		}
	}
	return dst, 0, ""
}

// unescaped is what the character after a backslash stands for.
var unescaped = [256]byte{
	'"': '"', '\\': '\\', '/': '/', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t',
}

// hex4 gives the number that s begins with, -1 where it is none.
func hex4(s []byte) rune {
	if len(s) < 4 {
		return -1
	}
	var v rune
	for _, c := range s[:4] {
		switch {
		case '0' <= c && c <= '9':
			v = v<<4 | rune(c-'0')
		case 'a' <= c|0x20 && c|0x20 <= 'f':
			v = v<<4 | rune(c|0x20-'a'+10)
		default:
			return -1
		}
	}
	return v
}

// AppendJSON adds the row to dst as one flat JSON object: its fields by their
// names in the layout, values as strings, in the row's order. Fields without
// a name are left out. Bytes that are not UTF-8 are written as \udc80 … \udcff,
// one for each (as Python's surrogateescape does, PEP 383), so that the object
// is strict JSON and Block.AppendJSON restores the very bytes.
func (r *Row) AppendJSON(dst []byte, layout Layout) []byte {
	dst = append(dst, '{')
	first := true
	for i := range min(r.Len(), len(layout)) {
		if layout[i] == "" {
			continue
		}
		if !first {
			dst = append(dst, ',')
		}
		first = false
		dst = AppendJSONString(dst, layout[i])
		dst = append(dst, ':')
		dst = AppendJSONString(dst, r.Field(i))
	}
	return append(dst, '}')
}

// AppendJSONString adds s as a JSON string. Bytes that are not UTF-8 are written as
// Row.AppendJSON does.
func AppendJSONString[S string | []byte](dst []byte, s S) []byte {
	const digits = "0123456789abcdef"
	dst = append(dst, '"')
	for i := 0; i < len(s); {
		c := s[i]
		switch {
		case c == '"' || c == '\\':
			dst = append(dst, '\\', c)
		case c < ' ':
			dst = append(dst, '\\', 'u', '0', '0', digits[c>>4], digits[c&15])
		case c < utf8.RuneSelf:
			dst = append(dst, c)
		default:
			var four [utf8.UTFMax]byte
			n := copy(four[:], s[i:])
			if v, size := utf8.DecodeRune(four[:n]); v != utf8.RuneError || size > 1 {
				dst = append(dst, four[:size]...)
				i += size
				continue
			}
			dst = append(dst, '\\', 'u', 'd', 'c', digits[c>>4], digits[c&15])
		}
		i++
	}
	return append(dst, '"')
}
