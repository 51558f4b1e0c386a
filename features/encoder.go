package features

import (
	"fmt"
	"math"
)

// crossJoin stands between the values of a cross.
const crossJoin = 0x1F

// Example is one encoded row: a code a field and, for Num fields, a value (NaN
// = missing; NaN also for the fields of other types). It belongs to one
// goroutine, which reuses it.
type Example struct {
	Codes  []uint32
	Values []float64

	scratch scratch
}

// scratch is what an Encoder keeps between rows in the caller's Example: the
// last hour and what became of it, since rows of one hour come together, and
// room to join values of crosses.
type scratch struct {
	owner *Encoder
	time  [24]byte // the time column as last read
	size  int      // its length; 0 = none yet
	hour  Hour     // what it says
	codes []uint32 // the code of each op that takes a part of the time
	text  []byte

	touched uint32 // keeps EncodeRows' early reads alive
}

// NewExample gives an Example for s's fields.
func (s *Spec) NewExample() *Example {
	ex := &Example{Codes: make([]uint32, len(s.Fields)), Values: make([]float64, len(s.Fields))}
	for i := range ex.Values {
		ex.Values[i] = math.NaN()
	}
	ex.scratch.codes = make([]uint32, len(s.Fields))
	return ex
}

// Encoder turns rows of one layout into Examples. It is immutable and safe
// for concurrent use with an Example for each goroutine.
//
// It does for one row at a time what fitting did for columns; TestFitIsEncode
// holds the two together.
type Encoder struct {
	spec                    *Spec
	ops                     []op
	id, label, time, weight int // columns; -1 where the layout has none
	timeName, labelName     string
	parts                   bool  // any op takes a part of the time
	slow                    []int // the ops that are more than one look-up
	width                   int   // of the layout
	history                 []historyKey
}

// op is a Field made ready for one layout.
type op struct {
	kind  opKind
	col   int
	seed  uint32
	mask  uint32
	dict  *Dictionary
	field *Field
	// offset is where the field's codes begin in a table of all codes
	offset uint32
	// cap's number and its text
	limit   float64
	capped  bool
	capText []byte
	// cols are the columns of a cross; -i stands for parts[i] of the time.
	cols  []int
	parts bool // any of cols is a part of the time
}

type opKind uint8

const (
	opDict opKind = iota
	opHash
	opNum
	opPart // a part of the time
	opPast // of earlier rows
	opText // a cross or a capped value: its text must be made first
	opCast // a look-up, and another one of what a value is cast to
	opBin  // the bin of a number, as a category
)

// Encoder binds s to a layout. It reports the columns that s needs and the
// layout has not got.
func (s *Spec) Encoder(layout Layout) (*Encoder, error) {
	e := &Encoder{spec: s, width: len(layout)}
	at := func(k Kind) int {
		if name := s.Schema.Find(k); name != "" {
			return layout.Index(name)
		}
		return -1
	}
	e.id, e.label, e.time, e.weight = at(ID), at(Label), at(Time), at(Weight)
	e.timeName, e.labelName = s.Schema.Find(Time), s.Schema.Find(Label)
	var missing []string
	offsets := make([]int, len(s.Fields))
	if s.fitted() {
		offsets, _ = s.Offsets()
	}
	for f := range s.Fields {
		o, lost := s.op(f, layout)
		o.offset = uint32(offsets[f])
		missing = append(missing, lost...)
		e.ops = append(e.ops, o)
		e.parts = e.parts || o.kind == opPart || o.parts
		if o.kind != opDict && o.kind != opHash && o.kind != opCast {
			e.slow = append(e.slow, f)
		}
	}
	if len(missing) > 0 {
		return nil, WithHint(
			fmt.Errorf("columns %v: the model needs them and the rows have not got them", unique(missing)),
			"the model was trained on other columns; `ctr inspect` lists them, and --columns names those of rows without a header")
	}
	e.bindHistory()
	return e, nil
}

// op makes field f ready and gives the names of the columns it lacks.
func (s *Spec) op(f int, layout Layout) (o op, missing []string) {
	fd := &s.Fields[f]
	o = op{field: fd, dict: fd.Dict, seed: fd.Seed, mask: 1<<s.Bits - 1}
	for _, name := range fd.From {
		c := layout.Index(name)
		if p := s.Schema.part(name); p > 0 && (len(fd.From) > 1 || fd.Past != NoPast) {
			c, name = -p, s.Schema.Find(Time)
			if layout.Index(name) < 0 {
				missing = append(missing, name)
			}
			o.parts = true
		} else if c < 0 {
			missing = append(missing, name)
		}
		o.cols = append(o.cols, c)
	}
	o.col = max(o.cols[0], 0)
	if fd.Cap != nil {
		o.capped, o.limit, o.capText = true, *fd.Cap, appendNumber(nil, *fd.Cap)
	}
	switch {
	case fd.Past != NoPast:
		o.kind = opPast
		if name := s.Schema.Find(Time); layout.Index(name) < 0 {
			missing = append(missing, name)
		}
	case fd.Type == Num:
		o.kind = opNum
	case fd.Part != Whole:
		o.kind = opPart
	case fd.Cast == CastBin:
		o.kind = opBin
	case fd.Cast != AsRead:
		o.kind = opCast
	case len(o.cols) > 1 || o.capped:
		o.kind = opText
	case fd.Type == Dict:
		o.kind = opDict
	default:
		o.kind = opHash
	}
	return o, missing
}

// Encode writes the codes and values of row r to ex. An error is a *RowError
// that names the column and its value; ex is then undefined.
func (e *Encoder) Encode(r *Row, ex *Example) error {
	if e.parts {
		if err := e.encodeTime(r, ex); err != nil {
			return err
		}
	}
	for i := range e.ops {
		o := &e.ops[i]
		switch o.kind {
		case opDict:
			at := r.bounds[o.col]
			ex.Codes[i] = o.dict.codeAt(r.data, uint32(at), uint32(at>>32))
		case opHash:
			ex.Codes[i] = Murmur3(r.Field(o.col), o.seed) & o.mask
		case opCast:
			ex.Codes[i] = o.castCode(r.Field(o.col))
		default:
			if err := o.encode(i, r, ex); err != nil {
				return err
			}
		}
	}
	return nil
}

// encode does field i of a kind that is not one look-up.
func (o *op) encode(i int, r *Row, ex *Example) error {
	switch o.kind {
	case opPart:
		ex.Codes[i] = ex.scratch.codes[i]
	case opPast:
		return o.encodePast(i, r, ex)
	case opNum:
		x, ok := ParseNumber(r.Field(o.col))
		if !ok {
			return &RowError{Column: o.field.From[0], Value: r.Field(o.col), Msg: wantNumber}
		}
		if o.capped && x > o.limit {
			x = o.limit
		}
		ex.Codes[i], ex.Values[i] = binOf(o.field.Bounds, x), x
	case opBin:
		x, ok := ParseNumber(r.Field(o.col))
		if !ok {
			return &RowError{Column: o.field.From[0], Value: r.Field(o.col), Msg: wantNumber}
		}
		ex.Codes[i] = o.binCode(x)
	default:
		ex.scratch.text = o.appendText(ex.scratch.text[:0], r, ex.scratch.hour)
		ex.Codes[i] = o.code(ex.scratch.text)
	}
	return nil
}

// encodeTime fills ex.scratch.codes for the ops that take parts of the time.
func (e *Encoder) encodeTime(r *Row, ex *Example) error {
	sc := &ex.scratch
	v := r.Field(e.time)
	if sc.owner == e && sc.size == len(v) && string(sc.time[:sc.size]) == string(v) {
		return nil
	}
	h, ok := ParseHour(v)
	if !ok {
		return &RowError{Column: e.timeName, Value: v, Msg: wantHour}
	}
	for i := range e.ops {
		if o := &e.ops[i]; o.kind == opPart {
			sc.text = h.appendPart(sc.text[:0], o.field.Part)
			sc.codes[i] = o.code(sc.text)
		}
	}
	sc.owner, sc.hour, sc.size = e, h, copy(sc.time[:], v)
	return nil
}

const wantNumber = "want a number or nothing"

const wantHour = "want an hour as YYMMDDHH or YYYY-MM-DD[ HH:MM:SS]"

// code gives the code of a text.
func (o *op) code(v []byte) uint32 {
	if o.dict != nil {
		return o.dict.Code(v)
	}
	return Murmur3(v, o.seed) & o.mask
}

// appendText appends the value of an opText: the capped number or the joined
// values of a cross.
func (o *op) appendText(dst []byte, r *Row, h Hour) []byte {
	if len(o.cols) == 1 {
		return o.appendCapped(dst, r.Field(o.col))
	}
	for i, c := range o.cols {
		if i > 0 {
			dst = append(dst, crossJoin)
		}
		if c < 0 {
			dst = h.appendPart(dst, timeParts[-c])
			continue
		}
		dst = append(dst, r.Field(c)...)
	}
	return dst
}

// appendCapped appends v, or the cap's text where v is a greater number.
func (o *op) appendCapped(dst, v []byte) []byte {
	if x, ok := ParseNumber(v); ok && x > o.limit {
		return append(dst, o.capText...)
	}
	return append(dst, v...)
}

// Needs reports for each column of the layout whether Encode reads it.
func (e *Encoder) Needs() []bool {
	out := make([]bool, e.width)
	for i := range e.ops {
		for _, c := range e.ops[i].cols {
			if c >= 0 {
				out[c] = true
			}
		}
	}
	if e.parts || e.HasHistory() {
		out[e.time] = true
	}
	return out
}

// NewExample gives an Example for this encoder.
func (e *Encoder) NewExample() *Example { return e.spec.NewExample() }

// Spec gives what the encoder was made of.
func (e *Encoder) Spec() *Spec { return e.spec }

// HasLabel reports whether rows of the layout have a label column.
func (e *Encoder) HasLabel() bool { return e.label >= 0 }

// Label gives the label of row r: 0 or 1, or -1 where it has none (no such
// column, or nothing in it). Anything else is a *RowError.
func (e *Encoder) Label(r *Row) (int, error) {
	if e.label < 0 {
		return -1, nil
	}
	v := r.Field(e.label)
	if len(v) == 0 {
		return -1, nil
	}
	if len(v) == 1 && (v[0] == '0' || v[0] == '1') {
		return int(v[0] - '0'), nil
	}
	return -1, &RowError{Column: e.labelName, Value: v, Msg: wantLabel}
}

const wantLabel = "want 0 or 1"

// ID gives the name of row r, nil where the layout has none. It is valid
// until the row's block is reused.
func (e *Encoder) ID(r *Row) []byte {
	if e.id < 0 {
		return nil
	}
	return r.Field(e.id)
}

// Hour gives the time of row r; ok is false where the layout has no time
// column. A value that is no time is a *RowError.
func (e *Encoder) Hour(r *Row) (h Hour, ok bool, err error) {
	if e.time < 0 {
		return 0, false, nil
	}
	v := r.Field(e.time)
	h, ok = ParseHour(v)
	if !ok {
		return 0, false, &RowError{Column: e.timeName, Value: v, Msg: wantHour}
	}
	return h, true, nil
}

// Time gives the text of the time of row r. There must be a time column.
func (e *Encoder) Time(r *Row) []byte { return r.Field(e.time) }

// HasTime reports whether rows of the layout have a time column.
func (e *Encoder) HasTime() bool { return e.time >= 0 }

// NoLabel gives the error for a row that needs a label and has none.
func (e *Encoder) NoLabel() error {
	return &RowError{Column: e.labelName, Value: []byte{}, Msg: wantLabel}
}

// HasWeight reports whether rows of the layout have a weight column.
func (e *Encoder) HasWeight() bool { return e.weight >= 0 }

// Weight gives the weight of row r; ok is false where the layout has none. A
// value that is no number above 0 is a *RowError.
func (e *Encoder) Weight(r *Row) (w float64, ok bool, err error) {
	if e.weight < 0 {
		return 1, false, nil
	}
	v := r.Field(e.weight)
	if w, ok = goodWeight(v); !ok {
		return 0, false, &RowError{Column: e.spec.Schema.Find(Weight), Value: v, Msg: "want a number above 0"}
	}
	return w, true, nil
}

// goodWeight reads a weight: a finite number above 0. It gives 0 for anything
// else.
func goodWeight(v []byte) (w float64, ok bool) {
	w, ok = ParseNumber(v)
	if !ok || !(w > 0) || math.IsInf(w, 0) {
		return 0, false
	}
	return w, true
}
