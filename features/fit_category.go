package features

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"math"
	"slices"
)

// tally is the distinct values of a field with their numbers of training rows.
type tally struct {
	ids    *interner
	counts []int
	local  [][]uint32 // by set: from its number of a value to the place here
}

// firstSet gives the number of the first set of codes whose values of field i
// are v: sets of one cache share them.
func (f *fitting) firstSet(i int, v valueSet) int {
	return slices.IndexFunc(f.sets, func(s *codeSet) bool { return s.values[i] == v })
}

func (f *fitting) tally(i int) *tally {
	local := make([][]int, len(f.sets))
	most := 0 // values there can be
	for s, set := range f.sets {
		if first := f.firstSet(i, set.values[i]); first < s {
			local[s] = local[first]
		} else {
			local[s] = make([]int, set.values[i].len())
			most += len(local[s])
		}
	}
	t := &tally{ids: newInternerFor(most), counts: make([]int, 0, most)}
	for k, ch := range f.chunks {
		ch.codes[i].count(local[ch.set.number], f.parts[k])
	}
	var text []byte
	for s, set := range f.sets {
		v := set.values[i]
		if first := f.firstSet(i, v); first < s {
			t.local = append(t.local, t.local[first])
			continue
		}
		to := make([]uint32, v.len())
		for id := range to {
			text = v.append(text[:0], uint32(id))
			g := t.ids.id(text)
			if int(g) == len(t.counts) {
				t.counts = append(t.counts, 0)
			}
			t.counts[g] += local[s][id]
			to[id] = g
		}
		t.local = append(t.local, to)
	}
	return t
}

// hashes gives the hashes of the values of a field that is hashed as it
// stands, for sets of codes that are not hashes yet.
func (f *fitting) hashes(i int, fd *Field, bits int) [][]uint32 {
	remap := make([][]uint32, len(f.sets))
	var text []byte
	for s, set := range f.sets {
		v := set.values[i]
		if v == nil {
			continue
		}
		if first := f.firstSet(i, v); first < s {
			remap[s] = remap[first]
			continue
		}
		remap[s] = make([]uint32, v.len())
		for id := range remap[s] {
			text = v.append(text[:0], uint32(id))
			remap[s][id] = Murmur3(text, fd.Seed) & (1<<bits - 1)
		}
	}
	return remap
}

// category fits a Dict or a capped Hash field and gives the final code of
// every set's numbers.
func (f *fitting) category(i int, fd *Field, bits int) ([][]uint32, error) {
	t := f.tally(i)
	if f.c.plan.caps[i] {
		fd.Cap = t.cap()
	}
	capTo := t.capped(fd.Cap)
	final := make([]uint32, t.ids.len())
	if fd.Type == Hash {
		for g := range final {
			final[g] = Murmur3(t.ids.value(capTo[g]), fd.Seed) & (1<<bits - 1)
		}
	} else {
		counts := make([]int, t.ids.len())
		for g, to := range capTo {
			counts[to] += t.counts[g]
		}
		codes, dict, err := dictionaryOf(t.ids, counts, fd.MinCount)
		if err != nil {
			return nil, err
		}
		fd.Dict = dict
		for g, to := range capTo {
			final[g] = codes[to]
		}
	}
	remap := t.local
	for s, to := range remap {
		if f.firstSet(i, f.sets[s].values[i]) < s {
			continue // done
		}
		for id, g := range to {
			to[id] = final[g]
		}
	}
	return remap, nil
}

// cap gives the 0.98 quantile of the training rows' numbers, the smallest
// that at least that share does not exceed, where it is less than half of
// their maximum; else nil.
func (t *tally) cap() *float64 {
	type count struct {
		x float64
		n int
	}
	var all []count
	total := 0
	for g, n := range t.counts {
		x, ok := ParseNumber(t.ids.value(uint32(g)))
		if ok && x == x && n > 0 {
			all = append(all, count{x + 0, n}) // -0 as 0: the order of ties must not show
			total += n
		}
	}
	if total == 0 {
		return nil
	}
	slices.SortFunc(all, func(a, b count) int { return cmp.Compare(a.x, b.x) })
	rank, below := int(math.Ceil(0.98*float64(total))), 0
	for _, c := range all {
		if below += c.n; below >= rank {
			if c.x < 0.5*all[len(all)-1].x {
				return &c.x
			}
			return nil
		}
	}
	return nil
}

// capped gives for each value the value that it is read as.
func (t *tally) capped(limit *float64) []uint32 {
	to := make([]uint32, t.ids.len(), t.ids.len()+1)
	for g := range to {
		to[g] = uint32(g)
	}
	if limit == nil {
		return to
	}
	at := t.ids.id(appendNumber(nil, *limit))
	if int(at) == len(t.counts) {
		t.counts = append(t.counts, 0)
		to = append(to, at)
	}
	for g := range to {
		if x, ok := ParseNumber(t.ids.value(uint32(g))); ok && x > *limit {
			to[g] = at
		}
	}
	return to
}

// seen is a value and how often it was seen. Its first eight bytes, as a
// big-endian integer, order most values without a look at their text, which
// lies anywhere in memory.
type seen struct {
	head uint64
	n    int
	id   uint32
}

func headOf(v []byte) uint64 {
	var b [8]byte
	copy(b[:], v)
	return binary.BigEndian.Uint64(b[:])
}

// dictionaryOf gives codes by falling count, ties by the value's bytes, to the
// values that were seen minCount times or more.
func dictionaryOf(ids *interner, counts []int, minCount int) (codes []uint32, d *Dictionary, err error) {
	order := make([]seen, 0, len(counts))
	size := 0
	for g, n := range counts {
		if n >= max(minCount, 1) {
			v := ids.value(uint32(g))
			order = append(order, seen{head: headOf(v), n: n, id: uint32(g)})
			size += len(v)
		}
	}
	slices.SortFunc(order, func(a, b seen) int {
		switch {
		case a.n != b.n:
			return cmp.Compare(b.n, a.n)
		case a.head != b.head:
			return cmp.Compare(a.head, b.head)
		default:
			return bytes.Compare(ids.value(a.id), ids.value(b.id))
		}
	})
	codes = make([]uint32, len(counts))
	text, offsets := make([]byte, 0, size), make([]uint64, 1, len(order)+1)
	for i, v := range order {
		codes[v.id] = uint32(i + 1)
		text = append(text, ids.value(v.id)...)
		offsets = append(offsets, uint64(len(text)))
	}
	d, err = NewDictionary(text, offsets)
	return codes, d, err
}
