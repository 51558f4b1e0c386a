package features

// FieldType is how a field turns a value into a code.
type FieldType string

const (
	// Dict looks the value up among those that training saw often enough:
	// code 0 for the rest, 1 for the most frequent, and so on (ties by the
	// value's bytes, ascending).
	Dict FieldType = "dict"
	// Hash is murmur3_x86_32(value, Seed) & (2^bits - 1), one table for all
	// hashed fields of a Spec.
	Hash FieldType = "hash"
	// Num reads a number: the value beside the code, NaN where it is
	// missing. The code is the bin: 0 = missing, else 1 + the number of
	// Bounds below the value.
	Num FieldType = "num"
)

// Part is what a field takes of a Time column.
type Part string

// The parts of an hour. Each is the decimal text of its number, so that it
// goes through a dictionary or a hash like any other value.
const (
	Whole     Part = ""          // the value as it stands
	HourTime  Part = "hour_time" // 0-23
	Day       Part = "day"       // of the month, 1-31
	DayOfWeek Part = "dayofweek" // 1 = Sunday … 7 = Saturday, as Spark counts
	Month     Part = "month"     // 1-12
)

// Field is one input of a model, with all that training learned about it. A
// cross has several columns in From; their values are joined by 0x1F.
type Field struct {
	Name string    `json:"name"`
	From []string  `json:"from"`
	Part Part      `json:"part,omitempty"`
	Type FieldType `json:"type"`
	// Seed is the hash's; each hashed field has its own.
	Seed uint32 `json:"seed,omitempty"`
	// Cap, where set, is what a greater number is replaced by before
	// anything else is done with the value.
	Cap *float64 `json:"cap,omitempty"`
	// MinCount is how many training rows a value needed to have a code.
	MinCount int `json:"min_count,omitempty"`
	// Cast is what becomes of a Dict's value before it is looked up; AsRead in
	// all that ctr trains.
	Cast Cast `json:"cast,omitempty"`
	// Bounds are the upper ends of a Num's bins but the last, ascending:
	// bin i (from 1) holds Bounds[i-2] < v <= Bounds[i-1].
	Bounds []float64 `json:"bounds,omitempty"`
	// Mean and Scale standardise a Num for linear models that weigh the
	// value itself: (v - Mean) / Scale. They are over the training rows that
	// have a value; Scale is the population standard deviation, 1 where that
	// is 0.
	Mean  float64 `json:"mean,omitempty"`
	Scale float64 `json:"scale,omitempty"`
	// Values is whether linear models weigh a Num's standardised value (with
	// a missing value as 0 and a weight of its own) instead of its bin.
	Values bool `json:"values,omitempty"`
	// Past is what a history field, a Num, says of the earlier rows that have
	// the same values in From; Spec.NewState keeps count of them.
	Past Past `json:"history,omitempty"`
	// Dict holds the values of a Dict field; in the model file they are
	// tensors, not JSON.
	Dict *Dictionary `json:"-"`
}

// Spec is what training learned of the columns: the only thing that
// training, evaluation, scoring and serving use to read a row. It is
// immutable once fitted and travels in the model file.
type Spec struct {
	Schema Schema  `json:"schema"`
	Fields []Field `json:"fields"`
	// Bits is the size of the hashed fields' table, 2^Bits codes; 0 where no
	// field is hashed.
	Bits int `json:"bits,omitempty"`
	// HistoryBits is the size of a State's table, 2^HistoryBits keys; 0 where
	// there are no history fields.
	HistoryBits int `json:"history_bits,omitempty"`
}

// Size gives the number of codes of field f: codes are 0 … Size-1. For a
// hashed field it is the size of the table that it shares.
func (s *Spec) Size(f int) int {
	switch fd := &s.Fields[f]; fd.Type {
	case Dict:
		return fd.Dict.Len() + 1
	case Hash:
		return 1 << s.Bits
	default:
		return len(fd.Bounds) + 2
	}
}

// Offsets gives where each field's codes begin in one table of weights that
// holds all codes, and that table's length: Dict and Num fields have ranges
// of their own in the order of Fields; all hashed fields share one range,
// which begins where the first hashed field stands.
func (s *Spec) Offsets() (offsets []int, total int) {
	offsets = make([]int, len(s.Fields))
	shared := -1
	for f := range s.Fields {
		if s.Fields[f].Type == Hash {
			if shared < 0 {
				shared = total
				total += s.Size(f)
			}
			offsets[f] = shared
			continue
		}
		offsets[f] = total
		total += s.Size(f)
	}
	return offsets, total
}

// fitted reports whether all dictionaries are there.
func (s *Spec) fitted() bool {
	for f := range s.Fields {
		if s.Fields[f].Type == Dict && s.Fields[f].Dict == nil {
			return false
		}
	}
	return true
}
