package infer

import (
	"encoding/binary"
	"math"
	"net/http"
	"slices"
	"strconv"

	"ctr/features"
	"ctr/pipeline"
)

// headerLength is the header that says how long the JSON before binary data is,
// in requests and answers.
const headerLength = "Inference-Header-Content-Length"

// infer answers POST /v2/models/{name}/infer.
func (s *Server) infer(w http.ResponseWriter, r *http.Request) *fault {
	m, _, f := s.model(r)
	if f != nil {
		return f
	}
	b := buffers.Get().(*buffer)
	defer b.free()
	took, f := s.body(r, b)
	if f != nil {
		return f
	}
	defer s.memory.give(took)
	q := newInference(limits{s.o.MaxRows, s.o.MaxRow})
	defer q.free()
	if f := q.rest(r.Header, b.in); f != nil {
		return f
	}
	rows := m.Get()
	defer m.Put(rows)
	if f := s.scoreInference(m, rows, q); f != nil {
		return f
	}
	out, header := q.appendAnswer(b.out[:0], m, rows)
	b.out = out
	h := w.Header()
	h["Content-Type"] = jsonType
	if header < len(out) {
		h["Content-Type"] = binaryType
		h[headerLength] = []string{strconv.Itoa(header)}
	}
	h["Content-Length"] = []string{strconv.Itoa(len(out))}
	_, _ = w.Write(out) // an error means that who asked has gone
	return nil
}

var (
	jsonType   = []string{"application/json"}
	binaryType = []string{"application/octet-stream"}
)

// rest reads a request that came over REST.
func (q *inference) rest(h http.Header, body []byte) *fault {
	length := len(body)
	if v := h[headerLength]; len(v) > 0 {
		n, err := strconv.ParseUint(v[0], 10, 63)
		if err != nil || n > uint64(length) {
			return badRequest("%s %.40q: want 0..%d, the bytes of JSON before binary data", headerLength, v[0], length)
		}
		length = int(n)
	}
	if f := q.read(body[:length]); f != nil {
		return f
	}
	return q.sections(body[length:])
}

// scoreInference scores the rows of q into r.
func (s *Server) scoreInference(m *Model, r *pipeline.Request, q *inference) *fault {
	if f := q.bind(m); f != nil {
		return f
	}
	r.Columns(q.n, q)
	return s.scored(m, r)
}

// wanted gives the outputs to answer with: those asked for; where none are, all
// of them, the ids if any came.
func (q *inference) wanted(r *pipeline.Request) outputs {
	switch {
	case q.asked != 0:
		return q.asked
	case slices.ContainsFunc(r.IDs, func(id []byte) bool { return len(id) > 0 }):
		return probability | prediction | ids
	}
	return probability | prediction
}

// inBinary gives the outputs that are to be binary data.
func (q *inference) inBinary() outputs {
	if q.allBinary {
		return q.binary | ^q.plain
	}
	return q.binary
}

// appendAnswer writes the outputs. header is the length of the JSON; binary data
// lies behind it.
func (q *inference) appendAnswer(dst []byte, m *Model, r *pipeline.Request) (out []byte, header int) {
	want, raw := q.wanted(r), q.inBinary()
	first := len(dst)
	dst = features.AppendJSONString(append(dst, `{"model_name":`...), m.Name)
	dst = features.AppendJSONString(append(dst, `,"model_version":`...), m.Version)
	if q.id != nil {
		dst = features.AppendJSONString(append(dst, `,"id":`...), q.id)
	}
	dst = append(dst, `,"outputs":[`...)
	before := len(dst)
	for o := probability; o <= ids; o <<= 1 {
		if want&o == 0 {
			continue
		}
		if len(dst) > before {
			dst = append(dst, ',')
		}
		dst = append(append(append(dst, `{"name":"`...), o.name()...), `","shape":[`...)
		dst = strconv.AppendInt(dst, int64(q.n), 10)
		dst = append(append(append(dst, `],"datatype":"`...), o.datatype()...), '"')
		if raw&o != 0 {
			dst = append(dst, `,"parameters":{"binary_data_size":`...)
			dst = append(strconv.AppendInt(dst, int64(o.size(r)), 10), "}}"...)
			continue
		}
		dst = append(o.appendJSON(append(dst, `,"data":[`...), r), "]}"...)
	}
	dst = append(dst, "]}"...)
	header = len(dst) - first
	for o := probability; o <= ids; o <<= 1 {
		if want&raw&o != 0 {
			dst = o.appendRaw(dst, r)
		}
	}
	return dst, header
}

func (o outputs) name() string {
	switch o {
	case probability:
		return outputProbability
	case prediction:
		return outputPrediction
	}
	return outputID
}

func (o outputs) datatype() string {
	switch o {
	case probability:
		return "FP64"
	case prediction:
		return "INT64"
	}
	return "BYTES"
}

// appendJSON writes the values of one output.
func (o outputs) appendJSON(dst []byte, r *pipeline.Request) []byte {
	for i, p := range r.P {
		if i > 0 {
			dst = append(dst, ',')
		}
		switch o {
		case probability:
			dst = strconv.AppendFloat(dst, p, 'g', -1, 64)
		case prediction:
			dst = append(dst, byte('0'+r.Prediction(i)))
		default:
			dst = features.AppendJSONString(dst, r.IDs[i])
		}
	}
	return dst
}

// size is that of one output as binary data.
func (o outputs) size(r *pipeline.Request) int {
	if o != ids {
		return 8 * len(r.P)
	}
	n := 0
	for _, id := range r.IDs {
		n += 4 + len(id)
	}
	return n
}

// appendRaw writes one output as binary data.
func (o outputs) appendRaw(dst []byte, r *pipeline.Request) []byte {
	for i, p := range r.P {
		switch o {
		case probability:
			dst = binary.LittleEndian.AppendUint64(dst, math.Float64bits(p))
		case prediction:
			dst = binary.LittleEndian.AppendUint64(dst, uint64(r.Prediction(i)))
		default:
			dst = binary.LittleEndian.AppendUint32(dst, uint32(len(r.IDs[i])))
			dst = append(dst, r.IDs[i]...)
		}
	}
	return dst
}
