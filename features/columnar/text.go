package columnar

import (
	"math/big"
	"strconv"
	"time"
)

// The year of a time that has a text: four digits, as ParseHour reads them.
const minYear, maxYear = 1, 9999

// appendTime appends the time v, so many of which make a second, since 1970 as
// YYYY-MM-DD HH:MM:SS; where perSecond is 0, v counts days, and YYYY-MM-DD is
// all. What is below a second is dropped. A time
// out of the years 1..9999 is written as its number, which no reader of times
// takes.
func appendTime(dst []byte, v, perSecond int64) []byte {
	if perSecond == 0 {
		const most = 10_000 * 366
		if v > most || v < -most {
			return appendInt(dst, v)
		}
		return appendDate(dst, time.Unix(v*86400, 0).UTC(), v)
	}
	seconds := v / perSecond
	if v%perSecond < 0 {
		seconds--
	}
	const most = 10_000 * 366 * 86400
	if seconds > most || seconds < -most {
		return appendInt(dst, v)
	}
	t := time.Unix(seconds, 0).UTC()
	if y := t.Year(); y < minYear || y > maxYear {
		return appendInt(dst, v)
	}
	return appendClock(append(appendDate(dst, t, v), ' '), int64(t.Hour()*3600+t.Minute()*60+t.Second()))
}

func appendDate(dst []byte, t time.Time, v int64) []byte {
	year, month, day := t.Date()
	if year < minYear || year > maxYear {
		return appendInt(dst, v)
	}
	dst = append(appendTwo(appendTwo(dst, year/100), year%100), '-')
	return appendTwo(append(appendTwo(dst, int(month)), '-'), day)
}

// appendClock appends a number of seconds since midnight as HH:MM:SS.
func appendClock(dst []byte, seconds int64) []byte {
	if seconds < 0 || seconds >= 86400 {
		return appendInt(dst, seconds)
	}
	dst = append(appendTwo(dst, int(seconds/3600)), ':')
	return appendTwo(append(appendTwo(dst, int(seconds/60%60)), ':'), int(seconds%60))
}

func appendTwo(dst []byte, v int) []byte { return append(dst, byte('0'+v/10), byte('0'+v%10)) }

// timeOf gives the function that appends times of so many units a second.
func timeOf(perSecond int64) func([]byte, int64) []byte {
	return func(dst []byte, v int64) []byte { return appendTime(dst, v, perSecond) }
}

// clockOf gives the function that appends times of day.
func clockOf(perSecond int64) func([]byte, int64) []byte {
	return func(dst []byte, v int64) []byte { return appendClock(dst, v/perSecond) }
}

// maxScale bounds the digits that a decimal may have behind its point.
const maxScale = 1000

// appendDecimal appends digits, a whole number as text, with a point before
// the last scale of them; with a negative scale zeros follow it.
func appendDecimal(dst []byte, digits string, scale int) []byte {
	if digits[0] == '-' {
		dst, digits = append(dst, '-'), digits[1:]
	}
	if scale <= 0 {
		dst = append(dst, digits...)
		for ; scale < 0 && digits != "0"; scale++ {
			dst = append(dst, '0')
		}
		return dst
	}
	whole := max(len(digits)-scale, 0)
	if whole == 0 {
		dst = append(dst, '0')
	}
	dst = append(append(dst, digits[:whole]...), '.')
	for range scale - len(digits) {
		dst = append(dst, '0')
	}
	return append(dst, digits[whole:]...)
}

func decimalOf(scale int) func([]byte, int64) []byte {
	return func(dst []byte, v int64) []byte { return appendDecimal(dst, strconv.FormatInt(v, 10), scale) }
}

// bigEndian gives the number that b holds in two's complement.
func bigEndian(b []byte) *big.Int {
	v := new(big.Int).SetBytes(b)
	if len(b) > 0 && b[0]&0x80 != 0 {
		v.Sub(v, new(big.Int).Lsh(big.NewInt(1), uint(8*len(b))))
	}
	return v
}
