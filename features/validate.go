package features

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// Validate checks a Spec that came from a file: every field can be encoded,
// its dictionary or bounds are there and in order. It reports all faults.
func (s *Spec) Validate() error {
	var faults []string
	fault := func(format string, a ...any) { faults = append(faults, fmt.Sprintf(format, a...)) }
	if len(s.Fields) == 0 {
		fault("no fields")
	}
	if s.Bits < 0 || s.Bits > MaxBits {
		fault("bits %d: want 0 … %d", s.Bits, MaxBits)
	}
	if c := s.Schema.Comma; c == '"' || c == '\r' || c == '\n' {
		fault("schema: separator %q: want a byte that is no quote and no line end", c)
	}
	names := map[string]bool{}
	for i := range s.Fields {
		f := &s.Fields[i]
		if f.Name == "" || names[f.Name] {
			fault("field %d: name %q: want one of its own", i, f.Name)
		}
		names[f.Name] = true
		for _, what := range f.faults(s) {
			fault("field %s: %s", f.Name, what)
		}
	}
	if len(faults) > 0 {
		return fmt.Errorf("spec: %s", strings.Join(faults, "; "))
	}
	return nil
}

func (f *Field) faults(s *Spec) (faults []string) {
	if len(f.From) == 0 || slices.Contains(f.From, "") {
		faults = append(faults, "no column to read from")
	}
	if f.Part != Whole && (partIndex(string(f.Part)) == 0 || len(f.From) != 1 || f.From[0] != s.Schema.Find(Time)) {
		faults = append(faults, fmt.Sprintf("part %q: want a part of the time column", f.Part))
	}
	if f.Cap != nil && (math.IsNaN(*f.Cap) || math.IsInf(*f.Cap, 0) || len(f.From) > 1 && f.Past == NoPast || f.Part != Whole) {
		faults = append(faults, "cap: want a finite number on one column")
	}
	if len(f.From) > 1 && s.Schema.Find(Time) == "" {
		for _, name := range f.From {
			if s.Schema.part(name) > 0 {
				faults = append(faults, name+": want a part of the time column")
			}
		}
	}
	if f.Past != NoPast {
		faults = append(faults, f.historyFaults(s)...)
	}
	faults = append(faults, f.castFaults()...)
	switch f.Type {
	case Dict:
		if f.Dict == nil {
			faults = append(faults, "no dictionary")
		}
	case Hash:
		if s.Bits == 0 {
			faults = append(faults, "hashed without bits")
		}
	case Num:
		if what := boundsFault(f.Bounds); what != "" {
			faults = append(faults, what)
		}
		if math.IsNaN(f.Mean) || math.IsInf(f.Mean, 0) || !(f.Scale > 0) || math.IsInf(f.Scale, 0) {
			faults = append(faults, "mean and scale: want finite ones, scale above 0")
		}
		if f.Past == NoPast && (len(f.From) > 1 || f.Part != Whole) {
			faults = append(faults, "number of several columns")
		}
	default:
		faults = append(faults, fmt.Sprintf("type %q: want dict, hash or num", f.Type))
	}
	return faults
}

// boundsFault is what is wrong with the bounds of bins, "" where nothing is.
func boundsFault(bounds []float64) string {
	if !slices.IsSortedFunc(bounds, strictly) || len(bounds) >= MaxBins || slices.ContainsFunc(bounds, func(b float64) bool { return math.IsNaN(b) || math.IsInf(b, 0) }) {
		return fmt.Sprintf("bounds: want fewer than %d, finite and ascending", MaxBins)
	}
	return ""
}

// strictly is for IsSortedFunc, which compares each element with the one
// before it: it lets only a rise pass.
func strictly(a, b float64) int {
	if a > b {
		return 1
	}
	return -1
}
