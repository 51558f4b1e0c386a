package features

import (
	"fmt"
	"sync"
)

// referenceBins is the most bins that a field's values are counted in.
const referenceBins = 20

// hashBins is how many parts the hash space of a field is cut into, as a power
// of two.
const hashBins = 4

// Reference is how the values of the training rows were spread, field by
// field: what rows that come later are held against. It takes some 100 bytes a
// field.
type Reference struct {
	// Rows is the number of training rows.
	Rows int64 `json:"rows"`
	// Counts has, by field and Bin, how many of them there were.
	Counts [][]int64 `json:"counts"`
	// Held is the number of rows that were held out, and Unseen how many of
	// those had a value without a code, by field: 0 for all but Dict. The
	// training rows can't tell how often that happens, for they are what the
	// dictionaries were made of.
	Held   int64   `json:"held,omitempty"`
	Unseen []int64 `json:"unseen,omitempty"`
}

// Binning puts the codes of one field into at most 20 bins.
type Binning struct {
	kind  FieldType
	size  uint64 // of the field's codes
	shift uint8  // of a hash
}

// Binning gives that of field f. Dict: unseen values are bin 0, the 18 most
// frequent ones have one each, and the rest shares the last. Num: missing is bin
// 0, neighbouring bins of the field share one where there are too many. Hash:
// 16 equal parts of the hash space.
func (s *Spec) Binning(f int) Binning {
	b := Binning{kind: s.Fields[f].Type, size: uint64(s.Size(f))}
	if b.kind == Hash {
		b.shift = uint8(max(s.Bits-hashBins, 0))
	}
	return b
}

// Bins gives the number of bins.
func (b Binning) Bins() int {
	if b.kind == Hash {
		return int(b.size >> b.shift)
	}
	return int(min(b.size, referenceBins))
}

// Bin gives the bin of a code, which must be one of the field's.
func (b Binning) Bin(code uint32) int {
	switch {
	case b.kind == Hash:
		return int(code >> b.shift)
	case b.kind == Num && b.size > referenceBins && code > 0:
		return int(1 + uint64(code-1)*(referenceBins-1)/(b.size-1))
	}
	return int(min(code, referenceBins-1))
}

// ReferenceOf counts the rows of train, and those of held whose values were not
// seen in it; held may be nil. It works on so many threads, which do not change
// what it gives.
func ReferenceOf(train, held *Table, threads int) *Reference {
	s := train.Spec
	r := &Reference{Rows: int64(train.Rows), Counts: make([][]int64, len(s.Fields))}
	if held != nil && held.Rows > 0 {
		r.Held, r.Unseen = int64(held.Rows), make([]int64, len(s.Fields))
	}
	next := make(chan int)
	var wg sync.WaitGroup
	for range max(threads, 1) {
		wg.Go(func() {
			for f := range next {
				b := s.Binning(f)
				r.Counts[f] = make([]int64, b.Bins())
				b.count(r.Counts[f], &train.Codes[f])
				if r.Unseen != nil && s.Fields[f].Type == Dict {
					r.Unseen[f] = held.Codes[f].zeros()
				}
			}
		})
	}
	for f := range s.Fields {
		next <- f
	}
	close(next)
	wg.Wait()
	return r
}

// count adds the rows of a column to counts.
func (b Binning) count(counts []int64, codes *Codes) {
	switch {
	case codes.U8 != nil:
		tallyBins(b, counts, codes.U8)
	case codes.U16 != nil:
		tallyBins(b, counts, codes.U16)
	default:
		tallyBins(b, counts, codes.U32)
	}
}

func tallyBins[T codeType](b Binning, counts []int64, codes []T) {
	for _, c := range codes {
		counts[b.Bin(uint32(c))]++
	}
}

// zeros counts the codes that are 0.
func (c *Codes) zeros() int64 {
	switch {
	case c.U8 != nil:
		return zerosOf(c.U8)
	case c.U16 != nil:
		return zerosOf(c.U16)
	default:
		return zerosOf(c.U32)
	}
}

func zerosOf[T codeType](codes []T) (n int64) {
	for _, c := range codes {
		if c == 0 {
			n++
		}
	}
	return n
}

// CheckReference reports what is wrong with a Reference that came from a file.
func (s *Spec) CheckReference(r *Reference) error {
	if len(r.Counts) != len(s.Fields) || r.Unseen != nil && len(r.Unseen) != len(s.Fields) {
		return fmt.Errorf("reference of %d fields: want %d", len(r.Counts), len(s.Fields))
	}
	if r.Rows < 0 || r.Held < 0 || (r.Held > 0) != (r.Unseen != nil) {
		return fmt.Errorf("reference: %d rows and %d held out: want 0 or more, and unseen values of each field where any are", r.Rows, r.Held)
	}
	for f, counts := range r.Counts {
		if want := s.Binning(f).Bins(); len(counts) != want {
			return fmt.Errorf("reference of field %s: %d bins: want %d", s.Fields[f].Name, len(counts), want)
		}
		left := r.Rows
		for _, n := range counts {
			if n < 0 || n > left {
				return fmt.Errorf("reference of field %s: want counts that add up to %d rows", s.Fields[f].Name, r.Rows)
			}
			left -= n
		}
		if left != 0 {
			return fmt.Errorf("reference of field %s: want counts that add up to %d rows", s.Fields[f].Name, r.Rows)
		}
		if r.Unseen != nil && (r.Unseen[f] < 0 || r.Unseen[f] > r.Held) {
			return fmt.Errorf("reference of field %s: %d unseen: want 0 … %d", s.Fields[f].Name, r.Unseen[f], r.Held)
		}
	}
	return nil
}

// Add gives the sum of two References of one Spec; either may be nil, and then
// so is the sum, for it would stand for rows that it has not seen.
func (r *Reference) Add(o *Reference) *Reference {
	if r == nil || o == nil {
		return nil
	}
	sum := &Reference{Rows: r.Rows + o.Rows, Held: r.Held + o.Held}
	for f := range r.Counts {
		sum.Counts = append(sum.Counts, addCounts(r.Counts[f], o.Counts[f]))
	}
	switch {
	case r.Unseen != nil && o.Unseen != nil:
		sum.Unseen = addCounts(r.Unseen, o.Unseen)
	case r.Unseen != nil:
		sum.Unseen = r.Unseen
	default:
		sum.Unseen = o.Unseen
	}
	return sum
}

func addCounts(a, b []int64) []int64 {
	sum := make([]int64, len(a))
	for i := range a {
		sum[i] = a[i] + b[i]
	}
	return sum
}

// ReferenceCounter counts rows that come as codes with their fields' offsets
// (Encoder.EncodeCodes). It belongs to one goroutine.
type ReferenceCounter struct {
	rows    int64
	bins    []Binning
	offsets []int
	counts  [][]int64
}

// NewReferenceCounter gives one for rows of s.
func (s *Spec) NewReferenceCounter() *ReferenceCounter {
	c := &ReferenceCounter{counts: make([][]int64, len(s.Fields))}
	c.offsets, _ = s.Offsets()
	for f := range s.Fields {
		c.bins = append(c.bins, s.Binning(f))
		c.counts[f] = make([]int64, c.bins[f].Bins())
	}
	return c
}

// Add counts rows of len(Fields) codes each, one after the other.
func (c *ReferenceCounter) Add(codes []uint32) {
	width := len(c.bins)
	c.rows += int64(len(codes) / width)
	for f, b := range c.bins {
		counts, offset := c.counts[f], uint32(c.offsets[f])
		if b.kind == Hash { // the usual kind, with as little work as can be
			for at := f; at < len(codes); at += width {
				counts[(codes[at]-offset)>>b.shift]++
			}
			continue
		}
		for at := f; at < len(codes); at += width {
			counts[b.Bin(codes[at]-offset)]++
		}
	}
}

// Reference gives what was counted.
func (c *ReferenceCounter) Reference() *Reference {
	return &Reference{Rows: c.rows, Counts: c.counts}
}
