package features

import "strings"

// slowRow is a row as slowRows sees it.
type slowRow struct {
	line   int64
	raw    string
	fields []string // nil where the row is bad
}

// slowRows is the plain reader that Reader must equal: the whole text at once,
// a byte at a time.
func slowRows(text string, width int, comma byte, maxRow int) (rows []slowRow) {
	line := int64(1)
	for text != "" {
		first, rest, _ := strings.Cut(text, "\n")
		row := strings.TrimSuffix(first, "\r")
		fields, used, ok := slowRow1(text, comma)
		raw := strings.TrimSuffix(strings.TrimSuffix(text[:used], "\n"), "\r")
		switch {
		case row == "":
			line, text = line+1, rest
			continue
		case len(row) > maxRow:
			rows = append(rows, slowRow{line, row[:maxRow], nil})
			line, text = line+1, rest
			continue
		case !ok || len(raw) > maxRow:
			rows = append(rows, slowRow{line, row, nil})
			line, text = line+1, rest
			continue
		}
		if len(fields) != width || strings.Contains(raw, "\x00") {
			fields = nil
		}
		rows = append(rows, slowRow{line, raw, fields})
		line += int64(strings.Count(text[:used], "\n"))
		text = text[used:]
	}
	return rows
}

// slowRow1 reads one row and its line end.
func slowRow1(text string, comma byte) (fields []string, used int, ok bool) {
	i := 0
	lineEnd := func() bool {
		return i == len(text) || text[i] == '\n' || text[i] == '\r' && (i+1 == len(text) || text[i+1] == '\n')
	}
	for {
		value := ""
		if i < len(text) && text[i] == '"' {
			for i++; ; i++ {
				if i == len(text) {
					return nil, i, false
				}
				if text[i] == '"' {
					if i++; i == len(text) || text[i] != '"' {
						break
					}
				}
				value += text[i : i+1]
			}
			if !lineEnd() && text[i] != comma {
				return nil, i, false
			}
		} else {
			for !lineEnd() && text[i] != comma {
				if text[i] == '"' {
					return nil, i, false
				}
				value += text[i : i+1]
				i++
			}
		}
		fields = append(fields, value)
		if lineEnd() {
			break
		}
		i++
	}
	if i < len(text) && text[i] == '\r' {
		i++
	}
	if i < len(text) {
		i++
	}
	return fields, i, true
}
