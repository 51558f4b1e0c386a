package trees

import (
	"cmp"
	"slices"
)

// rank gives the bins of a category new numbers: by rising click rate over all
// rows, with p.steady rows at the mean rate added to each, ties by the old
// number. Bins of fewer than p.minGroup rows join the rest. Where no row is in
// the rest, it has no place in the order: fd.rest is fd.size.
//
// A node has too few rows to know the order of its many values: sorted by their
// rates there, they gain by chance, most where a column has most values (of
// 70,000 rows a tree's log loss was .007 higher, a forest's .003). Rates of all
// rows are known better, and say as well where values belong that the node has
// no rows of.
func (b *binned) rank(fd *field, column []uint16, p *params) {
	tallies, all := b.tallies(fd, column), sums{}
	rest := &tallies[0]
	var known []rated
	for i, s := range tallies {
		all.add(s)
		if i > 0 && s.n > 0 && s.n >= float64(p.minGroup) {
			known = append(known, rated{bin: uint16(i)})
		} else if i > 0 {
			rest.add(s)
		}
	}
	if rest.n > 0 {
		known = append(known, rated{bin: 0})
	}
	mean, steady := all.rate(), p.steady/b.unit
	for i := range known {
		s := tallies[known[i].bin]
		known[i].rate = mean
		if w := s.w + steady; w > 0 {
			known[i].rate = (s.y + steady*mean) / w
		}
	}
	slices.SortFunc(known, func(a, b rated) int {
		return cmp.Or(cmp.Compare(a.rate, b.rate), cmp.Compare(a.bin, b.bin))
	})
	fd.renumber(known, column)
}

// rated is a bin, by its old number, and its click rate.
type rated struct {
	bin  uint16
	rate float64
}

// tallies are the sums of a field's bins over all rows, weights in fixed point.
func (b *binned) tallies(fd *field, column []uint16) []sums {
	t := make([]sums, fd.size)
	for i, bin := range column {
		s, w := &t[bin], 1.
		if b.w != nil {
			w = float64(b.w[i])
		}
		s.n++
		s.w += w
		s.y += w * float64(b.y[i])
	}
	return t
}

// renumber makes bin k of known[k], and all that are not among them the rest.
func (f *field) renumber(known []rated, column []uint16) {
	f.rest = uint16(len(known))
	if at := slices.IndexFunc(known, func(r rated) bool { return r.bin == 0 }); at >= 0 {
		f.rest = uint16(at)
	}
	lookup, codes := slices.Repeat([]uint16{f.rest}, f.size), make([]uint32, len(known))
	for to, r := range known {
		lookup[r.bin], codes[to] = uint16(to), f.codes[r.bin]
	}
	for i, bin := range column {
		column[i] = lookup[bin]
	}
	f.codes, f.size = codes, len(known)
}
