package pmml

import (
	"bufio"
	"encoding/xml"
	"strconv"
	"unicode/utf8"
)

// document writes XML. A bufio.Writer keeps its first error until Flush.
type document struct {
	*bufio.Writer
	stack []string
}

// open begins an element with attributes, names and values in turn.
func (d *document) open(name string, attributes ...string) {
	d.start(name, attributes)
	d.WriteString(">")
	d.stack = append(d.stack, name)
}

// empty writes an element without content.
func (d *document) empty(name string, attributes ...string) {
	d.start(name, attributes)
	d.WriteString("/>")
}

func (d *document) start(name string, attributes []string) {
	if len(d.stack) < 6 {
		d.WriteByte('\n')
	}
	d.WriteByte('<')
	d.WriteString(name)
	for i := 0; i+1 < len(attributes); i += 2 {
		d.WriteByte(' ')
		d.WriteString(attributes[i])
		d.WriteString(`="`)
		d.text(attributes[i+1])
		d.WriteByte('"')
	}
}

// close ends so many elements.
func (d *document) close(elements int) {
	for range elements {
		last := len(d.stack) - 1
		d.WriteString("</")
		d.WriteString(d.stack[last])
		d.WriteByte('>')
		d.stack = d.stack[:last]
	}
}

// leaf writes an element that holds text.
func (d *document) leaf(name, text string, attributes ...string) {
	d.open(name, attributes...)
	d.text(text)
	d.close(1)
}

// text writes text, escaped. What XML has no form for was refused before.
func (d *document) text(s string) {
	// An error is kept by the bufio.Writer.
	_ = xml.EscapeText(d, []byte(s))
}

// holds reports whether XML can hold the text: it has no form for most control
// characters, nor for bytes that are no UTF-8.
func holds(s []byte) bool {
	for len(s) > 0 {
		r, n := utf8.DecodeRune(s)
		if r == utf8.RuneError && n == 1 || r < ' ' && r != '\t' && r != '\n' && r != '\r' || r == 0xFFFE || r == 0xFFFF {
			return false
		}
		s = s[n:]
	}
	return true
}

// number gives the shortest text that reads back as x.
func number(x float64) string { return strconv.FormatFloat(x, 'g', -1, 64) }
