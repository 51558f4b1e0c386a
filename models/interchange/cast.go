package interchange

import (
	"bytes"
	"math"
	"regexp"
	"strconv"
	"strings"

	"ctr/features"
)

// NegativeZero is the form of the numbers that are -0 among those of Decimal.
const NegativeZero = `-(?:0+\.?0*|\.0+)(?:[eE][-+]?[0-9]+)?`

// Recast is what a format that has regular expressions and tables needs to look
// a value up as a Dict field with features.CastInt or features.CastDouble does:
// a text that has the form of a number, and is none of Odd, is replaced by what
// it is cast to; any other is looked up as it stands.
type Recast struct {
	// Odd are the values of the dictionary that have the form but would be cast
	// to another text: they are found as they stand.
	Odd [][]byte
	// Numbers and Texts are, for CastDouble, the numbers of the dictionary and
	// their texts; 0 is there for "0.0" alone, "-0.0" is what NegativeZero is.
	Numbers []float64
	Texts   [][]byte
	// Unseen is a text that the dictionary has not got.
	Unseen string
}

// NewRecast takes the dictionary of a field apart. form is that of the numbers
// which are cast, the whole text.
func NewRecast(f *features.Field, form string) *Recast {
	r := &Recast{Unseen: "?"}
	for f.Dict.Code([]byte(r.Unseen)) != 0 {
		r.Unseen += "?"
	}
	whole := regexp.MustCompile("^(?:" + form + ")$")
	for c := range f.Dict.Len() {
		v := f.Dict.Value(uint32(c + 1))
		if !whole.Match(v) {
			continue
		}
		text, ok := f.Cast.Apply(nil, v)
		if !ok || !bytes.Equal(text, v) {
			r.Odd = append(r.Odd, v)
			continue
		}
		if x, ok := features.ParseNumber(v); ok && f.Cast == features.CastDouble && (x != 0 || !math.Signbit(x)) {
			r.Numbers, r.Texts = append(r.Numbers, x), append(r.Texts, v)
		}
	}
	return r
}

// Integer is the form of an integer of 64 bits of up to 63 characters, as a
// regular expression of RE2 and of Java.
func Integer() string {
	const digits = 19
	most := strconv.FormatInt(math.MaxInt64, 10)
	parts := []string{`[0-9]{1,` + strconv.Itoa(digits-1) + `}`}
	for i, c := range most {
		if c > '0' {
			part := most[:i] + `[0-` + string(c-1) + `]`
			if i+1 < digits {
				part += `[0-9]{` + strconv.Itoa(digits-1-i) + `}`
			}
			parts = append(parts, part)
		}
	}
	parts = append(parts, most)
	zeros := `0{0,43}`
	return `[-+]?` + zeros + `(?:` + strings.Join(parts, "|") + `)|-` + zeros + strconv.FormatInt(math.MinInt64, 10)[1:]
}
