package factor

// Slots says which slots of a model's tables a field has, and which of them a
// code has: as other tools are told of it.
type Slots struct {
	// First is the field's first slot, that of all codes without one of their
	// own, and Size the number of its slots.
	First, Size int
	// Hashed says that Codes are the codes & Mask of the slots First+1,
	// First+2, …, ascending. Else code c has slot First+c if c < Size.
	Hashed bool
	Mask   uint32
	Codes  []uint32
}

// Slots gives the slots of each field, in the order of the fields.
func (m *Model) Slots() []Slots {
	list := make([]Slots, len(m.tables))
	for i := range m.tables {
		t := &m.tables[i]
		list[i] = Slots{First: t.first, Size: int(t.size)}
		if t.index != nil {
			list[i].Hashed, list[i].Mask, list[i].Codes = true, t.mask, t.index.codes()
		}
	}
	return list
}

// Factors gives k, the length of a vector.
func (m *Model) Factors() int { return m.factors }

// Weights gives the vectors and the linear weights of all slots, as Save lays
// them out: of "ffm" the vectors are [slots, fields, k], of "fm" [slots, k].
func (m *Model) Weights() (vectors, linear []float32) {
	slots := slotCount(m.tables)
	vectors, linear = make([]float32, slots*m.form.vectors()*m.factors), make([]float32, slots)
	m.each(func(slot, vector, factor int, w *float32) {
		if factor < 0 {
			linear[slot] = *w
		} else {
			vectors[(slot*m.form.vectors()+vector)*m.factors+factor] = *w
		}
	})
	return vectors, linear
}

// Constants gives what linear weights are multiplied by, and then, with the sum
// of products, both.
func (m *Model) Constants() (linear, scale float64) { return m.form.constants() }
