package factor

import (
	"math/bits"
	"slices"
	"sync"

	"ctr/features"
)

// A field's table has a slot for each of its codes that training saw often
// enough. Slot 0 is for all the others: rare values, values never seen, and a
// number that is missing.

// table says which slot a code of one field has.
type table struct {
	// size is the number of slots; without an index, code c is slot c, or slot
	// 0 from size on.
	size uint32
	// first is the number of slots of the fields before.
	first int
	// index, of a hashed field, gives the slot of a code & mask.
	index slotIndex
	mask  uint32
	// empty are the slots that no row of training has.
	empty []uint32
}

// slot gives the number of a code's slot among those of all fields.
func (t *table) slot(code uint32) int {
	if t.index != nil {
		return t.first + int(t.index.slot(code&t.mask))
	}
	if code >= t.size {
		code = 0
	}
	return t.first + int(code)
}

// slotIndex is a hash table from codes to slots: a power of two of places, half
// of them empty or more.
type slotIndex []struct{ code, slot uint32 }

// newSlotIndex gives slot i+1 to codes[i].
func newSlotIndex(codes []uint32) slotIndex {
	x := make(slotIndex, 2<<bits.Len(uint(len(codes))))
	for i, code := range codes {
		at := x.place(code)
		for x[at].slot != 0 {
			at = (at + 1) & (len(x) - 1)
		}
		x[at].code, x[at].slot = code, uint32(i+1)
	}
	return x
}

// place is where the search for a code begins.
func (x slotIndex) place(code uint32) int {
	return int(code*0x9E3779B1>>16^code) & (len(x) - 1)
}

// slot gives the slot of a code, 0 where it has none.
func (x slotIndex) slot(code uint32) uint32 {
	for at := x.place(code); ; at = (at + 1) & (len(x) - 1) {
		if e := x[at]; e.slot == 0 || e.code == code {
			return e.slot
		}
	}
}

// codes gives the codes that have a slot, in the order of the slots.
func (x slotIndex) codes() []uint32 {
	n := uint32(0)
	for _, e := range x {
		n = max(n, e.slot)
	}
	list := make([]uint32, n)
	for _, e := range x {
		if e.slot > 0 {
			list[e.slot-1] = e.code
		}
	}
	return list
}

// tables gives the fields' tables for rows of t: a value needs minSeen of them
// for a slot of its own, and there are at most 2^slotBits slots in a table. The
// codes of dictionaries are ordered by frequency, so that these are the first
// ones.
func tables(t *features.Table, rows []int32, minSeen, slotBits, threads int) []table {
	list := make([]table, len(t.Codes))
	var wg sync.WaitGroup
	next := make(chan int)
	for range threads {
		wg.Go(func() {
			for f := range next {
				list[f] = tableOf(t, f, rows, uint32(minSeen), slotBits)
			}
		})
	}
	for f := range list {
		next <- f
	}
	close(next)
	wg.Wait()
	number(list)
	return list
}

// number counts the slots of the fields before each field.
func number(list []table) {
	slots := 0
	for f := range list {
		list[f].first = slots
		slots += int(list[f].size)
	}
}

// slotCount is the number of slots of all fields.
func slotCount(list []table) int {
	if len(list) == 0 {
		return 0
	}
	last := &list[len(list)-1]
	return last.first + int(last.size)
}

// tableOf gives the table of one field.
func tableOf(t *features.Table, f int, rows []int32, minSeen uint32, slotBits int) table {
	size, limit := t.Spec.Size(f), 1<<slotBits
	kind := t.Spec.Fields[f].Type
	mask := ^uint32(0)
	if kind == features.Hash {
		size = min(size, limit)
		mask = uint32(size - 1)
	}
	counts := make([]uint32, size)
	c := &t.Codes[f]
	for _, i := range rows {
		counts[c.At(int(i))&mask]++
	}
	if kind == features.Hash {
		return hashedTable(counts, minSeen, mask)
	}
	for kind == features.Dict && size > 1 && counts[size-1] < minSeen {
		size--
	}
	out := table{size: uint32(min(size, limit))}
	for _, n := range counts[out.size:] {
		counts[0] += n
	}
	for slot, n := range counts[:out.size] {
		if n == 0 {
			out.empty = append(out.empty, uint32(slot))
		}
	}
	return out
}

// hashedTable gives slots to the codes that were counted often enough.
func hashedTable(counts []uint32, minSeen, mask uint32) table {
	var codes []uint32
	rare := false
	for code, n := range counts {
		if n >= minSeen {
			codes = append(codes, uint32(code))
		} else if n > 0 {
			rare = true
		}
	}
	out := table{size: uint32(len(codes) + 1), index: newSlotIndex(codes), mask: mask}
	if !rare {
		out.empty = []uint32{0}
	}
	return out
}

// ascending reports whether codes rise and are all at most mask.
func ascending(codes []uint32, mask uint32) bool {
	return slices.IsSortedFunc(codes, func(a, b uint32) int {
		if a < b {
			return -1
		}
		return 1
	}) && (len(codes) == 0 || codes[len(codes)-1] <= mask)
}
