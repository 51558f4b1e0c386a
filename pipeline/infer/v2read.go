package infer

import "ctr/features"

// read takes the JSON of a request apart.
func (q *inference) read(body []byte) *fault {
	s := &q.scan
	*s, q.base = scanner{src: body}, len(body)
	if len(body) > 1<<31 { // places of values have 32 bits
		return badRequest("JSON of %d bytes: want 2 GiB at most", len(body))
	}
	var had uint8
	for ok := s.open('{', '}'); ok; ok = s.more('}') {
		switch string(s.key()) {
		case "id":
			s.once(&had, 1, "id")
			if !s.null() {
				q.id = s.str()
			}
		case "inputs":
			s.once(&had, 2, "inputs")
			for ok := s.open('[', ']'); ok; ok = s.more(']') {
				q.input()
			}
		case "outputs":
			s.once(&had, 4, "outputs")
			if s.null() {
				break
			}
			for ok := s.open('[', ']'); ok; ok = s.more(']') {
				q.output()
			}
		case "parameters":
			s.once(&had, 8, "parameters")
			q.parameters(nil)
		default:
			s.skip(1)
		}
	}
	if s.end(); s.fault != nil {
		return s.fault
	}
	if had&2 == 0 {
		return badRequest("no inputs: want them")
	}
	return nil
}

// once wants a key to be the first of its name.
func (s *scanner) once(had *uint8, bit uint8, key string) {
	if *had&bit != 0 {
		s.fail("%s: twice: want it once", key)
	}
	*had |= bit
}

// stop fails by f, where it is a fault.
func (s *scanner) stop(f *fault) {
	if f != nil && s.fault == nil {
		s.fault, s.at = f, len(s.src)
	}
}

func (q *inference) output() {
	s := &q.scan
	var had uint8
	var name []byte
	as := unsaid
	for ok := s.open('{', '}'); ok; ok = s.more('}') {
		switch string(s.key()) {
		case "name":
			s.once(&had, 1, "name")
			name = s.str()
		case "parameters":
			s.once(&had, 2, "parameters")
			as = s.outputParameters()
		default:
			s.skip(3)
		}
	}
	if s.fault != nil {
		return
	}
	if name == nil {
		s.fail("an output without a name")
		return
	}
	o, f := outputNamed(name)
	if s.stop(f); q.asked&o != 0 {
		s.fail("output %s: twice: want it once", name)
	}
	q.asked |= o
	switch as {
	case asBinary:
		q.binary |= o
	case asJSON:
		q.plain |= o
	}
}

// way is how an output is to be written.
type way uint8

const (
	unsaid way = iota
	asBinary
	asJSON
)

func (s *scanner) outputParameters() (as way) {
	if s.null() {
		return unsaid
	}
	for ok := s.open('{', '}'); ok; ok = s.more('}') {
		switch key := s.key(); string(key) {
		case "binary_data":
			if as = asJSON; s.truth() {
				as = asBinary
			}
		case "classification", "shared_memory_region":
			s.fail("%s: not supported here", key)
		default:
			s.skip(5)
		}
	}
	return as
}

func (q *inference) input() {
	s := &q.scan
	t, f := q.begin()
	s.stop(f)
	var had uint8
	for ok := s.open('{', '}'); ok; ok = s.more('}') {
		switch string(s.key()) {
		case "name":
			s.once(&had, 1, "name")
			t.name = s.str()
		case "datatype":
			s.once(&had, 2, "datatype")
			name := s.str()
			if s.fault == nil {
				t.datatype, f = datatypeOf(name)
				s.stop(f)
			}
		case "shape":
			s.once(&had, 4, "shape")
			s.shape(&t)
		case "data":
			s.once(&had, 8, "data")
			t.has = true
			q.data(&t)
		case "parameters":
			s.once(&had, 16, "parameters")
			q.parameters(&t)
		default:
			s.skip(3)
		}
	}
	if s.fault != nil {
		return
	}
	switch {
	case t.name == nil:
		s.fail("an input without a name")
	case t.datatype == noType:
		s.fail("input %.40q: no datatype", t.name)
	case t.shape < 0:
		s.fail("input %.40q: no shape", t.name)
	case t.has == (t.binary >= 0):
		s.fail("input %.40q: want data, or binary_data_size among its parameters", t.name)
	case t.has:
		t.to = len(q.values)
		s.stop(q.finish(&t))
	}
	q.inputs = append(q.inputs, t)
}

// shape reads [N] or [N,1].
func (s *scanner) shape(t *tensor) {
	dimensions := 0
	for ok := s.open('[', ']'); ok; ok = s.more(']') {
		n := s.count(1 << 31)
		if dimensions == 0 {
			t.shape = n
		} else if dimensions > 1 || n != 1 {
			s.fail("%s", wantShape)
		}
		dimensions++
	}
	if dimensions == 0 {
		s.fail("%s", wantShape)
	}
}

const wantShape = "shape: want [N] or [N,1], the rows"

// data reads values, or arrays of one value each.
func (q *inference) data(t *tensor) {
	s := &q.scan
	ok := s.open('[', ']')
	if !ok {
		return
	}
	nested := s.next() == '['
	for ; ok; ok = s.more(']') {
		if f := q.room(t, 1); f != nil {
			s.stop(f)
			return
		}
		if !nested {
			q.element(t)
			continue
		}
		if s.open('[', ']') {
			if q.element(t); !s.more(']') {
				continue
			}
		}
		s.fail("want arrays of one value each")
	}
}

func (q *inference) element(t *tensor) {
	s := &q.scan
	c := s.next()
	begin, end := s.at, s.at
	k := kindNull
	switch {
	case c == '"':
		var plain bool
		begin, end, plain = s.quoted()
		if k = kindString; !plain && s.fault == nil {
			q.escaped(t, begin, end)
			return
		}
	case c == '-' || c-'0' <= 9:
		k = kindNumber
		if s.number() {
			k = kindWhole
		}
		end = s.at
	case c == 't' || c == 'f':
		k = kindBool
		s.truth()
		end = s.at
	case c == 'n':
		s.null()
	default:
		s.fail("want a string, a number, true, false or null")
	}
	if end-begin > mostValue {
		s.fail("value too long: want %d bytes at most", q.limits.bytes)
	}
	if s.fault == nil {
		q.values = append(q.values, valueOf(begin, end, k))
		t.seen |= k.set()
	}
}

// escaped adds a string that has escapes.
func (q *inference) escaped(t *tensor, begin, end int) {
	s := &q.scan
	before := len(q.extra)
	text, bad, msg := features.AppendJSONText(q.extra, s.src[begin:end])
	if msg != "" {
		s.at = begin + bad
		s.fail("%s", msg)
		return
	}
	if q.extra = text; len(text)-before > mostValue {
		s.fail("value too long: want %d bytes at most", q.limits.bytes)
		return
	}
	q.add(t, before, kindString)
}

// parameters reads those of an input, or of the request where t is nil. Those
// that mean nothing here are passed over.
func (q *inference) parameters(t *tensor) {
	s := &q.scan
	if s.null() {
		return
	}
	for ok := s.open('{', '}'); ok; ok = s.more('}') {
		switch key := s.key(); {
		case t != nil && string(key) == "binary_data_size":
			t.binary = s.count(1 << 40)
		case t != nil && string(key) == "content_type" && s.next() == '"':
			t.base64 = string(s.str()) == "base64" // MLServer's; what its others say, the datatype does
		case t != nil && string(key) == "shared_memory_region":
			s.fail("%s: not supported here", key)
		case t == nil && string(key) == "binary_data_output":
			q.allBinary = s.truth()
		default:
			s.skip(4)
		}
	}
}
