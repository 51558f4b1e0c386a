package infer

import (
	"bytes"
	"errors"
	"mime"
	"net/http"
	"strconv"
	"strings"

	"ctr/features"
	"ctr/pipeline"
)

// form is how rows come, and how their answers go.
type form uint8

const (
	formObject form = iota // one JSON object
	formArray              // a JSON array of objects
	formLines              // JSON objects, one a line
	formCSV
	formTSV
)

// contentTypes are those of answers, as headers hold them: one slice for all.
var contentTypes = [...][]string{
	formObject: {"application/json"},
	formArray:  {"application/json"},
	formLines:  {"application/x-ndjson"},
	formCSV:    {"text/csv; charset=utf-8"},
	formTSV:    {"text/tab-separated-values; charset=utf-8"},
}

// formOf says how the rows of a request come. Where the Content-Type does not
// say (what curl -d sends says nothing), the first byte of the body does.
func formOf(q *http.Request, body []byte) (form, *fault) {
	kind := q.Header.Get("Content-Type")
	if kind == "application/json" { // the usual case, without the work of parsing
		return jsonForm(body), nil
	}
	media, params, err := mime.ParseMediaType(kind)
	if err != nil && kind != "" {
		return 0, &fault{status: http.StatusUnsupportedMediaType, text: "Content-Type " + kind + ": " + err.Error()}
	}
	switch charset := strings.ToLower(params["charset"]); charset {
	case "", "utf-8", "utf8", "us-ascii":
	default:
		return 0, &fault{status: http.StatusUnsupportedMediaType, text: "Content-Type " + kind + ": charset " + charset + ": want utf-8"}
	}
	switch media {
	case "application/json", "text/json":
		return jsonForm(body), nil
	case "application/x-ndjson", "application/ndjson", "application/jsonl", "application/x-jsonlines", "application/json-lines":
		return formLines, nil
	case "text/csv", "application/csv":
		return formCSV, nil
	case "text/tab-separated-values":
		return formTSV, nil
	case "", "text/plain", "application/x-www-form-urlencoded", "application/octet-stream":
		if at := skipSpace(body, 0); at < len(body) && (body[at] == '{' || body[at] == '[') {
			return jsonForm(body), nil
		}
		return formCSV, nil
	}
	return 0, &fault{status: http.StatusUnsupportedMediaType, text: "Content-Type " + media + ": want application/json, application/x-ndjson, text/csv or text/tab-separated-values"}
}

// jsonForm tells an object, an array, and objects on several lines apart.
func jsonForm(body []byte) form {
	at := skipSpace(body, 0)
	if at < len(body) && body[at] == '[' {
		return formArray
	}
	// Most objects have no brace but their own, the last byte: one search tells.
	if first := bytes.IndexByte(body, '}'); first >= 0 && skipSpace(body, first+1) == len(body) {
		return formObject
	}
	if at < len(body) && body[at] == '{' {
		if end := objectEnd(body, at); end < len(body) && skipSpace(body, end) < len(body) {
			return formLines
		}
	}
	return formObject
}

func skipSpace(s []byte, at int) int {
	for at < len(s) && (s[at] == ' ' || s[at] == '\t' || s[at] == '\r' || s[at] == '\n') {
		at++
	}
	return at
}

// fill gives r the rows of a body.
func (s *Server) fill(r *pipeline.Request, f form, body []byte) *fault {
	switch f {
	case formCSV, formTSV:
		if skipSpace(body, 0) == len(body) {
			return badRequest("no rows")
		}
		switch err := r.CSV(body, s.o.MaxRow, s.o.MaxRows); {
		case errors.Is(err, pipeline.ErrManyRows):
			return s.tooMany()
		case err != nil:
			return badRequest("%v", err)
		}
	case formLines:
		return s.fillLines(r, body)
	case formArray:
		return s.fillArray(r, body)
	default:
		r.JSON()
		if body = bytes.TrimSpace(body); len(body) > s.o.MaxRow {
			return longRow(0, s.o.MaxRow)
		}
		r.Rows.AppendJSON(body)
	}
	if r.Rows.Len() == 0 {
		return badRequest("no rows")
	}
	return nil
}

func (s *Server) fillLines(r *pipeline.Request, body []byte) *fault {
	r.JSON()
	for line := range bytes.Lines(body) {
		line = bytes.TrimSpace(line)
		if len(line) == 0 {
			continue
		}
		if f := s.add(r, line); f != nil {
			return f
		}
	}
	if r.Rows.Len() == 0 {
		return badRequest("no rows")
	}
	return nil
}

// fillArray takes the objects of an array. Their own form is checked as each is
// split; here only where each ends is looked for.
func (s *Server) fillArray(r *pipeline.Request, body []byte) *fault {
	r.JSON()
	at := skipSpace(body, skipSpace(body, 0)+1) // after the bracket
	if at < len(body) && body[at] == ']' {
		return badRequest("no rows")
	}
	for {
		if at >= len(body) {
			return badRequest("the array has no end")
		}
		if body[at] != '{' {
			f := badRequest("row %d: JSON byte %d: want an object", r.Rows.Len()+1, at+1)
			f.row = r.Rows.Len() + 1
			return f
		}
		end := objectEnd(body, at)
		if f := s.add(r, body[at:end]); f != nil {
			return f
		}
		at = skipSpace(body, end)
		if at < len(body) && body[at] == ']' {
			break
		}
		if at >= len(body) || body[at] != ',' {
			return badRequest("JSON byte %d: want a comma or the end of the array after row %d", at+1, r.Rows.Len())
		}
		at = skipSpace(body, at+1)
	}
	if at = skipSpace(body, at+1); at < len(body) {
		return badRequest("JSON byte %d: text after the array", at+1)
	}
	return nil
}

func (s *Server) add(r *pipeline.Request, object []byte) *fault {
	if n := r.Rows.Len(); n == s.o.MaxRows {
		return s.tooMany()
	} else if len(object) > s.o.MaxRow {
		return longRow(n, s.o.MaxRow)
	}
	r.Rows.AppendJSON(object)
	return nil
}

func longRow(i, most int) *fault {
	f := badRequest("row %d: too long: want %d bytes at most", i+1, most)
	f.row = i + 1
	return f
}

// objectEnd gives the place after the object that begins at at, or len(s) where
// it has no end. Braces within it count, so that a nested object is one that
// splitting refuses by name.
func objectEnd(s []byte, at int) int {
	depth := 0
	for at < len(s) {
		switch s[at] {
		case '"':
			if at = stringEnd(s, at); at >= len(s) {
				return len(s)
			}
			continue
		case '{':
			depth++
		case '}':
			if depth--; depth == 0 {
				return at + 1
			}
		}
		at++
	}
	return len(s)
}

// stringEnd gives the place after the string that begins at at.
func stringEnd(s []byte, at int) int {
	for at++; at < len(s); {
		n := bytes.IndexByte(s[at:], '"')
		if n < 0 {
			return len(s)
		}
		end := at + n
		slashes := 0
		for end-1-slashes >= at && s[end-1-slashes] == '\\' {
			slashes++
		}
		at = end + 1
		if slashes%2 == 0 {
			return at
		}
	}
	return len(s)
}

// appendAnswers writes the answer to all rows of r.
func appendAnswers(dst []byte, f form, r *pipeline.Request, why *explanation) ([]byte, error) {
	switch f {
	case formTSV:
		return r.AppendCSV(dst, '\t'), nil
	case formCSV:
		return r.AppendCSV(dst, ','), nil
	case formArray:
		dst = append(dst, '[')
	}
	for i := range r.P {
		if i > 0 && f == formArray {
			dst = append(dst, ',')
		}
		dst = append(dst, `{"id":`...)
		if id := r.IDs[i]; id != nil {
			dst = features.AppendJSONString(dst, id)
		} else {
			dst = append(dst, "null"...)
		}
		dst = append(dst, `,"probability":`...)
		dst = strconv.AppendFloat(dst, r.P[i], 'g', -1, 64)
		dst = append(dst, `,"prediction":`...)
		dst = append(dst, byte('0'+r.Prediction(i)))
		if why != nil {
			var err error
			if dst, err = why.append(dst, r, i); err != nil {
				return nil, err
			}
		}
		dst = append(dst, '}')
		if f == formLines {
			dst = append(dst, '\n')
		}
	}
	switch f {
	case formArray:
		dst = append(dst, "]\n"...)
	case formObject:
		dst = append(dst, '\n')
	}
	return dst, nil
}
