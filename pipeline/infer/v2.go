package infer

import (
	"net/http"
	"strconv"
	"sync"

	"ctr/features"
	"ctr/pipeline"
)

// The Open Inference Protocol, version 2, over REST: columns come as inputs, a
// tensor each, and go as outputs.
// (https://github.com/kserve/open-inference-protocol)

// The outputs.
const (
	outputProbability = "probability" // FP64: P(click)
	outputPrediction  = "prediction"  // INT64: 1 where it is above the threshold
	outputID          = "id"          // BYTES: names of the rows, where they came
)

// datatype is that of a tensor.
type datatype uint8

const (
	noType datatype = iota
	typeBytes
	typeBool
	typeNumber // any of INT…, UINT…, FP…
)

func datatypeOf(name []byte) datatype {
	switch string(name) {
	case "BYTES":
		return typeBytes
	case "BOOL":
		return typeBool
	case "INT8", "INT16", "INT32", "INT64", "UINT8", "UINT16", "UINT32", "UINT64", "FP16", "FP32", "FP64":
		return typeNumber
	}
	return noType
}

// tensor is one input.
type tensor struct {
	name  []byte
	kind  datatype
	shape int64  // its elements, -1 = not said
	data  []byte // JSON
	col   int    // of Predictor.Layout; -1 = the model does not read it
}

// inference is a request for one. It is used again.
type inference struct {
	scan    scanner
	id      []byte
	inputs  []tensor
	outputs [][]byte // asked for; none = all
	n       int      // rows
	layout  features.Layout
	spare   scanner
	long    int // the most bytes of a value
}

var inferences = sync.Pool{New: func() any { return new(inference) }}

func (q *inference) free() {
	clear(q.inputs)
	clear(q.outputs)
	*q = inference{inputs: q.inputs[:0], outputs: q.outputs[:0]}
	inferences.Put(q)
}

// read takes a body apart. The values of the inputs are read by Fill.
func (q *inference) read(body []byte) *fault {
	s := &q.scan
	*s = scanner{src: body}
	s.object(func(key []byte) {
		switch string(key) {
		case "id":
			if s.next() == '"' {
				q.id = s.str()
			} else {
				s.skip(0)
			}
		case "inputs":
			s.array(q.input)
		case "outputs":
			s.array(q.output)
		default:
			s.skip(0)
		}
	})
	s.end()
	return s.fault
}

func (q *inference) output() {
	s := &q.scan
	s.object(func(key []byte) {
		if string(key) == "name" {
			q.outputs = append(q.outputs, s.str())
			return
		}
		s.skip(1)
	})
}

func (q *inference) input() {
	s, t := &q.scan, tensor{shape: -1}
	s.object(func(key []byte) {
		switch string(key) {
		case "name":
			t.name = s.str()
		case "datatype":
			name := s.str()
			if t.kind = datatypeOf(name); t.kind == noType {
				s.fail("datatype %s: want BYTES, BOOL, INT…, UINT… or FP…", name)
			}
		case "shape":
			t.shape = 1
			s.array(func() {
				n, err := strconv.ParseInt(string(s.number()), 10, 32)
				if err != nil || n < 0 || t.shape*n > 1<<31 {
					s.fail("shape: want whole numbers, and 2^31 elements at most")
				}
				t.shape *= n
			})
		case "data":
			if s.next() != '[' {
				s.fail("data: want an array")
				return
			}
			t.data = s.skip(1)
		default:
			s.skip(1)
		}
	})
	if s.fault != nil {
		return
	}
	switch {
	case t.name == nil:
		s.fail("an input without a name")
	case t.data == nil:
		s.fail("input %s: no data", t.name)
	case t.kind == noType:
		s.fail("input %s: no datatype", t.name)
	}
	q.inputs = append(q.inputs, t)
}

// bind finds the columns of the inputs, and how many rows there are.
func (q *inference) bind(m *Model, mostRows, mostBytes int) *fault {
	q.layout, q.n, q.long = m.Layout(), -1, mostBytes
	seen := m.Columns()
	for i := range q.inputs {
		t := &q.inputs[i]
		col, known := seen[string(t.name)]
		if !known {
			t.col = -1
			continue
		}
		t.col = col
		for _, other := range q.inputs[:i] {
			if other.col == col {
				return badRequest("input %s: twice", t.name)
			}
		}
		n := t.count()
		if t.shape >= 0 && t.shape != int64(n) {
			return badRequest("input %s: %d values: want %d, as its shape says", t.name, n, t.shape)
		}
		if q.n >= 0 && n != q.n {
			return badRequest("input %s: %d values: want %d, as the others have", t.name, n, q.n)
		}
		q.n = n
	}
	if q.n > mostRows {
		return &fault{status: http.StatusRequestEntityTooLarge, text: "too many rows: want " + strconv.Itoa(mostRows) + " at most"}
	}
	for col, need := range m.Needs() {
		if need && !q.has(col) {
			f := badRequest("input %s: missing: want it, null where there is no value", q.layout[col])
			f.column = q.layout[col]
			return f
		}
	}
	if q.n <= 0 {
		return badRequest("no rows")
	}
	return nil
}

func (q *inference) has(col int) bool {
	for i := range q.inputs {
		if q.inputs[i].col == col {
			return true
		}
	}
	return false
}

// count gives the number of values of a tensor whose data has been gone past
// once: nested arrays count as the values in them.
func (t *tensor) count() (n int) {
	empty := true
	for at := 0; at < len(t.data); {
		switch c := t.data[at]; c {
		case '"':
			at = stringEnd(t.data, at)
			empty = false
			continue
		case ',':
			n++
		case '[', ']', ' ', '\t', '\r', '\n':
		default:
			empty = false
		}
		at++
	}
	if empty {
		return 0
	}
	return n + 1
}

// Fill implements features.Columns.
func (q *inference) Fill(c *features.Cells) {
	text := c.Text()
	for i := range q.inputs {
		t := &q.inputs[i]
		if t.col < 0 {
			continue
		}
		q.spare = scanner{src: t.data}
		row := 0
		text = q.values(c, t, text, &row)
		if q.spare.fault != nil || row != q.n {
			for r := range q.n {
				c.Fail(r, t.col, "data: want values, in arrays of one or two levels")
			}
		}
	}
	c.SetText(text)
}

// values adds the values of an array, or of arrays in it.
func (q *inference) values(c *features.Cells, t *tensor, text []byte, row *int) []byte {
	s := &q.spare
	s.array(func() {
		if s.next() == '[' {
			s.array(func() { text = q.value(c, t, text, row) })
			return
		}
		text = q.value(c, t, text, row)
	})
	return text
}

func (q *inference) value(c *features.Cells, t *tensor, text []byte, row *int) []byte {
	s := &q.spare
	first := s.next()
	v := s.scalar()
	if s.fault != nil || *row >= q.n {
		s.fail("more values than rows")
		return text
	}
	i := *row
	*row++
	switch {
	case v == nil: // null, or an empty string
	case (t.kind == typeBytes) != (first == '"'):
		c.Fail(i, t.col, "value does not fit the datatype of its input")
	case len(v) > q.long:
		c.Fail(i, t.col, "value too long")
	default:
		begin := len(text)
		text = append(text, v...)
		c.Set(i, t.col, begin, len(text))
	}
	return text
}

// infer answers POST /v2/models/{name}/infer.
func (s *Server) infer(w http.ResponseWriter, q *http.Request) *fault {
	m, _, f := s.model(q)
	if f != nil {
		return f
	}
	b := buffers.Get().(*buffer)
	defer b.free()
	took, f := s.body(q, b)
	if f != nil {
		return f
	}
	defer s.memory.give(took)
	in := inferences.Get().(*inference)
	defer in.free()
	if f := in.read(b.in); f != nil {
		return f
	}
	if f := in.bind(m, s.o.MaxRows, s.o.MaxRow); f != nil {
		return f
	}
	r := m.Get()
	defer m.Put(r)
	r.Columns(in.n, in)
	if f := s.scored(m, r); f != nil {
		return f
	}
	if b.out, f = in.appendAnswer(b.out[:0], m, r); f != nil {
		return f
	}
	h := w.Header()
	h["Content-Type"] = jsonType
	h["Content-Length"] = []string{strconv.Itoa(len(b.out))}
	_, _ = w.Write(b.out) // an error means that who asked has gone
	return nil
}

var jsonType = []string{"application/json"}

// wants reports whether an output was asked for.
func (q *inference) wants(name string) bool {
	if len(q.outputs) == 0 {
		return true
	}
	for _, o := range q.outputs {
		if string(o) == name {
			return true
		}
	}
	return false
}

// appendAnswer writes the outputs.
func (q *inference) appendAnswer(dst []byte, m *Model, r *pipeline.Request) ([]byte, *fault) {
	for _, o := range q.outputs {
		switch string(o) {
		case outputProbability, outputPrediction, outputID:
		default:
			return dst, badRequest("output %s: want %s, %s or %s", o, outputProbability, outputPrediction, outputID)
		}
	}
	dst = features.AppendJSONString(append(dst, `{"model_name":`...), m.Name)
	dst = features.AppendJSONString(append(dst, `,"model_version":`...), m.Version)
	if q.id != nil {
		dst = features.AppendJSONString(append(dst, `,"id":`...), q.id)
	}
	dst = append(dst, `,"outputs":[`...)
	before := len(dst)
	if q.wants(outputProbability) {
		dst = q.begin(dst, before, outputProbability, "FP64")
		for i, p := range r.P {
			dst = strconv.AppendFloat(comma(dst, i), p, 'g', -1, 64)
		}
		dst = append(dst, "]}"...)
	}
	if q.wants(outputPrediction) {
		dst = q.begin(dst, before, outputPrediction, "INT64")
		for i := range r.P {
			dst = append(comma(dst, i), byte('0'+r.Prediction(i)))
		}
		dst = append(dst, "]}"...)
	}
	if q.wants(outputID) && (len(q.outputs) > 0 || r.IDs[0] != nil) {
		dst = q.begin(dst, before, outputID, "BYTES")
		for i := range r.P {
			dst = features.AppendJSONString(comma(dst, i), r.IDs[i])
		}
		dst = append(dst, "]}"...)
	}
	return append(dst, "]}\n"...), nil
}

// begin writes an output up to its values.
func (q *inference) begin(dst []byte, before int, name, kind string) []byte {
	if len(dst) > before {
		dst = append(dst, ',')
	}
	dst = append(append(append(dst, `{"name":"`...), name...), `","shape":[`...)
	dst = strconv.AppendInt(dst, int64(q.n), 10)
	return append(append(append(dst, `],"datatype":"`...), kind...), `","data":[`...)
}

func comma(dst []byte, i int) []byte {
	if i > 0 {
		return append(dst, ',')
	}
	return dst
}
