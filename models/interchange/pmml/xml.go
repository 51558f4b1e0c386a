package pmml

import (
	"encoding/xml"
	"strconv"
	"unicode/utf8"

	"ctr/models/interchange"
)

// document writes XML.
type document struct {
	*interchange.Writer
	stack []string
}

// open begins an element with attributes, names and values in turn.
func (d *document) open(name string, attributes ...string) {
	d.start(name, attributes)
	d.Text(">")
	d.stack = append(d.stack, name)
}

// empty writes an element without content.
func (d *document) empty(name string, attributes ...string) {
	d.start(name, attributes)
	d.Text("/>")
}

func (d *document) start(name string, attributes []string) {
	if len(d.stack) < 6 {
		d.Byte('\n')
	}
	d.Text("<", name)
	for i := 0; i+1 < len(attributes); i += 2 {
		d.Text(" ", attributes[i], `="`)
		d.text(attributes[i+1])
		d.Byte('"')
	}
}

// close ends so many elements.
func (d *document) close(elements int) {
	for range elements {
		last := len(d.stack) - 1
		d.Text("</", d.stack[last], ">")
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
	// The Writer keeps the error.
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
