package features

import (
	"fmt"
	"math"
	"slices"
)

// Limits of a State's table.
const (
	// MinHistoryBits and MaxHistoryBits bound the number of keys that a State
	// has room for, 2^bits; each takes 16 bytes.
	MinHistoryBits = 3
	MaxHistoryBits = 28
	// DefaultHistoryBits makes a table of 16 MiB.
	DefaultHistoryBits = 20
)

// ways is the number of entries that a key may lie in: a bucket of them is
// one cache line.
const ways = 4

// State is what was seen so far of the keys of a Spec's history fields, such
// as a device, in memory that does not grow: for each of the last 2^bits keys
// or so, how often it came, in which hour last, and how often in that hour.
//
// Count reads it for each row and then counts the row, so a row is told of
// all rows before it and not of itself. What it says depends on the rows and
// their order alone, wherever they come from and however they are cut into
// blocks. It holds no labels. A State is not safe for concurrent use: its
// owner gives it rows in order.
//
// Time never goes back for a key: a row that is older than the key's last one
// counts as of that one's hour. Counts stay at their largest value.
//
// It is one set-associative table, a cache line a bucket, each bucket in the
// order in which its keys were last seen: a new key takes the place of the one
// not seen for longest. A key is known by 32 bits of its hash beside those
// that choose the bucket, so a key that was never seen is taken for another
// about once in a billion times.
type State struct {
	keys    int // a row
	buckets []bucket
	shift   uint
	// newest is the latest time of a row; rows is the number of rows.
	newest Hour
	rows   uint64
}

// entry is one key; count is 0 where there is none, and then also in the
// entries of the bucket after it.
type entry struct {
	tag    uint32
	hour   int32
	count  uint32
	inHour uint32
}

type bucket [ways]entry

// NewState gives an empty State for s's history fields, nil where it has none.
func (s *Spec) NewState() *State {
	keys := s.History()
	if len(keys) == 0 {
		return nil
	}
	return newState(len(keys), s.HistoryBits)
}

func newState(keys, bits int) *State {
	n := bits - 2 // log2 of the buckets
	return &State{keys: keys, buckets: make([]bucket, 1<<n), shift: uint(64 - n), newest: noHour}
}

// noHour is before all hours: that of a row that does not count.
const noHour = Hour(math.MinInt32)

// Clone gives a State that goes on from here on its own.
func (s *State) Clone() *State {
	c := *s
	c.buckets = slices.Clone(s.buckets)
	return &c
}

// Newest gives the latest time of the rows so far; ok is false where there
// was none.
func (s *State) Newest() (h Hour, ok bool) { return s.newest, s.newest != noHour }

// Rows gives the number of rows counted so far.
func (s *State) Rows() uint64 { return s.rows }

// Len gives the number of keys that are known.
func (s *State) Len() int {
	n := 0
	for i := range s.buckets {
		n += s.buckets[i].len()
	}
	return n
}

func (b *bucket) len() int {
	for p := range b {
		if b[p].count == 0 {
			return p
		}
	}
	return ways
}

// never is "hours since" where a key was not seen before.
const never = math.MaxUint32

// past is what was seen of a key: how often, how often in this hour, and how
// many hours ago last, 0 in this hour, never = not yet.
type past [3]uint32

// Count tells each row of b what was seen before it, for Encode and
// Collector to find, and counts the row: rows that could not be split, or
// whose time is no time, are passed over; all others count, whether anything
// else is wrong with them or not. The keys of b must have been read by an
// Encoder of the same Spec. late is the first row that is older than one
// before it, -1 where none is.
func (s *State) Count(b *Block) (late int) {
	nk, n := s.keys, b.Len()
	b.pastWidth = len(past{}) * nk
	b.past = slices.Grow(b.past[:0], n*b.pastWidth)[:n*b.pastWidth]
	late = -1
	for from := 0; from < n; from += countedTogether {
		to := min(from+countedTogether, n)
		b.touched = s.touch(b.keyHashes[from*nk : to*nk])
		for i := from; i < to; i++ {
			h := b.hours[i]
			if h == noHour {
				continue
			}
			if h < s.newest && late < 0 {
				late = i
			}
			s.newest = max(s.newest, h)
			s.rows++
			at := i * b.pastWidth
			for k, key := range b.keyHashes[i*nk : (i+1)*nk] {
				s.see(key, int32(h), (*past)(b.past[at+len(past{})*k:]))
			}
		}
	}
	return late
}

// countedTogether is how many rows' buckets are fetched at once.
const countedTogether = 64

// touch reads a word of each key's bucket: the reads miss the caches together
// and not one after the other. It gives something made of them so that the
// compiler leaves them in.
func (s *State) touch(keys []uint64) (x uint32) {
	for _, key := range keys {
		x ^= s.buckets[key>>(s.shift&63)][0].tag
	}
	return x
}

// see says what is known of a key and counts it.
func (s *State) see(key uint64, h int32, out *past) {
	b, tag := &s.buckets[key>>(s.shift&63)], uint32(key)
	for p := range b {
		e := b[p]
		if e.count == 0 {
			break
		}
		if e.tag != tag {
			continue
		}
		h = max(h, e.hour)
		*out = past{e.count, e.inHour, uint32(h - e.hour)}
		if h > e.hour {
			out[1], e.inHour, e.hour = 0, 0, h
		}
		e.count += 1 - e.count/math.MaxUint32
		e.inHour += 1 - e.inHour/math.MaxUint32
		for ; p > 0; p-- {
			b[p] = b[p-1]
		}
		b[0] = e
		return
	}
	*out = past{0, 0, never}
	b[3], b[2], b[1] = b[2], b[1], b[0]
	b[0] = entry{tag: tag, hour: h, count: 1, inHour: 1}
}

// Snapshot is a State at rest, in memory that goes with the number of its
// keys: what a model file holds.
type Snapshot struct {
	// Head is the newest hour (an int64; the least int32 where no row was
	// counted) and the number of rows.
	Head []uint64
	// Sizes has the number of keys in each bucket, 0 … 4.
	Sizes []uint8
	// Entries has, bucket by bucket, the last seen first, four numbers a key:
	// tag, hour (as an int32), count, and count in that hour.
	Entries []uint32
}

// Snapshot gives s as it is now.
func (s *State) Snapshot() *Snapshot {
	sn := &Snapshot{
		Head:  []uint64{uint64(int64(s.newest)), s.rows},
		Sizes: make([]uint8, len(s.buckets)), Entries: make([]uint32, 0, 4*s.Len()),
	}
	for i := range s.buckets {
		b := &s.buckets[i]
		sn.Sizes[i] = uint8(b.len())
		for _, e := range b[:sn.Sizes[i]] {
			sn.Entries = append(sn.Entries, e.tag, uint32(e.hour), e.count, e.inHour)
		}
	}
	return sn
}

// CheckSnapshot checks all of a Snapshot for s's history fields that State
// relies on, without making one.
func (s *Spec) CheckSnapshot(sn *Snapshot) error {
	switch {
	case len(s.History()) == 0:
		return fmt.Errorf("state: the model has no history fields")
	case len(sn.Head) != 2 || int64(sn.Head[0]) < math.MinInt32 || int64(sn.Head[0]) > math.MaxInt32:
		return fmt.Errorf("state: head %v: want an hour and a number of rows", sn.Head[:min(len(sn.Head), 3)])
	case len(sn.Sizes) != 1<<(s.HistoryBits-2):
		return fmt.Errorf("state: %d buckets: want %d", len(sn.Sizes), 1<<(s.HistoryBits-2))
	}
	newest, left := int32(int64(sn.Head[0])), sn.Entries
	for i, n := range sn.Sizes {
		if n > ways || int(n)*4 > len(left) {
			return fmt.Errorf("state: bucket %d: %d keys: want 0 … %d, and as many as there are", i, n, ways)
		}
		of := left[:4*n]
		left = left[4*n:]
		for ; len(of) > 0; of = of[4:] {
			hour, count, inHour := int32(of[1]), of[2], of[3]
			if inHour == 0 || inHour > count || hour > newest || hour == int32(noHour) {
				return fmt.Errorf("state: bucket %d: count %d, %d in hour %d: want 1 or more, and an hour up to %d", i, count, inHour, hour, newest)
			}
			for other := of[4:]; len(other) > 0; other = other[4:] {
				if other[0] == of[0] {
					return fmt.Errorf("state: bucket %d: key %08x twice", i, of[0])
				}
			}
		}
	}
	if len(left) > 0 {
		return fmt.Errorf("state: %d numbers of keys left over", len(left))
	}
	return nil
}

// StateOf gives a State that goes on from a Snapshot, which must have passed
// CheckSnapshot; from nothing where sn is nil.
func (s *Spec) StateOf(sn *Snapshot) *State {
	st := s.NewState()
	if st == nil || sn == nil {
		return st
	}
	st.newest, st.rows = Hour(int64(sn.Head[0])), sn.Head[1]
	left := sn.Entries
	for i, n := range sn.Sizes {
		for p := range n {
			st.buckets[i][p] = entry{left[0], int32(left[1]), left[2], left[3]}
			left = left[4:]
		}
	}
	return st
}
