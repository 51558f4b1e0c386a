package features

import (
	"fmt"
	"slices"
)

// DefaultRedactBits is the size of the table that redacted columns are hashed
// into where nothing else is said, 2^20 codes: the millions of addresses of a
// day's rows share them by sixes, of which few come often, and linear weights
// take 8 MiB.
const DefaultRedactBits = 20

// Redacts reports whether the values of a column must not be shown.
func (s *Spec) Redacts(column string) bool { return slices.Contains(s.Redacted, column) }

// redact takes o.Redact and gives what is wrong with it.
func (p *Plan) redact(o PlanOptions) error {
	for _, name := range o.Redact {
		known := func(c Column) bool { return c.Name == name }
		if !slices.ContainsFunc(p.Schema.Columns, known) {
			return fmt.Errorf("redact: column %s: want a column of schema %s", name, p.Schema.Name)
		}
		if p.Schema.Kind(name) == Time {
			return fmt.Errorf("redact: column %s: the time, whose hours every model holds: want another column", name)
		}
	}
	p.Redacted, p.unhashed = unique(o.Redact), o.Unhashed
	return nil
}

// hidden reports whether any of the columns that a field is made of has values
// that must not get into the Spec.
func (p *Plan) hidden(from []string) bool {
	return !p.unhashed && slices.ContainsFunc(from, func(name string) bool { return slices.Contains(p.Redacted, name) })
}

// redactFaults reports fields that hold values of redacted columns.
func (f *Field) redactFaults(s *Spec) (faults []string) {
	if f.Past != NoPast || !slices.ContainsFunc(f.From, s.Redacts) {
		return nil // a history field has counts alone
	}
	if f.Type != Hash || f.Cap != nil {
		faults = append(faults, "of a redacted column: want it hashed, without a cap")
	}
	return faults
}
