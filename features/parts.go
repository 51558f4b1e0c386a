package features

// timeParts are the parts of a time, by the number that stands for them.
var timeParts = [...]Part{Whole, HourTime, Day, DayOfWeek, Month}

// partIndex gives the number of the part name, 0 where it is none.
func partIndex(name string) int {
	for i := 1; i < len(timeParts); i++ {
		if string(timeParts[i]) == name {
			return i
		}
	}
	return 0
}

// part gives the number of the part of the time that name stands for where no
// column of the schema has that name, else 0.
func (s *Schema) part(name string) int {
	if s.Kind(name) != Ignore {
		return 0
	}
	return partIndex(name)
}

func unique(names []string) []string {
	var out []string
	seen := map[string]bool{}
	for _, n := range names {
		if !seen[n] {
			seen[n] = true
			out = append(out, n)
		}
	}
	return out
}

// PartOf gives the part of the time that name stands for among the columns of
// a cross; Whole, where it is a column.
func (s *Schema) PartOf(name string) Part { return timeParts[s.part(name)] }

// CrossJoin stands between the values of a cross.
const CrossJoin = string(rune(crossJoin))
