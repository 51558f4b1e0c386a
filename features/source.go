package features

// Source is where one of the values that a field is made of comes from.
type Source struct {
	Column int  // of the layout; -1 for a part of the time
	Part   Part // Whole for a column
}

// Sources gives what field i is made of, in the order in which values are
// joined, for whoever makes fields of rows by other means than an Encoder.
func (p *Plan) Sources(i int, layout Layout) []Source {
	f := &p.Fields[i]
	if f.Part != Whole {
		return []Source{{Column: -1, Part: f.Part}}
	}
	var list []Source
	for _, name := range f.From {
		if part := p.Schema.part(name); part > 0 && len(f.From) > 1 {
			list = append(list, Source{Column: -1, Part: timeParts[part]})
			continue
		}
		list = append(list, Source{Column: layout.Index(name)})
	}
	return list
}

// Capped reports whether field i has a cap to be learned.
func (p *Plan) Capped(i int) bool { return p.caps[i] }
