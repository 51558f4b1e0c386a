package infer

import (
	"encoding/base64"
	"net/http"
	"strconv"
	"sync"

	"ctr/features"
)

// The Open Inference Protocol, version 2: columns come as inputs, a tensor
// each, and go as outputs. Over REST (v2read.go, v2binary.go, v2answer.go) and
// gRPC (grpc*.go) requests become an inference, the same for both.
// (https://github.com/kserve/open-inference-protocol)
//
// What a value is does not depend on the way that it came: the text that a CSV
// file would have for it. A JSON number is its literal; one of a binary tensor
// is the shortest decimal that reads back as the same number of its type.

// The outputs.
const (
	outputProbability = "probability" // FP64: P(click)
	outputPrediction  = "prediction"  // INT64: 1 where it is above the threshold
	outputID          = "id"          // BYTES: names of the rows, where they came
)

// outputs is a set of them.
type outputs uint8

const (
	probability outputs = 1 << iota
	prediction
	ids
)

// outputNamed gives the output of a name.
func outputNamed(name []byte) (outputs, *fault) {
	switch string(name) {
	case outputProbability:
		return probability, nil
	case outputPrediction:
		return prediction, nil
	case outputID:
		return ids, nil
	}
	return 0, badRequest("output %.40q: want %s, %s or %s", name, outputProbability, outputPrediction, outputID)
}

// kind is what a value is in JSON.
type kind uint8

const (
	kindNull kind = iota
	kindString
	kindBool
	kindWhole // a number without a fraction or an exponent
	kindNumber
)

// kinds is a set of them.
type kinds uint8

func (k kind) set() kinds { return 1 << k }

// datatype is that of a tensor's elements.
type datatype uint8

const (
	noType datatype = iota
	typeBool
	typeInt8
	typeInt16
	typeInt32
	typeInt64
	typeUint8
	typeUint16
	typeUint32
	typeUint64
	typeFP16
	typeFP32
	typeFP64
	typeBytes
)

// datatypes say of each: its name, the bytes of an element of a binary tensor,
// which values of JSON fit it (null always does), and in which field of
// InferTensorContents they lie.
var datatypes = [...]struct {
	name  string
	size  int
	fit   kinds
	field uint8
}{
	noType:     {},
	typeBool:   {"BOOL", 1, 1<<kindNull | 1<<kindBool, 1},
	typeInt8:   {"INT8", 1, 1<<kindNull | 1<<kindWhole, 2},
	typeInt16:  {"INT16", 2, 1<<kindNull | 1<<kindWhole, 2},
	typeInt32:  {"INT32", 4, 1<<kindNull | 1<<kindWhole, 2},
	typeInt64:  {"INT64", 8, 1<<kindNull | 1<<kindWhole, 3},
	typeUint8:  {"UINT8", 1, 1<<kindNull | 1<<kindWhole, 4},
	typeUint16: {"UINT16", 2, 1<<kindNull | 1<<kindWhole, 4},
	typeUint32: {"UINT32", 4, 1<<kindNull | 1<<kindWhole, 4},
	typeUint64: {"UINT64", 8, 1<<kindNull | 1<<kindWhole, 5},
	typeFP16:   {"FP16", 2, 1<<kindNull | 1<<kindWhole | 1<<kindNumber, 0},
	typeFP32:   {"FP32", 4, 1<<kindNull | 1<<kindWhole | 1<<kindNumber, 6},
	typeFP64:   {"FP64", 8, 1<<kindNull | 1<<kindWhole | 1<<kindNumber, 7},
	typeBytes:  {"BYTES", 0, 1<<kindNull | 1<<kindString, 8},
}

func datatypeOf(name []byte) (datatype, *fault) {
	if string(name) == "BYTES" { // most are
		return typeBytes, nil
	}
	for t := typeBool; t < typeBytes; t++ {
		if string(name) == datatypes[t].name {
			return t, nil
		}
	}
	return noType, badRequest("datatype %.40q: want BYTES, BOOL, INT…, UINT… or FP…", name)
}

func (d datatype) signed() bool { return d >= typeInt8 && d <= typeInt64 }

func (d datatype) unsigned() bool { return d >= typeUint8 && d <= typeUint64 }

// value is where the text of an element lies, and what it was: 32 bits of
// start, 28 of length, 4 of kind. Text is the JSON body and, behind it, what
// had to be written anew.
type value uint64

// mostValue is the longest value that fits.
const mostValue = 1<<28 - 1

func valueOf(start, end int, k kind) value {
	return value(start) | value(end-start)<<32 | value(k)<<60
}

func (v value) start() int { return int(uint32(v)) }
func (v value) len() int   { return int(v >> 32 & mostValue) }
func (v value) kind() kind { return kind(v >> 60) }

// tensor is one input. Its values are values[from:to] of the inference.
type tensor struct {
	name     []byte
	datatype datatype
	col      int   // of Predictor.Layout; -1 = the model does not have it
	shape    int64 // its elements, -1 = not said
	from, to int
	seen     kinds
	has      bool  // data, or contents
	binary   int64 // bytes of its binary data; -1 = none
	base64   bool  // strings are that
	fields   uint8 // of InferTensorContents that it has, a bit each
}

// inference is a request for one. It is used again.
type inference struct {
	scan           scanner
	model, version []byte // gRPC's
	id             []byte
	inputs         []tensor
	raw            [][]byte // gRPC's raw_input_contents
	asked          outputs
	binary         outputs // to be answered as binary data
	plain          outputs // as JSON
	allBinary      bool    // those of neither
	limits         limits

	n      int    // rows, once bound
	base   int    // bytes of the body that values lie in
	extra  []byte // text behind it
	values []value
	layout features.Layout
	cols   []int32 // by column of the layout: its input, counted from 1
}

// limits are those of a Server that a request meets while it is read.
type limits struct {
	rows  int // most of a request
	bytes int // most of a value
}

// mostInputs is how many inputs a request may have.
const mostInputs = 1 << 14

var inferences = sync.Pool{New: func() any { return new(inference) }}

func newInference(l limits) *inference {
	q := inferences.Get().(*inference)
	q.limits = limits{l.rows, min(l.bytes, mostValue)}
	return q
}

func (q *inference) free() {
	const most = 1 << 16
	if cap(q.values) > most || cap(q.extra) > 16*most || cap(q.inputs) > 1024 {
		return // rather than keep the memory of the largest for good
	}
	clear(q.inputs)
	clear(q.raw)
	*q = inference{inputs: q.inputs[:0], raw: q.raw[:0], extra: q.extra[:0], values: q.values[:0], cols: q.cols[:0]}
	inferences.Put(q)
}

// begin begins an input, whose values are those added from then on.
func (q *inference) begin() (tensor, *fault) {
	if len(q.inputs) == mostInputs {
		return tensor{}, badRequest("too many inputs: want %d at most", mostInputs)
	}
	return tensor{shape: -1, binary: -1, from: len(q.values)}, nil
}

// room reports whether t may have n more values.
func (q *inference) room(t *tensor, n int) *fault {
	if len(q.values)-t.from > q.limits.rows-n {
		return tooManyRows(q.limits.rows)
	}
	return nil
}

// add adds what has been appended to extra from its length before on as a value
// of t.
func (q *inference) add(t *tensor, before int, k kind) {
	q.values = append(q.values, valueOf(q.base+before, q.base+len(q.extra), k))
	t.seen |= k.set()
}

// finish ends an input whose values are values[from:to].
func (q *inference) finish(t *tensor) *fault {
	if t.shape != int64(t.to-t.from) {
		return badRequest("input %.40q: %d values: want %d, as its shape says", t.name, t.to-t.from, t.shape)
	}
	d := &datatypes[t.datatype]
	whole := t.seen&kindWhole.set() != 0 && d.fit&kindNumber.set() == 0
	if t.seen&^d.fit == 0 && !whole && !t.base64 {
		return nil
	}
	for i, v := range q.values[t.from:t.to] {
		ok, text := v.kind().set()&d.fit != 0, q.text(v)
		if ok && v.kind() == kindWhole {
			ok = t.datatype.holds(text)
		}
		if !ok {
			f := badRequest("row %d: input %.40q: want %s, or null", i+1, t.name, d.name) // the value may have to be kept secret
			f.row, f.column = i+1, string(t.name)
			return f
		}
		if t.base64 && v.kind() == kindString {
			before := len(q.extra)
			var err error
			if q.extra, err = base64.StdEncoding.AppendDecode(q.extra, text); err != nil {
				f := badRequest("row %d: input %.40q: %v", i+1, t.name, err)
				f.row, f.column = i+1, string(t.name)
				return f
			}
			q.values[t.from+i] = valueOf(q.base+before, q.base+len(q.extra), kindString)
		}
	}
	return nil
}

// holds reports whether a whole number fits the datatype.
func (d datatype) holds(text []byte) bool {
	var err error
	switch bits := datatypes[d].size * 8; {
	case d.signed():
		_, err = strconv.ParseInt(string(text), 10, bits)
	case d.unsigned():
		_, err = strconv.ParseUint(string(text), 10, bits)
	}
	return err == nil
}

// text gives that of a value.
func (q *inference) text(v value) []byte {
	at := v.start()
	if at < q.base {
		return q.scan.src[at : at+v.len()]
	}
	at -= q.base
	return q.extra[at : at+v.len()]
}

// bind finds the columns of the inputs, and how many rows there are. Inputs
// that are no columns of the model's schema are passed over, as the keys of an
// object are by /v1/score: MLServer leaves them to the model as well, while
// Triton refuses them. All that the model reads must be there, so that a
// mistyped name is found.
func (q *inference) bind(m *Model) *fault {
	q.layout, q.n = m.Layout(), -1
	q.cols = append(q.cols[:0], make([]int32, len(q.layout))...)
	known := m.Columns()
	next := 0 // most requests have the order of the layout
	for i := range q.inputs {
		t := &q.inputs[i]
		t.col = -1
		if next < len(q.layout) && string(t.name) == q.layout[next] {
			t.col = next
		} else if col, ok := known[string(t.name)]; ok {
			t.col = col
		} else {
			continue
		}
		next = t.col + 1
		if q.cols[t.col] != 0 {
			return q.wrong(t, "twice: want it once")
		}
		q.cols[t.col] = int32(i + 1)
		switch n := t.to - t.from; {
		case q.n < 0:
			q.n = n
		case q.n != n:
			return q.wrong(t, strconv.Itoa(n)+" values: want "+strconv.Itoa(q.n)+", as the others have")
		}
	}
	for col, need := range m.Needs() {
		if need && q.cols[col] == 0 {
			return q.wrong(&tensor{name: []byte(q.layout[col])}, "missing: want it, null where there is no value")
		}
	}
	if q.n <= 0 {
		return badRequest("no rows")
	}
	return nil
}

// wrong is a fault of an input.
func (q *inference) wrong(t *tensor, text string) *fault {
	f := badRequest("input %.40q: %s", t.name, text)
	f.column = string(t.name)
	return f
}

// Fill implements features.Columns.
func (q *inference) Fill(c *features.Cells) {
	text := append(append(c.Text(), q.scan.src[:q.base]...), q.extra...)
	for col, i := range q.cols {
		if i == 0 {
			continue
		}
		t := &q.inputs[i-1]
		for row, v := range q.values[t.from:t.to] {
			if v.len() > q.limits.bytes {
				c.Fail(row, col, features.LongValue(q.limits.bytes))
				continue
			}
			c.Set(row, col, v.start(), v.start()+v.len())
		}
	}
	c.SetText(text)
}

// tooManyRows says so.
func tooManyRows(most int) *fault {
	return &fault{status: http.StatusRequestEntityTooLarge, text: "too many rows: want " + strconv.Itoa(most) + " at most"}
}
