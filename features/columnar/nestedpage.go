package columnar

import (
	"encoding/binary"
	"math"
	"math/bits"
	"strconv"

	"github.com/parquet-go/parquet-go/encoding/rle"
	"github.com/parquet-go/parquet-go/format"
)

// page adds the entries of a page to l and gives their number.
func (l *nestedLeaf) page(p *page, dict *nestedLeaf, a *Allowance) (n int, err error) {
	size := int(p.head.UncompressedPageSize)
	var rep, def, data []byte
	var enc format.Encoding
	if h := &p.head.DataPageHeaderV2; p.head.Type == format.DataPageV2 {
		n, enc = int(h.V.NumValues), h.V.Encoding
		r, d := int(h.V.RepetitionLevelsByteLength), int(h.V.DefinitionLevelsByteLength)
		if !h.Valid || r < 0 || d < 0 || r > len(p.raw) || d > len(p.raw)-r || r+d > size {
			return 0, damaged("page without its levels")
		}
		rep, def, data = p.raw[:r], p.raw[r:r+d], p.raw[r+d:]
		if !h.V.IsCompressed.Valid || h.V.IsCompressed.V {
			packed := len(data)
			if data, err = unpack(p.codec, data, size-r-d); err != nil {
				return 0, err
			}
			a.Unpacked(int64(packed), int64(len(data)))
		}
	} else {
		h := &p.head.DataPageHeader
		if !h.Valid || l.maxRep > 0 && h.V.RepetitionLevelEncoding != format.RLE || l.maxDef > 0 && h.V.DefinitionLevelEncoding != format.RLE {
			return 0, damaged("page without its levels")
		}
		n, enc = int(h.V.NumValues), h.V.Encoding
		if data, err = unpack(p.codec, p.raw, size); err != nil {
			return 0, err
		}
		a.Unpacked(int64(len(p.raw)), int64(len(data)))
		if rep, data, err = levelBytes(data, l.maxRep); err == nil {
			def, data, err = levelBytes(data, l.maxDef)
		}
		if err != nil {
			return 0, err
		}
	}
	if n < 0 || n > maxPageValues {
		return 0, damaged("page of %d values: want 0..%d", n, maxPageValues)
	}
	dense := n
	if l.rep, err = appendLevels(l.rep, rep, n, l.maxRep, a); err != nil {
		return 0, err
	}
	before := len(l.def)
	if l.def, err = appendLevels(l.def, def, n, l.maxDef, a); err != nil {
		return 0, err
	}
	if l.maxDef > 0 {
		dense = 0
		for _, d := range l.def[before:] {
			if int(d) == l.maxDef {
				dense++
			}
		}
	}
	return n, l.values(enc, data, dense, dict, a)
}

// levelBytes cuts the levels off the front of a page of version 1.
func levelBytes(data []byte, most int) (levels, rest []byte, err error) {
	if most == 0 {
		return nil, data, nil
	}
	if len(data) < 4 {
		return nil, nil, damaged("page without its levels")
	}
	length := int64(data[0]) | int64(data[1])<<8 | int64(data[2])<<16 | int64(data[3])<<24
	if length > int64(len(data)-4) {
		return nil, nil, damaged("page without its levels")
	}
	return data[4 : 4+length], data[4+length:], nil
}

// appendLevels decodes n levels of 0 … most.
func appendLevels(dst, data []byte, n, most int, a *Allowance) ([]byte, error) {
	if most == 0 {
		return nil, nil
	}
	dst, err := Grow(a, dst, n)
	if err == nil {
		err = a.Take(int64(n) + 8)
	}
	if err != nil {
		return nil, err
	}
	defer a.Give(int64(n) + 8)
	width := bits.Len(uint(most))
	if err := checkRuns(data, width, n); err != nil {
		return nil, err
	}
	levels, err := (&rle.Encoding{BitWidth: width}).DecodeLevels(make([]byte, 0, n+8), data)
	if err != nil || len(levels) < n {
		return nil, damaged("%d levels: want %d", len(levels), n)
	}
	for _, v := range levels[:n] {
		if int(v) > most {
			return nil, damaged("level %d: want 0..%d", v, most)
		}
	}
	return append(dst, levels[:n]...), nil
}

// values adds the n values of a page.
func (l *nestedLeaf) values(enc format.Encoding, data []byte, n int, dict *nestedLeaf, a *Allowance) error {
	switch {
	case n == 0:
		return nil
	case enc == format.Plain:
		return l.plainValues(data, n, a)
	case enc == format.RLEDictionary || enc == plainDictionary:
		return l.codedValues(data, n, dict, a)
	}
	// The rest is rare: the decoder that makes fields does it, by way of text.
	if err := a.Take(32 * int64(n)); err != nil {
		return err
	}
	defer a.Give(32 * int64(n))
	d := decoder{col: &l.col, n: n, dense: n}
	v, err := d.values(enc, data)
	if err != nil {
		return err
	}
	if v.len() != n {
		return damaged("%d values: want %d", v.len(), n)
	}
	return l.fromText(v, a)
}

func (l *nestedLeaf) fromText(v vector, a *Allowance) (err error) {
	if err = l.reserve(v.len(), 0, a); err != nil {
		return err
	}
	var text []byte
	for i := range v.len() {
		text = v.append(text[:0], i)
		if l.isText {
			if err := l.add(text, a); err != nil {
				return err
			}
			continue
		}
		x, err := strconv.ParseFloat(string(text), 64)
		if err != nil {
			return damaged("number %q", text)
		}
		l.Numbers = append(l.Numbers, x)
	}
	return nil
}

// reserve makes room for n more values, of so many bytes in all where they are
// texts.
func (l *nestedLeaf) reserve(n, size int, a *Allowance) (err error) {
	if !l.isText {
		l.Numbers, err = Grow(a, l.Numbers, n)
		return err
	}
	if l.text, err = Grow(a, l.text, size); err != nil {
		return err
	}
	if l.offsets, err = Grow(a, l.offsets, n+1); err == nil && len(l.offsets) == 0 {
		l.offsets = append(l.offsets, 0)
	}
	return err
}

// add adds a text.
func (l *nestedLeaf) add(text []byte, a *Allowance) (err error) {
	if l.text, err = Grow(a, l.text, len(text)); err != nil {
		return err
	}
	if l.offsets, err = Grow(a, l.offsets, 1); err != nil {
		return err
	}
	l.text = append(l.text, text...)
	l.offsets = append(l.offsets, uint64(len(l.text)))
	return nil
}

// plainValues adds n values that stand one after another.
func (l *nestedLeaf) plainValues(data []byte, n int, a *Allowance) error {
	d := decoder{col: &l.col, n: n, dense: n}
	if l.isText {
		if len(data)/4 < n {
			return damaged("a text is missing")
		}
		if err := l.reserve(n, len(data)-4*n, a); err != nil {
			return err
		}
		for range n {
			if len(data) < 4 {
				return damaged("a text is missing")
			}
			size := int64(data[0]) | int64(data[1])<<8 | int64(data[2])<<16 | int64(data[3])<<24
			if size > int64(len(data)-4) {
				return damaged("text of %d bytes: %d are left", size, len(data)-4)
			}
			if err := l.add(data[4:4+size], a); err != nil {
				return err
			}
			data = data[4+size:]
		}
		return nil
	}
	if size := d.fixed(); size > 0 && len(data)/size < n || l.col.physical == format.Boolean && len(data) < (n+7)/8 {
		return damaged("%d bytes for %d values", len(data), n)
	}
	if err := l.reserve(n, 0, a); err != nil {
		return err
	}
	for i := range n {
		l.Numbers = append(l.Numbers, plainNumber(l.col.physical, data, i))
	}
	return nil
}

// codedValues adds n values of a dictionary, by their places in it.
func (l *nestedLeaf) codedValues(data []byte, n int, dict *nestedLeaf, a *Allowance) error {
	if dict == nil || len(data) == 0 {
		return damaged("values of a dictionary that is missing")
	}
	if err := checkRuns(data[1:], int(data[0]), n); err != nil {
		return err
	}
	room := 4 * (int64(n) + 8)
	if err := a.Take(room); err != nil {
		return err
	}
	defer a.Give(room)
	if err := l.reserve(n, 0, a); err != nil {
		return err
	}
	codes, err := new(rle.DictionaryEncoding).DecodeInt32(make([]int32, 0, n+8), data)
	if err != nil || len(codes) < n {
		return damaged("%d values of a dictionary: want %d", len(codes), n)
	}
	for _, k := range codes[:n] {
		if int64(k) < 0 || int(k) >= dict.Len() {
			return damaged("value %d of a dictionary of %d", k, dict.Len())
		}
		if !l.isText {
			l.Numbers = append(l.Numbers, dict.Numbers[k])
		} else if err := l.add(dict.Text(int(k)), a); err != nil {
			return err
		}
	}
	return nil
}

// plainNumber gives the i-th of values that stand one after another.
func plainNumber(t format.Type, data []byte, i int) float64 {
	switch t {
	case format.Boolean:
		return float64(data[i/8] >> (i % 8) & 1)
	case format.Int32:
		return float64(int32(binary.LittleEndian.Uint32(data[4*i:])))
	case format.Int64:
		return float64(int64(binary.LittleEndian.Uint64(data[8*i:])))
	case format.Float:
		return float64(math.Float32frombits(binary.LittleEndian.Uint32(data[4*i:])))
	default:
		return math.Float64frombits(binary.LittleEndian.Uint64(data[8*i:]))
	}
}
