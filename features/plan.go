package features

import (
	"fmt"
	"slices"
	"strings"
)

// Limits of a Plan.
const (
	MaxBits = 30
	// MaxBins keeps a number's codes, with the missing one, in a byte.
	MaxBins = 255
)

// PlanOptions says which columns become fields, and how. The zero value takes
// every column that the schema has a use for, as it stands.
type PlanOptions struct {
	// Include, where not empty, names the only columns to use, in this
	// order; Exclude names some to leave out. The parts of the time column
	// (hour_time, day, dayofweek, month) are columns here.
	Include, Exclude []string
	// Crosses are columns (parts of the time too) to join into one field each.
	Crosses [][]string
	// Pairs are lists of columns of which every pair is crossed that is not
	// among Crosses; a list of the one word AllColumns stands for all columns
	// that become fields.
	Pairs [][]string
	// MinCount is how many training rows a value needs to get a code of its
	// own; 0 means 1.
	MinCount int
	// Bits, where not 0, hashes all categories into 2^Bits codes.
	Bits int
	// Redact are columns whose values must not get into the Spec: fields made
	// of them, numbers and crosses too, are hashed, into 2^Bits codes or, where
	// Bits is 0, 2^DefaultRedactBits.
	Redact []string
	// Unhashed has columns of Redact taken as others are: for a Plan whose Spec
	// is not kept.
	Unhashed bool
	// Bins is the largest number of bins of a number, 2 … MaxBins; 0 means
	// one for 500 training rows, from 16 to 64. (On 7,000 of Criteo's rows
	// logistic regression loses .002 of log loss with 64 bins.)
	Bins int
	// Values has linear models weigh numbers themselves and not their bins.
	Values bool
	// Caps are columns whose numbers are capped at the 0.98 quantile of the
	// training rows where that is less than half of their maximum.
	Caps []string
	// History are keys, each a column or several (parts of the time too), of
	// whose earlier rows three fields tell: Count, CountHour and Since. They
	// need a time column.
	History [][]string
	// HistoryBits is the size of the State's table, 2^HistoryBits keys; 0
	// means DefaultHistoryBits.
	HistoryBits int
}

// Plan is what to learn of the columns of a layout. Collector.Fit makes a Spec
// of it.
type Plan struct {
	Schema *Schema
	Fields []Field // not fitted: no dictionaries, bounds or caps
	Bits   int
	Bins   int // 0 = by the number of rows
	// HistoryBits and Redacted are the Spec's.
	HistoryBits int
	Redacted    []string
	unhashed    bool   // PlanOptions.Unhashed
	caps        []bool // by field
}

// defaultParts are the parts of the time that a Plan takes unasked. A model
// that is used after the days it was trained on gains nothing from their
// numbers.
var defaultParts = []Part{HourTime}

// NewPlan decides on the fields. It reports names that the schema or the
// layout has not got, all at once.
func NewPlan(s *Schema, layout Layout, o PlanOptions) (*Plan, error) {
	if faults := o.validate(); len(faults) > 0 {
		return nil, fmt.Errorf("%s", strings.Join(faults, "; "))
	}
	p := &Plan{Schema: s, Bits: o.Bits, Bins: o.Bins}
	if err := p.redact(o); err != nil {
		return nil, err
	}
	usable := usableColumns(s, layout)
	names := o.Include
	if len(names) == 0 {
		names = defaultColumns(s, layout)
	}
	var unknown []string
	known := func(name string) bool {
		if slices.Contains(usable, name) {
			return true
		}
		unknown = append(unknown, name)
		return false
	}
	for _, name := range o.Exclude {
		known(name)
	}
	for _, name := range names {
		if known(name) && !slices.Contains(o.Exclude, name) {
			p.add(p.plain(name, o))
		}
	}
	all, err := allCrosses(o, p.Fields)
	if err != nil {
		return nil, err
	}
	for _, cross := range all {
		ok := len(cross) > 1
		for _, name := range cross {
			ok = known(name) && ok
		}
		if ok {
			p.add(p.cross(cross, o))
		} else if len(cross) < 2 {
			return nil, fmt.Errorf("cross %s: want two columns or more", strings.Join(cross, ","))
		}
	}
	for _, key := range o.History {
		for _, name := range key {
			known(name)
		}
	}
	if len(unknown) > 0 {
		return nil, fmt.Errorf("columns %v: want some of %v", unique(unknown), usable)
	}
	if len(p.Fields) == 0 {
		return nil, fmt.Errorf("no columns are left to learn from")
	}
	if err := p.history(layout, o); err != nil {
		return nil, err
	}
	for _, f := range p.Fields {
		p.caps = append(p.caps, len(f.From) == 1 && f.Part == Whole && f.Past == NoPast && slices.Contains(o.Caps, f.Name) && !p.hidden(f.From))
	}
	return p, nil
}

// history adds the history fields.
func (p *Plan) history(layout Layout, o PlanOptions) error {
	if len(o.History) == 0 {
		return nil
	}
	if name := p.Schema.Find(Time); name == "" || layout.Index(name) < 0 {
		return fmt.Errorf("history: no time column: want one to put rows in order by")
	}
	for _, key := range o.History {
		for _, part := range pasts {
			p.add(historyField(key, part))
		}
	}
	if p.HistoryBits = o.HistoryBits; p.HistoryBits == 0 {
		p.HistoryBits = DefaultHistoryBits
	}
	return nil
}

func (o *PlanOptions) validate() (faults []string) {
	if o.MinCount < 0 {
		faults = append(faults, fmt.Sprintf("min-count %d: want 1 or more", o.MinCount))
	}
	if o.Bits < 0 || o.Bits > MaxBits {
		faults = append(faults, fmt.Sprintf("bits %d: want 1 … %d, or 0 for dictionaries", o.Bits, MaxBits))
	}
	if o.Bins != 0 && (o.Bins < 2 || o.Bins > MaxBins) {
		faults = append(faults, fmt.Sprintf("bins %d: want 2 … %d", o.Bins, MaxBins))
	}
	if o.HistoryBits != 0 && (o.HistoryBits < MinHistoryBits || o.HistoryBits > MaxHistoryBits) {
		faults = append(faults, fmt.Sprintf("history-bits %d: want %d … %d", o.HistoryBits, MinHistoryBits, MaxHistoryBits))
	}
	return faults
}

// defaultColumns are the layout's categories and numbers and, of its time, the
// default parts.
func defaultColumns(s *Schema, layout Layout) []string {
	return columnsOf(s, layout, func(string) []Part { return defaultParts })
}

// usableColumns are all that Include may name: the time as a whole too, as a
// category.
func usableColumns(s *Schema, layout Layout) []string {
	return columnsOf(s, layout, func(name string) []Part {
		return append([]Part{Part(name)}, timeParts[1:]...)
	})
}

// columnsOf are the layout's categories and numbers, in its order, with what
// ofTime gives in the place of its time.
func columnsOf(s *Schema, layout Layout, ofTime func(name string) []Part) []string {
	var names []string
	for _, name := range layout {
		switch s.Kind(name) {
		case Category, Number:
			names = append(names, name)
		case Time:
			for _, p := range ofTime(name) {
				names = append(names, string(p))
			}
		}
	}
	return names
}

func (p *Plan) add(f Field) {
	if !slices.ContainsFunc(p.Fields, func(g Field) bool { return g.Name == f.Name }) {
		p.Fields = append(p.Fields, f)
	}
}

// plain is the field of one column or part of the time.
func (p *Plan) plain(name string, o PlanOptions) Field {
	f := Field{Name: name, From: []string{name}}
	if i := p.Schema.part(name); i > 0 {
		f.From, f.Part = []string{p.Schema.Find(Time)}, timeParts[i]
	}
	if p.Schema.Kind(name) == Number && !p.hidden(f.From) {
		f.Type, f.Values = Num, o.Values
		return f
	}
	p.category(&f, o)
	return f
}

// cross is the field of several columns joined.
func (p *Plan) cross(names []string, o PlanOptions) Field {
	f := Field{Name: strings.Join(names, "*"), From: slices.Clone(names)}
	p.category(&f, o)
	return f
}

func (p *Plan) category(f *Field, o PlanOptions) {
	hidden := p.hidden(f.From)
	if hidden && p.Bits == 0 {
		p.Bits = DefaultRedactBits
	}
	if hidden || o.Bits > 0 {
		f.Type, f.Seed = Hash, Murmur3([]byte(f.Name), 0)
		return
	}
	f.Type, f.MinCount = Dict, max(o.MinCount, 1)
}

// bins gives the number of bins for so many training rows.
func (p *Plan) bins(rows int) int {
	if p.Bins > 0 {
		return p.Bins
	}
	return min(max(rows/500, 16), 64)
}

// Spec gives the Spec of a plan that needs no look at the rows: every field is
// hashed and none is capped. ok is false for any other.
func (p *Plan) Spec() (s *Spec, ok bool) {
	for i, f := range p.Fields {
		if f.Type != Hash || p.caps[i] {
			return nil, false
		}
	}
	return &Spec{Schema: *p.Schema, Fields: slices.Clone(p.Fields), Bits: p.Bits, Redacted: p.Redacted}, true
}
