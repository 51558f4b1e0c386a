package linear

import (
	"cmp"
	"slices"
)

// Limits of the plan for scattering. They are part of the definition of every
// sum, so they depend on the table alone.
const (
	scatterParts = 16 // at most so many ranges of rows a field
	scatterCost  = 16 // a range holds at least so many rows a weight
	hashLanes    = 4  // hashed fields are dealt to so many tables
)

// group is a range of weights, of one field or of all hashed fields, and the
// units of work whose sums, added in order, are its part of a result.
type group struct {
	offset, size int
	units        []unit
}

// unit is a piece of a pass that sums over the rows of each code: fields that
// share one range of weights, and a range of rows.
type unit struct {
	fields []int
	lo, hi int
	part   []float64 // the unit's sums; nil = straight into the result
}

// unitRef finds a unit in the plan.
type unitRef struct{ group, unit, cost int }

// planGroups divides a transposed pass into units. A field with few codes is
// cut into ranges of rows, each with a small table of its own; a field with
// many is one unit and needs none. Hashed fields share one range of weights:
// they are dealt to lanes, each with a table of that size.
func planGroups(columns []column, rows int) []group {
	var groups []group
	shared := -1
	for f := range columns {
		c := &columns[f]
		switch {
		case c.hashed && shared < 0:
			shared = len(groups)
			groups = append(groups, group{c.offset, c.size, []unit{{fields: []int{f}, hi: rows}}})
		case c.hashed:
			groups[shared].deal(f, rows)
		default:
			g := group{offset: c.offset, size: c.size}
			parts := max(1, min(scatterParts, rows/(scatterCost*c.size), rows/rowBlock))
			for i := range parts {
				g.units = append(g.units, unit{fields: []int{f}, lo: rows * i / parts, hi: rows * (i + 1) / parts})
			}
			groups = append(groups, g)
		}
	}
	for i := range groups {
		if g := &groups[i]; len(g.units) > 1 {
			for j := range g.units {
				g.units[j].part = make([]float64, g.size)
			}
		}
	}
	return groups
}

// deal gives hashed field f to the lane with the fewest fields.
func (g *group) deal(f, rows int) {
	if len(g.units) < hashLanes {
		g.units = append(g.units, unit{fields: []int{f}, hi: rows})
		return
	}
	least := 0
	for i := range g.units {
		if len(g.units[i].fields) < len(g.units[least].fields) {
			least = i
		}
	}
	g.units[least].fields = append(g.units[least].fields, f)
}

// schedule lists the units with the costliest first, so that threads finish
// together. The order of work does not show in the result.
func schedule(groups []group) []unitRef {
	var refs []unitRef
	for i := range groups {
		for j := range groups[i].units {
			u := &groups[i].units[j]
			cost := (u.hi - u.lo) * len(u.fields)
			if groups[i].size > 1<<16 {
				cost *= 3 // sums outside the second-level cache
			}
			refs = append(refs, unitRef{i, j, cost})
		}
	}
	slices.SortStableFunc(refs, func(a, b unitRef) int { return cmp.Compare(b.cost, a.cost) })
	return refs
}

// transpose sets g = Xᵀr.
func (p *problem) transpose(r, g []float64) {
	p.passes++
	p.scatter(r, g, false)
}

// diagonal sets g to the diagonal of XᵀHX, where h is the diagonal of H. Where
// two hashed fields of a row share a weight their cross term is left out: the
// result serves as a scale only.
func (p *problem) diagonal(h, g []float64) {
	p.passes++
	p.scatter(h, g, true)
}

// scatter sums r, times the feature or times its square, over the rows of
// each feature.
func (p *problem) scatter(r, g []float64, square bool) {
	p.each(len(p.order), func(i int) {
		gr := &p.groups[p.order[i].group]
		u := &gr.units[p.order[i].unit]
		out := u.part
		if out == nil {
			out = g[gr.offset : gr.offset+gr.size]
		}
		clear(out)
		for _, f := range u.fields {
			p.columns[f].scatter(out, r, u.lo, u.hi, square)
		}
	})
	for i := range p.groups {
		if gr := &p.groups[i]; len(gr.units) > 1 {
			out := g[gr.offset : gr.offset+gr.size]
			p.blocks(gr.size, vectorBlock, func(lo, hi int) { gr.reduce(out, lo, hi) })
		}
	}
	g[p.total] = p.sum(p.rows, vectorBlock, func(lo, hi int) float64 { return sum(r[lo:hi]) })
}

// reduce sets out to the sum of the units' tables, for weights lo … hi-1.
func (g *group) reduce(out []float64, lo, hi int) {
	out = out[lo:hi]
	copy(out, g.units[0].part[lo:hi])
	for _, u := range g.units[1:] {
		for j, v := range u.part[lo:hi] {
			out[j] += v
		}
	}
}

// scatter adds the column's rows lo … hi-1 to out.
func (c *column) scatter(out, r []float64, lo, hi int, square bool) {
	r = r[lo:hi]
	switch {
	case c.values != nil:
		values := squareValues
		if !square {
			values = scatterValues
		}
		missing, weight := values(c.values[lo:hi], r, c.mean, c.scale)
		out[missingWeight] += missing
		out[valueWeight] += weight
	case c.codes.U8 != nil:
		scatterBytes(out, c.codes.U8[lo:hi], r)
	case c.codes.U16 != nil:
		scatterCodes(out, c.codes.U16[lo:hi], r)
	default:
		scatterCodes(out, c.codes.U32[lo:hi], r)
	}
}
