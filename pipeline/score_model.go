package pipeline

import (
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
}

// ModelScorers gives what ScoreOptions.Scorers wants for a model: Scorers that
// share it. The error says which columns the model needs and a layout lacks.
func ModelScorers(a *models.Artifact, o ScorerOptions) (func() (Scorer, error), error) {
	if a.Spec.HasHistory() {
		return nil, errors.New("a model with history: want files to score, not a topic")
	}
	s := modelScorer{
		model: a.Model, threshold: a.Threshold, comma: o.Comma, sniff: o.Comma == 0,
		schema: a.Spec.Schema.Name,
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
	return func() (Scorer, error) {
		one := s
		one.ex, one.rows = a.Spec.NewExample(), newRowScorer(a.Model, a.Spec)
		one.rows.done = func(row *features.Row, i int, p float64) { one.done(one.batch, one.rows.enc, row, i, p) }
		one.rows.fail = func(i int, err error) { one.batch.Fail(i, keep(err)) }
		return &one, nil
	}, nil
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
	asJSON := isJSON(b.Records[0].Value)
	with := &s.json
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
	s.batch, s.rows.enc = b, with.enc
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
		b.Fail(i, keep(err))
		return
	}
	s.done(b, enc, r, i, s.model.Probability(s.ex))
}

// done keeps the result of a row, unless its label is bad.
func (s *modelScorer) done(b *Batch, enc *features.Encoder, r *features.Row, i int, p float64) {
	y, err := enc.Label(r)
	if err != nil {
		b.Fail(i, keep(err))
		return
	}
	b.IDs[i], b.Y[i], b.P[i] = enc.ID(r), int8(y), p
	b.Done(i)
}

// odd scores a record that does not have the layout of its batch, if it has
// another that is known.
func (s *modelScorer) odd(b *Batch, i int) {
	v := b.Records[i].Value
	if isJSON(v) {
		if err := s.alone(b, i, &s.json); err != nil {
			b.Fail(i, err)
		}
		return
	}
	if len(s.csv) == 0 {
		b.Fail(i, fmt.Errorf("schema %s has no order of columns: want JSON records or --columns", s.schema))
		return
	}
	var first error
	for try := range s.csv {
		at := (s.likely + try) % len(s.csv)
		err := s.alone(b, i, &s.csv[at])
		if err == nil {
			s.likely = at
			return
		}
		if first == nil {
			first = err
		}
	}
	b.Fail(i, first)
}

// alone splits one record as a given layout says, and scores it. It gives an
// error, and does nothing, where the record can't be split so.
func (s *modelScorer) alone(b *Batch, i int, with *bound) error {
	s.spare.Reset(with.layout, "")
	s.spare.Need(with.need)
	s.spare.Append(b.Records[i].Value, s.commaOf(b.Records[i].Value))
	if err := s.spare.Err(0); err != nil {
		return err
	}
	row := s.spare.Row(0)
	s.row(b, i, &row, with.enc)
	if id := b.IDs[i]; id != nil {
		at := len(b.copies)
		b.copies = append(b.copies, id...)
		b.IDs[i] = b.copies[at:len(b.copies):len(b.copies)]
	}
	return nil
}

// keep gives err without pointers into a block that is used again.
func keep(err error) error {
	var re *features.RowError
	if errors.As(err, &re) {
		re.Value = slices.Clone(re.Value)
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
