package pipeline

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"time"

	"ctr/features"
	"ctr/models"
)

// ScorerOptions say how records become rows of a model.
type ScorerOptions struct {
	// Columns is the order of the columns of CSV records. Where it is empty,
	// each record has whichever of the schema's layouts has as many columns.
	// JSON records name their columns themselves.
	Columns features.Layout
	// Comma separates the fields of CSV records. With 0, it is the schema's,
	// or tab in records that have tabs and no comma, or the other way round.
	Comma byte
	// Threshold, where not nil, replaces the model's.
	Threshold *float64
	// Redact are columns whose values are left out of the reasons why records
	// are bad, beside those that the model redacts; features.AllColumns stands
	// for all.
	Redact []string
}

// Redacts reports whether values of a column are left out when a model scores.
func (o *ScorerOptions) Redacts(a *models.Artifact, column string) bool {
	return redacts(o.Redact, column) || a.Spec.Redacts(column)
}

// ModelScorers gives what ScoreOptions.Scorers wants for a model: Scorers that
// share it. The error says which columns the model needs and a layout lacks.
func ModelScorers(a *models.Artifact, o ScorerOptions) (func() (Scorer, error), error) {
	s, err := newModelScorer(a, o)
	if err != nil {
		return nil, err
	}
	return func() (Scorer, error) { return s.clone(a), nil }, nil
}

// newModelScorer gives what Scorers of a model have in common.
func newModelScorer(a *models.Artifact, o ScorerOptions) (*modelScorer, error) {
	s := &modelScorer{
		model: a.Model, threshold: a.Threshold, comma: o.Comma, sniff: o.Comma == 0,
		schema: a.Spec.Schema.Name, redacts: func(column string) bool { return o.Redacts(a, column) },
	}
	for _, name := range o.Redact {
		known := func(c features.Column) bool { return c.Name == name }
		if name != features.AllColumns && !slices.ContainsFunc(a.Spec.Schema.Columns, known) {
			return nil, &OptionError{Faults: []string{fmt.Sprintf("redact: column %s: want a column of schema %s, or %s", name, s.schema, features.AllColumns)}}
		}
	}
	if o.Threshold != nil {
		s.threshold = *o.Threshold
	}
	if s.comma == 0 {
		s.comma = a.Spec.Schema.Comma
	}
	if s.comma == 0 {
		s.comma = ','
	}
	layouts := a.Spec.Schema.Layouts
	if len(o.Columns) > 0 {
		layouts = []features.Layout{o.Columns}
	}
	var errs []error
	for _, l := range layouts {
		enc, err := a.Spec.Encoder(l)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		s.csv = append(s.csv, bound{l, enc, nil})
	}
	if len(s.csv) == 0 && len(errs) > 0 {
		return nil, errs[0]
	}
	var names features.Layout
	for _, c := range a.Spec.Schema.Columns {
		names = append(names, c.Name)
	}
	enc, err := a.Spec.Encoder(names)
	if err != nil {
		return nil, err
	}
	s.json = bound{names, enc, enc.Needs()}
	return s, nil
}

// clone gives a Scorer of its own to a thread.
func (s *modelScorer) clone(a *models.Artifact) *modelScorer {
	one := *s
	one.ex, one.rows = a.Spec.NewExample(), newRowScorer(a.Model, a.Spec)
	one.rows.done = func(row *features.Row, i int, p float64) { one.done(one.batch, one.rows.enc, row, i, p) }
	one.rows.fail = func(i int, err error) { one.batch.Fail(i, one.keep(err)) }
	return &one
}

// bound is a layout and the encoder for it.
type bound struct {
	layout features.Layout
	enc    *features.Encoder
	need   []bool // what a JSON record must have
}

// modelScorer scores records with a model. Records of a topic commonly have
// one layout, so a batch is split as its first record asks; the odd ones out
// are done one by one.
type modelScorer struct {
	model     models.Model
	threshold float64
	schema    string
	redacts   func(column string) bool
	comma     byte
	sniff     bool    // a record may be separated otherwise than by comma
	csv       []bound // for CSV records, each with another number of columns
	json      bound

	// What follows is this thread's own.
	ex     *features.Example
	rows   *rowScorer
	batch  *Batch         // that rows are of
	likely int            // of csv: that of the last CSV record that was odd
	spare  features.Block // one odd record
}

// Score implements Scorer.
func (s *modelScorer) Score(b *Batch) {
	b.Begin(s.threshold)
	b.Scored = time.Now()
	with := s.split(b)
	if b.history != nil {
		s.readKeys(b, with)
		b.history.count(b)
	}
	s.batch, s.rows.enc, b.Encoder = b, with.enc, with.enc
	bad := b.Rows.Bad()
	for i := range b.Records {
		if bad && b.Rows.Err(i) != nil {
			s.rows.flush(&b.Rows) // so that bad records come in order
			s.odd(b, i)
			continue
		}
		s.rows.add(&b.Rows, i)
	}
	s.rows.flush(&b.Rows)
}

// split splits the records of b as the first of them asks.
func (s *modelScorer) split(b *Batch) (with *bound) {
	asJSON := isJSON(b.Records[0].Value)
	with = &s.json
	if !asJSON && len(s.csv) > 0 {
		with = &s.csv[s.likely]
	}
	b.Rows.Reset(with.layout, "")
	b.Rows.Need(with.need)
	for i := range b.Records {
		v := b.Records[i].Value
		if isJSON(v) != asJSON {
			v = nil // keeps the row's place; done as an odd one
		}
		b.Rows.Append(v, s.commaOf(v))
	}
	return with
}

// readKeys reads the keys of history fields of all records that can be split,
// the odd ones too.
func (s *modelScorer) readKeys(b *Batch, with *bound) {
	with.enc.ReadKeys(&b.Rows)
	if !b.Rows.Bad() {
		return
	}
	for i := range b.Records {
		if b.Rows.Err(i) == nil {
			continue
		}
		if odd, err := s.splitOdd(b.Records[i].Value); err == nil {
			odd.enc.ReadKeys(&s.spare)
			b.Rows.CopyKeys(i, &s.spare, 0)
		}
	}
}

// commaOf gives what separates the fields of a record.
func (s *modelScorer) commaOf(record []byte) byte {
	if !s.sniff {
		return s.comma
	}
	return features.CommaOf(record, s.comma)
}

// row scores one row that was split.
func (s *modelScorer) row(b *Batch, i int, r *features.Row, enc *features.Encoder) {
	if err := enc.Encode(r, s.ex); err != nil {
		b.Fail(i, s.keep(err))
		return
	}
	s.done(b, enc, r, i, s.model.Probability(s.ex))
}

// done keeps the result of a row, unless its label is bad.
func (s *modelScorer) done(b *Batch, enc *features.Encoder, r *features.Row, i int, p float64) {
	y, err := enc.Label(r)
	if err != nil {
		b.Fail(i, s.keep(err))
		return
	}
	b.IDs[i], b.Y[i], b.P[i] = enc.ID(r), int8(y), p
	b.Done(i)
}

// odd scores a record that does not have the layout of its batch, if it has
// another that is known.
func (s *modelScorer) odd(b *Batch, i int) {
	with, err := s.splitOdd(b.Records[i].Value)
	if err != nil {
		b.Fail(i, cmp.Or(framed(b.Records[i].Value), s.keep(err)))
		return
	}
	if b.history != nil {
		s.spare.CopyPast(0, &b.Rows, i)
	}
	row := s.spare.Row(0)
	s.row(b, i, &row, with.enc)
	if id := b.IDs[i]; id != nil {
		at := len(b.copies)
		b.copies = append(b.copies, id...)
		b.IDs[i] = b.copies[at:len(b.copies):len(b.copies)]
	}
}

// splitOdd splits a record into s.spare by whichever layout fits it.
func (s *modelScorer) splitOdd(record []byte) (with *bound, err error) {
	if isJSON(record) {
		return &s.json, s.alone(record, &s.json)
	}
	if len(s.csv) == 0 {
		return nil, fmt.Errorf("schema %s has no order of columns: want JSON records or --columns", s.schema)
	}
	var first error
	for try := range s.csv {
		at := (s.likely + try) % len(s.csv)
		err := s.alone(record, &s.csv[at])
		if err == nil {
			s.likely = at
			return &s.csv[at], nil
		}
		if first == nil {
			first = err
		}
	}
	return nil, first
}

// alone splits one record into s.spare as a given layout says.
func (s *modelScorer) alone(record []byte, with *bound) error {
	s.spare.Reset(with.layout, "")
	s.spare.Need(with.need)
	s.spare.Append(record, s.commaOf(record))
	return s.spare.Err(0)
}

// framed gives an error for a value that is framed as a schema registry's
// clients frame Avro, Protobuf and JSON Schema (Confluent's wire format: a zero
// byte and the schema's id in four).
func framed(value []byte) error {
	if len(value) < 6 || value[0] != 0 {
		return nil
	}
	return fmt.Errorf("looks like Avro or Protobuf in a schema registry's framing (a zero byte and schema id %d): want CSV or JSON",
		binary.BigEndian.Uint32(value[1:]))
}

// keep gives err without pointers into a block that is used again.
func (s *modelScorer) keep(err error) error {
	var re *features.RowError
	if errors.As(err, &re) {
		re.Value = slices.Clone(re.Value)
		if s.redacts(re.Column) {
			re.Value = nil
		}
	}
	return err
}

// isJSON reports whether a record is a JSON object, as Block.Append does.
func isJSON(record []byte) bool {
	for _, c := range record {
		switch c {
		case ' ', '\t', '\r', '\n':
			continue
		}
		return c == '{'
	}
	return false
}
