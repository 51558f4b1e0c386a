package features

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/bits"
	"slices"
	"strconv"
	"strings"

	"github.com/cespare/xxhash/v2"
)

// Past is what a history field says of its key, before the row itself: a
// number, from a State.
type Past string

// The parts of a key's history.
const (
	NoPast    Past = ""           // the field is no history field
	Count     Past = "count"      // impressions so far
	CountHour Past = "count_hour" // impressions so far in the row's hour
	Since     Past = "since"      // hours since the last; missing where there was none
)

// pasts are the parts in the order in which a State gives them.
var pasts = [...]Past{Count, CountHour, Since}

// pastCap is the Cap of Count and CountHour. A key that comes more often is no
// single person but a gateway, or a value that stands for none: its count
// tells the time, which a model of past days must not learn from. (Boosted
// trees lose .007 of log loss on 23,000 of Avazu's rows without it.)
const pastCap = 63

// historyField gives the field of one part of a key's history.
func historyField(key []string, p Past) Field {
	f := Field{Name: string(p) + "(" + historyName(key) + ")", From: slices.Clone(key), Type: Num, Past: p}
	if p != Since {
		limit := float64(pastCap)
		f.Cap = &limit
	}
	return f
}

func historyName(key []string) string { return strings.Join(key, "+") }

// HistoryAuto stands for the keys that help with a schema's data.
const HistoryAuto = "auto"

// autoHistory are the keys that HistoryAuto stands for, by schema.
var autoHistory = map[string][]string{
	"avazu": {"device_id", "device_ip+device_model"},
}

// HistoryKeys reads the names of keys: columns joined by "+", or HistoryAuto.
func (s *Schema) HistoryKeys(items []string) ([][]string, error) {
	var keys [][]string
	for _, item := range items {
		names := []string{item}
		if item == HistoryAuto {
			if names = autoHistory[s.Name]; names == nil {
				return nil, fmt.Errorf("history auto: not known for schema %s: want columns, such as user_id,ip+browser", s.Name)
			}
		}
		for _, name := range names {
			key := strings.Split(name, "+")
			if slices.Contains(key, "") {
				return nil, fmt.Errorf("history %q: want columns joined by +", name)
			}
			if !slices.ContainsFunc(keys, func(k []string) bool { return slices.Equal(k, key) }) {
				keys = append(keys, key)
			}
		}
	}
	return keys, nil
}

// History gives the distinct keys of s's history fields, in the order of the
// fields: none where it has no such field.
func (s *Spec) History() (keys [][]string) {
	for f := range s.Fields {
		if fd := &s.Fields[f]; fd.Past != NoPast && keyIndex(keys, fd.From) < 0 {
			keys = append(keys, fd.From)
		}
	}
	return keys
}

// HasHistory reports whether s has history fields.
func (s *Spec) HasHistory() bool {
	return slices.ContainsFunc(s.Fields, func(f Field) bool { return f.Past != NoPast })
}

func keyIndex(keys [][]string, key []string) int {
	return slices.IndexFunc(keys, func(k []string) bool { return slices.Equal(k, key) })
}

// historyKey is a key made ready for one layout.
type historyKey struct {
	seed uint64
	cols []int // -i stands for timeParts[i]
}

// bindHistory makes the keys ready and finds where in a row's past each
// history field lies.
func (e *Encoder) bindHistory() {
	keys := e.spec.History()
	e.history = make([]historyKey, len(keys))
	for f := range e.ops {
		o := &e.ops[f]
		if o.kind != opPast {
			continue
		}
		k := keyIndex(keys, o.field.From)
		e.history[k] = historyKey{xxhash.Sum64String(historyName(o.field.From)), o.cols}
		o.col = len(pasts)*k + slices.Index(pasts[:], o.field.Past)
	}
}

// HasHistory reports whether rows must go through a State, by ReadKeys and
// State.Count, before they are encoded.
func (e *Encoder) HasHistory() bool { return len(e.history) > 0 }

// ReadKeys reads the times of b's rows and hashes their keys, for
// State.Count; it splits b where that was not done yet. Different blocks may
// be read at the same time.
func (e *Encoder) ReadKeys(b *Block) {
	b.Split()
	n, nk := b.Len(), len(e.history)
	b.hours = slices.Grow(b.hours[:0], n)[:n]
	b.keyHashes = slices.Grow(b.keyHashes[:0], n*nk)[:n*nk]
	e.readHours(b)
	for k := range e.history {
		key := &e.history[k]
		for i := range n {
			b.keyHashes[i*nk+k] = key.seed
		}
		for _, c := range key.cols {
			if c < 0 {
				for i, h := range b.hours {
					b.keyHashes[i*nk+k] = joinKey(b.keyHashes[i*nk+k], uint64(h.part(timeParts[-c])), 1)
				}
				continue
			}
			for i := range n {
				at := b.bounds[i*b.width+c]
				v, size := valueKey(b.data, uint32(at), uint32(at>>32))
				b.keyHashes[i*nk+k] = joinKey(b.keyHashes[i*nk+k], v, size)
			}
		}
	}
}

// readHours reads the times of b's rows: noHour for those that do not count.
func (e *Encoder) readHours(b *Block) {
	var last []byte
	h, bad := noHour, b.Bad()
	for i := range b.hours {
		if bad && b.Err(i) != nil {
			b.hours[i] = noHour
			continue
		}
		at := b.bounds[i*b.width+e.time]
		v := b.data[uint32(at) : at>>32]
		if last == nil || string(v) != string(last) {
			var ok bool
			if h, ok = ParseHour(v); !ok {
				h = noHour
			}
			last = v
		}
		b.hours[i] = h
	}
}

// CopyKeys gives row i of b the keys of row from of other, which ReadKeys has
// read: for a record that could not be split as the rest of b was.
func (b *Block) CopyKeys(i int, other *Block, from int) {
	if len(b.hours) == 0 {
		return
	}
	nk := len(b.keyHashes) / len(b.hours)
	copy(b.keyHashes[i*nk:(i+1)*nk], other.keyHashes[from*nk:])
	b.hours[i] = other.hours[from]
}

// CopyPast gives row i of b what was seen before row from of other.
func (b *Block) CopyPast(i int, other *Block, from int) {
	w := other.pastWidth
	b.pastWidth = w
	b.past = slices.Grow(b.past[:0], b.Len()*w)[:b.Len()*w]
	copy(b.past[i*w:(i+1)*w], other.past[from*w:])
}

// valueKey gives 64 bits for data[s:e], itself where it is short.
func valueKey(data []byte, s, e uint32) (key uint64, size uint32) {
	size = e - s
	if size <= 8 && uint64(s)+8 <= uint64(len(data)) {
		return binary.LittleEndian.Uint64(data[s:]) & lowBytes[size], size
	}
	return keyOf(data[s:e]), size
}

// joinKey adds a value to the hash of a key. Every Snapshot of a State was
// made with it: it must not change.
func joinKey(h, value uint64, size uint32) uint64 {
	hi, lo := bits.Mul64(value^0x9E3779B97F4A7C15, 0xD6E8FEB86659FD93+uint64(size)<<1)
	return Mix64(h ^ hi ^ lo)
}

// noPast is said of rows that were not given to State.Count.
const noPast = "history: the row did not go through a State"

// past gives the value of a history field from a row's past.
func (o *op) past(p []uint32) float64 {
	v := p[o.col]
	if v == never && o.field.Past == Since {
		return math.NaN()
	}
	if x := float64(v); !o.capped || x <= o.limit {
		return x
	}
	return o.limit
}

// encodePast writes the history field i of a row.
func (o *op) encodePast(i int, r *Row, ex *Example) error {
	if o.col >= len(r.past) {
		return &RowError{Column: o.field.Name, Msg: noPast}
	}
	x := o.past(r.past)
	ex.Codes[i], ex.Values[i] = binOf(o.field.Bounds, x), x
	return nil
}

// historyFaults are what is wrong with a history field of s.
func (f *Field) historyFaults(s *Spec) (faults []string) {
	switch {
	case !slices.Contains(pasts[:], f.Past):
		faults = append(faults, fmt.Sprintf("history %q: want one of %v", f.Past, pasts))
	case f.Type != Num || f.Part != Whole || f.Values:
		faults = append(faults, "history: want a number in bins, without a part of the time")
	case s.Schema.Find(Time) == "":
		faults = append(faults, "history: want a time column in the schema")
	case s.HistoryBits < MinHistoryBits || s.HistoryBits > MaxHistoryBits:
		faults = append(faults, "history bits "+strconv.Itoa(s.HistoryBits)+": want "+strconv.Itoa(MinHistoryBits)+" … "+strconv.Itoa(MaxHistoryBits))
	}
	return faults
}
