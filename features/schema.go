package features

import (
	"fmt"
	"slices"
)

// Kind is what a column of the input is for.
type Kind uint8

// The kinds of a column. Their names in a schema file are their lower-case
// spellings: ignore, category, number, time, label, id, weight.
const (
	Ignore   Kind = iota // read past
	Category             // a value that is one of many; any bytes
	Number               // a decimal number; empty means missing
	Time                 // YYMMDDHH or YYYY-MM-DD[ HH:MM:SS], UTC
	Label                // 0 or 1, 1 = click
	ID                   // names the row in the output
	Weight               // a positive number that multiplies the row's loss
)

var kindNames = [...]string{"ignore", "category", "number", "time", "label", "id", "weight"}

// String gives the name of k in a schema file.
func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return fmt.Sprintf("kind(%d)", uint8(k))
}

// MarshalText gives k's name.
func (k Kind) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// UnmarshalText reads a name that MarshalText gave.
func (k *Kind) UnmarshalText(text []byte) error {
	i := slices.Index(kindNames[:], string(text))
	if i < 0 {
		return fmt.Errorf("kind %q: want one of %v", text, kindNames)
	}
	*k = Kind(i)
	return nil
}

// Column is one column of the input.
type Column struct {
	Name string `json:"name" yaml:"name"`
	Kind Kind   `json:"kind" yaml:"kind"`
}

// Schema says what the columns of a kind of data are, wherever in a file each
// of them stands. It is immutable once made.
type Schema struct {
	// Name is "avazu", "criteo" or what a schema file says.
	Name string `json:"name" yaml:"name"`
	// Columns are all known columns. A column of the input that is not among
	// them is read past. At most one is a Time, a Label, an ID, a Weight.
	Columns []Column `json:"columns" yaml:"columns"`
	// Comma separates fields: ',' or '\t'.
	Comma byte `json:"comma" yaml:"-"`
	// Layouts are the orders of columns that input without a header may
	// have; the one with as many columns as the first row is taken.
	Layouts []Layout `json:"layouts,omitempty" yaml:"layouts,omitempty"`
}

// Layout is the order of the columns in one input: a name for each field of a
// row. A name that the schema does not know is read past.
type Layout []string

// Index gives the position of the column name, or -1.
func (l Layout) Index(name string) int { return slices.Index(l, name) }

// Find gives the first column of kind k, or "".
func (s *Schema) Find(k Kind) string {
	for _, c := range s.Columns {
		if c.Kind == k {
			return c.Name
		}
	}
	return ""
}

// Kind gives the kind of the column name: Ignore where it is unknown.
func (s *Schema) Kind(name string) Kind {
	for _, c := range s.Columns {
		if c.Name == name {
			return c.Kind
		}
	}
	return Ignore
}

// OfTime reports whether a column is the time, or a name for a part of it.
func (s *Schema) OfTime(name string) bool { return s.Kind(name) == Time || s.part(name) > 0 }
