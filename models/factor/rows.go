package factor

import "ctr/features"

// rowSource gives the rows of a table as their fields' slots.
type rowSource struct {
	t       *features.Table
	tables  []table
	stride  uint64 // bytes of a slot
	nothing uint64 // the slot of a field that does not exist
	weight  []float32
}

// buffer makes room for the slots of so many rows.
func (s *rowSource) buffer(rows, places int) []uint64 {
	b := make([]uint64, rows*places)
	for i := range b {
		b[i] = s.nothing
	}
	return b
}

// gather writes where the slots of rows begin, row by row, places a row.
func (s *rowSource) gather(rows []int32, to []uint64) {
	if len(rows) == 0 {
		return
	}
	places := (len(s.tables) + 1) &^ 1
	for f := range s.tables {
		t, c := &s.tables[f], &s.t.Codes[f]
		switch {
		case c.U8 != nil:
			gatherField(t, c.U8, rows, to[f:], places, s.stride)
		case c.U16 != nil:
			gatherField(t, c.U16, rows, to[f:], places, s.stride)
		default:
			gatherField(t, c.U32, rows, to[f:], places, s.stride)
		}
	}
}

func gatherField[T uint8 | uint16 | uint32](t *table, codes []T, rows []int32, to []uint64, places int, stride uint64) {
	for i, row := range rows {
		to[i*places] = uint64(t.slot(uint32(codes[row]))) * stride
	}
}

// loss gives the weighted loss of a row with log-odds x, and its derivative.
func (s *rowSource) loss(row int, x float64) (loss, derivative float64) {
	loss, derivative = logistic(x, s.t.Y[row] != 0)
	if s.weight != nil {
		w := float64(s.weight[row])
		return float64(w * loss), float64(w * derivative)
	}
	return loss, derivative
}
