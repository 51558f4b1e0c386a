package boosters

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
)

// fromUBJ gives the JSON of what is UBJSON (draft 12), as XGBoost writes it:
// big endian, objects and lists with or without a type and a count.
func fromUBJ(b []byte) ([]byte, error) {
	u := ubj{in: b}
	if err := u.value(u.mark(), 0); err != nil {
		return nil, fmt.Errorf("UBJSON: byte %d: %w", u.at, err)
	}
	if u.at < len(b) {
		return nil, fmt.Errorf("UBJSON: %d bytes after the end", len(b)-u.at)
	}
	return u.out, nil
}

type ubj struct {
	in, out []byte
	at      int
}

var errCut = errors.New("the file is cut off")

// mark reads the next mark, passing over no-ops; 0 at the end.
func (u *ubj) mark() byte {
	for u.at < len(u.in) {
		u.at++
		if c := u.in[u.at-1]; c != 'N' {
			return c
		}
	}
	return 0
}

// take reads n bytes.
func (u *ubj) take(n int64) ([]byte, error) {
	if n < 0 || n > int64(len(u.in)-u.at) {
		return nil, errCut
	}
	u.at += int(n)
	return u.in[u.at-int(n) : u.at], nil
}

// value writes the value after a mark.
func (u *ubj) value(mark byte, depth int) error {
	if depth > 100 {
		return errors.New("deeper than 100: want less")
	}
	switch mark {
	case '{', '[':
		return u.container(mark, depth)
	case 'S':
		return u.text()
	case 'T', 'F', 'Z':
		u.out = append(u.out, map[byte]string{'T': "true", 'F': "false", 'Z': "null"}[mark]...)
		return nil
	case 'd', 'D':
		bits := map[byte]int{'d': 32, 'D': 64}[mark]
		b, err := u.take(int64(bits / 8))
		if err != nil {
			return err
		}
		x := 0.0
		if bits == 32 {
			x = float64(math.Float32frombits(binary.BigEndian.Uint32(b)))
		} else {
			x = math.Float64frombits(binary.BigEndian.Uint64(b))
		}
		if math.IsNaN(x) || math.IsInf(x, 0) {
			return fmt.Errorf("%v: want a finite number", x)
		}
		u.out = strconv.AppendFloat(u.out, x, 'g', -1, bits)
		return nil
	default:
		n, err := u.integer(mark)
		u.out = strconv.AppendInt(u.out, n, 10)
		return err
	}
}

// integer reads the whole number after a mark.
func (u *ubj) integer(mark byte) (int64, error) {
	size := map[byte]int64{'i': 1, 'U': 1, 'I': 2, 'l': 4, 'L': 8}[mark]
	if size == 0 {
		return 0, fmt.Errorf("mark %q: want a value of UBJSON", mark)
	}
	b, err := u.take(size)
	if err != nil {
		return 0, err
	}
	switch mark {
	case 'i':
		return int64(int8(b[0])), nil
	case 'U':
		return int64(b[0]), nil
	case 'I':
		return int64(int16(binary.BigEndian.Uint16(b))), nil
	case 'l':
		return int64(int32(binary.BigEndian.Uint32(b))), nil
	}
	return int64(binary.BigEndian.Uint64(b)), nil
}

// text writes a string: its length, then its bytes.
func (u *ubj) text() error {
	n, err := u.integer(u.mark())
	if err != nil {
		return err
	}
	b, err := u.take(n)
	if err != nil {
		return err
	}
	quoted, err := json.Marshal(string(b))
	u.out = append(u.out, quoted...)
	return err
}

// container writes a list or an object.
func (u *ubj) container(mark byte, depth int) error {
	end := mark + 2 // ] of [, } of {
	var kind byte
	count := int64(-1)
	next := u.mark()
	if next == '$' {
		if kind = u.mark(); kind == 'T' || kind == 'F' || kind == 'Z' || kind == 0 {
			return fmt.Errorf("type %q of a list: want one that takes bytes", kind)
		}
		if next = u.mark(); next != '#' {
			return errors.New("a type without a count")
		}
	}
	if next == '#' {
		n, err := u.integer(u.mark())
		// Each element takes a byte or more.
		if err != nil || n < 0 || n > int64(len(u.in)-u.at) {
			return fmt.Errorf("count %d: %w", n, errCut)
		}
		count, next = n, 0
	}
	u.out = append(u.out, mark)
	for i := int64(0); i != count; i++ {
		if count >= 0 && (kind == 0 || mark == '{') {
			next = u.mark()
		}
		if count < 0 && next == end {
			break
		}
		if i > 0 {
			u.out = append(u.out, ',')
		}
		if err := u.element(mark, kind, next, depth); err != nil {
			return err
		}
		if count < 0 {
			next = u.mark()
		}
	}
	u.out = append(u.out, end)
	return nil
}

// element writes one element, whose first mark next was read unless the list
// has a type for all.
func (u *ubj) element(container, kind, next byte, depth int) error {
	if container == '[' {
		if kind != 0 {
			next = kind
		}
		return u.value(next, depth+1)
	}
	// The name of a member has no mark of its own but its length's.
	u.at--
	if err := u.text(); err != nil {
		return err
	}
	u.out = append(u.out, ':')
	if kind == 0 {
		kind = u.mark()
	}
	return u.value(kind, depth+1)
}
