package pipeline

import (
	"strings"

	"ctr/features"
)

// looksInside reports whether the fields of rows matter.
func (r *replay) looksInside(hour int) bool { return len(r.key) > 0 || hour >= 0 || r.o.JSON }

// keyColumns gives the places of the key's columns; none where there is no key.
func (o *ReplayOptions) keyColumns(rd rowSource, src string) (at []int, err error) {
	if o.Key == "" {
		return nil, nil
	}
	names := []string{o.Key}
	if rd.Layout().Index(o.Key) < 0 {
		names = strings.Split(o.Key, "+")
	}
	for _, name := range names {
		i, err := column(rd, src, name, "the key")
		if err != nil {
			return nil, err
		}
		at = append(at, i)
	}
	return at, nil
}

// keyOf gives the key of a row's message, nil where there is none.
func (r *replay) keyOf(row *features.Row) []byte {
	switch len(r.key) {
	case 0:
		return nil
	case 1:
		return row.Field(r.key[0])
	}
	r.keyText = r.keyText[:0]
	for i, at := range r.key {
		if i > 0 {
			r.keyText = append(r.keyText, 0x1F)
		}
		r.keyText = append(r.keyText, row.Field(at)...)
	}
	return r.keyText
}
